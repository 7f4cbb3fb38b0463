//! Erasure: gone from every table and answer; what others said stays.

use std::time::Duration;

use rapport_api::common::v1::{EraseSubjectsRequest, EraseSubjectsResponse};
use rapport_api::convert::timestamp;
use rapport_api::events::v1::event::Payload;
use rapport_api::profiles::v1::{GetLineageRequest, IdentifyRequest};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, TenantId};
use rstest::rstest;

use crate::ground::*;
use crate::merges::merge;

pub async fn erase(ground: &Ground, tenant: TenantId, subjects: &[&str]) -> EraseSubjectsResponse {
    let request = EraseSubjectsRequest {
        erasure_id: uuid::Uuid::now_v7().to_string(),
        subject_ids: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
        requested_at: Some(timestamp(ground.clock.now())),
    };
    ground.erasures(tenant).erase_subjects(request).await.expect("erased").into_inner()
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_customer_is_not_found_by_any_name_and_its_record_begins_anew(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut request = states("1", &[("city", "Riga")], 5);
    request.identifiers = says("1", &[("email", "canary@example.com")]).identifiers;
    let made = ground.identify(tenant, request.clone()).await;
    let id = customer(&made);
    let done = erase(&ground, tenant, &[&made.subject_id]).await;
    assert!(done.deleted_rows >= 5, "{}", done.deleted_rows);
    for customer in [by_id(&id), by_identifier("email", "canary@example.com")] {
        assert_eq!(reason(ground.get(tenant, customer).await), "RESOURCE_NOT_FOUND");
    }
    let lineage = ground.profiles(tenant).get_lineage(GetLineageRequest { customer: Some(by_id(&id)) }).await;
    assert_eq!(reason(lineage), "RESOURCE_NOT_FOUND");
    assert_eq!(erase(&ground, tenant, &[&made.subject_id]).await.deleted_rows, 0, "a second time nothing is left");
    let again = ground.identify(tenant, request).await;
    assert_eq!(again.outcome().as_str_name(), "IDENTIFY_OUTCOME_CREATED");
    assert_ne!(again.subject_id, made.subject_id);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_merged_customer_one_record_is_erased_and_the_others_stay_one(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let home = ground.identify(tenant, states("1", &[("city", "Riga"), ("name", "Anna")], 9)).await;
    let second = ground.identify(tenant, states("2", &[("city", "Oslo")], 5)).await;
    let third = ground.record(tenant, "3", &[("email", "a@example.com")]).await;
    let fourth = ground.record(tenant, "4", &[("email", "a@example.com")]).await;
    let request = merge(&customer(&home), &[&customer(&second), &customer(&third)]);
    ground.profiles(tenant).merge_profiles(request).await.expect("merged");
    erase(&ground, tenant, &[&home.subject_id]).await;
    let rest = ground.get(tenant, by_id(&third.subject_id)).await.expect("there");
    assert_eq!(names(&rest), ["2", "3", "4"], "what was declared of the others still holds");
    assert_eq!(trait_text(&rest, "city").as_deref(), Some("Oslo"), "what another record said comes back");
    assert_eq!(trait_text(&rest, "name"), None);
    assert_eq!(rest.customer_id, second.subject_id, "the oldest that is left is the home");
    for subject in [&second.subject_id, &third.subject_id, &fourth.subject_id] {
        assert!(ground.get(tenant, by_id(subject)).await.expect("there") == rest);
    }
    assert_eq!(reason(ground.get(tenant, by_id(&home.subject_id)).await), "RESOURCE_NOT_FOUND");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_takes_the_stored_answer_and_the_events_with_it_and_tells_of_itself(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let request = IdentifyRequest { request_id: uuid::Uuid::new_v4().to_string(), ..says("1", &[]) };
    let made = ground.identify(tenant, request.clone()).await;
    let mut reader = ground.reader();
    reader.next(2).await;
    erase(&ground, tenant, &[&made.subject_id]).await;
    let events = reader.next(1).await;
    assert!(matches!(events[0].payload, Some(Payload::SubjectErased(_))) && events[0].subject_id == made.subject_id);
    let again = ground.identify(tenant, request).await;
    assert_ne!(again.subject_id, made.subject_id, "the first answer is forgotten");
    for _ in 0..800 {
        if erase(&ground, tenant, &[&made.subject_id]).await.bus_clear {
            return;
        }
        reader.next(0).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the bus is clear once all groups have read it");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tenant_cannot_erase(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let made = ground.record(tenant, "1", &[]).await;
    assert_eq!(erase(&ground, TenantId::new(), &[&made.subject_id]).await.deleted_rows, 0);
    ground.get(tenant, by_id(&customer(&made))).await.expect("still there");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_is_done_though_the_value_it_frees_would_join_too_many(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut carriers = Vec::new();
    for index in 0..102 {
        let card = format!("L{index}");
        let identifiers = [("phone", "+4930123456"), ("loyalty_card", &*card)];
        carriers.push(ground.record(tenant, &format!("k{index}"), &identifiers).await.subject_id);
    }
    // Only now, that the number links nobody any more, do others come to each.
    for index in 0..102 {
        let card = format!("L{index}");
        for companion in 0..10 {
            ground.record(tenant, &format!("k{index}_{companion}"), &[("loyalty_card", &card)]).await;
        }
    }
    for erased in &carriers[..2] {
        assert!(erase(&ground, tenant, &[erased]).await.deleted_rows > 0);
        assert_eq!(reason(ground.get(tenant, by_id(erased)).await), "RESOURCE_NOT_FOUND");
    }
    // A hundred are left, who would be one component of 1,100 records: each stays what it was, and can be told more.
    for left in &carriers[2..] {
        assert_eq!(ground.get(tenant, by_id(left)).await.expect("there").records.len(), 11);
    }
    let told = ground.record(tenant, "k2_new", &[("loyalty_card", "L2")]).await;
    assert_eq!(profile(&told).records.len(), 12);
    let phone = ground.record(tenant, "new", &[("phone", "+4930123456")]).await;
    assert_eq!(profile(&phone).records.len(), 1, "the value stays quarantined");
    // With its last carrier the value is forgotten, and links again.
    let rest: Vec<&str> = carriers[2..].iter().map(String::as_str).chain([phone.subject_id.as_str()]).collect();
    for some in rest.chunks(10) {
        erase(&ground, tenant, some).await;
    }
    let first = ground.record(tenant, "a", &[("phone", "+4930123456")]).await;
    let second = ground.record(tenant, "b", &[("phone", "+4930123456")]).await;
    assert_eq!(customer(&first), customer(&second));
}
