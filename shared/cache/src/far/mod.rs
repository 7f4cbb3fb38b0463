//! The level that processes share, in Redis. A reader believes an entry only under the partition's newest watermark
//! and generation, which a background task reads ten times a second; without them, or where Redis is slow or dead,
//! everything is a miss, at once.

mod writer;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rapport_kernel::{Fault, Timestamp};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, AsyncTypedCommands as _, Client, RedisResult, Script};
use tokio::sync::Mutex;

use crate::{CacheConfig, Change, FRESH, Key};
use writer::Writer;

/// How long Redis is left alone after it failed.
const REST: Duration = Duration::from_secs(1);
/// How many answers in a row may come late before Redis is left alone.
const LATE: u32 = 3;
/// How long the marker of a load stands, in milliseconds.
const LOAD_MILLIS: u64 = 5_000;

pub(crate) struct Far {
    client: Client,
    config: CacheConfig,
    fill: Script,
    writer: Writer,
    /// What readers go by; none while Redis is not to be asked.
    view: RwLock<Option<Arc<View>>>,
    late: AtomicU32,
    resting_until: Mutex<Option<Instant>>,
}

struct View {
    connection: MultiplexedConnection,
    marks: HashMap<u16, Mark>,
}

struct Mark {
    at: Timestamp,
    generation: String,
}

/// An entry, still encoded.
pub(crate) struct Found {
    pub(crate) revision: u64,
    pub(crate) valid_until: Timestamp,
    pub(crate) body: Bytes,
    /// A second after the watermark it was read under.
    pub(crate) good_until: Timestamp,
}

/// A load that may fill the shared level: where and with what token.
pub(crate) struct Ticket {
    key: String,
    token: String,
}

impl Far {
    /// # Errors
    /// INVALID_ARGUMENT where the URL is none.
    pub(crate) fn new(url: &str, config: &CacheConfig) -> Result<Self, Fault> {
        // Names the crypto of TLS, where nothing has yet: the choice is the process's, and one is as good.
        let _chosen = rustls::crypto::ring::default_provider().install_default();
        // The cause may repeat the URL, and with it a password.
        let refused = |_| Fault::invalid_field("cache.redis", "uri", "must be a redis:// or rediss:// URL");
        let client = Client::open(url).map_err(refused)?;
        let writer = Writer::new(client.clone(), config);
        let fill = Script::new(include_str!("scripts/write.lua"));
        let (view, late) = (RwLock::new(None), AtomicU32::new(0));
        Ok(Self { client, config: config.clone(), fill, writer, view, late, resting_until: Mutex::new(None) })
    }

    pub(crate) async fn get(&self, key: Key, now: Timestamp) -> Option<Found> {
        // The watermark first, the entry after it: what it covers is then in the entry.
        let view = self.view()?;
        let (good_until, name) = self.place(&view, key, now)?;
        let mut connection = view.connection.clone();
        let value =
            self.ask(async || redis::cmd("GET").arg(name).query_async::<Option<Vec<u8>>>(&mut connection).await);
        found(value.await??.into(), good_until)
    }

    /// Marks that the key is being loaded. The load begins after this.
    pub(crate) async fn begin(&self, key: Key, token: String, now: Timestamp) -> Option<Ticket> {
        let view = self.view()?;
        let (_, name) = self.place(&view, key, now)?;
        let mut connection = view.connection.clone();
        let mut command = redis::cmd("SET");
        command.arg(&name).arg(format!("p:{token}:")).arg("NX").arg("PX").arg(LOAD_MILLIS);
        // Where something stands there already, its revision or token decides about the fill.
        self.ask(async || command.query_async::<redis::Value>(&mut connection).await).await?;
        Some(Ticket { key: name, token })
    }

    /// Offers what a load brought; it is taken where nothing was lost or written since the marker.
    pub(crate) async fn fill(&self, ticket: Ticket, revision: u64, valid_until: Timestamp, body: &Bytes) {
        let Some(view) = self.view() else { return };
        let mut connection = view.connection.clone();
        let mut invocation = self.fill.key(ticket.key);
        invocation.arg(ticket.token).arg(revision).arg(self.config.keep_millis());
        invocation.arg(valid_until.micros()).arg(&body[..]);
        // Refused, as by a Redis that is full, it is simply not there.
        let _taken = self.ask(async || invocation.invoke_async::<bool>(&mut connection).await).await;
    }

    pub(crate) async fn apply(&self, changes: &[Change]) {
        self.writer.apply(changes).await;
    }
    pub(crate) async fn mark(&self, partition: u16, at: Timestamp, leave: bool) {
        self.writer.mark(partition, at, leave).await;
    }

    /// Reads the watermarks, over a new connection where there is none.
    pub(crate) async fn refresh(&self) {
        let mut resting_until = self.resting_until.lock().await;
        if resting_until.is_some_and(|until| Instant::now() < until) && self.view().is_none() {
            return;
        }
        *resting_until = None;
        let known = self.view().map(|view| view.connection.clone());
        let connection = match known {
            Some(connection) => Some(connection),
            None => self.connect().await,
        };
        let Some(mut connection) = connection else {
            *resting_until = Some(Instant::now() + REST);
            return;
        };
        let name = watermarks_key(&self.config.prefix);
        match self.ask(async || connection.hgetall(&name).await).await {
            Some(fields) => {
                let marks = fields.iter().filter_map(|(partition, record)| mark(partition, record)).collect();
                self.set_view(Some(Arc::new(View { connection, marks })));
            }
            None if self.view().is_none() => *resting_until = Some(Instant::now() + REST),
            // Late once: the watermarks that are known grow old by themselves.
            None => {}
        }
    }

    async fn connect(&self) -> Option<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connecting = self.client.get_multiplexed_async_connection_with_config(&config);
        tokio::time::timeout(self.config.write_timeout(), connecting).await.ok()?.ok()
    }

    /// The key's name in the partition's generation, and until when what is there is good; none where that is over.
    fn place(&self, view: &View, key: Key, now: Timestamp) -> Option<(Timestamp, String)> {
        let mark = view.marks.get(&key.partition())?;
        let good_until = mark.at.plus(FRESH);
        (now <= good_until).then(|| (good_until, entry_key(&self.config.prefix, key, &mark.generation)))
    }

    /// Asks Redis within a reader's time. `None` is a miss; Redis is left alone where it broke or is late repeatedly.
    async fn ask<T>(&self, command: impl AsyncFnOnce() -> RedisResult<T>) -> Option<T> {
        match tokio::time::timeout(self.config.read_timeout(), command()).await {
            Ok(Ok(answer)) => {
                self.late.store(0, Ordering::Relaxed);
                Some(answer)
            }
            Ok(Err(why)) => {
                if why.is_unrecoverable_error() {
                    self.set_view(None);
                }
                None
            }
            Err(_) => {
                if self.late.fetch_add(1, Ordering::Relaxed) + 1 >= LATE {
                    self.late.store(0, Ordering::Relaxed);
                    self.set_view(None);
                }
                None
            }
        }
    }

    fn view(&self) -> Option<Arc<View>> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
    fn set_view(&self, view: Option<Arc<View>>) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view;
    }
}

/// Hash-tagged by tenant and customer, so that a cluster spreads them and keeps what belongs together.
fn entry_key(prefix: &str, Key { tenant, customer }: Key, generation: &str) -> String {
    format!("{prefix}:context:{{{tenant}:{customer}}}:{generation}")
}

fn watermarks_key(prefix: &str) -> String {
    format!("{prefix}:context:watermarks")
}

/// `<watermark>|<generation>|<writer>`
fn mark(partition: &str, record: &str) -> Option<(u16, Mark)> {
    let mut parts = record.split('|');
    let at = Timestamp::from_micros(parts.next()?.parse().ok()?)?;
    Some((partition.parse().ok()?, Mark { at, generation: parts.next()?.to_owned() }))
}

/// `e:<revision>:<valid_until>:<body>`; anything else is a marker or a tombstone.
fn found(value: Bytes, good_until: Timestamp) -> Option<Found> {
    let mut parts = value.splitn(4, |byte| *byte == b':');
    let mut text = || std::str::from_utf8(parts.next()?).ok();
    if text()? != "e" {
        return None;
    }
    let revision = text()?.parse().ok()?;
    let valid_until = Timestamp::from_micros(text()?.parse().ok()?)?;
    let body = value.slice_ref(parts.next()?);
    Some(Found { revision, valid_until, body, good_until })
}
