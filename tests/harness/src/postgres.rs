//! A Postgres for tests: fresh databases in milliseconds, and faults at will.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::find;
use crate::process::{Server, free_port};

/// Fast without losing a commit when the *process* is killed: what was written stays with the operating system.
/// Only a power loss would lose it, which a test cannot cause.
const FAST: [&str; 2] = ["fsync=off", "full_page_writes=off"];
const ALWAYS: [&str; 8] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=300",
    "shared_buffers=64MB",
    "synchronous_commit=on",
    "timezone=UTC",
    "log_min_messages=warning",
    "wal_level=replica",
];

/// A Postgres server of this test process alone. Its superuser is `rapport`, without a password.
pub struct Postgres {
    server: Server,
    binaries: PathBuf,
    settings: Vec<String>,
    port: u16,
    made: AtomicU32,
}

impl Postgres {
    /// Starts one that does not wait for the disk.
    ///
    /// # Panics
    /// Where it cannot be started; the message says what to do.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&FAST)
    }

    /// Starts one as in production: every commit waits for the disk.
    ///
    /// # Panics
    /// Where it cannot be started; the message says what to do.
    #[must_use]
    pub fn start_durable() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with settings of your own, as `work_mem=64MB`.
    ///
    /// # Panics
    /// Where it cannot be started; the message says what to do.
    #[must_use]
    pub fn start_with(settings: &[&str]) -> Self {
        // Through the links: its companions (initdb, psql) lie beside its real place.
        let binary = find::POSTGRES.binary().canonicalize().expect("what was found is there");
        let binaries = binary.parent().expect("a binary lies in a folder").to_owned();
        let server = Server::prepare("postgres", true);
        let initialised = server
            .command(&binaries.join("initdb"))
            .args(["--pgdata=data", "--username=rapport", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .output()
            .expect("initdb lies beside postgres");
        assert!(initialised.status.success(), "initdb: {}", String::from_utf8_lossy(&initialised.stderr));
        let settings = ALWAYS.iter().chain(settings).map(|&setting| setting.to_owned()).collect();
        let mut postgres = Self { server, binaries, settings, port: 0, made: AtomicU32::new(0) };
        for _attempt in 0..5 {
            postgres.port = free_port();
            if postgres.launch() {
                return postgres;
            }
        }
        panic!("Postgres does not start:\n{}", postgres.log());
    }

    /// Makes a fresh database whose name begins with `name`, and answers its URL.
    ///
    /// # Panics
    /// Where the server does not run.
    pub fn database(&self, name: &str) -> String {
        let name = format!("{name}_{}", self.made.fetch_add(1, Ordering::Relaxed));
        self.execute(&self.url("postgres"), &format!("CREATE DATABASE \"{name}\""));
        self.url(&name)
    }

    /// The URL of a database, for the superuser.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.url_as("rapport", database)
    }

    /// The URL of a database, for another role (which needs no password).
    #[must_use]
    pub fn url_as(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.port)
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL by psql and answers its output: rows by lines, columns by `|`.
    ///
    /// # Panics
    /// Where a statement fails.
    pub fn execute(&self, url: &str, sql: &str) -> String {
        let arguments = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"];
        let done = self.server.command(&self.binaries.join("psql")).args(arguments).args(["-c", sql, url]).output();
        let done = done.expect("psql lies beside postgres");
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// Stops it in good order (fast shutdown: sessions are ended, all is written).
    pub fn stop(&self) {
        self.server.stop("INT", Duration::from_secs(30));
    }

    /// Kills it with all its sessions, as a crash would; [`Postgres::start_again`] then recovers from its log.
    pub fn kill(&self) {
        self.server.kill();
    }

    /// Starts it again, on the same port and data, after [`Postgres::stop`] or [`Postgres::kill`].
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start_again(&self) {
        if !self.server.is_running() {
            assert!(self.launch(), "Postgres does not start again:\n{}", self.log());
        }
    }

    /// Halts it with all its sessions: connections stay open and nothing answers.
    pub fn pause(&self) {
        self.server.signal("STOP");
    }

    /// Lets it go on after [`Postgres::pause`].
    pub fn resume(&self) {
        self.server.signal("CONT");
    }

    /// The folder it lives in, owned by the user it runs as.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.server.folder()
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.server.log_text()
    }

    fn launch(&self) -> bool {
        let mut command = self.server.command(&self.binaries.join("postgres"));
        command.args(["-D", "data", "-p", &self.port.to_string()]);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        // A crash leaves a pid file; only the harness starts a server here, so it is stale.
        let _stale = std::fs::remove_file(self.folder().join("data/postmaster.pid"));
        self.server.launch(command);
        self.server.await_ready(|| {
            let port = self.port.to_string();
            let mut probe = self.server.command(&self.binaries.join("pg_isready"));
            probe.args(["-q", "-h", "127.0.0.1", "-p", &port]).status().is_ok_and(|status| status.success())
        })
    }
}
