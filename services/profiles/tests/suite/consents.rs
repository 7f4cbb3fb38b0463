//! Consents: recorded with their proof, most restrictive over all records, given back by a split.

use rapport_api::common::v1::CustomerRef;
use rapport_api::profiles::v1::{Consent, ConsentState, PreviewMergeRequest, Profile, SetConsentRequest};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::ground::*;
use crate::merges::{merge, split};

fn says_of(customer: CustomerRef, channel: &str, state: ConsentState) -> SetConsentRequest {
    let consent = Consent {
        purpose: "marketing".to_owned(),
        channel: channel.to_owned(),
        state: state.into(),
        wording_version: "2025-1".to_owned(),
        language: "lv".to_owned(),
        proof: "form-9".to_owned(),
        ..Consent::default()
    };
    let source = "preference_centre".to_owned();
    SetConsentRequest { customer: Some(customer), consent: Some(consent), source, ..SetConsentRequest::default() }
}

fn states_of(profile: &Profile) -> Vec<(&str, &str)> {
    profile.consents.iter().map(|held| (held.channel.as_str(), held.state().as_str_name())).collect()
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_is_recorded_with_its_proof_and_the_later_one_holds(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let id = customer(&ground.record(tenant, "1", &[]).await);
    let given = says_of(by_id(&id), "email", ConsentState::Granted);
    let profile = ground.profiles(tenant).set_consent(given.clone()).await.expect("recorded").into_inner();
    let held = &profile.consents[0];
    assert_eq!((held.source.as_str(), held.proof.as_str()), ("preference_centre", "form-9"));
    assert_eq!((held.wording_version.as_str(), held.language.as_str()), ("2025-1", "lv"));
    ground.wait(1);
    let withdrawn = says_of(by_id(&id), "email", ConsentState::Denied);
    let profile = ground.profiles(tenant).set_consent(withdrawn).await.expect("recorded").into_inner();
    assert_eq!(states_of(&profile), [("email", "CONSENT_STATE_DENIED")]);
    ground.wait(1);
    let profile = ground.profiles(tenant).set_consent(given).await.expect("recorded").into_inner();
    assert_eq!(states_of(&profile), [("email", "CONSENT_STATE_GRANTED")], "who withdrew may give it again");
    let mut in_no_language = says_of(by_id(&id), "", ConsentState::Denied);
    in_no_language.consent.as_mut().expect("one").language = "as we speak".to_owned();
    let refused = violations(ground.profiles(tenant).set_consent(in_no_language).await);
    assert_eq!(refused.first().map(|(field, _)| field.as_str()), Some("consent.language"));
    let everywhere = says_of(by_id(&id), "", ConsentState::Denied);
    let profile = ground.profiles(tenant).set_consent(everywhere).await.expect("recorded").into_inner();
    assert_eq!(states_of(&profile), [("", "CONSENT_STATE_DENIED"), ("email", "CONSENT_STATE_DENIED")]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_anywhere_is_a_refusal_and_a_split_gives_each_its_own_back(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let yes = customer(&ground.record(tenant, "1", &[]).await);
    let no = customer(&ground.record(tenant, "2", &[("email", "b@example.com")]).await);
    let mut profiles = ground.profiles(tenant);
    profiles
        .set_consent(says_of(by_identifier("email", "b@example.com"), "email", ConsentState::Denied))
        .await
        .expect("no");
    ground.wait(5);
    profiles.set_consent(says_of(by_id(&yes), "email", ConsentState::Granted)).await.expect("yes");
    let request = PreviewMergeRequest { target: Some(by_id(&yes)), sources: vec![by_id(&no)] };
    let preview = profiles.preview_merge(request).await.expect("a preview").into_inner();
    let [change] = preview.consent_changes.as_slice() else { panic!("one consent changes") };
    assert_eq!(
        (change.customer_id.as_str(), change.before().as_str_name(), change.after().as_str_name()),
        (yes.as_str(), "CONSENT_STATE_GRANTED", "CONSENT_STATE_DENIED")
    );
    let one = profiles.merge_profiles(merge(&yes, &[&no])).await.expect("merged").into_inner().profile.expect("one");
    assert_eq!(states_of(&one), [("email", "CONSENT_STATE_DENIED")], "though the grant is the later one");
    // What is said of the merged-away id stays with its record.
    profiles.set_consent(says_of(by_id(&no), "sms", ConsentState::Denied)).await.expect("no");
    profiles.split_profile(split(&yes, &["2"])).await.expect("parted");
    let (yes, no) = (ground.get(tenant, by_id(&yes)).await, ground.get(tenant, by_id(&no)).await);
    assert_eq!(states_of(&yes.expect("there")), [("email", "CONSENT_STATE_GRANTED")]);
    assert_eq!(states_of(&no.expect("there")), [("email", "CONSENT_STATE_DENIED"), ("sms", "CONSENT_STATE_DENIED")]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_of_nobody_or_of_no_state_is_refused(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let nobody = says_of(by_identifier("email", "x@example.com"), "", ConsentState::Granted);
    let status = ground.profiles(tenant).set_consent(nobody).await.expect_err("nobody");
    assert!(!status.message().contains("x@example.com"));
    assert_eq!(reason::<()>(Err(status)), "RESOURCE_NOT_FOUND");
    let id = customer(&ground.record(tenant, "1", &[]).await);
    let unsaid = says_of(by_id(&id), "", ConsentState::Unspecified);
    assert_eq!(violations(ground.profiles(tenant).set_consent(unsaid).await)[0].0, "consent.state");
    let mut ahead = says_of(by_id(&id), "", ConsentState::Granted);
    ahead.consent.as_mut().expect("a consent").observed_at = Some(at(100_000_000));
    assert_eq!(violations(ground.profiles(tenant).set_consent(ahead).await)[0].0, "consent.observed_at");
}
