//! The golden files: what everybody may rely on, changed on purpose. `UPDATE_GOLDEN=1 cargo test -p rapport-tests` writes
//! them anew; the change is then seen in review.

use std::fmt::Write as _;
use std::fs;

use rapport_kernel::Reason;

/// Compares a text with its golden file.
#[track_caller]
fn golden(name: &str, text: &str) {
    let path = super::top().join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, text).expect("the golden file can be written");
    }
    let held = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, held, "{} is not what the code says: change it on purpose (UPDATE_GOLDEN=1)", path.display());
}

#[test]
fn the_policy_table_is_as_agreed() {
    let mut text =
        "# Each call and the scope it needs. `internal` calls are never forwarded by the gateway.\n".to_owned();
    for policy in rapport_api::policy::all() {
        let verb = format!("{:?}", policy.verb).to_lowercase();
        let streams = if policy.streaming { " (stream)" } else { "" };
        writeln!(text, "{} {}:{verb}{streams}", policy.path.trim_start_matches('/'), policy.service).expect("a string");
    }
    golden("policy.txt", &text);
}

#[test]
fn the_error_catalogue_is_as_agreed() {
    let mut text = "# Each reason and its one gRPC code.\n".to_owned();
    for reason in Reason::ALL {
        let status = rapport_platform::status(rapport_kernel::Fault::new(reason, ""));
        writeln!(text, "{} {:?}", reason.name(), status.code()).expect("a string");
    }
    golden("errors.txt", &text);
}

#[test]
fn the_configuration_reference_is_as_agreed() {
    let text =
        rapport_platform::config::reference::<rapport_suite::settings::Settings>().expect("every key says what it is");
    golden("configuration.md", &text);
}

#[test]
fn the_names_of_metrics_are_as_agreed() {
    let is_name = |text: &&str| {
        ["rapport_", "rpc_", "db_"].iter().any(|prefix| text.starts_with(prefix))
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    let code = super::code();
    let measuring = code.values().filter(|text| text.contains("prometheus"));
    // Every other piece between quotation marks is a literal.
    let names = measuring.flat_map(|text| text.split('"').skip(1).step_by(2).filter(is_name));
    let names: std::collections::BTreeSet<&str> = names.collect();
    let mut text =
        "# The metrics at /metrics, and those of their labels that follow OpenTelemetry's conventions.\n".to_owned();
    names.into_iter().for_each(|name| writeln!(text, "{name}").expect("a string"));
    golden("metrics.txt", &text);
}
