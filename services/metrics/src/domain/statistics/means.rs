//! Means, with weights or without, with Student's interval and Welch's test.

use super::student;
use super::{Interval, Test, effective};

/// What a mean rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    /// The mean; 0 of nothing.
    pub mean: f64,
    /// The variance of what was said, with n − 1.
    pub variance: f64,
    /// How many, or as how many weighted answers count.
    pub n: f64,
}

impl Mean {
    /// Of values with how often each was said and with which weight. The variance is the weighted one times n/(n − 1), n
    /// the effective number.
    #[must_use]
    pub fn of(values: impl Iterator<Item = (f64, f64, f64)> + Clone) -> Self {
        let sum = |term: fn(f64, f64, f64) -> f64| -> f64 {
            values.clone().map(|(value, count, weight)| term(value, count, weight)).sum()
        };
        let weights = sum(|_, count, weight| count * weight);
        let n = effective(weights, sum(|_, count, weight| count * weight * weight));
        if n <= 0.0 {
            return Self::default();
        }
        let mean = sum(|value, count, weight| count * weight * value) / weights;
        let spread: f64 =
            values.map(|(value, count, weight)| count * weight * (value - mean).powi(2)).sum::<f64>() / weights;
        Self { mean, variance: if n > 1.0 { spread * n / (n - 1.0) } else { 0.0 }, n }
    }

    /// The mean; of nothing there is none.
    #[must_use]
    pub fn value(self) -> Option<f64> {
        (self.n > 0.0).then_some(self.mean)
    }

    /// Student's interval; of one answer there is none.
    ///
    /// Source: Student, Biometrika 6 (1908), 1–25.
    #[must_use]
    pub fn interval(self, level: f64) -> Option<Interval> {
        (self.n > 1.0).then(|| {
            let margin = student::reach(level, self.n - 1.0) * (self.variance / self.n).sqrt();
            Interval { lower: self.mean - margin, upper: self.mean + margin }
        })
    }

    /// The test of the hypothesis that two means are equal; none where either rests on one answer.
    ///
    /// Source: Welch, Biometrika 34 (1947), 28–35: unequal variances.
    #[must_use]
    pub fn differs(self, other: Self) -> Option<Test> {
        if self.n <= 1.0 || other.n <= 1.0 {
            return None;
        }
        let (one, two) = (self.variance / self.n, other.variance / other.n);
        let (error, difference) = ((one + two).sqrt(), self.mean - other.mean);
        if error <= 0.0 {
            return Some(Test::normal(difference, 0.0));
        }
        let freedom = (one + two).powi(2) / (one * one / (self.n - 1.0) + two * two / (other.n - 1.0));
        let statistic = difference / error;
        Some(Test { statistic, p_value: student::two_sided(statistic, freedom), freedom: Some(freedom) })
    }
}

/// Figures that scipy and statsmodels computed (`tests/fixtures/statistics.py` wrote them): the rows of a name.
#[cfg(test)]
pub(super) fn fixture(name: &str) -> Vec<Vec<f64>> {
    let all = include_str!("../../../tests/fixtures/statistics.json");
    let all: std::collections::BTreeMap<String, Vec<Vec<f64>>> = serde_json::from_str(all).expect("the fixture");
    all.get(name).cloned().unwrap_or_else(|| panic!("no figures of {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(counts: &[f64]) -> Mean {
        Mean::of((1_i32..).zip(counts).map(|(value, count)| (f64::from(value), *count, 1.0)))
    }

    #[test]
    fn a_mean_and_its_interval_are_those_of_scipy() {
        for row in fixture("means") {
            let [counts @ .., level, mean, lower, upper] = &row[..] else { panic!("figures") };
            let found = of(counts);
            let interval = found.interval(*level).expect("two answers at least");
            let near = |left: f64, right: f64| (left - right).abs() < 1e-9;
            assert!(near(found.mean, *mean) && near(interval.lower, *lower) && near(interval.upper, *upper), "{row:?}");
        }
    }

    #[test]
    fn two_means_are_told_apart_by_welchs_test_as_scipy_has_it() {
        for row in fixture("welch") {
            let [a, b, c, d, e, f, g, h, i, j, t, freedom, p] = row[..] else { panic!("thirteen figures") };
            let test = of(&[a, b, c, d, e]).differs(of(&[f, g, h, i, j])).expect("a test");
            let near = |left: f64, right: f64| (left - right).abs() < 1e-9;
            let found = test.freedom.expect("of a t test");
            assert!(near(test.statistic, t) && near(found, freedom) && near(test.p_value, p), "{test:?} {row:?}");
        }
    }

    #[test]
    fn weighted_means_are_those_of_statsmodels() {
        for row in fixture("weighted_means") {
            let [pairs @ .., mean, n, variance] = &row[..] else { panic!("figures") };
            let values = pairs.chunks(2).map(|pair| (pair[0], 1.0, pair[1]));
            let found = Mean::of(values);
            let near = |left: f64, right: f64| (left - right).abs() < 1e-9;
            assert!(near(found.mean, *mean) && near(found.n, *n) && near(found.variance, *variance), "{found:?}");
        }
    }

    #[test]
    fn one_answer_has_a_mean_and_nothing_else() {
        let one = of(&[0.0, 1.0]);
        assert_eq!((one.value(), one.interval(0.95), one.differs(one)), (Some(2.0), None, None));
        assert_eq!(of(&[]).value(), None);
        let same = of(&[0.0, 4.0]);
        assert!(same.differs(same).expect("a test").p_value >= 1.0);
    }
}
