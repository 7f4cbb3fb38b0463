//! What a correction of an interaction changes: the fields that a mask names, and no others.

use std::collections::BTreeSet;

use super::interaction::Content;

/// A field that can be corrected apart from the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The type.
    Kind,
    /// The channel.
    Channel,
    /// The touchpoint.
    Touchpoint,
    /// The stage.
    Stage,
    /// The product.
    Product,
    /// When it happened.
    OccurredAt,
    /// What it was worth.
    Value,
    /// All attributes.
    Attributes,
    /// One attribute.
    Attribute(String),
    /// The emotions.
    Emotions,
    /// The sentiment.
    Sentiment,
    /// The device.
    Device,
    /// The place.
    Place,
    /// The campaign.
    Campaign,
    /// The page's address.
    Url,
    /// Who referred the customer.
    Referrer,
}

impl Field {
    /// All fields: one attribute goes with all attributes.
    pub const ALL: [Self; 15] = [
        Self::Kind,
        Self::Channel,
        Self::Touchpoint,
        Self::Stage,
        Self::Product,
        Self::OccurredAt,
        Self::Value,
        Self::Attributes,
        Self::Emotions,
        Self::Sentiment,
        Self::Device,
        Self::Place,
        Self::Campaign,
        Self::Url,
        Self::Referrer,
    ];
}

impl Content {
    /// The content with some fields as another has them: what that one lacks is removed.
    #[must_use]
    pub fn corrected(&self, fields: &BTreeSet<Field>, by: &Self) -> Self {
        let mut after = self.clone();
        let (details, new) = (&mut after.details, &by.details);
        for field in fields {
            match field {
                Field::Kind => after.kind.clone_from(&by.kind),
                Field::Channel => after.channel.clone_from(&by.channel),
                Field::Touchpoint => after.touchpoint.clone_from(&by.touchpoint),
                Field::Stage => after.stage.clone_from(&by.stage),
                Field::Product => after.product.clone_from(&by.product),
                Field::OccurredAt => after.occurred_at = by.occurred_at,
                Field::Value => after.value = by.value,
                Field::Attributes => after.attributes.clone_from(&by.attributes),
                Field::Attribute(name) => match by.attributes.get(name) {
                    Some(value) => drop(after.attributes.insert(name.clone(), value.clone())),
                    None => drop(after.attributes.remove(name)),
                },
                Field::Emotions => details.emotions.clone_from(&new.emotions),
                Field::Sentiment => details.sentiment = new.sentiment,
                Field::Device => details.device.clone_from(&new.device),
                Field::Place => details.place.clone_from(&new.place),
                Field::Campaign => details.campaign.clone_from(&new.campaign),
                Field::Url => details.url.clone_from(&new.url),
                Field::Referrer => after.referrer = by.referrer,
            }
        }
        after
    }
}
