//! The house rules, as far as a program can check them. A rule that is wrong is changed here and in the README, on
//! purpose.

mod golden;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const SERVICES: [&str; 5] = ["gateway", "profiles", "feedback", "personalisation", "metrics"];

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_owned()
}

/// Every Rust file below a folder of the repository, with its text.
fn sources(folder: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    gather(&top().join(folder), &mut found);
    assert!(!found.is_empty(), "{folder} has Rust files");
    found
}

fn gather(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            gather(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(top()).expect("in the repository").display().to_string();
            found.insert(name, fs::read_to_string(&path).expect("a text"));
        }
    }
}

/// The code of `services/` and `shared/` that is not only for tests.
fn code() -> BTreeMap<String, String> {
    let mut all = sources("services");
    all.extend(sources("shared"));
    let is_test = |name: &str| {
        name.split('/').any(|part| part == "tests" || part == "benches" || part == "testing" || part == "build")
            || name.ends_with("testing.rs")
            || name.ends_with("/tests.rs")
    };
    all.retain(|name, _| !is_test(name));
    // What stands in `mod tests` is for tests: by the house's style it is the last thing in a file.
    all.into_iter()
        .map(|(name, text)| (name, text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned()))
        .collect()
}

/// The lines of code (comments cut) that hold a pattern, as `file:line`.
fn lines_with(files: &BTreeMap<String, String>, holds: impl Fn(&str) -> bool) -> Vec<String> {
    let found = files.iter().flat_map(|(name, text)| {
        let code = text.lines().enumerate().map(|(at, line)| (at + 1, line.split("//").next().unwrap_or_default()));
        code.filter(|(_, line)| holds(line))
            .map(|(at, line)| format!("{name}:{at}: {}", line.trim()))
            .collect::<Vec<_>>()
    });
    found.collect()
}

#[track_caller]
fn none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}\n  {}", found.join("\n  "));
}

#[test]
fn dependencies_point_one_way() {
    let manifest = |folder: &str| fs::read_to_string(top().join(folder).join("Cargo.toml")).expect("a manifest");
    let dependencies = |text: &str| {
        let section = text.split("[dependencies]").nth(1).unwrap_or_default();
        let section = section.split("\n[").next().unwrap_or_default();
        section
            .lines()
            .filter_map(|line| line.strip_prefix("rapport-")?.split(['.', ' ']).next().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    for service in SERVICES {
        let wrong: Vec<_> = dependencies(&manifest(&format!("services/{service}")))
            .into_iter()
            .filter(|dependency| SERVICES.contains(&dependency.as_str()) || dependency == "suite")
            .collect();
        none(&wrong, &format!("{service} must not depend on another service"));
    }
    const SHARED: [&str; 11] = [
        "kernel",
        "api",
        "conditions",
        "platform",
        "data",
        "bus",
        "cache",
        "operations",
        "matching",
        "clusters",
        "text",
    ];
    for crate_ in SHARED {
        let wrong: Vec<_> = dependencies(&manifest(&format!("shared/{crate_}")))
            .into_iter()
            .filter(|dependency| SERVICES.contains(&dependency.as_str()) || dependency == "suite")
            .collect();
        none(&wrong, &format!("shared/{crate_} must not depend on a service"));
    }
    assert_eq!(dependencies(&manifest("shared/kernel")), Vec::<String>::new(), "the kernel depends on nothing of ours");
    assert_eq!(dependencies(&manifest("shared/conditions")), ["kernel"], "conditions are pure");
}

/// The services' files outside the named rooms.
fn outside(rooms: &[&str]) -> BTreeMap<String, String> {
    let mut files = code();
    files.retain(|name, _| {
        let mut parts = name.split('/');
        let service =
            parts.next() == Some("services") && parts.next().is_some_and(|service| SERVICES.contains(&service));
        let room = parts.nth(1).unwrap_or_default().trim_end_matches(".rs");
        service && !rooms.contains(&room)
    });
    files
}

#[test]
fn only_the_edge_names_proto_types() {
    // `peers` speaks to other services, `lib` hands the routes on.
    let files = outside(&["rpc", "convert", "events", "peers", "lib"]);
    none(
        &lines_with(&files, |line| line.contains("rapport_api::") && line.contains("::v1")),
        "proto types stay in rpc, convert, events and peers",
    );
}

#[test]
fn only_the_store_names_sea_orm() {
    let files = outside(&["store", "migrations"]);
    none(&lines_with(&files, |line| line.contains("sea_orm") || line.contains("sqlx::")), "queries stay in store");
}

#[test]
fn the_domain_is_pure() {
    let mut files = code();
    files.retain(|name, _| name.starts_with("services/") && name.contains("/src/domain"));
    let impure = [
        "async ",
        ".await",
        "SystemClock",
        "Instant::now",
        "SystemTime",
        "Utc::now",
        "rand::",
        "Id::new()",
        "::now_v7",
    ];
    none(
        &lines_with(&files, |line| impure.iter().any(|word| line.contains(word))),
        "the domain has no async, clock, randomness or I/O",
    );
}

#[test]
fn nothing_is_left_unfinished_or_unproved() {
    let words = ["todo!", "unimplemented!", ".unwrap()", "#[allow", "#![allow", "dbg!", "macro_rules!"];
    let unanswered = |line: &str| line.contains("Status::unimplemented");
    none(
        &lines_with(&code(), |line| unanswered(line) || words.iter().any(|word| line.contains(word))),
        "no placeholders, no unwrap, no allow, no macros of our own",
    );
}

#[test]
fn background_work_is_named() {
    // The platform's tasks and host are where tasks are named and tracked.
    let mut files = code();
    files.retain(|name, _| !name.starts_with("shared/platform/src/"));
    none(
        &lines_with(&files, |line| line.contains("tokio::spawn(") || line.contains("task::spawn(")),
        "tasks are spawned by name, through Tasks",
    );
}

#[test]
fn there_is_no_global_state() {
    let mutable = |line: &str| {
        line.trim_start().trim_start_matches("pub ").starts_with("static ")
            && (line.contains("Mutex")
                || line.contains("RwLock")
                || line.contains("OnceLock")
                || line.contains("Atomic"))
    };
    none(&lines_with(&code(), mutable), "no global state");
}

#[test]
fn every_file_says_what_it_is() {
    let bare: Vec<_> = code().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(name, _)| name).collect();
    none(&bare, "a file opens with what it is and why it exists");
}

#[test]
fn no_room_is_crowded() {
    let long: Vec<_> =
        code().into_iter().filter(|(_, text)| text.lines().count() > 450).map(|(name, _)| name).collect();
    none(&long, "over 450 lines something wants a room of its own");
}

#[test]
fn personal_data_has_no_way_into_the_log() {
    let mut files = code();
    files.retain(|name, _| !name.contains("/src/demo/"));
    let words = ["traits", "identifier", "email", "phone", "comment", "external_id"];
    let logs = |line: &str| {
        let is_log =
            ["trace!(", "debug!(", "info!(", "warn!(", "error!(", "_span!("].iter().any(|word| line.contains(word));
        is_log && words.iter().any(|word| line.contains(word))
    };
    none(&lines_with(&files, logs), "logs and spans hold ids only");
}
