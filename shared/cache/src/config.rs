//! How the cache is configured.

use std::time::Duration;

use rapport_kernel::{Fault, Violations};
use rapport_platform::config::{About, Address, Describe};
use serde::{Deserialize, Serialize};

/// No entry outlives this in Redis: a receipt of erasure is given when that has passed.
const MOST_KEEP: u64 = 3_600;

/// The cache's configuration. The default is the cache in this process alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheConfig {
    /// The Redis (7.0 or newer) that processes share: `redis://…`, or `rediss://…` for TLS. It may evict.
    pub redis: Option<Address>,
    /// What every key in Redis begins with.
    pub prefix: String,
    /// How many entries this process holds; none for 0.
    pub max_entries: usize,
    /// How many encoded bytes this process holds; decoded, they take a few times as much.
    pub max_bytes: usize,
    /// How long Redis keeps an entry that nobody changes, an hour at most.
    pub keep_seconds: u64,
    /// How long a reader waits for Redis before it counts as a miss.
    pub read_timeout_millis: u64,
    /// How long a writer waits for Redis, or anyone for a connection.
    pub write_timeout_millis: u64,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            redis: None,
            prefix: "rapport".to_owned(),
            max_entries: 50_000,
            max_bytes: 64 * 1024 * 1024,
            keep_seconds: MOST_KEEP,
            read_timeout_millis: 20,
            write_timeout_millis: 500,
        }
    }
}

impl Describe for CacheConfig {
    fn describe(about: &mut About) {
        about
            .key("redis", "the Redis (7.0 or newer) that processes share: `redis://…`, or `rediss://…` for TLS")
            .key("prefix", "what every key in Redis begins with")
            .key("max_entries", "how many entries this process holds; none for 0")
            .key("max_bytes", "how many encoded bytes this process holds; decoded, they take a few times as much")
            .key("keep_seconds", "how long Redis keeps an entry that nobody changes, an hour at most")
            .key("read_timeout_millis", "how long a reader waits for Redis before it counts as a miss")
            .key("write_timeout_millis", "how long a writer waits for Redis, or anyone for a connection");
    }
}

impl CacheConfig {
    /// Refuses what cannot work.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let mut violations = Violations::new();
        let times = [
            ("cache.keep_seconds", self.keep_seconds),
            ("cache.read_timeout_millis", self.read_timeout_millis),
            ("cache.write_timeout_millis", self.write_timeout_millis),
        ];
        for (field, _) in times.into_iter().filter(|(_, time)| *time == 0) {
            violations.add(field, "uint64.gt", "must not be zero");
        }
        if self.keep_seconds > MOST_KEEP {
            violations.add("cache.keep_seconds", "uint64.lte", "must be at most 3600, which erasure counts on");
        }
        violations.check()
    }

    pub(crate) const fn read_timeout(&self) -> Duration {
        Duration::from_millis(self.read_timeout_millis)
    }
    pub(crate) const fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_millis)
    }
    pub(crate) const fn keep_millis(&self) -> u64 {
        self.keep_seconds.saturating_mul(1_000)
    }
}
