//! Tickets as the contract has them.

use rapport_api::common::v1::{CustomerRef, customer_ref::Ref};
use rapport_api::convert::timestamp;
use rapport_api::feedback::v1 as proto;
use rapport_kernel::Timestamp;

use super::super::{reading, time};
use crate::domain::etag;
use crate::domain::sla::{CalendarId, PolicyId, Standing, Target};
use crate::domain::ticket::story::Passage;
use crate::domain::ticket::{
    Attachment, Author, Derived, Direction, Fcr, Field, Kind, Message, Priority, Status, Ticket,
};
use crate::service::tickets::{Change, Outcome, Pushed};

fn times(times: &[Timestamp]) -> Vec<prost_types::Timestamp> {
    times.iter().copied().map(timestamp).collect()
}

fn count(count: impl TryInto<i32>) -> i32 {
    count.try_into().unwrap_or(i32::MAX)
}

const fn kind(kind: Option<Kind>) -> proto::TicketKind {
    match kind {
        None => proto::TicketKind::Unspecified,
        Some(Kind::Question) => proto::TicketKind::Question,
        Some(Kind::Complaint) => proto::TicketKind::Complaint,
        Some(Kind::Claim) => proto::TicketKind::Claim,
        Some(Kind::Request) => proto::TicketKind::Request,
    }
}

const fn status(status: Status) -> proto::TicketStatus {
    match status {
        Status::New => proto::TicketStatus::New,
        Status::Open => proto::TicketStatus::Open,
        Status::Pending => proto::TicketStatus::Pending,
        Status::OnHold => proto::TicketStatus::OnHold,
        Status::Solved => proto::TicketStatus::Solved,
        Status::Closed => proto::TicketStatus::Closed,
    }
}

const fn priority(priority: Priority) -> proto::TicketPriority {
    match priority {
        Priority::Low => proto::TicketPriority::Low,
        Priority::Normal => proto::TicketPriority::Normal,
        Priority::High => proto::TicketPriority::High,
        Priority::Urgent => proto::TicketPriority::Urgent,
    }
}

const fn fcr(fcr: Fcr) -> proto::FirstContactResolution {
    match fcr {
        Fcr::FirstContact => proto::FirstContactResolution::FirstContact,
        Fcr::Not => proto::FirstContactResolution::Not,
        Fcr::Immature => proto::FirstContactResolution::Immature,
    }
}

fn passage(passage: &Passage) -> proto::TicketStatusChange {
    proto::TicketStatusChange {
        status: status(passage.status).into(),
        time: time(passage.at),
        agent: passage.agent.expose().clone(),
        team: passage.team.expose().clone(),
    }
}

const fn duration(seconds: u64) -> prost_types::Duration {
    prost_types::Duration { seconds: seconds.cast_signed(), nanos: 0 }
}

fn target(target: &Target) -> proto::SlaTarget {
    proto::SlaTarget {
        target: Some(duration(target.seconds)),
        due_time: target.due.and_then(time),
        breach_time: target.breached_at.and_then(time),
        settle_time: target.settled_at.and_then(time),
    }
}

/// A ticket's service level.
#[must_use]
pub fn sla(derived: &Derived) -> proto::TicketSla {
    let standing: &Standing = &derived.standing;
    proto::TicketSla {
        policy_id: derived.policy.map_or_else(String::new, |id: PolicyId| id.to_string()),
        calendar_id: derived.calendar.map_or_else(String::new, |id: CalendarId| id.to_string()),
        first_response_duration: standing.first_response_seconds.map(duration),
        resolution_duration: standing.resolution_seconds.map(duration),
        first_response: standing.first_response.as_ref().map(target),
        resolution: standing.resolution.as_ref().map(target),
    }
}

/// A ticket, as of an instant.
#[must_use]
pub fn ticket(ticket: &Ticket, now: Timestamp) -> proto::Ticket {
    let story = &ticket.derived.story;
    let text = |field| ticket.told.text(field).to_owned();
    let customer = ticket.owner.customer;
    proto::Ticket {
        ticket_id: ticket.id.to_string(),
        source: ticket.key.source.clone(),
        external_id: ticket.key.external_id.expose().clone(),
        version: ticket.told.version,
        customer: customer.map(|customer| CustomerRef { r#ref: Some(Ref::CustomerId(customer.to_string())) }),
        subject_id: customer.map_or_else(String::new, |_| ticket.owner.subject.to_string()),
        kind: kind(ticket.kind()).into(),
        status: status(ticket.status()).into(),
        status_history: story.history.iter().map(passage).collect(),
        priority: priority(ticket.priority()).into(),
        channel: text(Field::Channel),
        touchpoint: text(Field::Touchpoint),
        stage: text(Field::Stage),
        product: text(Field::Product),
        topic: text(Field::Topic),
        title: text(Field::Title),
        agent: story.agent.expose().clone(),
        team: story.team.expose().clone(),
        language: text(Field::Language),
        tags: ticket.told.tags().to_vec(),
        issue: text(Field::Issue),
        follow_up_of: text(Field::FollowUpOf),
        issue_id: ticket.issue.to_string(),
        create_time: time(story.opened_at),
        update_time: ticket.told.updated_at.and_then(time),
        contact_times: times(&story.contact_times),
        first_response_time: story.answered_at.and_then(time),
        contained: Some(story.contained),
        contacts: count(story.contact_times.len()),
        reopens: count(story.reopen_times.len()),
        transfers: count(story.transfers),
        solve_times: times(&story.solve_times),
        reopen_times: times(&story.reopen_times),
        sla: Some(sla(&ticket.derived)),
        first_contact_resolution: fcr(story.fcr(now)).into(),
        asked: count(story.asked),
        answered: count(story.answered),
        message_count: count(story.messages),
        merged_into_ticket_id: ticket.merged_into.map_or_else(String::new, |id| id.to_string()),
        merged_ticket_ids: ticket.derived.merged.iter().map(ToString::to_string).collect(),
        revision: ticket.revision,
        etag: etag::of(ticket.revision),
        record_time: time(ticket.created_at),
        change_time: time(ticket.changed_at),
        analysis: ticket.derived.reading.as_ref().map(|read| reading::analysis(read, &[])),
    }
}

const fn outcome(outcome: Outcome) -> proto::PushOutcome {
    match outcome {
        Outcome::Created => proto::PushOutcome::Created,
        Outcome::Updated => proto::PushOutcome::Updated,
        Outcome::Unchanged => proto::PushOutcome::Unchanged,
        Outcome::Deleted => proto::PushOutcome::Deleted,
    }
}

/// What a push did.
#[must_use]
pub fn pushed(pushed: &Pushed) -> proto::PushTicketResponse {
    let ticket = pushed.ticket.as_ref().map(|held| ticket(held, pushed.now));
    proto::PushTicketResponse { ticket, outcome: outcome(pushed.outcome).into() }
}

/// What adding a message did.
#[must_use]
pub fn said(pushed: &Pushed) -> proto::AddTicketMessageResponse {
    proto::AddTicketMessageResponse {
        message: pushed.message.as_ref().map(message),
        ticket: pushed.ticket.as_ref().map(|held| ticket(held, pushed.now)),
        outcome: outcome(pushed.outcome).into(),
    }
}

/// A message.
#[must_use]
pub fn message(message: &Message) -> proto::TicketMessage {
    let said = &message.said;
    let author = match said.author {
        Author::Customer => proto::TicketAuthor::Customer,
        Author::Agent => proto::TicketAuthor::Agent,
        Author::Automation => proto::TicketAuthor::Automation,
    };
    let direction = match said.direction {
        Direction::Inbound => proto::TicketDirection::Inbound,
        Direction::Outbound => proto::TicketDirection::Outbound,
    };
    let attachment = |one: &Attachment| proto::TicketAttachment {
        url: one.url.expose().clone(),
        name: one.name.expose().clone(),
        media_type: one.media_type.clone(),
        size_bytes: one.size,
    };
    proto::TicketMessage {
        message_id: message.id.to_string(),
        ticket_id: message.ticket.to_string(),
        external_id: message.external_id.expose().clone(),
        version: said.stamp.version,
        time: time(said.at),
        author: author.into(),
        direction: direction.into(),
        internal: said.internal,
        agent: said.agent.expose().clone(),
        channel: said.channel.clone(),
        text: message.text.expose().clone(),
        language: message.language.clone(),
        attachments: message.attachments.iter().map(attachment).collect(),
        analysis: message.reading.as_ref().map(|read| reading::analysis(read, &[("", message.text.expose())])),
    }
}

/// A change that a watcher is told of.
#[must_use]
pub fn change(change: &Change, now: Timestamp) -> proto::TicketChange {
    proto::TicketChange {
        ticket_id: change.id.to_string(),
        revision: change.revision,
        deleted: change.deleted,
        ticket: change.ticket.as_ref().map(|held| ticket(held, now)),
    }
}
