//! The shared context: each customer's state as decisions need it, well within a microsecond away.
//!
//! What is promised: an answer of [`ContextCache`] shows the customer as the database had it at most a second before
//! the call (and the difference between the machines' clocks), never below the revision the caller asks for, and
//! never past its `valid_until`; whatever Redis does, it costs time only.
//!
//! How: a consumer of the outbox writes every change in stream order, and the stream's *watermark* ("all that was
//! committed before this instant has come by"). An entry is believed only while its partition's watermark is younger
//! than a second. Writes are guarded by revision; a loader may add an entry only where nothing was written, removed,
//! evicted or flushed since its load began (it holds the key's marker). Two levels: this process (`near`) and,
//! where one is configured, a Redis that all processes share (`far`).

mod config;
mod far;
mod flight;
mod near;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rapport_kernel::{Clock, CustomerId, Fault, TenantId, Timestamp};
use tokio_util::sync::CancellationToken;

pub use config::CacheConfig;
use far::Far;
use flight::{Flights, Landed};
use near::{Held, Near};

/// How many partitions the stream of changes has.
pub const PARTITIONS: u16 = 8;
/// How far an answer may be behind.
const FRESH: Duration = Duration::from_secs(1);
/// How often the watermarks are read.
const REFRESH: Duration = Duration::from_millis(100);

/// The cache of customers' contexts, of type `T` when decoded. Clones share it.
pub struct ContextCache<T>(Arc<Inner<T>>);

type Decode<T> = Box<dyn Fn(&Bytes) -> Result<T, Fault> + Send + Sync>;
/// What a caller of [`ContextCache::fetch`] gets.
type Outcome<T> = Result<Option<Cached<T>>, Fault>;

struct Inner<T> {
    clock: Arc<dyn Clock>,
    decode: Decode<T>,
    near: Near<T>,
    far: Option<Far>,
    flights: Flights<T>,
    /// Without Redis, the partitions' watermarks are kept here.
    watermarks: [AtomicI64; PARTITIONS as usize],
    tokens: AtomicU64,
    counts: Counts,
}

/// What the cache answers.
#[derive(Debug, PartialEq, Eq)]
pub struct Cached<T> {
    /// The revision of the customer that it shows.
    pub revision: u64,
    /// When it could become another without any event.
    pub valid_until: Timestamp,
    /// The context.
    pub value: Arc<T>,
}

/// What a load brings from the database.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The customer's revision.
    pub revision: u64,
    /// When the context could become another without any event.
    pub valid_until: Timestamp,
    /// The encoded context.
    pub body: Bytes,
}

/// A change of a customer's context, from the stream.
#[derive(Clone, Debug)]
pub struct Change {
    /// Whose customer.
    pub tenant: TenantId,
    /// Which customer: its home subject, by which the stream is partitioned.
    pub customer: CustomerId,
    /// The customer's revision by this change.
    pub revision: u64,
    /// When the database recorded it (the event's `recorded_at`).
    pub recorded_at: Timestamp,
    /// What became of the context.
    pub kind: ChangeKind,
}

/// What a change makes of a context.
#[derive(Clone, Debug)]
pub enum ChangeKind {
    /// It is now this.
    Put {
        /// When it could become another without any event.
        valid_until: Timestamp,
        /// The encoded context.
        body: Bytes,
    },
    /// It is gone: merged into another, or erased.
    Remove,
}

/// How often what happened since the start, for metrics.
#[derive(Debug, Default)]
struct Counts {
    near: AtomicU64,
    far: AtomicU64,
    misses: AtomicU64,
    loads: AtomicU64,
}

/// How often what happened since the start, and what this process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Answered from this process.
    pub near_hits: u64,
    /// Answered from Redis.
    pub far_hits: u64,
    /// Answered by neither.
    pub misses: u64,
    /// Loads begun.
    pub loads: u64,
    /// Entries and markers held in this process.
    pub entries: usize,
    /// The bytes they were encoded in, and what each takes besides.
    pub bytes: usize,
}

/// When a caller came: by the clock of the data, and by the one that orders loads.
#[derive(Clone, Copy)]
struct Arrival {
    at: Timestamp,
    turn: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    tenant: TenantId,
    customer: CustomerId,
}

impl Key {
    fn partition(self) -> u16 {
        self.customer.partition(PARTITIONS)
    }
}

impl Change {
    fn key(&self) -> Key {
        Key { tenant: self.tenant, customer: self.customer }
    }
    fn partition(&self) -> u16 {
        self.key().partition()
    }
}

impl<T: Send + Sync + 'static> ContextCache<T> {
    /// An empty cache. With Redis, spawn [`ContextCache::keep_fresh`]: until it runs, Redis is not asked.
    ///
    /// # Errors
    /// INVALID_ARGUMENT where the configuration cannot work.
    pub fn open(
        config: &CacheConfig,
        clock: Arc<dyn Clock>,
        decode: impl Fn(&Bytes) -> Result<T, Fault> + Send + Sync + 'static,
    ) -> Result<Self, Fault> {
        config.check()?;
        let far = config.redis.as_ref().map(|url| Far::new(url.expose(), config)).transpose()?;
        Ok(Self(Arc::new(Inner {
            clock,
            decode: Box::new(decode),
            near: Near::new(config.max_entries, config.max_bytes),
            far,
            flights: Flights::new(),
            watermarks: std::array::from_fn(|_| AtomicI64::new(Timestamp::MIN.micros())),
            tokens: AtomicU64::new(1),
            counts: Counts::default(),
        })))
    }

    /// The context at `min_revision` or later, where the cache has it.
    pub async fn get(&self, tenant: TenantId, customer: CustomerId, min_revision: u64) -> Option<Cached<T>> {
        let (inner, key) = (&*self.0, Key { tenant, customer });
        let found = match inner.near(key, min_revision) {
            Some(cached) => Some((cached, &inner.counts.near)),
            None => inner.far(key, min_revision).await.map(|cached| (cached, &inner.counts.far)),
        };
        let count = found.as_ref().map_or(&inner.counts.misses, |(_, count)| count);
        count.fetch_add(1, Ordering::Relaxed);
        found.map(|(cached, _)| cached)
    }

    /// The context at `min_revision` or later from the cache; else what `load` brings from the database, whatever its
    /// revision. Of many callers who miss the same customer, one loads.
    ///
    /// # Errors
    /// What `load` failed with.
    pub async fn fetch<F, Fut>(
        &self,
        tenant: TenantId,
        customer: CustomerId,
        min_revision: u64,
        load: F,
    ) -> Result<Option<Cached<T>>, Fault>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Option<Loaded>, Fault>>,
    {
        if let Some(cached) = self.get(tenant, customer, min_revision).await {
            return Ok(Some(cached));
        }
        let (inner, key) = (&*self.0, Key { tenant, customer });
        let arrived = Arrival { at: inner.clock.now(), turn: Instant::now() };
        let seat = inner.flights.join(key);
        let mut last = seat.turn().await;
        if let Some(outcome) = last.as_ref().and_then(|landed| inner.shared(landed, arrived, min_revision)) {
            return outcome;
        }
        inner.counts.loads.fetch_add(1, Ordering::Relaxed);
        let began = inner.clock.now();
        let outcome = inner.load(key, began, load).await;
        let shared = match &outcome {
            Ok(cached) => Ok(cached.clone()),
            Err(fault) => Err(flight::same(fault)),
        };
        *last = Some(Landed { began, ended: Instant::now(), outcome: shared });
        outcome
    }

    /// Writes changes that came from the stream, in its order. What Redis does not take is dropped there with all
    /// that could be mistaken for it; nothing fails.
    pub async fn apply(&self, changes: &[Change]) {
        let inner = &*self.0;
        if let Some(far) = &inner.far {
            for change in changes {
                inner.near.outdate(change.key(), change.revision);
            }
            far.apply(changes).await;
        } else {
            changes.iter().for_each(|change| inner.apply_near(change));
        }
    }

    /// Writes one context from the stream: see [`ContextCache::apply`].
    pub async fn put(
        &self,
        tenant: TenantId,
        customer: CustomerId,
        revision: u64,
        recorded_at: Timestamp,
        valid_until: Timestamp,
        body: Bytes,
    ) {
        let kind = ChangeKind::Put { valid_until, body };
        self.apply(&[Change { tenant, customer, revision, recorded_at, kind }]).await;
    }

    /// Removes a context at or below a revision: see [`ContextCache::apply`].
    pub async fn remove(&self, tenant: TenantId, customer: CustomerId, revision: u64, recorded_at: Timestamp) {
        self.apply(&[Change { tenant, customer, revision, recorded_at, kind: ChangeKind::Remove }]).await;
    }

    /// Notes a watermark that came by in the stream of a partition: all that was committed before `at` was applied.
    pub async fn set_watermark(&self, partition: u16, at: Timestamp) {
        match &self.0.far {
            Some(far) => far.mark(partition, at, false).await,
            None => drop(self.0.watermark(partition).fetch_max(at.micros(), Ordering::Relaxed)),
        }
    }

    /// Ends the writing of a partition in good order, everything that was taken from the stream being committed:
    /// whoever writes it next finds its entries warm. Without this the next one begins with an empty partition.
    pub async fn release(&self, partition: u16) {
        if let Some(far) = &self.0.far {
            far.mark(partition, Timestamp::MIN, true).await;
        }
    }

    /// Keeps the watermarks of Redis fresh until `stopping`: the task that the process spawns beside the cache. It
    /// also finds Redis again after it was gone.
    pub async fn keep_fresh(&self, stopping: CancellationToken) {
        let refreshing = async {
            let mut ticks = tokio::time::interval(REFRESH);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                self.refresh().await;
            }
        };
        tokio::select! {
            () = stopping.cancelled() => {}
            () = refreshing => {}
        }
    }

    /// Reads the watermarks of Redis once: what [`ContextCache::keep_fresh`] does ten times a second.
    pub async fn refresh(&self) {
        if let Some(far) = &self.0.far {
            far.refresh().await;
        }
    }

    /// How often what happened, and what is held.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let Counts { near, far, misses, loads } = &self.0.counts;
        let [near_hits, far_hits, misses, loads] =
            [near, far, misses, loads].map(|count| count.load(Ordering::Relaxed));
        let (entries, bytes) = self.0.near.size();
        Statistics { near_hits, far_hits, misses, loads, entries, bytes }
    }
}

impl<T: Send + Sync + 'static> Inner<T> {
    fn near(&self, key: Key, min_revision: u64) -> Option<Cached<T>> {
        let watermark = Timestamp::from_column(self.watermark(key.partition()).load(Ordering::Relaxed));
        self.near.get(key, self.clock.now(), watermark.plus(FRESH), min_revision)
    }

    async fn far(&self, key: Key, min_revision: u64) -> Option<Cached<T>> {
        let found = self.far.as_ref()?.get(key, self.clock.now()).await?;
        // Again, for Redis took its time.
        let now = self.clock.now();
        if found.revision < min_revision || now >= found.valid_until || now > found.good_until {
            return None;
        }
        // What cannot be decoded was written by another version: the database has it in ours.
        let value = Arc::new((self.decode)(&found.body).ok()?);
        let cached = Cached { revision: found.revision, valid_until: found.valid_until, value };
        let held =
            Held { cached: cached.clone(), size: found.body.len(), good_until: found.good_until, tracked: false };
        self.near.copy(key, held, now);
        Some(cached)
    }

    async fn load<F, Fut>(&self, key: Key, began: Timestamp, load: F) -> Outcome<T>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Option<Loaded>, Fault>>,
    {
        let token = self.tokens.fetch_add(1, Ordering::Relaxed);
        let ticket = match &self.far {
            Some(far) => far.begin(key, uuid::Uuid::now_v7().simple().to_string(), began).await,
            None => {
                self.near.begin(key, token);
                None
            }
        };
        let Some(Loaded { revision, valid_until, body }) = load().await? else { return Ok(None) };
        let cached = Cached { revision, valid_until, value: Arc::new((self.decode)(&body)?) };
        let good_until = began.plus(FRESH);
        let held = Held { cached: cached.clone(), size: body.len(), good_until, tracked: false };
        match &self.far {
            Some(far) => {
                self.near.copy(key, held, self.clock.now());
                if let Some(ticket) = ticket {
                    far.fill(ticket, revision, valid_until, &body).await;
                }
            }
            None => self.near.fill(key, token, held),
        }
        Ok(Some(cached))
    }

    /// What a load that ended while this caller waited is to it; `None` where it must load itself.
    fn shared(&self, landed: &Landed<T>, arrived: Arrival, min_revision: u64) -> Option<Outcome<T>> {
        // Older than a second when this caller came: by then it was too old already.
        if landed.ended < arrived.turn || arrived.at > landed.began.plus(FRESH) {
            return None;
        }
        match &landed.outcome {
            Ok(Some(cached)) if cached.revision < min_revision || self.clock.now() >= cached.valid_until => None,
            Ok(cached) => Some(Ok(cached.clone())),
            Err(fault) => Some(Err(flight::same(fault))),
        }
    }

    /// Without Redis this process is all there is.
    fn apply_near(&self, change: &Change) {
        // A change from before the watermark is delivered again: what came after it may have been evicted since.
        let create = change.recorded_at.micros() >= self.watermark(change.partition()).load(Ordering::Relaxed);
        let (key, revision) = (change.key(), change.revision);
        let ChangeKind::Put { valid_until, body } = &change.kind else {
            return self.near.remove(key, revision, create);
        };
        match (self.decode)(body) {
            Ok(value) => {
                let cached = Cached { revision, valid_until: *valid_until, value: Arc::new(value) };
                let held = Held { cached, size: body.len(), good_until: Timestamp::MIN, tracked: true };
                self.near.put(key, held, create);
            }
            // It cannot be held; but what it replaces must go.
            Err(_) => self.near.remove(key, revision, create),
        }
    }

    fn watermark(&self, partition: u16) -> &AtomicI64 {
        &self.watermarks[usize::from(partition % PARTITIONS)]
    }
}

impl<T> Clone for ContextCache<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
