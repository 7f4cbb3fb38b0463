//! Puts roles together into one process. `rapport up` runs all of them, `rapport serve` one: the same code, another list.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rapport_bus::Bus;
use rapport_gateway::Admin;
use rapport_kernel::{Fault, SystemClock};
use rapport_personalisation::Cache;
use rapport_platform::host::{Host, HostConfig};
use rapport_platform::stack::{Stacked, stack};
use rapport_platform::{Contract, Module, Platform, Readiness};

use crate::settings::{Role, Settings};

/// How long background work may take to end after the last call.
const LAST_WORK: Duration = Duration::from_secs(2);

/// The roles of a process, built and linked with each other, not yet served.
pub struct Roles {
    /// What they share.
    pub platform: Platform,
    /// The gateway's own calls for the command line, where the gateway is one of them.
    pub admin: Option<Admin>,
    services: BTreeMap<Role, (Stacked, Readiness)>,
    /// Whether browsers come to the gateway.
    browsers: bool,
    cache: Option<Cache>,
}

impl Roles {
    /// Builds the roles in the order in which they call each other.
    ///
    /// # Errors
    /// What is wrong with the configuration or a database.
    pub async fn build(roles: &[Role], settings: &Settings) -> Result<Self, Fault> {
        let platform = Platform::new(&settings.platform, Arc::new(SystemClock), Contract::suite()?)?;
        let bus = rapport_bus::open(&settings.bus)?;
        let mut built = Self { platform, admin: None, services: BTreeMap::new(), browsers: false, cache: None };
        for role in roles {
            built.add(*role, &bus, settings).await?;
        }
        Ok(built)
    }

    async fn add(&mut self, role: Role, bus: &Arc<dyn Bus>, settings: &Settings) -> Result<(), Fault> {
        let platform = self.platform.clone();
        let platform = &platform;
        let module = match role {
            Role::Profiles => {
                let cache = self.cache(settings)?;
                rapport_profiles::build(&self.platform, Arc::clone(bus), cache, settings.profiles.clone()).await?
            }
            Role::Feedback => rapport_feedback::build(platform, Arc::clone(bus), settings.feedback.clone()).await?,
            Role::Personalisation => {
                let (cache, config) = (self.cache(settings)?, settings.personalisation.clone());
                rapport_personalisation::build(&self.platform, Arc::clone(bus), cache, config).await?
            }
            Role::Metrics => rapport_metrics::build(platform, Arc::clone(bus), settings.metrics.clone()).await?,
            Role::Gateway => {
                let gateway = rapport_gateway::build(platform, settings.gateway.clone()).await?;
                self.admin = Some(gateway.admin);
                self.browsers = gateway.browsers;
                self.services.insert(role, (gateway.service, gateway.readiness));
                return Ok(());
            }
        };
        let Module { name, routes, readiness } = module;
        let service = stack(routes, platform);
        platform.peers.link(name, service.clone());
        self.services.insert(role, (service, readiness));
        Ok(())
    }

    /// The shared context: profiles writes it and personalisation reads it, in one process through one cache.
    fn cache(&mut self, settings: &Settings) -> Result<Cache, Fault> {
        if self.cache.is_none() {
            self.cache = Some(rapport_personalisation::open_cache(&self.platform, &settings.cache)?);
        }
        self.cache.clone().ok_or_else(|| Fault::internal("the cache was just opened"))
    }

    /// Serves one of the roles at an address.
    ///
    /// # Errors
    /// INVALID_ARGUMENT where the address cannot be bound.
    pub async fn serve(&self, role: Role, host: &HostConfig) -> Result<Served, Fault> {
        let (service, readiness) =
            self.services.get(&role).cloned().ok_or_else(|| Fault::internal("a role that was built"))?;
        // Without TLS, which is ended before us, browsers speak HTTP/1.1 only.
        let http1 = host.http1 || (role == Role::Gateway && self.browsers);
        let host = HostConfig { http1, ..host.clone() };
        Ok(Served { host: Host::bind(&host, &self.platform).await?, role, service, readiness })
    }

    /// Ends what runs in the background, after the last call.
    pub async fn stop(&self) {
        self.platform.stop(LAST_WORK).await;
    }
}

/// Ends at SIGTERM or SIGINT. Where the system does not tell of them, nobody could ask the process to stop: it does.
pub async fn asked_to_stop() {
    if let Err(fault) = rapport_platform::host::asked_to_stop().await {
        tracing::error!(%fault, "signals cannot be heard");
    }
}

/// A role bound to its address.
pub struct Served {
    host: Host,
    role: Role,
    service: Stacked,
    readiness: Readiness,
}

impl Served {
    /// Where gRPC is served.
    ///
    /// # Errors
    /// INTERNAL where the system does not tell.
    pub fn address(&self) -> Result<std::net::SocketAddr, Fault> {
        self.host.address()
    }

    /// Serves until `stop` ends, then drains.
    ///
    /// # Errors
    /// INTERNAL where a task that the process needs failed.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), Fault> {
        self.host.serve(self.role.name(), self.service, self.readiness, stop).await
    }
}
