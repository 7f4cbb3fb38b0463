//! Declared traits: a type that values must have, and whether metrics can be grouped by them.

use std::collections::BTreeMap;

use rapport_kernel::{OperationId, Timestamp};
use serde::{Deserialize, Serialize};

use super::computed::Recipe;
use super::profile::Profile;
use super::survivorship::Survivorship;
use super::value::{TraitType, Value};

/// How personal a trait's values are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PiiClass {
    /// Not said.
    #[default]
    Unsaid,
    /// Tells nothing of a person.
    None,
    /// Tells something of a person.
    Personal,
    /// Identifies a person by itself.
    Identifying,
    /// Of a special category.
    Sensitive,
}

/// A declared trait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraitDefinition {
    /// The trait's name.
    pub name: String,
    /// The type its values must have.
    pub kind: TraitType,
    /// Whether it is a dimension of metrics.
    pub metric_dimension: bool,
    /// What it means, for people.
    pub description: String,
    /// How personal its values are.
    #[serde(default)]
    pub pii_class: PiiClass,
    /// Which value survives where records claim several.
    #[serde(default)]
    pub survivorship: Survivorship,
    /// The sources, the most trusted first.
    #[serde(default)]
    pub trusted_sources: Vec<String>,
    /// When it was declared.
    pub created_at: Timestamp,
    /// How it is computed, where no source states it.
    #[serde(default)]
    pub computed: Option<Recipe>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts its changes from 1, over declarations that were taken back.
    pub revision: u64,
    /// The version of the tenant's definitions by which it last changed what customers' traits are.
    #[serde(default)]
    pub changed_by: u64,
    /// What looks at all customers after that.
    #[serde(default)]
    pub operation: Option<OperationId>,
}

impl TraitDefinition {
    /// Whether a value of a type is one of the trait's.
    #[must_use]
    pub fn takes(&self, kind: TraitType) -> bool {
        let list = self.survivorship == Survivorship::Union && self.kind == TraitType::List;
        kind == self.kind || (list && kind == TraitType::Text)
    }

    /// Which of its fields do not go with the others: of each its name, the rule's and what it must be.
    #[must_use]
    pub fn refusals(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        let is_union = self.survivorship == Survivorship::Union;
        let mut refusals = Vec::new();
        if let Some(text) = self.computed.as_ref().and_then(|recipe| recipe.refusal(self.kind)) {
            refusals.push(("type", "type.computed", text));
        }
        if let Some(text) = self.survivorship.refusal(self.kind) {
            refusals.push(("survivorship", "survivorship.type", text));
        }
        if self.metric_dimension && (is_union || !matches!(self.kind, TraitType::Bool | TraitType::Text)) {
            let text = "must be false: only texts and booleans can be dimensions of metrics, and a union is a list";
            refusals.push(("metric_dimension", "metric_dimension.type", text));
        }
        if !self.trusted_sources.is_empty() && self.survivorship != Survivorship::MostTrusted {
            let text = "must be empty: only MOST_TRUSTED asks whom to trust";
            refusals.push(("trusted_sources", "trusted_sources.survivorship", text));
        }
        refusals
    }

    /// Whether a profile may be another by this definition than by that one.
    #[must_use]
    pub fn folds_as(&self, other: &Self) -> bool {
        let of = |it: &Self| (it.kind, it.survivorship, it.trusted_sources.clone());
        of(self) == of(other)
    }
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
    /// The one of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&TraitDefinition> {
        self.0.get(name)
    }

    /// What a value of a trait must be, where it is not that.
    #[must_use]
    pub fn refusal(&self, name: &str, value: &Value) -> Option<String> {
        let declared = self.0.get(name)?;
        if declared.computed.is_some() {
            return Some("must not be stated: the trait is computed".to_owned());
        }
        let text = || format!("must be {}: the trait is declared so", declared.kind.words());
        (!declared.takes(value.kind())).then(text)
    }

    /// Whether text searches look at a trait: at declared texts they do. `None` where it is not declared.
    #[must_use]
    pub fn searchable(&self, name: &str) -> Option<bool> {
        self.0.get(name).map(|declared| matches!(declared.kind, TraitType::Text | TraitType::List))
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
