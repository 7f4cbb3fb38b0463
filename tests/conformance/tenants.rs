//! A foreign tenant's id is NOT_FOUND, in every call that takes one, and a foreign page token is refused.

use rapport_api::admin::v1::api_key_service_client::ApiKeyServiceClient;
use rapport_api::admin::v1::privacy_service_client::PrivacyServiceClient;
use rapport_api::admin::v1::{CreateApiKeyRequest, EraseCustomerRequest, GetErasureRequest, RevokeApiKeyRequest};
use rapport_api::common::v1::Identifier;
use rapport_api::feedback::v1::response_service_client::ResponseServiceClient;
use rapport_api::feedback::v1::survey_service_client::SurveyServiceClient;
use rapport_api::feedback::v1::*;
use rapport_api::personalisation::v1::action_service_client::ActionServiceClient;
use rapport_api::personalisation::v1::decision_service_client::DecisionServiceClient;
use rapport_api::personalisation::v1::*;
use rapport_api::profiles::v1::interaction_service_client::InteractionServiceClient;
use rapport_api::profiles::v1::profile_service_client::ProfileServiceClient;
use rapport_api::profiles::v1::*;
use rapport_tests::{Client, Shape, Suite};
use tonic::Code;

use super::{other_tenant, refused};
use crate::journeys::{by, id};

/// Ids of one tenant, one of each kind.
struct Held {
    customer: String,
    survey: String,
    response: String,
    action: Action,
    decision: String,
    erasure: String,
    key: String,
    page: String,
}

async fn made(client: &Client) -> Held {
    let mut profiles = ProfileServiceClient::new(client.clone());
    let mut interactions = InteractionServiceClient::new(client.clone());
    let identify = |record: &str| IdentifyRequest {
        source: "crm".into(),
        external_id: record.into(),
        identifiers: vec![Identifier { namespace: "customer_number".into(), value: record.into() }],
        ..IdentifyRequest::default()
    };
    let erased =
        profiles.identify(identify("gone")).await.expect("identified").into_inner().profile.expect("it").customer_id;
    let customer =
        profiles.identify(identify("1")).await.expect("identified").into_inner().profile.expect("it").customer_id;
    for n in 0..2 {
        let interaction = interaction(id(&customer), &n.to_string());
        interactions.record_interaction(interaction).await.expect("recorded");
    }
    let request =
        ListInteractionsRequest { customer: Some(by("customer_number", "1")), page_size: 1, ..Default::default() };
    let page = interactions.list_interactions(request).await.expect("a page").into_inner().next_page_token;
    assert!(!page.is_empty(), "there is a second page");

    let mut surveys = SurveyServiceClient::new(client.clone());
    let survey = Survey { name: "s".into(), kind: SurveyKind::Nps.into(), question: "?".into(), ..Survey::default() };
    let request = CreateSurveyRequest { request_id: String::new(), survey: Some(survey) };
    let survey = surveys.create_survey(request).await.expect("created").into_inner().survey_id;
    surveys
        .publish_survey(PublishSurveyRequest { survey_id: survey.clone(), ..Default::default() })
        .await
        .expect("open");
    let request = SubmitResponseRequest { survey_id: survey.clone(), score: Some(9), ..Default::default() };
    let response =
        ResponseServiceClient::new(client.clone()).submit_response(request).await.expect("taken").into_inner();

    let action = Action { name: "a".into(), kind: ActionKind::Offer.into(), value: 1.0, ..Action::default() };
    let request = CreateActionRequest { request_id: String::new(), action: Some(action) };
    let action = ActionServiceClient::new(client.clone()).create_action(request).await.expect("created").into_inner();
    let request = DecideRequest { customer: Some(id(&customer)), channel: "web".into(), ..Default::default() };
    let decision = DecisionServiceClient::new(client.clone()).decide(request).await.expect("decided").into_inner();

    let request = EraseCustomerRequest { request_id: String::new(), customer: Some(id(&erased)) };
    let erasure = PrivacyServiceClient::new(client.clone()).erase_customer(request).await.expect("taken").into_inner();
    let request = CreateApiKeyRequest { name: "k".into(), scopes: vec!["profiles:read".into()], ..Default::default() };
    let key = ApiKeyServiceClient::new(client.clone()).create_api_key(request).await.expect("made").into_inner();
    Held {
        customer,
        survey,
        response: response.response_id,
        action,
        decision: decision.decision_id,
        erasure: erasure.erasure_id,
        key: key.api_key.expect("a key").key_id,
        page,
    }
}

fn interaction(customer: rapport_api::common::v1::CustomerRef, external_id: &str) -> RecordInteractionRequest {
    let interaction = Interaction {
        customer: Some(customer),
        source: "shop".into(),
        external_id: external_id.into(),
        r#type: "visit".into(),
        occurred_at: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
        ..Interaction::default()
    };
    RecordInteractionRequest { request_id: String::new(), interaction: Some(interaction) }
}

async fn no_id_of_another_tenant_is_found(shape: Shape) {
    let suite = Suite::start(shape);
    let held = made(&suite.client().await).await;
    let client = other_tenant(&suite).await;
    let customer = || Some(id(&held.customer));
    let (code, absent) = (Code::NotFound, "RESOURCE_NOT_FOUND");

    let mut profiles = ProfileServiceClient::new(client.clone());
    refused(profiles.get_profile(GetProfileRequest { customer: customer(), ..Default::default() }).await, code, absent);
    refused(profiles.get_lineage(GetLineageRequest { customer: customer() }).await, code, absent);
    let request = PreviewMergeRequest { target: customer(), sources: vec![id(&held.customer)] };
    refused(profiles.preview_merge(request).await, code, absent);
    let request = MergeProfilesRequest { target: customer(), sources: vec![id(&held.customer)], ..Default::default() };
    refused(profiles.merge_profiles(request).await, code, absent);
    let record = SourceRecord { source: "crm".into(), external_id: "1".into() };
    let request = SplitProfileRequest { customer: customer(), source_records: vec![record], ..Default::default() };
    refused(profiles.split_profile(request).await, code, absent);
    let consent = Consent { purpose: "marketing".into(), state: ConsentState::Granted.into(), ..Default::default() };
    let request =
        SetConsentRequest { customer: customer(), consent: Some(consent), source: "web".into(), ..Default::default() };
    refused(profiles.set_consent(request).await, code, absent);
    let request = BatchGetProfilesRequest { customers: vec![id(&held.customer)] };
    let batch = profiles.batch_get_profiles(request).await.expect("an entry each").into_inner();
    assert!(batch.results[0].profile.is_none() && batch.results[0].reason == absent);

    let mut interactions = InteractionServiceClient::new(client.clone());
    refused(interactions.record_interaction(interaction(id(&held.customer), "9")).await, code, absent);
    refused(
        interactions.list_interactions(ListInteractionsRequest { customer: customer(), ..Default::default() }).await,
        code,
        absent,
    );

    let mut surveys = SurveyServiceClient::new(client.clone());
    let survey_id = || held.survey.clone();
    refused(surveys.get_survey(GetSurveyRequest { survey_id: survey_id() }).await, code, absent);
    refused(
        surveys.publish_survey(PublishSurveyRequest { survey_id: survey_id(), ..Default::default() }).await,
        code,
        absent,
    );
    refused(
        surveys.close_survey(CloseSurveyRequest { survey_id: survey_id(), ..Default::default() }).await,
        code,
        absent,
    );
    let mut responses = ResponseServiceClient::new(client.clone());
    let response_id = || held.response.clone();
    let request = SubmitResponseRequest { survey_id: survey_id(), score: Some(1), ..Default::default() };
    refused(responses.submit_response(request).await, code, absent);
    refused(responses.get_response(GetResponseRequest { response_id: response_id() }).await, code, absent);
    refused(
        responses
            .update_response(UpdateResponseRequest { response_id: response_id(), score: Some(1), ..Default::default() })
            .await,
        code,
        absent,
    );
    refused(
        responses.delete_response(DeleteResponseRequest { response_id: response_id(), ..Default::default() }).await,
        code,
        absent,
    );
    refused(
        responses.list_responses(ListResponsesRequest { survey_id: survey_id(), ..Default::default() }).await,
        code,
        absent,
    );

    let mut actions = ActionServiceClient::new(client.clone());
    let action_id = || held.action.action_id.clone();
    refused(actions.get_action(GetActionRequest { action_id: action_id() }).await, code, absent);
    refused(
        actions.update_action(UpdateActionRequest { action: Some(held.action.clone()), ..Default::default() }).await,
        code,
        absent,
    );
    refused(
        actions.delete_action(DeleteActionRequest { action_id: action_id(), ..Default::default() }).await,
        code,
        absent,
    );
    let mut decisions = DecisionServiceClient::new(client.clone());
    refused(
        decisions.decide(DecideRequest { customer: customer(), channel: "web".into(), ..Default::default() }).await,
        code,
        absent,
    );
    refused(decisions.get_decision(GetDecisionRequest { decision_id: held.decision.clone() }).await, code, absent);
    refused(
        decisions.replay_decision(ReplayDecisionRequest { decision_id: held.decision.clone() }).await,
        code,
        absent,
    );

    let mut privacy = PrivacyServiceClient::new(client.clone());
    refused(
        privacy.erase_customer(EraseCustomerRequest { request_id: String::new(), customer: customer() }).await,
        code,
        absent,
    );
    refused(privacy.get_erasure(GetErasureRequest { erasure_id: held.erasure.clone() }).await, code, absent);
    let mut keys = ApiKeyServiceClient::new(client.clone());
    refused(
        keys.revoke_api_key(RevokeApiKeyRequest { key_id: held.key.clone(), ..Default::default() }).await,
        code,
        absent,
    );

    // The same customer number exists here too, and is somebody else; the other's page token is refused.
    let identify = IdentifyRequest {
        source: "crm".into(),
        external_id: "1".into(),
        identifiers: vec![Identifier { namespace: "customer_number".into(), value: "1".into() }],
        ..IdentifyRequest::default()
    };
    let own = profiles.identify(identify).await.expect("identified").into_inner().profile.expect("it").customer_id;
    assert_ne!(own, held.customer);
    let request = ListInteractionsRequest {
        customer: Some(by("customer_number", "1")),
        page_size: 1,
        page_token: held.page.clone(),
        ..Default::default()
    };
    refused(interactions.list_interactions(request).await, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
}

#[tokio::test]
async fn no_id_of_another_tenant_is_found_embedded() {
    no_id_of_another_tenant_is_found(Shape::Embedded).await;
}

#[tokio::test]
async fn no_id_of_another_tenant_is_found_in_production() {
    no_id_of_another_tenant_is_found(Shape::Production).await;
}
