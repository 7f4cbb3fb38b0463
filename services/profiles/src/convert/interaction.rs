//! Interactions between the contract and the domain.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rapport_api::common::v1::{CustomerRef, customer_ref::Ref};
use rapport_api::convert::{amount, instant, money, timestamp};
use rapport_api::profiles::v1::get_interaction_request::Ref as WhichRef;
use rapport_api::profiles::v1::record_interactions_request::Item;
use rapport_api::{check, profiles::v1 as pb};
use rapport_kernel::{CustomerId, Fault, Private, Reason, Timestamp, Violations, page_size};

use super::revision;
use super::value::{value, value_message};
use super::{add, named, observed};
use crate::domain::correction::Field;
use crate::domain::interaction::{Content, Details, InteractionKey, Outcome, Said, Telling};
use crate::domain::namespace::Namespaces;
use crate::domain::rules::Rules;
use crate::domain::timeline_filter::TimelineFilter;
use crate::domain::value::{Named, Number};
use crate::service::interactions::{Correction, Deletion, One, Shown, Which};
use crate::service::timeline::Listing;

/// The rule under which the errors of a condition are noted.
const CONDITION: &str = "condition";
/// How many paths a mask may have.
const MOST_PATHS: usize = 100;

/// The interaction of a request to record one.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn record(request: pb::RecordInteractionRequest, rules: &Rules, now: Timestamp) -> Result<Telling, Fault> {
    let violations = check(&request);
    telling(request.interaction, violations, rules, now)
}

/// The interaction of an item of a bulk recording, or its deletion.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule of the item.
pub fn item(item: pb::RecordInteractionsRequest, rules: &Rules, now: Timestamp) -> Result<Telling, Fault> {
    let violations = check(&item);
    match item.item {
        Some(Item::Deletion(deletion)) => {
            violations.check()?;
            let key = key(deletion.source, deletion.external_id);
            Ok(Telling { key, version: deletion.version, said: Said::Deleted })
        }
        Some(Item::Interaction(interaction)) => telling(Some(*interaction), violations, rules, now),
        None => violations.check().and_then(|()| Err(required())),
    }
}

/// That the contract's rules let something through that they do not.
fn required() -> Fault {
    Fault::internal("what the contract requires is there once its rules hold")
}

const fn key(source: String, external_id: String) -> InteractionKey {
    InteractionKey { source, external_id: Private::new(external_id) }
}

fn telling(
    interaction: Option<pb::Interaction>,
    mut violations: Violations,
    rules: &Rules,
    now: Timestamp,
) -> Result<Telling, Fault> {
    let interaction = interaction.unwrap_or_default();
    let namespaces = &rules.namespaces;
    let customer = named(interaction.customer.as_ref(), "interaction.customer", namespaces, &mut violations);
    let referrer = referrer(&interaction, namespaces, &mut violations);
    let content = content(&interaction, now, &mut violations);
    for deviation in rules.catalogue.deviations(&interaction.source, &content) {
        if deviation.is_refused {
            add(&mut violations, &format!("interaction.{}", deviation.field), deviation.rule, deviation.text);
        }
    }
    violations.check()?;
    // Read without an instant, it was refused.
    interaction.occurred_at.as_ref().ok_or_else(required)?;
    let said = Said::Recorded { named: customer.ok_or_else(required)?, referrer, content: Arc::new(content) };
    Ok(Telling { key: key(interaction.source, interaction.external_id), version: interaction.version, said })
}

fn referrer(interaction: &pb::Interaction, namespaces: &Namespaces, out: &mut Violations) -> Option<Named> {
    let referrer = interaction.context.as_ref()?.referrer.as_ref();
    named(referrer, "interaction.context.referrer", namespaces, out)
}

/// The content of an interaction, but for who referred the customer. Without an instant, it is of the beginning of time.
fn content(interaction: &pb::Interaction, now: Timestamp, out: &mut Violations) -> Content {
    let occurred_at = observed(interaction.occurred_at.as_ref(), "interaction.occurred_at", now, out);
    let worth = match interaction.value.as_ref().map(amount).transpose() {
        Ok(worth) => worth,
        Err(why) => {
            add(out, "interaction.value", "money", why.to_string());
            None
        }
    };
    let attributes = interaction.attributes.iter().filter_map(|(name, of)| Some((name.clone(), value(of)?))).collect();
    let context = interaction.context.clone().unwrap_or_default();
    let emotions =
        interaction.emotions.iter().filter_map(|(name, of)| Some((name.clone(), Number::new(*of)?))).collect();
    Content {
        kind: interaction.r#type.clone(),
        channel: interaction.channel.clone(),
        touchpoint: interaction.touchpoint.clone(),
        stage: interaction.stage.clone(),
        product: interaction.product.clone(),
        occurred_at: occurred_at.unwrap_or(Timestamp::MIN),
        value: worth,
        attributes,
        details: Details {
            sentiment: interaction.sentiment.and_then(Number::new),
            emotions,
            device: context.device,
            place: context.place,
            campaign: context.campaign,
            url: context.url,
        },
        referrer: None,
    }
}

/// A correction.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule of what it looks at.
pub fn correction(
    request: pb::UpdateInteractionRequest,
    namespaces: &Namespaces,
    now: Timestamp,
) -> Result<Correction, Fault> {
    let mut all = check(&request);
    let paths = request.update_mask.map(|mask| mask.paths).unwrap_or_default();
    let mut violations = Violations::new();
    let fields = fields(&paths, &mut violations);
    let interaction = request.interaction.unwrap_or_default();
    let referrer = referrer(&interaction, namespaces, &mut all);
    let content = content(&interaction, now, &mut all);
    for broken in all.as_slice().iter().filter(|broken| is_read(&broken.field, &fields)) {
        violations.add(broken.field.clone(), broken.rule, broken.description.clone());
    }
    let expected = revision(&interaction.etag);
    if expected.is_none() && interaction.version == 0 {
        let text = "must be higher than the version held, unless etag names the state to correct";
        add(&mut violations, "interaction.version", "version.or_etag", text);
    }
    violations.check()?;
    let (key, version) = (key(interaction.source, interaction.external_id), interaction.version);
    let referrer = referrer.filter(|_| fields.contains(&Field::Referrer));
    Ok(Correction { key, version, expected, fields, content: Arc::new(content), referrer })
}

/// The fields that a mask names; all, where it names none.
fn fields(paths: &[String], out: &mut Violations) -> BTreeSet<Field> {
    if paths.is_empty() || paths == ["*"] {
        return Field::ALL.into();
    }
    if paths.len() > MOST_PATHS {
        out.add("update_mask.paths", "repeated.max_items", format!("must have at most {MOST_PATHS} items"));
        return BTreeSet::new();
    }
    let mut fields = BTreeSet::new();
    for (at, path) in paths.iter().enumerate() {
        match path.as_str() {
            "context" => {
                fields.extend([Field::Device, Field::Place, Field::Campaign, Field::Url, Field::Referrer]);
            }
            path => match field(path) {
                Some(field) => drop(fields.insert(field)),
                None => out.add(
                    format!("update_mask.paths[{at}]"),
                    "update_mask",
                    "must be a field of the interaction that can be corrected, as channel or context.device",
                ),
            },
        }
    }
    fields
}

/// The field that a path names.
fn field(path: &str) -> Option<Field> {
    Some(match path {
        "type" => Field::Kind,
        "channel" => Field::Channel,
        "touchpoint" => Field::Touchpoint,
        "stage" => Field::Stage,
        "product" => Field::Product,
        "occurred_at" => Field::OccurredAt,
        "value" => Field::Value,
        "attributes" => Field::Attributes,
        "emotions" => Field::Emotions,
        "sentiment" => Field::Sentiment,
        "context.device" => Field::Device,
        "context.place" => Field::Place,
        "context.campaign" => Field::Campaign,
        "context.url" => Field::Url,
        "context.referrer" => Field::Referrer,
        path => {
            let name = path.strip_prefix("attributes.")?;
            let first = name.bytes().next()?;
            let is_name = first.is_ascii_lowercase()
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            Field::Attribute((is_name && name.len() <= 64).then(|| name.to_owned())?)
        }
    })
}

/// Whether a correction of some fields reads the field at a path of its request.
fn is_read(path: &str, fields: &BTreeSet<Field>) -> bool {
    let Some(path) = path.strip_prefix("interaction.") else { return true };
    let mut parts = path.split(['.', '[']);
    match (parts.next().unwrap_or_default(), parts.next()) {
        ("source" | "external_id" | "version" | "etag", _) => true,
        ("attributes", _) => {
            fields.contains(&Field::Attributes) || fields.iter().any(|field| matches!(field, Field::Attribute(_)))
        }
        ("context", Some(part)) => field(&format!("context.{part}")).is_some_and(|field| fields.contains(&field)),
        (head, _) => field(head).is_some_and(|field| fields.contains(&field)),
    }
}

/// A deletion.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn deletion(request: pb::DeleteInteractionRequest) -> Result<Deletion, Fault> {
    check(&request).check()?;
    let expected = revision(&request.etag);
    Ok(Deletion { key: key(request.source, request.external_id), version: request.version, expected })
}

/// Which interaction.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn which(request: pb::GetInteractionRequest) -> Result<Which, Fault> {
    check(&request).check()?;
    match request.r#ref {
        Some(WhichRef::InteractionId(id)) => Ok(Which::Id(id.parse().map_err(|_| required())?)),
        Some(WhichRef::Key(named)) => Ok(Which::Key(key(named.source, named.external_id))),
        None => Err(required()),
    }
}

/// What to list.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule; reason INVALID_CONDITION where it is the condition alone.
pub fn list(request: pb::ListInteractionsRequest, namespaces: &Namespaces) -> Result<Listing, Fault> {
    let mut violations = check(&request);
    let customer = named(request.customer.as_ref(), "customer", namespaces, &mut violations);
    let mut filter = None;
    if !request.filter.is_empty() {
        match TimelineFilter::compile(&request.filter) {
            Ok(compiled) => filter = Some((compiled, request.filter)),
            Err(errors) => errors.note("filter", &mut violations),
        }
    }
    if !violations.is_empty() {
        let condition_alone = violations.as_slice().iter().all(|violation| violation.rule == CONDITION);
        let mut fault = Fault::invalid(violations);
        if condition_alone {
            fault.reason = Reason::InvalidCondition;
        }
        return Err(fault);
    }
    Ok(Listing {
        named: customer.ok_or_else(required)?,
        kinds: request.types,
        channels: request.channels,
        touchpoints: request.touchpoints,
        stages: request.stages,
        filter,
        start: request.start_time.as_ref().and_then(|at| instant(at).ok()),
        end: request.end_time.as_ref().and_then(|at| instant(at).ok()),
        size: page_size(request.page_size)?,
        token: request.page_token,
    })
}

fn reference(customer: CustomerId) -> CustomerRef {
    CustomerRef { r#ref: Some(Ref::CustomerId(customer.to_string())) }
}

/// An interaction, with the customer it belongs to now.
#[must_use]
pub fn interaction(shown: Shown) -> pb::Interaction {
    let (held, customer, referrer) = (shown.interaction, shown.customer, shown.referrer);
    let content = Arc::unwrap_or_clone(held.content);
    let Details { sentiment, emotions, device, place, campaign, url } = content.details;
    let context = pb::InteractionContext { device, place, campaign, referrer: referrer.map(reference), url };
    let numbers = |numbers: BTreeMap<String, Number>| numbers.into_iter().map(|(name, of)| (name, of.get())).collect();
    pb::Interaction {
        interaction_id: held.id.to_string(),
        customer: Some(reference(customer)),
        subject_id: held.subject.to_string(),
        source: held.key.source,
        external_id: held.key.external_id.into_inner(),
        version: held.version,
        r#type: content.kind,
        channel: content.channel,
        touchpoint: content.touchpoint,
        stage: content.stage,
        product: content.product,
        occurred_at: Some(timestamp(content.occurred_at)),
        value: content.value.map(money),
        attributes: content.attributes.into_iter().map(|(name, of)| (name, value_message(&of))).collect(),
        create_time: Some(timestamp(held.recorded_at)),
        emotions: numbers(emotions),
        sentiment: sentiment.map(Number::get),
        context: (context != pb::InteractionContext::default()).then_some(context),
        etag: held.revision.to_string(),
        update_time: Some(timestamp(held.updated_at)),
    }
}

/// What recording did.
#[must_use]
pub fn recorded(one: &One) -> pb::RecordInteractionResponse {
    let outcome = outcome(one.outcome).into();
    pb::RecordInteractionResponse { interaction: one.held.clone().map(interaction), outcome }
}

/// What a correction did.
#[must_use]
pub fn corrected(one: &One) -> pb::UpdateInteractionResponse {
    let outcome = outcome(one.outcome).into();
    pb::UpdateInteractionResponse { interaction: one.held.clone().map(interaction), outcome }
}

/// What a deletion did.
#[must_use]
pub fn deleted(one: &One) -> pb::DeleteInteractionResponse {
    pb::DeleteInteractionResponse { outcome: outcome(one.outcome).into() }
}

fn outcome(outcome: Outcome) -> pb::RecordOutcome {
    match outcome {
        Outcome::Created => pb::RecordOutcome::Created,
        Outcome::Updated => pb::RecordOutcome::Updated,
        Outcome::Unchanged => pb::RecordOutcome::Unchanged,
        Outcome::Deleted => pb::RecordOutcome::Deleted,
    }
}
