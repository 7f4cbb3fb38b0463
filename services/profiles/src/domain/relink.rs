//! What a new partition changes: which records move, which profiles get a new state, which ids redirect. A merge or a
//! split changes links and projections and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use rapport_kernel::{CustomerId, SubjectId};

use super::linking::{Cause, Partition};
use super::profile::Record;

/// What is held of a customer id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// It names a customer.
    Live {
        /// Its revision.
        revision: u64,
        /// Its records.
        records: Vec<Record>,
    },
    /// It was merged away.
    Redirect {
        /// Its revision.
        revision: u64,
        /// The customer that holds its home record.
        to: CustomerId,
    },
}

impl Held {
    /// The revision.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        match self {
            Self::Live { revision, .. } | Self::Redirect { revision, .. } => *revision,
        }
    }
}

/// A record that changes its customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The record.
    pub subject: SubjectId,
    /// The customer it belonged to; `None` at its making.
    pub from: Option<CustomerId>,
    /// The customer it belongs to now.
    pub to: CustomerId,
    /// Why.
    pub cause: Cause,
}

/// All that a new partition changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The revision of everything that changed: one more than the highest of all customers involved.
    pub revision: u64,
    /// The records that move.
    pub moves: Vec<Move>,
    /// The customers with a new state.
    pub live: Vec<(CustomerId, Vec<Record>)>,
    /// The ids that redirect anew, and where to.
    pub redirects: Vec<(CustomerId, CustomerId)>,
    /// Those of them that named a customer until now.
    pub merged: Vec<CustomerId>,
}

impl Changes {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty() && self.redirects.is_empty() && self.moves.is_empty()
    }
}

/// Compares a partition with what is held. `records` are all records of the component, up to date; `links` tells whose
/// each was; `held` has every customer id among them.
#[must_use]
pub fn changes(
    partition: &Partition,
    records: &BTreeMap<SubjectId, Record>,
    links: &BTreeMap<SubjectId, CustomerId>,
    held: &BTreeMap<CustomerId, Held>,
) -> Changes {
    let mut changes = Changes::default();
    for cluster in &partition.clusters {
        for (subject, cause) in &cluster.members {
            let from = links.get(subject).copied();
            if from != Some(cluster.customer) {
                changes.moves.push(Move { subject: *subject, from, to: cluster.customer, cause: cause.clone() });
            }
        }
        let now: Vec<&Record> = cluster.members.keys().filter_map(|subject| records.get(subject)).collect();
        let same = matches!(held.get(&cluster.customer), Some(Held::Live { records, .. })
            if records.len() == now.len() && now.iter().all(|record| records.contains(record)));
        if !same {
            changes.live.push((cluster.customer, now.into_iter().cloned().collect()));
        }
    }
    let standing: BTreeSet<CustomerId> = partition.clusters.iter().map(|cluster| cluster.customer).collect();
    for (id, row) in held.iter().filter(|(id, _)| !standing.contains(id)) {
        let Some(to) = partition.of(*id).map(|cluster| cluster.customer) else { continue };
        match row {
            Held::Redirect { to: before, .. } if *before == to => {}
            Held::Redirect { .. } => changes.redirects.push((*id, to)),
            Held::Live { .. } => {
                changes.redirects.push((*id, to));
                changes.merged.push(*id);
            }
        }
    }
    let ids = changes.live.iter().map(|(id, _)| id).chain(changes.redirects.iter().map(|(id, _)| id));
    changes.revision = 1 + ids.filter_map(|id| held.get(id)).map(Held::revision).max().unwrap_or(0);
    changes
}
