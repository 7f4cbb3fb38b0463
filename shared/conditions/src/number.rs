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

#[cfg(test)]
mod tests {
    use super::*;

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
