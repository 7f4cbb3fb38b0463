//! What profiles tells: every change by an event with the whole new state, and the shared context.

use std::time::Duration;

use prost::Message as _;
use rapport_api::events::v1::event::Payload;
use rapport_api::events::v1::{CustomerContext, Event};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::ground::*;
use crate::merges::merge;

fn told(events: &[Event]) -> Vec<(String, String, u64)> {
    let line = |event: &Event| (event.aggregate_type.clone(), event.aggregate_id.clone(), event.revision);
    let mut lines: Vec<_> = events.iter().map(line).collect();
    lines.sort();
    lines
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_tells_of_both_profiles_and_of_the_record_that_moved(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut reader = ground.reader();
    let first = customer(&ground.identify(tenant, states("1", &[("city", "Riga")], 1)).await);
    let second = customer(&ground.record(tenant, "2", &[]).await);
    let line = |kind: &str, id: &str, revision: u64| (kind.to_owned(), id.to_owned(), revision);
    let mut expected = vec![
        line("profile", &first, 1),
        line("link", &first, 1),
        line("profile", &second, 1),
        line("link", &second, 1),
    ];
    expected.sort();
    assert_eq!(told(&reader.next(4).await), expected);
    ground.profiles(tenant).merge_profiles(merge(&first, &[&second])).await.expect("merged");
    let events = reader.next(3).await;
    let mut expected = vec![line("profile", &first, 2), line("profile", &second, 2), line("link", &second, 2)];
    expected.sort();
    assert_eq!(told(&events), expected);
    for event in events {
        match event.payload.expect("a payload") {
            Payload::ProfileChanged(changed) if event.aggregate_id == first => {
                let context = changed.context.expect("the whole new state");
                assert_eq!(context.subject_ids, [first.clone(), second.clone()]);
                assert_eq!((context.revision, context.traits.len()), (2, 1));
            }
            Payload::ProfileChanged(changed) => {
                assert!(changed.context.is_none() && changed.merged_into == first);
            }
            Payload::SubjectLinked(linked) => {
                assert_eq!((linked.from_customer_id, linked.to_customer_id), (second.clone(), first.clone()));
                assert_eq!(event.subject_id, second);
            }
            _ => panic!("nothing else happened"),
        }
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shared_context_follows_every_change(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let first = customer(&ground.identify(tenant, states("1", &[("city", "Riga")], 1)).await);
    let second = customer(&ground.record(tenant, "2", &[]).await);
    ground.profiles(tenant).merge_profiles(merge(&first, &[&second])).await.expect("merged");
    let id = first.parse().expect("a UUID");
    for _ in 0..1_600 {
        if let Some(cached) = ground.cache.get(tenant, id, 2).await {
            let context = CustomerContext::decode(&*(*cached.value).clone()).expect("a context");
            assert_eq!((&context.customer_id, context.subject_ids.len()), (&first, 2));
            // The other's leaves with an event of its own, in a partition of its own.
            if ground.cache.get(tenant, second.parse().expect("a UUID"), 0).await.is_none() {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the context reaches the cache, and that of the customer merged away leaves it");
}
