//! Objections, flags and preferences, and the histories of what was said.

use std::collections::BTreeMap;

use rapport_api::common::v1::{Processing as ProcessingMessage, QuietHours, Tone as ToneMessage};
use rapport_api::convert::timestamp;
use rapport_api::profiles::v1 as message;
use rapport_kernel::{Fault, Private, SubjectId, Timestamp, Violations, page_size};

use super::profile::consent_said;
use super::request::unnamed;
use super::{add, mask, named, observed};
use crate::domain::channels::{self, Inferred};
use crate::domain::claims::{Consent, Statement};
use crate::domain::namespace::Namespaces;
use crate::domain::profile::Profile;
use crate::domain::standing::{Basis, Choice, Flagging, Objection, Preference, Preferring, Processing, Tone};
use crate::domain::value::{Named, SourceRecord};
use crate::service::delete::Deleting;
use crate::service::history::Entry;
use crate::service::say::Saying;

/// An objection, or its withdrawal.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule; as for all that follow.
pub fn restrict(
    message: &message::RestrictProcessingRequest,
    now: Timestamp,
    namespaces: &Namespaces,
) -> Result<Saying, Fault> {
    let mut out = rapport_api::check(message);
    let customer = named(message.customer.as_ref(), "customer", namespaces, &mut out);
    let observed_at = observed(message.observed_at.as_ref(), "observed_at", now, &mut out).unwrap_or(now);
    out.check()?;
    let objection = |processing| Objection {
        observed_at,
        stands: !message.withdraw,
        processing,
        source: message.source.clone(),
        proof: Private::new(message.proof.clone()),
    };
    let kinds = message.processing().filter_map(processing);
    let statement = Statement { objections: kinds.map(objection).collect(), ..Statement::default() };
    Ok(Saying { customer: customer.ok_or_else(unnamed)?, statement, observed_at })
}

const fn processing(message: ProcessingMessage) -> Option<Processing> {
    match message {
        ProcessingMessage::Unspecified => None,
        ProcessingMessage::Marketing => Some(Processing::Marketing),
        ProcessingMessage::Profiling => Some(Processing::Profiling),
        ProcessingMessage::AutomatedDecisions => Some(Processing::AutomatedDecisions),
    }
}

/// What is objected to, as the contract has it.
#[must_use]
pub const fn processing_message(processing: Processing) -> ProcessingMessage {
    match processing {
        Processing::Marketing => ProcessingMessage::Marketing,
        Processing::Profiling => ProcessingMessage::Profiling,
        Processing::AutomatedDecisions => ProcessingMessage::AutomatedDecisions,
    }
}

/// Flags to set and to clear.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn set_flags(message: &message::SetFlagsRequest, now: Timestamp, namespaces: &Namespaces) -> Result<Saying, Fault> {
    let mut out = rapport_api::check(message);
    let customer = named(message.customer.as_ref(), "customer", namespaces, &mut out);
    let observed_at = observed(message.observed_at.as_ref(), "observed_at", now, &mut out).unwrap_or(now);
    if message.flags.is_empty() && message.cleared_flags.is_empty() {
        add(&mut out, "flags", "required", "must be set, unless cleared_flags is");
    }
    let mut words = BTreeMap::<&String, Option<Timestamp>>::new();
    for (at, flag) in message.flags.iter().enumerate() {
        let end = flag.expire_time.as_ref().and_then(|at| rapport_api::convert::instant(at).ok());
        if end.is_some_and(|end| end <= observed_at) {
            let text = "must be later than observed_at: clear a flag that is over";
            add(&mut out, &format!("flags[{at}].expire_time"), "flags.ahead", text);
        }
        if words.insert(&flag.name, Some(end.unwrap_or(Timestamp::MAX))).is_some() {
            add(&mut out, &format!("flags[{at}].name"), "flags.once", "must not be named twice");
        }
    }
    for (at, name) in message.cleared_flags.iter().enumerate() {
        if words.insert(name, None).is_some_and(|until| until.is_some()) {
            let text = "must not name a flag that the same call sets";
            add(&mut out, &format!("cleared_flags[{at}]"), "cleared_flags.apart", text);
        }
    }
    out.check()?;
    let flagging = |(name, until): (&String, Option<Timestamp>)| Flagging {
        observed_at,
        until,
        name: name.clone(),
        source: message.source.clone(),
    };
    let statement = Statement { flags: words.into_iter().map(flagging).collect(), ..Statement::default() };
    Ok(Saying { customer: customer.ok_or_else(unnamed)?, statement, observed_at })
}

/// Preferences to set and to clear.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn set_preferences(
    message: &message::SetPreferencesRequest,
    now: Timestamp,
    namespaces: &Namespaces,
) -> Result<Saying, Fault> {
    let mut out = rapport_api::check(message);
    let customer = named(message.customer.as_ref(), "customer", namespaces, &mut out);
    let observed_at = observed(message.observed_at.as_ref(), "observed_at", now, &mut out).unwrap_or(now);
    mask::check(message.update_mask.as_ref(), &Preference::ALL.map(Preference::name), &mut out);
    let given = message.preferences.clone().unwrap_or_default();
    check_preferences(&given, &mut out);
    let choices = Preference::ALL.into_iter().map(|preference| (preference, choice(&given, preference)));
    let changes: Vec<(Preference, Option<Choice>)> = choices
        .filter(|(preference, choice)| mask::names(message.update_mask.as_ref(), preference.name(), choice.is_some()))
        .collect();
    if changes.is_empty() {
        let text = "must set something, or update_mask must name what is to be cleared";
        add(&mut out, "preferences", "required", text);
    }
    out.check()?;
    let basis = match message.basis() {
        message::PreferenceBasis::Unspecified | message::PreferenceBasis::Given => Basis::Given,
        message::PreferenceBasis::Observed => Basis::Observed,
    };
    let source = &message.source;
    let preferring =
        |(preference, choice)| Preferring { observed_at, preference, basis, choice, source: source.clone() };
    let statement = Statement { preferences: changes.into_iter().map(preferring).collect(), ..Statement::default() };
    Ok(Saying { customer: customer.ok_or_else(unnamed)?, statement, observed_at })
}

fn check_preferences(given: &message::Preferences, out: &mut Violations) {
    if !is_language(&given.language) {
        add(out, "preferences.language", "bcp47", "must be a language tag (BCP 47), as lv or pt-BR, or empty");
    }
    if !is_zone(&given.zone) {
        add(out, "preferences.zone", "iana_zone", "must be an IANA time zone, as Europe/Riga, or empty");
    }
    for (field, texts) in
        [("preferred_channels", &given.preferred_channels), ("accessibility_needs", &given.accessibility_needs)]
    {
        for (at, _) in texts.iter().enumerate().filter(|(at, text)| texts[..*at].contains(text)) {
            add(out, &format!("preferences.{field}[{at}]"), "repeated.unique", "must not be named twice");
        }
    }
}

/// Whether a text is empty or has the form of a language tag: a language of two to eight letters, then parts of one to
/// eight letters and digits.
pub(super) fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or_default();
    let lettered = (2..=8).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_alphabetic());
    let part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    text.is_empty() || (lettered && parts.all(part))
}

/// Whether a text is empty or names a time zone.
pub(super) fn is_zone(text: &str) -> bool {
    text.is_empty() || text.parse::<chrono_tz::Tz>().is_ok()
}

/// What a message says of a preference.
fn choice(given: &message::Preferences, preference: Preference) -> Option<Choice> {
    let text = |text: &String| (!text.is_empty()).then(|| Choice::Text(text.clone()));
    let texts = |texts: &Vec<String>| (!texts.is_empty()).then(|| Choice::Texts(texts.clone()));
    match preference {
        Preference::Language => text(&given.language),
        Preference::Zone => text(&given.zone),
        Preference::PreferredChannels => texts(&given.preferred_channels),
        Preference::QuietHours => {
            let hours = given.quiet_hours.as_ref()?;
            Some(Choice::Minutes(minute(&hours.start)?, minute(&hours.end)?))
        }
        Preference::Tone => match given.tone() {
            ToneMessage::Unspecified => None,
            ToneMessage::Formal => Some(Choice::Tone(Tone::Formal)),
            ToneMessage::Informal => Some(Choice::Tone(Tone::Informal)),
        },
        Preference::AccessibilityNeeds => {
            let mut needs = given.accessibility_needs.clone();
            needs.sort_unstable();
            texts(&needs)
        }
        Preference::MetOn => None,
    }
}

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    Some(hours.parse::<u16>().ok()? * 60 + minutes.parse::<u16>().ok()?)
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// Preferences as the contract has them, without their provenance.
#[must_use]
pub fn chosen<'a>(held: impl Fn(Preference) -> Option<&'a Preferring>) -> message::Preferences {
    let mut message = message::Preferences::default();
    for preference in Preference::ALL {
        let Some(choice) = held(preference).and_then(|said| said.choice.as_ref()) else { continue };
        match (preference, choice) {
            (Preference::Language, Choice::Text(text)) => message.language.clone_from(text),
            (Preference::Zone, Choice::Text(text)) => message.zone.clone_from(text),
            (Preference::PreferredChannels, Choice::Texts(texts)) => message.preferred_channels.clone_from(texts),
            (Preference::AccessibilityNeeds, Choice::Texts(texts)) => message.accessibility_needs.clone_from(texts),
            (Preference::QuietHours, Choice::Minutes(start, end)) => {
                message.quiet_hours = Some(QuietHours { start: clock(*start), end: clock(*end) });
            }
            (Preference::Tone, Choice::Tone(tone)) => {
                let tone = match tone {
                    Tone::Formal => ToneMessage::Formal,
                    Tone::Informal => ToneMessage::Informal,
                };
                message.tone = tone.into();
            }
            (_, Choice::Text(_) | Choice::Texts(_) | Choice::Minutes(..) | Choice::Tone(_) | Choice::Met(_)) => {}
        }
    }
    message
}

/// A profile's preferences, with where each comes from.
#[must_use]
pub fn preferences(profile: &Profile) -> Option<message::Preferences> {
    if profile.preferences.is_empty() && profile.inferred_channels.is_empty() {
        return None;
    }
    let mut message = chosen(|preference| profile.preferences.get(&preference).map(|(said, _)| said));
    let provenance = |(preference, (said, subject)): (&Preference, &(Preferring, SubjectId))| {
        let provenance = message::PreferenceProvenance {
            source: said.source.clone(),
            subject_id: subject.to_string(),
            observed_at: Some(timestamp(said.observed_at)),
            basis: basis_message(said.basis).into(),
        };
        (preference.name().to_owned(), provenance)
    };
    message.inferred_channels = profile.inferred_channels.iter().map(inferred).collect();
    message.provenance = profile.preferences.iter().map(provenance).collect();
    Some(message)
}

fn inferred(channel: &Inferred) -> message::InferredChannel {
    let (share, confidence) = (f64::from(channel.share) / 100.0, f64::from(channel.confidence) / 100.0);
    message::InferredChannel { channel: channel.channel.clone(), share, confidence }
}

const fn basis_message(basis: Basis) -> message::PreferenceBasis {
    match basis {
        Basis::Observed => message::PreferenceBasis::Observed,
        Basis::Given => message::PreferenceBasis::Given,
    }
}

/// An objection in force.
#[must_use]
pub fn restriction((kind, (held, subject)): (&Processing, &(Objection, SubjectId))) -> message::Restriction {
    message::Restriction {
        processing: processing_message(*kind).into(),
        source: held.source.clone(),
        proof: held.proof.expose().clone(),
        subject_id: subject.to_string(),
        observed_at: Some(timestamp(held.observed_at)),
    }
}

/// When a flag ends; absent where it never does.
#[must_use]
pub fn end(until: Timestamp) -> Option<prost_types::Timestamp> {
    (until < Timestamp::MAX).then(|| timestamp(until))
}

/// A flag that is set.
#[must_use]
pub fn flag((name, (held, subject)): (&String, &(Flagging, SubjectId))) -> message::Flag {
    message::Flag {
        name: name.clone(),
        expire_time: held.until.and_then(end),
        source: held.source.clone(),
        subject_id: subject.to_string(),
        observed_at: Some(timestamp(held.observed_at)),
    }
}

/// Whose consents, and of which purpose; how many.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn consent_history(
    message: &message::ListConsentHistoryRequest,
    namespaces: &Namespaces,
) -> Result<(Named, usize), Fault> {
    let mut out = rapport_api::check(message);
    let customer = named(message.customer.as_ref(), "customer", namespaces, &mut out);
    out.check()?;
    Ok((customer.ok_or_else(unnamed)?, page_size(message.page_size)?))
}

/// Whose preferences, and which; how many.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn preference_history(
    message: &message::ListPreferenceHistoryRequest,
    namespaces: &Namespaces,
) -> Result<(Named, Option<Preference>, usize), Fault> {
    let mut out = rapport_api::check(message);
    let customer = named(message.customer.as_ref(), "customer", namespaces, &mut out);
    let of = Preference::find(&message.field);
    if of.is_none() && !message.field.is_empty() {
        let text =
            format!("must be empty, inferred_channels or one of {}", Preference::ALL.map(Preference::name).join(", "));
        add(&mut out, "field", "field.known", text);
    }
    out.check()?;
    Ok((customer.ok_or_else(unnamed)?, of, page_size(message.page_size)?))
}

/// An entry of the history of consents.
#[must_use]
pub fn consent_statement(entry: &Entry<Consent>) -> message::ConsentStatement {
    message::ConsentStatement {
        consent: Some(consent_said(&entry.said)),
        subject_id: entry.subject.to_string(),
        record_time: Some(timestamp(entry.recorded_at)),
    }
}

/// An entry of the history of preferences.
#[must_use]
pub fn preference_change(entry: &Entry<Preferring>) -> message::PreferenceChange {
    let said = &entry.said;
    let mut preferences = chosen(|preference| (preference == said.preference).then_some(said));
    if let Some(Choice::Met(met)) = &said.choice {
        preferences.inferred_channels = channels::inferred(std::iter::once(met)).iter().map(inferred).collect();
    }
    message::PreferenceChange {
        field: said.preference.name().to_owned(),
        preferences: Some(preferences),
        source: said.source.clone(),
        subject_id: entry.subject.to_string(),
        observed_at: Some(timestamp(said.observed_at)),
        basis: basis_message(said.basis).into(),
        record_time: Some(timestamp(entry.recorded_at)),
    }
}

/// Which record its source deleted.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn delete(message: &message::DeleteSourceRecordRequest, now: Timestamp) -> Result<Deleting, Fault> {
    let mut out = rapport_api::check(message);
    let observed_at = observed(message.observed_at.as_ref(), "observed_at", now, &mut out).unwrap_or(now);
    out.check()?;
    let name = SourceRecord { source: message.source.clone(), external_id: Private::new(message.external_id.clone()) };
    Ok(Deleting { name, observed_at })
}
