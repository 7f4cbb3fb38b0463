//! What a point says: a count, a sum, a score, a share, a mean, an index, a time or a rate, with its interval, and against
//! another of its kind.

use rapport_kernel::Currency;

use super::cells::Amount;
use super::statistics::index::Index;
use super::statistics::means::Mean;
use super::statistics::rates::Rate;
use super::statistics::times::Times;
use super::statistics::{Interval, Recommendation, Share, Test};

/// The method of what is counted or summed completely: there is nothing to estimate.
pub const CENSUS: &str = "census";
/// The method of scores.
pub const ADJUSTED_WALD: &str = "adjusted_wald";
/// The method of shares.
pub const WILSON: &str = "wilson";
/// The method of means.
pub const STUDENT: &str = "student_t";
/// The method of indexes.
pub const BOOTSTRAP: &str = "bootstrap";
/// The method of medians.
pub const ORDER_STATISTICS: &str = "order_statistics";
/// The method of rates.
pub const POISSON: &str = "poisson_score";

/// A figure. Those of answers tell how many there are, and count each by its weight.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// How many.
    Count(i64),
    /// How much, in one currency.
    Sum(Currency, Amount),
    /// A balance of opposites, −100 to 100.
    Score(Recommendation, i64),
    /// How many of how many.
    Share(Share, i64),
    /// A mean.
    Mean(Mean, i64),
    /// An index of satisfaction.
    Index(Index),
    /// Times until something, told by their median.
    Times(Times),
    /// How often, for each so many.
    Rate(Rate, i64),
}

/// Whether more is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Neither: it is what it is.
    Neutral,
    /// Yes.
    Higher,
    /// No: less is.
    Lower,
}

/// What a comparison comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No test can tell.
    Untested,
    /// The difference may be chance.
    NoDifference,
    /// Better than the baseline.
    Better,
    /// Worse than the baseline.
    Worse,
    /// Different, which is neither good nor bad.
    Different,
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
    /// What the test says; `None` for a census, and where too little is known for one.
    pub test: Option<Test>,
    /// Whether so large a difference is less likely than the level leaves.
    pub significant: bool,
    /// What that means.
    pub verdict: Verdict,
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
            Self::Score(score, _) => score.score(),
            Self::Share(share, _) => share.value(),
            Self::Mean(mean, _) => mean.value(),
            Self::Index(index) => index.value(),
            Self::Times(times) => times.percentile(0.5),
            Self::Rate(rate, _) => rate.value(),
        }
    }

    /// How many it rests on.
    #[must_use]
    pub fn n(&self) -> i64 {
        match self {
            Self::Count(n) | Self::Score(_, n) | Self::Share(_, n) | Self::Mean(_, n) | Self::Rate(_, n) => *n,
            Self::Sum(_, amount) => amount.count,
            Self::Index(index) => index.count(),
            Self::Times(times) => times.count(),
        }
    }

    /// As how many answers of equal weight those that it rests on count; `None` where nothing has a weight.
    #[must_use]
    pub fn effective_n(&self) -> Option<f64> {
        match self {
            Self::Score(score, _) => Some(score.answers),
            Self::Share(share, _) => Some(share.whole),
            Self::Mean(mean, _) => Some(mean.n),
            Self::Index(index) => Some(index.effective()),
            Self::Count(_) | Self::Sum(..) | Self::Times(_) | Self::Rate(..) => None,
        }
    }

    /// Its interval; `None` for a census, and where too little is known for one.
    #[must_use]
    pub fn interval(&self, level: f64) -> Option<Interval> {
        self.value()?;
        match self {
            Self::Count(_) | Self::Sum(..) => None,
            Self::Score(score, _) => Some(score.interval(level)),
            Self::Share(share, _) => Some(share.interval(level)),
            Self::Mean(mean, _) => mean.interval(level),
            Self::Index(index) => index.interval(level),
            Self::Times(times) => times.interval(level),
            Self::Rate(rate, _) => Some(rate.interval(level)),
        }
    }

    /// How its interval is computed, or that it is a census.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Count(_) | Self::Sum(..) => CENSUS,
            Self::Score(..) => ADJUSTED_WALD,
            Self::Share(..) => WILSON,
            Self::Mean(..) => STUDENT,
            Self::Index(_) => BOOTSTRAP,
            Self::Times(_) => ORDER_STATISTICS,
            Self::Rate(..) => POISSON,
        }
    }

    /// Its currency.
    #[must_use]
    pub const fn currency(&self) -> Option<Currency> {
        match self {
            Self::Sum(currency, _) => Some(*currency),
            Self::Count(_)
            | Self::Score(..)
            | Self::Share(..)
            | Self::Mean(..)
            | Self::Index(_)
            | Self::Times(_)
            | Self::Rate(..) => None,
        }
    }

    /// Against another of its kind; `None` where either has no value, or they are of different kinds.
    #[must_use]
    pub fn against(&self, other: &Self, level: f64, direction: Direction) -> Option<Comparison> {
        let (value, baseline) = (self.value()?, other.value()?);
        let (test, method) = match (self, other) {
            (Self::Score(one, _), Self::Score(two, _)) => (Some(one.differs(*two)), "z_adjusted_scores"),
            (Self::Share(one, _), Self::Share(two, _)) => (Some(one.differs(*two)), "z_pooled_proportions"),
            (Self::Mean(one, _), Self::Mean(two, _)) => (one.differs(*two), "welch_t"),
            (Self::Index(one), Self::Index(two)) => (one.differs(two), "z_bootstrap"),
            (Self::Times(one), Self::Times(two)) => (one.differs(two), "mann_whitney"),
            (Self::Rate(one, _), Self::Rate(two, _)) => (Some(one.differs(*two)), "z_pooled_rates"),
            (Self::Count(_), Self::Count(_)) => (None, CENSUS),
            (Self::Sum(one, _), Self::Sum(two, _)) if one == two => (None, CENSUS),
            (
                Self::Count(_)
                | Self::Sum(..)
                | Self::Score(..)
                | Self::Share(..)
                | Self::Mean(..)
                | Self::Index(_)
                | Self::Times(_)
                | Self::Rate(..),
                _,
            ) => return None,
        };
        let significant = test.is_some_and(|test| test.p_value < 1.0 - level);
        // Of times the medians may be equal, and yet the one tend to be longer: the test's sign tells.
        let more = test.is_some_and(|test| test.statistic > 0.0);
        let verdict = match (test, direction) {
            (None, _) => Verdict::Untested,
            (Some(_), _) if !significant => Verdict::NoDifference,
            (Some(_), Direction::Neutral) => Verdict::Different,
            (Some(_), Direction::Higher) if more => Verdict::Better,
            (Some(_), Direction::Lower) if !more => Verdict::Better,
            (Some(_), Direction::Higher | Direction::Lower) => Verdict::Worse,
        };
        let (baseline_n, difference) = (other.n(), value - baseline);
        Some(Comparison { baseline, baseline_n, difference, test, significant, verdict, method })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_is_said_only_where_a_test_says_so() {
        let share = |part, whole| Figure::Share(Share::counted(part, whole), whole);
        let verdict =
            |one: &Figure, two: &Figure, direction| one.against(two, 0.95, direction).map(|told| told.verdict);
        let (high, low, near) = (share(80, 100), share(40, 100), share(78, 100));
        assert_eq!(verdict(&high, &low, Direction::Higher), Some(Verdict::Better));
        assert_eq!(verdict(&low, &high, Direction::Higher), Some(Verdict::Worse));
        assert_eq!(verdict(&low, &high, Direction::Lower), Some(Verdict::Better));
        assert_eq!(verdict(&high, &low, Direction::Neutral), Some(Verdict::Different));
        assert_eq!(verdict(&high, &near, Direction::Higher), Some(Verdict::NoDifference));
        assert_eq!(verdict(&Figure::Count(9), &Figure::Count(1), Direction::Higher), Some(Verdict::Untested));
        assert_eq!(verdict(&high, &Figure::Count(1), Direction::Higher), None);
        assert_eq!(verdict(&high, &share(0, 0), Direction::Higher), None, "nobody's share is none");
    }
}
