//! An index of satisfaction: weighted items of one survey, brought to 0 to 100, with an interval by the bootstrap over
//! respondents.

use std::collections::BTreeMap;

use super::normal::reach;
use super::{Interval, Test};
use crate::domain::slots::Pattern;

/// How often respondents are drawn anew.
const RESAMPLES: usize = 1_000;
/// Up to so many respondents are drawn anew; of more, the bootstrap's own limit is taken: the normal distribution with
/// the delta method's standard error, from which it differs by less than a resample's noise.
const MOST_DRAWN: usize = 5_000;
/// The draws begin here: the same answers have the same interval.
const SEED: u64 = 0x5DEE_CE66_D1CE_4E5B;

/// What respondents said of each item: their places there, from 0 to 1, and their weights.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Index {
    /// The items' shares of the index; they sum to 1.
    shares: Vec<f64>,
    /// Respondents who said the same: their places by item, their weight, how many they are.
    respondents: Vec<(Vec<Option<f64>>, f64, i64)>,
}

impl Index {
    /// Of patterns with how often each was given. Items are named by their question; where an item's weight was changed,
    /// it has the mean of those it was answered with. Weights are brought to the sum 1 over the items answered.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts and weights are far below 2^52")]
    pub fn of(patterns: &[(Pattern, i64)]) -> Self {
        let mut items: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for (pattern, count) in patterns {
            for item in &pattern.items {
                let (sum, answers) = items.entry(&item.question).or_default();
                *sum += item.weight * *count as f64;
                *answers += *count as f64;
            }
        }
        let weights: Vec<f64> = items.values().map(|(sum, answers)| sum / answers).collect();
        let whole: f64 = weights.iter().sum();
        let even = 1.0 / weights.len() as f64;
        let shares = weights.iter().map(|weight| if whole > 0.0 { weight / whole } else { even }).collect();
        let respondent = |(pattern, count): &(Pattern, i64)| {
            let place = |question: &&str| {
                let item = pattern.items.iter().find(|item| item.question == **question)?;
                Some(f64::from(item.value - item.min) / f64::from((item.max - item.min).max(1)))
            };
            (items.keys().map(place).collect(), pattern.weight as f64 / 1e6, *count)
        };
        Self { shares, respondents: patterns.iter().map(respondent).collect() }
    }

    /// How many respondents.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.respondents.iter().map(|(_, _, count)| count).sum()
    }

    /// As how many respondents of equal weight they count.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn effective(&self) -> f64 {
        let sum = |power: i32| -> f64 {
            self.respondents.iter().map(|(_, weight, count)| weight.powi(power) * *count as f64).sum()
        };
        super::effective(sum(1), sum(2))
    }

    /// The index, 0 to 100: Σ wᵢ·(x̄ᵢ − least)/(greatest − least)·100 over the items. Nobody's is none.
    ///
    /// Source: Fornell, Johnson, Anderson, Cha & Bryant, Journal of Marketing 60(4) (1996), 7–18.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn value(&self) -> Option<f64> {
        let rows = self.respondents.iter().map(|(places, weight, count)| (&places[..], weight * *count as f64));
        self.over(rows)
    }

    /// The percentile interval of the bootstrap over respondents. Of one respondent there is none.
    ///
    /// Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), 13.3.
    #[must_use]
    pub fn interval(&self, level: f64) -> Option<Interval> {
        if self.count() < 2 {
            return None;
        }
        if usize::try_from(self.count()).is_ok_and(|count| count <= MOST_DRAWN) {
            let drawn = self.drawn();
            let tail = (1.0 - level) / 2.0;
            return Some(Interval { lower: percentile(&drawn, tail)?, upper: percentile(&drawn, 1.0 - tail)? });
        }
        let (value, margin) = (self.value()?, reach(level) * self.error());
        Some(Interval { lower: (value - margin).max(0.0), upper: (value + margin).min(100.0) })
    }

    /// The test of the hypothesis that two indexes are equal: z by their bootstrap standard errors. None where either
    /// rests on one respondent.
    #[must_use]
    pub fn differs(&self, other: &Self) -> Option<Test> {
        if self.count() < 2 || other.count() < 2 {
            return None;
        }
        Some(Test::normal(self.value()? - other.value()?, self.error().hypot(other.error())))
    }

    /// The standard error: of the drawn indexes where some are drawn, else by the delta method.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn error(&self) -> f64 {
        if usize::try_from(self.count()).is_ok_and(|count| count <= MOST_DRAWN) {
            let drawn = self.drawn();
            let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
            let spread: f64 = drawn.iter().map(|value| (value - mean).powi(2)).sum();
            return (spread / (drawn.len() as f64 - 1.0)).sqrt();
        }
        let item = |at: usize| {
            let answers = || {
                self.respondents
                    .iter()
                    .filter_map(move |(places, weight, count)| places[at].map(|place| (place, weight * *count as f64)))
            };
            let weights: f64 = answers().map(|(_, weight)| weight).sum();
            (answers().map(|(place, weight)| place * weight).sum::<f64>() / weights, weights)
        };
        let means: Vec<(f64, f64)> = (0..self.shares.len()).map(item).collect();
        let influence = |(places, weight, count): &(Vec<Option<f64>>, f64, i64)| {
            let of_items = places.iter().zip(&means).zip(&self.shares);
            let moved: f64 = of_items
                .filter_map(|((place, (mean, weights)), share)| {
                    Some(share * weight * (place.as_ref()? - mean) / weights)
                })
                .sum();
            moved * moved * *count as f64
        };
        100.0 * self.respondents.iter().map(influence).sum::<f64>().sqrt()
    }

    /// The indexes of respondents drawn anew, in order.
    fn drawn(&self) -> Vec<f64> {
        let each = self.respondents.iter().enumerate();
        let people: Vec<usize> = each.flat_map(|(at, (_, _, count))| (0..*count).map(move |_| at)).collect();
        let mut state = SEED;
        let mut values = Vec::with_capacity(RESAMPLES);
        for _ in 0..RESAMPLES {
            let mut times = vec![0_u32; self.respondents.len()];
            for _ in 0..people.len() {
                times[people[below(&mut state, people.len())]] += 1;
            }
            let rows = self.respondents.iter().zip(&times).filter(|(_, times)| **times > 0);
            values
                .extend(self.over(rows.map(|((places, weight, _), times)| (&places[..], weight * f64::from(*times)))));
        }
        values.sort_by(f64::total_cmp);
        values
    }

    /// The index of some respondents. An item that none of them answered is left out, and the others' weights grow.
    fn over<'a>(&self, respondents: impl Iterator<Item = (&'a [Option<f64>], f64)>) -> Option<f64> {
        let mut sums = vec![(0.0, 0.0); self.shares.len()];
        for (places, weight) in respondents {
            for (sum, place) in sums.iter_mut().zip(places) {
                if let Some(place) = place {
                    *sum = (sum.0 + place * weight, sum.1 + weight);
                }
            }
        }
        let answered = || sums.iter().zip(&self.shares).filter(|((_, weights), _)| *weights > 0.0);
        let shares: f64 = answered().map(|(_, share)| share).sum();
        let sum: f64 = answered().map(|((sum, weights), share)| share * sum / weights).sum();
        (shares > 0.0).then(|| 100.0 * sum / shares)
    }
}

/// A number below `most`, by splitmix64 (Steele, Lea & Flood, OOPSLA 2014).
#[expect(clippy::cast_possible_truncation, reason = "below a usize")]
fn below(state: &mut u64, most: usize) -> usize {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^= mixed >> 31;
    ((u128::from(mixed) * most as u128) >> 64) as usize
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank among a thousand"
)]
fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = share * (sorted.len().checked_sub(1)? as f64);
    let (below, above) = (sorted.get(rank.floor() as usize)?, sorted.get(rank.ceil() as usize)?);
    Some(below + (above - below) * (rank - rank.floor()))
}

#[cfg(test)]
mod tests {
    use super::super::means::fixture;
    use super::*;
    use crate::domain::slots::{Item, PLAIN_WEIGHT};

    fn pattern(values: &[f64], weights: &[f64]) -> Pattern {
        let item = |(at, (value, weight)): (usize, (&f64, &f64))| Item {
            question: format!("q{at}"),
            #[expect(clippy::cast_possible_truncation, reason = "1 to 10")]
            value: *value as i32,
            weight: *weight,
            min: 1,
            max: 10,
        };
        Pattern { items: values.iter().zip(weights).enumerate().map(item).collect(), weight: PLAIN_WEIGHT }
    }

    #[test]
    fn the_index_is_the_weighted_mean_of_its_items_brought_to_a_hundred() {
        let third = [1.0 / 3.0; 3];
        let index = Index::of(&[(pattern(&[10.0, 7.0, 4.0], &third), 1), (pattern(&[8.0, 7.0, 6.0], &third), 1)]);
        // Means 9, 7 and 5: (8 + 6 + 4)/27.
        assert!((index.value().expect("a value") - 1_800.0 / 27.0).abs() < 1e-9);
        assert_eq!((index.count(), Index::of(&[]).value(), Index::of(&[]).interval(0.95)), (2, None, None));
        let skewed = Index::of(&[(pattern(&[10.0, 1.0], &[0.75, 0.25]), 4)]);
        assert!((skewed.value().expect("a value") - 75.0).abs() < 1e-9);
    }

    #[test]
    fn what_was_left_unanswered_counts_for_its_own_item_alone() {
        let half = [0.5, 0.5];
        let index = Index::of(&[(pattern(&[10.0, 4.0], &half), 1), (pattern(&[4.0], &half), 3)]);
        // Means 5.5 (of four) and 4 (of one).
        assert!((index.value().expect("a value") - 50.0 * (4.5 + 3.0) / 9.0).abs() < 1e-9);
    }

    #[test]
    fn the_interval_is_that_of_scipys_bootstrap_but_for_the_luck_of_the_draw() {
        for row in fixture("csi") {
            let [answers @ .., value, error, lower, upper] = &row[..] else { panic!("figures") };
            let weights = [0.4, 0.35, 0.25];
            let patterns: Vec<_> = answers.chunks(3).map(|values| (pattern(values, &weights), 1)).collect();
            let index = Index::of(&patterns);
            let interval = index.interval(0.95).expect("an interval");
            assert!((index.value().expect("a value") - value).abs() < 1e-9, "{row:?}");
            // A thousand draws know a percentile to about a tenth of the standard error.
            assert!((interval.lower - lower).abs() < 0.25 * error && (interval.upper - upper).abs() < 0.25 * error);
            assert!((index.error() / error - 1.0).abs() < 0.1, "{} {error}", index.error());
            assert_eq!(index.interval(0.95), Index::of(&patterns).interval(0.95), "the same again");
        }
    }

    #[test]
    fn many_respondents_have_the_interval_that_the_bootstrap_tends_to() {
        let weights = [0.5, 0.5];
        let few = |times: i64| {
            let answers = [([9.0, 7.0], 5), ([3.0, 6.0], 3), ([10.0, 2.0], 2)];
            Index::of(&answers.map(|(values, count)| (pattern(&values, &weights), count * times)))
        };
        let (drawn, limit) = (few(450), few(550));
        assert!((drawn.error() / limit.error() / (550.0_f64 / 450.0).sqrt() - 1.0).abs() < 0.1);
        let (one, other) = (limit.interval(0.95).expect("an interval"), limit.value().expect("a value"));
        assert!(one.lower < other && other < one.upper && one.upper - one.lower < 3.0);
    }
}
