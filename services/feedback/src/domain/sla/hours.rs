//! Time as the company's hours measure it.
//!
//! An instant is within the hours where the wall clock of the zone, read at that instant, says so. So an hour that summer
//! time repeats counts twice, and one that it leaves out not at all. What is walked are pieces of constant offset from
//! UTC: within one, wall time runs as UTC does.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use chrono::{Datelike as _, NaiveDate, Offset as _, TimeZone as _};
use chrono_tz::Tz;
use rapport_kernel::Timestamp;

use super::calendar::{Calendar, DAY, Span};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
/// A day of UTC: the pieces that are walked.
const PIECE: i64 = DAY as i64 * MINUTE;
/// How far ahead it is looked for hours that are not there: ten years.
const HORIZON: i64 = 3_653 * PIECE;

/// The hours of a calendar, ready to be walked.
#[derive(Clone, Debug)]
pub enum Hours {
    /// Around the clock.
    Always,
    /// Those of a calendar.
    Of(Box<Week>),
}

/// A week's hours in a zone, and the days that are unlike others.
#[derive(Clone, Debug)]
pub struct Week {
    zone: Tz,
    days: [Vec<Span>; 7],
    dated: BTreeMap<(i32, u8, u8), Vec<Span>>,
    yearly: BTreeMap<(u8, u8), Vec<Span>>,
}

impl Hours {
    /// Those of a calendar; `None` where its zone is none.
    #[must_use]
    pub fn of(calendar: &Calendar) -> Option<Self> {
        let zone = calendar.zone.parse().ok()?;
        let mut days: [Vec<Span>; 7] = Default::default();
        for shift in &calendar.hours {
            days.get_mut(usize::from(shift.weekday))?.push(shift.span);
        }
        days.iter_mut().for_each(|spans| spans.sort_unstable());
        let (mut dated, mut yearly) = (BTreeMap::new(), BTreeMap::new());
        for holiday in &calendar.holidays {
            let mut hours = holiday.hours.clone();
            hours.sort_unstable();
            match holiday.date.year {
                Some(year) => dated.insert((year, holiday.date.month, holiday.date.day), hours),
                None => yearly.insert((holiday.date.month, holiday.date.day), hours),
            };
        }
        Some(Self::Of(Box::new(Week { zone, days, dated, yearly })))
    }

    /// How much of the time from one instant to another lies within the hours.
    #[must_use]
    pub fn between(&self, from: Timestamp, until: Timestamp) -> Duration {
        match self {
            Self::Always => until.since(from),
            Self::Of(week) => {
                let spans = week.spans(from.micros()).take_while(|(start, _)| *start < until.micros());
                let micros: i64 = spans.map(|(start, end)| end.min(until.micros()) - start).sum();
                Duration::from_micros(u64::try_from(micros).unwrap_or(0))
            }
        }
    }

    /// The first instant at which as much time within the hours has passed since another; `None` where that is not so
    /// within ten years of hours that are closed.
    #[must_use]
    pub fn after(&self, from: Timestamp, amount: Duration) -> Option<Timestamp> {
        let Self::Of(week) = self else { return Some(from.plus(amount)) };
        let mut left = i64::try_from(amount.as_micros()).ok()?;
        if left == 0 {
            return Some(from);
        }
        for (start, end) in week.spans(from.micros()) {
            if end - start >= left {
                return Timestamp::from_micros(start + left);
            }
            left -= end - start;
        }
        None
    }
}

impl Week {
    /// The hours from an instant on, in order, as microseconds of UTC. They end ten years after the last one, or where
    /// time does.
    fn spans(&self, from: i64) -> Spans<'_> {
        Spans { week: self, at: from, last: from, ahead: VecDeque::new() }
    }

    fn offset(&self, at: i64) -> i64 {
        let at = Timestamp::from_column(at).to_chrono().naive_utc();
        i64::from(self.zone.offset_from_utc_datetime(&at).fix().local_minus_utc()) * SECOND
    }

    /// The first instant of a piece of time, to the second, at which the offset is not that of its beginning.
    fn change(&self, from: i64, until: i64) -> Option<i64> {
        let before = self.offset(from);
        if self.offset(until - 1) == before {
            return None;
        }
        let (mut same, mut other) = (from.div_euclid(SECOND), until.div_euclid(SECOND) + 1);
        while other - same > 1 {
            let middle = same.midpoint(other);
            if self.offset(middle * SECOND) == before { same = middle } else { other = middle }
        }
        Some((other * SECOND).clamp(from, until))
    }

    fn day(&self, date: NaiveDate) -> &[Span] {
        // A month and a day of the month fit a byte.
        let (month, day) = (date.month() as u8, date.day() as u8);
        let unlike = self.dated.get(&(date.year(), month, day)).or_else(|| self.yearly.get(&(month, day)));
        unlike.unwrap_or(&self.days[date.weekday().num_days_from_monday() as usize])
    }

    /// The hours of a piece of time of one offset.
    fn within(&self, from: i64, until: i64, out: &mut VecDeque<(i64, i64)>) {
        let offset = self.offset(from);
        for day in (from + offset).div_euclid(PIECE)..=(until + offset - 1).div_euclid(PIECE) {
            let date = i32::try_from(day).ok().and_then(NaiveDate::from_epoch_days);
            for span in date.map_or(&[][..], |date| self.day(date)) {
                let at = |minute: u16| (day * PIECE + i64::from(minute) * MINUTE - offset).clamp(from, until);
                let (start, end) = (at(span.from), at(span.until));
                if start < end {
                    out.push_back((start, end));
                }
            }
        }
    }
}

struct Spans<'a> {
    week: &'a Week,
    /// What is before it was walked.
    at: i64,
    /// The end of the last hours that were found.
    last: i64,
    ahead: VecDeque<(i64, i64)>,
}

impl Iterator for Spans<'_> {
    type Item = (i64, i64);

    fn next(&mut self) -> Option<(i64, i64)> {
        loop {
            if let Some(span) = self.ahead.pop_front() {
                self.last = span.1;
                return Some(span);
            }
            if self.at - self.last > HORIZON || self.at >= Timestamp::MAX.micros() - PIECE {
                return None;
            }
            let end = self.at + PIECE;
            let turn = self.week.change(self.at, end).unwrap_or(end);
            self.week.within(self.at, turn, &mut self.ahead);
            if turn < end {
                self.week.within(turn, end, &mut self.ahead);
            }
            self.at = end;
        }
    }
}

#[cfg(test)]
mod tests;
