//! The command line, as its users run it. (That this test exists is also why `cargo test` builds the program, which the
//! tests of the whole suite start.)

use std::process::{Command, Output};

fn rapport(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rapport"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("RAPPORT_")) {
        command.env_remove(name);
    }
    command.args(words).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn the_effective_configuration_is_shown_with_its_origins_and_without_its_secrets() {
    let url = "profiles.database.url=postgres://anna:hunter2@db/profiles";
    let shown = rapport(&["config", "show", "--set", url, "--set", "platform.keys.page=c2VjcmV0LXNlY3JldA=="]);
    let shown = text(&shown.stdout);
    assert!(shown.contains("# flag") && shown.contains("# default"), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.contains("c2VjcmV0"), "{shown}");
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    let refused = rapport(&["config", "show", "--set", "metrics.supression_threshold=3"]);
    assert!(!refused.status.success());
    let said = text(&refused.stderr);
    assert!(said.contains("suppression_threshold"), "{said}");
}

#[test]
fn the_reference_names_every_key() {
    let reference = text(&rapport(&["config", "reference"]).stdout);
    for key in ["host.listen", "bus.redis", "cache.redis", "gateway.quota", "profiles.database.url"] {
        assert!(reference.contains(key), "{key}");
    }
}

#[test]
fn an_unknown_call_is_refused_with_those_that_exist() {
    let refused = rapport(&["call", "--key", "rk_x", "Nothing"]);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("rapport.profiles.v1.ProfileService.Identify"));
}
