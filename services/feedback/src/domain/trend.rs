//! Trends: the periods of a time, and whether two shares differ by more than chance.

use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, NaiveTime, TimeZone as _};
use chrono_tz::Tz;
use rapport_kernel::Timestamp;

/// How many periods a trend has at most.
pub const MOST_PERIODS: usize = 400;

/// How long a period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// A day of the zone.
    Day,
    /// A week from Monday.
    Week,
    /// A month.
    Month,
}

impl Period {
    /// The day on which the period of a day begins.
    fn first(self, day: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Day => Some(day),
            Self::Week => day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into())),
            Self::Month => day.with_day(1),
        }
    }

    fn next(self, first: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Day => first.checked_add_days(Days::new(1)),
            Self::Week => first.checked_add_days(Days::new(7)),
            Self::Month => first.checked_add_months(Months::new(1)),
        }
    }

    /// The periods of a time, the first and the last cut to it; none where they are too many.
    #[must_use]
    pub fn of(self, start: Timestamp, end: Timestamp, zone: Tz) -> Option<Vec<(Timestamp, Timestamp)>> {
        let mut first = self.first(start.to_chrono().with_timezone(&zone).date_naive())?;
        let (mut at, mut periods) = (start, Vec::new());
        while at < end {
            if periods.len() == MOST_PERIODS {
                return None;
            }
            first = self.next(first)?;
            let next = begins(zone, first)?.min(end);
            if next > at {
                periods.push((at, next));
                at = next;
            }
        }
        Some(periods)
    }
}

/// When a day begins in a zone: where the clock leaves midnight out, with the first minute that there is.
fn begins(zone: Tz, day: NaiveDate) -> Option<Timestamp> {
    let midnight = day.and_time(NaiveTime::MIN);
    let earliest = |minute: i64| {
        let local = midnight.checked_add_signed(chrono::TimeDelta::minutes(minute))?;
        zone.from_local_datetime(&local).earliest().map(|at: DateTime<Tz>| at.timestamp_micros())
    };
    (0..24 * 60).find_map(earliest).and_then(Timestamp::from_micros)
}

/// How many of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How many are so.
    pub count: u64,
    /// Of how many.
    pub all: u64,
}

impl Share {
    /// The share; 0 of nothing.
    #[must_use]
    pub fn value(self) -> f64 {
        if self.all == 0 { 0.0 } else { real(self.count) / real(self.all) }
    }

    /// By which share it is more than it was before; none where it was nothing. Exact where nothing changed.
    #[must_use]
    pub fn growth(self, before: Self) -> Option<f64> {
        if before.count == 0 {
            return None;
        }
        // Of equal shares these are equal integers.
        let (now, then) = (real(self.count * before.all), real(before.count * self.all));
        Some(if self.all == 0 { -1.0 } else { (now - then) / then })
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of texts are far below 2^52")]
const fn real(count: u64) -> f64 {
    count as f64
}

/// How likely two shares would differ so much by chance, and whether that is significant: below 0.05 with at least five
/// expected in each cell. The two-sided two-proportion z-test with the pooled share; none where it says nothing.
#[must_use]
pub fn compare(now: Share, before: Share) -> Option<(f64, bool)> {
    let all = now.all + before.all;
    let count = now.count + before.count;
    if now.all == 0 || before.all == 0 || count == 0 || count == all {
        return None;
    }
    let pooled = real(count) / real(all);
    let error = (pooled * (1.0 - pooled) * (1.0 / real(now.all) + 1.0 / real(before.all))).sqrt();
    let apart = real(now.count * before.all) - real(before.count * now.all);
    let z = apart / real(now.all * before.all) / error;
    let p = erfc(z.abs() / std::f64::consts::SQRT_2);
    let least = real(now.all.min(before.all)) * pooled.min(1.0 - pooled);
    Some((p, p < 0.05 && least >= 5.0))
}

/// The complementary error function of what is not negative, to 1.2e-7: W. H. Press et al., Numerical Recipes, 6.2.
fn erfc(x: f64) -> f64 {
    const C: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let t = 1.0 / (1.0 + 0.5 * x);
    let series = C.iter().rev().fold(0.0, |sum, c| sum * t + c);
    t * (-x * x + series).exp()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        let at = DateTime::parse_from_rfc3339(text).expect("an instant");
        Timestamp::from_micros(at.timestamp_micros()).expect("within time")
    }

    #[test]
    fn periods_are_those_of_the_zone_and_cut_at_both_ends() {
        let zone: Tz = "Europe/Bucharest".parse().expect("a zone");
        let days = Period::Day.of(at("2026-03-28T12:00:00Z"), at("2026-03-30T12:00:00Z"), zone).expect("few");
        let bounds: Vec<Timestamp> = days.iter().map(|(start, _)| *start).collect();
        // On the 29th summer time begins.
        let expected = ["2026-03-28T12:00:00Z", "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"].map(at);
        assert_eq!(bounds, expected);
        assert_eq!(days.last().expect("three").1, at("2026-03-30T12:00:00Z"));
        let weeks = Period::Week.of(at("2026-11-18T00:00:00Z"), at("2026-12-01T00:00:00Z"), Tz::UTC).expect("few");
        assert_eq!(
            weeks.iter().map(|(start, _)| *start).collect::<Vec<_>>(),
            [at("2026-11-18T00:00:00Z"), at("2026-11-23T00:00:00Z"), at("2026-11-30T00:00:00Z")]
        );
        let months = Period::Month.of(at("2026-01-31T00:00:00Z"), at("2026-04-01T00:00:00Z"), Tz::UTC).expect("few");
        assert_eq!(months.len(), 3);
        assert!(Period::Day.of(at("2020-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"), Tz::UTC).is_none());
    }

    #[test]
    fn an_equal_share_has_not_grown_by_a_hair() {
        for all in 1..200 {
            for count in 1..=all {
                let (now, before) = (Share { count, all }, Share { count: count * 3, all: all * 3 });
                assert_eq!(now.growth(before), Some(0.0), "{count} of {all}");
                assert!(compare(now, before).is_none_or(|(p, _)| (p - 1.0).abs() < 1e-6), "{count} of {all}");
            }
        }
        let (half, none) = (Share { count: 1, all: 2 }, Share { count: 0, all: 2 });
        assert_eq!(half.growth(none), None);
        assert_eq!((none.growth(half), Share::default().growth(half)), (Some(-1.0), Some(-1.0)));
        assert_eq!(half.growth(Share { count: 1, all: 4 }), Some(1.0));
    }

    #[test]
    fn the_test_of_two_shares_gives_what_tables_give() {
        // 45 of 100 against 30 of 100: z = 2.19089, p = 0.028460 (R: prop.test without correction).
        let (p, significant) = compare(Share { count: 45, all: 100 }, Share { count: 30, all: 100 }).expect("it says");
        assert!((p - 0.028_460).abs() < 1e-5 && significant, "{p}");
        let (p, significant) = compare(Share { count: 3, all: 10 }, Share { count: 0, all: 10 }).expect("it says");
        assert!((p - 0.060_289).abs() < 1e-4 && !significant, "{p}");
        assert_eq!(compare(Share { count: 0, all: 10 }, Share { count: 0, all: 10 }), None);
        assert_eq!(compare(Share { count: 1, all: 10 }, Share::default()), None);
    }

    proptest! {
        #[test]
        fn periods_cover_the_time_without_gaps(
            start in 0_i64..4_000_000_000, length in 1_i64..30_000_000, period in 0..3_usize, zone in 0..4_usize,
        ) {
            let zone: Tz = ["UTC", "Asia/Tehran", "America/Sao_Paulo", "Africa/Cairo"][zone].parse().expect("a zone");
            let period = [Period::Day, Period::Week, Period::Month][period];
            let time = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000).expect("within time");
            let (start, end) = (time(start), time(start + length));
            let periods = period.of(start, end, zone).expect("not too many");
            prop_assert_eq!(periods.first().map(|(at, _)| *at), Some(start));
            prop_assert_eq!(periods.last().map(|(_, at)| *at), Some(end));
            prop_assert!(periods.windows(2).all(|two| two[0].1 == two[1].0));
            prop_assert!(periods.iter().all(|(from, until)| from < until));
        }
    }
}
