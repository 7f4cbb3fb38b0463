//! Redis is only speed: stopped, halted, slow, full or flushed under load, it gives no wrong answer and no error,
//! costs little time, and the database is asked no more than once for each customer and second.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use rapport_cache::{CacheConfig, ContextCache, Loaded, PARTITIONS};
use rapport_harness::{Redis, Wire};
use rapport_kernel::{Clock, CustomerId, Fault, Reason, SystemClock, TenantId, Timestamp};
use tokio_util::sync::CancellationToken;

type Cache = ContextCache<Bytes>;

fn open(url: Option<String>) -> Cache {
    let config = CacheConfig { redis: url.map(Into::into), ..CacheConfig::default() };
    Cache::open(&config, Arc::new(SystemClock), |body| Ok(body.clone())).expect("it can work")
}

fn loaded(revision: u64) -> Loaded {
    Loaded { revision, valid_until: Timestamp::MAX, body: vec![b'x'; 1_000].into() }
}

/// A database of customers whose revisions rise, its stream, two processes that read, and what they found.
struct Load {
    tenant: TenantId,
    customers: Vec<(CustomerId, AtomicU64)>,
    reads: AtomicU64,
    slowest: AtomicU64,
}

impl Load {
    fn new(customers: usize) -> Self {
        let customers = (0..customers).map(|_| (CustomerId::new(), AtomicU64::new(1))).collect();
        Self { tenant: TenantId::new(), customers, reads: AtomicU64::new(0), slowest: AtomicU64::new(0) }
    }

    /// Reads everything once, in many calls at a time; each must be right, and none may fail.
    async fn read(&self, cache: &Cache) {
        let call = async |(customer, newest): &(CustomerId, AtomicU64)| {
            let (least, called) = (newest.load(Ordering::SeqCst), Instant::now());
            let load = async || {
                self.reads.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(2)).await;
                Ok(Some(loaded(newest.load(Ordering::SeqCst))))
            };
            let answer = cache.fetch(self.tenant, *customer, least, load).await.expect("no call fails");
            assert!(answer.expect("it is there").revision >= least, "below the revision asked for");
            let took = u64::try_from(called.elapsed().as_millis()).expect("short");
            self.slowest.fetch_max(took, Ordering::Relaxed);
        };
        join_all(self.customers.iter().map(call)).await;
    }

    /// Changes a few customers, and lets the stream carry that and the watermarks.
    async fn write(&self, consumer: &Cache) {
        for (customer, newest) in self.customers.iter().step_by(7) {
            let revision = newest.fetch_add(1, Ordering::SeqCst) + 1;
            let Loaded { valid_until, body, .. } = loaded(revision);
            consumer.put(self.tenant, *customer, revision, SystemClock.now(), valid_until, body).await;
        }
        let now = SystemClock.now();
        for partition in 0..PARTITIONS {
            consumer.set_watermark(partition, now).await;
        }
    }
}

/// Reads and writes for a while around a fault; answers how often the database was read during it, for each customer.
async fn under(fault: impl FnOnce(&Redis, &Wire), slowest: Duration) -> f64 {
    let redis = Redis::start_small(20_000_000);
    let wire = Wire::to(redis.port());
    let url = format!("redis://127.0.0.1:{}", wire.port());
    let (consumer, readers) = (open(Some(url.clone())), [open(Some(url.clone())), open(Some(url))]);
    let stopping = CancellationToken::new();
    let load = Load::new(200);
    let work = async |turns: u32| {
        for _turn in 0..turns {
            load.write(&consumer).await;
            for reader in &readers {
                load.read(reader).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let body = async {
        work(10).await;
        fault(&redis, &wire);
        load.reads.store(0, Ordering::Relaxed);
        load.slowest.store(0, Ordering::Relaxed);
        let start = Instant::now();
        work(20).await;
        let took = load.slowest.load(Ordering::Relaxed);
        assert!(u128::from(took) <= slowest.as_millis(), "a call took {took} ms");
        let seconds = start.elapsed().as_secs_f64().ceil();
        stopping.cancel();
        // Beside the changes, whose revision the callers ask for, each process reads each customer once a second.
        load.reads.load(Ordering::Relaxed) as f64 / (200.0 * 2.0 * seconds)
    };
    let keeping = readers.each_ref().map(|reader| reader.keep_fresh(stopping.clone()));
    let (reads, _) = tokio::join!(body, join_all(keeping));
    drop(redis);
    reads
}

#[tokio::test]
async fn a_redis_that_is_stopped_costs_only_time() {
    let reads = under(|redis, _| redis.stop(), Duration::from_millis(500)).await;
    assert!(reads < 4.0, "{reads} reads for each customer, process and second");
}

#[tokio::test]
async fn a_redis_that_is_halted_costs_only_time() {
    let reads = under(|redis, _| redis.pause(), Duration::from_millis(500)).await;
    assert!(reads < 4.0, "{reads} reads for each customer, process and second");
}

#[tokio::test]
async fn a_redis_that_is_slow_costs_only_time() {
    let reads = under(|_, wire| wire.slow(Duration::from_millis(800)), Duration::from_millis(500)).await;
    assert!(reads < 4.0, "{reads} reads for each customer, process and second");
}

#[tokio::test]
async fn a_redis_that_is_flushed_costs_only_time() {
    let reads = under(|redis, _| redis.flush(), Duration::from_millis(500)).await;
    assert!(reads < 4.0, "{reads} reads for each customer, process and second");
}

#[tokio::test]
async fn a_redis_that_is_full_costs_only_time() {
    let fill = |redis: &Redis, _: &Wire| {
        redis.command(&["CONFIG", "SET", "maxmemory", "1000000"]);
    };
    let reads = under(fill, Duration::from_millis(500)).await;
    assert!(reads < 4.0, "{reads} reads for each customer, process and second");
}

#[tokio::test]
async fn redis_is_found_again_when_it_is_back() {
    let redis = Redis::start();
    let (consumer, reader) = (open(Some(redis.url())), open(Some(redis.url())));
    let (load, stopping) = (Load::new(20), CancellationToken::new());
    let far_hits = || reader.statistics().far_hits;
    let body = async {
        for fault in [true, false] {
            let (start, before) = (Instant::now(), far_hits());
            while far_hits() == before {
                load.write(&consumer).await;
                load.read(&reader).await;
                assert!(start.elapsed() < Duration::from_secs(10), "Redis is up and not used");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            if fault {
                redis.stop();
                load.write(&consumer).await;
                load.read(&reader).await;
                redis.start_again();
            }
        }
        stopping.cancel();
    };
    tokio::join!(body, reader.keep_fresh(stopping.clone()));
}

#[tokio::test]
async fn of_many_callers_one_loads_and_a_failure_is_everyones() {
    let redis = Redis::start();
    for cache in [open(None), open(Some(redis.url()))] {
        let (tenant, customer, loads) = (TenantId::new(), CustomerId::new(), AtomicU64::new(0));
        let failing = async || {
            loads.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(50)).await;
            Err(Fault::unavailable("the database", "down"))
        };
        for answer in join_all((0..100).map(|_| cache.fetch(tenant, customer, 0, failing))).await {
            assert_eq!(answer.expect_err("it is down").reason, Reason::DependencyUnavailable);
        }
        assert_eq!(loads.swap(0, Ordering::Relaxed), 1);
        let working = async || {
            loads.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(Some(loaded(5)))
        };
        // The first caller gives up in the middle.
        let gives_up = tokio::time::timeout(Duration::from_millis(20), cache.fetch(tenant, customer, 0, working));
        let others = join_all((0..100).map(|_| cache.fetch(tenant, customer, 5, working)));
        let (gave_up, others) = tokio::join!(gives_up, others);
        assert!(gave_up.is_err());
        assert!(others.into_iter().all(|answer| answer.expect("it is up").is_some_and(|cached| cached.revision == 5)));
        assert_eq!(loads.load(Ordering::Relaxed), 2);
        // A caller who needs more than what is cached or was loaded loads again, and gets what there is.
        let answer = cache.fetch(tenant, customer, 6, working).await.expect("it is up").expect("it is there");
        assert_eq!((answer.revision, loads.load(Ordering::Relaxed)), (5, 3));
    }
}

#[tokio::test]
async fn memory_is_bounded_by_entries_and_bytes() {
    let config = CacheConfig { max_entries: 1_000, max_bytes: 1_000_000, ..CacheConfig::default() };
    let cache = Cache::open(&config, Arc::new(SystemClock), |body| Ok(body.clone())).expect("it can work");
    for size in [10, 10_000] {
        for _ in 0..5_000 {
            let body = vec![0; size].into();
            cache.put(TenantId::new(), CustomerId::new(), 1, SystemClock.now(), Timestamp::MAX, body).await;
        }
        let held = cache.statistics();
        assert!(held.entries <= 1_000 && held.bytes <= 1_000_000, "{held:?}");
        assert!(held.entries > 50, "{held:?}");
    }
}

#[tokio::test]
async fn what_is_used_stays_when_others_crowd_in() {
    let config = CacheConfig { max_entries: 6_400, ..CacheConfig::default() };
    let cache = Cache::open(&config, Arc::new(SystemClock), |body| Ok(body.clone())).expect("it can work");
    let (tenant, hot) = (TenantId::new(), CustomerId::new());
    let put = async |customer| cache.put(tenant, customer, 1, SystemClock.now(), Timestamp::MAX, Bytes::new()).await;
    let watermark = async || cache.set_watermark(hot.partition(PARTITIONS), SystemClock.now()).await;
    put(hot).await;
    for _ in 0..50_000 {
        watermark().await;
        assert!(cache.get(tenant, hot, 1).await.is_some());
        put(CustomerId::new()).await;
    }
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    let config = CacheConfig {
        redis: Some("http://example.com".to_owned().into()),
        read_timeout_millis: 0,
        keep_seconds: 7_200,
        ..CacheConfig::default()
    };
    let open = |config: &CacheConfig| Cache::open(config, Arc::new(SystemClock), |body| Ok(body.clone())).err();
    assert_eq!(open(&config).expect("refused").details.violations.as_slice().len(), 2);
    let config = CacheConfig { read_timeout_millis: 20, keep_seconds: 60, ..config };
    assert_eq!(open(&config).expect("refused").details.violations.as_slice()[0].field, "cache.redis");
}

/// Run with optimisation, as `cargo test --config 'profile.dev.package.rapport-cache.opt-level=3'`, and `--nocapture`.
#[tokio::test]
#[ignore = "a measurement"]
async fn a_hot_get_is_well_below_a_microsecond() {
    let cache = open(None);
    let (tenant, now) = (TenantId::new(), SystemClock.now().plus(Duration::from_secs(3_600)));
    let customers: Vec<_> = (0..10_000).map(|_| CustomerId::new()).collect();
    for customer in &customers {
        cache.put(tenant, *customer, 1, now, Timestamp::MAX, vec![0; 100].into()).await;
        cache.set_watermark(customer.partition(PARTITIONS), now).await;
    }
    let start = Instant::now();
    for customer in customers.iter().cycle().take(1_000_000) {
        assert!(cache.get(tenant, *customer, 1).await.is_some());
    }
    println!("{} ns a get", start.elapsed().as_nanos() / 1_000_000);
}
