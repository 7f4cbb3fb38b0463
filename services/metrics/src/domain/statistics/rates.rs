//! Rates: how often something happened for each so many of those it could happen to, where it can happen to one more
//! than once.

use super::normal::reach;
use super::{Interval, Test};

/// A rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// How often it happened.
    pub events: f64,
    /// To how many it could have happened.
    pub exposed: f64,
    /// For how many of these it is said.
    pub per: f64,
}

impl Rate {
    /// The rate; of nobody there is none.
    #[must_use]
    pub fn value(self) -> Option<f64> {
        (self.exposed > 0.0).then(|| self.per * self.events / self.exposed)
    }

    /// The score interval of a Poisson rate, which is to it what Wilson's is to a share.
    ///
    /// Source: Garwood, Biometrika 28 (1936), 437–442, inverted as a score test; statsmodels' confint_poisson "score".
    #[must_use]
    pub fn interval(self, level: f64) -> Interval {
        let z = reach(level);
        let (centre, margin) = (self.events + z * z / 2.0, z * (self.events + z * z / 4.0).sqrt());
        let scale = self.per / self.exposed;
        Interval { lower: ((centre - margin) * scale).max(0.0), upper: (centre + margin) * scale }
    }

    /// The test of the hypothesis that two rates are equal: the score test with the pooled rate.
    ///
    /// Source: Gu, Ng, Tang & Schucany, Biometrical Journal 50 (2008), 283–298, W2; statsmodels' test_poisson_2indep "score".
    #[must_use]
    pub fn differs(self, other: Self) -> Test {
        let pooled = (self.events + other.events) / (self.exposed + other.exposed);
        let error = (pooled * (1.0 / self.exposed + 1.0 / other.exposed)).sqrt();
        Test::normal(self.events / self.exposed - other.events / other.exposed, error)
    }
}

#[cfg(test)]
mod tests {
    use super::super::means::fixture;
    use super::*;

    #[test]
    fn rates_and_their_tests_are_those_of_statsmodels() {
        for row in fixture("poisson") {
            let [events, exposed, lower, upper] = row[..] else { panic!("four figures") };
            let interval = Rate { events, exposed, per: 1.0 }.interval(0.95);
            assert!(
                (interval.lower - lower).abs() < 1e-9 && (interval.upper - upper).abs() < 1e-9,
                "{interval:?} {row:?}"
            );
        }
        for row in fixture("poisson_test") {
            let [a, b, c, d, z, p] = row[..] else { panic!("six figures") };
            let test = Rate { events: a, exposed: b, per: 100.0 }.differs(Rate { events: c, exposed: d, per: 100.0 });
            assert!((test.statistic - z).abs() < 1e-9 && (test.p_value - p).abs() < 1e-9, "{test:?} {row:?}");
        }
    }
}
