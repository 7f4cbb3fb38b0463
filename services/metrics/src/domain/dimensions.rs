//! The dimensions of a fact: what it can be grouped and filtered by. A fact keeps those that its event carried for ever;
//! equal sets are kept once, named by a digest of their content, so that no look-up is needed to name one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A dimension that every tenant has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// By which channel.
    Channel,
    /// At which touchpoint.
    Touchpoint,
    /// At which stage of the journey.
    Stage,
    /// About which product.
    Product,
    /// What the party was to the company.
    Party,
    /// What kind of interaction, ticket, mention, …
    Type,
    /// Which survey.
    Survey,
    /// Which campaign brought it about.
    Campaign,
    /// Which agent had it.
    Agent,
    /// Which team had it.
    Team,
    /// In which language.
    Language,
    /// About which topic.
    Topic,
    /// Which statement.
    Statement,
    /// Which target.
    Target,
    /// How urgent.
    Priority,
}

/// The party of those who work for the company.
pub const EMPLOYEE: &str = "employee";

/// How many dimensions every tenant has.
const COUNT: usize = 15;

impl Dimension {
    /// All, in the order of the variables of a filter.
    pub const ALL: [Self; COUNT] = [
        Self::Channel,
        Self::Touchpoint,
        Self::Stage,
        Self::Product,
        Self::Party,
        Self::Type,
        Self::Survey,
        Self::Campaign,
        Self::Agent,
        Self::Team,
        Self::Language,
        Self::Topic,
        Self::Statement,
        Self::Target,
        Self::Priority,
    ];

    /// Its name in the contract.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Touchpoint => "touchpoint",
            Self::Stage => "stage",
            Self::Product => "product",
            Self::Party => "party",
            Self::Type => "type",
            Self::Survey => "survey",
            Self::Campaign => "campaign",
            Self::Agent => "agent",
            Self::Team => "team",
            Self::Language => "language",
            Self::Topic => "topic",
            Self::Statement => "statement",
            Self::Target => "target",
            Self::Priority => "priority",
        }
    }
}

/// Something to group by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Axis {
    /// A dimension that every tenant has.
    Dimension(Dimension),
    /// A declared trait, by its name.
    Trait(String),
}

impl Axis {
    /// The axis of a name, as `channel` or `trait.city`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if let Some(name) = name.strip_prefix("trait.") {
            let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
            let rest = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            return (starts && rest && name.len() <= 64).then(|| Self::Trait(name.to_owned()));
        }
        Dimension::ALL.into_iter().find(|dimension| dimension.name() == name).map(Self::Dimension)
    }

    /// Its name in the contract.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Dimension(dimension) => dimension.name().to_owned(),
            Self::Trait(name) => format!("trait.{name}"),
        }
    }
}

/// The dimensions of a fact. What is unknown is empty. No `Debug`: the value of a trait may be personal.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dimensions {
    /// The values of [`Dimension::ALL`], in that order.
    #[serde(rename = "d")]
    values: [String; COUNT],
    /// The declared traits that were known, by name.
    #[serde(rename = "t", default, skip_serializing_if = "BTreeMap::is_empty")]
    traits: BTreeMap<String, String>,
}

impl Dimensions {
    /// Sets one.
    #[must_use]
    pub fn with(mut self, dimension: Dimension, value: impl Into<String>) -> Self {
        self.values[dimension as usize] = value.into();
        self
    }

    /// Sets the traits. One with an empty value is unknown.
    #[must_use]
    pub fn with_traits(mut self, traits: BTreeMap<String, String>) -> Self {
        self.traits = traits;
        self.traits.retain(|_, value| !value.is_empty());
        self
    }

    /// The value of one; empty where unknown.
    #[must_use]
    pub fn get(&self, dimension: Dimension) -> &str {
        &self.values[dimension as usize]
    }

    /// The value of a trait; empty where unknown.
    #[must_use]
    pub fn get_trait(&self, name: &str) -> &str {
        self.traits.get(name).map_or("", String::as_str)
    }

    /// The traits known.
    #[must_use]
    pub const fn traits(&self) -> &BTreeMap<String, String> {
        &self.traits
    }

    /// The value along an axis; empty where unknown.
    #[must_use]
    pub fn along(&self, axis: &Axis) -> &str {
        match axis {
            Axis::Dimension(dimension) => self.get(*dimension),
            Axis::Trait(name) => self.get_trait(name),
        }
    }

    /// The name of this set: the first 128 bits of a SHA-256 over its texts, each with its length before it.
    #[must_use]
    pub fn id(&self) -> Uuid {
        let mut digest = Sha256::new();
        let texts = self.values.iter().chain(self.traits.iter().flat_map(|(name, value)| [name, value]));
        for text in texts {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text.as_bytes());
        }
        let digest = digest.finalize();
        Uuid::from_slice(&digest[..16]).expect("16 bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dimension_stands_at_its_place() {
        for (place, dimension) in Dimension::ALL.into_iter().enumerate() {
            assert_eq!(dimension as usize, place);
            assert_eq!(Axis::parse(dimension.name()), Some(Axis::Dimension(dimension)));
        }
    }

    #[test]
    fn a_set_is_named_by_its_content() {
        let city = |value: &str| BTreeMap::from([("city".to_owned(), value.to_owned())]);
        let web = Dimensions::default().with(Dimension::Channel, "web");
        assert_eq!(web.id(), web.clone().with_traits(city("")).id());
        assert_ne!(web.id(), web.clone().with_traits(city("Iasi")).id());
        assert_ne!(web.id(), Dimensions::default().with(Dimension::Touchpoint, "web").id());
    }

    #[test]
    fn only_names_of_dimensions_and_traits_are_axes() {
        for name in ["", "Channel", "trait.", "trait.City", "trait.a b", "trait", "region", "trait._x"] {
            assert!(Axis::parse(name).is_none(), "{name}");
        }
        assert_eq!(Axis::parse("trait.city").map(|axis| axis.name()), Some("trait.city".to_owned()));
    }
}
