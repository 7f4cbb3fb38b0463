//! Numbers: comparing ints with doubles exactly, and the arithmetic of instants and durations.

use std::cmp::Ordering;

use rapport_kernel::Timestamp;

/// The longest duration, in microseconds: 10,000 years, as protobuf has it.
pub(crate) const LONGEST: i64 = 315_576_000_000 * 1_000_000;

/// 2^63, the first double above every int.
const BEYOND: f64 = 9_223_372_036_854_775_808.0;

/// Compares mathematically, without rounding the int; `None` for NaN.
pub(crate) fn compare_int_double(int: i64, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    if double >= BEYOND {
        return Some(Ordering::Less);
    }
    if double < -BEYOND {
        return Some(Ordering::Greater);
    }
    // Within the ints' range the whole part converts exactly.
    let whole = double.trunc();
    let fraction = double - whole;
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked above")]
    let order = int.cmp(&(whole as i64));
    Some(order.then(0.0_f64.partial_cmp(&fraction)?))
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
    use proptest::prelude::*;

    #[test]
    fn ints_and_doubles_compare_without_rounding() {
        assert_eq!(compare_int_double(i64::MAX, 9_223_372_036_854_775_807.0), Some(Ordering::Less), "rounds to 2^63");
        assert_eq!(compare_int_double(i64::MIN, -9_223_372_036_854_775_808.0), Some(Ordering::Equal));
        assert_eq!(compare_int_double(9_007_199_254_740_993, 9_007_199_254_740_992.0), Some(Ordering::Greater));
        assert_eq!(compare_int_double(-1, -1.5), Some(Ordering::Greater));
        assert_eq!(compare_int_double(0, f64::NEG_INFINITY), Some(Ordering::Greater));
        assert_eq!(compare_int_double(0, f64::NAN), None);
    }

    proptest! {
        #[test]
        fn small_ints_compare_as_doubles_do(int in -1_000_000_i64..1_000_000, double in -1.0e6_f64..1.0e6) {
            let exact = f64::from(i32::try_from(int).expect("small"));
            prop_assert_eq!(compare_int_double(int, double), exact.partial_cmp(&double));
        }
    }
}
