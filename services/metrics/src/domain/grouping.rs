//! Which facts count, and in which group: worked out once for each set of dimensions.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::dimensions::{Axis, Dimensions};
use super::filter::Filter;

/// The groups of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// All facts count, in one group: no set of dimensions was looked at.
    Everything,
    /// By groups.
    Groups {
        /// The values of each group along the axes, in order.
        groups: Vec<Vec<String>>,
        /// The sets of dimensions whose facts count, each with its group's place.
        members: Vec<(Uuid, usize)>,
    },
}

impl Grouping {
    /// Whether the sets of dimensions are needed to tell.
    #[must_use]
    pub const fn needs_sets(axes: &[Axis], filter: Option<&Filter>) -> bool {
        !axes.is_empty() || filter.is_some()
    }

    /// The groups along `axes` of the sets that `filter` admits.
    #[must_use]
    pub fn of(sets: &[(Uuid, Dimensions)], axes: &[Axis], filter: Option<&Filter>) -> Self {
        Self::chosen(sets, axes, |dimensions| filter.is_none_or(|filter| filter.admits(dimensions)))
    }

    /// The groups along `axes` of the sets that `filter` leaves out: what is known of all, less an answer, tells of them.
    #[must_use]
    pub fn opposite(sets: &[(Uuid, Dimensions)], axes: &[Axis], filter: &Filter) -> Self {
        Self::chosen(sets, axes, |dimensions| !filter.admits(dimensions))
    }

    fn chosen(sets: &[(Uuid, Dimensions)], axes: &[Axis], admits: impl Fn(&Dimensions) -> bool) -> Self {
        let mut groups: BTreeMap<Vec<&str>, Vec<Uuid>> = BTreeMap::new();
        for (id, dimensions) in sets {
            if admits(dimensions) {
                let values = axes.iter().map(|axis| dimensions.along(axis)).collect();
                groups.entry(values).or_default().push(*id);
            }
        }
        let members = groups.values().enumerate().flat_map(|(place, ids)| ids.iter().map(move |id| (*id, place)));
        Self::Groups {
            members: members.collect(),
            groups: groups.keys().map(|values| values.iter().map(|&value| value.to_owned()).collect()).collect(),
        }
    }

    /// The values of a group along the axes; none where there is one group for everything.
    #[must_use]
    pub fn values(&self, group: usize) -> &[String] {
        match self {
            Self::Everything => &[],
            Self::Groups { groups, .. } => groups.get(group).map_or(&[], Vec::as_slice),
        }
    }
}
