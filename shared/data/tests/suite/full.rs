//! A backlog many times what the bus holds, and a group that takes nothing: all arrives, and nobody else waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rapport_bus::{Bus, BusConfig, MemoryBus, RedisBus};
use rapport_data::{Database, Engine, PARTITIONS, Tx, lane};
use rapport_harness::shared_redis;
use rapport_kernel::{Fault, SubjectId, TenantId};
use rstest::rstest;

use crate::ground::{GROUP, Ground, Recorder, SERVICE, UNSETTLED, event, eventually, number};

/// What the bus of these tests holds in a partition.
const BOUND: usize = 600;
const BACKLOG: u64 = 6_000;
const SLOW: &str = "slow";

fn config() -> BusConfig {
    BusConfig { prefix: format!("test-{}", uuid::Uuid::now_v7()), max_entries: BOUND, ..BusConfig::default() }
}

/// Writes revisions of one thing, all in one partition.
async fn write(database: &Database, tenant: TenantId, subject: SubjectId, revisions: std::ops::Range<u64>) {
    let unit = move |tx: Tx| {
        let revisions = revisions.clone();
        async move {
            for revision in revisions {
                tx.publish(event(subject, "thing", revision)).await?;
            }
            Ok(())
        }
    };
    database.write(tenant, unit).await.expect("the database is up");
}

async fn backlog_arrives(ground: &Ground, bus: Arc<dyn Bus>) {
    let (database, tenant) = (ground.open().await, TenantId::new());
    let subject = SubjectId::new();
    for start in (1..=BACKLOG).step_by(1_000) {
        write(&database, tenant, subject, start..start + 1_000).await;
    }
    let (fast, slow) = (Arc::new(Recorder::default()), Arc::new(Recorder::default()));
    slow.fail(Some(|_| Some(Fault::unavailable("what it needs", "it is away"))));
    database.consume(&ground.platform, Arc::clone(&bus), GROUP, &[SERVICE], Arc::clone(&fast) as Arc<_>);
    database.consume(&ground.platform, Arc::clone(&bus), SLOW, &[SERVICE], Arc::clone(&slow) as Arc<_>);
    database.relay(&ground.platform, bus, vec![GROUP, SLOW]);
    let all = usize::try_from(BACKLOG).expect("a small number");
    eventually("the fast group has all", async || fast.events().len() >= all).await;
    let watermarks = || fast.watermarks.lock().expect("no test panics while it holds this").len();
    let before = watermarks();
    eventually("watermarks go on", async || watermarks() > before + 2 * usize::from(PARTITIONS)).await;
    assert!(slow.events().is_empty() && number(&database, UNSETTLED).await >= i64::try_from(BACKLOG).unwrap_or(0));
    slow.fail(None);
    eventually("all is settled", async || number(&database, UNSETTLED).await == 0).await;
    for recorder in [fast, slow] {
        let mut revisions: Vec<u64> = recorder.events().iter().map(|event| event.revision).collect();
        revisions.sort_unstable();
        revisions.dedup();
        assert_eq!(revisions, (1..=BACKLOG).collect::<Vec<_>>());
    }
    ground.platform.stop(Duration::from_secs(5)).await;
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_larger_than_the_memory_bus_arrives_and_a_group_that_takes_nothing_stops_no_other(
    #[case] engine: Engine,
) {
    let (bus, most) = (Arc::new(MemoryBus::new(&config())), Arc::new(AtomicUsize::new(0)));
    let watching = {
        let (bus, most) = (Arc::clone(&bus), Arc::clone(&most));
        tokio::spawn(async move {
            loop {
                for (partition, group) in (0..PARTITIONS).flat_map(|partition| [(partition, GROUP), (partition, SLOW)])
                {
                    most.fetch_max(bus.held(&lane(SERVICE, group), partition).0, Ordering::Relaxed);
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
    };
    backlog_arrives(&Ground::new(engine), bus).await;
    watching.abort();
    assert!(most.load(Ordering::Relaxed) <= BOUND, "it held {most:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_larger_than_redis_may_hold_arrives_and_a_group_that_takes_nothing_stops_no_other() {
    let bus = RedisBus::new(&shared_redis().url(), &config()).expect("a URL");
    backlog_arrives(&Ground::new(Engine::Postgres), Arc::new(bus)).await;
}
