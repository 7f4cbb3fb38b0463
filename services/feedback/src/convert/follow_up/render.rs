//! Follow-ups, as the contract has them.

use rapport_api::feedback::v1 as proto;
use uuid::Uuid;

use super::super::{customer, time};
use crate::domain::follow_up::{
    Cancellation, Cause, CauseType, Entry, EntryKind, FollowUp, Help, Kind, Outcome, Priority, Scored, Status,
};
use crate::domain::{Customer, etag};
use crate::service::follow_ups::Change;

pub(super) const fn kind(kind: Kind) -> proto::FollowUpKind {
    match kind {
        Kind::Recovery => proto::FollowUpKind::Recovery,
        Kind::Praise => proto::FollowUpKind::Praise,
    }
}

pub(super) const fn priority(priority: Priority) -> proto::FollowUpPriority {
    match priority {
        Priority::Low => proto::FollowUpPriority::Low,
        Priority::Normal => proto::FollowUpPriority::Normal,
        Priority::High => proto::FollowUpPriority::High,
        Priority::Urgent => proto::FollowUpPriority::Urgent,
    }
}

pub(super) const fn cause_type(kind: CauseType) -> proto::FollowUpCauseType {
    match kind {
        CauseType::Response => proto::FollowUpCauseType::Response,
        CauseType::Ticket => proto::FollowUpCauseType::Ticket,
        CauseType::Mention => proto::FollowUpCauseType::Mention,
        CauseType::Promise => proto::FollowUpCauseType::Promise,
    }
}

const fn status(status: Status) -> proto::FollowUpStatus {
    match status {
        Status::Open => proto::FollowUpStatus::Open,
        Status::InProgress => proto::FollowUpStatus::InProgress,
        Status::Resolved => proto::FollowUpStatus::Resolved,
        Status::Cancelled => proto::FollowUpStatus::Cancelled,
    }
}

const fn outcome(outcome: Option<Outcome>) -> proto::FollowUpOutcome {
    match outcome {
        None => proto::FollowUpOutcome::Unspecified,
        Some(Outcome::Recovered) => proto::FollowUpOutcome::Recovered,
        Some(Outcome::NotRecovered) => proto::FollowUpOutcome::NotRecovered,
        Some(Outcome::Unreachable) => proto::FollowUpOutcome::Unreachable,
        Some(Outcome::NoAction) => proto::FollowUpOutcome::NoAction,
        Some(Outcome::Thanked) => proto::FollowUpOutcome::Thanked,
        Some(Outcome::Testimonial) => proto::FollowUpOutcome::Testimonial,
        Some(Outcome::Referral) => proto::FollowUpOutcome::Referral,
        Some(Outcome::Lost) => proto::FollowUpOutcome::Lost,
    }
}

const fn cancellation(cancellation: Option<Cancellation>) -> proto::FollowUpCancellation {
    match cancellation {
        None => proto::FollowUpCancellation::Unspecified,
        Some(Cancellation::ByHand) => proto::FollowUpCancellation::ByHand,
        Some(Cancellation::CauseWithdrawn) => proto::FollowUpCancellation::CauseWithdrawn,
    }
}

const fn help(help: Option<Help>) -> proto::FollowUpHelp {
    match help {
        None => proto::FollowUpHelp::Unspecified,
        Some(Help::Better) => proto::FollowUpHelp::Better,
        Some(Help::Same) => proto::FollowUpHelp::Same,
        Some(Help::Worse) => proto::FollowUpHelp::Worse,
    }
}

fn score(score: &Scored) -> proto::FollowUpScore {
    proto::FollowUpScore {
        response_id: score.response.to_string(),
        kind: score.kind.clone(),
        score: score.value,
        scale_min: score.min,
        scale_max: score.max,
        reversed: score.reversed,
        time: time(score.at),
    }
}

fn cause(cause: &Cause) -> proto::FollowUpCause {
    proto::FollowUpCause {
        r#type: cause_type(cause.key.kind).into(),
        cause_id: cause.key.id.to_string(),
        time: time(cause.at),
        subject_id: cause.subject.to_string(),
        score: cause.score.as_ref().map(|score| score.value),
        sentiment: cause.sentiment,
    }
}

/// A follow-up.
#[must_use]
pub fn follow_up(one: &FollowUp) -> proto::FollowUp {
    let (place, open) = (one.place(), one.status.is_open() && one.joined.is_none());
    let next = one.rungs.get(one.taken).filter(|_| open);
    proto::FollowUp {
        follow_up_id: one.id.to_string(),
        rule_id: one.rule.map_or_else(String::new, |rule| rule.to_string()),
        customer: one.customer.map(|id| customer::render(&Customer::Id(id))),
        subject_id: one.subject.to_string(),
        joined_to_follow_up_id: one.joined.map_or_else(String::new, |lead| lead.to_string()),
        kind: kind(one.kind).into(),
        status: status(one.status).into(),
        priority: priority(one.priority).into(),
        owner: one.owner.expose().clone(),
        team: one.team.clone(),
        open_time: time(one.opened_at),
        due_time: time(one.due_at),
        overdue: one.is_overdue(),
        escalations: one.escalations,
        escalate_time: next.and_then(|rung| time(rung.at)),
        causes: one.causes.iter().map(cause).collect(),
        channel: place.channel.clone(),
        touchpoint: place.touchpoint.clone(),
        stage: place.stage.clone(),
        product: place.product.clone(),
        title: one.title.expose().clone(),
        outcome: outcome(one.outcome).into(),
        root_cause: one.root_cause.clone(),
        note: one.note.expose().clone(),
        resolve_time: one.resolved_at.and_then(time),
        cancellation: cancellation(one.cancellation).into(),
        cancel_time: one.cancelled_at.and_then(time),
        score_before: one.score_before().map(score),
        score_after: one.next_score.as_ref().map(score),
        help: help(one.help()).into(),
        comments: one.comments,
        reopens: one.reopens,
        revision: one.revision,
        etag: etag::of(one.revision),
        create_time: time(one.created_at),
        update_time: time(one.changed_at),
    }
}

const fn entry_kind(kind: EntryKind) -> proto::FollowUpEventType {
    match kind {
        EntryKind::Opened => proto::FollowUpEventType::Opened,
        EntryKind::CauseAdded => proto::FollowUpEventType::CauseAdded,
        EntryKind::CauseWithdrawn => proto::FollowUpEventType::CauseWithdrawn,
        EntryKind::Assigned => proto::FollowUpEventType::Assigned,
        EntryKind::Started => proto::FollowUpEventType::Started,
        EntryKind::Commented => proto::FollowUpEventType::Commented,
        EntryKind::Overdue => proto::FollowUpEventType::Overdue,
        EntryKind::Escalated => proto::FollowUpEventType::Escalated,
        EntryKind::Resolved => proto::FollowUpEventType::Resolved,
        EntryKind::Cancelled => proto::FollowUpEventType::Cancelled,
        EntryKind::Reopened => proto::FollowUpEventType::Reopened,
        EntryKind::Scored => proto::FollowUpEventType::Scored,
        EntryKind::Joined => proto::FollowUpEventType::Joined,
        EntryKind::Parted => proto::FollowUpEventType::Parted,
    }
}

/// A line of a history.
#[must_use]
pub fn entry((id, entry): &(Uuid, Entry)) -> proto::FollowUpEvent {
    proto::FollowUpEvent {
        event_id: id.to_string(),
        r#type: entry_kind(entry.kind).into(),
        time: time(entry.at),
        author: entry.author.expose().clone(),
        text: entry.text.expose().clone(),
        owner: entry.owner.expose().clone(),
        team: entry.team.clone(),
        cause_id: entry.cause.map_or_else(String::new, |cause| cause.id.to_string()),
    }
}

/// A change, as a watcher is told of it.
#[must_use]
pub fn change(change: &Change) -> proto::FollowUpChange {
    let told = &change.follow_up;
    proto::FollowUpChange {
        follow_up_id: told.id.to_string(),
        revision: change.revision,
        follow_up: Some(follow_up(told)),
    }
}
