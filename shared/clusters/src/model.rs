//! What was learnt: how values become points, and where the groups' centres lie.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cell::Row;
use crate::encode::{self, Encoding, Unused};
use crate::kmeans::nearest;

/// A number of a model. Stored as text, because readers of JSON may lose its last bit, and a member on a border would
/// change its group.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Real(pub(crate) f64);

impl Serialize for Real {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:e}", self.0))
    }
}

impl<'de> Deserialize<'de> for Real {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// A grouping, as it was learnt. It is plain data and keeps to the last bit.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    pub(crate) traits: Vec<String>,
    pub(crate) encodings: Vec<Encoding>,
    pub(crate) centres: Vec<Vec<Real>>,
}

/// Where a row belongs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assigned {
    /// The group.
    pub cluster: usize,
    /// How far it lies from the group's centre, in standard deviations of a trait.
    pub distance: f64,
}

impl Model {
    /// The traits it looks at, in the order of a row.
    #[must_use]
    pub fn traits(&self) -> &[String] {
        &self.traits
    }

    /// How many groups there are.
    #[must_use]
    pub fn clusters(&self) -> usize {
        self.centres.len()
    }

    /// The traits that told nothing, and why: they are not looked at.
    pub fn unused(&self) -> impl Iterator<Item = (&str, Unused)> {
        let traits = self.traits.iter().zip(&self.encodings);
        traits.filter_map(|(name, encoding)| match encoding {
            Encoding::Unused(why) => Some((name.as_str(), *why)),
            _ => None,
        })
    }

    /// The numbers that are taken by their logarithm.
    pub fn logarithmic(&self) -> impl Iterator<Item = &str> {
        let traits = self.traits.iter().zip(&self.encodings);
        let taken = |encoding: &Encoding| matches!(encoding, Encoding::Number { log_unit: Some(_), .. });
        traits.filter(move |(_, encoding)| taken(encoding)).map(|(name, _)| name.as_str())
    }

    /// The group of the nearest centre; of two at one distance the first. `None` where nothing is known of the row.
    #[must_use]
    pub fn assign(&self, row: &Row) -> Option<Assigned> {
        let mut point = Vec::with_capacity(self.centres.first().map_or(0, Vec::len));
        if !encode::encode(&self.encodings, row, &mut point) {
            return None;
        }
        let centres = self.centres.iter().map(|centre| centre.iter().map(|real| real.0));
        let (cluster, squared) = nearest(&point, centres)?;
        Some(Assigned { cluster, distance: squared.sqrt() })
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The names of categories are values that somebody stated.
        f.debug_struct("Model")
            .field("traits", &self.traits)
            .field("clusters", &self.clusters())
            .finish_non_exhaustive()
    }
}
