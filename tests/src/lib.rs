//! Runs the suite as its users do: the real program, as processes of its own, in both shapes. Every test starts its own,
//! on free ports, with its state in a temporary folder; whatever is started is stopped when the test ends.

mod process;
mod python;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rapport_harness::{Postgres, Redis};
use serde::Deserialize;
use tempfile::TempDir;
use tonic::Status;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

pub use process::Process;
pub use python::python;

/// How the suite runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Every role in one process, on SQLite files, with the memory bus.
    Embedded,
    /// Each role a process of its own, on its own Postgres database, with Redis as bus and cache.
    Production,
}

/// The roles, those that others call first.
pub const ROLES: [&str; 5] = ["profiles", "personalisation", "feedback", "metrics", "gateway"];

/// The operator's key of every suite under test, and its SHA-256: known to everybody who reads this.
pub const OPERATOR_KEY: &str = "rk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const OPERATOR_KEY_SHA256: &str = "f09559e766f61996b6306a064fff75a4e32b0b3c6642ba0a9640cdd908f70863";

/// A running suite with one tenant.
pub struct Suite {
    /// How it runs.
    pub shape: Shape,
    /// Where its gateway is: host:port.
    pub address: String,
    /// The tenant's id.
    pub tenant: String,
    /// The tenant's key, with every scope.
    pub key: String,
    processes: BTreeMap<&'static str, Process>,
    settings: Pairs,
    backing: Backing,
}

/// Keys and values of a configuration.
type Pairs = Vec<(String, String)>;

/// What a suite stands on, which outlives its processes.
struct Backing {
    folder: TempDir,
    servers: Option<Servers>,
}

struct Servers {
    postgres: Postgres,
    redis: Redis,
    ports: BTreeMap<&'static str, u16>,
}

#[derive(Deserialize)]
struct Ready {
    grpc: String,
    tenant: String,
    key: Option<String>,
}

#[derive(Deserialize)]
struct Tenant {
    tenant: String,
    key: String,
}

impl Suite {
    /// Starts a suite, empty.
    ///
    /// # Panics
    /// Where it does not start: a test cannot go on.
    #[must_use]
    pub fn start(shape: Shape) -> Self {
        Self::start_with(shape, &[])
    }

    /// Starts a suite with some keys of its configuration set.
    ///
    /// # Panics
    /// Where it does not start.
    #[must_use]
    pub fn start_with(shape: Shape, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let operator = ("gateway.operator_key_sha256", OPERATOR_KEY_SHA256);
        let settings = [settings, &[operator]].concat();
        let settings = settings.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        match shape {
            Shape::Embedded => Self::embedded(folder, settings),
            Shape::Production => Self::production(folder, settings),
        }
    }

    fn embedded(folder: TempDir, settings: Pairs) -> Self {
        let (process, ready) = up(folder.path(), &settings, "127.0.0.1:0", &[]);
        let key = ready.key.expect("a new folder gets a key");
        let processes = BTreeMap::from([("up", process)]);
        let backing = Backing { folder, servers: None };
        Self { shape: Shape::Embedded, address: ready.grpc, tenant: ready.tenant, key, processes, settings, backing }
    }

    fn production(folder: TempDir, settings: Pairs) -> Self {
        let (postgres, redis) = (Postgres::start(), Redis::start());
        let ports: BTreeMap<_, _> = ROLES.into_iter().map(|role| (role, free_port())).collect();
        let mut all = shared_settings(&postgres, &redis, &ports);
        all.extend(settings);
        let made = Process::output(folder.path(), &["tenant", "create", "test"], &all);
        let tenant: Tenant = serde_json::from_str(&made).expect("one JSON line");
        let servers = Servers { postgres, redis, ports };
        let mut suite = Self {
            shape: Shape::Production,
            address: format!("127.0.0.1:{}", servers.ports["gateway"]),
            tenant: tenant.tenant,
            key: tenant.key,
            processes: BTreeMap::new(),
            settings: all,
            backing: Backing { folder, servers: Some(servers) },
        };
        for role in ROLES {
            suite.start_role(role);
        }
        suite
    }

    /// The roles' processes: `up` alone in the embedded shape.
    #[must_use]
    pub fn parts(&self) -> Vec<&'static str> {
        self.processes.keys().copied().collect()
    }

    /// Kills a part with SIGKILL: nothing it holds in memory survives.
    pub fn kill(&mut self, part: &str) {
        self.processes.remove(part).expect("a running part").kill();
    }

    /// Asks a part to stop (SIGTERM) and answers how long that took.
    pub fn stop(&mut self, part: &str) -> Duration {
        self.processes.remove(part).expect("a running part").stop()
    }

    /// Starts a part that was killed or stopped, at the same address, and waits until it answers.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start_again(&mut self, part: &'static str) {
        self.start_again_with(part, &[]);
    }

    /// Starts a part again, with more words on its command line.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start_again_with(&mut self, part: &'static str, words: &[&str]) {
        if part == "up" {
            let (process, _) = up(self.backing.folder.path(), &self.settings, &self.address, words);
            self.processes.insert("up", process);
        } else {
            self.start_role(part);
        }
    }

    fn start_role(&mut self, role: &'static str) {
        let servers = self.servers();
        let listen = format!("127.0.0.1:{}", servers.ports[role]);
        let mut settings = self.settings.clone();
        settings.push(("host.listen".to_owned(), listen.clone()));
        let process = Process::spawn(self.backing.folder.path(), &["serve", role], &settings);
        process.wait_for_port(servers.ports[role]);
        self.processes.insert(role, process);
    }

    fn servers(&self) -> &Servers {
        self.backing.servers.as_ref().expect("the production shape")
    }

    /// The Redis of the production shape.
    #[must_use]
    pub fn redis(&self) -> Option<&Redis> {
        self.backing.servers.as_ref().map(|servers| &servers.redis)
    }

    /// The Postgres of the production shape.
    #[must_use]
    pub fn postgres(&self) -> Option<&Postgres> {
        self.backing.servers.as_ref().map(|servers| &servers.postgres)
    }

    /// Where the embedded shape keeps its files, and every process its log.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.backing.folder.path()
    }

    /// What every process logged so far.
    #[must_use]
    pub fn logs(&self) -> String {
        process::logs(self.folder())
    }

    /// A channel to the gateway that shows the tenant's key.
    pub async fn client(&self) -> Client {
        self.client_with(&self.key).await
    }

    /// A channel to the gateway that shows a key.
    ///
    /// # Panics
    /// Where nobody answers within 20 s.
    pub async fn client_with(&self, key: &str) -> Client {
        InterceptedService::new(channel(&self.address).await, Key::new(key))
    }

    /// Runs the program's command line against this suite's configuration, and answers its standard output.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> String {
        Process::output(self.folder(), words, &self.settings)
    }
}

fn up(folder: &Path, settings: &Pairs, listen: &str, words: &[&str]) -> (Process, Ready) {
    let data = folder.join("data");
    let data = data.to_str().expect("a temporary folder has a plain name");
    let words = [&["up", "--data", data, "--listen", listen, "--output", "json"], words].concat();
    let mut process = Process::spawn(folder, &words, settings);
    let ready = serde_json::from_str(&process.first_line()).expect("one JSON line when ready");
    (process, ready)
}

/// What all roles of the production shape share.
fn shared_settings(postgres: &Postgres, redis: &Redis, ports: &BTreeMap<&str, u16>) -> Pairs {
    let database = |role: &str| (format!("{role}.database.url"), postgres.database(role));
    let endpoint =
        |role: &str| (format!("platform.peers.endpoints.{role}"), format!("http://127.0.0.1:{}", ports[role]));
    let mut settings: Vec<_> = ROLES.into_iter().map(database).collect();
    settings.extend(ROLES.into_iter().filter(|role| *role != "gateway").map(endpoint));
    let set = |key: &str, value: String| (key.to_owned(), value);
    settings.extend([
        set("bus.redis", redis.url()),
        set("cache.redis", redis.url()),
        // Fixed for tests: 32 bytes each, known to everybody who reads this.
        set("platform.keys.page", "cGFnZS10b2tlbi1zZWNyZXQtb2YtdGhlLXRlc3RzISE=".to_owned()),
        set("platform.keys.signing", "c2lnbmluZy1zZWNyZXQtb2YtdGhlLXRlc3RzISEhISE=".to_owned()),
    ]);
    settings
}

/// A port that is free now.
///
/// # Panics
/// Where the machine has none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound listener has an address").port()
}

/// The program under test, built by the same `cargo test`.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a file");
    let folder = test.parent().and_then(Path::parent).expect("tests are built into target/<profile>/deps");
    let program = folder.join("rapport");
    assert!(program.exists(), "{} is not built: run `cargo test --workspace`", program.display());
    program
}

/// Connects, waiting up to 20 s for somebody to answer.
async fn channel(address: &str) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address").tcp_nodelay(true);
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match endpoint.connect().await {
            Ok(channel) => return channel,
            Err(why) => assert!(Instant::now() < until, "nobody answers at {address}: {why}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A channel that shows an API key with every call.
pub type Client = InterceptedService<Channel, Key>;

/// Puts an API key on every call.
#[derive(Clone)]
pub struct Key(MetadataValue<Ascii>);

impl Key {
    /// # Panics
    /// Where the key cannot stand in a header.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self(format!("Bearer {key}").parse().expect("a key is ASCII"))
    }
}

impl Interceptor for Key {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}
