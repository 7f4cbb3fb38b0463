//! Identify: records, traits, identifiers, outcomes, and what is refused.

use std::collections::BTreeSet;

use rapport_api::common::v1::{Party, Value, value::Kind};
use rapport_api::convert::timestamp;
use rapport_api::profiles::v1::{Consent, ConsentState, GetProfileRequest, IdentifyRequest, Profile};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, TenantId};
use rstest::rstest;

use crate::ground::*;
use crate::merges::merge;

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_record_makes_a_customer_that_is_found_by_its_id_and_by_every_identifier(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut request = says("1", &[("email", " Anna@Example.com"), ("phone", "030 123456"), ("device_id", " d-1 ")]);
    request.traits.insert("name".to_owned(), text("Anna"));
    request.traits.insert("age".to_owned(), Value { kind: Some(Kind::NumberValue(41.5)) });
    request.party = Party::Lead.into();
    let made = ground.identify(tenant, request).await;
    assert_eq!(made.outcome().as_str_name(), "IDENTIFY_OUTCOME_CREATED");
    let profile = profile(&made);
    assert_eq!((profile.revision, profile.etag.as_str(), profile.party().as_str_name()), (1, "1", "PARTY_LEAD"));
    assert_eq!(profile.customer_id, made.subject_id, "a customer id is the id of its home subject");
    let values: Vec<_> = profile.identifiers.iter().map(|it| (it.namespace.as_str(), it.value.as_str())).collect();
    assert_eq!(values, [("email", "anna@example.com"), ("phone", "+4930123456"), ("device_id", "d-1")]);
    assert_eq!(trait_text(profile, "name").as_deref(), Some("Anna"));
    let names = [
        by_id(&profile.customer_id),
        by_identifier("email", "ANNA@example.com"),
        by_identifier("phone", "+49 30 123456"),
        by_identifier("device_id", "d-1"),
    ];
    for customer in names {
        assert!(ground.get(tenant, customer).await.expect("it is found") == *profile);
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_statement_again_changes_nothing(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut request = states("1", &[("city", "Riga")], 5);
    request.identifiers = says("1", &[("email", "a@example.com")]).identifiers;
    let first = ground.identify(tenant, request.clone()).await;
    ground.wait(10);
    let second = ground.identify(tenant, request).await;
    assert_eq!(
        (first.outcome().as_str_name(), second.outcome().as_str_name()),
        ("IDENTIFY_OUTCOME_CREATED", "IDENTIFY_OUTCOME_UPDATED")
    );
    assert!(profile(&first) == profile(&second));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_statements_the_later_one_holds_in_whatever_order_they_come(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    ground.identify(tenant, states("1", &[("city", "Riga"), ("tier", "gold")], 50)).await;
    let late = ground.identify(tenant, states("1", &[("city", "Oslo"), ("name", "Anna")], 20)).await;
    let held = profile(&late);
    assert_eq!(trait_text(held, "city").as_deref(), Some("Riga"), "what was observed before does not win");
    assert_eq!(trait_text(held, "name").as_deref(), Some("Anna"));
    let mut unset = states("1", &[], 40);
    unset.unset_traits = vec!["city".to_owned(), "name".to_owned()];
    let after = ground.identify(tenant, unset).await;
    assert_eq!(trait_text(profile(&after), "city").as_deref(), Some("Riga"), "it was set again after it was unset");
    assert_eq!(trait_text(profile(&after), "name"), None);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_shares_identifiers_with_two_customers_makes_them_one(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let first = ground.record(tenant, "1", &[("email", "a@example.com")]).await;
    let second = ground.record(tenant, "2", &[("user_id", "u-2")]).await;
    let third = ground.record(tenant, "3", &[("email", "A@example.com"), ("user_id", "u-2")]).await;
    assert_eq!(third.outcome().as_str_name(), "IDENTIFY_OUTCOME_MERGED");
    assert_eq!(third.merged_customer_ids, [customer(&second)]);
    assert_eq!(customer(&third), customer(&first), "the oldest record is the home");
    assert_eq!(names(profile(&third)), ["1", "2", "3"]);
    assert!(profile(&third).revision > profile(&first).revision.max(profile(&second).revision));
    let merged_away = ground.get(tenant, by_id(&customer(&second))).await.expect("a merged-away id works");
    assert!(merged_away == *profile(&third));
    let never_a_customer = ground.get(tenant, by_id(&third.subject_id)).await.expect("so does any record's id");
    assert!(never_a_customer == *profile(&third));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_keeps_strangers_apart_who_share_a_phone(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let first = ground.record(tenant, "1", &[("customer_number", "1"), ("phone", "+4930123456")]).await;
    let second = ground.record(tenant, "2", &[("customer_number", "2"), ("phone", "+4930123456")]).await;
    assert_eq!(
        (first.outcome().as_str_name(), second.outcome().as_str_name()),
        ("IDENTIFY_OUTCOME_CREATED", "IDENTIFY_OUTCOME_CONFLICT")
    );
    assert_ne!(customer(&first), customer(&second));
    // The first was linked by the phone alone to a third, until a number says that they are not one.
    let third = ground.record(tenant, "3", &[("phone", "+4930123456")]).await;
    assert_eq!(customer(&third), customer(&first));
    let told = ground.record(tenant, "3", &[("customer_number", "3")]).await;
    assert_eq!(names(profile(&told)), ["3"]);
    let rest = ground.get(tenant, by_id(&customer(&first))).await.expect("there");
    assert_eq!(names(&rest), ["1"]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_weak_identifier_names_a_customer_but_never_links(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let first = ground.record(tenant, "1", &[("device_id", "kiosk")]).await;
    let second = ground.record(tenant, "2", &[("device_id", "kiosk")]).await;
    assert_eq!(second.outcome().as_str_name(), "IDENTIFY_OUTCOME_CREATED");
    let found = ground.get(tenant, by_identifier("device_id", "kiosk")).await.expect("there");
    assert_eq!(found.customer_id, customer(&first), "the first that carried it");
    assert_ne!(customer(&first), customer(&second));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_more_than_a_hundred_records_carry_stops_linking(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let carry = |number: usize| says(&format!("{number:03}"), &[("phone", "+4930123456")]);
    for number in 0..100 {
        ground.identify(tenant, carry(number)).await;
    }
    let all = ground.get(tenant, by_identifier("phone", "+4930123456")).await.expect("there");
    assert_eq!(all.records.len(), 100);
    let one_more = ground.identify(tenant, carry(100)).await;
    assert_eq!(one_more.outcome().as_str_name(), "IDENTIFY_OUTCOME_CONFLICT");
    assert_eq!(names(profile(&one_more)), ["100"]);
    let mut customers = BTreeSet::new();
    for record in &all.records {
        customers.insert(ground.get(tenant, by_id(&record.subject_id)).await.expect("there").customer_id);
    }
    assert_eq!(customers.len(), 100, "and what it had linked comes apart");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_answer_names_every_broken_rule_and_no_value(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut request = says("", &[("email", "secret"), ("phone", "geheim"), ("fax", "x"), ("Email", "y")]);
    request.source = "C R M".to_owned();
    request.request_id = "no-uuid".to_owned();
    request.observed_at = Some(prost_types::Timestamp { seconds: 1_750_000_301, nanos: 0 });
    request.party = 77;
    request.traits.insert("city".to_owned(), text("Riga"));
    request.traits.insert("nothing".to_owned(), Value::default());
    request.unset_traits = vec!["city".to_owned()];
    request.consents = vec![Consent { purpose: "marketing".to_owned(), ..Consent::default() }];
    let broken = violations(ground.profiles(tenant).identify(request).await);
    let fields: BTreeSet<&str> = broken.iter().map(|(field, _)| field.as_str()).collect();
    let expected = [
        "request_id",
        "source",
        "external_id",
        "party",
        "identifiers[0].value",
        "identifiers[1].value",
        "identifiers[2].namespace",
        "identifiers[3].namespace",
        "traits[\"nothing\"].kind",
        "unset_traits[0]",
        "consents[0].state",
        "observed_at",
    ];
    for field in expected {
        assert!(fields.contains(field), "{field} of {fields:?}");
    }
    assert!(broken.iter().all(|(_, text)| !text.contains("secret") && !text.contains("geheim")));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_id_makes_a_call_once_and_holds_for_one_body(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut request = IdentifyRequest { request_id: uuid::Uuid::new_v4().to_string(), ..says("1", &[]) };
    request.traits.insert("city".to_owned(), text("Riga"));
    let first = ground.identify(tenant, request.clone()).await;
    ground.wait(60);
    let again = ground.identify(tenant, request.clone()).await;
    assert!(first == again, "to the byte, though it does not say when it was observed");
    request.traits.insert("city".to_owned(), text("Oslo"));
    assert_eq!(reason(ground.profiles(tenant).identify(request).await), "IDEMPOTENCY_MISMATCH");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_value_comes_back_as_it_was_sent(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let kinds = [
        Kind::BoolValue(true),
        Kind::NumberValue(0.1 + 0.2),
        Kind::NumberValue(-1e-300),
        Kind::TextValue("Zoë 🙂".to_owned()),
        Kind::TimeValue(prost_types::Timestamp { seconds: -5, nanos: 123_456_000 }),
        Kind::ListValue(rapport_api::common::v1::TextList { values: vec!["a".to_owned(), "b".to_owned()] }),
    ];
    let mut request = says("1", &[]);
    for (at, kind) in kinds.iter().enumerate() {
        request.traits.insert(format!("t{at}"), Value { kind: Some(kind.clone()) });
    }
    ground.identify(tenant, request).await;
    let found: Profile = ground.get(tenant, by_identifier_of(&ground, tenant).await).await.expect("there");
    for (at, kind) in kinds.iter().enumerate() {
        let value = found.traits[&format!("t{at}")].value.as_ref().and_then(|value| value.kind.clone());
        assert!(value.as_ref() == Some(kind), "t{at}");
    }
}

/// Names the record "1" by an identifier that it is given now.
async fn by_identifier_of(ground: &Ground, tenant: TenantId) -> rapport_api::common::v1::CustomerRef {
    ground.record(tenant, "1", &[("loyalty_card", "L-1")]).await;
    by_identifier("loyalty_card", "L-1")
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_that_comes_with_a_statement_is_in_force(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let consent = Consent {
        purpose: "marketing".to_owned(),
        channel: "email".to_owned(),
        state: ConsentState::Granted.into(),
        wording_version: "v3".to_owned(),
        proof: "form-17".to_owned(),
        ..Consent::default()
    };
    let request = IdentifyRequest { consents: vec![consent], observed_at: Some(at(9)), ..says("1", &[]) };
    let made = ground.identify(tenant, request).await;
    let held = &profile(&made).consents[0];
    assert_eq!(
        (held.state().as_str_name(), held.source.as_str(), held.proof.as_str()),
        ("CONSENT_STATE_GRANTED", "crm", "form-17")
    );
    assert_eq!(held.observed_at, Some(at(9)), "the request's, where it does not say its own");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_statement_that_changes_nothing_changes_no_past(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let made = ground.identify(tenant, states("1", &[("city", "Riga")], 9)).await;
    let other = ground.identify(tenant, states("2", &[("city", "Oslo")], 9)).await;
    let target = customer(&made);
    ground.wait(5);
    ground.profiles(tenant).merge_profiles(merge(&target, &[&customer(&other)])).await.expect("merged");
    for seconds in [10, 20] {
        ground.wait(seconds);
        ground.identify(tenant, states("1", &[("city", "Bern")], 3)).await;
        let now = ground.get(tenant, by_id(&target)).await.expect("there");
        let request = GetProfileRequest {
            customer: Some(by_id(&target)),
            as_of: Some(timestamp(ground.clock.now())),
            ..GetProfileRequest::default()
        };
        let then = ground.profiles(tenant).get_profile(request).await.expect("there").into_inner();
        assert_eq!((then.revision, then.update_time), (now.revision, now.update_time));
        assert!(then == now);
    }
}
