//! Calendars and policies of service levels.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono_tz::Tz;
use prost_types::{Duration, FieldMask};
use rapport_api::check;
use rapport_api::feedback::v1 as proto;
use rapport_kernel::{Fault, RequestId, Violations};

use super::ticket::refuse;
use super::{id, mask, note, request_id, time};
use crate::domain::etag;
use crate::domain::sla::{Calendar, CalendarId, DayOfYear, Holiday, Policy, PolicyId, Shift, Span, policy};
use crate::domain::ticket::Windows;
use crate::service::sla::Change;
use crate::store::sla_rule::Kept;

/// A calendar to make.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule; as for all that follow.
pub fn create_calendar(message: &proto::CreateSlaCalendarRequest) -> Result<(Option<RequestId>, Calendar), Fault> {
    let mut out = check(message);
    let calendar = message.calendar.as_ref().map(|calendar| read_calendar(calendar, &all(&CALENDAR), &mut out));
    refuse(out)?;
    Ok((request_id(&message.request_id)?, calendar.ok_or_else(unchecked)?))
}

/// The fields of a calendar, and of a policy, that can be changed.
const CALENDAR: [&str; 4] = ["name", "zone", "hours", "holidays"];
const POLICY: [&str; 7] =
    ["name", "position", "condition", "calendar_id", "first_response", "resolution", "pause_on_hold"];

fn all(fields: &[&'static str]) -> BTreeSet<&'static str> {
    fields.iter().copied().collect()
}

/// What a mask names; all of it where it names nothing.
fn masked(mask: Option<&FieldMask>, fields: &[&'static str], out: &mut Violations) -> BTreeSet<&'static str> {
    let paths = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
    if paths.is_empty() {
        return all(fields);
    }
    let mut named = BTreeSet::new();
    for (index, path) in paths.iter().enumerate() {
        match fields.iter().find(|field| *field == path) {
            Some(field) => drop(named.insert(*field)),
            None => {
                let text = format!("must be one of: {}", fields.join(", "));
                note(out, &format!("update_mask.paths[{index}]"), "field_mask", text);
            }
        }
    }
    named
}

fn unchecked() -> Fault {
    Fault::internal("a rule of service levels was not checked")
}

fn span(start: &str, end: &str, field: &str, out: &mut Violations) -> Option<Span> {
    let span = Span::read(start, end);
    if span.is_none() {
        note(out, &format!("{field}.end"), "sla.hours", "must be later than start");
    }
    span
}

fn apart(spans: &[Span], field: &str, out: &mut Violations) {
    if Span::overlap(spans) {
        note(out, field, "sla.hours", "must not overlap on a day");
    }
}

/// A calendar of which what is named is judged.
fn read_calendar(message: &proto::SlaCalendar, named: &BTreeSet<&str>, out: &mut Violations) -> Calendar {
    if named.contains("name") && message.name.trim().is_empty() {
        note(out, "calendar.name", "string.min_len", "must not be empty");
    }
    if named.contains("zone") && message.zone.parse::<Tz>().is_err() {
        note(out, "calendar.zone", "sla.zone", "must be an IANA time zone, as Asia/Tehran");
    }
    let mut hours = Vec::new();
    for (index, one) in message.hours.iter().enumerate().filter(|_| named.contains("hours")) {
        let span = span(&one.start, &one.end, &format!("calendar.hours[{index}]"), out);
        let weekday = u8::try_from(one.weekday - 1).unwrap_or(0);
        hours.extend(span.map(|span| Shift { weekday, span }));
    }
    for weekday in 0..7 {
        let spans = hours.iter().filter(|shift| shift.weekday == weekday).map(|shift| shift.span);
        apart(&spans.collect::<Vec<_>>(), "calendar.hours", out);
    }
    let mut holidays: Vec<Holiday> = Vec::new();
    for (index, one) in message.holidays.iter().enumerate().filter(|_| named.contains("holidays")) {
        let field = format!("calendar.holidays[{index}]");
        let each = one.hours.iter().enumerate();
        let spans = each.filter_map(|(at, hours)| span(&hours.start, &hours.end, &format!("{field}.hours[{at}]"), out));
        let spans: Vec<Span> = spans.collect();
        apart(&spans, &format!("{field}.hours"), out);
        match DayOfYear::read(&one.date) {
            None => note(out, &format!("{field}.date"), "sla.date", "must be a day that there is"),
            Some(date) if holidays.iter().any(|known| known.date == date) => {
                note(out, &format!("{field}.date"), "sla.date", "must not be named twice");
            }
            Some(date) => {
                holidays.push(Holiday { date, name: mask::text(one.name.clone()).into_inner(), hours: spans })
            }
        }
    }
    Calendar {
        name: mask::text(message.name.trim().to_owned()).into_inner(),
        zone: message.zone.clone(),
        hours,
        holidays,
    }
}

/// A calendar to change.
///
/// # Errors
/// As [`create_calendar`].
pub fn update_calendar(
    message: &proto::UpdateSlaCalendarRequest,
) -> Result<(Option<RequestId>, Change<Calendar>), Fault> {
    let named = message.update_mask.clone();
    let mut wanted = message.clone();
    let mut out = Violations::new();
    let fields = masked(named.as_ref(), &CALENDAR, &mut out);
    if let Some(calendar) = &mut wanted.calendar {
        spare_calendar(calendar, &fields);
    }
    let rules = check(&wanted);
    rules.as_slice().iter().for_each(|broken| note(&mut out, &broken.field, broken.rule, broken.description.clone()));
    let calendar = message.calendar.as_ref().map(|calendar| read_calendar(calendar, &fields, &mut out));
    let (text, etag) =
        message.calendar.as_ref().map(|one| (one.calendar_id.clone(), one.etag.clone())).unwrap_or_default();
    let which: Option<CalendarId> = text.parse().ok();
    if message.calendar.is_some() && which.is_none() {
        note(&mut out, "calendar.calendar_id", "string.uuid", "must be a UUID");
    }
    refuse(out)?;
    let (calendar, which) = calendar.zip(which).ok_or_else(unchecked)?;
    let becomes = move |held: Calendar| {
        let Calendar { name, zone, hours, holidays } = calendar.clone();
        Ok(Calendar {
            name: if fields.contains("name") { name } else { held.name },
            zone: if fields.contains("zone") { zone } else { held.zone },
            hours: if fields.contains("hours") { hours } else { held.hours },
            holidays: if fields.contains("holidays") { holidays } else { held.holidays },
        })
    };
    Ok((request_id(&message.request_id)?, Change { id: which, etag, becomes: Arc::new(becomes) }))
}

/// Gives what a mask does not name a value that no rule refuses: it is not looked at.
fn spare_calendar(calendar: &mut proto::SlaCalendar, named: &BTreeSet<&str>) {
    if !named.contains("name") {
        calendar.name = "-".to_owned();
    }
    if !named.contains("zone") {
        calendar.zone = "UTC".to_owned();
    }
    if !named.contains("hours") {
        let (start, end) = ("00:00".to_owned(), "24:00".to_owned());
        calendar.hours = vec![proto::SlaHours { weekday: proto::SlaWeekday::Monday.into(), start, end }];
    }
    if !named.contains("holidays") {
        calendar.holidays.clear();
    }
}

/// A policy to make.
///
/// # Errors
/// As [`create_calendar`].
pub fn create_policy(message: &proto::CreateSlaPolicyRequest) -> Result<(Option<RequestId>, Policy), Fault> {
    let mut out = check(message);
    let policy = message.policy.as_ref().and_then(|policy| read_policy(policy, &all(&POLICY), &mut out));
    if policy.as_ref().is_some_and(promises_nothing) {
        note(&mut out, "policy", "sla.policy", NOTHING);
    }
    refuse(out)?;
    Ok((request_id(&message.request_id)?, policy.ok_or_else(unchecked)?))
}

const NOTHING: &str = "must promise something: first_response, resolution or both";

const fn promises_nothing(policy: &Policy) -> bool {
    policy.first_response.is_none() && policy.resolution.is_none()
}

fn seconds(length: Option<Duration>, field: &str, out: &mut Violations) -> Option<u64> {
    let length = length?;
    if length.nanos != 0 {
        note(out, field, "duration.seconds", "must be a whole number of seconds");
    }
    u64::try_from(length.seconds).ok()
}

/// A policy of which what is named is judged; `None` where its calendar is none, which the contract's rules note.
fn read_policy(message: &proto::SlaPolicy, named: &BTreeSet<&str>, out: &mut Violations) -> Option<Policy> {
    if named.contains("name") && message.name.trim().is_empty() {
        note(out, "policy.name", "string.min_len", "must not be empty");
    }
    if named.contains("condition")
        && !message.condition.trim().is_empty()
        && let Err(errors) = policy::compile(&message.condition)
    {
        errors.note("policy.condition", out);
    }
    let length = |field: &str, length: Option<Duration>, out: &mut Violations| {
        length
            .filter(|_| named.contains(field))
            .and_then(|length| seconds(Some(length), &format!("policy.{field}"), out))
    };
    let calendar = match message.calendar_id.as_str() {
        "" => None,
        _ if !named.contains("calendar_id") => None,
        text => Some(text.parse().ok()?),
    };
    Some(Policy {
        name: mask::text(message.name.trim().to_owned()).into_inner(),
        position: message.position,
        condition: message.condition.trim().to_owned(),
        calendar,
        first_response: length("first_response", message.first_response, out),
        resolution: length("resolution", message.resolution, out),
        pause_on_hold: message.pause_on_hold,
    })
}

/// A policy to change.
///
/// # Errors
/// As [`create_calendar`].
pub fn update_policy(message: &proto::UpdateSlaPolicyRequest) -> Result<(Option<RequestId>, Change<Policy>), Fault> {
    let mut out = Violations::new();
    let fields = masked(message.update_mask.as_ref(), &POLICY, &mut out);
    let mut wanted = message.clone();
    if let Some(policy) = &mut wanted.policy {
        // What the mask does not name is not looked at.
        if !fields.contains("name") {
            policy.name = "-".to_owned();
        }
        if !fields.contains("condition") {
            policy.condition = String::new();
        }
        if !fields.contains("calendar_id") {
            policy.calendar_id = String::new();
        }
        policy.first_response = policy.first_response.filter(|_| fields.contains("first_response"));
        policy.resolution = policy.resolution.filter(|_| fields.contains("resolution"));
    }
    let rules = check(&wanted);
    rules.as_slice().iter().for_each(|broken| note(&mut out, &broken.field, broken.rule, broken.description.clone()));
    let policy = wanted.policy.as_ref().and_then(|policy| read_policy(policy, &fields, &mut out));
    let (text, etag) = message.policy.as_ref().map(|one| (one.policy_id.clone(), one.etag.clone())).unwrap_or_default();
    let which: Option<PolicyId> = text.parse().ok();
    if message.policy.is_some() && which.is_none() {
        note(&mut out, "policy.policy_id", "string.uuid", "must be a UUID");
    }
    refuse(out)?;
    let (policy, which) = policy.zip(which).ok_or_else(unchecked)?;
    let becomes = move |held: Policy| {
        let wanted = policy.clone();
        let named = |field: &str| fields.contains(field);
        let policy = Policy {
            name: if named("name") { wanted.name } else { held.name },
            position: if named("position") { wanted.position } else { held.position },
            condition: if named("condition") { wanted.condition } else { held.condition },
            calendar: if named("calendar_id") { wanted.calendar } else { held.calendar },
            first_response: if named("first_response") { wanted.first_response } else { held.first_response },
            resolution: if named("resolution") { wanted.resolution } else { held.resolution },
            pause_on_hold: if named("pause_on_hold") { wanted.pause_on_hold } else { held.pause_on_hold },
        };
        if promises_nothing(&policy) {
            return Err(Fault::invalid_field("policy", "sla.policy", NOTHING));
        }
        Ok(policy)
    };
    Ok((request_id(&message.request_id)?, Change { id: which, etag, becomes: Arc::new(becomes) }))
}

/// A calendar, as the contract has it.
#[must_use]
pub fn calendar(kept: &Kept<Calendar>) -> proto::SlaCalendar {
    let hours = kept.rule.hours.iter().map(|shift| {
        let (start, end) = shift.span.write();
        proto::SlaHours { weekday: i32::from(shift.weekday) + 1, start, end }
    });
    let holidays = kept.rule.holidays.iter().map(|holiday| {
        let spans = holiday.hours.iter().map(|span| span.write());
        let hours = spans.map(|(start, end)| proto::SlaSpan { start, end }).collect();
        proto::SlaHoliday { date: holiday.date.write(), name: holiday.name.clone(), hours }
    });
    proto::SlaCalendar {
        calendar_id: kept.id.to_string(),
        name: kept.rule.name.clone(),
        zone: kept.rule.zone.clone(),
        hours: hours.collect(),
        holidays: holidays.collect(),
        revision: kept.revision,
        etag: etag::of(kept.revision),
        create_time: time(kept.created_at),
        update_time: time(kept.updated_at),
    }
}

/// A policy, as the contract has it.
#[must_use]
pub fn policy_message(kept: &Kept<Policy>) -> proto::SlaPolicy {
    let duration = |seconds: u64| Duration { seconds: seconds.cast_signed(), nanos: 0 };
    let policy = &kept.rule;
    proto::SlaPolicy {
        policy_id: kept.id.to_string(),
        name: policy.name.clone(),
        position: policy.position,
        condition: policy.condition.clone(),
        calendar_id: policy.calendar.map_or_else(String::new, |id| id.to_string()),
        first_response: policy.first_response.map(duration),
        resolution: policy.resolution.map(duration),
        pause_on_hold: policy.pause_on_hold,
        revision: kept.revision,
        etag: etag::of(kept.revision),
        create_time: time(kept.created_at),
        update_time: time(kept.updated_at),
    }
}

/// Lengths by which tickets are judged.
type Lengths = (Option<u64>, Option<u64>);

/// By which lengths tickets are to be judged: the call's id, the etag, and the lengths that are said.
///
/// # Errors
/// As [`create_calendar`].
pub fn update_windows(
    message: &proto::UpdateTicketWindowsRequest,
) -> Result<(Option<RequestId>, String, Lengths), Fault> {
    let mut out = check(message);
    let windows = message.windows.clone().unwrap_or_default();
    let repetition = seconds(windows.repetition, "windows.repetition", &mut out);
    let lengths = (repetition, seconds(windows.first_contact, "windows.first_contact", &mut out));
    out.check()?;
    Ok((request_id(&message.request_id)?, windows.etag, lengths))
}

/// The lengths, as the contract has them.
pub fn windows(kept: &Kept<Windows>) -> proto::TicketWindows {
    let duration = |seconds: u64| Some(Duration { seconds: seconds.cast_signed(), nanos: 0 });
    proto::TicketWindows {
        repetition: duration(kept.rule.repetition),
        first_contact: duration(kept.rule.first_contact),
        revision: kept.revision,
        etag: etag::of(kept.revision),
        update_time: (kept.revision > 0).then(|| time(kept.updated_at)).flatten(),
    }
}

/// Which rule a call names.
///
/// # Errors
/// As [`create_calendar`].
pub fn which<M: rapport_api::Validate, T>(message: &M, text: &str) -> Result<rapport_kernel::Id<T>, Fault> {
    check(message).check()?;
    id(text)
}

/// How long a page of rules is.
///
/// # Errors
/// As [`create_calendar`].
pub fn page<M: rapport_api::Validate>(message: &M, size: i32) -> Result<usize, Fault> {
    check(message).check()?;
    rapport_kernel::page_size(size)
}

/// Under which request a rule is deleted.
///
/// # Errors
/// As [`create_calendar`].
pub fn request(text: &str) -> Result<Option<RequestId>, Fault> {
    request_id(text)
}
