//! A gateway as it is served, on either engine, with small services behind it: in the same process, or over TCP.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rapport_data::{DatabaseConfig, Engine};
use rapport_gateway::{Config, Gateway, Made};
use rapport_harness::shared_postgres;
use rapport_kernel::SystemClock;
use rapport_platform::config::{Address, Period, Secret};
use rapport_platform::host::{Host, HostConfig};
use rapport_platform::platform::KeyConfig;
use rapport_platform::stack::stack;
use rapport_platform::{Contract, Platform, PlatformConfig, Readiness};
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

use crate::peers::World;

pub const ROLES: [&str; 4] = ["profiles", "feedback", "personalisation", "metrics"];
/// The operator's key, and its SHA-256 as `printf %s … | sha256sum` tells it.
pub const OPERATOR: &str = "the operator's key of the tests";
pub const OPERATOR_SHA256: &str = "d998ed0fa1ae050c9943cf445cf743dbcd6d5978bff973d76ea02c8563eb8e8f";

/// Where the services behind the gateway are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    InProcess,
    OverTcp,
}

/// Where a test stands.
pub struct Ground {
    pub config: Config,
    pub world: World,
    pub first: Instance,
    /// The services' own platform, where they are elsewhere.
    elsewhere: Option<Platform>,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

/// One running gateway.
pub struct Instance {
    pub platform: Platform,
    pub gateway: Gateway,
    pub channel: Channel,
    /// host:port.
    pub address: String,
}

/// A client's way in, with a key.
pub type Keyed = InterceptedService<Channel, ShowKey>;

/// Shows a key.
#[derive(Clone)]
pub struct ShowKey(pub String);

impl tonic::service::Interceptor for ShowKey {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let value = format!("Bearer {}", self.0);
        request.metadata_mut().insert("authorization", MetadataValue::try_from(value).expect("a key is ASCII"));
        Ok(request)
    }
}

pub fn platform() -> Platform {
    platform_with([5; 32])
}

/// A platform that seals with a key.
pub fn platform_with(page: [u8; 32]) -> Platform {
    let keys = KeyConfig {
        page: Some(Secret::new(STANDARD.encode(page))),
        signing: Some(Secret::new(STANDARD.encode([7; 32]))),
        trusted: Vec::new(),
    };
    let config = PlatformConfig { keys, ..PlatformConfig::default() };
    Platform::new(&config, Arc::new(SystemClock), Contract::suite().expect("the suite's contract")).expect("a platform")
}

impl Ground {
    pub async fn new(engine: Engine, shape: Shape) -> Self {
        Self::with(engine, shape, |_| {}).await
    }

    pub async fn with(engine: Engine, shape: Shape, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = (engine == Engine::Postgres).then(|| Address::new(shared_postgres().database("gateway")));
        let acquire = Period::secs(5);
        let database = DatabaseConfig { url, folder: folder.path().to_owned(), acquire, ..DatabaseConfig::default() };
        let operator_key_sha256 = Some(OPERATOR_SHA256.to_owned());
        let mut config = Config { database, operator_key_sha256, ..Config::default() };
        change(&mut config);
        let (world, stop) = (World::default(), CancellationToken::new());
        let elsewhere = (shape == Shape::OverTcp).then(platform);
        let first = instance(platform(), &config, &world, elsewhere.as_ref(), &stop).await;
        Self { config, world, first, elsewhere, stop, _folder: folder }
    }

    /// Another instance of the gateway, on the same database.
    pub async fn instance(&self) -> Instance {
        self.instance_of(platform()).await
    }

    /// As [`Ground::instance`], of a process that holds these keys.
    pub async fn instance_of(&self, platform: Platform) -> Instance {
        instance(platform, &self.config, &self.world, self.elsewhere.as_ref(), &self.stop).await
    }

    pub async fn tenant(&self) -> Made {
        let name = format!("tenant {}", uuid::Uuid::now_v7());
        self.first.gateway.admin.create_tenant(&name).await.expect("a tenant")
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Instance {
    pub fn keyed(&self, key: &str) -> Keyed {
        InterceptedService::new(self.channel.clone(), ShowKey(key.to_owned()))
    }
    pub fn of(&self, made: &Made) -> Keyed {
        self.keyed(made.secret.expose())
    }
}

async fn instance(
    platform: Platform,
    config: &Config,
    world: &World,
    elsewhere: Option<&Platform>,
    stop: &CancellationToken,
) -> Instance {
    for role in ROLES {
        match elsewhere {
            None => platform.peers.link(role, stack(world.routes(role), &platform)),
            Some(elsewhere) => {
                let service = stack(world.routes(role), elsewhere);
                let address = serve(elsewhere, role, service, stop).await;
                platform.peers.connect(role, vec![address]).expect("an endpoint");
            }
        }
    }
    let gateway = rapport_gateway::build(&platform, config.clone()).await.expect("the gateway builds");
    let address = serve(&platform, "gateway", gateway.service.clone(), stop).await;
    let channel = Channel::from_shared(address.clone()).expect("an address").connect_lazy();
    let address = address.trim_start_matches("http://").to_owned();
    Instance { platform, gateway, channel, address }
}

/// Serves until the ground is left.
pub async fn serve(
    platform: &Platform,
    name: &'static str,
    service: rapport_platform::stack::Stacked,
    stop: &CancellationToken,
) -> String {
    let (listen, notice) = ("127.0.0.1:0".to_owned(), Period::millis(0));
    let config = HostConfig { listen, notice, http1: name == "gateway", ..HostConfig::default() };
    let host = Host::bind(&config, platform).await.expect("a free port");
    let address = format!("http://{}", host.address().expect("an address"));
    let stop = stop.clone().cancelled_owned();
    tokio::spawn(host.serve(name, service, Readiness::new(), stop));
    address
}

/// Why a call was refused.
pub fn reason<T>(result: Result<T, Status>) -> String {
    let status = result.err().expect("the call is refused");
    let info = status.get_error_details().error_info().cloned();
    info.unwrap_or_else(|| panic!("no reason: {status:?}")).reason
}

/// Asks again and again, for some seconds, until an answer is as it should be.
pub async fn eventually<T, F: Future<Output = T>>(ask: impl Fn() -> F, is_right: impl Fn(&T) -> bool) -> T {
    for _ in 0..800 {
        let answer = ask().await;
        if is_right(&answer) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never became so")
}
