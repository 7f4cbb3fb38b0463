//! A sample of a population that is too large to learn from: those members whose ids' seeded hashes are the least. So
//! it does not depend on the order in which members come, a part of it can be carried on later, and the same seed draws
//! the same members.

use std::collections::BTreeSet;

use crate::random::{fork, mix};

/// The members drawn until now.
#[derive(Clone, Debug)]
pub struct Sample {
    seed: u64,
    size: usize,
    drawn: BTreeSet<(u64, u128)>,
}

impl Sample {
    /// An empty one, of at most `size` members.
    #[must_use]
    pub fn new(seed: u64, size: usize) -> Self {
        Self { seed, size, drawn: BTreeSet::new() }
    }

    /// A member comes by.
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of an id")]
    pub fn offer(&mut self, id: u128) {
        let (high, low) = ((id >> 64) as u64, id as u64);
        self.drawn.insert((mix(fork(self.seed, high) ^ low), id));
        if self.drawn.len() > self.size {
            self.drawn.pop_last();
        }
    }

    /// Those drawn, by id.
    #[must_use]
    pub fn members(&self) -> Vec<u128> {
        let mut members: Vec<u128> = self.drawn.iter().map(|(_, id)| *id).collect();
        members.sort_unstable();
        members
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn neither_order_nor_a_pause_shows(ids in proptest::collection::btree_set(any::<u128>(), 1..200), seed in any::<u64>()) {
            let (mut straight, mut paused) = (Sample::new(seed, 20), Sample::new(seed, 20));
            for id in &ids {
                straight.offer(*id);
            }
            for (at, id) in ids.iter().rev().enumerate() {
                if at % 7 == 0 {
                    let until_now = paused.members();
                    paused = Sample::new(seed, 20);
                    until_now.into_iter().for_each(|id| paused.offer(id));
                }
                paused.offer(*id);
            }
            prop_assert_eq!(straight.members().len(), ids.len().min(20));
            prop_assert_eq!(straight.members(), paused.members());
        }
    }

    #[test]
    fn every_member_has_the_same_chance() {
        let mut drawn = [0_u32; 100];
        for seed in 0..2_000 {
            let mut sample = Sample::new(seed, 10);
            (0..100).for_each(|id| sample.offer(id));
            for id in sample.members() {
                drawn[usize::try_from(id).expect("small")] += 1;
            }
        }
        // 200 expected, with a standard deviation of 13.4.
        assert!(drawn.iter().all(|times| (140..=260).contains(times)), "{drawn:?}");
    }
}
