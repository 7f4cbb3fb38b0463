//! What both buses promise, proved on both by one suite.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rapport_bus::{Bus, BusConfig, Delivery, Entry, MemoryBus, RedisBus, Subscription, is_lost};
use rapport_harness::shared_redis;
use rapport_kernel::Kind;

const SOON: Duration = Duration::from_millis(200);
const NOW: Duration = Duration::ZERO;

/// Both buses, each empty, with limits of the test's own.
fn buses(limits: impl Fn(&mut BusConfig)) -> Vec<(&'static str, Arc<dyn Bus>)> {
    let mut config = BusConfig { prefix: format!("test-{}", uuid::Uuid::now_v7()), ..BusConfig::default() };
    limits(&mut config);
    let redis = RedisBus::new(&shared_redis().url(), &config).expect("a URL");
    vec![("memory", Arc::new(MemoryBus::new(&config)) as Arc<dyn Bus>), ("redis", Arc::new(redis))]
}

fn both() -> Vec<(&'static str, Arc<dyn Bus>)> {
    buses(|_| ())
}

fn entries(positions: impl IntoIterator<Item = u64>) -> Vec<Entry> {
    positions.into_iter().map(|position| Entry { position, body: Bytes::from(format!("body {position}")) }).collect()
}

fn positions(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries.iter().map(|delivery| delivery.position).collect()
}

async fn commit_all(subscription: &mut dyn Subscription, deliveries: &[Delivery]) {
    subscription.commit(deliveries.last().expect("something came").id).await.expect("the bus is up");
}

#[tokio::test]
async fn entries_come_in_order_to_every_group_with_what_was_put_in() {
    for (name, bus) in both() {
        let epoch = bus.epoch("t", 0).await.expect("up");
        bus.publish("t", 0, &epoch, entries(1..=3)).await.expect("up");
        bus.publish("t", 0, &epoch, entries(4..=5)).await.expect("up");
        bus.publish("t", 1, &bus.epoch("t", 1).await.expect("up"), entries([1])).await.expect("up");
        for group in ["a", "b"] {
            let mut subscription = bus.subscribe("t", 0, group);
            let first = subscription.next(3, SOON).await.expect("up");
            assert_eq!(positions(&first), [1, 2, 3], "{name}");
            assert_eq!(first[1].body, "body 2", "{name}");
            assert!(first[0].id < first[1].id && first[1].id < first[2].id, "{name}");
            commit_all(&mut *subscription, &first).await;
            let rest = subscription.next(100, SOON).await.expect("up");
            assert_eq!(positions(&rest), [4, 5], "{name}");
            commit_all(&mut *subscription, &rest).await;
            assert!(subscription.next(100, NOW).await.expect("up").is_empty(), "{name}");
        }
    }
}

#[tokio::test]
async fn a_waiting_reader_is_woken_by_what_arrives() {
    for (name, bus) in both() {
        let epoch = bus.epoch("t", 0).await.expect("up");
        let mut subscription = bus.subscribe("t", 0, "g");
        let start = Instant::now();
        let publish = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            bus.publish("t", 0, &epoch, entries([1])).await.expect("up");
        };
        let (came, ()) = tokio::join!(subscription.next(10, Duration::from_secs(5)), publish);
        assert_eq!(positions(&came.expect("up")), [1], "{name}");
        assert!(start.elapsed() < Duration::from_secs(2), "{name}: {:?}", start.elapsed());
        let again = subscription_batch(&mut *subscription).await;
        commit_all(&mut *subscription, &again).await;
        let start = Instant::now();
        assert!(subscription.next(10, SOON).await.expect("up").is_empty(), "{name}");
        assert!(
            start.elapsed() >= SOON && start.elapsed() < SOON + Duration::from_secs(5),
            "{name}: {:?}",
            start.elapsed()
        );
    }
}

async fn subscription_batch(subscription: &mut dyn Subscription) -> Vec<Delivery> {
    subscription.next(100, SOON).await.expect("the bus is up")
}

#[tokio::test]
async fn what_was_not_committed_comes_again() {
    for (name, bus) in both() {
        let epoch = bus.epoch("t", 0).await.expect("up");
        bus.publish("t", 0, &epoch, entries(1..=6)).await.expect("up");
        let mut subscription = bus.subscribe("t", 0, "g");
        let first = subscription_batch(&mut *subscription).await;
        assert_eq!(subscription_batch(&mut *subscription).await, first, "{name}: nothing was committed");
        subscription.commit(first[3].id).await.expect("up");
        assert_eq!(positions(&subscription_batch(&mut *subscription).await), [5, 6], "{name}");
        // A repeated commit of an earlier delivery moves nothing back.
        let rest = subscription_batch(&mut *subscription).await;
        subscription.commit(rest[1].id).await.expect("up");
        assert!(subscription.commit(first[0].id).await.is_err(), "{name}: not of the last batch");
        assert!(subscription.next(10, NOW).await.expect("up").is_empty(), "{name}");
    }
}

#[tokio::test]
async fn another_member_takes_over_after_a_crash_and_gets_what_was_not_committed() {
    for (name, bus) in buses(|config| config.lease_seconds = 1) {
        let epoch = bus.epoch("t", 0).await.expect("up");
        bus.publish("t", 0, &epoch, entries(1..=4)).await.expect("up");
        let mut first = bus.subscribe("t", 0, "g");
        let mut second = bus.subscribe("t", 0, "g");
        let batch = subscription_batch(&mut *first).await;
        first.commit(batch[1].id).await.expect("up");
        assert!(second.next(10, NOW).await.expect("up").is_empty(), "{name}: the first one reads");
        // The first one falls silent, as in a crash: nobody tells the bus.
        let start = Instant::now();
        let taken = second.next(10, Duration::from_secs(5)).await.expect("up");
        assert_eq!(positions(&taken), [3, 4], "{name}");
        assert!(start.elapsed() < Duration::from_secs(3), "{name}: {:?}", start.elapsed());
        assert!(first.next(10, NOW).await.expect("up").is_empty(), "{name}: now the second one reads");
        // What the first one had applied it may still commit; it takes nothing back from the second.
        commit_all(&mut *second, &taken).await;
        second.leave().await;
        assert!(first.next(10, NOW).await.expect("up").is_empty(), "{name}: all is committed");
    }
}

#[tokio::test]
async fn a_member_that_leaves_is_followed_at_once() {
    for (name, bus) in both() {
        let epoch = bus.epoch("t", 0).await.expect("up");
        bus.publish("t", 0, &epoch, entries([1])).await.expect("up");
        let (mut first, mut second) = (bus.subscribe("t", 0, "g"), bus.subscribe("t", 0, "g"));
        assert_eq!(positions(&first.next(10, SOON).await.expect("up")), [1], "{name}");
        first.leave().await;
        assert_eq!(positions(&second.next(10, SOON).await.expect("up")), [1], "{name}");
    }
}

#[tokio::test]
async fn duplicates_and_watermarks_are_carried_and_do_not_confuse_positions() {
    for (name, bus) in both() {
        let epoch = bus.epoch("t", 0).await.expect("up");
        bus.publish("t", 0, &epoch, entries([0, 1, 2, 0])).await.expect("up");
        bus.publish("t", 0, &epoch, entries([1, 2, 3, 0])).await.expect("a relay that starts publishes again");
        let mut subscription = bus.subscribe("t", 0, "g");
        let batch = subscription_batch(&mut *subscription).await;
        assert_eq!(positions(&batch), [0, 1, 2, 0, 1, 2, 3, 0], "{name}");
        let settled = async || bus.settled("t", 0, &epoch, &["g"]).await.expect("up");
        subscription.commit(batch[0].id).await.expect("up");
        assert_eq!(settled().await, None, "{name}: a watermark settles nothing");
        let batch = subscription_batch(&mut *subscription).await;
        subscription.commit(batch[3].id).await.expect("up");
        assert_eq!(settled().await, Some(2), "{name}: a second 1 takes nothing back");
        let batch = subscription_batch(&mut *subscription).await;
        commit_all(&mut *subscription, &batch).await;
        assert_eq!(settled().await, Some(3), "{name}");
    }
}

#[tokio::test]
async fn settled_is_what_the_slowest_of_the_named_groups_committed() {
    for (name, bus) in both() {
        let epoch = bus.epoch("t", 0).await.expect("up");
        let settled = async |groups: &[&str]| bus.settled("t", 0, &epoch, groups).await.expect("up");
        assert_eq!(settled(&["a", "b"]).await, None, "{name}: nothing was published");
        bus.publish("t", 0, &epoch, entries(1..=5)).await.expect("up");
        assert_eq!(settled(&[]).await, Some(5), "{name}: nobody to wait for");
        bus.publish("t", 0, &epoch, entries(6..=9)).await.expect("up");
        let mut a = bus.subscribe("t", 0, "a");
        let batch = subscription_batch(&mut *a).await;
        commit_all(&mut *a, &batch).await;
        assert_eq!(settled(&["a", "b"]).await, None, "{name}: b never came");
        let mut b = bus.subscribe("t", 0, "b");
        let batch = subscription_batch(&mut *b).await;
        assert_eq!(positions(&batch), [6, 7, 8, 9], "{name}: kept for b, which must settle");
        b.commit(batch[1].id).await.expect("up");
        assert_eq!(settled(&["a", "b"]).await, Some(7), "{name}");
        assert_eq!(settled(&["a"]).await, Some(9), "{name}");
        assert_eq!(positions(&subscription_batch(&mut *b).await), [8, 9], "{name}: a group not named is waited for");
    }
}

#[tokio::test]
async fn a_slow_group_holds_the_relay_back_and_not_the_memory() {
    for (name, bus) in buses(|config| (config.max_entries, config.max_bytes) = (10, 1_000)) {
        let epoch = bus.epoch("t", 0).await.expect("up");
        let mut slow = bus.subscribe("t", 0, "slow");
        bus.publish("t", 0, &epoch, entries(1..=10)).await.expect("there is room");
        let fault = bus.publish("t", 0, &epoch, entries([11])).await.expect_err("no room");
        assert!(fault.kind() == Kind::Unavailable && !is_lost(&fault), "{name}: {fault:?}");
        let batch = slow.next(4, SOON).await.expect("up");
        commit_all(&mut *slow, &batch).await;
        assert_eq!(bus.settled("t", 0, &epoch, &["slow"]).await.expect("up"), Some(4), "{name}");
        bus.publish("t", 0, &epoch, entries(11..=14)).await.expect("there is room for four");
        assert!(bus.publish("t", 0, &epoch, entries([15])).await.is_err(), "{name}");
        let mut got = Vec::new();
        while let batch @ [_, ..] = &slow.next(3, NOW).await.expect("up")[..] {
            got.extend(positions(batch));
            commit_all(&mut *slow, batch).await;
        }
        assert_eq!(got, (5..=14).collect::<Vec<_>>(), "{name}: nothing was dropped");
        // By bytes as well; what is larger than the whole bound passes alone.
        assert_eq!(bus.settled("t", 0, &epoch, &["slow"]).await.expect("up"), Some(14), "{name}");
        let large = |position| vec![Entry { position, body: vec![7; 2_000].into() }];
        bus.publish("t", 0, &epoch, large(15)).await.expect("alone");
        assert!(bus.publish("t", 0, &epoch, large(16)).await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn a_missing_position_or_an_old_epoch_is_refused_as_lost() {
    for (name, bus) in both() {
        let epoch = bus.epoch("t", 0).await.expect("up");
        assert_eq!(bus.epoch("t", 0).await.expect("up"), epoch, "{name}: it stays");
        bus.publish("t", 0, &epoch, entries(7..=8)).await.expect("a partition may begin anywhere");
        let gap = bus.publish("t", 0, &epoch, entries([10])).await.expect_err("9 is missing");
        assert!(is_lost(&gap), "{name}: {gap:?}");
        let after = bus.epoch("t", 0).await.expect("up");
        assert_ne!(after, epoch, "{name}");
        let mut subscription = bus.subscribe("t", 0, "g");
        for old in [
            bus.publish("t", 0, &epoch, entries([9])).await.expect_err("old"),
            bus.settled("t", 0, &epoch, &["g"]).await.expect_err("old"),
        ] {
            assert!(is_lost(&old), "{name}: {old:?}");
        }
        bus.publish("t", 0, &after, entries(7..=10)).await.expect("from the lowest that is not settled");
        assert_eq!(positions(&subscription_batch(&mut *subscription).await), [7, 8, 9, 10], "{name}");
    }
}

#[tokio::test]
async fn a_commit_of_an_old_epoch_counts_nothing_in_the_new_one() {
    for (name, bus) in both() {
        let old = bus.epoch("t", 0).await.expect("up");
        bus.publish("t", 0, &old, entries(1..=5)).await.expect("up");
        let mut subscription = bus.subscribe("t", 0, "g");
        let batch = subscription_batch(&mut *subscription).await;
        bus.publish("t", 0, &old, entries([9])).await.expect_err("a gap: all is lost");
        let new = bus.epoch("t", 0).await.expect("up");
        bus.publish("t", 0, &new, entries(1..=9)).await.expect("up");
        commit_all(&mut *subscription, &batch).await;
        assert_eq!(bus.settled("t", 0, &new, &["g"]).await.expect("up"), None, "{name}");
        assert_eq!(subscription_batch(&mut *subscription).await.len(), 9, "{name}");
    }
}

#[tokio::test]
async fn what_is_older_than_the_retention_is_published_again_rather_than_skipped() {
    for (name, bus) in buses(|config| (config.retention_seconds, config.lease_seconds) = (1, 1)) {
        let epoch = bus.epoch("t", 0).await.expect("up");
        let mut gone = bus.subscribe("t", 0, "given up");
        bus.publish("t", 0, &epoch, entries(1..=3)).await.expect("up");
        gone.next(1, SOON).await.expect("up");
        let mut reader = bus.subscribe("t", 0, "g");
        let batch = subscription_batch(&mut *reader).await;
        reader.commit(batch[1].id).await.expect("up");
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let fault = bus.settled("t", 0, &epoch, &["g"]).await.expect_err("3 is too old and not committed");
        assert!(is_lost(&fault), "{name}: {fault:?}");
        let epoch = bus.epoch("t", 0).await.expect("up");
        bus.publish("t", 0, &epoch, entries([3])).await.expect("up");
        let batch = subscription_batch(&mut *reader).await;
        assert_eq!(positions(&batch), [3], "{name}");
        commit_all(&mut *reader, &batch).await;
        assert_eq!(bus.settled("t", 0, &epoch, &["g"]).await.expect("up"), Some(3), "{name}");
    }
}

#[tokio::test]
async fn large_batches_are_cut_so_that_a_reader_is_not_flooded() {
    for (name, bus) in buses(|config| config.max_bytes = 64 << 20) {
        let epoch = bus.epoch("t", 0).await.expect("up");
        for position in 1..=12 {
            let body = Bytes::from(vec![u8::try_from(position).expect("small"); 1 << 20]);
            bus.publish("t", 0, &epoch, vec![Entry { position, body }]).await.expect("there is room");
        }
        let mut subscription = bus.subscribe("t", 0, "g");
        let mut got = Vec::new();
        while let batch @ [_, ..] = &subscription.next(1_000, NOW).await.expect("up")[..] {
            assert!(batch.len() <= 4, "{name}: {} MiB at once", batch.len());
            got.extend(positions(batch));
            commit_all(&mut *subscription, batch).await;
        }
        assert_eq!(got, (1..=12).collect::<Vec<_>>(), "{name}");
    }
}
