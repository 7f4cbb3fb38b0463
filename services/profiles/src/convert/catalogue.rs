//! The catalogue and the quality of sources between the contract and the domain.

use std::collections::BTreeMap;
use std::time::Duration;

use rapport_api::convert::{amount, instant, money, timestamp};
use rapport_api::profiles::v1 as pb;
use rapport_api::profiles::v1::catalogue_entry::Details as Message;
use rapport_kernel::{Fault, Money, Timestamp, Violations, page_size};

use super::add;
use super::revision;
use super::traits::{trait_type, type_message};
use crate::domain::catalogue::{Attribute, Body, Catalogue, Details, Entry, Kind, Schema, Settings, SourceKind, TRUST};
use crate::domain::quality::Counts;

/// How many days one answer adds up.
const MOST_DAYS: u64 = 400;
/// How many days it adds up where nobody says how many, but for the last.
const DAYS: u64 = 29;
const DAY: Duration = Duration::from_secs(86_400);
/// How many sources and unmapped names an answer holds.
const MOST_SOURCES: usize = 1_000;
const MOST_UNMAPPED: usize = 100;

fn required() -> Fault {
    Fault::internal("what the contract requires is there once its rules hold")
}

/// An entry to add.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule; as for all that follow.
pub fn create(request: &pb::CreateCatalogueEntryRequest) -> Result<Entry, Fault> {
    entry(request.entry.as_ref(), rapport_api::check(request))
}

/// What an entry becomes, and the revision that it corrects.
pub fn update(request: &pb::UpdateCatalogueEntryRequest) -> Result<(Entry, Option<u64>), Fault> {
    let expected = request.entry.as_ref().and_then(|entry| revision(&entry.etag));
    Ok((entry(request.entry.as_ref(), rapport_api::check(request))?, expected))
}

fn entry(message: Option<&pb::CatalogueEntry>, mut out: Violations) -> Result<Entry, Fault> {
    let details = message.and_then(|message| message.details.as_ref()).and_then(|message| details(message, &mut out));
    if let (Some(message), Some(details)) = (message, &details) {
        let is_name = |name: &str| {
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
            name.len() <= 64
                && name.bytes().all(is_plain)
                && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        };
        if !matches!(details, Details::Product { .. }) && !is_name(&message.name) {
            let text = "must be 1 to 64 of a-z, 0-9, \"_\", \".\" and \"-\", beginning with a letter or digit";
            add(&mut out, "entry.name", "string.pattern", text);
        }
    }
    out.check()?;
    let (message, details) = message.zip(details).ok_or_else(required)?;
    let (display_name, description) = (message.display_name.clone(), message.description.clone());
    let body = Body { display_name, description, details };
    Ok(Entry { name: message.name.clone(), body, revision: 0, created_at: None, updated_at: None })
}

fn details(message: &Message, out: &mut Violations) -> Option<Details> {
    Some(match message {
        Message::Source(source) => Details::Source {
            kind: source_kind(source.kind()),
            trust: source.trust.map_or(Some(TRUST), |trust| u16::try_from(trust).ok())?,
        },
        Message::Channel(channel) => Details::Channel { staffed: channel.staffed },
        Message::Touchpoint(of) => Details::Touchpoint { channel: of.channel.clone(), stage: of.stage.clone() },
        Message::Stage(stage) => Details::Stage { position: stage.position },
        Message::EventType(of) => Details::EventType(Schema {
            attributes: of.attributes.iter().filter_map(|(name, of)| Some((name.clone(), attribute(of)?))).collect(),
            strict: is_strict(of.enforcement()),
        }),
        Message::Product(product) => {
            let price = product.price.as_ref().map(amount).transpose();
            let price: Option<Money> = match price {
                Ok(price) => price,
                Err(why) => {
                    add(out, "entry.product.price", "money", why.to_string());
                    None
                }
            };
            Details::Product { category: product.category.clone(), price }
        }
    })
}

fn attribute(message: &pb::AttributeSchema) -> Option<Attribute> {
    let (required, description) = (message.required, message.description.clone());
    Some(Attribute { kind: trait_type(message.r#type())?, required, description })
}

const fn is_strict(enforcement: pb::Enforcement) -> bool {
    match enforcement {
        pb::Enforcement::Unspecified | pb::Enforcement::Lenient => false,
        pb::Enforcement::Strict => true,
    }
}

fn enforcement(strict: bool) -> i32 {
    if strict { pb::Enforcement::Strict.into() } else { pb::Enforcement::Lenient.into() }
}

const fn source_kind(message: pb::SourceKind) -> SourceKind {
    match message {
        pb::SourceKind::Unspecified => SourceKind::Unsaid,
        pb::SourceKind::Crm => SourceKind::Crm,
        pb::SourceKind::Commerce => SourceKind::Commerce,
        pb::SourceKind::Digital => SourceKind::Digital,
        pb::SourceKind::Service => SourceKind::Service,
        pb::SourceKind::Messaging => SourceKind::Messaging,
        pb::SourceKind::Billing => SourceKind::Billing,
        pb::SourceKind::File => SourceKind::File,
        pb::SourceKind::Other => SourceKind::Other,
    }
}

const fn source_kind_message(kind: SourceKind) -> pb::SourceKind {
    match kind {
        SourceKind::Unsaid => pb::SourceKind::Unspecified,
        SourceKind::Crm => pb::SourceKind::Crm,
        SourceKind::Commerce => pb::SourceKind::Commerce,
        SourceKind::Digital => pb::SourceKind::Digital,
        SourceKind::Service => pb::SourceKind::Service,
        SourceKind::Messaging => pb::SourceKind::Messaging,
        SourceKind::Billing => pb::SourceKind::Billing,
        SourceKind::File => pb::SourceKind::File,
        SourceKind::Other => pb::SourceKind::Other,
    }
}

const fn kind(message: pb::CatalogueKind) -> Option<Kind> {
    Some(match message {
        pb::CatalogueKind::Unspecified => return None,
        pb::CatalogueKind::Source => Kind::Source,
        pb::CatalogueKind::Channel => Kind::Channel,
        pb::CatalogueKind::Touchpoint => Kind::Touchpoint,
        pb::CatalogueKind::Stage => Kind::Stage,
        pb::CatalogueKind::EventType => Kind::EventType,
        pb::CatalogueKind::Product => Kind::Product,
    })
}

/// Which entry.
pub fn get(request: &pb::GetCatalogueEntryRequest) -> Result<(Kind, String), Fault> {
    rapport_api::check(request).check()?;
    Ok((kind(request.kind()).ok_or_else(required)?, request.name.clone()))
}

/// Which entry to delete, and the revision that is deleted.
pub fn delete(request: &pb::DeleteCatalogueEntryRequest) -> Result<(Kind, String, Option<u64>), Fault> {
    rapport_api::check(request).check()?;
    Ok((kind(request.kind()).ok_or_else(required)?, request.name.clone(), revision(&request.etag)))
}

/// Which kind to list, and how many a page holds.
pub fn list(request: &pb::ListCatalogueEntriesRequest) -> Result<(Kind, usize), Fault> {
    rapport_api::check(request).check()?;
    Ok((kind(request.kind()).ok_or_else(required)?, page_size(request.page_size)?))
}

/// What the settings become, and the revision that they correct.
pub fn update_settings(request: &pb::UpdateCatalogueSettingsRequest) -> Result<(Settings, Option<u64>), Fault> {
    rapport_api::check(request).check()?;
    let message = request.settings.as_ref().ok_or_else(required)?;
    let settings = Settings {
        sources: is_strict(message.sources()),
        channels: is_strict(message.channels()),
        touchpoints: is_strict(message.touchpoints()),
        stages: is_strict(message.stages()),
        event_types: is_strict(message.event_types()),
        revision: 0,
    };
    Ok((settings, revision(&message.etag)))
}

/// The settings.
#[must_use]
pub fn settings(settings: &Settings) -> pb::CatalogueSettings {
    pb::CatalogueSettings {
        sources: enforcement(settings.sources),
        channels: enforcement(settings.channels),
        touchpoints: enforcement(settings.touchpoints),
        stages: enforcement(settings.stages),
        event_types: enforcement(settings.event_types),
        etag: settings.revision.to_string(),
    }
}

/// An entry.
#[must_use]
pub fn entry_message(entry: &Entry) -> pb::CatalogueEntry {
    let details = match &entry.body.details {
        Details::Source { kind, trust } => {
            Message::Source(pb::Source { kind: source_kind_message(*kind).into(), trust: Some(i32::from(*trust)) })
        }
        Details::Channel { staffed } => Message::Channel(pb::Channel { staffed: *staffed }),
        Details::Touchpoint { channel, stage } => {
            Message::Touchpoint(pb::Touchpoint { channel: channel.clone(), stage: stage.clone() })
        }
        Details::Stage { position } => Message::Stage(pb::Stage { position: *position }),
        Details::EventType(schema) => {
            let attribute = |(name, of): (&String, &Attribute)| {
                let (r#type, description) = (type_message(of.kind).into(), of.description.clone());
                (name.clone(), pb::AttributeSchema { r#type, required: of.required, description })
            };
            let attributes: BTreeMap<_, _> = schema.attributes.iter().map(attribute).collect();
            Message::EventType(pb::EventType { attributes, enforcement: enforcement(schema.strict) })
        }
        Details::Product { category, price } => {
            Message::Product(pb::Product { category: category.clone(), price: price.map(money) })
        }
    };
    pb::CatalogueEntry {
        name: entry.name.clone(),
        display_name: entry.body.display_name.clone(),
        description: entry.body.description.clone(),
        details: Some(details),
        etag: entry.revision.to_string(),
        create_time: entry.created_at.map(timestamp),
        update_time: entry.updated_at.map(timestamp),
        built_in: entry.is_built_in(),
    }
}

/// Whose quality, and from when to when.
pub fn quality(request: &pb::GetDataQualityRequest, now: Timestamp) -> Result<(String, (Timestamp, Timestamp)), Fault> {
    let mut out = rapport_api::check(request);
    let given = |at: Option<&prost_types::Timestamp>| at.and_then(|at| instant(at).ok());
    let to = given(request.end_time.as_ref()).unwrap_or(now);
    let from =
        given(request.start_time.as_ref()).unwrap_or_else(|| to.minus(DAY * u32::try_from(DAYS).unwrap_or(u32::MAX)));
    if from > to {
        add(&mut out, "end_time", "end_time.order", "must not be before start_time");
    } else if from.plus(Duration::from_secs(MOST_DAYS * 86_400)) < to {
        add(&mut out, "start_time", "start_time.range", format!("must be at most {MOST_DAYS} days before end_time"));
    }
    out.check()?;
    Ok((request.source.clone(), (from, to)))
}

/// How sources keep to the catalogue.
#[must_use]
pub fn quality_message(found: BTreeMap<String, Counts>, catalogue: &Catalogue) -> pb::GetDataQualityResponse {
    let sources =
        found.into_iter().take(MOST_SOURCES).map(|(source, counts)| source_quality(source, counts, catalogue));
    pb::GetDataQualityResponse { sources: sources.collect() }
}

fn source_quality(source: String, counts: Counts, catalogue: &Catalogue) -> pb::SourceQuality {
    let lag = |share| {
        let lag = counts.lag(share)?;
        let seconds = i64::try_from(lag.as_secs()).ok()?;
        Some(prost_types::Duration { seconds, nanos: i32::try_from(lag.subsec_nanos()).ok()? })
    };
    let (lag_p50, lag_p95) = (lag(0.5), lag(0.95));
    let name = |(name, count): (String, i64)| {
        let (kind, name) = name.split_once('/').unwrap_or((&name, ""));
        pb::UnmappedName { kind: kind.to_owned(), name: name.to_owned(), count }
    };
    let mut unmapped: Vec<pb::UnmappedName> = counts.unmapped.into_iter().map(name).collect();
    unmapped.sort_by(|one, other| {
        let key = |of: &pb::UnmappedName| (std::cmp::Reverse(of.count), of.kind.clone(), of.name.clone());
        key(one).cmp(&key(other))
    });
    unmapped.truncate(MOST_UNMAPPED);
    pb::SourceQuality {
        in_catalogue: catalogue.has_source(&source),
        source,
        accepted: counts.accepted,
        created: counts.created,
        deleted: counts.deleted,
        duplicates: counts.duplicates,
        rejected: counts.rejected,
        rejects_by_rule: counts.rules,
        unmapped,
        last_observed_time: counts.observed.map(timestamp),
        last_recorded_time: counts.recorded.map(timestamp),
        lag_p50,
        lag_p95,
        records: counts.records,
        records_without_strong_identifier: counts.weak,
    }
}
