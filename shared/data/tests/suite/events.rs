//! From the outbox over the bus to a consumer: in order, effects once, poison aside.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use rapport_api::events::v1::Event;
use rapport_bus::{Bus, Delivery, DeliveryId, Entry, MemoryBus, Subscription};
use rapport_data::{Engine, Rebuild, Retold, Stored as _, Tx};
use rapport_kernel::{Clock as _, EventId, Fault, SubjectId, TenantId};
use rstest::rstest;
use sea_orm::ConnectionTrait as _;

use crate::ground::{
    GAPS, GROUP, Ground, Recorder, SERVICE, UNSETTLED, count, encoded, event, eventually, line, memory, number,
    publish, sql, value,
};

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_come_once_and_in_order_for_each_subject_and_are_settled_and_swept(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, recorder) = line(&ground, memory()).await;
    let tenants = [TenantId::new(), TenantId::new()];
    let writers = (0..12_usize).map(|n| {
        let (database, tenant, subject) = (database.clone(), tenants[n % 2], SubjectId::new());
        async move {
            for revision in 1..=25 {
                publish(&database, tenant, event(subject, "thing", revision)).await;
            }
        }
    });
    futures::future::join_all(writers).await;
    eventually("all events are applied", async || recorder.events().len() >= 300).await;
    eventually("all events are settled", async || number(&database, UNSETTLED).await == 0).await;
    let events = recorder.events();
    let distinct: BTreeSet<&str> = events.iter().map(|event| event.event_id.as_str()).collect();
    assert_eq!((events.len(), distinct.len()), (300, 300), "no fault, no duplicates");
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for event in &events {
        let before = last.insert(&event.subject_id, event.revision).unwrap_or(0);
        assert_eq!(event.revision, before + 1, "in order");
        assert!(event.recorded_at.is_some() && event.schema_version == 1);
    }
    assert_eq!(number(&database, GAPS).await, 0, "positions are dense");
    database.sweep().await.expect("up");
    assert_eq!(number(&database, "SELECT count(*) FROM outbox").await, 300, "kept for a while");
    ground.clock.advance(Duration::from_secs(2 * 3_600));
    database.sweep().await.expect("up");
    assert_eq!(number(&database, "SELECT count(*) FROM outbox").await, 0);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_unit_is_applied_in_transactions_of_at_most_a_thousand(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, recorder) = line(&ground, memory()).await;
    let (tenant, subject) = (TenantId::new(), SubjectId::new());
    let unit = move |tx: Tx| async move {
        for revision in 1..=2_500 {
            tx.publish(event(subject, "thing", revision)).await?;
        }
        Ok(())
    };
    database.write(tenant, unit).await.expect("up");
    eventually("all events are applied", async || recorder.events().len() >= 2_500).await;
    let revisions: Vec<u64> = recorder.events().iter().map(|event| event.revision).collect();
    assert_eq!(revisions, (1..=2_500).collect::<Vec<_>>());
    let largest = *recorder.largest.lock().expect("no test panics while it holds this");
    assert!((2..=1_000).contains(&largest), "{largest}");
}

/// The bus in memory, whose deliveries come twice and in any order within what is read at once.
struct Unruly(Arc<MemoryBus>);
struct UnrulyReader(Box<dyn Subscription>, DeliveryId);

impl Bus for Unruly {
    fn epoch<'a>(&'a self, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<String, Fault>> {
        self.0.epoch(topic, partition)
    }
    fn publish<'a>(
        &'a self,
        topic: &'a str,
        partition: u16,
        epoch: &'a str,
        entries: Vec<Entry>,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        self.0.publish(topic, partition, epoch, entries)
    }
    fn subscribe(&self, topic: &str, partition: u16, group: &str) -> Box<dyn Subscription> {
        Box::new(UnrulyReader(self.0.subscribe(topic, partition, group), DeliveryId::default()))
    }
    fn settled<'a>(
        &'a self,
        topic: &'a str,
        partition: u16,
        epoch: &'a str,
        groups: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Option<u64>, Fault>> {
        self.0.settled(topic, partition, epoch, groups)
    }
}

impl Subscription for UnrulyReader {
    fn next(&mut self, max: usize, wait: Duration) -> BoxFuture<'_, Result<Vec<Delivery>, Fault>> {
        Box::pin(async move {
            // Some time to gather, so that there is something to shuffle.
            tokio::time::sleep(Duration::from_millis(30)).await;
            let mut deliveries = self.0.next(max / 3, wait).await?;
            self.1 = deliveries.last().map_or(self.1, |last| last.id);
            deliveries.extend(deliveries.clone());
            deliveries.extend(deliveries.clone());
            for at in (1..deliveries.len()).rev() {
                deliveries.swap(at, rand::random_range(0..=at));
            }
            Ok(deliveries)
        })
    }
    fn commit(&mut self, _: DeliveryId) -> BoxFuture<'_, Result<(), Fault>> {
        self.0.commit(self.1)
    }
    fn leave(&mut self) -> BoxFuture<'_, ()> {
        self.0.leave()
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shuffled_and_repeated_deliveries_leave_the_same_state(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, recorder) = line(&ground, Arc::new(Unruly(memory()))).await;
    let tenant = TenantId::new();
    let subjects: Vec<SubjectId> = (0..20).map(|_| SubjectId::new()).collect();
    for revision in 1..=10 {
        let subjects = subjects.clone();
        let unit = move |tx: Tx| {
            let subjects = subjects.clone();
            async move {
                for subject in subjects {
                    tx.publish(event(subject, &subject.to_string(), revision)).await?;
                }
                Ok(())
            }
        };
        database.write(tenant, unit).await.expect("up");
    }
    eventually("all events are settled", async || number(&database, UNSETTLED).await == 0).await;
    assert!(recorder.events().len() >= 600, "each came several times");
    for subject in subjects {
        assert_eq!(value(&database, tenant, &subject.to_string()).await, Some(10), "the newest state stands");
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_is_set_aside_alone_and_replayed_when_its_cause_is_mended(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, recorder) = line(&ground, memory()).await;
    let tenant = TenantId::new();
    recorder.fail(Some(|event| match event.revision {
        13 => Some(Fault::internal("unlucky")),
        14 => panic!("very unlucky"),
        _ => None,
    }));
    let unit = move |tx: Tx| async move {
        for revision in 1..=40 {
            tx.publish(event(SubjectId::new(), &format!("thing {revision}"), revision)).await?;
        }
        Ok(())
    };
    database.write(tenant, unit).await.expect("up");
    eventually("all but two are applied", async || recorder.events().len() >= 38).await;
    eventually("all events are settled", async || number(&database, UNSETTLED).await == 0).await;
    let letters = database.dead_letters(GROUP, None).await.expect("up");
    assert_eq!(letters.len(), 2);
    assert!(
        letters.iter().all(|letter| letter.tenant == tenant && letter.topic == SERVICE && letter.subject.is_some())
    );
    assert!(letters.iter().any(|letter| letter.reason.contains("unlucky")), "{letters:?}");
    assert!(database.dead_letters(GROUP, letters.last()).await.expect("up").is_empty());
    assert_eq!(value(&database, tenant, "thing 13").await, None, "nothing of it was kept");
    let replayed = database.replay_dead_letters(GROUP, Arc::clone(&recorder) as Arc<_>).await.expect("up");
    assert_eq!((replayed.applied, replayed.failed), (0, 2), "the cause is still there");
    recorder.fail(None);
    let replayed = database.replay_dead_letters(GROUP, Arc::clone(&recorder) as Arc<_>).await.expect("up");
    assert_eq!((replayed.applied, replayed.failed), (2, 0));
    assert!(database.dead_letters(GROUP, None).await.expect("up").is_empty());
    assert_eq!(value(&database, tenant, "thing 13").await, Some(13));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_applied_for_now_waits_in_order(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, recorder) = line(&ground, memory()).await;
    let (tenant, subject) = (TenantId::new(), SubjectId::new());
    recorder.fail(Some(|_| Some(Fault::unavailable("a peer", "down"))));
    for revision in 1..=5 {
        publish(&database, tenant, event(subject, "thing", revision)).await;
    }
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(recorder.events().is_empty());
    recorder.fail(None);
    eventually("all events are applied", async || recorder.events().len() >= 5).await;
    let revisions: Vec<u64> = recorder.events().iter().map(|event| event.revision).collect();
    assert_eq!(revisions, [1, 2, 3, 4, 5]);
    assert!(database.dead_letters(GROUP, None).await.expect("up").is_empty());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_no_event_do_not_hold_up_those_behind(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, bus, recorder) = (ground.open().await, memory(), Arc::new(Recorder::default()));
    let good = Event {
        event_id: EventId::new().to_string(),
        tenant: TenantId::new().to_string(),
        subject_id: SubjectId::new().to_string(),
        revision: 1,
        ..Event::default()
    };
    database.consume(&ground.platform, Arc::clone(&bus) as Arc<_>, GROUP, &["alien"], Arc::clone(&recorder) as Arc<_>);
    let bodies = [Bytes::from_static(b"\xff\xff garbage"), Bytes::new(), Bytes::from(encoded(&good))];
    let entries = (1..).zip(bodies).map(|(position, body)| Entry { position, body }).collect();
    let lane = rapport_data::lane("alien", GROUP);
    let epoch = bus.epoch(&lane, 3).await.expect("up");
    bus.publish(&lane, 3, &epoch, entries).await.expect("up");
    eventually("the good one is applied", async || recorder.events().len() == 1).await;
    let letters = database.dead_letters(GROUP, None).await.expect("up");
    assert_eq!(letters.len(), 1);
    assert!(letters[0].tenant.uuid().is_nil() && letters[0].subject.is_none());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_effect_is_applied_the_first_time_only(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant, id) = (ground.open().await, TenantId::new(), EventId::new());
    let attempts = (0..20).map(|_| {
        database.write(tenant, move |tx: Tx| async move {
            if tx.first_time(GROUP, id).await? { count(&tx, "effect").await.map(|_| true) } else { Ok(false) }
        })
    });
    let first = futures::future::join_all(attempts).await.into_iter().filter(|result| *result.as_ref().expect("up"));
    assert_eq!(first.count(), 1);
    assert_eq!(value(&database, tenant, "effect").await, Some(1));
    let other = database.write(tenant, move |tx: Tx| async move { tx.first_time("others", id).await });
    assert!(other.await.expect("up"), "another group has its own first time");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watermark_says_that_all_committed_before_it_was_applied(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, recorder) = line(&ground, memory()).await;
    let (tenant, subject) = (TenantId::new(), SubjectId::new());
    let partition = subject.partition(rapport_data::PARTITIONS);
    let mut committed = Vec::new();
    for revision in 1..=20 {
        publish(&database, tenant, event(subject, "thing", revision)).await;
        committed.push(ground.clock.now());
        ground.clock.advance(Duration::from_millis(50));
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let marks = || recorder.watermarks.lock().expect("no test panics while it holds this").clone();
    eventually("marks come for all partitions", async || {
        marks().iter().map(|(partition, ..)| *partition).collect::<BTreeSet<_>>().len() == 8
    })
    .await;
    eventually("a mark follows the last event", async || {
        marks().iter().any(|(of, at, _)| *of == partition && *at > committed[19])
    })
    .await;
    let mut checked = 0;
    for (_, at, applied) in marks().into_iter().filter(|(of, ..)| *of == partition) {
        let before = committed.iter().filter(|instant| **instant < at).count();
        assert!(applied >= before, "{before} were committed before the mark, {applied} applied");
        checked += 1;
    }
    assert!(checked >= 3, "{checked} marks");
}

/// Tells each note as a thing of a subject that is found from its name.
struct Notes;

impl Rebuild for Notes {
    fn page(&self, tx: Tx, after: Option<String>) -> BoxFuture<'_, Result<Retold, Fault>> {
        Box::pin(async move {
            let text = "SELECT name, value FROM note WHERE tenant = $1 AND name > $2 ORDER BY name LIMIT 3";
            let values = [tx.tenant().uuid().into(), after.unwrap_or_default().into()];
            let rows = tx.conn().query_all_raw(sql(&tx, text, values)).await.stored()?;
            let mut events = Vec::new();
            for row in &rows {
                let (name, revision): (String, i64) =
                    (row.try_get_by_index(0).stored()?, row.try_get_by_index(1).stored()?);
                events.push(event(
                    name.parse().map_err(Fault::internal)?,
                    &name,
                    u64::try_from(revision).expect("small"),
                ));
            }
            let next = if events.len() == 3 { events.last().map(|last| last.aggregate_id.clone()) } else { None };
            Ok(Retold { events, next })
        })
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_tells_the_current_state_of_every_tenant_again(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenants) = (ground.open().await, [TenantId::new(), TenantId::new()]);
    for tenant in tenants {
        for _ in 0..7 {
            let name = SubjectId::new().to_string();
            for _ in 0..3 {
                let name = name.clone();
                let unit = move |tx: Tx| {
                    let name = name.clone();
                    async move { count(&tx, &name).await }
                };
                database.write(tenant, unit).await.expect("up");
            }
        }
    }
    let (bus, recorder) = (memory(), Arc::new(Recorder::default()));
    database.relay(&ground.platform, Arc::clone(&bus) as Arc<_>, vec![GROUP]);
    database.consume(&ground.platform, bus, GROUP, &[SERVICE], Arc::clone(&recorder) as Arc<_>);
    assert_eq!(database.replay(Arc::new(Notes)).await.expect("up"), 14);
    eventually("all are told", async || recorder.events().len() == 14).await;
    assert!(recorder.events().iter().all(|event| event.revision == 3));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_consumers_events_are_settled_at_once(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant) = (ground.open().await, TenantId::new());
    database.relay(&ground.platform, memory(), vec![]);
    publish(&database, tenant, event(SubjectId::new(), "thing", 1)).await;
    eventually("it is settled", async || number(&database, UNSETTLED).await == 0).await;
}
