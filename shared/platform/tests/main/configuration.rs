//! The layers of the configuration, their origins, what is refused, what is hidden.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rapport_platform::PlatformConfig;
use rapport_platform::config::{About, Address, Describe, Origin, Period, Secret, Sources, load, reference};
use rapport_platform::host::HostConfig;
use rapport_platform::telemetry::TelemetryConfig;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Database {
    url: Address,
    connections: u32,
    wait: Period,
    password: Option<Secret>,
    replicas: Vec<String>,
}

impl Default for Database {
    fn default() -> Self {
        let url = Address::new("sqlite://data.db");
        Self { url, connections: 8, wait: Period::millis(500), password: None, replicas: Vec::new() }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    database: Database,
    platform: PlatformConfig,
    verbose: bool,
    names: BTreeMap<String, String>,
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rapport.toml");
    std::fs::write(&path, text).expect("a file");
    (folder, path)
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn flags_lie_over_the_environment_over_files_over_defaults() {
    let (_folder, path) = file("verbose = true\n[database]\nconnections = 16\nwait = \"2s\"\n[names]\na = \"b\"\n");
    let environment = [
        ("RAPPORT_DATABASE__CONNECTIONS", "32"),
        ("RAPPORT_DATABASE__REPLICAS", "one, two"),
        ("RAPPORT_DATABASE__PASSWORD", "12345"),
        ("RAPPORT_PLATFORM__PEERS__ENDPOINTS__PROFILES", "http://profiles:50051"),
        ("PATH", "/bin"),
    ];
    let sources = Sources {
        files: vec![path.clone()],
        environment: pairs(&environment),
        flags: pairs(&[("database.connections", "64")]),
    };
    let loaded = load::<Settings>(&sources).expect("a configuration");
    let value = &loaded.value;
    assert_eq!((value.database.connections, value.verbose), (64, true));
    assert_eq!(value.database.wait, Period::secs(2));
    assert_eq!(value.database.replicas, ["one", "two"]);
    assert_eq!(value.database.password.as_ref().expect("a password").expose(), "12345");
    assert_eq!(value.platform.peers.endpoints["profiles"], "http://profiles:50051");
    assert_eq!(value.names["a"], "b");

    let entries = loaded.entries().expect("entries");
    let origin = |key: &str| &entries.iter().find(|(of, _, _)| of == key).expect(key).2;
    assert_eq!(origin("database.connections"), &Origin::Flag);
    assert_eq!(origin("database.wait"), &Origin::File(path));
    assert_eq!(origin("database.replicas"), &Origin::Environment("RAPPORT_DATABASE__REPLICAS".to_owned()));
    assert_eq!(origin("database.url"), &Origin::Default);
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    let (_folder, path) = file("[database]\nconection = 16\n");
    let fault = load::<Settings>(&Sources { files: vec![path], ..Sources::default() }).expect_err("a typing mistake");
    assert!(fault.message.contains("database.conection") && fault.message.contains("database.connections?"), "{fault}");
    assert!(fault.message.contains("rapport.toml"), "{fault}");
    let environment = pairs(&[("RAPPORT_DATABSE__URL", "x")]);
    let fault = load::<Settings>(&Sources { environment, ..Sources::default() }).expect_err("a typing mistake");
    assert!(fault.message.contains("RAPPORT_DATABSE__URL") && fault.message.contains("database.url?"), "{fault}");
    let flags = pairs(&[("entirely.different", "x")]);
    let fault = load::<Settings>(&Sources { flags, ..Sources::default() }).expect_err("unknown");
    assert!(!fault.message.contains("did you mean"), "{fault}");
}

#[test]
fn a_value_of_the_wrong_type_is_refused_with_its_key_and_origin() {
    for (name, value) in [
        ("RAPPORT_DATABASE__CONNECTIONS", "many"),
        ("RAPPORT_DATABASE__WAIT", "soon"),
        ("RAPPORT_DATABASE", "postgres"),
        ("RAPPORT_VERBOSE", "perhaps"),
    ] {
        let environment = pairs(&[(name, value)]);
        let fault = load::<Settings>(&Sources { environment, ..Sources::default() }).expect_err(name);
        assert!(fault.message.contains(name) || fault.message.contains("soon"), "{name}: {fault}");
    }
    let missing = Sources { files: vec![PathBuf::from("/nowhere/rapport.toml")], ..Sources::default() };
    assert!(load::<Settings>(&missing).expect_err("no file").message.contains("/nowhere/rapport.toml"));
}

#[test]
fn what_is_shown_holds_no_secret() {
    let flags = pairs(&[
        ("database.url", "postgres://anna:hunter2@db/profiles"),
        ("database.password", "hunter2"),
        ("platform.keys.signing", "hunter2hunter2"),
    ]);
    let loaded = load::<Settings>(&Sources { flags, ..Sources::default() }).expect("a configuration");
    let shown = loaded.show().expect("text");
    assert!(!shown.contains("hunter2") && !format!("{loaded:?}").contains("hunter2"), "{shown}");
    assert!(shown.contains("database.url = \"postgres://anna:‹secret›@db/profiles\"  # flag"), "{shown}");
    assert!(shown.contains("database.connections = 8  # default"), "{shown}");
}

#[derive(Default, Serialize)]
struct Whole {
    host: HostConfig,
    platform: PlatformConfig,
    telemetry: TelemetryConfig,
}

impl Describe for Whole {
    fn describe(about: &mut About) {
        about
            .section::<HostConfig>("host")
            .section::<PlatformConfig>("platform")
            .section::<TelemetryConfig>("telemetry");
    }
}

#[test]
fn every_key_of_the_platform_says_what_it_is_for() {
    let text = reference::<Whole>().expect("a reference");
    assert!(text.contains("| `host.drain` | `\"4s\"` | `RAPPORT_HOST__DRAIN` |"), "{text}");
}
