//! Promises.

use std::time::Duration;

use rapport_api::check;
use rapport_api::feedback::v1 as proto;
use rapport_api::feedback::v1::resolve_promise_request::Which as Named;
use rapport_kernel::{Fault, Private, RequestId, Timestamp, Violations};

use super::follow_up::{bound, bound_to, order};
use super::{customer, id, mask, note, optional, request_id, time};
use crate::domain::follow_up::cause::Place;
use crate::domain::promise::{Promise, PromiseId, Resolution, Said, Standing};
use crate::domain::{Customer, etag};
use crate::service::follow_ups::Which;
use crate::service::promises::{self, Settling, Telling};
use crate::store::promise::{Order, Sieve};

/// How far ahead of ours a source's clock may be.
const AHEAD: Duration = Duration::from_secs(24 * 3_600);

fn unchecked() -> Fault {
    Fault::internal("a promise's request was not checked")
}

/// When something happened; what is said to come is a broken rule, which is noted.
fn past(at: Option<&prost_types::Timestamp>, field: &str, now: Timestamp, out: &mut Violations) -> Timestamp {
    let at = bound(at, field, out).unwrap_or(now);
    if at > now.plus(AHEAD) {
        note(out, field, "timestamp.future", "must not be later than a day from now");
    }
    at
}

/// A promise to record.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule; as for all that follow.
pub fn record(message: proto::RecordPromiseRequest, now: Timestamp) -> Result<(Option<RequestId>, Telling), Fault> {
    let mut out = check(&message);
    let at = past(message.promise_time.as_ref(), "promise_time", now, &mut out);
    let due = bound(message.due.as_ref(), "due", &mut out);
    if due.is_some_and(|due| due < at) {
        note(&mut out, "due", "promise.due", "must not be before promise_time");
    }
    if message.what.trim().is_empty() {
        note(&mut out, "what", "string.min_len", "must not be empty");
    }
    out.check()?;
    let said = Said {
        what: mask::text(message.what),
        due,
        at,
        version: message.version,
        place: Place {
            channel: mask::name(message.channel),
            touchpoint: mask::name(message.touchpoint),
            stage: mask::name(message.stage),
            product: mask::name(message.product),
        },
        agent: Private::new(mask::name(message.agent)),
        team: mask::name(message.team),
        ticket: optional(&message.ticket_id)?,
        follow_up: optional(&message.follow_up_id)?,
    };
    let telling = Telling {
        customer: customer::parse(message.customer.ok_or_else(unchecked)?)?,
        source: message.source,
        external_id: Private::new(message.external_id),
        said,
    };
    Ok((request_id(&message.request_id)?, telling))
}

/// What became of a promise.
///
/// # Errors
/// As [`record`].
pub fn resolve(message: proto::ResolvePromiseRequest, now: Timestamp) -> Result<(Option<RequestId>, Settling), Fault> {
    let mut out = check(&message);
    let at = past(message.resolve_time.as_ref(), "resolve_time", now, &mut out);
    out.check()?;
    let resolution = match message.resolution() {
        proto::PromiseResolution::Kept => Resolution::Kept,
        proto::PromiseResolution::Broken => Resolution::Broken,
        proto::PromiseResolution::Withdrawn => Resolution::Withdrawn,
        proto::PromiseResolution::Unspecified => return Err(unchecked()),
    };
    let named = match message.which {
        Some(Named::PromiseId(text)) => promises::Named::Id(id(&text)?),
        Some(Named::Key(key)) => promises::Named::Key(key.source, Private::new(key.external_id)),
        None => return Err(unchecked()),
    };
    let (note, etag) = (mask::text(message.note), message.etag);
    Ok((request_id(&message.request_id)?, Settling { named, resolution, at, note, etag }))
}

/// Which promise.
///
/// # Errors
/// As [`record`].
pub fn get(message: &proto::GetPromiseRequest) -> Result<PromiseId, Fault> {
    check(message).check()?;
    id(&message.promise_id)
}

/// Which promise to delete.
///
/// # Errors
/// As [`record`].
pub fn delete(message: &proto::DeletePromiseRequest) -> Result<(Option<RequestId>, PromiseId), Fault> {
    check(message).check()?;
    Ok((request_id(&message.request_id)?, id(&message.promise_id)?))
}

const fn standing(status: proto::PromiseStatus) -> Option<Standing> {
    match status {
        proto::PromiseStatus::Unspecified => None,
        proto::PromiseStatus::Open => Some(Standing::Open),
        proto::PromiseStatus::Kept => Some(Standing::Kept),
        proto::PromiseStatus::Broken => Some(Standing::Broken),
        proto::PromiseStatus::Withdrawn => Some(Standing::Withdrawn),
    }
}

/// Which promises to list.
///
/// # Errors
/// As [`record`].
pub fn list(message: proto::ListPromisesRequest) -> Result<(Option<Customer>, Sieve, Which), Fault> {
    let mut out = check(&message);
    let start = bound(message.start_time.as_ref(), "start_time", &mut out);
    let end = bound(message.end_time.as_ref(), "end_time", &mut out);
    let order = order(&message.order_by, &Order::ALL, &mut out);
    out.check()?;
    let mut bare = message.clone();
    (bare.page_size, bare.page_token) = (0, String::new());
    let sieve = Sieve {
        subjects: None,
        statuses: message.statuses().filter_map(standing).collect(),
        agent: Private::new(mask::name(message.agent.clone())),
        team: mask::name(message.team.clone()),
        ticket: optional(&message.ticket_id)?,
        start,
        end,
        order,
    };
    let size = rapport_kernel::page_size(message.page_size)?;
    let which = Which { bound: bound_to("ListPromises", &bare), size, token: message.page_token };
    Ok((message.customer.map(customer::parse).transpose()?, sieve, which))
}

/// A promise, as the contract has it.
#[must_use]
pub fn render(one: &Promise) -> proto::Promise {
    let status = match one.standing() {
        Standing::Open => proto::PromiseStatus::Open,
        Standing::Kept => proto::PromiseStatus::Kept,
        Standing::Broken => proto::PromiseStatus::Broken,
        Standing::Withdrawn => proto::PromiseStatus::Withdrawn,
    };
    let (said, link) = (&one.said, |id: Option<uuid::Uuid>| id.map(|id| id.to_string()).unwrap_or_default());
    proto::Promise {
        promise_id: one.id.to_string(),
        customer: Some(customer::render(&Customer::Id(one.customer))),
        subject_id: one.subject.to_string(),
        what: said.what.expose().clone(),
        due: said.due.and_then(time),
        source: one.source.clone(),
        external_id: one.external_id.expose().clone(),
        version: said.version,
        promise_time: time(said.at),
        status: status.into(),
        resolve_time: one.settled_at().and_then(time),
        note: one.note.expose().clone(),
        channel: said.place.channel.clone(),
        touchpoint: said.place.touchpoint.clone(),
        stage: said.place.stage.clone(),
        product: said.place.product.clone(),
        agent: said.agent.expose().clone(),
        team: said.team.clone(),
        ticket_id: link(said.ticket),
        follow_up_id: link(said.follow_up),
        revision: one.revision,
        etag: etag::of(one.revision),
        create_time: time(one.created_at),
        update_time: time(one.changed_at),
    }
}
