//! The bus on Redis Streams: for any number of processes.
//!
//! A partition is a stream and a hash beside it (epoch, highest position, each group's commit and reader), hash-tagged
//! so that both live in one slot of a cluster. Every step is one script, so a step happens wholly or not at all. A
//! group's progress is the id it committed, not Redis's consumer groups: a partition has one reader at a time, so a
//! commit covers all before it, order is kept over a take-over, and how far a group has got is one number.

mod link;
mod reading;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rapport_kernel::Fault;
use redis::{Client, Script, ScriptInvocation};
use uuid::Uuid;

use crate::{Bus, BusConfig, Entry, Subscription, full, lost};
use link::Link;
use reading::Reading;

/// An event bus in Redis (7.0 or newer). It connects when it is needed and again when a connection broke.
pub struct RedisBus {
    shared: Arc<Shared>,
    /// The epoch and highest position that this process published to each partition: should Redis know less, it has
    /// lost something, as after a failover.
    published: Mutex<HashMap<(String, u16), (String, u64)>>,
}

/// What the bus and its subscriptions have in common.
struct Shared {
    link: Link,
    config: BusConfig,
    scripts: Scripts,
}

struct Scripts {
    epoch: Script,
    publish: Script,
    settled: Script,
    next: Script,
    commit: Script,
    leave: Script,
}

/// The names of a partition's keys.
struct Keys {
    stream: String,
    state: String,
}

impl RedisBus {
    /// A bus at a URL (`redis://…`, `rediss://…`); it does not connect yet.
    ///
    /// # Errors
    /// INVALID_ARGUMENT where the URL is none.
    pub fn new(url: &str, config: &BusConfig) -> Result<Self, Fault> {
        // The cause may repeat the URL, and with it a password.
        let refused = |_| Fault::invalid_field("bus.redis", "uri", "must be a redis:// or rediss:// URL");
        // Names the crypto of TLS, where nothing has yet: the choice is the process's, and one is as good.
        let _chosen = rustls::crypto::ring::default_provider().install_default();
        let link = Link::new(Client::open(url).map_err(refused)?, config.timeout());
        let scripts = Scripts {
            epoch: Script::new(include_str!("scripts/epoch.lua")),
            publish: Script::new(include_str!("scripts/publish.lua")),
            settled: Script::new(include_str!("scripts/settled.lua")),
            next: Script::new(include_str!("scripts/next.lua")),
            commit: Script::new(include_str!("scripts/commit.lua")),
            leave: Script::new(include_str!("scripts/leave.lua")),
        };
        let shared = Arc::new(Shared { link, config: config.clone(), scripts });
        Ok(Self { shared, published: Mutex::default() })
    }

    /// The highest position this process published in an epoch of a partition.
    fn known_high(&self, topic: &str, partition: u16, epoch: &str) -> u64 {
        let published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        let known = published.get(&(topic.to_owned(), partition)).filter(|(of, _)| of == epoch);
        known.map_or(0, |(_, high)| *high)
    }

    fn note_high(&self, topic: &str, partition: u16, epoch: &str, position: u64) {
        let high = position.max(self.known_high(topic, partition, epoch));
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        published.insert((topic.to_owned(), partition), (epoch.to_owned(), high));
    }
}

impl Shared {
    fn keys(&self, topic: &str, partition: u16) -> Keys {
        let name = format!("{}:bus:{{{topic}:{partition}}}", self.config.prefix);
        Keys { stream: format!("{name}:stream"), state: format!("{name}:state") }
    }

    async fn run<T: redis::FromRedisValue>(&self, invocation: ScriptInvocation<'_>) -> Result<T, Fault> {
        self.link.run(Duration::ZERO, async |mut connection| invocation.invoke_async(&mut connection).await).await
    }
}

impl Bus for RedisBus {
    fn epoch<'a>(&'a self, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<String, Fault>> {
        async move {
            let keys = self.shared.keys(topic, partition);
            let mut invocation = self.shared.scripts.epoch.prepare_invoke();
            invocation.key(keys.stream).key(keys.state).arg(Uuid::now_v7().to_string());
            self.shared.run(invocation).await
        }
        .boxed()
    }

    fn publish<'a>(
        &'a self,
        topic: &'a str,
        partition: u16,
        epoch: &'a str,
        entries: Vec<Entry>,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        async move {
            let (keys, config) = (self.shared.keys(topic, partition), &self.shared.config);
            let mut invocation = self.shared.scripts.publish.prepare_invoke();
            invocation.key(keys.stream).key(keys.state);
            invocation.arg(epoch).arg(self.known_high(topic, partition, epoch));
            invocation.arg(config.max_entries).arg(config.max_bytes);
            for entry in &entries {
                invocation.arg(entry.position).arg(&entry.body[..]);
            }
            match self.shared.run::<String>(invocation).await?.as_str() {
                "OK" => {
                    let high = entries.iter().map(|entry| entry.position).max().unwrap_or(0);
                    self.note_high(topic, partition, epoch, high);
                    Ok(())
                }
                "FULL" => Err(full()),
                _ => Err(lost()),
            }
        }
        .boxed()
    }

    fn subscribe(&self, topic: &str, partition: u16, group: &str) -> Box<dyn Subscription> {
        let keys = self.shared.keys(topic, partition);
        Box::new(Reading::new(Arc::clone(&self.shared), keys, group.to_owned()))
    }

    fn settled<'a>(
        &'a self,
        topic: &'a str,
        partition: u16,
        epoch: &'a str,
        groups: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Option<u64>, Fault>> {
        async move {
            let keys = self.shared.keys(topic, partition);
            let mut invocation = self.shared.scripts.settled.prepare_invoke();
            invocation.key(keys.stream).key(keys.state).arg(epoch);
            invocation.arg(self.shared.config.retention_seconds.saturating_mul(1_000));
            for &group in groups {
                invocation.arg(group);
            }
            match self.shared.run::<String>(invocation).await?.as_str() {
                "LOST" => Err(lost()),
                "" => Ok(None),
                position => position.parse().map(Some).map_err(Fault::internal),
            }
        }
        .boxed()
    }
}
