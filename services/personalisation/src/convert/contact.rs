//! Contacts and their policy: requests in, answers out.

use std::time::Duration;

use rapport_api::check;
use rapport_api::common::v1::QuietHours;
use rapport_api::personalisation::v1 as proto;
use rapport_kernel::{Fault, RequestId, Timestamp, Violations};

use super::{customer, id, instant, request_id, time};
use crate::domain::contact::{
    Block, Calendar, ConsentRule, ContactCap, ContactId, ContactKind, ContactPolicy, EmpathyRule, Hours, Judged,
    QuietRule, Reason, Signal, Wanted, Window, zone,
};
use crate::domain::{ActionId, Customer, etag};
use crate::store::reservation::Contact;

/// How long a contact is reserved where nobody says.
const USUAL: Duration = Duration::from_secs(600);

/// A policy to hold: what makes a retry harmless, the etag as last read, the rules.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn update(message: proto::UpdateContactPolicyRequest) -> Result<(Option<RequestId>, String, ContactPolicy), Fault> {
    let mut out = check(&message);
    let policy = message.policy.unwrap_or_default();
    note(&policy, &mut out);
    out.check()?;
    let quiet = policy.quiet.unwrap_or_default();
    let read = ContactPolicy {
        caps: policy.caps.into_iter().filter_map(cap).collect(),
        consents: policy
            .consents
            .into_iter()
            .map(|rule| ConsentRule { purpose: rule.purpose, must_be_given: rule.must_be_given })
            .collect(),
        quiet: QuietRule {
            hours: quiet.hours.and_then(|hours| Hours::parse(&hours.start, &hours.end)),
            zone: quiet.zone,
            channels: quiet.channels,
            exempt_purposes: quiet.exempt_purposes,
        },
        empathy: policy.empathy.into_iter().filter_map(empathy).collect(),
        revision: 0,
        updated_at: None,
    };
    Ok((request_id(&message.request_id)?, policy.etag, read))
}

/// Notes the rules that the contract's own cannot say.
fn note(policy: &proto::ContactPolicy, out: &mut Violations) {
    for (place, cap) in policy.caps.iter().enumerate() {
        if policy.caps[..place].iter().any(|other| other.name == cap.name) {
            out.add(format!("policy.caps[{place}].name"), "unique", "must be unique among the caps");
        }
    }
    for (place, rule) in policy.consents.iter().enumerate() {
        if policy.consents[..place].iter().any(|other| other.purpose == rule.purpose) {
            out.add(format!("policy.consents[{place}].purpose"), "unique", "must be unique among the rules");
        }
    }
    for (place, rule) in policy.empathy.iter().enumerate() {
        let of_flag = rule.signal() == proto::EmpathySignal::Flag;
        if of_flag == rule.flag.is_empty() {
            let text = if of_flag { "must name the flag" } else { "must be empty but for a flag" };
            out.add(format!("policy.empathy[{place}].flag"), "empathy.flag", text);
        }
    }
    if let Some(quiet) = &policy.quiet
        && !quiet.zone.is_empty()
        && zone(&quiet.zone).is_none()
    {
        out.add("policy.quiet.zone", "zone", "must be a time zone's IANA name, as Europe/Berlin");
    }
}

fn cap(cap: proto::ContactCap) -> Option<ContactCap> {
    let kinds = cap.kinds().filter_map(kind).collect();
    let window = match cap.window? {
        proto::contact_cap::Window::Rolling(length) => Window::Rolling(duration(&length)),
        proto::contact_cap::Window::Calendar(calendar) => Window::Calendar(match calendar.try_into().ok()? {
            proto::CalendarWindow::Unspecified => return None,
            proto::CalendarWindow::Day => Calendar::Day,
            proto::CalendarWindow::Week => Calendar::Week,
            proto::CalendarWindow::Month => Calendar::Month,
        }),
    };
    Some(ContactCap {
        name: cap.name,
        times: u32::try_from(cap.times).ok()?,
        window,
        channels: cap.channels,
        purposes: cap.purposes,
        topics: cap.topics,
        kinds,
    })
}

fn empathy(rule: proto::EmpathyRule) -> Option<EmpathyRule> {
    let signal = match rule.signal() {
        proto::EmpathySignal::Unspecified => return None,
        proto::EmpathySignal::OpenComplaint => Signal::OpenComplaint,
        proto::EmpathySignal::LowScore => Signal::LowScore,
        proto::EmpathySignal::Flag => Signal::Flag(rule.flag),
    };
    Some(EmpathyRule { signal, purposes: rule.purposes })
}

/// A length that the contract's rules found sound.
fn duration(message: &prost_types::Duration) -> Duration {
    let (seconds, nanos) = (u64::try_from(message.seconds), u32::try_from(message.nanos));
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}

const fn kind(message: proto::ContactKind) -> Option<ContactKind> {
    match message {
        proto::ContactKind::Unspecified => None,
        proto::ContactKind::Message => Some(ContactKind::Message),
        proto::ContactKind::Survey => Some(ContactKind::Survey),
        proto::ContactKind::Decision => Some(ContactKind::Decision),
    }
}

/// Notes that a decision enters the ledger by itself.
fn note_kind(message: proto::ContactKind, out: &mut Violations) {
    if message == proto::ContactKind::Decision {
        out.add("kind", "contact.kind", "must be a message or a survey: a decision enters the ledger by itself");
    }
}

/// A contact to check.
pub struct Check {
    /// Whom.
    pub customer: Customer,
    /// With what.
    pub wanted: Wanted,
    /// As of when; `None`: now.
    pub at: Option<Timestamp>,
}

/// A contact to check.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn check_contact(message: proto::CheckContactRequest) -> Result<Check, Fault> {
    let mut out = check(&message);
    note_kind(message.kind(), &mut out);
    out.check()?;
    let kind = kind(message.kind()).ok_or_else(unchecked)?;
    let at = instant(message.at.as_ref())?;
    let customer = customer::parse(message.customer.ok_or_else(unchecked)?)?;
    let (channel, purpose, topic) = (message.channel, message.purpose, message.topic);
    Ok(Check { customer, wanted: Wanted { kind, channel, purpose, topic, open_complaint: message.open_complaint }, at })
}

/// A contact to reserve.
pub struct Reserve {
    /// Makes a retry harmless.
    pub request_id: Option<RequestId>,
    /// Whom.
    pub customer: Customer,
    /// With what.
    pub wanted: Wanted,
    /// For how long.
    pub length: Duration,
    /// What the caller knows it by.
    pub reference: String,
}

/// A contact to reserve.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn reserve(message: proto::ReserveContactRequest) -> Result<Reserve, Fault> {
    let mut out = check(&message);
    note_kind(message.kind(), &mut out);
    out.check()?;
    let kind = kind(message.kind()).ok_or_else(unchecked)?;
    let request_id = request_id(&message.request_id)?;
    let customer = customer::parse(message.customer.ok_or_else(unchecked)?)?;
    let length = message.expire_after.as_ref().map_or(USUAL, duration);
    let (channel, purpose, topic) = (message.channel, message.purpose, message.topic);
    let wanted = Wanted { kind, channel, purpose, topic, open_complaint: message.open_complaint };
    Ok(Reserve { request_id, customer, wanted, length, reference: message.reference })
}

/// A contact to confirm.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn confirm(message: &proto::ConfirmContactRequest) -> Result<(Option<RequestId>, ContactId), Fault> {
    check(message).check()?;
    Ok((request_id(&message.request_id)?, id(&message.contact_id)?))
}

/// A contact to release.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn release(message: &proto::ReleaseContactRequest) -> Result<(Option<RequestId>, ContactId), Fault> {
    check(message).check()?;
    Ok((request_id(&message.request_id)?, id(&message.contact_id)?))
}

/// Whose contacts to list.
pub struct Which {
    /// Whose.
    pub customer: Customer,
    /// Of which kind; `None`: of any.
    pub kind: Option<ContactKind>,
    /// How many at most.
    pub page_size: usize,
    /// Where to go on.
    pub page_token: String,
}

/// Whose contacts to list.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn list(message: proto::ListContactsRequest) -> Result<Which, Fault> {
    check(&message).check()?;
    Ok(Which {
        kind: kind(message.kind()),
        customer: customer::parse(message.customer.ok_or_else(unchecked)?)?,
        page_size: rapport_kernel::page_size(message.page_size)?,
        page_token: message.page_token,
    })
}

fn unchecked() -> Fault {
    Fault::internal("a contact was not checked")
}

/// A policy as the contract has it.
#[must_use]
pub fn render_policy(policy: &ContactPolicy) -> proto::ContactPolicy {
    let quiet = &policy.quiet;
    let quiet_message = proto::QuietRule {
        hours: quiet.hours.map(hours_message),
        zone: quiet.zone.clone(),
        channels: quiet.channels.clone(),
        exempt_purposes: quiet.exempt_purposes.clone(),
    };
    proto::ContactPolicy {
        caps: policy.caps.iter().map(cap_message).collect(),
        consents: policy
            .consents
            .iter()
            .map(|rule| proto::ConsentRule { purpose: rule.purpose.clone(), must_be_given: rule.must_be_given })
            .collect(),
        quiet: (*quiet != QuietRule::default()).then_some(quiet_message),
        empathy: policy.empathy.iter().map(empathy_message).collect(),
        etag: etag::of(policy.revision),
        update_time: policy.updated_at.and_then(time),
    }
}

fn hours_message(hours: Hours) -> QuietHours {
    let text = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    QuietHours { start: text(hours.start), end: text(hours.end) }
}

fn cap_message(cap: &ContactCap) -> proto::ContactCap {
    let window = match cap.window {
        Window::Rolling(length) => proto::contact_cap::Window::Rolling(prost_types::Duration {
            seconds: i64::try_from(length.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(length.subsec_nanos()).unwrap_or_default(),
        }),
        Window::Calendar(calendar) => {
            let calendar = match calendar {
                Calendar::Day => proto::CalendarWindow::Day,
                Calendar::Week => proto::CalendarWindow::Week,
                Calendar::Month => proto::CalendarWindow::Month,
            };
            proto::contact_cap::Window::Calendar(calendar.into())
        }
    };
    proto::ContactCap {
        name: cap.name.clone(),
        times: i32::try_from(cap.times).unwrap_or(i32::MAX),
        window: Some(window),
        channels: cap.channels.clone(),
        purposes: cap.purposes.clone(),
        topics: cap.topics.clone(),
        kinds: cap.kinds.iter().map(|kind| kind_message(*kind).into()).collect(),
    }
}

fn empathy_message(rule: &EmpathyRule) -> proto::EmpathyRule {
    let (signal, flag) = match &rule.signal {
        Signal::OpenComplaint => (proto::EmpathySignal::OpenComplaint, String::new()),
        Signal::LowScore => (proto::EmpathySignal::LowScore, String::new()),
        Signal::Flag(flag) => (proto::EmpathySignal::Flag, flag.clone()),
    };
    proto::EmpathyRule { signal: signal.into(), flag, purposes: rule.purposes.clone() }
}

const fn kind_message(kind: ContactKind) -> proto::ContactKind {
    match kind {
        ContactKind::Message => proto::ContactKind::Message,
        ContactKind::Survey => proto::ContactKind::Survey,
        ContactKind::Decision => proto::ContactKind::Decision,
    }
}

fn block(block: &Block) -> proto::ContactBlock {
    let reason = match block.reason {
        Reason::NoConsent => proto::ContactBlockReason::NoConsent,
        Reason::Restricted => proto::ContactBlockReason::Restricted,
        Reason::OpenComplaint => proto::ContactBlockReason::OpenComplaint,
        Reason::Flag => proto::ContactBlockReason::Flag,
        Reason::LowScore => proto::ContactBlockReason::LowScore,
        Reason::Cap => proto::ContactBlockReason::Cap,
        Reason::QuietHours => proto::ContactBlockReason::QuietHours,
    };
    proto::ContactBlock { reason: reason.into(), rule: block.rule.clone(), until_time: block.until.and_then(time) }
}

/// What was judged, as the contract has it.
#[must_use]
pub fn render_check(judged: &Judged) -> proto::CheckContactResponse {
    proto::CheckContactResponse {
        allowed: judged.blocks.is_empty(),
        blocks: judged.blocks.iter().map(block).collect(),
        next_time: judged.next.and_then(time),
    }
}

/// What was refused, as the contract has it.
#[must_use]
pub fn render_refusal(judged: &Judged) -> proto::ReserveContactResponse {
    proto::ReserveContactResponse {
        contact: None,
        blocks: judged.blocks.iter().map(block).collect(),
        next_time: judged.next.and_then(time),
    }
}

/// What was reserved, as the contract has it.
#[must_use]
pub fn render_reserved(contact: &Contact) -> proto::ReserveContactResponse {
    proto::ReserveContactResponse { contact: Some(render(contact)), blocks: Vec::new(), next_time: None }
}

/// A contact as the contract has it.
#[must_use]
pub fn render(contact: &Contact) -> proto::Contact {
    let made = &contact.made;
    proto::Contact {
        contact_id: contact.id.to_string(),
        subject_id: contact.subject.to_string(),
        kind: kind_message(made.kind).into(),
        channel: made.channel.clone(),
        purpose: made.purpose.clone(),
        topic: made.topic.clone(),
        enter_time: time(made.at),
        expire_time: made.until.and_then(time),
        reference: contact.reference.clone(),
        action_id: contact.action.as_ref().map(ActionId::to_string).unwrap_or_default(),
    }
}
