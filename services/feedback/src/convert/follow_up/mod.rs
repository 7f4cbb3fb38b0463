//! Follow-ups: requests in (here; those of rules in [`rule`]), follow-ups out ([`render`]).

pub mod render;
pub mod rule;

use rapport_api::convert::instant;
use rapport_api::feedback::v1 as proto;
use rapport_api::{Validate, check};
use rapport_kernel::{Fault, Private, RequestId, Timestamp, Violations};

use super::{customer, digest, id, mask, note, request_id};
use crate::domain::follow_up::cause::Place;
use crate::domain::follow_up::{Assigning, CauseType, FollowUpId, Kind, Order, Outcome, Priority, Resolving, Status};
use crate::domain::improvement::cause_key;
use crate::service::follow_ups::{Act, Listing, Manual, Watching, Which};
use crate::store::follow_up::Sieve;

/// Under which a watch's tokens are sealed.
pub const WATCH: &str = "WatchFollowUps";

pub(super) const fn kind(kind: proto::FollowUpKind) -> Option<Kind> {
    match kind {
        proto::FollowUpKind::Unspecified => None,
        proto::FollowUpKind::Recovery => Some(Kind::Recovery),
        proto::FollowUpKind::Praise => Some(Kind::Praise),
    }
}

pub(super) const fn priority(priority: proto::FollowUpPriority) -> Option<Priority> {
    match priority {
        proto::FollowUpPriority::Unspecified => None,
        proto::FollowUpPriority::Low => Some(Priority::Low),
        proto::FollowUpPriority::Normal => Some(Priority::Normal),
        proto::FollowUpPriority::High => Some(Priority::High),
        proto::FollowUpPriority::Urgent => Some(Priority::Urgent),
    }
}

pub(super) const fn cause_type(kind: proto::FollowUpCauseType) -> Option<CauseType> {
    match kind {
        proto::FollowUpCauseType::Unspecified => None,
        proto::FollowUpCauseType::Response => Some(CauseType::Response),
        proto::FollowUpCauseType::Ticket => Some(CauseType::Ticket),
        proto::FollowUpCauseType::Mention => Some(CauseType::Mention),
        proto::FollowUpCauseType::Promise => Some(CauseType::Promise),
    }
}

const fn status(status: proto::FollowUpStatus) -> Option<Status> {
    match status {
        proto::FollowUpStatus::Unspecified => None,
        proto::FollowUpStatus::Open => Some(Status::Open),
        proto::FollowUpStatus::InProgress => Some(Status::InProgress),
        proto::FollowUpStatus::Resolved => Some(Status::Resolved),
        proto::FollowUpStatus::Cancelled => Some(Status::Cancelled),
    }
}

const fn outcome(outcome: proto::FollowUpOutcome) -> Option<Outcome> {
    match outcome {
        proto::FollowUpOutcome::Unspecified => None,
        proto::FollowUpOutcome::Recovered => Some(Outcome::Recovered),
        proto::FollowUpOutcome::NotRecovered => Some(Outcome::NotRecovered),
        proto::FollowUpOutcome::Unreachable => Some(Outcome::Unreachable),
        proto::FollowUpOutcome::NoAction => Some(Outcome::NoAction),
        proto::FollowUpOutcome::Thanked => Some(Outcome::Thanked),
        proto::FollowUpOutcome::Testimonial => Some(Outcome::Testimonial),
        proto::FollowUpOutcome::Referral => Some(Outcome::Referral),
        proto::FollowUpOutcome::Lost => Some(Outcome::Lost),
    }
}

fn unchecked() -> Fault {
    Fault::internal("a follow-up's request was not checked")
}

/// An instant; one out of range is a broken rule, which is noted.
pub(super) fn bound(at: Option<&prost_types::Timestamp>, field: &str, out: &mut Violations) -> Option<Timestamp> {
    match at.map(instant)? {
        Ok(at) => Some(at),
        Err(range) => {
            note(out, field, "timestamp.range", range.to_string());
            None
        }
    }
}

/// One of the orders that a list knows by name.
pub(super) fn order<T: Copy>(asked: &str, all: &[(&str, T)], out: &mut Violations) -> T {
    let usual = all[0].1;
    match asked.trim() {
        "" => usual,
        asked => match all.iter().find(|(name, _)| *name == asked) {
            Some((_, order)) => *order,
            None => {
                let known: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
                note(out, "order_by", "order_by", format!("must be one of: {}", known.join(", ")));
                usual
            }
        },
    }
}

/// What a list's page tokens are bound to: all that was asked but for the page itself.
pub(super) fn bound_to<M: prost::Message>(call: &str, bare: &M) -> String {
    format!("{call}|{}", digest(&bare.encode_to_vec()))
}

/// Who somebody is.
fn person(text: &str) -> Private<String> {
    Private::new(name(text))
}

/// What a team, or whatever has a name, is called.
fn name(text: &str) -> String {
    mask::name(text.trim().to_owned())
}

/// What to open by hand.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule; as for all that follow.
pub fn create(message: proto::CreateFollowUpRequest) -> Result<(Option<RequestId>, Manual), Fault> {
    let mut out = check(&message);
    let due_at = bound(message.due_time.as_ref(), "due_time", &mut out);
    if message.title.trim().is_empty() {
        note(&mut out, "title", "string.min_len", "must not be empty");
    }
    out.check()?;
    let kind = kind(message.kind()).ok_or_else(unchecked)?;
    let priority = priority(message.priority()).unwrap_or(Priority::Normal);
    let request = request_id(&message.request_id)?;
    let place = Place {
        channel: mask::name(message.channel),
        touchpoint: mask::name(message.touchpoint),
        stage: mask::name(message.stage),
        product: mask::name(message.product),
    };
    let manual = Manual {
        customer: customer::parse(message.customer.ok_or_else(unchecked)?)?,
        kind,
        title: mask::text(message.title.trim().to_owned()),
        priority,
        owner: person(&message.owner),
        team: name(&message.team),
        due_at: due_at.ok_or_else(unchecked)?,
        place,
    };
    Ok((request, manual))
}

/// Which follow-up a message names.
///
/// # Errors
/// As [`create`].
pub fn which<M: Validate>(message: &M, text: &str) -> Result<FollowUpId, Fault> {
    check(message).check()?;
    id(text)
}

/// Which follow-ups to list.
///
/// # Errors
/// As [`create`].
pub fn list(message: proto::ListFollowUpsRequest) -> Result<Listing, Fault> {
    let mut out = check(&message);
    let start = bound(message.start_time.as_ref(), "start_time", &mut out);
    let end = bound(message.end_time.as_ref(), "end_time", &mut out);
    let order = order(&message.order_by, &Order::ALL, &mut out);
    out.check()?;
    let mut bare = message.clone();
    (bare.page_size, bare.page_token) = (0, String::new());
    let given = |text: &str| if text.is_empty() { Ok(None) } else { id::<()>(text).map(|id| Some(id.uuid())) };
    let sieve = Sieve {
        subjects: None,
        statuses: message.statuses().filter_map(status).collect(),
        kinds: message.kinds().filter_map(kind).collect(),
        owner: person(&message.owner),
        team: name(&message.team),
        rule: given(&message.rule_id)?.map(crate::domain::follow_up::RuleId::from_uuid),
        overdue: message.overdue,
        root_cause: cause_key(mask::text(message.root_cause.clone()).expose()),
        cause: given(&message.cause_id)?,
        start,
        end,
        show_joined: message.show_joined,
        order,
    };
    let size = rapport_kernel::page_size(message.page_size)?;
    let page = Which { bound: bound_to("ListFollowUps", &bare), size, token: message.page_token };
    let improvement = given(&message.improvement_id)?.map(crate::domain::ImprovementId::from_uuid);
    Ok(Listing { customer: message.customer.map(customer::parse).transpose()?, improvement, sieve, page })
}

fn act(follow_up: &str, etag: String, author: String) -> Result<Act, Fault> {
    Ok(Act { id: id(follow_up)?, etag, author: person(&author) })
}

/// To whom to give it.
///
/// # Errors
/// As [`create`].
pub fn assign(message: proto::AssignFollowUpRequest) -> Result<(Option<RequestId>, Act, Assigning), Fault> {
    let mut out = check(&message);
    let due_at = bound(message.due_time.as_ref(), "due_time", &mut out);
    let unspecified = message.priority() == proto::FollowUpPriority::Unspecified;
    if message.owner.is_none() && message.team.is_none() && message.due_time.is_none() && unspecified {
        note(&mut out, "owner", "follow_up.assign", "must be given, or team, due_time or priority");
    }
    out.check()?;
    let priority = priority(message.priority());
    let wanted = Assigning {
        owner: message.owner.as_deref().map(person),
        team: message.team.as_deref().map(name),
        due_at,
        priority,
    };
    Ok((request_id(&message.request_id)?, act(&message.follow_up_id, message.etag, message.author)?, wanted))
}

/// Which to begin.
///
/// # Errors
/// As [`create`].
pub fn start(message: proto::StartFollowUpRequest) -> Result<(Option<RequestId>, Act), Fault> {
    check(&message).check()?;
    Ok((request_id(&message.request_id)?, act(&message.follow_up_id, message.etag, message.author)?))
}

/// What to say of which.
///
/// # Errors
/// As [`create`].
pub fn comment(message: proto::CommentFollowUpRequest) -> Result<(Option<RequestId>, Act, Private<String>), Fault> {
    check(&message).check()?;
    let act = act(&message.follow_up_id, String::new(), message.author)?;
    Ok((request_id(&message.request_id)?, act, mask::text(message.text)))
}

/// How one ended.
///
/// # Errors
/// As [`create`].
pub fn resolve(message: proto::ResolveFollowUpRequest) -> Result<(Option<RequestId>, Act, Resolving), Fault> {
    check(&message).check()?;
    let outcome = outcome(message.outcome()).ok_or_else(unchecked)?;
    let root_cause = mask::text(message.root_cause.trim().to_owned()).into_inner();
    let how = Resolving { outcome, root_cause, note: mask::text(message.note) };
    Ok((request_id(&message.request_id)?, act(&message.follow_up_id, message.etag, message.author)?, how))
}

/// Which to cancel, and why.
///
/// # Errors
/// As [`create`].
pub fn cancel(message: proto::CancelFollowUpRequest) -> Result<(Option<RequestId>, Act, Private<String>), Fault> {
    check(&message).check()?;
    let act = act(&message.follow_up_id, message.etag, message.author)?;
    Ok((request_id(&message.request_id)?, act, mask::text(message.note)))
}

/// Which to open again, until when and why.
pub type Reopening = (Option<RequestId>, Act, Option<Timestamp>, Private<String>);

/// Which to open again, until when and why.
///
/// # Errors
/// As [`create`].
pub fn reopen(message: proto::ReopenFollowUpRequest) -> Result<Reopening, Fault> {
    let mut out = check(&message);
    let due_at = bound(message.due_time.as_ref(), "due_time", &mut out);
    out.check()?;
    let act = act(&message.follow_up_id, message.etag, message.author)?;
    Ok((request_id(&message.request_id)?, act, due_at, mask::text(message.note)))
}

/// Whose history, and how much of it.
///
/// # Errors
/// As [`create`].
pub fn history(message: &proto::ListFollowUpHistoryRequest) -> Result<(FollowUpId, usize), Fault> {
    Ok((which(message, &message.follow_up_id)?, rapport_kernel::page_size(message.page_size)?))
}

/// What to watch.
///
/// # Errors
/// As [`create`].
pub fn watch(message: &proto::WatchFollowUpsRequest) -> Result<Watching, Fault> {
    check(message).check()?;
    Ok(Watching { owner: person(&message.owner), team: name(&message.team) })
}
