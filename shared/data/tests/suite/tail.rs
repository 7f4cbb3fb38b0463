//! Reading along: every event once and in order, from any place on, on any instance; what is gone is told.

use std::collections::BTreeMap;
use std::time::Duration;

use rapport_data::{Database, Engine, Places, Tail, Tx};
use rapport_kernel::{Reason, SubjectId, TenantId};
use rstest::rstest;

use crate::ground::{Ground, UNSETTLED, event, eventually, line, memory, number, publish};

const PATIENCE: Duration = Duration::from_secs(20);

/// The next `count` events as (subject, revision), and the place after each.
async fn take(tail: &mut Tail, count: usize) -> Vec<(String, u64, Places)> {
    let mut found = Vec::new();
    while found.len() < count {
        let tailed = tail.next(PATIENCE).await.expect("up").expect("it comes");
        found.push((tailed.event.subject_id, tailed.event.revision, tailed.places));
    }
    found
}

async fn tail(database: &Database, tenant: TenantId, from: Option<Places>) -> Tail {
    database.tail(tenant, &[], from).await.expect("it is held")
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_is_told_each_event_once_and_in_order_wherever_it_goes_on(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, _) = line(&ground, memory()).await;
    // On Postgres the watchers are on another instance than the relay.
    let watched = if engine == Engine::Postgres { ground.instance().await.1 } else { database.clone() };
    let (tenant, other) = (TenantId::new(), TenantId::new());
    let subjects: Vec<SubjectId> = (0..5).map(|_| SubjectId::new()).collect();
    publish(&database, tenant, event(subjects[0], "before", 1)).await;
    eventually("it has its position", async || number(&database, UNSETTLED).await == 0).await;
    let mut first = tail(&watched, tenant, None).await;
    let start = first.places().clone();
    let writers = subjects.iter().map(|subject| {
        let database = database.clone();
        async move {
            for revision in 1..=20 {
                publish(&database, tenant, event(*subject, "thing", revision)).await;
                publish(&database, other, event(*subject, "thing", revision)).await;
            }
        }
    });
    let (all, _) = tokio::join!(take(&mut first, 100), futures::future::join_all(writers));
    let mut last = BTreeMap::<&str, u64>::new();
    for (subject, revision, _) in &all {
        assert_eq!(last.insert(subject, *revision).unwrap_or(0) + 1, *revision, "in order, once, of this tenant alone");
    }
    assert!(first.next(Duration::from_millis(50)).await.expect("up").is_none(), "there is no more");
    // Whoever goes on after any of them is told the rest of each subject, and nothing twice.
    for cut in [0, 1, 37, 99, 100] {
        let from = if cut == 0 { start.clone() } else { all[cut - 1].2.clone() };
        let mut again = tail(&watched, tenant, Some(from)).await;
        let mut rest: Vec<_> = take(&mut again, 100 - cut).await.into_iter().map(|(of, at, _)| (of, at)).collect();
        let mut expected: Vec<_> = all[cut..].iter().map(|(of, at, _)| (of.clone(), *at)).collect();
        rest.sort();
        expected.sort();
        assert_eq!(rest, expected, "after {cut}");
        assert!(again.next(Duration::from_millis(20)).await.expect("up").is_none());
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_whose_followers_were_swept_is_refused_and_the_erased_pass_unseen(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, _) = line(&ground, memory()).await;
    let (tenant, kept, erased) = (TenantId::new(), SubjectId::new(), SubjectId::new());
    eventually("the relay began", async || number(&database, "SELECT count(*) FROM relay").await == 8).await;
    let start = tail(&database, tenant, None).await.places().clone();
    for revision in 1..=3 {
        publish(&database, tenant, event(kept, "thing", revision)).await;
        publish(&database, tenant, event(erased, "thing", revision)).await;
    }
    eventually("all are settled", async || number(&database, UNSETTLED).await == 0).await;
    let erase = move |tx: Tx| async move { tx.erase(&[erased]).await };
    database.write_erasing(tenant, erase).await.expect("up");
    let mut late = tail(&database, tenant, Some(start.clone())).await;
    let told = take(&mut late, 3).await;
    assert!(told.iter().all(|(subject, ..)| *subject == kept.to_string()));
    assert!(late.next(Duration::from_millis(20)).await.expect("up").is_none());
    let end = late.places().clone();
    ground.clock.advance(Duration::from_secs(2 * 3_600));
    database.sweep().await.expect("up");
    let refused = database.tail(tenant, &[], Some(start)).await.err().expect("it is refused");
    assert_eq!(refused.reason, Reason::TokenExpired);
    // Whoever had seen all of it goes on.
    let mut on = tail(&database, tenant, Some(end)).await;
    publish(&database, tenant, event(kept, "thing", 4)).await;
    assert_eq!(take(&mut on, 1).await[0].1, 4);
}
