//! How time is cut, in UTC. Facts and cells carry their hour and their month, and a cut's number is plain integer
//! arithmetic over the two, so that both engines and this file cannot disagree about a calendar.

use std::time::Duration;

use chrono::{Datelike as _, NaiveDate};
use rapport_kernel::Timestamp;

const HOUR_MICROS: i64 = 3_600_000_000;
const DAY_HOURS: i64 = 24;
const WEEK_HOURS: i64 = 168;
/// Added before hours are divided into days: whole days, and more hours than lie between the contract's earliest instant
/// and 1970, so that both engines' division, which rounds towards zero, rounds down.
const DAY_SHIFT: i64 = DAY_HOURS * 800_000;
/// The same for weeks; three days besides, since 1970-01-01 was a Thursday and weeks begin on Monday.
const WEEK_SHIFT: i64 = WEEK_HOURS * 120_000 + 3 * DAY_HOURS;

/// A half-open period of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first instant in it.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}

/// How long a cut is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A week, from Monday.
    Week,
    /// A month.
    Month,
}

/// The hours since 1970 before the one that `at` lies in (negative before 1970).
#[must_use]
pub const fn hour_of(at: Timestamp) -> i64 {
    at.micros().div_euclid(HOUR_MICROS)
}

/// The month of an hour: 12 · year + the months of the year before it.
#[must_use]
pub fn month_of(hour: i64) -> i64 {
    let day = Timestamp::from_column(hour.saturating_mul(HOUR_MICROS)).to_chrono();
    i64::from(day.year()) * 12 + i64::from(day.month0())
}

/// The first instant of an hour.
#[must_use]
pub const fn hour_start(hour: i64) -> Timestamp {
    Timestamp::from_column(hour.saturating_mul(HOUR_MICROS))
}

impl Grain {
    /// The number of the cut that an hour lies in. Later cuts have greater numbers.
    #[must_use]
    pub fn cut_of(self, hour: i64) -> i64 {
        match self {
            Self::Hour => hour,
            Self::Day => (hour + DAY_SHIFT) / DAY_HOURS,
            Self::Week => (hour + WEEK_SHIFT) / WEEK_HOURS,
            Self::Month => month_of(hour),
        }
    }

    /// The same in SQL, over the columns `hour` and `month`.
    #[must_use]
    pub fn expression(self) -> String {
        match self {
            Self::Hour => "hour".to_owned(),
            Self::Day => format!("((hour + {DAY_SHIFT}) / {DAY_HOURS})"),
            Self::Week => format!("((hour + {WEEK_SHIFT}) / {WEEK_HOURS})"),
            Self::Month => "month".to_owned(),
        }
    }

    /// The first instant of a cut.
    #[must_use]
    pub fn start(self, cut: i64) -> Timestamp {
        match self {
            Self::Hour => hour_start(cut),
            Self::Day => hour_start(cut * DAY_HOURS - DAY_SHIFT),
            Self::Week => hour_start(cut * WEEK_HOURS - WEEK_SHIFT),
            Self::Month => {
                let year = i32::try_from(cut.div_euclid(12)).unwrap_or(i32::MAX);
                let month = u32::try_from(cut.rem_euclid(12)).expect("0 to 11") + 1;
                NaiveDate::from_ymd_opt(year, month, 1)
                    .and_then(|day| day.and_hms_opt(0, 0, 0))
                    .map_or(Timestamp::MAX, |at| at.and_utc().into())
            }
        }
    }

    /// How many cuts a period touches.
    #[must_use]
    pub fn count(self, period: Period) -> i64 {
        let last = period.end.minus(Duration::from_micros(1));
        self.cut_of(hour_of(last)) - self.cut_of(hour_of(period.start)) + 1
    }
}

impl Period {
    /// All time.
    pub const ALL: Self = Self { start: Timestamp::MIN, end: Timestamp::MAX };

    /// The part before an instant, and the part from it on; nothing where there is none.
    #[must_use]
    pub fn parted(self, at: Timestamp) -> (Option<Self>, Option<Self>) {
        let some = |start: Timestamp, end: Timestamp| (start < end).then_some(Self { start, end });
        (some(self.start, self.end.min(at)), some(self.start.max(at), self.end))
    }

    /// The hours that lie in it as a whole, from the first to before the last, and what is left at its ends. Where no
    /// whole hour lies in it, all of it is left.
    #[must_use]
    pub fn split(self) -> (std::ops::Range<i64>, Vec<Self>) {
        let from = hour_of(self.start) + i64::from(self.start != hour_start(hour_of(self.start)));
        let to = hour_of(self.end);
        if from >= to {
            return (0..0, vec![self]);
        }
        let ends = [Self { start: self.start, end: hour_start(from) }, Self { start: hour_start(to), end: self.end }];
        (from..to, ends.into_iter().filter(|end| end.start < end.end).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        chrono::DateTime::parse_from_rfc3339(text).expect("a time").to_utc().into()
    }

    #[test]
    fn cuts_begin_where_the_calendar_says() {
        // 2024-02-29 was a Thursday.
        let instant = at("2024-02-29T13:45:10Z");
        for (grain, start) in [
            (Grain::Hour, "2024-02-29T13:00:00Z"),
            (Grain::Day, "2024-02-29T00:00:00Z"),
            (Grain::Week, "2024-02-26T00:00:00Z"),
            (Grain::Month, "2024-02-01T00:00:00Z"),
        ] {
            assert_eq!(grain.start(grain.cut_of(hour_of(instant))), at(start));
        }
        let before = at("1969-12-28T23:59:59Z");
        assert_eq!(Grain::Week.start(Grain::Week.cut_of(hour_of(before))), at("1969-12-22T00:00:00Z"));
        assert_eq!(Grain::Day.start(Grain::Day.cut_of(hour_of(Timestamp::MIN))), Timestamp::MIN);
    }

    #[test]
    fn a_period_touches_the_cuts_it_lies_in() {
        let period = Period { start: at("2024-01-31T23:00:00Z"), end: at("2024-03-01T00:00:00Z") };
        assert_eq!([Grain::Day, Grain::Week, Grain::Month].map(|grain| grain.count(period)), [30, 5, 2]);
    }

    #[test]
    fn a_period_is_parted_at_an_instant() {
        let period =
            |start: i64, end: i64| Period { start: Timestamp::from_column(start), end: Timestamp::from_column(end) };
        let parted = |at: i64| period(10, 20).parted(Timestamp::from_column(at));
        assert_eq!(parted(15), (Some(period(10, 15)), Some(period(15, 20))));
        assert_eq!(parted(10), (None, Some(period(10, 20))));
        assert_eq!(parted(99), (Some(period(10, 20)), None));
    }

    proptest! {
        #[test]
        fn a_cut_starts_at_or_before_what_lies_in_it_and_the_next_after_it(
            micros in Timestamp::MIN.micros()..Timestamp::MAX.micros() - 40 * 24 * HOUR_MICROS
        ) {
            let instant = Timestamp::from_column(micros);
            for grain in [Grain::Hour, Grain::Day, Grain::Week, Grain::Month] {
                let cut = grain.cut_of(hour_of(instant));
                // The week of the earliest instant begins before it, and is brought to the bound.
                prop_assert!(grain.start(cut) <= instant);
                prop_assert!(instant < grain.start(cut + 1));
            }
        }

        #[test]
        fn a_split_period_is_whole(start in -10 * HOUR_MICROS..10 * HOUR_MICROS, length in 1..10 * HOUR_MICROS) {
            let period = Period { start: Timestamp::from_column(start), end: Timestamp::from_column(start + length) };
            let (hours, ends) = period.split();
            let ended: i64 = ends.iter().map(|end| end.end.micros() - end.start.micros()).sum();
            prop_assert_eq!((hours.end - hours.start) * HOUR_MICROS + ended, length);
        }
    }
}
