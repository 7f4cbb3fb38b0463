//! What an interaction contributes.

use rapport_api::convert::amount;
use rapport_api::events::v1::InteractionChanged;
use rapport_kernel::{Fault, Timestamp};

use super::{Facts, broken, party};
use crate::domain::dimensions::{Dimension, Dimensions};
use crate::domain::facts::{Fact, Family};

/// The type of interaction that is a purchase.
const PURCHASE: &str = "purchase";

/// Itself, with what it was worth.
pub(super) fn facts(at: Timestamp, changed: InteractionChanged) -> Result<Facts, Fault> {
    if changed.deleted {
        return Ok(Vec::new());
    }
    let value = changed.value.as_ref().map(amount).transpose().map_err(|_| broken("value"))?;
    let purchase = changed.r#type == PURCHASE;
    let party = party(changed.party());
    let dimensions = Dimensions::default()
        .with(Dimension::Type, changed.r#type)
        .with(Dimension::Channel, changed.channel)
        .with(Dimension::Touchpoint, changed.touchpoint)
        .with(Dimension::Stage, changed.stage)
        .with(Dimension::Product, changed.product)
        .with(Dimension::Campaign, changed.campaign)
        .with(Dimension::Party, party)
        .with_traits(changed.dimensions);
    let fact = Fact::new(Family::Interactions, at, dimensions);
    let currency = value.map_or_else(String::new, |value| value.currency.to_string());
    Ok(vec![Fact { series: currency, micros: value.map_or(0, |value| value.micros), purchase, ..fact }])
}
