//! How the bus is configured.

use std::time::Duration;

use rapport_kernel::{Fault, Violations};
use rapport_platform::config::{About, Address, Describe};
use serde::{Deserialize, Serialize};

/// The bus keeps an entry for an hour at most: a receipt of erasure is given when that has passed.
const MOST_RETENTION: u64 = 3_600;

/// The bus's configuration. The default is the bus in memory, for one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BusConfig {
    /// The Redis (7.0 or newer) that carries events between processes: `redis://…`, or `rediss://…` for TLS.
    /// Without it the bus is in memory. It must not evict the bus's keys: `noeviction`, or a `volatile-…` policy.
    pub redis: Option<Address>,
    /// What every key in Redis begins with.
    pub prefix: String,
    /// How many entries a partition of a topic holds before publishing waits. Each group has a topic of its own.
    pub max_entries: usize,
    /// How many bytes of bodies a partition of a topic holds before publishing waits.
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
            max_bytes: 8 * 1024 * 1024,
            retention_seconds: MOST_RETENTION,
            lease_seconds: 10,
            timeout_millis: 1_000,
        }
    }
}

impl Describe for BusConfig {
    fn describe(about: &mut About) {
        about
            .key(
                "redis",
                "the Redis (7.0 or newer) that carries events between processes: `redis://…`, or `rediss://…` for TLS",
            )
            .key("prefix", "what every key in Redis begins with")
            .key("max_entries", "how many entries a group's partition holds before publishing to it waits")
            .key("max_bytes", "how many bytes of bodies a group's partition holds before publishing to it waits")
            .key("retention_seconds", "the longest time Redis keeps an entry")
            .key(
                "lease_seconds",
                "how long a member of a group that has gone silent keeps its partition from the others",
            )
            .key("timeout_millis", "how long a call of Redis may take");
    }
}

impl BusConfig {
    /// Refuses what cannot work.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let mut violations = Violations::new();
        let times = [
            ("bus.retention_seconds", self.retention_seconds),
            ("bus.lease_seconds", self.lease_seconds),
            ("bus.timeout_millis", self.timeout_millis),
        ];
        for (field, _) in times.into_iter().filter(|(_, time)| *time == 0) {
            violations.add(field, "uint64.gt", "must not be zero");
        }
        if self.retention_seconds > MOST_RETENTION {
            violations.add("bus.retention_seconds", "uint64.lte", "must be at most 3600, which erasure counts on");
        }
        violations.check()
    }
    pub(crate) const fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds)
    }
    pub(crate) const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_refused_and_the_default_works() {
        assert!(crate::open(&BusConfig::default()).is_ok());
        let config = BusConfig { lease_seconds: 0, retention_seconds: 7_200, ..BusConfig::default() };
        let fault = crate::open(&config).err().expect("refused");
        assert_eq!(fault.details.violations.as_slice().len(), 2);
    }
}
