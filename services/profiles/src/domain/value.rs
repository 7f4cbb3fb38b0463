//! The plain values that sources state: traits, parties, identifiers, the names of source records. All of them may be
//! personal, so none prints itself; all have a total order, so that ties are broken by content and never by arrival.

use std::cmp::Ordering;
use std::fmt;

use rapport_kernel::{CustomerId, Fault, Private, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The value of a trait.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Value {
    /// True or false.
    #[serde(rename = "b")]
    Bool(bool),
    /// A finite number.
    #[serde(rename = "n")]
    Number(Number),
    /// A text.
    #[serde(rename = "t")]
    Text(String),
    /// An instant.
    #[serde(rename = "i")]
    Time(Timestamp),
    /// Several texts.
    #[serde(rename = "l")]
    List(Vec<String>),
}

impl Value {
    /// The type a declaration would give it.
    #[must_use]
    pub const fn kind(&self) -> TraitType {
        match self {
            Self::Bool(_) => TraitType::Bool,
            Self::Number(_) => TraitType::Number,
            Self::Text(_) => TraitType::Text,
            Self::Time(_) => TraitType::Time,
            Self::List(_) => TraitType::List,
        }
    }

    /// About how many bytes it takes in an answer.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Bool(_) | Self::Number(_) | Self::Time(_) => 16,
            Self::Text(text) => text.len() + 8,
            Self::List(texts) => texts.iter().map(|text| text.len() + 8).sum(),
        }
    }

    /// As a dimension of metrics: texts and booleans only.
    #[must_use]
    pub fn as_dimension(&self) -> Option<String> {
        match self {
            Self::Bool(value) => Some(value.to_string()),
            Self::Text(text) => Some(text.clone()),
            Self::Number(_) | Self::Time(_) | Self::List(_) => None,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "‹private {:?}›", self.kind())
    }
}

/// A finite number. Stored as text, because JSON readers may lose its last bit.
#[derive(Clone, Copy)]
pub struct Number(f64);

impl Number {
    /// The number; `None` where it is not finite. Minus zero is zero.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self(if value == 0.0 { 0.0 } else { value }))
    }
    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Number {}
impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}
impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let value = text.parse().map_err(serde::de::Error::custom)?;
        Self::new(value).ok_or_else(|| serde::de::Error::custom("a number is finite"))
    }
}

/// The type a trait is declared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TraitType {
    /// True or false.
    Bool,
    /// A number.
    Number,
    /// A text.
    Text,
    /// An instant.
    Time,
    /// A list of texts.
    List,
}

impl TraitType {
    /// Its name, as events have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Number => "number",
            Self::Text => "text",
            Self::Time => "time",
            Self::List => "list",
        }
    }

    /// In words, for an error text.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Time => "an instant",
            Self::List => "a list of texts",
        }
    }
}

/// What a party is to the company.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// Buys, or may buy, or has bought.
    #[default]
    Customer,
    /// Has shown interest, has not bought.
    Lead,
    /// Sells, delivers or serves together with the company.
    Partner,
    /// Works for the company.
    Employee,
}

/// A value by which a party is known, in the normal form of its namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identifier {
    /// The namespace's name.
    pub namespace: String,
    /// The normalised value.
    pub value: Private<String>,
}

/// Names a source record: unique within a tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceRecord {
    /// The source.
    pub source: String,
    /// The record's id there.
    pub external_id: Private<String>,
}

/// How a call names a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// By its id, or by one that was merged into it.
    Id(CustomerId),
    /// By an identifier it carries.
    Identifier(Identifier),
}

impl Named {
    /// That there is no such customer. An identifier's value is personal, and stays out of it.
    #[must_use]
    pub fn not_found(&self) -> Fault {
        match self {
            Self::Id(id) => Fault::not_found("customer", id.to_string()),
            Self::Identifier(identifier) => Fault::not_found("customer", format!("by {}", identifier.namespace)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_number_survives_storage_to_the_last_bit(bits in any::<u64>()) {
            let Some(number) = Number::new(f64::from_bits(bits)) else { return Ok(()) };
            let text = serde_json::to_string(&number).expect("plain data");
            let back: Number = serde_json::from_str(&text).expect("what was written");
            prop_assert_eq!(back.get().to_bits(), number.get().to_bits());
        }
    }

    #[test]
    fn a_value_does_not_print_itself() {
        assert!(!format!("{:?}", Value::Text("Anna".to_owned())).contains("Anna"));
    }
}
