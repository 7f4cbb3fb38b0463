//! What feedback publishes: each response's, ticket's, mention's and invitation's whole new state, or its tombstone. What it
//! consumes is read in [`heard`] and in [`loops`].
//!
//! What the customer said besides is not in it: figures are made from scores, and what is not sent need not be erased.

pub mod asking;
pub mod heard;
pub mod invitations;
pub mod loops;
pub mod mentions;
pub mod tickets;

use rapport_api::convert::instant;
use rapport_api::events::v1::{Event, ResponseChanged, event::Payload};
use rapport_data::NewEvent;
use rapport_kernel::Timestamp;

use crate::convert::answer::measure;
use crate::convert::customer::party_message;
use crate::convert::reading::event as text_reading;
use crate::domain::{Response, ResponseId, SurveyId};

/// The topic.
pub const TOPIC: &str = "feedback";

/// A response's new state.
#[must_use]
pub fn changed(response: &Response) -> NewEvent {
    let (touch, respondent) = (&response.touch, &response.respondent);
    let link = |link: Option<uuid::Uuid>| link.map(|id| id.to_string()).unwrap_or_default();
    let state = ResponseChanged {
        deleted: false,
        survey_id: response.survey.to_string(),
        kind: response.kind.name().to_owned(),
        score: response.score(),
        channel: touch.channel.clone(),
        touchpoint: touch.touchpoint.clone(),
        stage: touch.stage.clone(),
        product: touch.product.clone(),
        dimensions: respondent.dimensions.clone(),
        anonymous: respondent.anonymous,
        party: party_message(respondent.party).into(),
        survey_version: response.version,
        complete: response.complete,
        measures: response.content.measures.iter().map(measure).collect(),
        weight: response.weight,
        is_test: response.is_test,
        reading: response.content.reading.as_ref().map(text_reading),
        campaign: touch.campaign.clone(),
        agent: touch.agent.clone(),
        team: touch.team.clone(),
        language: touch.language.clone(),
        invitation_id: link(touch.invitation),
        ticket_id: link(touch.ticket),
        interaction_id: link(touch.interaction),
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

/// What an event tells of a response.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// The response.
    pub id: ResponseId,
    /// The revision reached.
    pub revision: u64,
    /// Whether it was deleted.
    pub deleted: bool,
    /// The survey; none of one that was deleted.
    pub survey: Option<SurveyId>,
    /// Whether it counts nowhere.
    pub is_test: bool,
    /// When it was changed.
    pub at: Timestamp,
}

/// What an event tells of a response; none where it tells of something else.
#[must_use]
pub fn told(event: &Event) -> Option<Told> {
    let Some(Payload::ResponseChanged(state)) = &event.payload else { return None };
    Some(Told {
        id: event.aggregate_id.parse().ok()?,
        revision: event.revision,
        deleted: state.deleted,
        survey: state.survey_id.parse().ok(),
        is_test: state.is_test,
        at: instant(event.recorded_at.as_ref()?).ok()?,
    })
}
