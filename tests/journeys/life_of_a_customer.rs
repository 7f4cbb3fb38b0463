//! The first test of the house: two customers bought and answered; they are merged, more happens, they are split, one is
//! erased. At every step each figure equals a recomputation from the facts that stand.

use rapport_api::admin::v1::privacy_service_client::PrivacyServiceClient;
use rapport_api::admin::v1::{EraseCustomerRequest, ErasureState, GetErasureRequest};
use rapport_api::common::v1::{Identifier, Value, value};
use rapport_api::feedback::v1::response_service_client::ResponseServiceClient;
use rapport_api::feedback::v1::{
    DeleteResponseRequest, SubmitResponseRequest, Survey, SurveyKind, UpdateResponseRequest,
};
use rapport_api::google::r#type::Money;
use rapport_api::metrics::v1::{Counting, QueryMetricRequest};
use rapport_api::personalisation::v1::action_service_client::ActionServiceClient;
use rapport_api::personalisation::v1::decision_service_client::DecisionServiceClient;
use rapport_api::personalisation::v1::{
    Action, ActionKind, Cap, CreateActionRequest, DecideRequest, FunnelTier, GetDecisionRequest, ReplayDecisionRequest,
};
use rapport_api::profiles::v1::interaction_service_client::InteractionServiceClient;
use rapport_api::profiles::v1::profile_service_client::ProfileServiceClient;
use rapport_api::profiles::v1::{
    GetProfileRequest, IdentifyRequest, Interaction, MergeProfilesRequest, RecordInteractionRequest, SourceRecord,
    SplitProfileRequest,
};
use rapport_tests::{Client, Shape, Suite};
use tonic::Code;

use super::{by, id, opened, query, total, until};

async fn identify(client: &Client, record: &str, email: &str, city: &str) -> String {
    let text = Value { kind: Some(value::Kind::TextValue(city.to_owned())) };
    let request = IdentifyRequest {
        source: "crm".into(),
        external_id: record.into(),
        identifiers: vec![Identifier { namespace: "email".into(), value: email.into() }],
        traits: [("city".to_owned(), text)].into(),
        ..IdentifyRequest::default()
    };
    let answer = ProfileServiceClient::new(client.clone()).identify(request).await.expect("identified").into_inner();
    answer.profile.expect("a profile").customer_id
}

async fn buy(client: &Client, customer: &str, order: &str, day: i64, units: i64) {
    let interaction = Interaction {
        customer: Some(id(customer)),
        source: "shop".into(),
        external_id: order.into(),
        version: 1,
        r#type: "purchase".into(),
        channel: "web".into(),
        occurred_at: Some(prost_types::Timestamp { seconds: 1_700_000_000 + day * 86_400, nanos: 0 }),
        value: Some(Money { currency_code: "EUR".into(), units, nanos: 0 }),
        ..Interaction::default()
    };
    let request = RecordInteractionRequest { request_id: String::new(), interaction: Some(interaction) };
    InteractionServiceClient::new(client.clone()).record_interaction(request).await.expect("recorded");
}

async fn survey(client: &Client) -> String {
    let survey = Survey {
        name: "NPS".into(),
        kind: SurveyKind::Nps.into(),
        question: "How likely?".into(),
        ..Survey::default()
    };
    opened(client, survey).await
}

async fn answer(client: &Client, survey_id: &str, customer: &str, score: i32) -> String {
    let request = SubmitResponseRequest {
        survey_id: survey_id.into(),
        customer: Some(id(customer)),
        score: Some(score),
        channel: "mail".into(),
        ..SubmitResponseRequest::default()
    };
    ResponseServiceClient::new(client.clone())
        .submit_response(request)
        .await
        .expect("submitted")
        .into_inner()
        .response_id
}

/// The figures of the journey: interactions, revenue, customers, repeat share (days), NPS responses and NPS.
async fn figures(client: &Client) -> [Option<f64>; 6] {
    let request = QueryMetricRequest {
        metric: "repeat_customer_share".into(),
        counting: Counting::PurchaseDays.into(),
        ..QueryMetricRequest::default()
    };
    let share = query(client, request).await.first().and_then(|point| point.value);
    let nps = total(client, "nps").await;
    [
        total(client, "interactions").await.0,
        total(client, "revenue").await.0,
        total(client, "customers").await.0,
        share,
        Some(nps.1 as f64),
        nps.0,
    ]
}

async fn expect(client: &Client, when: &str, expected: [Option<f64>; 6]) {
    let close = |held: [Option<f64>; 6]| {
        held.iter().zip(&expected).all(|pair| match pair {
            (Some(held), Some(expected)) => (held - expected).abs() < 1e-9,
            (held, expected) => held.unwrap_or(0.0) == expected.unwrap_or(0.0),
        })
    };
    until(&format!("{when}: {expected:?}"), || async {
        let held = figures(client).await;
        if !close(held) {
            eprintln!("{when}: {held:?}, expected {expected:?}");
        }
        close(held)
    })
    .await;
}

/// Has profiles and feedback tell all they hold again: beside the running suite, or, where a process of its own holds the
/// files, while that is stopped.
fn told_again(suite: &mut Suite) {
    let embedded = suite.parts().contains(&"up");
    if embedded {
        suite.stop("up");
    }
    for role in ["profiles", "feedback"] {
        let folder = format!("{role}.database.folder={}", suite.folder().join("data").display());
        let mut words = vec!["replay", role];
        if embedded {
            words.extend(["--set", &folder]);
        }
        let told = suite.command(&words);
        let events: Option<u64> = told.split(' ').next().and_then(|count| count.parse().ok());
        assert!(events.is_some_and(|events| events > 0), "{role} tells nothing: {told}");
    }
    if embedded {
        suite.start_again("up");
    }
}

async fn every_figure_follows_the_life_of_a_customer(shape: Shape) {
    // Groups of one and two are what this is about: nothing is suppressed.
    let mut suite = Suite::start_with(shape, &[("metrics.suppression_threshold", "0")]);
    let client = suite.client().await;
    let mut profiles = ProfileServiceClient::new(client.clone());
    let mut responses = ResponseServiceClient::new(client.clone());

    let anna = identify(&client, "1", "anna@example.com", "Iasi").await;
    let ana = identify(&client, "2", "ana@example.org", "Cluj").await;
    let boris = identify(&client, "3", "boris@example.net", "Kazan").await;
    assert_ne!(anna, ana);
    let survey_id = survey(&client).await;
    buy(&client, &anna, "a1", 1, 10).await;
    buy(&client, &ana, "b1", 2, 20).await;
    buy(&client, &boris, "c1", 3, 40).await;
    let good = answer(&client, &survey_id, &anna, 9).await;
    answer(&client, &survey_id, &ana, 3).await;
    answer(&client, &survey_id, &boris, 8).await;
    expect(&client, "at first", [Some(3.0), Some(70.0), Some(3.0), Some(0.0), Some(3.0), Some(0.0)]).await;

    // Merged: two customers, one of whom bought on two days.
    let request =
        MergeProfilesRequest { target: Some(id(&anna)), sources: vec![id(&ana)], ..MergeProfilesRequest::default() };
    let merged = profiles.merge_profiles(request).await.expect("merged").into_inner();
    assert_eq!(merged.merged_customer_ids, [ana.as_str()]);
    let request = GetProfileRequest { customer: Some(id(&ana)), ..GetProfileRequest::default() };
    let profile = profiles.get_profile(request).await.expect("a merged-away id works").into_inner();
    assert_eq!(profile.customer_id, anna);
    assert_eq!(profile.identifiers.len(), 2);
    expect(&client, "merged", [Some(3.0), Some(70.0), Some(2.0), Some(0.5), Some(3.0), Some(0.0)]).await;

    // More happens to the merged one, under either id; an answer is corrected, another withdrawn.
    buy(&client, &ana, "b2", 4, 80).await;
    let request =
        UpdateResponseRequest { response_id: good.clone(), score: Some(10), ..UpdateResponseRequest::default() };
    responses.update_response(request).await.expect("corrected");
    let extra = answer(&client, &survey_id, &anna, 0).await;
    expect(&client, "more", [Some(4.0), Some(150.0), Some(2.0), Some(0.5), Some(4.0), Some(-25.0)]).await;
    let request = DeleteResponseRequest { response_id: extra, ..DeleteResponseRequest::default() };
    responses.delete_response(request).await.expect("deleted");
    expect(&client, "withdrawn", [Some(4.0), Some(150.0), Some(2.0), Some(0.5), Some(3.0), Some(0.0)]).await;

    // Split again: each has its own back, and what was bought under its own id since.
    let record = SourceRecord { source: "crm".into(), external_id: "2".into() };
    let request = SplitProfileRequest {
        customer: Some(id(&anna)),
        source_records: vec![record],
        ..SplitProfileRequest::default()
    };
    let split = profiles.split_profile(request).await.expect("split").into_inner();
    assert_eq!(split.separated.iter().map(|profile| profile.customer_id.as_str()).collect::<Vec<_>>(), [ana.as_str()]);
    expect(&client, "split", [Some(4.0), Some(150.0), Some(3.0), Some(1.0 / 3.0), Some(3.0), Some(0.0)]).await;
    // The same source tells the same again: the split stands.
    assert_eq!(identify(&client, "2", "ana@example.org", "Cluj").await, ana);

    // Erased: what was hers counts nowhere.
    let mut privacy = PrivacyServiceClient::new(client.clone());
    let request = EraseCustomerRequest { request_id: String::new(), customer: Some(id(&ana)) };
    let erasure = privacy.erase_customer(request).await.expect("taken").into_inner();
    until("every service has erased", || {
        let (mut privacy, erasure_id) = (privacy.clone(), erasure.erasure_id.clone());
        async move {
            let state = privacy.get_erasure(GetErasureRequest { erasure_id }).await.expect("known").into_inner();
            state.state() == ErasureState::Complete && state.receipts.len() == 4
        }
    })
    .await;
    let erased = [Some(2.0), Some(50.0), Some(2.0), Some(0.0), Some(2.0), Some(50.0)];
    expect(&client, "erased", erased).await;
    let request = GetProfileRequest { customer: Some(id(&ana)), ..GetProfileRequest::default() };
    assert_eq!(profiles.get_profile(request).await.expect_err("erased").code(), Code::NotFound);

    // Told again three times from what the services hold, nothing changes.
    for round in 1..=3 {
        told_again(&mut suite);
        let client = suite.client().await;
        // The relay publishes at once; what metrics makes of it must be the same before, meanwhile and after.
        for _ in 0..3 {
            expect(&client, &format!("told again {round}"), erased).await;
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        }
    }
    assert!(!suite.logs().contains("example.com"), "no log holds an e-mail address");
}

#[tokio::test]
async fn every_figure_follows_the_life_of_a_customer_embedded() {
    every_figure_follows_the_life_of_a_customer(Shape::Embedded).await;
}

#[tokio::test]
async fn every_figure_follows_the_life_of_a_customer_in_production() {
    every_figure_follows_the_life_of_a_customer(Shape::Production).await;
}

async fn a_decision_is_committed_capped_explained_and_replayed(shape: Shape) {
    let suite = Suite::start(shape);
    let client = suite.client().await;
    let anna = identify(&client, "1", "anna@example.com", "Iasi").await;
    let mut actions = ActionServiceClient::new(client.clone());
    let cap = Some(Cap { times: 1, window: Some(prost_types::Duration { seconds: 86_400, nanos: 0 }) });
    for (name, eligibility, value, cap) in [
        ("once a day", "customer.traits.city == 'Iasi'", 10.0, cap),
        ("elsewhere", "customer.traits.city == 'Cluj'", 99.0, None),
    ] {
        let action = Action {
            name: name.into(),
            kind: ActionKind::Offer.into(),
            eligibility: eligibility.into(),
            value,
            cap,
            ..Action::default()
        };
        let request = CreateActionRequest { request_id: String::new(), action: Some(action) };
        actions.create_action(request).await.expect("created");
    }
    let mut decisions = DecisionServiceClient::new(client.clone());
    let request = DecideRequest {
        customer: Some(by("email", "Anna@Example.com")),
        channel: "web".into(),
        explain: true,
        ..DecideRequest::default()
    };
    let first = decisions.decide(request.clone()).await.expect("decided").into_inner();
    assert_eq!(first.actions.iter().map(|action| action.name.as_str()).collect::<Vec<_>>(), ["once a day"]);
    assert_eq!(first.customer_id, anna);
    assert!((first.actions[0].probability - 1.0).abs() < 1e-12);
    assert_eq!(first.left_out[0].tier(), FunnelTier::Eligibility);

    let second = decisions.decide(request).await.expect("decided").into_inner();
    assert!(second.actions.is_empty(), "the cap holds from the ledger");
    assert!(second.left_out.iter().any(|left| left.tier() == FunnelTier::Cap));

    let request = GetDecisionRequest { decision_id: first.decision_id.clone() };
    assert_eq!(decisions.get_decision(request).await.expect("held").into_inner().actions, first.actions);
    let request = ReplayDecisionRequest { decision_id: first.decision_id };
    assert!(decisions.replay_decision(request).await.expect("replayed").into_inner().identical);
}

#[tokio::test]
async fn a_decision_is_committed_capped_explained_and_replayed_embedded() {
    a_decision_is_committed_capped_explained_and_replayed(Shape::Embedded).await;
}

#[tokio::test]
async fn a_decision_is_committed_capped_explained_and_replayed_in_production() {
    a_decision_is_committed_capped_explained_and_replayed(Shape::Production).await;
}
