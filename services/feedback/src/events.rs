//! What feedback publishes: each response's whole new state, or its tombstone. It consumes nothing.
//!
//! What the customer said besides is not in it: figures are made from scores, and what is not sent need not be erased.

pub mod tickets;

use rapport_api::events::v1::{ResponseChanged, event::Payload};
use rapport_data::NewEvent;

use crate::convert::customer::party_message;
use crate::domain::Response;

/// The topic.
pub const TOPIC: &str = "feedback";

/// A response's new state.
#[must_use]
pub fn changed(response: &Response) -> NewEvent {
    let touch = &response.touch;
    let state = ResponseChanged {
        deleted: false,
        survey_id: response.survey.to_string(),
        kind: response.kind.name().to_owned(),
        score: Some(i32::from(response.score)),
        channel: touch.channel.clone(),
        touchpoint: touch.touchpoint.clone(),
        stage: touch.stage.clone(),
        product: touch.product.clone(),
        dimensions: response.respondent.dimensions.clone(),
        anonymous: response.respondent.anonymous,
        party: party_message(response.respondent.party).into(),
        complete: true,
        weight: 1.0,
        ..ResponseChanged::default()
    };
    event(response, response.revision, state)
}

/// A response's tombstone.
#[must_use]
pub fn deleted(response: &Response, revision: u64) -> NewEvent {
    event(response, revision, ResponseChanged { deleted: true, ..ResponseChanged::default() })
}

fn event(response: &Response, revision: u64, state: ResponseChanged) -> NewEvent {
    NewEvent {
        subject: response.respondent.subject,
        aggregate: "response",
        aggregate_id: response.id.to_string(),
        revision,
        occurred_at: response.answered_at,
        payload: Payload::ResponseChanged(state),
    }
}
