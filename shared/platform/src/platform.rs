//! What a process of the suite has once, and every service in it shares.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prometheus::Registry;
use rapport_kernel::{Clock, Fault, PageKey, Reason, SystemClock};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::config::{About, Describe, Period, Secret};
use crate::contract::Contract;
use crate::metrics::RpcMetrics;
use crate::peers::{PeerConfig, Peers};
use crate::stack::shed::Budget;
use crate::tasks::Tasks;
use crate::token::{TokenIssuer, TokenVerifier};

/// What the platform of a process is built from.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlatformConfig {
    /// The keys that instances share.
    pub keys: KeyConfig,
    /// How much at once.
    pub limits: Limits,
    /// Where the other roles are.
    pub peers: PeerConfig,
}

/// The keys that all instances of the suite share; made anew at each start where they are not set, which is right
/// for a single process only.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyConfig {
    /// 32 bytes in base64: seals page tokens.
    pub page: Option<Secret>,
    /// 32 bytes in base64: signs internal tokens (Ed25519).
    pub signing: Option<Secret>,
    /// Public keys in base64 that are trusted besides our own.
    pub trusted: Vec<String>,
}

/// How much work is taken at once.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The longest time of a unary call, and its deadline where the caller gave none.
    pub unary_time: Period,
    /// Unary calls in flight, for each service.
    pub unary_calls: usize,
    /// Streams in flight, for each service.
    pub streams: usize,
    /// Bytes of requests in flight in the whole process.
    pub request_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { unary_time: Period::secs(30), unary_calls: 1_024, streams: 1_024, request_bytes: 128 * 1024 * 1024 }
    }
}

impl Describe for PlatformConfig {
    fn describe(about: &mut About) {
        about.section::<KeyConfig>("keys").section::<Limits>("limits").section::<PeerConfig>("peers");
    }
}
impl Describe for KeyConfig {
    fn describe(about: &mut About) {
        about
            .key("page", "32 bytes in base64 that seal page tokens; all instances share them")
            .key("signing", "32 bytes in base64 that sign internal tokens (Ed25519)")
            .key("trusted", "public keys in base64 whose internal tokens are accepted besides our own");
    }
}
impl Describe for Limits {
    fn describe(about: &mut About) {
        about
            .key("unary_time", "longest time of a unary call, and its deadline where the caller gives none")
            .key("unary_calls", "unary calls in flight for each service; what is more is refused, exports first")
            .key("streams", "streams in flight for each service")
            .key("request_bytes", "bytes of requests in flight in the process");
    }
}

/// Tells everybody that the process is about to stop. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    started: CancellationToken,
    ending: CancellationToken,
}

impl Drain {
    /// Cancelled when the process begins to stop: an endless stream (a watch) ends itself then.
    #[must_use]
    pub fn started(&self) -> CancellationToken {
        self.started.clone()
    }
    pub(crate) fn start(&self) {
        self.started.cancel();
    }
    pub(crate) fn end(&self) {
        self.started.cancel();
        self.ending.cancel();
    }
    /// Cancelled when streams are waited for no longer; the stack ends them with UNAVAILABLE.
    #[must_use]
    pub fn ending(&self) -> CancellationToken {
        self.ending.clone()
    }
}

/// What every service is given. Cheap to clone.
#[derive(Clone)]
pub struct Platform {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Seals page tokens.
    pub page_key: PageKey,
    /// Background tasks.
    pub tasks: Tasks,
    /// The other services.
    pub peers: Peers,
    /// Where figures are registered.
    pub metrics: Registry,
    /// Signs internal tokens.
    pub issuer: TokenIssuer,
    /// Verifies internal tokens.
    pub verifier: TokenVerifier,
    /// The calls that exist, and what they need.
    pub contract: Contract,
    /// Figures of calls.
    pub rpc: RpcMetrics,
    /// How much at once.
    pub limits: Limits,
    /// Bytes of requests in flight.
    pub budget: Budget,
    /// Whether the process is about to stop.
    pub drain: Drain,
}

impl Platform {
    /// The platform of a process.
    ///
    /// # Errors
    /// INVALID_ARGUMENT where a key or an endpoint of the configuration is not valid.
    pub fn new(config: &PlatformConfig, clock: Arc<dyn Clock>, contract: Contract) -> Result<Self, Fault> {
        let metrics = Registry::new();
        let rpc = RpcMetrics::new(&metrics, &contract)?;
        let tasks = Tasks::new(&metrics)?;
        let issuer = TokenIssuer::new(&key("keys.signing", config.keys.signing.as_ref())?)?;
        let mut trusted = vec![bytes("the public key", &issuer.public_key())?];
        for public in &config.keys.trusted {
            trusted.push(bytes("keys.trusted", public)?);
        }
        let verifier = TokenVerifier::new(&trusted);
        let page_key = PageKey::new(key("keys.page", config.keys.page.as_ref())?);
        let budget = Budget::new(config.limits.request_bytes, rpc.clone());
        let peers = Peers::new(issuer.clone(), Arc::clone(&clock), contract.clone(), rpc.clone(), tasks.clone());
        for (role, endpoints) in &config.peers.endpoints {
            peers.connect(role, endpoints.split(',').map(|endpoint| endpoint.trim().to_owned()).collect())?;
        }
        let (limits, drain) = (config.limits.clone(), Drain::default());
        Ok(Self { clock, page_key, tasks, peers, metrics, issuer, verifier, contract, rpc, limits, budget, drain })
    }

    /// A platform as `rapport up` has it: the suite's contract, the machine's clock, defaults, keys made anew.
    ///
    /// # Errors
    /// As [`Platform::new`].
    pub fn embedded() -> Result<Self, Fault> {
        Self::new(&PlatformConfig::default(), Arc::new(SystemClock), Contract::suite()?)
    }

    /// Ends what is left after the last call: tasks, and the links between services (which hold each other).
    /// Answers whether all tasks ended in time.
    pub async fn stop(&self, within: Duration) -> bool {
        self.drain.end();
        let ended = self.tasks.stop(within).await;
        self.peers.unlink();
        ended
    }
}

fn key(name: &'static str, secret: Option<&Secret>) -> Result<[u8; 32], Fault> {
    secret.map_or_else(|| Ok(rand::random()), |secret| bytes(name, secret.expose()))
}

fn bytes(name: &'static str, text: &str) -> Result<[u8; 32], Fault> {
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| Fault::new(Reason::InvalidField, format!("{name} must be 32 bytes in base64")))
}
