//! What is published of mentions: each one's whole new state, or its tombstone. None of their words is in it.

use rapport_api::convert::timestamp;
use rapport_api::events::v1::{Event, MentionChanged, event::Payload};
use rapport_data::NewEvent;
use rapport_kernel::{SubjectId, Timestamp};

use crate::convert::customer::party_message;
use crate::convert::reading::event as text_reading;
use crate::domain::mention::{Gone, Mention, MentionId};

/// A mention's new state.
#[must_use]
pub fn changed(mention: &Mention) -> NewEvent {
    let (told, respondent) = (&mention.told, &mention.respondent);
    let mut reading = mention.reading.as_ref().map(text_reading);
    if !told.competitors.is_empty() {
        let competitors = mention.competitors().into_iter().map(str::to_owned).collect();
        reading.get_or_insert_default().competitors = competitors;
    }
    let state = MentionChanged {
        deleted: false,
        kind: told.kind.name().to_owned(),
        place: told.place.clone(),
        channel: told.channel.clone(),
        touchpoint: told.touchpoint.clone(),
        stage: told.stage.clone(),
        product: told.product.clone(),
        rating: told.rating.map(|rating| rating.value),
        rating_min: told.rating.map_or(0.0, |rating| rating.min),
        rating_max: told.rating.map_or(0.0, |rating| rating.max),
        reading,
        dimensions: respondent.dimensions.clone(),
        party: party_message(respondent.party).into(),
        anonymous: respondent.anonymous,
        reply_time: mention.replied_at().map(timestamp),
    };
    event(mention.id, respondent.subject, mention.revision, told.said_at, state)
}

/// The tombstone of a mention that was deleted; `None` where whose it was is forgotten.
#[must_use]
pub fn deleted(gone: &Gone) -> Option<NewEvent> {
    let state = MentionChanged { deleted: true, ..MentionChanged::default() };
    Some(event(gone.id, gone.subject?, gone.revision, gone.said_at, state))
}

fn event(id: MentionId, subject: SubjectId, revision: u64, occurred_at: Timestamp, state: MentionChanged) -> NewEvent {
    let (aggregate, aggregate_id) = ("mention", id.to_string());
    let payload = Payload::MentionChanged(state);
    NewEvent { subject, aggregate, aggregate_id, revision, occurred_at, payload }
}

/// The mention that an event tells of, the revision it reached, and whether it is gone.
#[must_use]
pub fn told(event: &Event) -> Option<(MentionId, u64, bool)> {
    match &event.payload {
        Some(Payload::MentionChanged(state)) => Some((event.aggregate_id.parse().ok()?, event.revision, state.deleted)),
        _ => None,
    }
}
