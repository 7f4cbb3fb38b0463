//! Cells: what facts add up to, by family, hour, dimensions, series and slot. They form an abelian group: a fact that
//! comes adds, one that goes subtracts, and so every cell is exact after any history in any order.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::facts::Family;

/// Which cell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CellKey {
    /// The family of its facts.
    pub family: Family,
    /// The hour they occurred in.
    pub hour: i64,
    /// Their dimensions, by name.
    pub dimensions: Uuid,
    /// What they may be added to.
    pub series: String,
    /// What they say.
    pub slot: String,
}

impl CellKey {
    /// The one cell that counts a tenant's erased records: when and what they were is forgotten.
    #[must_use]
    pub const fn erased() -> Self {
        Self { family: Family::Erased, hour: 0, dimensions: Uuid::nil(), series: String::new(), slot: String::new() }
    }
}

/// What is in a cell. The sum is kept in two parts, because a million facts of the largest amount that the contract takes
/// would not fit 64 bits otherwise: it is `units` · 10⁶ + `micros`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many facts.
    pub count: i64,
    /// The sum of their whole units.
    pub units: i64,
    /// The sum of what is left, in millionths.
    pub micros: i64,
}

impl Amount {
    /// Of one fact.
    #[must_use]
    pub const fn one(micros: i64) -> Self {
        Self { count: 1, units: micros.div_euclid(1_000_000), micros: micros.rem_euclid(1_000_000) }
    }

    /// Nothing, in a group whose every part is the sum of its facts.
    #[must_use]
    pub const fn is_zero(&self) -> bool {
        self.count == 0 && self.units == 0 && self.micros == 0
    }

    /// The sum, in millionths.
    #[must_use]
    pub fn total(&self) -> i128 {
        i128::from(self.units) * 1_000_000 + i128::from(self.micros)
    }

    /// Adds another `times` times (−1: subtracts it).
    pub const fn add(&mut self, other: Self, times: i64) {
        self.count += other.count * times;
        self.units += other.units * times;
        self.micros += other.micros * times;
    }
}

/// What changes, by cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deltas(BTreeMap<CellKey, Amount>);

impl Deltas {
    /// Adds to a cell.
    pub fn add(&mut self, cell: CellKey, amount: Amount) {
        self.0.entry(cell).or_default().add(amount, 1);
    }

    /// Subtracts from a cell.
    pub fn subtract(&mut self, cell: CellKey, amount: Amount) {
        self.0.entry(cell).or_default().add(amount, -1);
    }

    /// The cells that change, in order of their keys.
    pub fn changes(&self) -> impl Iterator<Item = (&CellKey, &Amount)> {
        self.0.iter().filter(|(_, amount)| !amount.is_zero())
    }

    /// The hours whose cells may have become empty, each once.
    #[must_use]
    pub fn shrinking(&self) -> Vec<(Family, i64)> {
        let mut hours: Vec<_> =
            self.changes().filter(|(_, amount)| amount.count < 0).map(|(cell, _)| (cell.family, cell.hour)).collect();
        hours.dedup();
        hours
    }

    /// The dimensions that fewer facts may have now, each once.
    #[must_use]
    pub fn leaving(&self) -> Vec<Uuid> {
        let mut sets: Vec<_> =
            self.changes().filter(|(_, amount)| amount.count < 0).map(|(cell, _)| cell.dimensions).collect();
        sets.sort_unstable();
        sets.dedup();
        sets
    }
}

/// Several cells together: by series, then by slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<String, BTreeMap<String, Amount>>);

impl Tally {
    /// Adds what a slot holds.
    pub fn add(&mut self, series: String, slot: String, amount: Amount) {
        self.0.entry(series).or_default().entry(slot).or_default().add(amount, 1);
    }

    /// How many facts.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.0.values().flat_map(BTreeMap::values).map(|amount| amount.count).sum()
    }

    /// What each series holds, by slot.
    pub fn series(&self) -> impl Iterator<Item = (&str, &BTreeMap<String, Amount>)> {
        self.0.iter().map(|(series, slots)| (series.as_str(), slots))
    }
}
