//! The suite under measurement: all roles in this process, configured as they are by default, each behind its own TCP
//! port, with a plain tonic server beside them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rapport_harness::{Postgres, Redis};
use rapport_kernel::{Caller, Clock, TenantId};
use rapport_platform::TokenIssuer;
use rapport_platform::config::Address;
use rapport_platform::host::HostConfig;
use rapport_platform::token::HEADER;
use rapport_suite::assembly::Roles;
use rapport_suite::settings::{Role, Settings};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Executor as _, Row as _};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::load::CONNECTIONS;
use crate::raw::{self, Raw, Shape};
use crate::scale::Engine;
use crate::{Outcome, limit};

/// How long what runs in the background may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(300);

/// A running suite.
pub struct Suite {
    /// On which engine.
    pub engine: Engine,
    roles: Roles,
    addresses: BTreeMap<Role, String>,
    limit: String,
    serving: JoinSet<Outcome<()>>,
    profiles: Where,
    feedback: Where,
    folder: TempDir,
    // Dropped after everything that is connected to them.
    _servers: Option<(Postgres, Redis)>,
}

/// Where a service's tables are.
enum Where {
    File(std::path::PathBuf),
    Url(String),
}

/// A tenant of the suite.
pub struct Tenant {
    id: TenantId,
    key: String,
}

impl Suite {
    /// Starts all roles on a runtime.
    pub fn start(runtime: &Runtime, engine: Engine) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let servers = (engine == Engine::Postgres).then(|| (Postgres::start_durable(), Redis::start()));
        let (settings, [profiles, feedback]) = settings(&folder, servers.as_ref());
        let roles = runtime.block_on(Roles::build(&Role::ALL, &settings))?;
        let (mut serving, mut addresses) = (JoinSet::new(), BTreeMap::new());
        let host = HostConfig { listen: "127.0.0.1:0".to_owned(), ..HostConfig::default() };
        for role in Role::ALL {
            let served = runtime.block_on(roles.serve(role, &host))?;
            addresses.insert(role, served.address()?.to_string());
            serving.spawn_on(async { Ok(served.run(std::future::pending()).await?) }, runtime.handle());
        }
        let (limit, plain) = {
            let _within = runtime.enter();
            limit::serve()?
        };
        serving.spawn_on(async { Ok(plain.await?) }, runtime.handle());
        Ok(Self {
            engine,
            roles,
            addresses,
            limit: limit.to_string(),
            serving,
            profiles,
            feedback,
            folder,
            _servers: servers,
        })
    }

    /// Makes a tenant.
    pub async fn tenant(&self, name: &str) -> Outcome<Tenant> {
        let admin = self.roles.admin.as_ref().ok_or("the gateway is one of all roles")?;
        let made = admin.create_tenant(name).await?;
        Ok(Tenant { id: made.tenant.id, key: made.secret.expose().to_owned() })
    }

    /// Connections to the plain tonic server.
    pub async fn limit(&self) -> Outcome<Vec<Channel>> {
        channels(&self.limit).await
    }

    /// Connections to a role itself, which show the internal token.
    pub async fn direct(&self, role: Role, tenant: &Tenant) -> Outcome<Vec<Client>> {
        let platform = &self.roles.platform;
        let (issuer, clock) = (platform.issuer.clone(), Arc::clone(&platform.clock));
        let pass = Pass::new(Proof::Token { issuer, clock, caller: Caller::internal(tenant.id) })?;
        Ok(dress(channels(&self.addresses[&role]).await?, &pass))
    }

    /// Connections to the gateway, which show the tenant's API key.
    pub async fn by_gateway(&self, tenant: &Tenant) -> Outcome<Vec<Client>> {
        let pass = Pass::new(Proof::Key(tenant.key.clone()))?;
        Ok(dress(channels(&self.addresses[&Role::Gateway]).await?, &pass))
    }

    /// A bare timeline beside that of profiles.
    pub async fn raw_interactions(&self) -> Outcome<Raw> {
        self.raw(&raw::INTERACTIONS, &self.profiles, "raw_interactions.db").await
    }

    /// Bare tickets beside those of feedback.
    pub async fn raw_tickets(&self) -> Outcome<Raw> {
        self.raw(&raw::TICKETS, &self.feedback, "raw_tickets.db").await
    }

    async fn raw(&self, shape: &'static Shape, service: &Where, name: &str) -> Outcome<Raw> {
        match service {
            Where::File(file) => Raw::sqlite(shape, file, &self.folder.path().join(name)).await,
            Where::Url(url) => Raw::postgres(shape, url).await,
        }
    }

    /// What profiles' tables take up on the disk, with their indexes and the log, in mebibytes.
    pub async fn store_mebibytes(&self) -> Outcome<f64> {
        let bytes = match &self.profiles {
            Where::File(file) => {
                let log = file.with_extension("db-wal");
                [file, &log].into_iter().map(|file| std::fs::metadata(file).map_or(0, |file| file.len())).sum::<u64>()
            }
            Where::Url(url) => {
                let mut connection = url.parse::<PgConnectOptions>()?.connect().await?;
                let row = connection.fetch_one("SELECT pg_database_size(current_database())").await?;
                row.try_get::<i64, _>(0)?.cast_unsigned()
            }
        };
        Ok(bytes as f64 / (1_024.0 * 1_024.0))
    }

    /// Waits until no outbox holds events that somebody has yet to consume.
    pub async fn rest(&self) -> Outcome<()> {
        let started = Instant::now();
        loop {
            // The gauge is set every 100 ms.
            tokio::time::sleep(Duration::from_millis(150)).await;
            let families = self.roles.platform.metrics.gather();
            let unsettled = families.iter().filter(|family| family.name() == "rapport_outbox_unsettled");
            if unsettled.flat_map(|family| family.get_metric()).all(|metric| metric.get_gauge().get_value() == 0.0) {
                // It says how far behind what was acknowledged the consumers were.
                eprintln!("bench: {}: at rest after {:.1?}", self.engine.name(), started.elapsed());
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                return Err("the outboxes do not come to rest".into());
            }
        }
    }

    /// Ends it.
    pub fn stop(mut self, runtime: &Runtime) {
        runtime.block_on(async {
            self.serving.shutdown().await;
            self.roles.stop().await;
        });
    }
}

/// The suite's settings, and where the tables of profiles and of feedback are by them.
fn settings(folder: &TempDir, servers: Option<&(Postgres, Redis)>) -> (Settings, [Where; 2]) {
    let mut settings = Settings::default();
    // The figures are read group by group as they grow.
    settings.metrics.suppression_threshold = 0;
    let databases = [
        ("profiles", &mut settings.profiles.database),
        ("personalisation", &mut settings.personalisation.database),
        ("feedback", &mut settings.feedback.database),
        ("metrics", &mut settings.metrics.database),
        ("gateway", &mut settings.gateway.database),
    ];
    let Some((postgres, redis)) = servers else {
        for (_, database) in databases {
            database.folder = folder.path().to_owned();
        }
        return (settings, ["profiles.db", "feedback.db"].map(|name| Where::File(folder.path().join(name))));
    };
    let (mut profiles, mut feedback) = (String::new(), String::new());
    for (role, database) in databases {
        let url = postgres.database(role);
        database.url = Some(Address::new(url.clone()));
        match role {
            "profiles" => profiles = url,
            "feedback" => feedback = url,
            _ => {}
        }
    }
    settings.bus.redis = Some(redis.url().into());
    settings.cache.redis = Some(redis.url().into());
    (settings, [profiles, feedback].map(Where::Url))
}

async fn channels(address: &str) -> Outcome<Vec<Channel>> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?
        .tcp_nodelay(true)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024);
    let mut channels = Vec::new();
    for _ in 0..CONNECTIONS {
        channels.push(endpoint.connect().await?);
    }
    Ok(channels)
}

fn dress(channels: Vec<Channel>, pass: &Pass) -> Vec<Client> {
    channels.into_iter().map(|channel| InterceptedService::new(channel, pass.clone())).collect()
}

/// A channel that shows who calls.
pub type Client = InterceptedService<Channel, Pass>;

/// Puts the proof of who calls on every call.
#[derive(Clone)]
pub struct Pass {
    proof: Arc<Proof>,
    shown: Arc<std::sync::RwLock<(MetadataValue<Ascii>, Instant)>>,
}

enum Proof {
    Key(String),
    Token { issuer: TokenIssuer, clock: Arc<dyn Clock>, caller: Caller },
}

impl Proof {
    const fn header(&self) -> &'static str {
        match self {
            Self::Key(_) => "authorization",
            Self::Token { .. } => HEADER,
        }
    }

    fn value(&self) -> Outcome<MetadataValue<Ascii>> {
        Ok(match self {
            Self::Key(key) => format!("Bearer {key}").parse()?,
            Self::Token { issuer, clock, caller } => issuer.issue(caller, clock.now())?.parse()?,
        })
    }
}

impl Pass {
    /// A token lives for a minute, and the issuer hands it out again for half of one.
    const RENEWED: Duration = Duration::from_secs(10);

    fn new(proof: Proof) -> Outcome<Self> {
        let shown = (proof.value()?, Instant::now());
        Ok(Self { proof: Arc::new(proof), shown: Arc::new(std::sync::RwLock::new(shown)) })
    }

    fn current(&self) -> Outcome<MetadataValue<Ascii>> {
        let poisoned = "whoever renews the pass does not panic";
        let (value, since) = self.shown.read().map_err(|_| poisoned)?.clone();
        if since.elapsed() < Self::RENEWED {
            return Ok(value);
        }
        let value = self.proof.value()?;
        *self.shown.write().map_err(|_| poisoned)? = (value.clone(), Instant::now());
        Ok(value)
    }
}

impl Interceptor for Pass {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let value = self.current().map_err(|why| Status::internal(why.to_string()))?;
        request.metadata_mut().insert(self.proof.header(), value);
        Ok(request)
    }
}
