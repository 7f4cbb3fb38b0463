//! The one promise of the cache, under any interleaving of commits, the stream and its redeliveries, loads that take
//! their time, crashes of the writer, evictions and flushes: no answer is older than the asked revision, or than what
//! the database had a second before the call.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use rapport_cache::{CacheConfig, Cached, Change, ChangeKind, ContextCache, Loaded, PARTITIONS};
use rapport_harness::Redis;
use rapport_kernel::{Clock, CustomerId, Fault, ManualClock, TenantId, Timestamp};
use tokio::sync::oneshot;

const READERS: usize = 2;
const CUSTOMERS: usize = 4;
const START: Timestamp = Timestamp::from_column(1_800_000_000_000_000);

type Cache = ContextCache<u64>;
type Answer = Result<Option<Cached<u64>>, Fault>;

/// The body of a context is its revision: so a body under another revision shows.
fn body(revision: u64) -> Bytes {
    Bytes::from(revision.to_string())
}
fn decode(body: &Bytes) -> Result<u64, Fault> {
    std::str::from_utf8(body).ok().and_then(|text| text.parse().ok()).ok_or_else(|| Fault::internal("not a number"))
}

/// The database: what each customer was and since when.
struct Database {
    clock: Arc<ManualClock>,
    tenant: TenantId,
    customers: Vec<CustomerId>,
    /// For each customer, each revision's commit, whether it removed, and until when it is valid.
    history: Mutex<Vec<Vec<(Timestamp, bool, Timestamp)>>>,
}

impl Database {
    fn new() -> Self {
        // Two partitions of two customers each.
        let first = std::iter::repeat_with(CustomerId::new).next().expect("endless");
        let mate = |of: CustomerId| {
            let same = move |id: &CustomerId| id.partition(PARTITIONS) == of.partition(PARTITIONS);
            std::iter::repeat_with(CustomerId::new).find(same).expect("endless")
        };
        let elsewhere = |id: &CustomerId| id.partition(PARTITIONS) != first.partition(PARTITIONS);
        let second = std::iter::repeat_with(CustomerId::new).find(elsewhere).expect("endless");
        let customers = vec![first, mate(first), second, mate(second)];
        let clock = Arc::new(ManualClock::new(START));
        Self { clock, tenant: TenantId::new(), customers, history: Mutex::new(vec![Vec::new(); CUSTOMERS]) }
    }

    fn commit(&self, customer: usize, removed: bool, valid_for: Duration) -> Change {
        let now = self.clock.now();
        let valid_until = now.plus(valid_for);
        let mut history = self.history.lock().expect("no panic inside");
        history[customer].push((now, removed, valid_until));
        let revision = history[customer].len() as u64;
        let kind = if removed { ChangeKind::Remove } else { ChangeKind::Put { valid_until, body: body(revision) } };
        Change { tenant: self.tenant, customer: self.customers[customer], revision, recorded_at: now, kind }
    }

    fn read(&self, customer: usize) -> Option<Loaded> {
        let history = self.history.lock().expect("no panic inside");
        let (_, removed, valid_until) = *history[customer].last()?;
        let revision = history[customer].len() as u64;
        // Evaluated again: what ran out holds for another while.
        let valid_until = valid_until.max(self.clock.now().plus(Duration::from_millis(50)));
        (!removed).then(|| Loaded { revision, valid_until, body: body(revision) })
    }

    fn revision(&self, customer: usize) -> u64 {
        self.history.lock().expect("no panic inside")[customer].len() as u64
    }

    /// The revision that an answer to a call at `at` must at least show.
    fn least(&self, customer: usize, at: Timestamp) -> u64 {
        let bound = at.minus(Duration::from_secs(1));
        let history = self.history.lock().expect("no panic inside");
        history[customer].iter().filter(|(committed, ..)| *committed < bound).count() as u64
    }
}

#[derive(Clone, Debug)]
enum Step {
    Commit { customer: usize, removed: bool, valid_for: u64 },
    Advance(u64),
    Watermark,
    Consume { side: usize, count: usize },
    CommitCursor(usize),
    Redeliver(usize),
    CrashConsumer,
    HandOver,
    Refresh(usize),
    Get { reader: usize, customer: usize, behind: u64 },
    Fetch { reader: usize, customer: usize, behind: u64 },
    BeginLoad { reader: usize, customer: usize },
    EndLoad { reader: usize, customer: usize },
    GiveUpLoad { reader: usize, customer: usize },
    Evict(usize),
    Flush,
}

fn step() -> impl Strategy<Value = Step> {
    let place = || (0..READERS, 0..CUSTOMERS);
    let rare = prop_oneof![Just(Step::CrashConsumer), Just(Step::HandOver), Just(Step::Flush)];
    prop_oneof![
        8 => (0..CUSTOMERS, prop::bool::weighted(0.15), prop_oneof![5 => Just(1_000_000), 1 => 100_u64..2_000])
            .prop_map(|(customer, removed, valid_for)| Step::Commit { customer, removed, valid_for }),
        8 => prop_oneof![1_u64..300, 1_u64..1_500].prop_map(Step::Advance),
        8 => Just(Step::Watermark),
        10 => (0_usize..2, 1_usize..6).prop_map(|(side, count)| Step::Consume { side, count }),
        3 => (0_usize..2).prop_map(Step::CommitCursor),
        2 => (0_usize..2).prop_map(Step::Redeliver),
        8 => (0..READERS).prop_map(Step::Refresh),
        10 => (place(), 0_u64..3).prop_map(|((reader, customer), behind)| Step::Get { reader, customer, behind }),
        6 => (place(), 0_u64..3).prop_map(|((reader, customer), behind)| Step::Fetch { reader, customer, behind }),
        4 => place().prop_map(|(reader, customer)| Step::BeginLoad { reader, customer }),
        4 => place().prop_map(|(reader, customer)| Step::EndLoad { reader, customer }),
        1 => place().prop_map(|(reader, customer)| Step::GiveUpLoad { reader, customer }),
        3 => (0..CUSTOMERS).prop_map(Step::Evict),
        2 => rare,
    ]
}

enum StreamEntry {
    Change(Change),
    Watermark(Timestamp),
}

#[derive(Default)]
struct Stream {
    entries: Vec<StreamEntry>,
    read: usize,
    committed: usize,
}

/// A load in the middle: it has read the database, and waits to go on.
struct Loading {
    go: oneshot::Sender<()>,
    done: Pin<Box<dyn Future<Output = Answer>>>,
    asked_at: Timestamp,
}

struct World<'a> {
    database: Arc<Database>,
    redis: Option<&'a Redis>,
    config: CacheConfig,
    readers: Vec<Cache>,
    /// Looks at every customer after every step, with no memory of its own.
    observer: Cache,
    consumer: Cache,
    streams: [Stream; 2],
    loading: HashMap<(usize, usize), Loading>,
    hits: u64,
}

impl<'a> World<'a> {
    fn new(redis: Option<&'a Redis>) -> Self {
        let config = CacheConfig {
            redis: redis.map(|redis| redis.url().into()),
            prefix: format!("test-{}", TenantId::new()),
            // A machine that is busy with tests may be slow; how the cache bears that is another test's.
            read_timeout_millis: 5_000,
            write_timeout_millis: 5_000,
            ..CacheConfig::default()
        };
        let database = Arc::new(Database::new());
        let open = || Cache::open(&config, database.clock.clone(), decode).expect("it can work");
        let consumer = open();
        // Without Redis there is one process, which consumes and reads.
        let readers = (0..READERS).map(|_| if redis.is_some() { open() } else { consumer.clone() }).collect();
        let observer = if redis.is_some() {
            let config = CacheConfig { max_entries: 0, ..config.clone() };
            Cache::open(&config, database.clock.clone(), decode).expect("it can work")
        } else {
            consumer.clone()
        };
        let (streams, loading) = (Default::default(), HashMap::new());
        Self { database, redis, config, readers, observer, consumer, streams, loading, hits: 0 }
    }

    fn partition(&self, side: usize) -> u16 {
        self.database.customers[side * 2].partition(PARTITIONS)
    }

    async fn step(&mut self, step: &Step) {
        match *step {
            Step::Commit { customer, removed, valid_for } => {
                let change = self.database.commit(customer, removed, Duration::from_millis(valid_for));
                self.streams[customer / 2].entries.push(StreamEntry::Change(change));
            }
            Step::Advance(millis) => self.database.clock.advance(Duration::from_millis(millis)),
            Step::Watermark => {
                let now = self.database.clock.now();
                self.streams.iter_mut().for_each(|stream| stream.entries.push(StreamEntry::Watermark(now)));
            }
            Step::Consume { side, count } => self.consume(side, count).await,
            Step::CommitCursor(side) => self.streams[side].committed = self.streams[side].read,
            Step::Redeliver(side) => self.streams[side].read = self.streams[side].committed,
            Step::CrashConsumer => self.replace_consumer(),
            Step::HandOver => {
                for side in 0..2 {
                    self.streams[side].committed = self.streams[side].read;
                    self.consumer.release(self.partition(side)).await;
                }
                self.replace_consumer();
            }
            Step::Refresh(reader) => self.readers[reader].refresh().await,
            Step::Get { reader, customer, behind } => {
                let (now, least) = (self.database.clock.now(), self.database.revision(customer).saturating_sub(behind));
                let id = self.database.customers[customer];
                let answer = self.readers[reader].get(self.database.tenant, id, least).await;
                self.check(customer, now, least, answer.as_ref());
            }
            Step::Fetch { reader, customer, behind } => self.fetch(reader, customer, behind).await,
            Step::BeginLoad { reader, customer } => self.begin_load(reader, customer).await,
            Step::EndLoad { reader, customer } => self.end_load(reader, customer).await,
            Step::GiveUpLoad { reader, customer } => drop(self.loading.remove(&(reader, customer))),
            Step::Evict(customer) => self.evict(customer).await,
            Step::Flush => {
                if let Some(redis) = self.redis {
                    redis.flush();
                }
            }
        }
    }

    async fn look(&mut self, number: usize) {
        // Not each time: readers do go by watermarks that are not the newest.
        if number.is_multiple_of(2) {
            self.observer.refresh().await;
        }
        let now = self.database.clock.now();
        for customer in 0..CUSTOMERS {
            let answer = self.observer.get(self.database.tenant, self.database.customers[customer], 0).await;
            self.check(customer, now, 0, answer.as_ref());
        }
    }

    async fn consume(&mut self, side: usize, count: usize) {
        let (partition, stream) = (self.partition(side), &mut self.streams[side]);
        for entry in stream.entries.iter().skip(stream.read).take(count) {
            stream.read += 1;
            match entry {
                StreamEntry::Change(change) => self.consumer.apply(std::slice::from_ref(change)).await,
                StreamEntry::Watermark(at) => self.consumer.set_watermark(partition, *at).await,
            }
        }
    }

    /// The consumer's process is gone; another begins where the last commit was. (Within one process it is the same
    /// cache that goes on.)
    fn replace_consumer(&mut self) {
        self.streams.iter_mut().for_each(|stream| stream.read = stream.committed);
        if self.redis.is_some() {
            self.consumer = Cache::open(&self.config, self.database.clock.clone(), decode).expect("it can work");
        }
    }

    async fn fetch(&mut self, reader: usize, customer: usize, behind: u64) {
        if self.loading.contains_key(&(reader, customer)) || (self.redis.is_none() && self.loads(customer)) {
            return;
        }
        let (now, least) = (self.database.clock.now(), self.database.revision(customer).saturating_sub(behind));
        let (tenant, id) = (self.database.tenant, self.database.customers[customer]);
        let load = async || Ok(self.database.read(customer));
        let answer = self.readers[reader].fetch(tenant, id, least, load).await.expect("the database is up");
        self.check(customer, now, least, answer.as_ref());
    }

    fn loads(&self, customer: usize) -> bool {
        self.loading.keys().any(|(_, loading)| *loading == customer)
    }

    async fn begin_load(&mut self, reader: usize, customer: usize) {
        if self.loading.contains_key(&(reader, customer)) || (self.redis.is_none() && self.loads(customer)) {
            return;
        }
        let (go, gone) = oneshot::channel();
        let (has_read, mut reached) = oneshot::channel();
        let (database, cache) = (Arc::clone(&self.database), self.readers[reader].clone());
        let asked_at = database.clock.now();
        let mut done: Pin<Box<dyn Future<Output = Answer>>> = Box::pin(async move {
            let (tenant, id) = (database.tenant, database.customers[customer]);
            let load = async || {
                let loaded = database.read(customer);
                has_read.send(()).expect("the test waits for it");
                gone.await.expect("the test lets it go on");
                Ok(loaded)
            };
            cache.fetch(tenant, id, 0, load).await
        });
        tokio::select! {
            answer = &mut done => self.check(customer, asked_at, 0, answer.expect("it was cached").as_ref()),
            _ = &mut reached => drop(self.loading.insert((reader, customer), Loading { go, done, asked_at })),
        }
    }

    async fn end_load(&mut self, reader: usize, customer: usize) {
        let Some(Loading { go, done, asked_at }) = self.loading.remove(&(reader, customer)) else { return };
        go.send(()).expect("it waits");
        let answer = done.await.expect("the database is up");
        self.check(customer, asked_at, 0, answer.as_ref());
    }

    async fn evict(&mut self, customer: usize) {
        let id = self.database.customers[customer];
        if let Some(redis) = self.redis {
            let pattern = format!("*:{{{}:{id}}}:*", self.database.tenant);
            for key in redis.command(&["KEYS", &pattern]).lines() {
                redis.command(&["DEL", key]);
            }
        } else {
            // Crowded out by others.
            let (now, kind) = (self.database.clock.now(), ChangeKind::Remove);
            let other =
                || Change { tenant: TenantId::new(), customer: id, revision: 1, recorded_at: now, kind: kind.clone() };
            self.consumer.apply(&std::iter::repeat_with(other).take(300).collect::<Vec<_>>()).await;
        }
    }

    fn check(&mut self, customer: usize, asked_at: Timestamp, least: u64, answer: Option<&Cached<u64>>) {
        let Some(Cached { revision, valid_until, value }) = answer else { return };
        self.hits += 1;
        assert_eq!(**value, *revision, "the body of another revision");
        assert!(*valid_until > asked_at, "it was no longer valid");
        // A load answers what the database has, which may be less than was asked for only where that is not there.
        assert!(*revision >= least, "revision {revision}, but {least} was asked for");
        let bound = self.database.least(customer, asked_at);
        assert!(*revision >= bound, "revision {revision}, but {bound} was there a second before");
    }
}

fn play(redis: Option<&Redis>, steps: &[Step]) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut world = World::new(redis);
        if redis.is_none() {
            // One slot in each shard, so that crowding out is quick.
            let config = CacheConfig { max_entries: 64, ..world.config.clone() };
            world.consumer = Cache::open(&config, world.database.clock.clone(), decode).expect("it can work");
            world.readers = vec![world.consumer.clone(); READERS];
            world.observer = world.consumer.clone();
        }
        for (number, step) in steps.iter().enumerate() {
            world.step(step).await;
            world.look(number).await;
        }
        world.hits
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]
    #[test]
    fn in_one_process_no_interleaving_gives_an_answer_that_is_too_old(steps in prop::collection::vec(step(), 1..150)) {
        play(None, &steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn with_redis_no_interleaving_gives_an_answer_that_is_too_old(steps in prop::collection::vec(step(), 1..150)) {
        static REDIS: std::sync::OnceLock<Redis> = std::sync::OnceLock::new();
        play(Some(REDIS.get_or_init(Redis::start)), &steps);
    }
}
