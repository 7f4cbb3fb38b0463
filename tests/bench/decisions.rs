//! Deciding, committed: each decision with its entries in the contact ledger.

use std::sync::Arc;

use rapport_api::personalisation::v1::action_service_client::ActionServiceClient;
use rapport_api::personalisation::v1::decision_service_client::DecisionServiceClient;
use rapport_api::personalisation::v1::{Action, ActionKind, Cap, CreateActionRequest, DecideRequest};
use tonic::Status;

use crate::Outcome;
use crate::load::{Measured, Until, drive};
use crate::people::by_id;
use crate::suite::Client;

/// Makes so many actions: all but every fourth have a condition, every tenth has a cap.
pub async fn prepare(clients: &[Client], actions: u32) -> Outcome<()> {
    let mut service = ActionServiceClient::new(clients[0].clone());
    for number in 0..actions {
        let action = Some(action(number));
        service.create_action(CreateActionRequest { request_id: String::new(), action }).await?;
    }
    Ok(())
}

fn action(number: u32) -> Action {
    let eligibility = match number % 4 {
        0 => "",
        1 => "customer.traits.region in ['north', 'east'] && channel == 'web'",
        2 => "customer.traits.orders >= 10.0",
        _ => "has(customer.traits.member) && customer.traits.member == true",
    };
    let day = prost_types::Duration { seconds: 86_400, nanos: 0 };
    Action {
        name: format!("action {number}"),
        kind: ActionKind::Offer.into(),
        channels: vec!["web".to_owned()],
        eligibility: eligibility.to_owned(),
        value: 5.0 + f64::from(number % 20),
        propensity: Some(0.1 + f64::from(number % 7) / 10.0),
        cap: number.is_multiple_of(10).then_some(Cap { times: 1_000, window: Some(day) }),
        ..Action::default()
    }
}

/// Decides for one customer after the other.
pub async fn decide(
    clients: &[Client],
    customers: &Arc<Vec<String>>,
    in_flight: usize,
    until: Until,
) -> Outcome<Measured> {
    let customers = Arc::clone(customers);
    drive(clients, in_flight, until, move |client, number| {
        one(client, customers[number as usize % customers.len()].clone())
    })
    .await
}

async fn one(client: Client, customer: String) -> Result<(), Status> {
    let request =
        DecideRequest { customer: Some(by_id(&customer)), channel: "web".to_owned(), ..DecideRequest::default() };
    let decision = DecisionServiceClient::new(client).decide(request).await?.into_inner();
    // Somewhat below all that can be chosen from: every fourth action is for everybody.
    if decision.actions.is_empty() { Err(Status::internal("nothing was chosen")) } else { Ok(()) }
}
