//! Scores, shares, means, times, rates and indexes with their intervals and tests. Each cites where it comes from; units
//! and edge cases stand with it. Counts are doubles: where answers carry weights, they are effective counts (Kish).

pub mod index;
pub mod means;
pub mod normal;
pub mod rates;
pub mod student;
pub mod times;

use normal::{reach, two_sided};

/// A confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub lower: f64,
    /// Its upper end.
    pub upper: f64,
}

/// What a test says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Test {
    /// The z or t value: above 0 where the first is greater.
    pub statistic: f64,
    /// The probability of so large a difference, either way, by chance alone.
    pub p_value: f64,
    /// The degrees of freedom of a t test.
    pub freedom: Option<f64>,
}

impl Test {
    /// Of a z value; of a difference of 0 with no spread, that there is none.
    #[must_use]
    pub fn normal(difference: f64, error: f64) -> Self {
        let statistic = if difference == 0.0 && error == 0.0 { 0.0 } else { difference / error };
        Self { statistic, p_value: two_sided(statistic), freedom: None }
    }
}

/// The effective number of weighted answers: (Σw)²/Σw². Source: Kish, Survey Sampling (1965), 11.2.
#[must_use]
pub fn effective(weights: f64, squares: f64) -> f64 {
    if squares > 0.0 { weights * weights / squares } else { 0.0 }
}

/// How many pleased (promoters), hurt (detractors) and answers at all there are: a balance of opposites.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Recommendation {
    /// Those for it, as 9 or 10 of 0 to 10.
    pub promoters: f64,
    /// Those against it, as 0 to 6.
    pub detractors: f64,
    /// All answers.
    pub answers: f64,
}

impl Recommendation {
    /// The Net Promoter Score, −100 to 100: 100·(promoters − detractors)/answers. Nobody's score is no score.
    ///
    /// Source: Reichheld, Harvard Business Review 81(12), 2003.
    #[must_use]
    pub fn score(self) -> Option<f64> {
        (self.answers > 0.0).then(|| 100.0 * (self.promoters - self.detractors) / self.answers)
    }

    /// The adjusted-Wald interval of the score, within ±100. It is centred on the adjusted score, not on the score.
    ///
    /// Source: Rocks, "Interval Estimation for the Net Promoter Score", The American Statistician 70 (2016), 365–372,
    /// as recommended by measuringu.com: 3 answers more, ¾ of them promoters and ¾ detractors.
    #[must_use]
    pub fn interval(self, level: f64) -> Interval {
        let (centre, error) = self.adjusted();
        let margin = reach(level) * error;
        Interval { lower: (centre - margin).max(-100.0), upper: (centre + margin).min(100.0) }
    }

    /// The test of the hypothesis that two scores are equal: a z test of the adjusted scores.
    ///
    /// Source: as [`Recommendation::interval`]; the difference of two independent adjusted scores.
    #[must_use]
    pub fn differs(self, other: Self) -> Test {
        let ((one, one_error), (two, two_error)) = (self.adjusted(), other.adjusted());
        Test::normal(one - two, one_error.hypot(two_error))
    }

    /// The adjusted score and its standard error, in points.
    fn adjusted(self) -> (f64, f64) {
        let n = self.answers + 3.0;
        let promoters = (self.promoters + 0.75) / n;
        let detractors = (self.detractors + 0.75) / n;
        let difference = promoters - detractors;
        let variance = promoters + detractors - difference * difference;
        (100.0 * difference, 100.0 * (variance / n).sqrt())
    }
}

/// How many of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    /// Those with the property.
    pub part: f64,
    /// All.
    pub whole: f64,
}

impl Share {
    /// Of whole things.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub const fn counted(part: i64, whole: i64) -> Self {
        Self { part: part as f64, whole: whole as f64 }
    }

    /// The share, 0 to 1. A share of nobody is none.
    #[must_use]
    pub fn value(self) -> Option<f64> {
        (self.whole > 0.0).then(|| self.part / self.whole)
    }

    /// The score interval of a share; of nobody, all of 0 to 1.
    ///
    /// Source: Wilson, Journal of the American Statistical Association 22 (1927), 209–212.
    #[must_use]
    pub fn interval(self, level: f64) -> Interval {
        let Some(share) = self.value() else { return Interval { lower: 0.0, upper: 1.0 } };
        let n = self.whole;
        let z = reach(level);
        let scale = 1.0 + z * z / n;
        let centre = (share + z * z / (2.0 * n)) / scale;
        let margin = z / scale * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
        // Exactly 0 and 1 at the ends, where rounding would leave a trace.
        let lower = if self.part <= 0.0 { 0.0 } else { (centre - margin).max(0.0) };
        let upper = if self.part >= self.whole { 1.0 } else { (centre + margin).min(1.0) };
        Interval { lower, upper }
    }

    /// The test of the hypothesis that two shares are equal: the pooled two-proportion z test. p is 1 where
    /// nobody or everybody on both sides has the property; both sides must have somebody.
    ///
    /// Source: Fleiss, Levin & Paik, Statistical Methods for Rates and Proportions, 3rd ed. (2003), 3.1, without the
    /// correction for continuity.
    #[must_use]
    pub fn differs(self, other: Self) -> Test {
        let (one, two) = (self.whole, other.whole);
        let pooled = (self.part + other.part) / (one + two);
        let error = (pooled * (1.0 - pooled) * (1.0 / one + 1.0 / two)).sqrt();
        Test::normal(self.part / one - other.part / two, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: f64, right: f64, within: f64) -> bool {
        (left - right).abs() <= within
    }

    fn of(promoters: i32, detractors: i32, answers: i32) -> Recommendation {
        let [promoters, detractors, answers] = [promoters, detractors, answers].map(f64::from);
        Recommendation { promoters, detractors, answers }
    }

    /// (promoters, detractors, answers, level, score, lower, upper): numpy and scipy 1.17.1, as the normal interval
    /// around the mean of −1, 0, 1 weighted by the adjusted counts, which is how Rocks derives it.
    const SCORES: [(i32, i32, i32, f64, f64, f64, f64); 8] = [
        (19, 9, 36, 0.9, 27.777_777_777_8, 3.751_901_987_8, 47.530_149_294_2),
        (19, 9, 36, 0.95, 27.777_777_777_8, -0.441_473_926_4, 51.723_525_208_4),
        (50, 20, 100, 0.95, 30.0, 14.051_130_178_8, 44.201_297_005_7),
        (500, 200, 1000, 0.99, 30.0, 23.558_277_110_9, 36.262_261_273_9),
        (1, 0, 1, 0.95, 100.0, -48.498_649_420_3, 98.498_649_420_3),
        (0, 5, 5, 0.95, -100.0, -100.0, -17.491_453_034_2),
        (0, 0, 7, 0.95, 0.0, -24.004_558_381_8, 24.004_558_381_8),
        (3, 3, 10, 0.8, 0.0, -26.997_488_502_1, 26.997_488_502_1),
    ];

    #[test]
    fn the_interval_of_a_score_is_the_adjusted_wald_of_rocks() {
        for (promoters, detractors, answers, level, score, lower, upper) in SCORES {
            let counts = of(promoters, detractors, answers);
            let interval = counts.interval(level);
            assert!(near(counts.score().expect("somebody answered"), score, 1e-9), "{counts:?}");
            assert!(near(interval.lower, lower, 1e-9) && near(interval.upper, upper, 1e-9), "{counts:?} {interval:?}");
        }
    }

    #[test]
    fn weighted_answers_are_as_many_as_equal_ones_would_tell_as_much() {
        assert!(near(effective(10.0, 10.0), 10.0, 0.0));
        // Kish: 1 + cv² of the weights 1, 2, 3 is 7/6.
        assert!(near(effective(6.0, 14.0), 3.0 / (7.0 / 6.0), 1e-12));
        assert!(near(effective(0.0, 0.0), 0.0, 0.0));
    }

    #[test]
    fn nobodys_score_is_no_score() {
        assert_eq!(of(0, 0, 0).score(), None);
        assert_eq!(Share::default().value(), None);
    }

    #[test]
    fn scores_are_told_apart_by_the_z_test_of_adjusted_scores() {
        // scipy 1.17.1, from the adjusted scores and standard errors of the test above.
        for (one, two, expected) in [
            (of(19, 9, 36), of(10, 20, 40), 0.007_539_940_022_171_614_6),
            (of(500, 200, 1000), of(450, 230, 1000), 0.023_373_853_209_158_912),
            (of(5, 0, 5), of(5, 0, 5), 1.0),
        ] {
            assert!(near(one.differs(two).p_value, expected, 1e-12), "{:?}", one.differs(two));
            assert!(near(two.differs(one).p_value, expected, 1e-12));
        }
    }

    #[test]
    fn the_interval_of_a_share_is_wilsons_as_newcombe_published_it() {
        // Newcombe, Statistics in Medicine 17 (1998), 857–872, table I, method 3, to four places.
        for (part, whole, lower, upper) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let interval = Share::counted(part, whole).interval(0.95);
            assert!(near(interval.lower, lower, 5e-5) && near(interval.upper, upper, 5e-5), "{interval:?}");
        }
        // statsmodels 0.15.0: proportion_confint(12205, 23570, 0.01, "wilson").
        let interval = Share::counted(12_205, 23_570).interval(0.99);
        assert!(near(interval.lower, 0.509_431_810_502_204_1, 1e-12), "{interval:?}");
        assert!(near(interval.upper, 0.526_196_683_711_832_5, 1e-12), "{interval:?}");
    }

    #[test]
    fn shares_are_told_apart_by_the_pooled_z_test() {
        // statsmodels 0.15.0: proportions_ztest([a, c], [b, d]).
        for (a, b, c, d, expected) in [
            (81, 263, 15, 148, 2.007_294_420_255_702_6e-6),
            (50, 100, 52, 110, 0.692_892_890_940_908),
            (12_205, 23_570, 1_000, 2_000, 0.125_762_067_946_814_02),
        ] {
            let p = Share::counted(a, b).differs(Share::counted(c, d)).p_value;
            assert!(near(p, expected, 1e-12), "{p}");
        }
        assert!(near(Share::counted(0, 9).differs(Share::counted(0, 4)).p_value, 1.0, 0.0));
    }
}
