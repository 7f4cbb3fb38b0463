//! The tenant's settings.

use rapport_api::convert::timestamp;
use rapport_api::profiles::v1 as message;
use rapport_kernel::{Currency, Fault};

use super::standing::{is_language, is_zone};
use super::{add, mask, revision};
use crate::convert::profile::etag;
use crate::domain::memory::Weights;
use crate::domain::normalise;
use crate::domain::settings::Settings;
use crate::domain::value::Number;
use crate::service::settings::{Change, Updating};

/// What weighs anything weighs so much at least.
const LEAST_WEIGHT: f64 = 0.01;

/// A setting: its name, and what takes it over.
const FIELDS: &[(&str, Change)] = &[
    ("zone", |held, new| held.zone.clone_from(&new.zone)),
    ("phone_region", |held, new| held.phone_region.clone_from(&new.phone_region)),
    ("languages", |held, new| held.languages.clone_from(&new.languages)),
    ("week_start", |held, new| held.week_start = new.week_start),
    ("currency", |held, new| held.currency.clone_from(&new.currency)),
    ("suppression_threshold", |held, new| held.suppression_threshold = new.suppression_threshold),
    ("strict_traits", |held, new| held.strict_traits = new.strict_traits),
    ("sentiment_weights", |held, new| held.sentiment_weights.clone_from(&new.sentiment_weights)),
];

/// Which settings to change.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn update(message: &message::UpdateTenantSettingsRequest) -> Result<Updating, Fault> {
    let mut out = rapport_api::check(message);
    let given = message.tenant_settings.clone().unwrap_or_default();
    let known: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
    mask::check(message.update_mask.as_ref(), &known, &mut out);
    if !is_zone(&given.zone) {
        add(&mut out, "tenant_settings.zone", "iana_zone", "must be an IANA time zone, as Europe/Riga, or empty");
    }
    if !given.phone_region.is_empty() && given.phone_region.parse::<normalise::Region>().is_err() {
        add(&mut out, "tenant_settings.phone_region", "iso3166", "must be a country of two letters, as DE, or empty");
    }
    for (at, language) in given.languages.iter().enumerate() {
        let field = format!("tenant_settings.languages[{at}]");
        if !is_language(language) {
            add(&mut out, &field, "bcp47", "must be a language tag (BCP 47), as lv or pt-BR");
        }
        if given.languages[..at].contains(language) {
            add(&mut out, &field, "repeated.unique", "must not be named twice");
        }
    }
    if !given.currency.is_empty() && given.currency.parse::<Currency>().is_err() {
        add(&mut out, "tenant_settings.currency", "iso4217", "must be a currency of three letters, as EUR, or empty");
    }
    if given.suppression_threshold == 1 {
        let text = "must be at least 2, or 0: a figure that rests on one customer tells of that one";
        add(&mut out, "tenant_settings.suppression_threshold", "suppression_threshold.hides", text);
    }
    let weights = given.sentiment_weights.unwrap_or_default();
    for (name, weight) in
        [("survey", weights.survey), ("ticket", weights.ticket), ("mention", weights.mention), ("chat", weights.chat)]
    {
        if weight.is_some_and(|weight| weight > 0.0 && weight < LEAST_WEIGHT) {
            let field = format!("tenant_settings.sentiment_weights.{name}");
            add(&mut out, &field, "sentiment_weights.weighs", "must be 0, or at least 0.01");
        }
    }
    out.check()?;
    let changes = FIELDS.iter().filter(|(name, _)| mask::names(message.update_mask.as_ref(), name, true));
    let settings = Settings {
        zone: given.zone,
        phone_region: given.phone_region,
        languages: given.languages,
        week_start: u8::try_from(given.week_start).unwrap_or(0),
        currency: given.currency,
        suppression_threshold: u32::try_from(given.suppression_threshold).unwrap_or(0),
        strict_traits: given.strict_traits,
        sentiment_weights: Weights {
            survey: weights.survey.and_then(Number::new),
            ticket: weights.ticket.and_then(Number::new),
            mention: weights.mention.and_then(Number::new),
            chat: weights.chat.and_then(Number::new),
        },
        revision: 0,
        updated_at: None,
    };
    Ok(Updating { settings, changes: changes.map(|(_, change)| *change).collect(), expected: revision(&given.etag) })
}

/// The settings.
#[must_use]
pub fn settings(settings: &Settings) -> message::TenantSettings {
    message::TenantSettings {
        zone: settings.zone.clone(),
        phone_region: settings.phone_region.clone(),
        languages: settings.languages.clone(),
        week_start: settings.week_start.into(),
        currency: settings.currency.clone(),
        suppression_threshold: i32::try_from(settings.suppression_threshold).unwrap_or(i32::MAX),
        strict_traits: settings.strict_traits,
        sentiment_weights: sentiment_weights(&settings.sentiment_weights),
        etag: etag(settings.revision),
        update_time: settings.updated_at.map(timestamp),
    }
}

fn sentiment_weights(weights: &Weights) -> Option<message::SentimentWeights> {
    let Weights { survey, ticket, mention, chat } = weights;
    let [survey, ticket, mention, chat] = [survey, ticket, mention, chat].map(|weight| weight.map(Number::get));
    (*weights != Weights::default()).then_some(message::SentimentWeights { survey, ticket, mention, chat })
}
