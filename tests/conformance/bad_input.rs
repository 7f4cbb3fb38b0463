//! Bad input: the right code, a reason that says what to do, nothing lost or half done.

use std::collections::BTreeSet;

use rapport_api::admin::v1::api_key_service_client::ApiKeyServiceClient;
use rapport_api::admin::v1::{CreateApiKeyRequest, RevokeApiKeyRequest};
use rapport_api::common::v1::{Identifier, Value, value};
use rapport_api::feedback::v1::response_service_client::ResponseServiceClient;
use rapport_api::feedback::v1::survey_service_client::SurveyServiceClient;
use rapport_api::feedback::v1::*;
use rapport_api::metrics::v1::QueryMetricRequest;
use rapport_api::metrics::v1::metric_service_client::MetricServiceClient;
use rapport_api::personalisation::v1::action_service_client::ActionServiceClient;
use rapport_api::personalisation::v1::{Action, ActionKind, CreateActionRequest};
use rapport_api::profiles::v1::interaction_service_client::InteractionServiceClient;
use rapport_api::profiles::v1::profile_service_client::ProfileServiceClient;
use rapport_api::profiles::v1::*;
use rapport_tests::{Client, Shape, Suite};
use tonic::{Code, Request};

use super::{fields, refused};
use crate::journeys::{by, id};

fn identify(record: &str, email: &str) -> IdentifyRequest {
    IdentifyRequest {
        source: "crm".into(),
        external_id: record.into(),
        identifiers: vec![Identifier { namespace: "email".into(), value: email.into() }],
        ..IdentifyRequest::default()
    }
}

async fn profile(client: &Client, record: &str, email: &str) -> Profile {
    let answer = ProfileServiceClient::new(client.clone()).identify(identify(record, email)).await.expect("identified");
    answer.into_inner().profile.expect("a profile")
}

async fn keys_are_checked(suite: &Suite) {
    let get = GetProfileRequest { customer: Some(by("email", "nobody@example.com")), ..Default::default() };
    let unauthenticated = Code::Unauthenticated;
    for key in ["", "rk_", "rk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE", "\u{7e}\u{7e}"] {
        let mut profiles = ProfileServiceClient::new(suite.client_with(key).await);
        refused(profiles.get_profile(get.clone()).await, unauthenticated, "INVALID_CREDENTIALS");
    }
    let client = suite.client().await;
    let mut keys = ApiKeyServiceClient::new(client.clone());
    let request =
        CreateApiKeyRequest { name: "reader".into(), scopes: vec!["profiles:read".into()], ..Default::default() };
    let made = keys.create_api_key(request).await.expect("made").into_inner();
    let reader = suite.client_with(&made.secret).await;
    let mut profiles = ProfileServiceClient::new(reader.clone());
    refused(profiles.get_profile(get.clone()).await, Code::NotFound, "RESOURCE_NOT_FOUND");
    refused(profiles.identify(identify("1", "a@example.com")).await, Code::PermissionDenied, "MISSING_SCOPE");
    let request = CreateApiKeyRequest { name: "more".into(), scopes: vec!["*:admin".into()], ..Default::default() };
    refused(ApiKeyServiceClient::new(reader).create_api_key(request).await, Code::PermissionDenied, "MISSING_SCOPE");
    let key_id = made.api_key.expect("a key").key_id;
    keys.revoke_api_key(RevokeApiKeyRequest { key_id, ..Default::default() }).await.expect("revoked");
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    refused(profiles.get_profile(get).await, unauthenticated, "KEY_REVOKED");
}

async fn identities_are_checked(suite: &Suite) {
    let client = suite.client().await;
    let mut profiles = ProfileServiceClient::new(client.clone());
    let mut request = identify("1", "not an address");
    request.identifiers.push(Identifier { namespace: "phone".into(), value: "12".into() });
    request.identifiers.push(Identifier { namespace: "no_such".into(), value: "12".into() });
    request.request_id = "x".into();
    let status = refused(profiles.identify(request).await, Code::InvalidArgument, "INVALID_FIELD");
    let named: BTreeSet<_> = fields(&status).into_iter().collect();
    let expected = ["identifiers[0].value", "identifiers[1].value", "identifiers[2].namespace", "request_id"];
    assert_eq!(named, expected.map(str::to_owned).into(), "one answer names them all");
    assert!(!status.message().contains("not an address"));

    let request = IdentifyRequest { party: 42, ..identify("1", "a@example.com") };
    assert_eq!(fields(&refused(profiles.identify(request).await, Code::InvalidArgument, "INVALID_FIELD")), ["party"]);
    let far = Some(prost_types::Timestamp { seconds: 32_000_000_000, nanos: 0 });
    let request = IdentifyRequest { observed_at: far, ..identify("1", "a@example.com") };
    assert_eq!(
        fields(&refused(profiles.identify(request).await, Code::InvalidArgument, "INVALID_FIELD")),
        ["observed_at"]
    );

    // A merged-away id works; a stale etag is refused; merging what is one already changes nothing.
    let (one, two) = (profile(&client, "1", "one@example.com").await, profile(&client, "2", "two@example.com").await);
    let merge = |etag: &str| MergeProfilesRequest {
        target: Some(id(&one.customer_id)),
        sources: vec![id(&two.customer_id)],
        etag: etag.to_owned(),
        ..MergeProfilesRequest::default()
    };
    refused(profiles.merge_profiles(merge("0")).await, Code::Aborted, "STALE_ETAG");
    let merged = profiles.merge_profiles(merge(&one.etag)).await.expect("merged").into_inner();
    refused(profiles.merge_profiles(merge(&one.etag)).await, Code::Aborted, "STALE_ETAG");
    let again = profiles.merge_profiles(merge("")).await.expect("harmless").into_inner();
    assert!(
        again.merged_customer_ids.is_empty()
            && again.profile.expect("it").revision == merged.profile.expect("it").revision
    );
    let request = GetProfileRequest { customer: Some(id(&two.customer_id)), ..Default::default() };
    assert_eq!(profiles.get_profile(request).await.expect("resolves").into_inner().customer_id, one.customer_id);
    let request =
        GetProfileRequest { customer: Some(id(&one.customer_id)), min_revision: 1_000_000, ..Default::default() };
    refused(profiles.get_profile(request).await, Code::FailedPrecondition, "REVISION_NOT_REACHED");
}

async fn parallel_calls_are_one(suite: &Suite) {
    let client = suite.client().await;
    let request =
        IdentifyRequest { request_id: uuid::Uuid::new_v4().to_string(), ..identify("50", "fifty@example.com") };
    let calls = (0..50).map(|_| {
        let (mut profiles, request) = (ProfileServiceClient::new(client.clone()), request.clone());
        async move { profiles.identify(request).await.expect("answered").into_inner() }
    });
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "fifty calls, one answer");
    assert_eq!(answers[0].outcome(), IdentifyOutcome::Created);
    let mut profiles = ProfileServiceClient::new(client.clone());
    let other = IdentifyRequest { external_id: "51".into(), ..request };
    refused(profiles.identify(other).await, Code::AlreadyExists, "IDEMPOTENCY_MISMATCH");

    // A into B, B into C, C into A, at once: one customer, whoever wins.
    let mut ring = Vec::new();
    for n in 0..3 {
        ring.push(profile(&client, &format!("ring{n}"), &format!("ring{n}@example.com")).await.customer_id);
    }
    let merges = (0..12).map(|n| {
        let (mut profiles, target, source) =
            (ProfileServiceClient::new(client.clone()), id(&ring[n % 3]), id(&ring[(n + 1) % 3]));
        async move {
            let request = MergeProfilesRequest { target: Some(target), sources: vec![source], ..Default::default() };
            profiles.merge_profiles(request).await.expect("merged")
        }
    });
    futures::future::join_all(merges).await;
    let mut found = BTreeSet::new();
    for customer in &ring {
        let request = GetProfileRequest { customer: Some(id(customer)), ..Default::default() };
        found.insert(profiles.get_profile(request).await.expect("resolves").into_inner().customer_id);
    }
    assert_eq!(found.len(), 1, "one customer");
}

async fn facts_are_checked(suite: &Suite) {
    let client = suite.client().await;
    let mut interactions = InteractionServiceClient::new(client.clone());
    let customer = profile(&client, "60", "sixty@example.com").await.customer_id;
    let sound = Interaction {
        customer: Some(id(&customer)),
        source: "shop".into(),
        external_id: "1".into(),
        version: 5,
        r#type: "purchase".into(),
        product: "new".into(),
        occurred_at: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
        ..Interaction::default()
    };
    let request = |interaction: Interaction| RecordInteractionRequest {
        request_id: String::new(),
        interaction: Some(interaction),
    };
    interactions.record_interaction(request(sound.clone())).await.expect("recorded");
    let older = Interaction { version: 4, product: "old".into(), ..sound.clone() };
    let held = interactions.record_interaction(request(older)).await.expect("harmless").into_inner();
    assert_eq!(held.outcome(), RecordOutcome::Unchanged);
    assert_eq!(held.interaction.expect("it").product, "new");
    let far = Interaction { occurred_at: Some(prost_types::Timestamp { seconds: 32_000_000_000, nanos: 0 }), ..sound };
    let status = refused(interactions.record_interaction(request(far)).await, Code::InvalidArgument, "INVALID_FIELD");
    assert_eq!(fields(&status), ["interaction.occurred_at"]);

    let (mut surveys, mut responses) =
        (SurveyServiceClient::new(client.clone()), ResponseServiceClient::new(client.clone()));
    let survey = Survey { name: "s".into(), kind: SurveyKind::Nps.into(), question: "?".into(), ..Survey::default() };
    let survey = surveys.create_survey(CreateSurveyRequest { request_id: String::new(), survey: Some(survey) }).await;
    let survey = survey.expect("created").into_inner();
    let submit = |score: i32| SubmitResponseRequest {
        survey_id: survey.survey_id.clone(),
        score: Some(score),
        ..Default::default()
    };
    refused(responses.submit_response(submit(9)).await, Code::FailedPrecondition, "SURVEY_NOT_OPEN");
    let publish = |etag: &str| PublishSurveyRequest {
        survey_id: survey.survey_id.clone(),
        etag: etag.into(),
        ..Default::default()
    };
    refused(surveys.publish_survey(publish("stale")).await, Code::Aborted, "STALE_ETAG");
    surveys.publish_survey(publish(&survey.etag)).await.expect("open");
    let status = refused(responses.submit_response(submit(11)).await, Code::InvalidArgument, "INVALID_FIELD");
    assert_eq!(fields(&status), ["score"]);
    let given = responses.submit_response(submit(9)).await.expect("taken").into_inner();
    let close = CloseSurveyRequest { survey_id: survey.survey_id.clone(), ..Default::default() };
    surveys.close_survey(close).await.expect("closed");
    refused(responses.submit_response(submit(9)).await, Code::FailedPrecondition, "SURVEY_NOT_OPEN");
    let update = |etag: &str| UpdateResponseRequest {
        response_id: given.response_id.clone(),
        score: Some(2),
        etag: etag.into(),
        ..Default::default()
    };
    responses.update_response(update(&given.etag)).await.expect("corrections go on");
    refused(responses.update_response(update(&given.etag)).await, Code::Aborted, "STALE_ETAG");
}

async fn conditions_are_checked(suite: &Suite) {
    let client = suite.client().await;
    let mut actions = ActionServiceClient::new(client.clone());
    let deep = format!("{}true{}", "(".repeat(2_000), ")".repeat(2_000));
    let long = vec!["1"; 1_500].join("+") + " == 1";
    let dear = "customer.traits.list.exists(a, customer.traits.list.exists(b, customer.traits.list.exists(c, customer.traits.list.exists(d, a == b && c == d))))";
    for eligibility in ["customer.traits.city ==", "no_such_variable", "1 + 'a' == 2", "'text'", &deep, &long, dear] {
        let action = Action {
            name: "a".into(),
            kind: ActionKind::Offer.into(),
            eligibility: eligibility.to_owned(),
            ..Action::default()
        };
        let request = CreateActionRequest { request_id: String::new(), action: Some(action) };
        let status = actions.create_action(request).await.expect_err("refused");
        assert_eq!(status.code(), Code::InvalidArgument, "{eligibility:.60}");
        assert_eq!(fields(&status), ["action.eligibility"], "{eligibility:.60}");
    }
    let mut metrics = MetricServiceClient::new(client);
    let query = |metric: &str, group: &str, filter: &str| QueryMetricRequest {
        metric: metric.into(),
        group_by: if group.is_empty() { Vec::new() } else { vec![group.into()] },
        filter: filter.into(),
        ..Default::default()
    };
    refused(metrics.query_metric(query("no_such", "", "")).await, Code::InvalidArgument, "UNSUPPORTED_QUERY");
    refused(metrics.query_metric(query("nps", "no_such", "")).await, Code::InvalidArgument, "UNSUPPORTED_QUERY");
    refused(metrics.query_metric(query("nps", "", "channel ==")).await, Code::InvalidArgument, "INVALID_CONDITION");
}

async fn messages_are_bounded(suite: &Suite) {
    let client = suite.client().await;
    let mut profiles = ProfileServiceClient::new(client.clone());
    let text = |size: usize| Value { kind: Some(value::Kind::TextValue("x".repeat(size))) };
    let mut huge = identify("70", "seventy@example.com");
    huge.traits = (0..80).map(|n| (format!("t{n}"), text(4_000))).collect();
    refused(profiles.identify(huge).await, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    let mut request = Request::new(identify("70", "seventy@example.com"));
    request.metadata_mut().insert("x-much", "y".repeat(10 * 1024).parse().expect("ASCII"));
    let status = profiles.identify(request).await.expect_err("refused");
    assert!(matches!(status.code(), Code::ResourceExhausted | Code::Internal | Code::Unknown), "{status:?}");
    profiles.identify(identify("70", "seventy@example.com")).await.expect("the connection still works");

    // Bytes that are no message: a field that says it is longer than what follows.
    let mut grpc = tonic::client::Grpc::new(client);
    grpc.ready().await.expect("ready");
    let path = "/rapport.profiles.v1.ProfileService/Identify".parse().expect("a path");
    let answer = grpc.unary(Request::new(vec![0x12, 0x7f, 0x41]), path, raw::Raw).await;
    refused(answer, Code::InvalidArgument, "MALFORMED_MESSAGE");
}

/// Sends and takes bytes as they are.
mod raw {
    use bytes::{Buf, BufMut};
    use tonic::Status;
    use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

    pub struct Raw;

    impl Codec for Raw {
        type Encode = Vec<u8>;
        type Decode = Vec<u8>;
        type Encoder = Self;
        type Decoder = Self;
        fn encoder(&mut self) -> Self {
            Self
        }
        fn decoder(&mut self) -> Self {
            Self
        }
    }
    impl Encoder for Raw {
        type Item = Vec<u8>;
        type Error = Status;
        fn encode(&mut self, bytes: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
            to.put_slice(&bytes);
            Ok(())
        }
        fn buffer_settings(&self) -> BufferSettings {
            BufferSettings::default()
        }
    }
    impl Decoder for Raw {
        type Item = Vec<u8>;
        type Error = Status;
        fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
            let mut bytes = vec![0; from.remaining()];
            from.copy_to_slice(&mut bytes);
            Ok(Some(bytes))
        }
        fn buffer_settings(&self) -> BufferSettings {
            BufferSettings::default()
        }
    }
}

async fn bad_input_is_refused_with_what_to_do(shape: Shape) {
    let suite = Suite::start(shape);
    identities_are_checked(&suite).await;
    parallel_calls_are_one(&suite).await;
    facts_are_checked(&suite).await;
    conditions_are_checked(&suite).await;
    messages_are_bounded(&suite).await;
    keys_are_checked(&suite).await;
    let logs = suite.logs();
    assert!(!logs.contains("panicked") && !logs.contains("@example.com"), "{logs}");
}

#[tokio::test]
async fn bad_input_is_refused_with_what_to_do_embedded() {
    bad_input_is_refused_with_what_to_do(Shape::Embedded).await;
}

#[tokio::test]
async fn bad_input_is_refused_with_what_to_do_in_production() {
    bad_input_is_refused_with_what_to_do(Shape::Production).await;
}
