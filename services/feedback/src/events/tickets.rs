//! What is published of tickets: each one's whole new state, or its tombstone. Neither title nor messages are in it.

use rapport_api::convert::timestamp;
use rapport_api::events::v1::{Event, Target as Told, TicketChanged, event::Payload};
use rapport_data::NewEvent;
use rapport_kernel::{SubjectId, Timestamp};

use crate::convert::customer::party_message;
use crate::convert::reading::event as text_reading;
use crate::domain::sla::Target;
use crate::domain::ticket::{Deletion, Field, Ticket, TicketId};

/// The aggregate's name.
const TICKET: &str = "ticket";

/// A ticket's new state; of one that was merged away its tombstone.
#[must_use]
pub fn changed(ticket: &Ticket) -> NewEvent {
    let (id, subject) = (ticket.id, ticket.owner.subject);
    let (story, standing) = (&ticket.derived.story, &ticket.derived.standing);
    if ticket.merged_into.is_some() {
        return gone(id, subject, ticket.revision, story.opened_at);
    }
    let text = |field| ticket.told.text(field).to_owned();
    let times = |times: &[Timestamp]| times.iter().copied().map(timestamp).collect();
    let seconds = |seconds: Option<u64>| seconds.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX));
    let state = TicketChanged {
        deleted: false,
        kind: text(Field::Kind),
        issue_id: ticket.issue.to_string(),
        status: ticket.status().name().to_owned(),
        priority: ticket.priority().name().to_owned(),
        channel: text(Field::Channel),
        touchpoint: text(Field::Touchpoint),
        stage: text(Field::Stage),
        product: text(Field::Product),
        topic: text(Field::Topic),
        agent: story.agent.expose().clone(),
        team: story.team.expose().clone(),
        language: text(Field::Language),
        dimensions: ticket.owner.dimensions.clone(),
        party: party_message(ticket.party()).into(),
        contact_times: times(&story.contact_times),
        solve_times: times(&story.solve_times),
        reopen_times: times(&story.reopen_times),
        transfers: story.transfers,
        first_response_time: story.answered_at.map(timestamp),
        first_response_seconds: seconds(standing.first_response_seconds),
        resolution_seconds: seconds(standing.resolution_seconds),
        first_response_target: standing.first_response.as_ref().map(target),
        resolution_target: standing.resolution.as_ref().map(target),
        reading: ticket.derived.reading.as_ref().map(text_reading),
        contained: story.contained,
        asked: story.asked,
        answered: story.answered,
        self_service: story.self_service,
    };
    event(id, subject, ticket.revision, story.opened_at, state)
}

fn target(target: &Target) -> Told {
    Told {
        due_time: target.due.map(timestamp),
        breach_time: target.breached_at.map(timestamp),
        settle_time: target.settled_at.map(timestamp),
    }
}

/// The tombstone of a ticket that was deleted; `None` where nobody was ever told of it, or whose it was is forgotten.
#[must_use]
pub fn deleted(deletion: &Deletion) -> Option<NewEvent> {
    Some(gone(deletion.id, deletion.subject?, deletion.revision, deletion.opened_at))
}

fn gone(id: TicketId, subject: SubjectId, revision: u64, opened_at: Timestamp) -> NewEvent {
    event(id, subject, revision, opened_at, TicketChanged { deleted: true, ..TicketChanged::default() })
}

fn event(id: TicketId, subject: SubjectId, revision: u64, occurred_at: Timestamp, state: TicketChanged) -> NewEvent {
    let (aggregate, aggregate_id) = (TICKET, id.to_string());
    NewEvent {
        subject,
        aggregate,
        aggregate_id,
        revision,
        occurred_at,
        payload: Payload::TicketChanged(Box::new(state)),
    }
}

/// The ticket that an event tells of, the revision it reached, and whether it is gone.
#[must_use]
pub fn told(event: &Event) -> Option<(TicketId, u64, bool)> {
    match &event.payload {
        Some(Payload::TicketChanged(state)) => Some((event.aggregate_id.parse().ok()?, event.revision, state.deleted)),
        _ => None,
    }
}
