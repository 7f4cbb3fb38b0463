//! A source deletes its record: what it claimed leaves the profile, whenever it is told; what protects the customer stays.

use rapport_api::common::v1::Processing;
use rapport_api::profiles::v1::{
    Consent, ConsentState, DeleteSourceRecordRequest, IdentifyRequest, Interaction, Profile, RecordInteractionRequest,
    RestrictProcessingRequest, SetConsentRequest,
};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, TenantId};
use rstest::rstest;

use crate::ground::*;
use crate::merges::split;

fn deletes(name: &str, seconds: i64) -> DeleteSourceRecordRequest {
    DeleteSourceRecordRequest {
        source: "crm".to_owned(),
        external_id: name.to_owned(),
        observed_at: Some(at(seconds)),
        ..DeleteSourceRecordRequest::default()
    }
}

fn tells(name: &str, city: &str, seconds: i64, identifiers: &[(&str, &str)]) -> IdentifyRequest {
    IdentifyRequest { identifiers: says(name, identifiers).identifiers, ..states(name, &[("city", city)], seconds) }
}

fn consent(purpose: &str, state: ConsentState) -> Consent {
    Consent { purpose: purpose.to_owned(), state: state.into(), ..Consent::default() }
}

fn values(profile: &Profile) -> Vec<&str> {
    profile.identifiers.iter().map(|identifier| identifier.value.as_str()).collect()
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_deleted_record_claimed_leaves_the_profile_and_a_later_statement_brings_it_back(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let shared = ("email", "a@example.com");
    let first = ground.identify(tenant, tells("1", "Riga", 10, &[shared, ("user_id", "u-1")])).await;
    ground.identify(tenant, tells("2", "Oslo", 5, &[shared])).await;
    let id = customer(&first);
    ground.wait(5);
    let then = ground.clock.now();
    ground.wait(5);
    let gone = ground.profiles(tenant).delete_source_record(deletes("1", 20)).await.expect("heard").into_inner();
    assert_eq!((trait_text(&gone, "city").as_deref(), values(&gone)), (Some("Oslo"), vec!["a@example.com"]));
    assert_eq!((gone.customer_id.as_str(), gone.records.len()), (id.as_str(), 2), "no link changes");
    let deleted: Vec<_> = gone.records.iter().map(|record| record.delete_time).collect();
    assert_eq!(deleted, [Some(at(20)), None]);
    let again = ground.profiles(tenant).delete_source_record(deletes("1", 20)).await.expect("heard").into_inner();
    assert_eq!(again.revision, gone.revision, "said twice, heard once");
    // What was stated by then and is told late does not bring it back.
    let late = ground.identify(tenant, tells("1", "Bergen", 15, &[("user_id", "u-9")])).await;
    assert_eq!(trait_text(profile(&late), "city").as_deref(), Some("Oslo"));
    assert_eq!(values(profile(&late)), ["a@example.com"]);
    let named = ground.get(tenant, by_identifier("user_id", "u-1")).await.expect("it still names the customer");
    assert_eq!(named.customer_id, id);
    let past = ground.get_as_of(tenant, by_id(&id), then).await;
    assert_eq!((trait_text(&past, "city").as_deref(), past.identifiers.len()), (Some("Riga"), 2));
    let now = ground.get_as_of(tenant, by_id(&id), ground.clock.now()).await;
    assert!(now == *profile(&late), "the past of now is now");
    let back = ground.identify(tenant, tells("1", "Rome", 25, &[("user_id", "u-1")])).await;
    assert_eq!(back.subject_id, first.subject_id);
    assert_eq!(trait_text(profile(&back), "city").as_deref(), Some("Rome"));
    assert_eq!(values(profile(&back)), ["u-1", "a@example.com"]);
    assert!(profile(&back).records.iter().all(|record| record.delete_time.is_none()));
    // Its own are its own through a split as well.
    ground.profiles(tenant).split_profile(split(&id, &["2"])).await.expect("parted");
    assert_eq!(values(&ground.get(tenant, by_id(&id)).await.expect("there")), ["u-1"]);
    let nobody = ground.profiles(tenant).delete_source_record(deletes("7", 1)).await;
    assert!(nobody.as_ref().is_err_and(|status| !status.message().contains('7')));
    assert_eq!(reason(nobody), "RESOURCE_NOT_FOUND");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_and_objections_outlive_the_record_and_so_does_what_others_took_down(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let consents = vec![consent("marketing", ConsentState::Granted), consent("research", ConsentState::Denied)];
    let told = IdentifyRequest { consents, ..states("1", &[], 1) };
    let id = customer(&ground.identify(tenant, told).await);
    let mut profiles = ground.profiles(tenant);
    let own = SetConsentRequest {
        customer: Some(by_id(&id)),
        consent: Some(Consent { observed_at: Some(at(2)), ..consent("service", ConsentState::Granted) }),
        source: "site".to_owned(),
        ..SetConsentRequest::default()
    };
    profiles.set_consent(own).await.expect("heard");
    let objection = RestrictProcessingRequest {
        customer: Some(by_id(&id)),
        processing: vec![Processing::Profiling.into()],
        source: "crm".to_owned(),
        observed_at: Some(at(3)),
        ..RestrictProcessingRequest::default()
    };
    profiles.restrict_processing(objection).await.expect("heard");
    let gone = profiles.delete_source_record(deletes("1", 10)).await.expect("heard").into_inner();
    let held: Vec<_> = gone.consents.iter().map(|held| (held.purpose.as_str(), held.state())).collect();
    assert_eq!(held, [("research", ConsentState::Denied), ("service", ConsentState::Granted)]);
    assert_eq!(gone.restrictions.len(), 1);
    let late = IdentifyRequest { consents: vec![consent("marketing", ConsentState::Granted)], ..states("1", &[], 9) };
    assert_eq!(profile(&ground.identify(tenant, late).await).consents.len(), 2, "deleted with the record");
    let late = IdentifyRequest { consents: vec![consent("news", ConsentState::Denied)], ..states("1", &[], 8) };
    assert_eq!(profile(&ground.identify(tenant, late).await).consents.len(), 3, "a refusal told late is a refusal");
}

/// What is told of two customers' records, one of which is deleted, in an order; then the customer they make.
async fn told_in_order(ground: &Ground, tenant: TenantId, order: &[usize]) -> Profile {
    let shared = ("email", "a@example.com");
    let answers = vec![consent("marketing", ConsentState::Granted), consent("research", ConsentState::Denied)];
    let deletes = async |seconds: i64| {
        let answer = ground.profiles(tenant).delete_source_record(deletes("1", seconds)).await;
        assert!(answer.is_ok() || reason(answer) == "RESOURCE_NOT_FOUND");
    };
    for step in order {
        match step {
            0 => {
                let told = IdentifyRequest { consents: answers.clone(), ..tells("1", "Riga", 10, &[shared]) };
                ground.identify(tenant, told).await;
            }
            1 => drop(ground.identify(tenant, tells("2", "Oslo", 5, &[shared, ("user_id", "u-2")])).await),
            2 => deletes(20).await,
            // An earlier deletion as well: the last counts.
            3 => deletes(12).await,
            4 => drop(ground.identify(tenant, tells("1", "Bergen", 15, &[("user_id", "u-9")])).await),
            _ => unreachable!("no such step"),
        }
    }
    ground.get(tenant, by_identifier("email", "a@example.com")).await.expect("there")
}

/// All of a profile but what is minted, and when it was recorded.
fn shape(profile: &Profile) -> String {
    let mut records: Vec<_> =
        profile.records.iter().map(|it| (it.record.clone().unwrap_or_default().external_id, it.delete_time)).collect();
    records.sort_by(|a, b| a.0.cmp(&b.0));
    let traits: Vec<_> = profile.traits.iter().map(|(name, held)| (name, &held.value, held.observed_at)).collect();
    let consents: Vec<_> = profile.consents.iter().map(|it| (&it.purpose, it.state)).collect();
    format!("{records:?} {traits:?} {:?} {consents:?}", values(profile))
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_is_told_before_its_record_holds_as_one_told_after_it(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    let straight = told_in_order(&ground, TenantId::new(), &[1, 0, 4, 3, 2]).await;
    assert_eq!(trait_text(&straight, "city").as_deref(), Some("Oslo"));
    assert_eq!(straight.records.iter().filter(|record| record.delete_time == Some(at(20))).count(), 1);
    let orders: [&[usize]; 6] =
        [&[2, 0, 1, 4, 3], &[2, 3, 1, 0, 4], &[3, 2, 0, 4, 1], &[3, 0, 2, 1, 4], &[2, 4, 1, 0, 3], &[1, 2, 4, 0, 2]];
    for order in orders {
        let told = told_in_order(&ground, TenantId::new(), order).await;
        assert_eq!(shape(&told), shape(&straight), "told in the order {order:?}");
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_told_first_is_its_tenants_own_holds_for_imports_and_ends_with_a_later_statement(
    #[case] engine: Engine,
) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let unknown = ground.profiles(tenant).delete_source_record(deletes("3", 20)).await;
    assert_eq!(reason(unknown), "RESOURCE_NOT_FOUND");
    let elsewhere = ground.profiles(TenantId::new()).delete_source_record(deletes("4", 20)).await;
    assert_eq!(reason(elsewhere), "RESOURCE_NOT_FOUND");
    let late = vec![tells("3", "Riga", 19, &[]), tells("4", "Riga", 19, &[])];
    let acks = crate::imports::import(&ground, tenant, late).await;
    assert_eq!(acks.iter().map(|ack| ack.errors.len()).sum::<usize>(), 0);
    let deleted = ground.identify(tenant, tells("3", "Bergen", 1, &[])).await;
    assert_eq!((profile(&deleted).traits.len(), profile(&deleted).records[0].delete_time), (0, Some(at(20))));
    let other = ground.identify(tenant, tells("4", "Bergen", 1, &[])).await;
    assert_eq!(trait_text(profile(&other), "city").as_deref(), Some("Riga"), "another tenant's deletion is not ours");
    let back = ground.identify(tenant, tells("3", "Rome", 21, &[])).await;
    assert_eq!(trait_text(profile(&back), "city").as_deref(), Some("Rome"));
    assert_eq!(profile(&back).records[0].delete_time, None);
    let now = ground.get_as_of(tenant, by_id(&customer(&back)), ground.clock.now()).await;
    assert!(now == *profile(&back), "the past of now is now");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_told_first_holds_for_a_record_that_an_interaction_begins(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let unknown = ground.profiles(tenant).delete_source_record(deletes("user_id:u-1", 3_000)).await;
    assert_eq!(reason(unknown), "RESOURCE_NOT_FOUND");
    let interaction = Interaction {
        customer: Some(by_identifier("user_id", "u-1")),
        source: "crm".to_owned(),
        external_id: "visit-1".to_owned(),
        version: 1,
        r#type: "visit".to_owned(),
        occurred_at: Some(at(100)),
        ..Interaction::default()
    };
    let request = RecordInteractionRequest { interaction: Some(interaction), ..RecordInteractionRequest::default() };
    ground.interactions(tenant).record_interaction(request).await.expect("recorded");
    let begun = ground.get(tenant, by_identifier("user_id", "u-1")).await.expect("it still names the customer");
    assert_eq!((begun.identifiers.len(), begun.records[0].delete_time), (0, Some(at(3_000))));
}
