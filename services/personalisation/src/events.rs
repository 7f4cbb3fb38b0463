//! What personalisation publishes: each committed decision. It consumes nothing.

use rapport_api::events::v1::{DecisionMade, event::Payload};
use rapport_data::NewEvent;

use crate::domain::Decision;

/// A decision was made and committed.
#[must_use]
pub fn made(decision: &Decision) -> NewEvent {
    let made = DecisionMade {
        channel: decision.channel.clone(),
        placement: decision.placement.clone(),
        action_ids: decision.chosen.iter().map(|chosen| chosen.action.to_string()).collect(),
    };
    NewEvent {
        subject: decision.subject,
        aggregate: "decision",
        aggregate_id: decision.id.to_string(),
        // A decision never changes.
        revision: 1,
        occurred_at: decision.at,
        payload: Payload::DecisionMade(made),
    }
}
