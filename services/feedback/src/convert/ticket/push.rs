//! What sources tell of tickets.

use std::collections::BTreeMap;
use std::time::Duration;

use rapport_api::check;
use rapport_api::convert::instant;
use rapport_api::feedback::v1 as proto;
use rapport_api::feedback::v1::push_tickets_request::Item;
use rapport_kernel::{Fault, Private, RequestId, Timestamp, Violations};

use super::super::{customer, digest, mask, note, request_id};
use super::{deletion, key, kind, priority, refuse, status, which};
use crate::domain::ticket::told::{Step, Value};
use crate::domain::ticket::{Attachment, Author, Direction, Field, MessageId, Push, Said, Stamp, TicketKey, Which};
use crate::service::tickets::{Draft, Telling, What};

/// How far ahead of our clock a source's may be.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// A push.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule; as for all that follow.
pub fn push(message: proto::PushTicketRequest, now: Timestamp) -> Result<(Option<RequestId>, Telling), Fault> {
    let mut out = check(&message);
    let telling = telling(&message, "", now, &mut out);
    refuse(out)?;
    Ok((request_id(&message.request_id)?, telling.ok_or_else(unchecked)?))
}

/// A message to add.
///
/// # Errors
/// As [`push`].
pub fn add_message(
    message: proto::AddTicketMessageRequest,
    now: Timestamp,
) -> Result<(Option<RequestId>, Telling), Fault> {
    let mut out = check(&message);
    let draft = message.message.as_ref().and_then(|said| draft(said, "message", now, &mut out));
    refuse(out)?;
    let (draft, request) = (draft.ok_or_else(unchecked)?, request_id(&message.request_id)?);
    Ok((request, Telling { which: which(message.ticket)?, what: What::Message(Box::new(draft)) }))
}

/// An item of a bulk push.
///
/// # Errors
/// As [`push`].
pub fn item(message: proto::PushTicketsRequest, now: Timestamp) -> Result<Telling, Fault> {
    let mut out = check(&message);
    match message.item {
        Some(Item::Push(push)) => {
            let telling = telling(&push, "push.", now, &mut out);
            refuse(out)?;
            telling.ok_or_else(unchecked)
        }
        Some(Item::Message(told)) => {
            let said = told.message.as_ref();
            if said.is_some_and(|said| said.external_id.is_empty()) {
                note(&mut out, "message.message.external_id", "string.min_len", "must not be empty in bulk");
            }
            let draft = said.and_then(|said| draft(said, "message.message", now, &mut out));
            refuse(out)?;
            let draft = Box::new(draft.ok_or_else(unchecked)?);
            Ok(Telling { which: which(told.ticket)?, what: What::Message(draft) })
        }
        Some(Item::Deletion(gone)) => {
            refuse(out)?;
            deletion(proto::DeleteTicketRequest { allow_missing: true, ..gone })
        }
        None => {
            refuse(out)?;
            Err(unchecked())
        }
    }
}

/// A ticket to try, and as of when.
///
/// # Errors
/// As [`push`].
pub fn preview(message: &proto::PreviewSlaRequest, now: Timestamp) -> Result<(TicketKey, Push, Timestamp), Fault> {
    let mut out = check(message);
    let at = super::bound(message.at.as_ref(), "at", &mut out).unwrap_or(now);
    let ticket = message.ticket.as_ref().map(|ticket| (ticket, pushed(ticket, &[], "", at.max(now), &mut out)));
    refuse(out)?;
    let (ticket, push) = ticket.ok_or_else(unchecked)?;
    Ok((key(&ticket.source, &ticket.external_id), push.ok_or_else(unchecked)?, at))
}

fn unchecked() -> Fault {
    Fault::internal("a ticket's push was not checked")
}

/// A push; `None` where a rule is broken, which is noted.
fn telling(message: &proto::PushTicketRequest, at: &str, now: Timestamp, out: &mut Violations) -> Option<Telling> {
    let ticket = message.ticket.as_ref()?;
    let push = pushed(ticket, &message.unset_fields, at, now, out);
    let mut messages = Vec::with_capacity(message.messages.len());
    for (index, said) in message.messages.iter().enumerate() {
        let field = format!("{at}messages[{index}]");
        if said.external_id.is_empty() {
            note(out, &format!("{field}.external_id"), "string.min_len", "must not be empty in a push");
        }
        messages.extend(draft(said, &field, now, out));
    }
    let customer = ticket.customer.clone().filter(|_| out.is_empty()).map(customer::parse).transpose().ok()?;
    let which = Which::Key(key(&ticket.source, &ticket.external_id));
    Some(Telling { which, what: What::Push { push: Box::new(push?), customer, messages } })
}

/// An instant that a source tells of: at most five minutes ahead of now.
fn told(at: Option<&prost_types::Timestamp>, field: &str, now: Timestamp, out: &mut Violations) -> Option<Timestamp> {
    match at.map(instant)? {
        Ok(at) if at <= now.plus(AHEAD) => Some(at),
        Ok(_) => {
            note(out, field, "timestamp.lt_now", "must be at most five minutes ahead of now");
            None
        }
        Err(range) => {
            note(out, field, "timestamp.range", range.to_string());
            None
        }
    }
}

fn pushed(
    ticket: &proto::Ticket,
    unset: &[String],
    prefix: &str,
    now: Timestamp,
    out: &mut Violations,
) -> Option<Push> {
    let field = |name: &str| format!("{prefix}ticket.{name}");
    let updated_at = told(ticket.update_time.as_ref(), &field("update_time"), now, out);
    let mut fields = said_fields(ticket, prefix, now, out);
    for (index, name) in unset.iter().enumerate() {
        let path = format!("{prefix}unset_fields[{index}]");
        match Field::NAMED.iter().find(|(known, _)| known == name) {
            Some((_, named)) if fields.contains_key(named) => {
                note(out, &path, "ticket.unset_fields", "must not name a field that has a value in this push");
            }
            Some((_, named)) => drop(fields.insert(*named, None)),
            None => note(out, &path, "ticket.unset_fields", "must be a field that can have no value"),
        }
    }
    let mut history = Vec::with_capacity(ticket.status_history.len());
    for (index, change) in ticket.status_history.iter().enumerate() {
        let path = field(&format!("status_history[{index}].time"));
        let at = told(change.time.as_ref(), &path, now, out);
        let name = |name: &String| (!name.is_empty()).then(|| Private::new(mask::name(name.clone())));
        let (agent, team) = (name(&change.agent), name(&change.team));
        history.extend(at.map(|at| Step { at, status: status(change.status()), agent, team }));
    }
    let mut contacts = Vec::with_capacity(ticket.contact_times.len());
    for (index, at) in ticket.contact_times.iter().enumerate() {
        contacts.extend(told(Some(at), &field(&format!("contact_times[{index}]")), now, out));
    }
    // A source with versions and no times orders by versions alone; one with neither by when it is heard.
    let at = match (updated_at, ticket.version) {
        (Some(at), _) => at.micros(),
        (None, 0) => now.micros(),
        (None, _) => 0,
    };
    let stamp = Stamp { version: ticket.version, at };
    out.is_empty().then(|| Push {
        stamp,
        at: updated_at.unwrap_or(now),
        fields,
        status: status(ticket.status()),
        history,
        contacts,
    })
}

fn said_fields(
    ticket: &proto::Ticket,
    prefix: &str,
    now: Timestamp,
    out: &mut Violations,
) -> BTreeMap<Field, Option<Value>> {
    let kind = kind(ticket.kind()).map_or("", crate::domain::ticket::Kind::name);
    let priority = priority(ticket.priority()).map_or("", crate::domain::ticket::Priority::name);
    let texts = [
        (Field::Kind, kind.to_owned()),
        (Field::Priority, priority.to_owned()),
        (Field::Channel, mask::name(ticket.channel.clone())),
        (Field::Touchpoint, mask::name(ticket.touchpoint.clone())),
        (Field::Stage, mask::name(ticket.stage.clone())),
        (Field::Product, mask::name(ticket.product.clone())),
        (Field::Topic, mask::name(ticket.topic.clone())),
        (Field::Title, mask::text(ticket.title.clone()).into_inner()),
        (Field::Agent, mask::name(ticket.agent.clone())),
        (Field::Team, mask::name(ticket.team.clone())),
        (Field::Language, mask::name(ticket.language.clone())),
        (Field::Issue, ticket.issue.clone()),
        (Field::FollowUpOf, ticket.follow_up_of.clone()),
    ];
    let said = texts.into_iter().filter(|(_, said)| !said.is_empty());
    let mut fields: BTreeMap<Field, Option<Value>> =
        said.map(|(field, said)| (field, Some(Value::Text(Private::new(said))))).collect();
    if !ticket.tags.is_empty() {
        let mut tags = mask::names(ticket.tags.iter().cloned());
        tags.sort_unstable();
        fields.insert(Field::Tags, Some(Value::List(tags)));
    }
    let times = [
        (Field::CreateTime, &ticket.create_time, "create_time"),
        (Field::FirstResponseTime, &ticket.first_response_time, "first_response_time"),
    ];
    for (field, at, name) in times {
        if let Some(at) = told(at.as_ref(), &format!("{prefix}ticket.{name}"), now, out) {
            fields.insert(field, Some(Value::Time(at)));
        }
    }
    if let Some(contained) = ticket.contained {
        fields.insert(Field::Contained, Some(Value::Flag(contained)));
    }
    fields
}

/// A message; `None` where a rule is broken, which is noted.
fn draft(message: &proto::TicketMessage, field: &str, now: Timestamp, out: &mut Violations) -> Option<Draft> {
    let at = told(message.time.as_ref(), &format!("{field}.time"), now, out);
    let author = match message.author() {
        proto::TicketAuthor::Unspecified => return None,
        proto::TicketAuthor::Customer => Author::Customer,
        proto::TicketAuthor::Agent => Author::Agent,
        proto::TicketAuthor::Automation => Author::Automation,
    };
    let direction = match (message.direction(), author) {
        (proto::TicketDirection::Inbound, _) | (proto::TicketDirection::Unspecified, Author::Customer) => {
            Direction::Inbound
        }
        (proto::TicketDirection::Outbound, _)
        | (proto::TicketDirection::Unspecified, Author::Agent | Author::Automation) => Direction::Outbound,
    };
    let external_id = match message.external_id.as_str() {
        "" => MessageId::new().to_string(),
        named => named.to_owned(),
    };
    let attachment = |one: &proto::TicketAttachment| Attachment {
        url: Private::new(mask::link(one.url.clone())),
        name: Private::new(mask::name(one.name.clone())),
        media_type: mask::name(one.media_type.clone()),
        size: one.size_bytes,
    };
    let content =
        proto::TicketMessage { message_id: String::new(), ticket_id: String::new(), analysis: None, ..message.clone() };
    let said = Said {
        stamp: Stamp { version: message.version, at: at.map_or(0, Timestamp::micros) },
        digest: digest(&prost::Message::encode_to_vec(&content)),
        at: at.unwrap_or(now),
        author,
        direction,
        internal: message.internal,
        agent: Private::new(mask::name(message.agent.clone())),
        channel: mask::name(message.channel.clone()),
        reading: None,
    };
    Some(Draft {
        external_id: Private::new(external_id),
        said,
        text: mask::text(message.text.clone()),
        language: mask::name(message.language.clone()),
        attachments: message.attachments.iter().map(attachment).collect(),
    })
}
