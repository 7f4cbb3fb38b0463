//! How a segment grows and shrinks: entries and exits by period. Founding members were not won, so they are in no period's
//! entries; where they leave, it counts.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Months, NaiveDate, TimeDelta, Utc};
use rapport_kernel::Timestamp;

/// The length of a period. They are those of UTC; weeks begin on Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// A day.
    Day,
    /// A week.
    Week,
    /// A month.
    Month,
}

/// A segment's counts: by day (since 1970), between a start and an end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Members at the start; founding members of a segment that was made later among them.
    pub at_start: i64,
    /// Entries, but for founding members.
    pub entries: BTreeMap<i64, i64>,
    /// Exits.
    pub exits: BTreeMap<i64, i64>,
}

/// A period's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it begins.
    pub start: Timestamp,
    /// Where it ends; the end is not in it.
    pub end: Timestamp,
    /// Entries.
    pub entries: i64,
    /// Exits.
    pub exits: i64,
    /// Members at its end.
    pub members: i64,
}

/// The periods between two instants, the first and the last cut by them; at most `most`, `None` where there are more.
#[must_use]
pub fn periods(start: Timestamp, end: Timestamp, period: Period, most: usize) -> Option<Vec<(Timestamp, Timestamp)>> {
    let mut found = Vec::new();
    let mut at = start;
    while at < end {
        if found.len() == most {
            return None;
        }
        let next = next(at, period).min(end);
        found.push((at, next));
        at = next;
    }
    Some(found)
}

/// Where the period after the one that an instant lies in begins.
fn next(at: Timestamp, period: Period) -> Timestamp {
    let day = at.to_chrono().date_naive();
    let next = match period {
        Period::Day => day.checked_add_signed(TimeDelta::days(1)),
        Period::Week => {
            let since = i64::from(day.weekday().num_days_from_monday());
            day.checked_add_signed(TimeDelta::days(7 - since))
        }
        Period::Month => day.with_day(1).and_then(|first| first.checked_add_months(Months::new(1))),
    };
    next.map_or(Timestamp::MAX, midnight)
}

fn midnight(day: NaiveDate) -> Timestamp {
    let at = day.and_hms_opt(0, 0, 0).map(|at| DateTime::<Utc>::from_naive_utc_and_offset(at, Utc));
    at.map_or(Timestamp::MAX, Timestamp::from)
}

/// The figures of each period.
#[must_use]
pub fn lines(counts: &Counts, periods: &[(Timestamp, Timestamp)]) -> Vec<Line> {
    let day = |at: Timestamp| at.parts().0.div_euclid(86_400);
    // Where start and end cut a day, the counts of that day are of the part between them.
    let within = |days: &BTreeMap<i64, i64>, first: i64, last: i64| {
        days.range(first..=last).map(|(_, count)| count).sum::<i64>()
    };
    let mut members = counts.at_start;
    let mut lines = Vec::with_capacity(periods.len());
    for (start, end) in periods {
        let last = day(end.minus(std::time::Duration::from_micros(1)));
        let (entries, exits) = (within(&counts.entries, day(*start), last), within(&counts.exits, day(*start), last));
        members += entries - exits;
        lines.push(Line { start: *start, end: *end, entries, exits, members });
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).expect("in range")
    }

    proptest! {
        #[test]
        fn periods_cover_all_from_start_to_end_once(start in 0_i64..4_000_000_000_000_000, days in 1_i64..300, kind in 0..3) {
            let period = [Period::Day, Period::Week, Period::Month][usize::try_from(kind).expect("small")];
            let (start, end) = (at(start), at(start + days * 86_400_000_000 - 7));
            let periods = periods(start, end, period, 400).expect("few");
            prop_assert_eq!(periods.first().map(|first| first.0), Some(start));
            prop_assert_eq!(periods.last().map(|last| last.1), Some(end));
            prop_assert!(periods.windows(2).all(|pair| pair[0].1 == pair[1].0));
        }

        #[test]
        fn members_at_the_end_are_those_at_the_start_and_the_growth(
            entries in proptest::collection::btree_map(100_i64..160, 0_i64..9, 0..20),
            exits in proptest::collection::btree_map(100_i64..160, 0_i64..9, 0..20),
        ) {
            let counts = Counts { at_start: 500, entries, exits };
            let day = |day: i64| at(day * 86_400_000_000);
            let lines = lines(&counts, &periods(day(100), day(160), Period::Week, 400).expect("few"));
            let grown = counts.entries.values().sum::<i64>() - counts.exits.values().sum::<i64>();
            prop_assert_eq!(lines.last().map(|line| line.members), Some(500 + grown));
        }
    }

    #[test]
    fn a_week_begins_on_monday_and_a_month_on_its_first() {
        let thursday = at(1_750_000_000_000_000);
        assert_eq!(next(thursday, Period::Week).to_string(), "2025-06-16T00:00:00Z");
        assert_eq!(next(thursday, Period::Month).to_string(), "2025-07-01T00:00:00Z");
    }
}
