//! A calendar: the hours of each week, and the days that are unlike others.

use chrono::NaiveDate;
use rapport_kernel::Id;
use serde::{Deserialize, Serialize};

/// A calendar's id.
pub type CalendarId = Id<Calendar>;

/// The minutes of a day.
pub const DAY: u16 = 24 * 60;

/// When the company is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// Its name.
    pub name: String,
    /// The time zone (IANA).
    pub zone: String,
    /// The hours of each week.
    pub hours: Vec<Shift>,
    /// Days unlike others.
    pub holidays: Vec<Holiday>,
}

/// Hours of one day of each week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shift {
    /// The day: 0 is Monday.
    pub weekday: u8,
    /// Its hours.
    pub span: Span,
}

/// Minutes of a day, from one on until before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// From this minute of the day on.
    pub from: u16,
    /// Until before this one; [`DAY`] is the day's end.
    pub until: u16,
}

/// A day unlike others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holiday {
    /// Which.
    pub date: DayOfYear,
    /// What day it is, for people.
    pub name: String,
    /// Its hours; none: closed.
    pub hours: Vec<Span>,
}

/// A day of one year, or of every year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DayOfYear {
    /// The year; `None`: every one.
    pub year: Option<i32>,
    /// The month, from 1.
    pub month: u8,
    /// The day of the month, from 1.
    pub day: u8,
}

impl Span {
    /// From a time of day on until before another; `None` where they are none, or the later one is not later.
    #[must_use]
    pub fn read(start: &str, end: &str) -> Option<Self> {
        let (from, until) = (minute(start)?, minute(end)?);
        (from < until && from < DAY).then_some(Self { from, until })
    }

    /// Its start and end as times of day.
    #[must_use]
    pub fn write(self) -> (String, String) {
        let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        (time(self.from), time(self.until))
    }

    /// Whether any of them share a minute.
    #[must_use]
    pub fn overlap(spans: &[Self]) -> bool {
        let mut sorted = spans.to_vec();
        sorted.sort_unstable();
        sorted.windows(2).any(|two| two[1].from < two[0].until)
    }
}

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let minute = hours.checked_mul(60)?.checked_add(minutes)?;
    (minutes < 60 && minute <= DAY).then_some(minute)
}

impl DayOfYear {
    /// Reads `2026-12-25` or `12-25`; `None` where there is no such day (in any year).
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('-').collect();
        let (year, month, day) = match parts[..] {
            [year, month, day] => (Some(year.parse().ok()?), month, day),
            [month, day] => (None, month, day),
            _ => return None,
        };
        let (month, day): (u8, u8) = (month.parse().ok()?, day.parse().ok()?);
        // 29 February is a day of every leap year.
        NaiveDate::from_ymd_opt(year.unwrap_or(2_000), month.into(), day.into())?;
        Some(Self { year, month, day })
    }

    /// As it is read.
    #[must_use]
    pub fn write(self) -> String {
        match self.year {
            Some(year) => format!("{year:04}-{:02}-{:02}", self.month, self.day),
            None => format!("{:02}-{:02}", self.month, self.day),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_dates_are_read_as_they_are_written() {
        assert_eq!(Span::read("09:00", "17:30").map(Span::write), Some(("09:00".to_owned(), "17:30".to_owned())));
        assert_eq!(Span::read("00:00", "24:00"), Some(Span { from: 0, until: DAY }));
        for (start, end) in [("17:00", "09:00"), ("09:00", "09:00"), ("9", "10:00"), ("09:60", "10:00")] {
            assert_eq!(Span::read(start, end), None, "{start} to {end}");
        }
        for text in ["2026-12-25", "12-25", "02-29", "2024-02-29"] {
            assert_eq!(DayOfYear::read(text).map(DayOfYear::write).as_deref(), Some(text));
        }
        for text in ["2026-02-29", "13-01", "02-30", "2026-12", "x-y"] {
            assert_eq!(DayOfYear::read(text), None, "{text}");
        }
    }

    #[test]
    fn shifts_may_touch_but_not_overlap() {
        let span = |from, until| Span { from, until };
        assert!(!Span::overlap(&[span(600, 700), span(500, 600)]));
        assert!(Span::overlap(&[span(600, 700), span(699, 800)]));
    }
}
