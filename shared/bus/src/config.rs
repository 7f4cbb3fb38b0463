//! How the bus is configured.

use std::time::Duration;

use rapport_kernel::Private;
use serde::{Deserialize, Serialize};

/// The bus's configuration. The default is the bus in memory, for one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BusConfig {
    /// The Redis (7.0 or newer) that carries events between processes: `redis://…`, or `rediss://…` for TLS.
    /// Without it the bus is in memory. It must not evict the bus's keys: `noeviction`, or a `volatile-…` policy.
    pub redis: Option<Private<String>>,
    /// What every key in Redis begins with.
    pub prefix: String,
    /// How many entries a partition holds before publishing waits for the slowest group.
    pub max_entries: usize,
    /// How many bytes of bodies a partition holds before publishing waits for the slowest group.
    pub max_bytes: usize,
    /// The longest time Redis keeps an entry. An entry older than that which a group has not taken is published
    /// again from the outbox.
    pub retention_seconds: u64,
    /// How long a member of a group that has gone silent keeps its partition from the others.
    pub lease_seconds: u64,
    /// How long a call of Redis may take.
    pub timeout_millis: u64,
}

impl Default for BusConfig {
    fn default() -> Self {
        Self {
            redis: None,
            prefix: "rapport".to_owned(),
            max_entries: 50_000,
            max_bytes: 16 * 1024 * 1024,
            retention_seconds: 3_600,
            lease_seconds: 10,
            timeout_millis: 1_000,
        }
    }
}

impl BusConfig {
    pub(crate) const fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds)
    }
    pub(crate) const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_millis)
    }
}
