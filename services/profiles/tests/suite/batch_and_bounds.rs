//! Reading: at an instant, at a revision, many at once, and never another tenant's.

use rapport_api::convert::timestamp;
use rapport_api::profiles::v1::{BatchGetProfilesRequest, GetContextRequest, GetProfileRequest};
use rapport_data::Engine;
use rapport_kernel::Clock as _;
use rapport_kernel::{TenantId, Timestamp};
use rstest::rstest;

use crate::ground::*;
use crate::merges::{merge, split};

async fn as_of(
    ground: &Ground,
    tenant: TenantId,
    id: &str,
    at: Timestamp,
) -> Result<rapport_api::profiles::v1::Profile, tonic::Status> {
    let request = GetProfileRequest { customer: Some(by_id(id)), as_of: Some(timestamp(at)), ..Default::default() };
    ground.profiles(tenant).get_profile(request).await.map(tonic::Response::into_inner)
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_is_told_as_it_was_known_at_every_instant(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let before = ground.clock.now();
    ground.wait(1);
    let mut known = Vec::new();
    let first = ground.identify(tenant, states("1", &[("city", "Riga")], 10)).await;
    let home = customer(&first);
    known.push((ground.clock.now(), profile(&first).clone()));
    ground.wait(1);
    let second = ground.identify(tenant, states("2", &[("city", "Oslo")], 30)).await;
    ground.wait(1);
    let merged = ground.profiles(tenant).merge_profiles(merge(&home, &[&customer(&second)])).await.expect("merged");
    known.push((ground.clock.now(), merged.into_inner().profile.expect("a profile")));
    ground.wait(1);
    let late = ground.identify(tenant, states("1", &[("city", "Bonn"), ("tier", "gold")], 20)).await;
    known.push((ground.clock.now(), profile(&late).clone()));
    ground.wait(1);
    let parted = ground.profiles(tenant).split_profile(split(&home, &["2"])).await.expect("parted");
    known.push((ground.clock.now(), parted.into_inner().remaining.expect("one remains")));
    for (at, profile) in known {
        assert!(as_of(&ground, tenant, &home, at).await.expect("it was known") == profile, "at {at}");
        assert!(
            as_of(&ground, tenant, &home, at.plus(std::time::Duration::from_millis(500))).await.expect("known")
                == profile
        );
    }
    assert_eq!(reason(as_of(&ground, tenant, &home, before).await), "RESOURCE_NOT_FOUND");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revision_that_is_not_there_yet_is_refused(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let made = ground.record(tenant, "1", &[]).await;
    let at_least = |min_revision| GetProfileRequest {
        customer: Some(by_id(&customer(&made))),
        min_revision,
        ..GetProfileRequest::default()
    };
    ground.profiles(tenant).get_profile(at_least(1)).await.expect("it is there");
    assert_eq!(reason(ground.profiles(tenant).get_profile(at_least(2)).await), "REVISION_NOT_REACHED");
    ground.identify(tenant, states("1", &[("city", "Riga")], 1)).await;
    ground.profiles(tenant).get_profile(at_least(2)).await.expect("now it is");
    let both = GetProfileRequest { as_of: Some(at(1)), ..at_least(1) };
    assert_eq!(violations(ground.profiles(tenant).get_profile(both).await)[0].0, "min_revision");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_answered_in_the_order_asked_and_each_for_itself(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let first = ground.record(tenant, "1", &[("email", "a@example.com")]).await;
    let second = ground.record(tenant, "2", &[]).await;
    let foreign = ground.record(TenantId::new(), "3", &[("email", "b@example.com")]).await;
    ground.profiles(tenant).merge_profiles(merge(&customer(&second), &[&customer(&first)])).await.expect("merged");
    let customers = vec![
        by_identifier("email", "nobody@example.com"),
        by_id(&customer(&first)),
        by_id(&customer(&foreign)),
        by_identifier("email", "a@example.com"),
        by_id(&customer(&second)),
        by_identifier("email", "b@example.com"),
    ];
    // Once warm, once cold.
    for _ in 0..2 {
        let request = BatchGetProfilesRequest { customers: customers.clone() };
        let answer = ground.profiles(tenant).batch_get_profiles(request).await.expect("an answer").into_inner();
        let ids: Vec<String> =
            answer.results.iter().map(|result| result.profile.clone().unwrap_or_default().customer_id).collect();
        let one = customer(&second);
        assert_eq!(ids, ["", &one, "", &one, &one, ""]);
        assert_eq!(answer.results[0].reason, "RESOURCE_NOT_FOUND");
        tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tenant_s_customer_is_not_found_by_any_name(#[case] engine: Engine) {
    let (ground, tenant, other) = (Ground::new(engine).await, TenantId::new(), TenantId::new());
    let made = ground.record(tenant, "1", &[("email", "a@example.com")]).await;
    for customer in [by_id(&customer(&made)), by_identifier("email", "a@example.com")] {
        assert_eq!(reason(ground.get(other, customer.clone()).await), "RESOURCE_NOT_FOUND");
        let request = GetContextRequest { customer: Some(customer), ..GetContextRequest::default() };
        assert_eq!(reason(ground.contexts(other).get_context(request).await), "RESOURCE_NOT_FOUND");
    }
    let theirs = ground.record(other, "1", &[("email", "a@example.com")]).await;
    assert_ne!(customer(&theirs), customer(&made), "the same record of another tenant is another");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_names_the_subject_that_facts_attach_to(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let first = ground.record(tenant, "1", &[("email", "a@example.com")]).await;
    let second = ground.record(tenant, "2", &[("email", "a@example.com"), ("user_id", "u-2")]).await;
    let home = customer(&first);
    let cases = [
        (by_id(&home), &first.subject_id),
        (by_id(&second.subject_id), &second.subject_id),
        (by_identifier("email", "a@example.com"), &first.subject_id),
        (by_identifier("user_id", "u-2"), &second.subject_id),
    ];
    for (customer, subject) in cases {
        let request = GetContextRequest { customer: Some(customer), ..GetContextRequest::default() };
        let answer = ground.contexts(tenant).get_context(request).await.expect("there").into_inner();
        assert_eq!(&answer.subject_id, subject);
        let context = answer.context.expect("a context");
        assert_eq!(context.customer_id, home);
        assert_eq!(context.subject_ids, [first.subject_id.clone(), second.subject_id.clone()]);
    }
}
