//! Many at once: one effect, one customer, nothing half done.

use std::collections::BTreeSet;

use futures::future::join_all;
use rapport_api::convert::timestamp;
use rapport_api::profiles::v1::{GetProfileRequest, IdentifyRequest};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, TenantId};
use rstest::rstest;

use crate::erasure::erase;
use crate::ground::*;
use crate::merges::{merge, split};

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

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_merged_into_the_other_at_once_is_one_customer_and_no_circle(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    for round in 0..10 {
        let one = customer(&ground.record(tenant, &format!("{round}a"), &[]).await);
        let other = customer(&ground.record(tenant, &format!("{round}b"), &[]).await);
        let (mut there, mut back) = (ground.profiles(tenant), ground.profiles(tenant));
        let there = there.merge_profiles(merge(&one, &[&other]));
        let back = back.merge_profiles(merge(&other, &[&one]));
        let (there, back) = tokio::join!(there, back);
        there.expect("done");
        back.expect("done");
        let profile = ground.get(tenant, by_id(&one)).await.expect("every id works");
        assert!(profile == ground.get(tenant, by_id(&other)).await.expect("every id works"));
        assert_eq!(names(&profile), [format!("{round}a"), format!("{round}b")]);
        ground.profiles(tenant).split_profile(split(&one, &[&format!("{round}a")])).await.expect("parted");
        for id in [&one, &other] {
            assert_eq!(&ground.get(tenant, by_id(id)).await.expect("there").customer_id, id);
        }
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_while_one_of_them_is_erased_leaves_nothing_of_it(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    for round in 0..8 {
        let stays = ground.identify(tenant, states(&format!("{round}s"), &[("city", "Riga")], 1)).await;
        let goes = ground.identify(tenant, states(&format!("{round}g"), &[("nick", "canary")], 2)).await;
        let (stays, goes) = (customer(&stays), customer(&goes));
        let target_goes = round % 2 == 0;
        let request = if target_goes { merge(&goes, &[&stays]) } else { merge(&stays, &[&goes]) };
        let mut profiles = ground.profiles(tenant);
        let gone = [goes.as_str()];
        let (merged, _) = tokio::join!(profiles.merge_profiles(request), erase(&ground, tenant, &gone));
        if let Err(status) = merged {
            assert_eq!(reason::<()>(Err(status)), "RESOURCE_NOT_FOUND", "the erasure came first");
        }
        let left = ground.get(tenant, by_id(&stays)).await.expect("what others said stays");
        assert_eq!(names(&left), [format!("{round}s")]);
        assert_eq!((trait_text(&left, "city").as_deref(), trait_text(&left, "nick")), (Some("Riga"), None));
        assert_eq!(reason(ground.get(tenant, by_id(&goes)).await), "RESOURCE_NOT_FOUND");
        let again = ground.identify(tenant, states(&format!("{round}s"), &[("city", "Oslo")], 3)).await;
        assert_eq!(trait_text(profile(&again), "city").as_deref(), Some("Oslo"), "and lives on");
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_split_after_three_merges_gives_every_record_just_what_it_had(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut ids = Vec::new();
    for (at, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let seconds = i64::try_from(at).expect("small");
        let email = format!("{name}@example.com");
        let request = IdentifyRequest {
            identifiers: says(name, &[("email", &email)]).identifiers,
            ..states(name, &[("city", name), (name, "own")], 10 - seconds)
        };
        ids.push(customer(&ground.identify(tenant, request).await));
    }
    let mut own = Vec::new();
    for id in &ids {
        own.push(ground.get(tenant, by_id(id)).await.expect("there"));
    }
    // One into the other, that into a third, that into the last.
    for pair in ids.windows(2) {
        ground.profiles(tenant).merge_profiles(merge(&pair[1], &[&pair[0]])).await.expect("merged");
    }
    let one = ground.get(tenant, by_id(&ids[0])).await.expect("there");
    assert_eq!((one.customer_id.as_str(), one.records.len()), (ids[3].as_str(), 4));
    // A record from the middle leaves: the others stay one, though it was by it that two of them came together.
    let parted = ground.profiles(tenant).split_profile(split(&ids[3], &["b"])).await.expect("parted").into_inner();
    let [separated] = parted.separated.as_slice() else { panic!("one leaves") };
    let of = |profile: &rapport_api::profiles::v1::Profile| (profile.traits.clone(), profile.identifiers.clone());
    assert!(of(separated) == of(&own[1]) && separated.customer_id == ids[1]);
    let mut left: Vec<String> = names(&parted.remaining.expect("one remains"));
    left.sort();
    assert_eq!(left, ["a", "c", "d"]);
    for name in ["a", "c"] {
        ground.profiles(tenant).split_profile(split(&ids[3], &[name])).await.expect("parted");
    }
    for (id, own) in ids.iter().zip(&own) {
        let now = ground.get(tenant, by_id(id)).await.expect("there");
        assert!(of(&now) == of(own) && now.customer_id == *id);
    }
}
