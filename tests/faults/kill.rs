//! `kill -9` at seeded moments of an import and of a decision load, each role in turn: what was acknowledged is there,
//! nothing is counted twice. `SEEDS=200 cargo test -p rapport-tests kill` for more rounds than the usual.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::stream;
use rapport_api::common::v1::Identifier;
use rapport_api::google::r#type::Money;
use rapport_api::personalisation::v1::action_service_client::ActionServiceClient;
use rapport_api::personalisation::v1::decision_service_client::DecisionServiceClient;
use rapport_api::personalisation::v1::{Action, ActionKind, CreateActionRequest, DecideRequest, GetDecisionRequest};
use rapport_api::profiles::v1::interaction_service_client::InteractionServiceClient;
use rapport_api::profiles::v1::profile_service_client::ProfileServiceClient;
use rapport_api::profiles::v1::{IdentifyRequest, Interaction, RecordInteractionsRequest};
use rapport_tests::{Client, Shape, Suite};

use crate::journeys::{by, total, until};

/// How many kills for each part.
fn seeds() -> u64 {
    std::env::var("SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

/// A moment after the start of the load, from a seed: 20 to 420 ms.
fn moment(seed: u64) -> Duration {
    let mixed = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Duration::from_millis(20 + (mixed >> 32) % 400)
}

fn purchase(n: i64) -> RecordInteractionsRequest {
    let interaction = Interaction {
        customer: Some(by("customer_number", &format!("c{}", n % 500))),
        source: "shop".into(),
        external_id: n.to_string(),
        version: 1,
        r#type: "purchase".into(),
        channel: "web".into(),
        occurred_at: Some(prost_types::Timestamp { seconds: 1_700_000_000 + n, nanos: 0 }),
        value: Some(Money { currency_code: "EUR".into(), units: 1, nanos: 0 }),
        ..Interaction::default()
    };
    RecordInteractionsRequest::from(interaction)
}

/// Imports `from..to` as far as it gets; tells the highest index that was acknowledged as it goes.
async fn import(client: Client, from: i64, to: i64, acknowledged: Arc<AtomicI64>) {
    let items = stream::iter((from..to).map(purchase));
    let Ok(answer) = InteractionServiceClient::new(client).record_interactions(items).await else { return };
    let mut acks = answer.into_inner();
    while let Ok(Some(answer)) = acks.message().await {
        let ack = answer.ack.expect("an acknowledgement");
        assert!(ack.errors.is_empty(), "{}", ack.errors[0].message);
        acknowledged.store(from + ack.through_index, Ordering::SeqCst);
    }
}

async fn an_import_survives_kills(shape: Shape) {
    let mut suite = Suite::start(shape);
    let parts = suite.parts();
    let (acknowledged, mut next) = (Arc::new(AtomicI64::new(-1)), 0);
    for seed in 0..seeds() {
        for part in &parts {
            let client = suite.client().await;
            let load = tokio::spawn(import(client, next, next + 20_000, Arc::clone(&acknowledged)));
            tokio::time::sleep(moment(seed)).await;
            suite.kill(part);
            // A part that the import does not pass through does not end it: it is ended here.
            let waited = tokio::time::timeout(Duration::from_secs(2), load).await;
            drop(waited);
            suite.start_again(part);
            // What follows goes on after the last acknowledgement, as a client would.
            next = acknowledged.load(Ordering::SeqCst) + 1;
        }
    }
    let client = suite.client().await;
    until("the last stretch is imported", || {
        let (client, acknowledged) = (client.clone(), Arc::clone(&acknowledged));
        async move {
            let from = acknowledged.load(Ordering::SeqCst) + 1;
            import(client, from, next + 1_000, Arc::clone(&acknowledged)).await;
            acknowledged.load(Ordering::SeqCst) == next + 999
        }
    })
    .await;
    // An import that was cut off may have left some behind that were stored but not acknowledged; those beyond what was
    // sent at last count once each too. So the count is asked, then everything is sent once more: it must not change.
    let exact = acknowledged.load(Ordering::SeqCst) + 1;
    let held = || async { total(&client, "interactions").await.0.unwrap_or(0.0) };
    until("everything acknowledged is counted", || async { held().await >= exact as f64 }).await;
    // What was stored and not acknowledged is counted too, in its time.
    let mut before = held().await;
    let mut since = tokio::time::Instant::now();
    while since.elapsed() < Duration::from_secs(2) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = held().await;
        if now > before {
            (before, since) = (now, tokio::time::Instant::now());
        }
    }
    let again = Arc::new(AtomicI64::new(-1));
    import(client.clone(), 0, exact, Arc::clone(&again)).await;
    assert_eq!(again.load(Ordering::SeqCst), exact - 1);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(held().await, before, "sending everything again changes nothing: it was there, and counted once");
    assert_eq!(total(&client, "revenue").await.0, Some(before));
    assert_eq!(total(&client, "customers").await.0, Some(500.0));
}

#[tokio::test]
async fn an_import_survives_kills_embedded() {
    an_import_survives_kills(Shape::Embedded).await;
}

#[tokio::test]
async fn an_import_survives_kills_in_production() {
    an_import_survives_kills(Shape::Production).await;
}

async fn decisions_survive_kills(shape: Shape) {
    let mut suite = Suite::start(shape);
    let client = suite.client().await;
    let request = IdentifyRequest {
        source: "crm".into(),
        external_id: "1".into(),
        identifiers: vec![Identifier { namespace: "customer_number".into(), value: "1".into() }],
        ..IdentifyRequest::default()
    };
    ProfileServiceClient::new(client.clone()).identify(request).await.expect("identified");
    let action = Action { name: "offer".into(), kind: ActionKind::Offer.into(), value: 1.0, ..Action::default() };
    let request = CreateActionRequest { request_id: String::new(), action: Some(action) };
    ActionServiceClient::new(client).create_action(request).await.expect("created");

    let part = if shape == Shape::Embedded { "up" } else { "personalisation" };
    let mut answered = Vec::new();
    for seed in 0..seeds() {
        let client = suite.client().await;
        let load = tokio::spawn(async move {
            let (mut decisions, mut answered) = (DecisionServiceClient::new(client), Vec::new());
            let customer = Some(by("customer_number", "1"));
            let request = DecideRequest { customer, channel: "web".into(), ..DecideRequest::default() };
            while let Ok(decision) = decisions.decide(request.clone()).await {
                answered.push(decision.into_inner());
            }
            answered
        });
        tokio::time::sleep(moment(seed)).await;
        suite.kill(part);
        answered.extend(load.await.expect("the load ends"));
        suite.start_again(part);
    }
    assert!(!answered.is_empty(), "some decisions were answered");
    let mut decisions = DecisionServiceClient::new(suite.client().await);
    for decision in answered {
        let request = GetDecisionRequest { decision_id: decision.decision_id };
        let held = decisions.get_decision(request).await.expect("what was answered is held").into_inner();
        assert!(held.actions == decision.actions, "as it was answered");
    }
}

#[tokio::test]
async fn decisions_survive_kills_embedded() {
    decisions_survive_kills(Shape::Embedded).await;
}

#[tokio::test]
async fn decisions_survive_kills_in_production() {
    decisions_survive_kills(Shape::Production).await;
}
