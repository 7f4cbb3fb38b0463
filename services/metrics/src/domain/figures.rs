//! What a point says: a count, a sum, a score or a share, with its interval, and against another of its kind.

use rapport_kernel::Currency;

use super::cells::Amount;
use super::statistics::{Histogram, Interval, Recommendation, Share};

/// The method of what is counted or summed completely: there is nothing to estimate.
pub const CENSUS: &str = "census";
/// The method of scores.
pub const ADJUSTED_WALD: &str = "adjusted_wald";
/// The method of shares.
pub const WILSON: &str = "wilson";
const SCORE_TEST: &str = "z_adjusted_scores";
const SHARE_TEST: &str = "z_pooled_proportions";

/// A figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// How many.
    Count(i64),
    /// How much, in one currency.
    Sum(Currency, Amount),
    /// A Net Promoter Score.
    Score(Histogram),
    /// How many of how many.
    Share(Share),
}

/// A figure against another of its kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// The other's value.
    pub baseline: f64,
    /// How many it rests on.
    pub baseline_n: i64,
    /// The value minus the other's.
    pub difference: f64,
    /// The probability of so large a difference by chance alone; `None` for a census.
    pub p_value: Option<f64>,
    /// Whether that is less than the level leaves.
    pub significant: bool,
    /// The test.
    pub method: &'static str,
}

impl Figure {
    /// The value; `None` where it is not defined.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the contract's values are doubles")]
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Count(count) => Some(*count as f64),
            Self::Sum(_, amount) => Some(amount.total() as f64 / 1e6),
            Self::Score(histogram) => Recommendation::of(histogram).score(),
            Self::Share(share) => share.value(),
        }
    }

    /// How many it rests on.
    #[must_use]
    pub fn n(&self) -> i64 {
        match self {
            Self::Count(count) => *count,
            Self::Sum(_, amount) => amount.count,
            Self::Score(histogram) => histogram.iter().sum(),
            Self::Share(share) => share.whole,
        }
    }

    /// Its interval; `None` for a census.
    #[must_use]
    pub fn interval(&self, level: f64) -> Option<Interval> {
        match self {
            Self::Count(_) | Self::Sum(..) => None,
            Self::Score(histogram) => Some(Recommendation::of(histogram).interval(level)),
            Self::Share(share) => Some(share.interval(level)),
        }
    }

    /// How its interval is computed, or that it is a census.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Count(_) | Self::Sum(..) => CENSUS,
            Self::Score(_) => ADJUSTED_WALD,
            Self::Share(_) => WILSON,
        }
    }

    /// Its currency.
    #[must_use]
    pub const fn currency(&self) -> Option<Currency> {
        match self {
            Self::Sum(currency, _) => Some(*currency),
            Self::Count(_) | Self::Score(_) | Self::Share(_) => None,
        }
    }

    /// Against another of its kind; `None` where either has no value, or they are of different kinds.
    #[must_use]
    pub fn against(&self, other: &Self, level: f64) -> Option<Comparison> {
        let (value, baseline) = (self.value()?, other.value()?);
        let (p_value, method) = match (self, other) {
            (Self::Score(one), Self::Score(two)) => {
                (Some(Recommendation::of(one).differs(Recommendation::of(two))), SCORE_TEST)
            }
            (Self::Share(one), Self::Share(two)) => (Some(one.differs(*two)), SHARE_TEST),
            (Self::Count(_), Self::Count(_)) => (None, CENSUS),
            (Self::Sum(one, _), Self::Sum(two, _)) if one == two => (None, CENSUS),
            (Self::Count(_) | Self::Sum(..) | Self::Score(_) | Self::Share(_), _) => return None,
        };
        Some(Comparison {
            baseline,
            baseline_n: other.n(),
            difference: value - baseline,
            p_value,
            significant: p_value.is_some_and(|p| p < 1.0 - level),
            method,
        })
    }
}
