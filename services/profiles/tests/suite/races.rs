//! Many at once: one effect, one customer, nothing half done.

use std::collections::BTreeSet;

use futures::future::join_all;
use rapport_api::convert::timestamp;
use rapport_api::profiles::v1::{GetProfileRequest, IdentifyRequest};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, TenantId};
use rstest::rstest;

use crate::ground::*;
use crate::merges::merge;

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_calls_with_one_request_id_have_one_effect(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let request =
        IdentifyRequest { request_id: uuid::Uuid::new_v4().to_string(), ..says("1", &[("email", "a@example.com")]) };
    let answers = join_all((0..50).map(|_| ground.identify(tenant, request.clone()))).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(profile(&answers[0]).revision, 1);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_new_records_that_share_an_identifier_become_one_customer(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let request = |number: usize| says(&format!("{number}"), &[("email", "a@example.com")]);
    join_all((0..50).map(|number| ground.identify(tenant, request(number)))).await;
    let one = ground.get(tenant, by_identifier("email", "a@example.com")).await.expect("there");
    assert_eq!(one.records.len(), 50);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merges_in_a_circle_end_in_one_customer(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    for round in 0..5 {
        let mut ids = Vec::new();
        for name in ["a", "b", "c", "d"] {
            ids.push(customer(&ground.record(tenant, &format!("{round}{name}"), &[]).await));
        }
        let circle = (0..ids.len()).map(|at| merge(&ids[at], &[&ids[(at + 1) % ids.len()]]));
        let circle = circle.map(|request| {
            let mut profiles = ground.profiles(tenant);
            async move { profiles.merge_profiles(request).await }
        });
        for result in join_all(circle).await {
            result.expect("every one of them is done");
        }
        let mut customers = BTreeSet::new();
        for id in &ids {
            let profile = ground.get(tenant, by_id(id)).await.expect("every id works");
            assert_eq!(profile.records.len(), 4);
            customers.insert(profile.customer_id);
        }
        assert_eq!(customers.len(), 1);
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_and_merges_at_once_lose_nothing(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let first = customer(&ground.record(tenant, "0", &[]).await);
    let mut others = Vec::new();
    for number in 1..6 {
        others.push(customer(&ground.record(tenant, &number.to_string(), &[]).await));
    }
    let statements =
        (0..30).map(|at| ground.identify(tenant, states(&format!("{}", at % 6), &[(&format!("t{at}"), "x")], at)));
    let merges = others.iter().map(|other| {
        let (mut profiles, request) = (ground.profiles(tenant), merge(&first, &[other]));
        async move { profiles.merge_profiles(request).await.expect("merged") }
    });
    tokio::join!(join_all(statements), join_all(merges));
    let one = ground.get(tenant, by_id(&first)).await.expect("there");
    assert_eq!((one.records.len(), one.traits.len()), (6, 30));
}

/// A unit may begin before another that is committed while it waits, and clocks of two instances differ.
#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test]
async fn what_is_declared_last_counts_though_its_clock_is_behind(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(customer(&ground.record(tenant, name, &[]).await));
    }
    let mut profiles = ground.profiles(tenant);
    profiles.merge_profiles(merge(&ids[0], &[&ids[1]])).await.expect("merged");
    let now = ground.clock.now();
    ground.clock.set(now.minus(std::time::Duration::from_secs(5)));
    let merged = profiles.merge_profiles(merge(&ids[2], &[&ids[0]])).await.expect("merged").into_inner();
    let merged = merged.profile.expect("a profile");
    assert_eq!((merged.customer_id.as_str(), merged.records.len()), (ids[2].as_str(), 3), "the last target survives");
    ground.clock.set(now.plus(std::time::Duration::from_secs(1)));
    for id in &ids {
        assert_eq!(ground.get(tenant, by_id(id)).await.expect("every id works").customer_id, ids[2]);
        let request = GetProfileRequest {
            customer: Some(by_id(id)),
            as_of: Some(timestamp(ground.clock.now())),
            ..GetProfileRequest::default()
        };
        let past = profiles.get_profile(request).await.expect("it was known").into_inner();
        assert_eq!(past.records.len(), 3, "the links' times do not go back");
    }
}
