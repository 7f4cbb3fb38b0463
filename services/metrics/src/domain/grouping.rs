//! Which facts count, and in which group: worked out once for each set of dimensions.

use std::collections::BTreeMap;

use rapport_kernel::{Fault, Reason};
use uuid::Uuid;

use super::dimensions::{Axis, Dimensions};
use super::filter::Filter;

/// Groups of one answer.
pub const MOST_GROUPS: usize = 10_000;
/// Sets of dimensions that one question goes over.
pub const MOST_SETS: usize = 100_000;

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

/// Works groups out, some sets of dimensions at a time, so that a tenant with very many is noticed before all are held.
pub struct Groups<'a> {
    axes: &'a [Axis],
    filter: Option<&'a Filter>,
    /// Of what the filter leaves out instead.
    opposite: bool,
    found: BTreeMap<Vec<String>, Vec<Uuid>>,
    members: usize,
}

impl<'a> Groups<'a> {
    /// Along `axes`, of the sets that `filter` admits.
    #[must_use]
    pub const fn new(axes: &'a [Axis], filter: Option<&'a Filter>) -> Self {
        Self { axes, filter, opposite: false, found: BTreeMap::new(), members: 0 }
    }

    /// Along `axes`, of the sets that `filter` leaves out: what is known of all, less an answer, tells of them.
    #[must_use]
    pub const fn left_out(axes: &'a [Axis], filter: &'a Filter) -> Self {
        Self { axes, filter: Some(filter), opposite: true, found: BTreeMap::new(), members: 0 }
    }

    /// Takes sets.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED where there are more groups, or sets in them, than one answer is made of.
    pub fn take(&mut self, sets: &[(Uuid, Dimensions)]) -> Result<(), Fault> {
        for (id, dimensions) in sets {
            if self.filter.is_none_or(|filter| filter.admits(dimensions) != self.opposite) {
                let values = self.axes.iter().map(|axis| dimensions.along(axis).to_owned()).collect();
                self.found.entry(values).or_default().push(*id);
                self.members += 1;
            }
        }
        // What is left out is shown to nobody: only as much of it counts as there are groups beside it.
        if self.found.len() > MOST_GROUPS && !self.opposite {
            Err(too_many("groups", MOST_GROUPS))
        } else if self.members > MOST_SETS {
            Err(too_many("sets of dimensions", MOST_SETS))
        } else {
            Ok(())
        }
    }

    /// Leaves out the groups that stand beside none of the others.
    #[must_use]
    pub fn beside(mut self, others: &Self) -> Self {
        self.found.retain(|values, _| others.found.contains_key(values));
        self
    }

    /// The groups of all sets that were taken.
    #[must_use]
    pub fn done(self) -> Grouping {
        let members = self.found.values().enumerate().flat_map(|(place, ids)| ids.iter().map(move |id| (*id, place)));
        Grouping::Groups { members: members.collect(), groups: self.found.into_keys().collect() }
    }
}

/// An answer would be made of more than it may be.
#[must_use]
pub fn too_many(what: &str, most: usize) -> Fault {
    let text =
        format!("the answer would be made of more than {most} {what}: group by less, filter, or ask for less time");
    Fault::new(Reason::MessageTooLarge, text).with("limit", most.to_string())
}

impl Grouping {
    /// Whether the sets of dimensions are needed to tell.
    #[must_use]
    pub const fn needs_sets(axes: &[Axis], filter: Option<&Filter>) -> bool {
        !axes.is_empty() || filter.is_some()
    }

    /// One group of it alone.
    #[must_use]
    pub fn only(&self, group: &[String]) -> Self {
        match self {
            Self::Everything => Self::Everything,
            Self::Groups { groups, members } => {
                let place = groups.iter().position(|values| values == group);
                let members = members.iter().filter(|(_, of)| Some(*of) == place);
                Self::Groups { groups: groups.clone(), members: members.copied().collect() }
            }
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
