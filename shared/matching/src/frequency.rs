//! How common each value of a field is. Agreeing on a rare value says more than agreeing on a common one.
//!
//! The plain share of a value misleads in two ways, and both are corrected here. A customer recorded six times makes a
//! rare name look common: pairs that are matches are taken out of the counts. And in a small sample every date of birth
//! looks as rare as any other, because each occurs once: shares are drawn towards their mean as far as the counts vary no
//! more than chance would have it (a Gamma prior fitted by moments; Robbins' empirical Bayes).

use serde::{Deserialize, Serialize};

/// The frequencies of a field's values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Frequencies {
    /// How many customers had a value.
    present: f64,
    /// With how many others a customer shares its value, on average.
    mean: f64,
    /// How far the values differ in how common they are: 0 where no more than by chance.
    spread: f64,
    /// The hash of each common value and with how many others it is shared, in the order of the hashes.
    values: Vec<(u64, f32)>,
}

/// The most values that are kept per field: the commonest. Rarer ones are as good as unseen.
const MAX_VALUES: usize = 5_000;

impl Frequencies {
    /// Counts `hashes`, one per record that has a value; `matched` says how many pairs of records with one value are
    /// supposed to be matches.
    #[must_use]
    pub fn new(mut hashes: Vec<u64>, matched: impl Fn(u64) -> f64) -> Self {
        hashes.sort_unstable();
        let mut values: Vec<(u64, f64)> = Vec::new();
        let (mut present, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for group in hashes.chunk_by(|a, b| a == b) {
            let count = group.len() as f64;
            let pairs = (count * (count - 1.0) / 2.0 - matched(group[0])).max(0.0);
            // As many customers as would make the pairs that are left.
            let customers = (1.0 + (1.0 + 8.0 * pairs).sqrt()) / 2.0;
            let others = customers - 1.0;
            present += customers;
            sum += customers * others;
            squares += customers * others * others;
            values.push((group[0], others));
        }
        if present < 2.0 {
            return Self::default();
        }
        let mean = sum / present;
        let variance = (squares / present - mean * mean).max(0.0);
        let spread = if mean > 0.0 { (variance / mean - 1.0).max(0.0) } else { 0.0 };
        values.retain(|(_, others)| *others >= 0.5);
        values.sort_unstable_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        values.truncate(MAX_VALUES);
        values.sort_unstable_by_key(|(hash, _)| *hash);
        let values = values.into_iter().map(|(hash, others)| (hash, others as f32)).collect();
        Self { present, mean, spread, values }
    }

    /// The probability that a customer who is somebody else has this value.
    #[must_use]
    pub fn chance(&self, hash: u64) -> f64 {
        if self.present < 2.0 {
            return 1.0;
        }
        let found = self.values.binary_search_by_key(&hash, |(value, _)| *value);
        let others = found.map_or(0.0, |at| f64::from(self.values[at].1));
        let expected = (self.mean + others * self.spread) / (1.0 + self.spread);
        // Nothing was seen that would justify less than a twentieth of one customer.
        (expected.max(0.05) / (self.present - 1.0)).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_values_are_likelier_than_rare_ones() {
        let mut hashes = vec![1; 100];
        hashes.extend(2..900);
        let frequencies = Frequencies::new(hashes, |_| 0.0);
        assert!((frequencies.chance(1) - 0.1).abs() < 0.01, "{}", frequencies.chance(1));
        assert!(frequencies.chance(2) < 0.002);
        assert_eq!(frequencies.chance(2), frequencies.chance(123_456));
    }

    #[test]
    fn values_that_differ_only_by_chance_are_equally_likely() {
        // 2,000 draws out of 20,000 equally likely values, by a fixed congruence.
        let draws: Vec<u64> = (0..2_000_u64).map(|at| super::super::record::spread(at) % 20_000).collect();
        let frequencies = Frequencies::new(draws.clone(), |_| 0.0);
        for draw in draws {
            let bits = (frequencies.chance(draw) * 20_000.0).log2();
            assert!(bits.abs() < 1.5, "{bits}");
        }
    }

    #[test]
    fn a_customer_recorded_often_does_not_make_its_name_common() {
        let mut hashes = vec![1; 6];
        hashes.extend(2..2_000);
        let frequencies = Frequencies::new(hashes, |hash| if hash == 1 { 15.0 } else { 0.0 });
        assert_eq!(frequencies.chance(1), frequencies.chance(5));
    }

    #[test]
    fn no_values_say_nothing() {
        assert_eq!(Frequencies::new(Vec::new(), |_| 0.0).chance(7), 1.0);
    }
}
