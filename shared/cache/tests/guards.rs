//! Each guard of the shared level, alone: what would be answered wrongly without it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rapport_cache::{CacheConfig, ContextCache, Loaded, PARTITIONS};
use rapport_harness::Redis;
use rapport_kernel::{Clock, CustomerId, Fault, ManualClock, TenantId, Timestamp};
use tokio::sync::Notify;

type Cache = ContextCache<Bytes>;

/// A Redis, a clock that stands, one customer, and as many processes as the test opens.
struct Scene {
    redis: Redis,
    clock: Arc<ManualClock>,
    tenant: TenantId,
    customer: CustomerId,
}

impl Scene {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_column(1_800_000_000_000_000)));
        Self { redis: Redis::start(), clock, tenant: TenantId::new(), customer: CustomerId::new() }
    }

    /// A process that remembers nothing itself, so that what it answers comes from Redis.
    fn open(&self) -> Cache {
        let config = CacheConfig {
            redis: Some(self.redis.url().into()),
            max_entries: 0,
            read_timeout_millis: 2_000,
            write_timeout_millis: 2_000,
            ..CacheConfig::default()
        };
        Cache::open(&config, self.clock.clone(), |body| Ok(body.clone())).expect("it can work")
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn put(&self, consumer: &Cache, revision: u64, recorded_at: Timestamp) {
        let body = Bytes::from(format!("revision {revision}"));
        consumer.put(self.tenant, self.customer, revision, recorded_at, Timestamp::MAX, body).await;
    }

    /// A little later, the watermark comes by.
    async fn watermark(&self, consumer: &Cache) {
        self.clock.advance(Duration::from_millis(10));
        consumer.set_watermark(self.customer.partition(PARTITIONS), self.now()).await;
    }

    async fn revision(&self, reader: &Cache) -> Option<u64> {
        reader.refresh().await;
        let cached = reader.get(self.tenant, self.customer, 0).await?;
        assert_eq!(*cached.value, format!("revision {}", cached.revision));
        Some(cached.revision)
    }

    fn evict(&self) {
        for key in self.redis.command(&["KEYS", "*:{*}:*"]).lines() {
            self.redis.command(&["DEL", key]);
        }
    }

    async fn load(&self, reader: &Cache, revision: u64, meanwhile: impl AsyncFnOnce()) {
        let (has_read, go) = (Notify::new(), Notify::new());
        let load = async || {
            has_read.notify_one();
            go.notified().await;
            Ok(Some(loaded(revision)))
        };
        let during = async {
            has_read.notified().await;
            meanwhile().await;
            go.notify_one();
        };
        let (answer, ()) = tokio::join!(reader.fetch(self.tenant, self.customer, 0, load), during);
        assert_eq!(answer.expect("the database is up").expect("it is there").revision, revision);
    }
}

fn loaded(revision: u64) -> Loaded {
    Loaded { revision, valid_until: Timestamp::MAX, body: Bytes::from(format!("revision {revision}")) }
}

#[tokio::test]
async fn a_change_reaches_every_process_and_a_load_fills_for_all() {
    let scene = Scene::new();
    let (consumer, reader, other) = (scene.open(), scene.open(), scene.open());
    scene.watermark(&consumer).await;
    assert_eq!(scene.revision(&reader).await, None, "nobody wrote it");
    scene.load(&reader, 3, async || ()).await;
    assert_eq!(scene.revision(&other).await, Some(3), "loaded once, for all");
    scene.put(&consumer, 4, scene.now()).await;
    scene.watermark(&consumer).await;
    assert_eq!(scene.revision(&other).await, Some(4));
    consumer.remove(scene.tenant, scene.customer, 5, scene.now()).await;
    assert_eq!(scene.revision(&reader).await, None);
    scene.load(&reader, 4, async || ()).await;
    assert_eq!(scene.revision(&other).await, None, "a load that is older than the removal fills nothing");
}

#[tokio::test]
async fn without_a_young_watermark_everything_is_a_miss() {
    let scene = Scene::new();
    let (consumer, reader) = (scene.open(), scene.open());
    scene.watermark(&consumer).await;
    scene.put(&consumer, 1, scene.now()).await;
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(scene.revision(&reader).await, Some(1), "a second is young");
    scene.clock.advance(Duration::from_micros(1));
    assert_eq!(scene.revision(&reader).await, None);
    scene.watermark(&consumer).await;
    assert_eq!(scene.revision(&reader).await, Some(1));
}

#[tokio::test]
async fn an_entry_is_not_answered_past_its_validity_or_below_the_revision_asked_for() {
    let scene = Scene::new();
    let (consumer, reader) = (scene.open(), scene.open());
    let valid_until = scene.now().plus(Duration::from_millis(500));
    scene.watermark(&consumer).await;
    consumer.put(scene.tenant, scene.customer, 2, scene.now(), valid_until, Bytes::from("revision 2")).await;
    assert_eq!(scene.revision(&reader).await, Some(2));
    assert!(reader.get(scene.tenant, scene.customer, 3).await.is_none());
    scene.clock.set(valid_until);
    assert_eq!(scene.revision(&reader).await, None);
    // Evaluated again, the same revision holds for longer.
    scene.load(&reader, 2, async || ()).await;
    assert_eq!(scene.revision(&reader).await, Some(2));
}

#[tokio::test]
async fn an_older_change_never_replaces_a_newer_one() {
    let scene = Scene::new();
    let (consumer, reader) = (scene.open(), scene.open());
    let recorded_at = scene.now();
    scene.put(&consumer, 2, recorded_at).await;
    scene.put(&consumer, 1, recorded_at).await;
    scene.watermark(&consumer).await;
    assert_eq!(scene.revision(&reader).await, Some(2));
}

#[tokio::test]
async fn a_change_delivered_again_does_not_come_back_for_one_that_was_evicted() {
    let scene = Scene::new();
    let (consumer, reader) = (scene.open(), scene.open());
    for removes_first in [false, true] {
        let recorded_at = scene.now();
        for revision in 1..=3 {
            scene.put(&consumer, revision, recorded_at).await;
        }
        scene.watermark(&consumer).await;
        scene.evict();
        // The commit failed: all come again, from the first one on.
        if removes_first {
            consumer.remove(scene.tenant, scene.customer, 1, recorded_at).await;
        }
        scene.put(&consumer, 2, recorded_at).await;
        assert_eq!(scene.revision(&reader).await, None);
    }
}

#[tokio::test]
async fn a_load_fills_nothing_where_what_was_written_since_was_lost_again() {
    let scene = Scene::new();
    let (consumer, reader, other) = (scene.open(), scene.open(), scene.open());
    for another_loads in [false, true] {
        scene.watermark(&consumer).await;
        scene.revision(&reader).await;
        scene
            .load(&reader, 1, async || {
                // A newer one is written while the first load is on its way, and lost.
                scene.put(&consumer, 2, scene.now()).await;
                scene.evict();
                scene.watermark(&consumer).await;
                if another_loads {
                    let begun = Notify::new();
                    scene.revision(&other).await;
                    let load = async || {
                        begun.notify_one();
                        std::future::pending::<Result<Option<Loaded>, Fault>>().await
                    };
                    // Its marker stands when it gives up.
                    tokio::select! {
                        _ = other.fetch(scene.tenant, scene.customer, 0, load) => {}
                        () = begun.notified() => {}
                    }
                }
            })
            .await;
        assert_eq!(scene.revision(&other).await, None);
        scene.evict();
    }
}

#[tokio::test]
async fn a_flush_is_noticed_and_the_cache_goes_on() {
    let scene = Scene::new();
    let (consumer, reader) = (scene.open(), scene.open());
    scene.put(&consumer, 1, scene.now()).await;
    scene.watermark(&consumer).await;
    assert_eq!(scene.revision(&reader).await, Some(1));
    scene.redis.flush();
    assert_eq!(scene.revision(&reader).await, None);
    scene.watermark(&consumer).await;
    assert_eq!(scene.revision(&reader).await, None, "it was lost");
    scene.load(&reader, 1, async || ()).await;
    assert_eq!(scene.revision(&reader).await, Some(1), "and is filled again");
}

#[tokio::test]
async fn a_new_consumer_believes_nothing_that_a_crashed_one_may_have_missed() {
    let scene = Scene::new();
    let (crashed, reader) = (scene.open(), scene.open());
    scene.put(&crashed, 1, scene.now()).await;
    scene.watermark(&crashed).await;
    // Revision 2 never reached Redis; its consumer committed it and crashed.
    let next = scene.open();
    scene.watermark(&next).await;
    assert_eq!(scene.revision(&reader).await, None);
    // The crashed one was only asleep: what it writes now is in nobody's way.
    scene.put(&crashed, 1, scene.now()).await;
    assert_eq!(scene.revision(&reader).await, None);
    scene.put(&next, 3, scene.now()).await;
    assert_eq!(scene.revision(&reader).await, Some(3));
    scene.clock.advance(Duration::from_secs(2));
    scene.watermark(&crashed).await;
    assert_eq!(scene.revision(&reader).await, None, "its watermark says nothing of the other's entries");
}

#[tokio::test]
async fn a_consumer_that_leaves_in_good_order_hands_over_warm_entries() {
    let scene = Scene::new();
    let (first, reader) = (scene.open(), scene.open());
    scene.put(&first, 1, scene.now()).await;
    scene.watermark(&first).await;
    first.release(scene.customer.partition(PARTITIONS)).await;
    let second = scene.open();
    scene.watermark(&second).await;
    assert_eq!(scene.revision(&reader).await, Some(1));
}

#[tokio::test]
async fn a_redis_that_restarts_with_old_contents_is_not_believed() {
    let scene = Scene::new();
    let (consumer, reader) = (scene.open(), scene.open());
    scene.put(&consumer, 1, scene.now()).await;
    scene.watermark(&consumer).await;
    scene.redis.command(&["SAVE"]);
    scene.put(&consumer, 2, scene.now()).await;
    scene.watermark(&consumer).await;
    scene.redis.stop();
    scene.redis.start_again();
    assert!(!scene.redis.command(&["KEYS", "*"]).is_empty(), "it holds what it saved");
    scene.clock.advance(Duration::from_secs(2));
    // The consumer notices by its broken connection, rests for a second, and begins anew.
    scene.watermark(&consumer).await;
    for _tick in 0..15 {
        assert_eq!(scene.revision(&reader).await, None);
        tokio::time::sleep(Duration::from_millis(100)).await;
        scene.watermark(&consumer).await;
    }
    scene.put(&consumer, 3, scene.now()).await;
    assert_eq!(scene.revision(&reader).await, Some(3), "and then goes on");
}
