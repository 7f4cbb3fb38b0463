//! The configuration of the whole suite: one section for each part, every default written down once, in its type.

use std::path::Path;

use clap::ValueEnum;
use rapport_bus::BusConfig;
use rapport_cache::CacheConfig;
use rapport_platform::PlatformConfig;
use rapport_platform::config::{About, Describe};
use rapport_platform::host::HostConfig;
use rapport_platform::telemetry::TelemetryConfig;
use serde::{Deserialize, Serialize};

/// A part of the suite that can run as a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Role {
    /// Knows each customer.
    Profiles,
    /// Listens to them.
    Feedback,
    /// Chooses what to do for them.
    Personalisation,
    /// Says how it is going.
    Metrics,
    /// The front door.
    Gateway,
}

impl Role {
    /// Every role, those that others call first.
    pub const ALL: [Self; 5] = [Self::Profiles, Self::Personalisation, Self::Feedback, Self::Metrics, Self::Gateway];

    /// The role's name, as in the configuration and in `peers`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Profiles => "profiles",
            Self::Feedback => "feedback",
            Self::Personalisation => "personalisation",
            Self::Metrics => "metrics",
            Self::Gateway => "gateway",
        }
    }
}

/// All of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where this process is served.
    pub host: HostConfig,
    /// Logs and spans.
    pub telemetry: TelemetryConfig,
    /// Keys, limits and peers.
    pub platform: PlatformConfig,
    /// The event bus.
    pub bus: BusConfig,
    /// The shared cache.
    pub cache: CacheConfig,
    /// The gateway.
    pub gateway: rapport_gateway::Config,
    /// Profiles.
    pub profiles: rapport_profiles::Config,
    /// Feedback.
    pub feedback: rapport_feedback::Config,
    /// Personalisation.
    pub personalisation: rapport_personalisation::Config,
    /// Metrics.
    pub metrics: rapport_metrics::Config,
}

impl Settings {
    /// What `rapport up` sets by itself: a database file for each role in the data folder, and the address.
    #[must_use]
    pub fn embedded(data: &Path, listen: std::net::SocketAddr) -> Vec<(String, String)> {
        let database = |role: Role| (format!("{}.database.folder", role.name()), data.display().to_string());
        let listen = ("host.listen".to_owned(), listen.to_string());
        Role::ALL.into_iter().map(database).chain([listen]).collect()
    }
}

impl Describe for Settings {
    fn describe(about: &mut About) {
        about
            .section::<HostConfig>("host")
            .section::<TelemetryConfig>("telemetry")
            .section::<PlatformConfig>("platform")
            .section::<BusConfig>("bus")
            .section::<CacheConfig>("cache")
            .section::<rapport_gateway::Config>("gateway")
            .section::<rapport_profiles::Config>("profiles")
            .section::<rapport_feedback::Config>("feedback")
            .section::<rapport_personalisation::Config>("personalisation")
            .section::<rapport_metrics::Config>("metrics");
    }
}
