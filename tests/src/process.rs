//! One process of the program under test. It dies with the test, however the test ends.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a process may take to be ready, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running process; killed when dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts the program. Settings go by the environment; the log goes to a file of the folder.
    pub(crate) fn spawn(folder: &Path, words: &[&str], settings: &[(String, String)]) -> Self {
        let log = (0..).map(|n| folder.join(format!("{}-{n}.log", words[..2].join("-").replace('/', "_"))));
        let log = log.into_iter().find(|path| !path.exists()).expect("numbers do not end");
        let file = File::create(&log).expect("the temporary folder takes files");
        let child = command(folder, words, settings).stdout(Stdio::piped()).stderr(file).spawn();
        Self { child: child.expect("the program starts"), log }
    }

    /// Runs the program to its end and answers its standard output.
    pub(crate) fn output(folder: &Path, words: &[&str], settings: &[(String, String)]) -> String {
        let output = command(folder, words, settings).output().expect("the program starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "rapport {}: {errors}", words.join(" "));
        String::from_utf8(output.stdout).expect("the program prints text")
    }

    /// The first line of its standard output.
    pub(crate) fn first_line(&mut self) -> String {
        let mut line = String::new();
        let out = self.child.stdout.take().expect("standard output is piped and read once");
        BufReader::new(out).read_line(&mut line).expect("a line");
        assert!(!line.is_empty(), "the program ended before it was ready: {}", self.log());
        line
    }

    pub(crate) fn wait_for_port(&self, port: u16) {
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "nobody listens on port {port}: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn kill(mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// SIGTERM, and how long it took to end.
    pub(crate) fn stop(mut self) -> Duration {
        let started = Instant::now();
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill is there");
        assert!(sent.success(), "the process was not there any more: {}", self.log());
        while self.child.try_wait().expect("our own child").is_none() {
            assert!(started.elapsed() < PATIENCE, "it does not stop: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        started.elapsed()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn command(folder: &Path, words: &[&str], settings: &[(String, String)]) -> Command {
    let mut command = Command::new(super::program());
    command.args(words).current_dir(folder).stdin(Stdio::null());
    for (key, value) in settings {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    // A developer's own variables must not reach the tests.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("RAPPORT_")) {
        command.env_remove(name);
    }
    command
}

/// What every process logged into the folder.
pub(crate) fn logs(folder: &Path) -> String {
    let files = std::fs::read_dir(folder).expect("the temporary folder is there").filter_map(Result::ok);
    let logs = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "log"));
    logs.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect()
}
