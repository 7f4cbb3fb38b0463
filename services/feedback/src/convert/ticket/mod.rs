//! Tickets: requests in ([`push`], here), tickets out ([`render`]).

pub mod push;
pub mod render;

use rapport_api::convert::instant;
use rapport_api::feedback::v1 as proto;
use rapport_api::{Validate, check};
use rapport_kernel::{Fault, Private, Reason, RequestId, Timestamp, Violations};

use super::{customer, id, mask, reading, request_id};
use crate::domain::ticket::filter::Filter;
use crate::domain::ticket::{DeletionReason, Kind, Order, Priority, Status, TicketKey, Which};
use crate::service::tickets::{Listing, Merge, Telling, What};
use crate::store::ticket::list::Sieve;

pub use push::{add_message, item, preview, push};

/// Under which a watch's tokens are sealed.
pub const WATCH: &str = "WatchTickets";

/// The kind that a message names; `None` where nothing is said.
pub(super) const fn kind(kind: proto::TicketKind) -> Option<Kind> {
    match kind {
        proto::TicketKind::Unspecified => None,
        proto::TicketKind::Question => Some(Kind::Question),
        proto::TicketKind::Complaint => Some(Kind::Complaint),
        proto::TicketKind::Claim => Some(Kind::Claim),
        proto::TicketKind::Request => Some(Kind::Request),
    }
}

/// The status that a message names; `None` where nothing is said.
pub(super) const fn status(status: proto::TicketStatus) -> Option<Status> {
    match status {
        proto::TicketStatus::Unspecified => None,
        proto::TicketStatus::New => Some(Status::New),
        proto::TicketStatus::Open => Some(Status::Open),
        proto::TicketStatus::Pending => Some(Status::Pending),
        proto::TicketStatus::OnHold => Some(Status::OnHold),
        proto::TicketStatus::Solved => Some(Status::Solved),
        proto::TicketStatus::Closed => Some(Status::Closed),
    }
}

/// The priority that a message names; `None` where nothing is said.
pub(super) const fn priority(priority: proto::TicketPriority) -> Option<Priority> {
    match priority {
        proto::TicketPriority::Unspecified => None,
        proto::TicketPriority::Low => Some(Priority::Low),
        proto::TicketPriority::Normal => Some(Priority::Normal),
        proto::TicketPriority::High => Some(Priority::High),
        proto::TicketPriority::Urgent => Some(Priority::Urgent),
    }
}

fn key(source: &str, external_id: &str) -> TicketKey {
    TicketKey { source: source.to_owned(), external_id: Private::new(external_id.to_owned()) }
}

/// The ticket that a checked reference names.
fn which(reference: Option<proto::TicketRef>) -> Result<Which, Fault> {
    match reference.and_then(|reference| reference.r#ref) {
        Some(proto::ticket_ref::Ref::TicketId(text)) => id(&text).map(Which::Id),
        Some(proto::ticket_ref::Ref::Key(named)) => Ok(Which::Key(key(&named.source, &named.external_id))),
        None => Err(Fault::internal("a ticket's reference was not checked")),
    }
}

/// Which ticket to return.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule; as for all that follow.
pub fn get(message: proto::GetTicketRequest) -> Result<Which, Fault> {
    check(&message).check()?;
    which(message.ticket)
}

fn filter(source: &str, out: &mut Violations) -> Option<Filter> {
    if source.trim().is_empty() {
        return None;
    }
    match Filter::compile(source) {
        Ok(filter) => Some(filter),
        Err(errors) => {
            errors.note("filter", out);
            None
        }
    }
}

/// INVALID_ARGUMENT with every broken rule; reason INVALID_CONDITION where it is conditions alone.
pub(super) fn refuse(out: Violations) -> Result<(), Fault> {
    let conditions = !out.is_empty() && out.as_slice().iter().all(|one| one.rule == "condition");
    out.check().map_err(|mut fault| {
        if conditions {
            fault.reason = Reason::InvalidCondition;
        }
        fault
    })
}

/// An instant of a list; one out of range is a broken rule, which is noted.
fn bound(at: Option<&prost_types::Timestamp>, field: &str, out: &mut Violations) -> Option<Timestamp> {
    match at.map(instant)? {
        Ok(at) => Some(at),
        Err(range) => {
            super::note(out, field, "timestamp.range", range.to_string());
            None
        }
    }
}

/// Which tickets to list.
///
/// # Errors
/// As [`get`].
pub fn list(message: proto::ListTicketsRequest) -> Result<Listing, Fault> {
    let mut out = check(&message);
    let filter = filter(&message.filter, &mut out);
    let start = bound(message.start_time.as_ref(), "start_time", &mut out);
    let end = bound(message.end_time.as_ref(), "end_time", &mut out);
    let order = match message.order_by.trim() {
        "" => Order::NewestFirst,
        asked => match Order::ALL.into_iter().find(|(name, _)| *name == asked) {
            Some((_, order)) => order,
            None => {
                let known: Vec<&str> = Order::ALL.iter().map(|(name, _)| *name).collect();
                super::note(&mut out, "order_by", "order_by", format!("must be one of: {}", known.join(", ")));
                Order::NewestFirst
            }
        },
    };
    refuse(out)?;
    // A page's token is bound to all that was asked but for the page itself.
    let mut bare = message.clone();
    (bare.page_size, bare.page_token) = (0, String::new());
    let bound = format!("ListTickets|{}", super::digest(&prost::Message::encode_to_vec(&bare)));
    let issue = match message.issue_id.as_str() {
        "" => None,
        text => Some(id::<()>(text)?.uuid()),
    };
    let sieve = Sieve {
        subjects: None,
        statuses: message.statuses().filter_map(status).collect(),
        kinds: message.kinds().filter_map(kind).collect(),
        agent: mask::name(message.agent.clone()),
        team: mask::name(message.team.clone()),
        breached: message.breached,
        issue,
        start,
        end,
        tone: reading::tone(message.polarity(), (message.min_sentiment, message.max_sentiment), message.text_topic),
        show_merged: message.show_merged,
        order,
    };
    let page_size = rapport_kernel::page_size(message.page_size)?;
    let customer = message.customer.map(customer::parse).transpose()?;
    Ok(Listing { customer, sieve, filter, bound, page_size, page_token: message.page_token })
}

/// Which ticket's messages to list, and how many of them.
///
/// # Errors
/// As [`get`].
pub fn messages(message: proto::ListTicketMessagesRequest) -> Result<(Which, usize, String), Fault> {
    check(&message).check()?;
    Ok((which(message.ticket)?, rapport_kernel::page_size(message.page_size)?, message.page_token))
}

/// What to watch.
///
/// # Errors
/// As [`get`].
pub fn watch(message: &proto::WatchTicketsRequest) -> Result<Option<Filter>, Fault> {
    let mut out = check(message);
    let filter = filter(&message.filter, &mut out);
    refuse(out)?;
    Ok(filter)
}

/// A watch's token that cannot be opened: the field has another name there than in a list.
#[must_use]
pub fn token(fault: Fault) -> Fault {
    if fault.reason != Reason::InvalidPageToken {
        return fault;
    }
    let text = "is damaged, or was made for another call or tenant: watch without it";
    let mut named = Fault::invalid_field("resume_token", "page_token", text);
    named.reason = Reason::InvalidPageToken;
    named
}

/// What to merge.
///
/// # Errors
/// As [`get`].
pub fn merge(message: proto::MergeTicketsRequest) -> Result<(Option<RequestId>, Merge), Fault> {
    check(&message).check()?;
    let merged = message.merged.into_iter().map(|one| which(Some(one))).collect::<Result<_, _>>()?;
    let merge = Merge { target: which(message.target)?, merged, etag: message.etag };
    Ok((request_id(&message.request_id)?, merge))
}

/// What to delete.
///
/// # Errors
/// As [`get`].
pub fn delete(message: proto::DeleteTicketRequest) -> Result<(Option<RequestId>, Telling), Fault> {
    sound(&message)?;
    let request = request_id(&message.request_id)?;
    Ok((request, deletion(message)?))
}

fn sound<M: Validate>(message: &M) -> Result<(), Fault> {
    check(message).check()
}

/// A deletion whose rules were checked.
fn deletion(message: proto::DeleteTicketRequest) -> Result<Telling, Fault> {
    let reason = match message.reason() {
        proto::TicketDeletionReason::Spam => DeletionReason::Spam,
        proto::TicketDeletionReason::DeletedAtSource => DeletionReason::DeletedAtSource,
        proto::TicketDeletionReason::ErasedAtSource => DeletionReason::ErasedAtSource,
        proto::TicketDeletionReason::Mistake => DeletionReason::Mistake,
        proto::TicketDeletionReason::Unspecified => return Err(Fault::internal("a reason was not checked")),
    };
    let (etag, allow_missing) = (message.etag, message.allow_missing);
    Ok(Telling { which: which(message.ticket)?, what: What::Deletion { reason, etag, allow_missing } })
}
