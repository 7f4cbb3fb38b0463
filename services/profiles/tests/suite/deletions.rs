//! A source deletes its record: what it claimed leaves the profile, whenever it is told; what protects the customer stays.

use rapport_api::common::v1::Processing;
use rapport_api::profiles::v1::{
    Consent, ConsentState, DeleteSourceRecordRequest, IdentifyRequest, Profile, RestrictProcessingRequest,
    SetConsentRequest,
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
