//! Times until something: medians and other percentiles, exact, from how often each time occurred. Means would say little
//! of them: a few very long ones make most of a mean.

use std::collections::BTreeMap;

use super::student::fewer_or_as_many;
use super::{Interval, Test};

/// How often each time occurred, in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times(BTreeMap<i64, i64>);

impl Times {
    /// Adds a time that occurred `count` times.
    pub fn add(&mut self, seconds: i64, count: i64) {
        *self.0.entry(seconds).or_default() += count;
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.0.values().sum()
    }

    /// The mean.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the contract's values are doubles")]
    pub fn mean(&self) -> Option<f64> {
        let sum: i128 = self.0.iter().map(|(seconds, count)| i128::from(*seconds) * i128::from(*count)).sum();
        let count = self.count();
        (count > 0).then(|| sum as f64 / count as f64)
    }

    /// The time below which a share (0 to 1) of all lies, between the two next to it where it falls between.
    ///
    /// Source: Hyndman & Fan, The American Statistician 50 (1996), definition 7, as numpy and R have it.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "ranks are far below 2^52 and not negative"
    )]
    pub fn percentile(&self, share: f64) -> Option<f64> {
        let last = self.count() - 1;
        if last < 0 {
            return None;
        }
        let rank = share * last as f64;
        let below = self.at(rank.floor() as i64)? as f64;
        let above = self.at((rank.ceil() as i64).min(last))? as f64;
        Some(below + (above - below) * (rank - rank.floor()))
    }

    /// An interval of the median that holds whatever the times are like: from the k-th least to the k-th greatest, k the
    /// greatest with which it still covers the level. Of too few times for the level there is none.
    ///
    /// Source: Conover, Practical Nonparametric Statistics, 3rd ed. (1999), 3.2.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the contract's values are doubles")]
    pub fn interval(&self, level: f64) -> Option<Interval> {
        let n = self.count();
        let outside = |k: i64| 2.0 * fewer_or_as_many((k - 1) as f64, n as f64);
        let (mut low, mut high) = (0, n / 2 + 1);
        while high - low > 1 {
            let middle = i64::midpoint(low, high);
            if outside(middle) <= 1.0 - level { low = middle } else { high = middle }
        }
        if low == 0 {
            return None;
        }
        Some(Interval { lower: self.at(low - 1)? as f64, upper: self.at(n - low)? as f64 })
    }

    /// The test of the hypothesis that neither of two is likelier to be the longer: by ranks, corrected for ties and
    /// continuity; the statistic is above 0 where these times tend to be longer.
    ///
    /// Source: Mann & Whitney, Annals of Mathematical Statistics 18 (1947), 50–60; scipy's mannwhitneyu "asymptotic".
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn differs(&self, other: &Self) -> Option<Test> {
        let (one, two) = (self.count() as f64, other.count() as f64);
        if one == 0.0 || two == 0.0 {
            return None;
        }
        let mut together: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
        for (seconds, count) in &self.0 {
            together.entry(*seconds).or_default().0 += *count as f64;
        }
        for (seconds, count) in &other.0 {
            together.entry(*seconds).or_default().1 += *count as f64;
        }
        let (mut before, mut ranks, mut ties) = (0.0, 0.0, 0.0);
        for (mine, theirs) in together.into_values() {
            let tied = mine + theirs;
            ranks += mine * (before + (tied + 1.0) / 2.0);
            ties += tied * tied * tied - tied;
            before += tied;
        }
        let all = one + two;
        let excess = ranks - one * (one + 1.0) / 2.0 - one * two / 2.0;
        let spread = (one * two / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)))).max(0.0).sqrt();
        let corrected = (excess.abs() - 0.5).max(0.0) * excess.signum();
        Some(Test::normal(if spread > 0.0 { corrected } else { 0.0 }, spread))
    }

    /// The time of a rank, from 0.
    fn at(&self, rank: i64) -> Option<i64> {
        let mut before = 0;
        for (seconds, count) in &self.0 {
            before += count;
            if rank < before {
                return Some(*seconds);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::means::fixture;
    use super::*;
    use proptest::prelude::*;

    #[expect(clippy::cast_possible_truncation, reason = "the fixture's times are whole seconds")]
    fn of(times: &[f64]) -> Times {
        let mut found = Times::default();
        times.iter().for_each(|seconds| found.add(*seconds as i64, 1));
        found
    }

    #[test]
    fn percentiles_are_those_of_numpy() {
        for row in fixture("percentiles") {
            let [times @ .., median, ninth, mean] = &row[..] else { panic!("figures") };
            let found = of(times);
            let near = |left: Option<f64>, right: f64| (left.expect("a value") - right).abs() < 1e-9;
            assert!(near(found.percentile(0.5), *median) && near(found.percentile(0.9), *ninth), "{row:?}");
            assert!(near(found.mean(), *mean));
        }
        assert_eq!((Times::default().percentile(0.5), Times::default().mean()), (None, None));
    }

    #[test]
    fn the_ranks_of_a_medians_interval_are_those_of_the_binomial() {
        // Conover, table A3 (n = 10, 16 and 20 at 0.95): ranks 2 and 9, 4 and 13, 6 and 15. Of five there is none.
        for (n, lower, upper) in [(10, 2.0, 9.0), (16, 4.0, 13.0), (20, 6.0, 15.0)] {
            let times: Vec<f64> = (1..=n).map(f64::from).collect();
            assert_eq!(of(&times).interval(0.95), Some(Interval { lower, upper }), "{n}");
        }
        assert_eq!(of(&[1.0, 2.0, 3.0, 4.0, 5.0]).interval(0.95), None);
    }

    #[test]
    fn times_are_told_apart_as_scipys_mann_whitney_does() {
        for row in fixture("mann_whitney") {
            let [times @ .., split, p] = &row[..] else { panic!("figures") };
            let (one, two): (Vec<_>, Vec<_>) = times
                .iter()
                .enumerate()
                .partition(|(place, _)| f64::from(u32::try_from(*place).expect("few")) < *split);
            let take =
                |times: Vec<(usize, &f64)>| of(&times.into_iter().map(|(_, seconds)| *seconds).collect::<Vec<_>>());
            let test = take(one).differs(&take(two)).expect("a test");
            assert!((test.p_value - p).abs() < 1e-9, "{test:?} {row:?}");
        }
    }

    proptest! {
        #[test]
        fn a_percentile_is_what_sorting_finds(mut times in prop::collection::vec(0..50_i64, 1..40), tenth in 0..=10_usize) {
            let mut found = Times::default();
            times.iter().for_each(|seconds| found.add(*seconds, 1));
            times.sort_unstable();
            if (times.len() - 1) * tenth % 10 == 0 {
                let expected = times[(times.len() - 1) * tenth / 10];
                let share = f64::from(u32::try_from(tenth).expect("few")) / 10.0;
                let value = found.percentile(share).expect("a value");
                prop_assert!((value - f64::from(i32::try_from(expected).expect("small"))).abs() < 1e-9);
            }
        }
    }
}
