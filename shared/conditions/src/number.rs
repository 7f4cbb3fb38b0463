//! Numbers: comparing ints with doubles, and the arithmetic of instants and durations.

use std::cmp::Ordering;

use rapport_kernel::Timestamp;

/// The longest duration, in microseconds: 10,000 years, as protobuf has it.
pub(crate) const LONGEST: i64 = 315_576_000_000 * 1_000_000;

/// 2^63, the first double above every int.
const BEYOND: f64 = 9_223_372_036_854_775_808.0;

/// Compares as CEL's conformance tests have it: as doubles, so that an int beyond 2^53 equals the double it rounds to.
/// `None` for NaN.
pub(crate) fn compare_int_double(int: i64, double: f64) -> Option<Ordering> {
    #[expect(clippy::cast_precision_loss, reason = "that is the rule")]
    (int as f64).partial_cmp(&double)
}

/// A double as an int, cut towards zero; `None` out of range.
pub(crate) fn double_to_int(double: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked here")]
    (double > -BEYOND && double < BEYOND).then_some(double as i64)
}

/// A duration in range.
pub(crate) fn duration(micros: i64) -> Option<i64> {
    (-LONGEST..=LONGEST).contains(&micros).then_some(micros)
}

/// An instant later (or earlier) by a duration; `None` out of range.
pub(crate) fn shifted(at: Timestamp, micros: i64) -> Option<Timestamp> {
    Timestamp::from_micros(at.micros().checked_add(micros)?)
}

/// A sum of doubles that is rounded once, at its end: Shewchuk's expansion, as Python's `fsum` keeps it. The order of
/// the terms does not matter. Terms or sums that are not finite give what adding them in their order gives.
#[derive(Default)]
pub(crate) struct ExactSum {
    /// What does not overlap, the least first; they sum to the sum of the terms.
    parts: Vec<f64>,
    plain: f64,
}

impl ExactSum {
    pub(crate) fn add(&mut self, term: f64) {
        self.plain += term;
        if !self.plain.is_finite() {
            return;
        }
        let mut high = term;
        let mut kept = 0;
        for index in 0..self.parts.len() {
            let mut other = self.parts[index];
            if high.abs() < other.abs() {
                std::mem::swap(&mut high, &mut other);
            }
            let sum = high + other;
            let low = other - (sum - high);
            if low != 0.0 {
                self.parts[kept] = low;
                kept += 1;
            }
            high = sum;
        }
        self.parts.truncate(kept);
        self.parts.push(high);
    }

    pub(crate) fn value(&self) -> f64 {
        let mut parts = self.parts.iter().rev().copied();
        let Some(mut high) = parts.next() else {
            return self.plain;
        };
        if !self.plain.is_finite() {
            return self.plain;
        }
        let mut low = 0.0;
        for part in parts.by_ref() {
            let sum = high + part;
            low = part - (sum - high);
            high = sum;
            if low != 0.0 {
                break;
            }
        }
        // Half way between two doubles the next part says to which side.
        if let Some(next) = parts.next()
            && ((low < 0.0 && next < 0.0) || (low > 0.0 && next > 0.0))
        {
            let twice = low * 2.0;
            let sum = high + twice;
            if sum - high == twice {
                return sum;
            }
        }
        high
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_rounded_once() {
        for (terms, sum) in [
            (vec![0.1; 10], 1.0),
            (vec![1e100, 1.0, -1e100], 1.0),
            (vec![1.0, 1e-16, 1e-16, 1e-16], 1.0000000000000002),
            (vec![9_007_199_254_740_992.0, 1.0, 1e-30], 9_007_199_254_740_994.0),
            (vec![f64::MAX, f64::MAX], f64::INFINITY),
            (vec![f64::INFINITY, 1.0], f64::INFINITY),
            (vec![], 0.0),
        ] {
            for backwards in [false, true] {
                let mut exact = ExactSum::default();
                let mut terms = terms.clone();
                if backwards {
                    terms.reverse();
                }
                terms.iter().for_each(|term| exact.add(*term));
                assert!((exact.value() - sum).abs() == 0.0 || exact.value() == sum, "{terms:?}: {}", exact.value());
            }
        }
        let mut exact = ExactSum::default();
        [f64::INFINITY, f64::NEG_INFINITY].iter().for_each(|term| exact.add(*term));
        assert!(exact.value().is_nan());
    }

    #[test]
    fn ints_compare_with_doubles_as_doubles() {
        assert_eq!(compare_int_double(i64::MAX, BEYOND), Some(Ordering::Equal), "rounds to 2^63");
        assert_eq!(compare_int_double(-1, -1.5), Some(Ordering::Greater));
        assert_eq!(compare_int_double(0, f64::NEG_INFINITY), Some(Ordering::Greater));
        assert_eq!(compare_int_double(0, f64::NAN), None);
    }

    #[test]
    fn doubles_beyond_the_ints_do_not_convert() {
        assert_eq!(double_to_int(-7.9), Some(-7));
        for double in [BEYOND, -BEYOND, f64::NAN, f64::INFINITY] {
            assert_eq!(double_to_int(double), None);
        }
    }
}
