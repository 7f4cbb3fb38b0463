//! Applying events: records, cells and links change together, in one transaction for up to a thousand events.
//!
//! Units of one tenant run one after another (a lock on Postgres, the one writer on SQLite): cells are shared by all
//! partitions of both topics, so concurrent units would only wait for each other's rows, or deadlock.

use std::collections::{BTreeMap, BTreeSet};

use rapport_data::Tx;
use rapport_kernel::{CustomerId, Fault, SubjectId};
use uuid::Uuid;

use super::erase;
use crate::domain::cells::Deltas;
use crate::domain::dimensions::Dimensions;
use crate::domain::records::{Arriving, Kept, RecordKey, replace};
use crate::events::Change;
use crate::store;

/// Applies what events changed. In any order, and any number of times, the same events leave the same rows.
///
/// # Errors
/// Where the database fails.
pub async fn apply(tx: &Tx, changes: Vec<Change>) -> Result<(), Fault> {
    lock(tx).await?;
    let mut batch = Batch::of(changes);
    // Asked again under the lock: an erasure may have come between.
    let entombed = tx.is_entombed(&batch.subjects()).await?;
    batch.drop_those_of(&entombed);
    link(tx, &batch.links).await?;
    store::declared_trait::put(tx, &batch.traits).await?;
    if let Some((revision, threshold)) = batch.threshold {
        store::tenant_setting::put(tx, revision, threshold).await?;
    }
    count(tx, batch.records).await?;
    // What stood before the erasure is counted as erased, also where both came together.
    let erased: Vec<SubjectId> = batch.erased.into_iter().collect();
    erase::forget(tx, &erased).await?;
    Ok(())
}

/// Waits until no other unit changes the tenant's cells.
///
/// # Errors
/// Where the database fails.
pub async fn lock(tx: &Tx) -> Result<(), Fault> {
    tx.lock(&["cells".to_owned()]).await
}

/// Adds changed cells, and forgets the sets of dimensions that none has any longer.
///
/// # Errors
/// Where the database fails.
pub async fn settle(tx: &Tx, deltas: &Deltas) -> Result<(), Fault> {
    store::cell::add(tx, deltas).await?;
    store::dimension_set::remove_unused(tx, &deltas.leaving()).await
}

/// The newest of what events say about each thing.
#[derive(Default)]
struct Batch {
    records: BTreeMap<RecordKey, Box<Arriving>>,
    links: BTreeMap<SubjectId, (CustomerId, i64)>,
    erased: BTreeSet<SubjectId>,
    traits: BTreeMap<String, (i64, bool)>,
    threshold: Option<(i64, i64)>,
}

impl Batch {
    fn of(changes: Vec<Change>) -> Self {
        let mut batch = Self::default();
        for change in changes {
            match change {
                // What comes after an erasure is late, as it would be in a later batch.
                Change::Record(key, record) => {
                    let newer = batch.records.get(&key).is_none_or(|held| held.revision < record.revision);
                    if newer && !batch.erased.contains(&record.subject) {
                        batch.records.insert(key, record);
                    }
                }
                Change::Link(subject, customer, revision) => {
                    if batch.links.get(&subject).is_none_or(|(_, held)| *held < revision) {
                        batch.links.insert(subject, (customer, revision));
                    }
                }
                Change::Erasure(subject) => {
                    batch.erased.insert(subject);
                }
                Change::Trait(name, revision, dimension) => {
                    let newest = batch.traits.entry(name).or_insert((revision, dimension));
                    *newest = (*newest).max((revision, dimension));
                }
                Change::Threshold(revision, threshold) => {
                    batch.threshold = batch.threshold.max(Some((revision, threshold)));
                }
            }
        }
        batch
    }

    fn subjects(&self) -> Vec<SubjectId> {
        let of_records = self.records.values().map(|record| record.subject);
        let subjects: BTreeSet<_> = of_records.chain(self.links.keys().copied()).collect();
        subjects.into_iter().collect()
    }

    fn drop_those_of(&mut self, entombed: &BTreeSet<SubjectId>) {
        self.records.retain(|_, record| !entombed.contains(&record.subject));
        self.links.retain(|subject, _| !entombed.contains(subject));
    }
}

async fn link(tx: &Tx, links: &BTreeMap<SubjectId, (CustomerId, i64)>) -> Result<(), Fault> {
    let row = |(subject, (customer, revision)): (&SubjectId, &(CustomerId, i64))| (*subject, *customer, *revision);
    let rows: Vec<_> = links.iter().map(row).collect();
    store::subject_link::put(tx, &rows).await
}

async fn count(tx: &Tx, records: BTreeMap<RecordKey, Box<Arriving>>) -> Result<(), Fault> {
    let keys: Vec<RecordKey> = records.keys().copied().collect();
    let held = store::record::find(tx, &keys).await?;
    let mut deltas = Deltas::default();
    let mut sets: BTreeMap<Uuid, Dimensions> = BTreeMap::new();
    let mut changed: Vec<(RecordKey, Kept)> = Vec::new();
    for (key, arriving) in records {
        let before = held.get(&key);
        if before.is_some_and(|before| before.revision >= arriving.revision) {
            continue;
        }
        let kept = arriving.kept();
        replace(before, &kept, &mut deltas);
        for (fact, named) in arriving.facts.into_iter().zip(&kept.facts) {
            sets.entry(named.dimensions).or_insert(fact.dimensions);
        }
        changed.push((key, kept));
    }
    let sets: Vec<(Uuid, &Dimensions)> = sets.iter().map(|(id, dimensions)| (*id, dimensions)).collect();
    store::dimension_set::keep(tx, &sets).await?;
    store::record::put(tx, &changed, &held).await?;
    settle(tx, &deltas).await
}
