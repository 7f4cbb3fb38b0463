//! Which pairs of records a training looks at: some at random, and those that the blocking rules propose.

use super::record::{PreparedRecord, spread};
use super::settings::Schema;

/// The pairs that the blocking rules propose.
#[derive(Clone, Debug, Default)]
pub struct Blocked {
    /// Each pair once, by position, in order.
    pub pairs: Vec<(u32, u32)>,
    /// For each pair the rules that propose it, as bits.
    pub rules: Vec<u32>,
    /// The share of all proposed pairs that these are.
    pub share: f64,
    /// How many records share the key that most share, where that is more than are compared; else 0.
    pub crowded: usize,
}

impl Blocked {
    /// The pairs of records that share a key; about `most` of them where there are more, drawn by a hash of the pair, so
    /// that a pair is in or out under all rules alike.
    #[must_use]
    pub fn new(schema: &Schema, records: &[PreparedRecord], most: usize) -> Self {
        let (blocks, crowded) = blocks(schema, records);
        let all: usize = blocks.iter().map(|(_, members)| members.len() * (members.len() - 1) / 2).sum();
        let share = (most as f64 / all.max(1) as f64).min(1.0);
        let bar = (share * u64::MAX as f64) as u64;
        let mut found: Vec<(u64, u32)> = Vec::with_capacity(all.min(most.saturating_mul(2)));
        for (rule, members) in &blocks {
            for (at, left) in members.iter().enumerate() {
                for right in &members[at + 1..] {
                    let pair = (u64::from(*left) << 32) | u64::from(*right);
                    if share >= 1.0 || spread(pair) <= bar {
                        found.push((pair, 1 << rule));
                    }
                }
            }
        }
        found.sort_unstable();
        let mut this = Self { share, crowded, ..Self::default() };
        for group in found.chunk_by(|one, other| one.0 == other.0) {
            this.pairs.push(((group[0].0 >> 32) as u32, group[0].0 as u32));
            this.rules.push(group.iter().fold(0, |bits, (_, rule)| bits | rule));
        }
        this
    }

    /// The pairs that a rule proposes.
    #[must_use]
    pub fn of_rule(&self, rule: usize) -> Vec<u32> {
        (0..self.rules.len() as u32).filter(|pair| self.rules[*pair as usize] & (1 << rule) != 0).collect()
    }
}

/// The records of each block of more than one and at most as many as the bounds allow, in order, with their rule; and how
/// many the largest of those has that the bounds do not allow.
fn blocks(schema: &Schema, records: &[PreparedRecord]) -> (Vec<(usize, Vec<u32>)>, usize) {
    let most = schema.settings().bounds.per_block;
    let (mut blocks, mut crowded) = (Vec::new(), 0);
    for (rule, resolved) in schema.rules().iter().enumerate() {
        let key = |(at, record)| Some((resolved.key(record)?, at));
        let mut members: Vec<(u64, u32)> = (0_u32..).zip(records).filter_map(key).collect();
        members.sort_unstable();
        for block in members.chunk_by(|one, other| one.0 == other.0) {
            if (2..=most).contains(&block.len()) {
                blocks.push((rule, block.iter().map(|(_, at)| *at).collect()));
            } else if block.len() > most {
                crowded = crowded.max(block.len());
            }
        }
    }
    (blocks, crowded)
}

/// Pairs of different ones of `records` drawn at random, with replacement; all of them where there are not more.
#[must_use]
pub fn random(records: usize, count: usize, seed: u64) -> Vec<(u32, u32)> {
    let all = records.saturating_mul(records.saturating_sub(1)) / 2;
    let records = records as u32;
    if all <= count {
        return (0..records).flat_map(|left| (left + 1..records).map(move |right| (left, right))).collect();
    }
    let mut state = seed;
    // SplitMix64; the high half of a product is uniform enough for far fewer than 2^32 records.
    let mut below = |bound: u32| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        (((spread(state) >> 32) * u64::from(bound)) >> 32) as u32
    };
    let mut draw = || {
        let left = below(records);
        let right = below(records - 1);
        let right = if right >= left { right + 1 } else { right };
        (left.min(right), left.max(right))
    };
    (0..count).map(|_| draw()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_pairs_are_pairs_and_the_same_for_a_seed() {
        let pairs = random(1_000, 5_000, 7);
        assert_eq!(pairs.len(), 5_000);
        assert!(pairs.iter().all(|(left, right)| left < right && *right < 1_000));
        assert_eq!(pairs, random(1_000, 5_000, 7));
        assert_ne!(pairs, random(1_000, 5_000, 8));
    }

    #[test]
    fn of_few_records_every_pair_is_taken() {
        assert_eq!(random(4, 100, 1), [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]);
        assert!(random(0, 10, 1).is_empty() && random(1, 10, 1).is_empty());
    }
}
