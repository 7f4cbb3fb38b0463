//! Redis is only speed: stopped, slow, full or flushed, no answer is wrong and no read fails.

use std::time::Duration;

use rapport_api::common::v1::{Identifier, Value, value};
use rapport_api::personalisation::v1::action_service_client::ActionServiceClient;
use rapport_api::personalisation::v1::decision_service_client::DecisionServiceClient;
use rapport_api::personalisation::v1::{Action, ActionKind, CreateActionRequest, DecideRequest};
use rapport_api::profiles::v1::profile_service_client::ProfileServiceClient;
use rapport_api::profiles::v1::{GetProfileRequest, IdentifyRequest};
use rapport_tests::{Client, Shape, Suite};

use crate::journeys::by;

/// Says that the customer lives in `city`, and answers the profile's revision.
async fn moves(client: &Client, city: &str) -> u64 {
    let text = Value { kind: Some(value::Kind::TextValue(city.to_owned())) };
    let request = IdentifyRequest {
        source: "crm".into(),
        external_id: "1".into(),
        identifiers: vec![Identifier { namespace: "customer_number".into(), value: "1".into() }],
        traits: [("city".to_owned(), text)].into(),
        ..IdentifyRequest::default()
    };
    let answer = ProfileServiceClient::new(client.clone()).identify(request).await.expect("identified").into_inner();
    answer.profile.expect("a profile").revision
}

/// What is offered to the customer, from at least `revision` of its profile.
async fn offered(client: &Client, revision: u64) -> Vec<String> {
    let request = DecideRequest {
        customer: Some(by("customer_number", "1")),
        channel: "web".into(),
        min_revision: revision,
        dry_run: true,
        ..DecideRequest::default()
    };
    let decision = DecisionServiceClient::new(client.clone()).decide(request).await.expect("decided").into_inner();
    decision.actions.into_iter().map(|action| action.name).collect()
}

#[tokio::test]
async fn answers_stay_right_while_redis_is_stopped_paused_and_flushed() {
    let suite = Suite::start(Shape::Production);
    let client = suite.client().await;
    for city in ["Iasi", "Cluj"] {
        let eligibility = format!("customer.traits.city == '{city}'");
        let action =
            Action { name: city.into(), kind: ActionKind::Offer.into(), eligibility, value: 1.0, ..Action::default() };
        let request = CreateActionRequest { request_id: String::new(), action: Some(action) };
        ActionServiceClient::new(client.clone()).create_action(request).await.expect("created");
    }
    let redis = suite.redis().expect("the production shape has one");
    let check = async |city: &str| {
        let revision = moves(&client, city).await;
        assert_eq!(offered(&client, revision).await, [city]);
        let request = GetProfileRequest {
            customer: Some(by("customer_number", "1")),
            min_revision: revision,
            ..Default::default()
        };
        let profile = ProfileServiceClient::new(client.clone()).get_profile(request).await.expect("read").into_inner();
        assert_eq!(profile.revision, revision);
        // Without asking for a revision, what is older than a second is wrong.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        assert_eq!(offered(&client, 0).await, [city]);
    };
    check("Iasi").await;
    redis.flush();
    check("Cluj").await;
    redis.pause();
    check("Iasi").await;
    redis.resume();
    check("Cluj").await;
    redis.stop();
    check("Iasi").await;
    redis.start_again();
    check("Cluj").await;
}
