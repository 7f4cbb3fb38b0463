//! Days, weeks, months and hours in a customer's zone, summer time and all.

use std::time::Duration;

use chrono::{DateTime, Datelike as _, Days, LocalResult, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _};
use chrono_tz::Tz;
use rapport_kernel::Timestamp;
use serde::{Deserialize, Serialize};

/// A stretch of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calendar {
    /// From midnight to midnight.
    Day,
    /// From Monday on.
    Week,
    /// From the first on.
    Month,
}

/// Hours of each day, in minutes after midnight: from the first on, until before the second, which lies on the next day
/// where it is not later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// From when.
    pub start: u32,
    /// Until when.
    pub end: u32,
}

/// A zone by its name.
#[must_use]
pub fn zone(name: &str) -> Option<Tz> {
    name.parse().ok()
}

impl Calendar {
    /// The longest it can be: a day of 25 hours and more, a month of 31 days.
    #[must_use]
    pub const fn longest(self) -> Duration {
        const DAY: u64 = 86_400;
        match self {
            Self::Day => Duration::from_secs(2 * DAY),
            Self::Week => Duration::from_secs(8 * DAY),
            Self::Month => Duration::from_secs(32 * DAY),
        }
    }

    /// The stretch that an instant lies in: from, until.
    #[must_use]
    pub fn around(self, at: Timestamp, zone: Tz) -> (Timestamp, Timestamp) {
        let day = local(at, zone).date();
        let (first, next) = match self {
            Self::Day => (Some(day), day.checked_add_days(Days::new(1))),
            Self::Week => {
                let monday = day.checked_sub_days(Days::new(u64::from(day.weekday().num_days_from_monday())));
                (monday, monday.and_then(|monday| monday.checked_add_days(Days::new(7))))
            }
            Self::Month => {
                let first = day.with_day(1);
                (first, first.and_then(|first| first.checked_add_months(Months::new(1))))
            }
        };
        let midnight =
            |day: Option<NaiveDate>, edge| day.map_or(edge, |day| instant(day.and_time(NaiveTime::MIN), zone));
        (midnight(first, Timestamp::MIN), midnight(next, Timestamp::MAX))
    }
}

impl Hours {
    /// From "22:00" and "07:30".
    #[must_use]
    pub fn parse(start: &str, end: &str) -> Option<Self> {
        let minutes = |text: &str| {
            let (hours, minutes) = text.split_once(':')?;
            let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
            (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
        };
        Some(Self { start: minutes(start)?, end: minutes(end)? })
    }

    /// Where an instant lies within the hours: when they end. Hours of a whole day never do.
    #[must_use]
    pub fn ends(self, at: Timestamp, zone: Tz) -> Option<Option<Timestamp>> {
        if self.start == self.end {
            return Some(None);
        }
        let day = local(at, zone).date();
        // Those that began yesterday may still last.
        [day.pred_opt(), Some(day)].into_iter().flatten().find_map(|day| {
            let until = if self.end > self.start { Some(day) } else { day.succ_opt() };
            let (from, until) = (at_minute(day, self.start, zone)?, at_minute(until?, self.end, zone)?);
            (from <= at && at < until).then_some(Some(until))
        })
    }
}

fn at_minute(day: NaiveDate, minutes: u32, zone: Tz) -> Option<Timestamp> {
    Some(instant(day.and_time(NaiveTime::from_hms_opt(minutes / 60, minutes % 60, 0)?), zone))
}

fn local(at: Timestamp, zone: Tz) -> NaiveDateTime {
    at.to_chrono().with_timezone(&zone).naive_local()
}

/// The instant of a local time: of one that comes twice the first; of one that is skipped, the end of the gap.
fn instant(local: NaiveDateTime, zone: Tz) -> Timestamp {
    let at = |time: DateTime<Tz>| Timestamp::from_micros(time.timestamp_micros()).unwrap_or(Timestamp::MAX);
    // No gap is longer than a day (Samoa, 2011).
    (0..=96)
        .find_map(|quarters| match zone.from_local_datetime(&(local + chrono::Duration::minutes(15 * quarters))) {
            LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => Some(at(time)),
            LocalResult::None => None,
        })
        .unwrap_or(Timestamp::MAX)
}
