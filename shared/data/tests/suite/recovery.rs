//! Loss and takeover: the bus loses everything, an instance goes away; nothing is lost and nobody has to act.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rapport_bus::{Bus, BusConfig, MemoryBus, RedisBus};
use rapport_data::{Database, Engine, PARTITIONS};
use rapport_harness::Redis;
use rapport_kernel::{SubjectId, TenantId};
use rstest::rstest;

use crate::ground::{GROUP, Ground, Recorder, SERVICE, UNSETTLED, event, eventually, number, publish, value};

/// Writes revisions 1 to 30 of ten things, and calls `meanwhile` now and then.
async fn write_while(database: &Database, tenant: TenantId, mut meanwhile: impl AsyncFnMut()) -> Vec<SubjectId> {
    let subjects: Vec<SubjectId> = (0..10).map(|_| SubjectId::new()).collect();
    for revision in 1..=30 {
        for subject in &subjects {
            publish(database, tenant, event(*subject, &subject.to_string(), revision)).await;
        }
        if revision % 7 == 0 {
            meanwhile().await;
        }
    }
    subjects
}

async fn all_stand(database: &Database, tenant: TenantId, subjects: &[SubjectId], recorder: &Recorder) {
    eventually("all events are settled", async || number(database, UNSETTLED).await == 0).await;
    for subject in subjects {
        assert_eq!(value(database, tenant, &subject.to_string()).await, Some(30));
    }
    // Every event came at least once, and in order but for what was published again.
    let mut seen: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for event in recorder.events() {
        let revisions = seen.entry(event.subject_id).or_default();
        let next = revisions.last().map_or(1, |last| last + 1);
        assert!(event.revision <= next, "revision {} came where {next} was next", event.revision);
        if event.revision == next {
            revisions.push(next);
        }
    }
    assert!(seen.values().all(|revisions| revisions.len() == 30));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_bus_in_memory_loses_is_published_again(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant, recorder) = (ground.open().await, TenantId::new(), Arc::new(Recorder::default()));
    let bus = Arc::new(MemoryBus::new(&BusConfig::default()));
    database.relay(&ground.platform, Arc::clone(&bus) as Arc<_>, vec![GROUP]);
    database.consume(&ground.platform, Arc::clone(&bus) as Arc<_>, GROUP, &[SERVICE], Arc::clone(&recorder) as Arc<_>);
    let subjects = write_while(&database, tenant, async || bus.lose_everything()).await;
    all_stand(&database, tenant, &subjects, &recorder).await;
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_redis_loses_or_does_not_take_is_published_again(#[case] engine: Engine) {
    let redis = Redis::start();
    let ground = Ground::new(engine);
    let (database, tenant, recorder) = (ground.open().await, TenantId::new(), Arc::new(Recorder::default()));
    let bus: Arc<dyn Bus> = Arc::new(RedisBus::new(&redis.url(), &BusConfig::default()).expect("a URL"));
    database.relay(&ground.platform, Arc::clone(&bus), vec![GROUP]);
    database.consume(&ground.platform, bus, GROUP, &[SERVICE], Arc::clone(&recorder) as Arc<_>);
    let mut faults = 0;
    let subjects = write_while(&database, tenant, async || {
        faults += 1;
        if faults % 2 == 0 {
            redis.flush();
        } else {
            redis.stop();
            tokio::time::sleep(Duration::from_millis(300)).await;
            redis.start_again();
        }
    })
    .await;
    all_stand(&database, tenant, &subjects, &recorder).await;
    ground.platform.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_instance_takes_over_where_one_stops_or_dies() {
    let ground = Ground::new(Engine::Postgres);
    let (database, tenant, recorder) = (ground.open().await, TenantId::new(), Arc::new(Recorder::default()));
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::new(&BusConfig { lease_seconds: 1, ..BusConfig::default() }));
    let mut instances = Vec::new();
    for _ in 0..3 {
        let (platform, instance) = ground.instance().await;
        instance.relay(&platform, Arc::clone(&bus), vec![GROUP]);
        instance.consume(&platform, Arc::clone(&bus), GROUP, &[SERVICE], Arc::clone(&recorder) as Arc<_>);
        instances.push(platform);
    }
    let subjects = write_while(&database, tenant, async || {
        if instances.len() > 1 {
            instances.remove(0).stop(Duration::from_secs(5)).await;
        }
    })
    .await;
    all_stand(&database, tenant, &subjects, &recorder).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_froze_gives_no_positions_after_another_took_over() {
    let ground = Ground::new(Engine::Postgres);
    let (database, tenant, recorder) = (ground.open().await, TenantId::new(), Arc::new(Recorder::default()));
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::new(&BusConfig::default()));
    database.consume(&ground.platform, Arc::clone(&bus), GROUP, &[SERVICE], Arc::clone(&recorder) as Arc<_>);
    let (frozen, instance) = ground.instance().await;
    instance.relay(&frozen, Arc::clone(&bus), vec![GROUP]);
    publish(&database, tenant, event(SubjectId::new(), "thing", 1)).await;
    eventually("the first relay works", async || recorder.events().len() == 1).await;
    // Its lease is taken from it, as if it had been frozen for longer than the lease lasts.
    rapport_harness::shared_postgres().execute(
        ground.url(),
        "UPDATE relay SET holder = '00000000-0000-7000-8000-000000000001', expires_at = 4000000000000000",
    );
    let subjects: Vec<SubjectId> = (0..20).map(|_| SubjectId::new()).collect();
    for subject in &subjects {
        publish(&database, tenant, event(*subject, "thing", 1)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let placed = "SELECT count(*) FROM outbox WHERE position IS NOT NULL";
    assert_eq!(number(&database, placed).await, 1, "it is not its turn");
    rapport_harness::shared_postgres().execute(ground.url(), "UPDATE relay SET expires_at = 0");
    eventually("it takes them back", async || recorder.events().len() == 21).await;
    assert!(subjects.iter().all(|subject| subject.partition(PARTITIONS) < PARTITIONS));
}
