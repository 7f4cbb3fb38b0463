//! What is published of invitations: each one's whole new state, or its tombstone. Of one to an anonymous survey not
//! whether it was answered.

use rapport_api::convert::timestamp;
use rapport_api::events::v1::{Event, InvitationChanged, event::Payload};
use rapport_data::NewEvent;

use crate::convert::customer::party_message;
use crate::domain::SurveyId;
use crate::domain::asking::{Invitation, InvitationId};

/// An invitation's new state.
#[must_use]
pub fn changed(it: &Invitation) -> NewEvent {
    let state = InvitationChanged {
        deleted: false,
        survey_id: it.survey.to_string(),
        kind: it.kind.name().to_owned(),
        status: it.status.name().to_owned(),
        channel: it.channel.clone(),
        touchpoint: it.spot.touchpoint.clone(),
        stage: it.spot.stage.clone(),
        product: it.spot.product.clone(),
        invite_time: Some(timestamp(it.invited_at)),
        complete_time: it.completed_at.filter(|_| !it.anonymous).map(timestamp),
        dimensions: it.respondent.dimensions.clone(),
        party: party_message(it.respondent.party).into(),
        campaign: it.spot.campaign.clone(),
        anonymous: it.anonymous,
        deliver_time: it.delivered_at.map(timestamp),
    };
    event(it, it.revision, state)
}

/// An invitation's tombstone.
#[must_use]
pub fn deleted(it: &Invitation) -> NewEvent {
    event(it, it.revision + 1, InvitationChanged { deleted: true, ..InvitationChanged::default() })
}

fn event(it: &Invitation, revision: u64, state: InvitationChanged) -> NewEvent {
    NewEvent {
        subject: it.subject(),
        aggregate: "invitation",
        aggregate_id: it.id.to_string(),
        revision,
        occurred_at: it.invited_at,
        payload: Payload::InvitationChanged(state),
    }
}

/// What an event tells of an invitation.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// The invitation.
    pub id: InvitationId,
    /// The revision reached.
    pub revision: u64,
    /// Whether it was deleted.
    pub deleted: bool,
    /// The survey; none of one that was deleted.
    pub survey: Option<SurveyId>,
}

/// What an event tells of an invitation; none where it tells of something else.
#[must_use]
pub fn told(event: &Event) -> Option<Told> {
    let Some(Payload::InvitationChanged(state)) = &event.payload else { return None };
    Some(Told {
        id: event.aggregate_id.parse().ok()?,
        revision: event.revision,
        deleted: state.deleted,
        survey: state.survey_id.parse().ok(),
    })
}
