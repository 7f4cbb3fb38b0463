//! Interactions between the contract and the domain.

use std::sync::Arc;

use rapport_api::common::v1::{CustomerRef, customer_ref::Ref};
use rapport_api::convert::{amount, instant, money, timestamp};
use rapport_api::{check, profiles::v1 as pb};
use rapport_kernel::{CustomerId, Fault, Private, Timestamp, Violations, page_size};

use super::value::{value, value_message};
use super::{add, named, observed};
use crate::domain::interaction::{Content, Interaction, InteractionKey, Outcome, Telling};
use crate::domain::namespace::Namespaces;
use crate::service::interactions::Listing;

/// The interaction of a request to record one.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn record(
    request: pb::RecordInteractionRequest,
    namespaces: &Namespaces,
    now: Timestamp,
) -> Result<Telling, Fault> {
    let violations = check(&request);
    telling(request.interaction, violations, namespaces, now)
}

/// The interaction of an item of a bulk recording.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule of the item.
pub fn item(item: pb::RecordInteractionsRequest, namespaces: &Namespaces, now: Timestamp) -> Result<Telling, Fault> {
    let violations = check(&item);
    telling(item.interaction, violations, namespaces, now)
}

fn telling(
    interaction: Option<pb::Interaction>,
    mut violations: Violations,
    namespaces: &Namespaces,
    now: Timestamp,
) -> Result<Telling, Fault> {
    let interaction = interaction.unwrap_or_default();
    let customer = named(interaction.customer.as_ref(), "interaction.customer", namespaces, &mut violations);
    let occurred_at = observed(interaction.occurred_at.as_ref(), "interaction.occurred_at", now, &mut violations);
    let worth = match interaction.value.as_ref().map(amount).transpose() {
        Ok(worth) => worth,
        Err(why) => {
            add(&mut violations, "interaction.value", "money", why.to_string());
            None
        }
    };
    let attributes = interaction.attributes.iter().filter_map(|(name, of)| Some((name.clone(), value(of)?))).collect();
    violations.check()?;
    let missing = || Fault::internal("what the contract requires is there once its rules hold");
    Ok(Telling {
        named: customer.ok_or_else(missing)?,
        key: InteractionKey { source: interaction.source, external_id: Private::new(interaction.external_id) },
        version: interaction.version,
        content: Arc::new(Content {
            kind: interaction.r#type,
            channel: interaction.channel,
            touchpoint: interaction.touchpoint,
            stage: interaction.stage,
            product: interaction.product,
            occurred_at: occurred_at.ok_or_else(missing)?,
            value: worth,
            attributes,
        }),
    })
}

/// What to list.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn list(request: pb::ListInteractionsRequest, namespaces: &Namespaces) -> Result<Listing, Fault> {
    let mut violations = check(&request);
    let customer = named(request.customer.as_ref(), "customer", namespaces, &mut violations);
    violations.check()?;
    let named = customer.ok_or_else(|| Fault::internal("what the contract requires is there once its rules hold"))?;
    Ok(Listing {
        named,
        kind: request.r#type,
        start: request.start_time.as_ref().and_then(|at| instant(at).ok()),
        end: request.end_time.as_ref().and_then(|at| instant(at).ok()),
        size: page_size(request.page_size)?,
        token: request.page_token,
    })
}

/// An interaction, with the customer it belongs to now.
#[must_use]
pub fn interaction(held: Interaction, customer: CustomerId) -> pb::Interaction {
    let reference = Ref::CustomerId(customer.to_string());
    let content = Arc::unwrap_or_clone(held.content);
    pb::Interaction {
        interaction_id: held.id.to_string(),
        customer: Some(CustomerRef { r#ref: Some(reference) }),
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
    }
}

/// What recording did.
#[must_use]
pub fn outcome(outcome: Outcome) -> pb::RecordOutcome {
    match outcome {
        Outcome::Created => pb::RecordOutcome::Created,
        Outcome::Updated => pb::RecordOutcome::Updated,
        Outcome::Unchanged => pb::RecordOutcome::Unchanged,
    }
}
