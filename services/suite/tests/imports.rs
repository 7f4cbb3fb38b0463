//! `rapport import` against a running suite: what is refused is named, mended lines and lines that were added are imported by
//! the same command, and nothing is imported twice.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rapport"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("RAPPORT_")) {
        command.env_remove(name);
    }
    command
}

/// A suite in a folder of its own.
struct Suite {
    process: Child,
    folder: PathBuf,
    address: String,
    key: String,
}

impl Suite {
    fn up() -> Self {
        let folder = std::env::temp_dir().join(format!("rapport-import-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let (process, ready) = serve(&folder);
        let text = |name: &str| ready[name].as_str().expect("a text").to_owned();
        Self { process, folder, address: text("grpc"), key: text("key") }
    }

    /// Ends it as a failure of power would.
    fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ended");
    }

    /// Serves the same data again.
    fn again(&mut self) {
        let (process, ready) = serve(&self.folder);
        self.process = process;
        self.address = ready["grpc"].as_str().expect("a text").to_owned();
    }

    fn importing(&self, what: &str, file: &Path) -> Command {
        let mut command = program();
        command.args(["import", "--address", &self.address, "--key", &self.key, "--source", "crm", what]).arg(file);
        command
    }

    fn import(&self, what: &str, file: &Path) -> Output {
        self.importing(what, file).output().expect("it runs")
    }

    fn call(&self, method: &str, request: &str) -> serde_json::Value {
        let mut command = program();
        let answer = command.args(["call", "--address", &self.address, "--key", &self.key, method, request]).output();
        serde_json::from_slice(&answer.expect("it runs").stdout).unwrap_or_default()
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.join(name);
        std::fs::write(&path, content).expect("a file");
        path
    }
}

fn serve(folder: &Path) -> (Child, serde_json::Value) {
    let mut command = program();
    command.args(["up", "--listen", "127.0.0.1:0", "--output", "json", "--data"]).arg(folder.join("data"));
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    (process, serde_json::from_str(&line).expect("a line of JSON"))
}

/// How many lines the notes beside a file say are done; none before there are notes.
fn noted(file: &Path) -> u64 {
    let notes = std::fs::read(file.with_extension("csv.import.json")).unwrap_or_default();
    let notes: serde_json::Value = serde_json::from_slice(&notes).unwrap_or_default();
    notes["lines"].as_u64().unwrap_or(0)
}

/// Waits until some lines are noted.
fn wait_for_notes(file: &Path) {
    let limit = Instant::now() + Duration::from_secs(120);
    while noted(file) == 0 {
        assert!(Instant::now() < limit, "nothing is noted");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Drop for Suite {
    fn drop(&mut self) {
        self.process.kill().unwrap_or_default();
        self.process.wait().map(drop).unwrap_or_default();
        std::fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn what_was_refused_is_mended_and_what_was_added_follows_by_the_same_command() {
    const HEAD: &str = "external_id,identifier.email,trait.age:number,observed_at";
    let suite = Suite::up();
    let find = |mail: &str| {
        let request = format!(r#"{{"customer":{{"identifier":{{"namespace":"email","value":"{mail}"}}}}}}"#);
        suite.call("GetProfile", &request)
    };
    let first = "1,anna@example.com,33,2026-01-02";
    let file = suite
        .write("people.csv", &format!("{HEAD}\n{first}\n2,nonsense,5,2026-01-02\n3,c@example.com,old,2026-01-02\n"));
    let errors = suite.folder.join("people.csv.errors.ndjson");
    let run = suite.import("profiles", &file);
    assert_eq!((said(&run).as_str(), run.status.success()), ("3 lines: 1 imported, 2 refused", false));
    let named = std::fs::read_to_string(&errors).expect("they are named");
    assert!(named.contains(r#""line":3"#) && named.contains(r#""line":4"#) && !named.contains("nonsense"), "{named}");
    // Nothing is mended: the same two are tried again, and refused again, and named once.
    let run = suite.import("profiles", &file);
    let again = "3 lines: 1 imported, 2 refused (this run read 2 of them, earlier ones the rest)";
    assert_eq!((said(&run).as_str(), run.status.success()), (again, false));
    assert_eq!(std::fs::read_to_string(&errors).expect("they are named"), named);
    // One is mended, one is added, the rest is as it was.
    let revision = find("anna@example.com")["revision"].clone();
    suite.write("people.csv", &format!("{HEAD}\n{first}\n2,bob@example.com,5,2026-01-02\n3,c@example.com,old,2026-01-02\n4,d@example.com,6,2026-01-02\n"));
    let run = suite.import("profiles", &file);
    assert_eq!(said(&run), "4 lines: 3 imported, 1 refused");
    assert!(String::from_utf8_lossy(&run.stderr).contains("1 line was refused"));
    assert!(find("bob@example.com")["customerId"].is_string() || find("bob@example.com")["customer_id"].is_string());
    assert_eq!(find("anna@example.com")["revision"], revision, "told again, it changes nothing");
    suite.write("people.csv", &format!("{HEAD}\n{first}\n2,bob@example.com,5,2026-01-02\n3,c@example.com,44,2026-01-02\n4,d@example.com,6,2026-01-02\n"));
    let run = suite.import("profiles", &file);
    assert_eq!((said(&run).as_str(), run.status.success()), ("4 lines: 4 imported, 0 refused", true));
    assert!(!errors.exists());
    // Lines that are only added do not make it read again what it has.
    let grown = std::fs::read_to_string(&file).expect("it is there") + "5,e@example.com,7,2026-01-02\n";
    suite.write("people.csv", &grown);
    let run = suite.import("profiles", &file);
    let more = "5 lines: 5 imported, 0 refused (this run read 1 of them, earlier ones the rest)";
    assert_eq!((said(&run).as_str(), run.status.success()), (more, true));
}

#[test]
fn a_line_that_a_rule_of_the_tenant_refused_is_imported_once_the_rule_is_gone() {
    let suite = Suite::up();
    suite.call("UpdateCatalogueSettings", r#"{"settings":{"sources":"ENFORCEMENT_STRICT"}}"#);
    let file = suite.write("people.ndjson", "{\"external_id\":\"1\",\"identifiers\":{\"email\":\"a@example.com\"}}\n");
    assert_eq!(said(&suite.import("profiles", &file)), "1 line: 0 imported, 1 refused");
    suite.call("UpdateCatalogueSettings", r#"{"settings":{"sources":"ENFORCEMENT_LENIENT"}}"#);
    // Settings are seen within a second.
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    assert_eq!(said(&suite.import("profiles", &file)), "1 line: 1 imported, 0 refused");
}

#[test]
fn an_import_whose_suite_dies_says_how_far_it_came_and_goes_on_from_there() {
    const LINES: u64 = 4_000;
    let mut suite = Suite::up();
    let lines = (0..LINES)
        .map(|at| format!("{at},{}@example.com\n", if at == 5 { "nonsense@".to_owned() } else { format!("a{at}") }));
    let text: String = std::iter::once("external_id,identifier.email\n".to_owned()).chain(lines).collect();
    let file = suite.write("many.csv", &text);
    let mut command = suite.importing("profiles", &file);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    wait_for_notes(&file);
    suite.kill();
    let run = run.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&run.stderr).into_owned();
    let done = noted(&file);
    assert!(done < LINES, "it was killed before its end");
    assert!(told.contains("DEPENDENCY_UNAVAILABLE: the connection to the suite was lost. "), "{told}");
    assert!(told.contains(&format!("{done} lines are done, {} imported and 1 refused", done - 1)), "{told}");
    assert!(told.contains("run the same again"), "{told}");
    assert_eq!(run.status.code(), Some(75));
    let named = std::fs::read_to_string(suite.folder.join("many.csv.errors.ndjson")).expect("it is named");
    assert_eq!(named.lines().count(), 1);
    suite.again();
    // What the run before named, and a line after the last that is done: it is tried again, and named once.
    std::fs::write(suite.folder.join("many.csv.errors.ndjson"), format!("{named}{{\"line\":{}}}\n", LINES))
        .expect("written");
    let run = suite.import("profiles", &file);
    let now = LINES - done + 1;
    let more = format!("4000 lines: 3999 imported, 1 refused (this run read {now} of them, earlier ones the rest)");
    assert_eq!(said(&run), more);
    assert_eq!(std::fs::read_to_string(suite.folder.join("many.csv.errors.ndjson")).expect("it is named"), named);
    for at in [0, done, LINES - 1] {
        let request = format!(r#"{{"customer":{{"identifier":{{"namespace":"email","value":"a{at}@example.com"}}}}}}"#);
        assert!(
            suite.call("GetProfile", &request)["profile"].is_object()
                || suite.call("GetProfile", &request)["customerId"].is_string()
        );
    }
}

#[cfg(unix)]
#[test]
fn an_import_that_is_stopped_notes_what_was_acknowledged() {
    const LINES: u64 = 4_000;
    let suite = Suite::up();
    let lines = (0..LINES).map(|at| format!("{at},a{at}@example.com\n"));
    let text: String = std::iter::once("external_id,identifier.email\n".to_owned()).chain(lines).collect();
    let file = suite.write("many.csv", &text);
    let mut command = suite.importing("profiles", &file);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    wait_for_notes(&file);
    let stopped = Command::new("kill").args(["-INT", &run.id().to_string()]).status().expect("there is kill");
    assert!(stopped.success());
    let run = run.wait_with_output().expect("it ends");
    let (told, done) = (String::from_utf8_lossy(&run.stderr).into_owned(), noted(&file));
    assert!(
        told.contains("CANCELLED: it was stopped. ") && told.contains(&format!("{done} lines are imported")),
        "{told}"
    );
    assert_eq!((run.status.code(), done < LINES), (Some(130), true));
    let more =
        format!("4000 lines: 4000 imported, 0 refused (this run read {} of them, earlier ones the rest)", LINES - done);
    assert_eq!(said(&suite.import("profiles", &file)), more);
}

#[test]
fn a_batch_of_a_tracker_is_imported_call_by_call() {
    let suite = Suite::up();
    let sound = r#"{"type":"track","userId":"u1","event":"Seen","messageId":"m1","timestamp":"2026-05-01T10:05:00Z"}"#;
    let future = r#"{"type":"track","userId":"u1","event":"Seen","messageId":"m2","timestamp":"2126-05-01T10:05:00Z"}"#;
    let file =
        suite.write("calls.ndjson", &format!("{{\"batch\":[{sound},{{\"type\":\"track\"}},{future}]}}\n{sound}\n"));
    let mut command = suite.importing("interactions", &file);
    let run = command.args(["--format", "segment"]).output().expect("it runs");
    assert_eq!(said(&run), "2 lines: 1 imported, 1 refused");
    let named = std::fs::read_to_string(suite.folder.join("calls.ndjson.errors.ndjson")).expect("they are named");
    assert!(named.contains(r#""line":1"#) && named.contains(r#""batch[1].userId""#), "{named}");
    assert!(named.contains(r#""batch[2]."#), "{named}");
    assert_eq!(named.lines().count(), 1);
    let request = r#"{"customer":{"identifier":{"namespace":"user_id","value":"u1"}}}"#;
    let timeline = suite.call("ListInteractions", request);
    assert!(timeline.to_string().contains("m1"), "{timeline}");
}
