//! How well a source tells: counts that add up in any order, so that instances count apart and days together.

use std::collections::BTreeMap;
use std::time::Duration;

use rapport_kernel::Timestamp;
use serde::{Deserialize, Serialize};

/// How many unmapped names are told apart; those beyond it count under their kind alone.
const MOST_NAMES: usize = 100;
/// Parts of a doubling: a lag is known to within an eighth of one, which is nine of a hundred.
const PARTS: f64 = 4.0;

/// What one source did in a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Interactions, versions and deletions that changed what is held.
    pub accepted: i64,
    /// New interactions among them.
    pub created: i64,
    /// Deletions among them.
    pub deleted: i64,
    /// What changed nothing: interactions, deletions and statements of records that were told before.
    pub duplicates: i64,
    /// What was refused.
    pub rejected: i64,
    /// Broken rules of what was refused.
    pub rules: BTreeMap<String, i64>,
    /// Taken names that the catalogue does not have, as kind, a slash and the name.
    pub unmapped: BTreeMap<String, i64>,
    /// The latest instant at which something happened.
    pub observed: Option<Timestamp>,
    /// The latest instant at which something was recorded.
    pub recorded: Option<Timestamp>,
    /// New interactions by how long after they happened they were recorded.
    pub lags: BTreeMap<u16, i64>,
    /// Statements of records that were not made before.
    pub records: i64,
    /// Those after which the record's customer had no strong identifier.
    pub weak: i64,
}

impl Counts {
    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.created += other.created;
        self.deleted += other.deleted;
        self.duplicates += other.duplicates;
        self.rejected += other.rejected;
        self.records += other.records;
        self.weak += other.weak;
        self.observed = self.observed.max(other.observed);
        self.recorded = self.recorded.max(other.recorded);
        for (rule, count) in &other.rules {
            *self.rules.entry(rule.clone()).or_default() += count;
        }
        for (lag, count) in &other.lags {
            *self.lags.entry(*lag).or_default() += count;
        }
        for (name, count) in &other.unmapped {
            self.unmapped(name, *count);
        }
    }

    /// Counts a taken name that the catalogue does not have.
    pub fn unmapped(&mut self, name: &str, count: i64) {
        if let Some(held) = self.unmapped.get_mut(name) {
            *held += count;
            return;
        }
        let kind = name.split_once('/').map_or(name, |(kind, _)| kind);
        let name = if self.unmapped.len() < MOST_NAMES { name.to_owned() } else { format!("{kind}/") };
        *self.unmapped.entry(name).or_default() += count;
    }

    /// Notes when something happened and was recorded.
    pub fn saw(&mut self, observed: Timestamp, recorded: Timestamp) {
        self.observed = self.observed.max(Some(observed));
        self.recorded = self.recorded.max(Some(recorded));
    }

    /// Counts how long after it happened something was recorded.
    pub fn lagged(&mut self, observed: Timestamp, recorded: Timestamp) {
        *self.lags.entry(bucket(recorded.micros().saturating_sub(observed.micros()))).or_default() += 1;
    }

    /// How long after they happened a share of the new interactions were recorded; `None` where there are none.
    #[must_use]
    pub fn lag(&self, share: f64) -> Option<Duration> {
        let all: i64 = self.lags.values().sum();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "a rank among fewer than 2^53"
        )]
        let rank = ((all as f64 * share).ceil() as i64).max(1);
        let mut seen = 0;
        for (bucket, count) in &self.lags {
            seen += count;
            if seen >= rank {
                return Some(lag_of(*bucket));
            }
        }
        None
    }
}

/// The bucket of a lag in microseconds: below a millisecond one, then four to a doubling.
fn bucket(micros: i64) -> u16 {
    if micros < 1_000 {
        return 0;
    }
    #[expect(clippy::cast_precision_loss, reason = "a lag is told to within a tenth")]
    let parts = (micros as f64 / 1_000.0).log2() * PARTS;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 4 times 54")]
    let parts = parts as u16;
    parts + 1
}

/// The middle of a bucket.
fn lag_of(bucket: u16) -> Duration {
    match bucket.checked_sub(1) {
        None => Duration::ZERO,
        Some(part) => Duration::from_secs_f64(((f64::from(part) + 0.5) / PARTS).exp2() / 1_000.0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_column(micros)
    }

    fn counts() -> impl Strategy<Value = Counts> {
        let names = proptest::collection::btree_map("[a-c]/[a-z]", 1_i64..9, 0..5);
        (0_i64..9, names, proptest::collection::vec(0_i64..1 << 40, 0..9)).prop_map(|(accepted, unmapped, lags)| {
            let mut counts = Counts { accepted, unmapped, ..Counts::default() };
            for lag in lags {
                counts.saw(at(0), at(lag));
                counts.lagged(at(0), at(lag));
            }
            counts
        })
    }

    proptest! {
        #[test]
        fn in_any_order_counts_add_up_to_the_same(parts in proptest::collection::vec(counts(), 0..6)) {
            let sum = |parts: &mut dyn Iterator<Item = &Counts>| {
                let mut sum = Counts::default();
                parts.for_each(|part| sum.add(part));
                sum
            };
            prop_assert_eq!(sum(&mut parts.iter()), sum(&mut parts.iter().rev()));
        }

        #[test]
        fn a_lag_is_told_to_within_a_tenth(lags in proptest::collection::vec(1_000_i64..1 << 50, 1..200)) {
            let mut counts = Counts::default();
            let mut sorted = lags.clone();
            sorted.sort_unstable();
            for lag in lags {
                counts.lagged(at(0), at(lag));
            }
            for (share, rank) in [(0.5, sorted.len().div_ceil(2)), (0.95, (sorted.len() * 19).div_ceil(20))] {
                let told = counts.lag(share).expect("there are some").as_secs_f64();
                let exact = sorted[rank - 1] as f64 / 1e6;
                prop_assert!((told / exact - 1.0).abs() < 0.1, "{} is told as {}", exact, told);
            }
        }
    }

    #[test]
    fn names_beyond_a_hundred_count_under_their_kind() {
        let mut counts = Counts::default();
        for n in 0..150 {
            counts.unmapped(&format!("channel/c{n}"), 2);
        }
        assert_eq!((counts.unmapped.len(), counts.unmapped["channel/"]), (101, 100));
        assert_eq!(counts.unmapped.values().sum::<i64>(), 300);
    }
}
