//! What one instance at a time does, and what is due.

use std::collections::BTreeSet;
use std::time::Duration;

use rapport_data::{Engine, Tx};
use rapport_kernel::{SubjectId, TenantId, Timestamp};
use rstest::rstest;
use tokio::time::sleep;

use crate::ground::Ground;

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_has_one_holder_until_it_ends_or_is_given_up(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (one, (_platform, other)) = (ground.open().await.system(), ground.instance().await);
    let other = other.system();
    let short = Duration::from_millis(300);
    assert!(one.lease("learner", short).await.expect("up"));
    assert!(!other.lease("learner", short).await.expect("up"), "another has it");
    assert!(one.lease("learner", short).await.expect("up"), "the holder renews");
    sleep(Duration::from_millis(400)).await;
    assert!(other.lease("learner", short).await.expect("up"), "it ended");
    assert!(!one.lease("learner", short).await.expect("up"));
    other.release("learner").await.expect("up");
    assert!(one.lease("learner", short).await.expect("up"), "it was given up");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_is_taken_by_one_worker_at_a_time(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let database = ground.open().await;
    let tenants = [TenantId::new(), TenantId::new()];
    let start = Timestamp::from_column(1_750_000_000_000_000);
    for n in 0..40_u64 {
        let (subject, due) = (SubjectId::new(), start.plus(Duration::from_secs(n)));
        let unit = move |tx: Tx| async move { tx.wake_at(subject, Some(due)).await };
        database.write(tenants[usize::from(n % 2 == 0)], unit).await.expect("up");
    }
    let system = database.system();
    assert_eq!(system.take_due(100, Duration::from_secs(5)).await.expect("up").len(), 1, "only the first is due yet");
    ground.clock.advance(Duration::from_secs(60));
    let lease = Duration::from_secs(60);
    let takes = (0..8).map(|_| system.take_due(10, lease));
    let taken: Vec<_> = futures::future::join_all(takes).await.into_iter().flat_map(|some| some.expect("up")).collect();
    let distinct: BTreeSet<_> = taken.iter().map(|wakeup| (wakeup.tenant, wakeup.subject)).collect();
    assert_eq!(distinct.len(), taken.len(), "none is taken twice");
    assert_eq!(taken.len(), 39);
    // What was looked at is done with; what asks again comes again.
    let (done, again) = (taken[0], taken[1]);
    let unit = move |tx: Tx| async move { tx.wake_at(done.subject, None).await };
    database.write(done.tenant, unit).await.expect("up");
    let unit = move |tx: Tx| async move { tx.wake_at(again.subject, Some(tx.now())).await };
    database.write(again.tenant, unit).await.expect("up");
    let next = system.take_due(100, lease).await.expect("up");
    assert_eq!(next.iter().map(|wakeup| wakeup.subject).collect::<Vec<_>>(), [again.subject]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_worker_left_undone_is_due_again(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let (database, tenant, subject) = (ground.open().await, TenantId::new(), SubjectId::new());
    let unit = move |tx: Tx| async move { tx.wake_at(subject, Some(tx.now())).await };
    database.write(tenant, unit).await.expect("up");
    let system = database.system();
    assert_eq!(system.take_due(10, Duration::from_millis(200)).await.expect("up").len(), 1);
    assert!(system.take_due(10, Duration::from_millis(200)).await.expect("up").is_empty());
    sleep(Duration::from_millis(300)).await;
    assert_eq!(system.take_due(10, Duration::from_millis(200)).await.expect("up").len(), 1);
}
