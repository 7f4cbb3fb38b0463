//! Which personas of the set before are found again in a new one: those who are still in the same company keep their
//! persona, by whatever traits the company was found this time.

use std::collections::BTreeMap;

/// How much of two personas' customers, taken together, must have both: one third.
const LEAST: (u64, u64) = (1, 3);

/// Of each new persona the place of the old one that it carries on; `None`: it is new. Each customer is given by the old
/// and the new persona that it has.
///
/// An old persona is carried on by one new one at most. Two fit where a third at least of the customers that have either
/// have both; among all ways to pair those that fit it is one by which as many customers as can be keep their persona.
#[must_use]
pub fn carried(old: usize, new: usize, customers: &[(Option<usize>, Option<usize>)]) -> Vec<Option<usize>> {
    let (mut of_old, mut of_new) = (vec![0_u64; old], vec![0_u64; new]);
    let mut both = BTreeMap::<(usize, usize), u64>::new();
    for (before, after) in customers {
        of_old.iter_mut().enumerate().filter(|(at, _)| Some(*at) == *before).for_each(|(_, count)| *count += 1);
        of_new.iter_mut().enumerate().filter(|(at, _)| Some(*at) == *after).for_each(|(_, count)| *count += 1);
        if let (Some(before), Some(after)) = (*before, *after) {
            *both.entry((before, after)).or_default() += 1;
        }
    }
    both.retain(|(before, after), both| {
        let either = of_old.get(*before).zip(of_new.get(*after)).map_or(0, |(old, new)| old + new - *both);
        *both * LEAST.1 >= either * LEAST.0 && either > 0
    });
    best(new, &both)
}

/// The pairing that keeps most: over the sets of old personas that are used, one new persona after another. There are a
/// dozen of either at most, and few fit.
fn best(new: usize, fits: &BTreeMap<(usize, usize), u64>) -> Vec<Option<usize>> {
    let mut ways: BTreeMap<u64, (u64, Vec<Option<usize>>)> = BTreeMap::from([(0, (0, Vec::new()))]);
    for after in 0..new {
        let mut next = BTreeMap::<u64, (u64, Vec<Option<usize>>)>::new();
        for (used, (kept, pairs)) in &ways {
            let choices = fits.iter().filter(|((before, of), _)| *of == after && *used & bit(*before) == 0);
            let choices = choices.map(|((before, _), both)| (*used | bit(*before), kept + both, Some(*before)));
            for (used, kept, choice) in choices.chain([(*used, *kept, None)]) {
                if next.get(&used).is_none_or(|(held, _)| *held < kept) {
                    next.insert(used, (kept, pairs.iter().copied().chain([choice]).collect()));
                }
            }
        }
        ways = next;
    }
    ways.into_values().max_by_key(|(kept, _)| *kept).map(|(_, pairs)| pairs).unwrap_or_default()
}

const fn bit(place: usize) -> u64 {
    // Places are below sixty-four: a set has twelve personas at most.
    1 << (place % 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn customers(of: &[(usize, usize, usize)]) -> Vec<(Option<usize>, Option<usize>)> {
        of.iter().flat_map(|(old, new, count)| vec![(Some(*old), Some(*new)); *count]).collect()
    }

    #[test]
    fn the_same_groups_in_another_order_carry_on_and_a_split_one_goes_on_in_its_larger_part() {
        assert_eq!(carried(3, 3, &customers(&[(0, 2, 40), (1, 0, 30), (2, 1, 20)])), [Some(1), Some(2), Some(0)]);
        assert_eq!(carried(1, 2, &customers(&[(0, 0, 24), (0, 1, 36)])), [None, Some(0)]);
        assert_eq!(carried(2, 1, &customers(&[(0, 0, 10), (1, 0, 50)])), [Some(1)], "two that become one");
        assert_eq!(carried(0, 2, &[(None, Some(0)), (None, Some(1))]), [None, None]);
        assert_eq!(carried(2, 0, &[(Some(0), None)]), [] as [Option<usize>; 0]);
    }

    #[test]
    fn a_third_in_common_is_enough_and_less_is_not() {
        let one_in_three = [(Some(0), Some(0)), (Some(0), None), (None, Some(0))];
        assert_eq!(carried(1, 1, &one_in_three), [Some(0)]);
        assert_eq!(carried(1, 1, &[&one_in_three[..], &[(None, Some(0))]].concat()), [None]);
        assert_eq!(carried(1, 4, &customers(&[(0, 0, 25), (0, 1, 25), (0, 2, 25), (0, 3, 25)])), [None; 4]);
    }

    #[test]
    fn more_customers_keep_theirs_than_where_the_best_pair_goes_first() {
        // 0 goes with 0 best of all, but then 1 is left with nobody.
        let told = customers(&[(0, 0, 50), (0, 1, 45), (1, 0, 49)]);
        assert_eq!(carried(2, 2, &told), [Some(1), Some(0)]);
    }

    /// What the best of all ways keeps, by trying them all.
    fn most(new: usize, fits: &BTreeMap<(usize, usize), u64>, after: usize, used: &mut Vec<usize>) -> u64 {
        if after == new {
            return 0;
        }
        let mut best = most(new, fits, after + 1, used);
        for ((before, _), both) in fits.iter().filter(|((_, of), _)| *of == after) {
            if !used.contains(before) {
                used.push(*before);
                best = best.max(both + most(new, fits, after + 1, used));
                used.pop();
            }
        }
        best
    }

    proptest! {
        #[test]
        fn no_other_pairing_keeps_more_and_none_is_used_twice(
            old in 0_usize..6,
            new in 0_usize..6,
            told in proptest::collection::vec((proptest::option::of(0_usize..6), proptest::option::of(0_usize..6)), 0..60),
        ) {
            let within = |place: Option<usize>, count: usize| place.filter(|place| *place < count);
            let told: Vec<_> = told.into_iter().map(|(a, b)| (within(a, old), within(b, new))).collect();
            let found = carried(old, new, &told);
            prop_assert_eq!(found.len(), new);
            let used: Vec<usize> = found.iter().flatten().copied().collect();
            prop_assert_eq!(used.iter().collect::<std::collections::BTreeSet<_>>().len(), used.len());
            let mut fits = BTreeMap::new();
            for (before, after) in (0..old).flat_map(|old| (0..new).map(move |new| (old, new))) {
                let has = |(a, b): &&(Option<usize>, Option<usize>)| (*a == Some(before), *b == Some(after));
                let both = told.iter().filter(|it| has(it) == (true, true)).count() as u64;
                let either = told.iter().filter(|it| has(it) != (false, false)).count() as u64;
                if both > 0 && both * 3 >= either {
                    fits.insert((before, after), both);
                }
            }
            let kept: Option<u64> = found.iter().enumerate()
                .filter_map(|(after, before)| Some(fits.get(&((*before)?, after)).copied()))
                .sum();
            prop_assert_eq!(kept, Some(most(new, &fits, 0, &mut Vec::new())));
        }
    }
}
