//! Declared traits: a type that values must have, and whether metrics can be grouped by them.

use std::collections::BTreeMap;

use rapport_kernel::Timestamp;

use super::profile::Profile;
use super::value::{TraitType, Value};

/// A declared trait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraitDefinition {
    /// The trait's name.
    pub name: String,
    /// The type its values must have.
    pub kind: TraitType,
    /// Whether it is a dimension of metrics.
    pub metric_dimension: bool,
    /// What it means, for people.
    pub description: String,
    /// When it was declared.
    pub created_at: Timestamp,
}

/// The traits a tenant declared, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared(BTreeMap<String, TraitDefinition>);

impl FromIterator<TraitDefinition> for Declared {
    fn from_iter<I: IntoIterator<Item = TraitDefinition>>(definitions: I) -> Self {
        Self(definitions.into_iter().map(|definition| (definition.name.clone(), definition)).collect())
    }
}

impl Declared {
    /// What a value of a trait must be, where it is not that.
    #[must_use]
    pub fn refusal(&self, name: &str, value: &Value) -> Option<String> {
        let declared = self.0.get(name)?;
        let text = || format!("must be {}: the trait is declared so", declared.kind.words());
        (declared.kind != value.kind()).then(text)
    }

    /// Whether text searches look at a trait: at declared texts they do. `None` where it is not declared.
    #[must_use]
    pub fn searchable(&self, name: &str) -> Option<bool> {
        self.0.get(name).map(|declared| matches!(declared.kind, TraitType::Text | TraitType::List))
    }

    /// When the last of the traits was declared that text searches look at for that.
    #[must_use]
    pub fn last_searchable(&self) -> Option<Timestamp> {
        let texts = self.0.values().filter(|declared| matches!(declared.kind, TraitType::Text | TraitType::List));
        texts.map(|declared| declared.created_at).max()
    }

    /// The dimensions of metrics of a profile: its traits that are declared as such and have that type.
    #[must_use]
    pub fn dimensions(&self, profile: &Profile) -> BTreeMap<String, String> {
        let dimension = |definition: &TraitDefinition| {
            let held = profile.traits.get(&definition.name).filter(|held| held.value.kind() == definition.kind)?;
            Some((definition.name.clone(), held.value.as_dimension()?))
        };
        self.0.values().filter(|definition| definition.metric_dimension).filter_map(dimension).collect()
    }
}
