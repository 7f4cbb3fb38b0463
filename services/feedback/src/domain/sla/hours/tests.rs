//! Business time against a minute-by-minute count, its laws, and another implementation's answers.

use chrono::{DateTime, Timelike as _, Utc};
use proptest::prelude::*;

use super::*;
use crate::domain::sla::calendar::{DayOfYear, Holiday, Shift};

/// Zones with summer time in both halves of the year, with changes of half an hour, and with none.
const ZONES: [&str; 8] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Tehran",
    "America/St_Johns",
    "Africa/Casablanca",
    "Pacific/Apia",
    "UTC",
];

fn at(text: &str) -> Timestamp {
    text.parse::<DateTime<Utc>>().expect("an instant").into()
}

fn span() -> impl Strategy<Value = Span> {
    (0_u16..DAY, 1_u16..=DAY).prop_map(|(from, length)| Span { from, until: (from + length).min(DAY) })
}

fn apart(spans: Vec<Span>) -> Vec<Span> {
    let mut kept: Vec<Span> = Vec::new();
    for span in spans {
        if !Span::overlap(&[kept.clone(), vec![span]].concat()) {
            kept.push(span);
        }
    }
    kept
}

fn calendar() -> impl Strategy<Value = Calendar> {
    let days = proptest::collection::vec(proptest::collection::vec(span(), 0..3).prop_map(apart), 7);
    let hours = proptest::collection::vec(span(), 0..2).prop_map(apart);
    let holiday = (proptest::option::of(2010_i32..2014), 1_u8..13, 1_u8..29, hours);
    let holidays = proptest::collection::vec(holiday, 0..40);
    (0..ZONES.len(), days, holidays).prop_map(|(zone, days, holidays)| {
        let days = (0_u8..).zip(days);
        let hours = days.flat_map(|(weekday, spans)| spans.into_iter().map(move |span| Shift { weekday, span }));
        let holidays = holidays.into_iter().map(|(year, month, day, hours)| {
            let date = DayOfYear { year, month, day };
            (date, Holiday { date, name: String::new(), hours })
        });
        let holidays: BTreeMap<DayOfYear, Holiday> = holidays.collect();
        let zone = ZONES[zone].to_owned();
        Calendar { name: String::new(), zone, hours: hours.collect(), holidays: holidays.into_values().collect() }
    })
}

/// Whether the wall clock says that the company is there: by the calendar's words alone.
fn is_open(calendar: &Calendar, at: Timestamp) -> bool {
    let zone: Tz = calendar.zone.parse().expect("a zone");
    let wall = at.to_chrono().with_timezone(&zone);
    let minute = u16::try_from(wall.hour() * 60 + wall.minute()).expect("a minute of a day");
    let named = |year| {
        let date = DayOfYear { year, month: wall.month() as u8, day: wall.day() as u8 };
        calendar.holidays.iter().find(|holiday| holiday.date == date)
    };
    let within = |span: &Span| (span.from..span.until).contains(&minute);
    match named(Some(wall.year())).or_else(|| named(None)) {
        Some(holiday) => holiday.hours.iter().any(within),
        None => {
            let weekday = wall.weekday().num_days_from_monday();
            calendar.hours.iter().any(|shift| u32::from(shift.weekday) == weekday && within(&shift.span))
        }
    }
}

/// An instant on a whole minute of some days about one on which clocks are often changed, or of any.
fn instant() -> impl Strategy<Value = Timestamp> {
    // Ends of March, April, September and October, of which each zone has one; the day that Apia left out.
    let near = ["2011-12-30T10:00:00Z", "2012-03-25T01:00:00Z", "2012-04-01T00:00:00Z", "2012-10-28T01:00:00Z"]
        .into_iter()
        .chain(["2012-09-30T00:00:00Z", "2012-03-11T07:00:00Z", "2012-11-04T06:00:00Z", "2012-06-15T00:00:00Z"]);
    let near: Vec<i64> = near.map(|text| at(text).micros()).collect();
    (proptest::sample::select(near), -2_880_i64..2_880)
        .prop_map(|(near, minutes)| Timestamp::from_column(near + minutes * MINUTE))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn time_between_is_what_a_count_of_minutes_says(calendar in calendar(), from in instant(), minutes in 0_i64..4_000) {
        let hours = Hours::of(&calendar).expect("a zone");
        let until = Timestamp::from_column(from.micros() + minutes * MINUTE);
        let minute = |count: i64| Timestamp::from_column(from.micros() + count * MINUTE);
        let open = (0..minutes).filter(|count| is_open(&calendar, minute(*count))).count();
        prop_assert_eq!(hours.between(from, until), Duration::from_secs(open as u64 * 60));
    }

    #[test]
    fn time_after_is_the_first_instant_at_which_so_much_has_passed(
        calendar in calendar(), from in instant(), seconds in 1_u64..200_000
    ) {
        let (hours, amount) = (Hours::of(&calendar).expect("a zone"), Duration::from_secs(seconds));
        match hours.after(from, amount) {
            Some(due) => {
                prop_assert_eq!(hours.between(from, due), amount);
                let just_before = Timestamp::from_column(due.micros() - 1);
                prop_assert!(hours.between(from, just_before) < amount);
            }
            None => {
                let years = from.plus(Duration::from_secs(8 * 365 * 86_400));
                prop_assert!(hours.between(from, years) < amount);
            }
        }
    }

    #[test]
    fn time_adds_up_wherever_it_is_cut(
        calendar in calendar(), from in instant(), first in 0_u64..300_000_000_000, second in 0_u64..300_000_000_000
    ) {
        let hours = Hours::of(&calendar).expect("a zone");
        let middle = from.plus(Duration::from_micros(first));
        let end = middle.plus(Duration::from_micros(second));
        prop_assert_eq!(hours.between(from, middle) + hours.between(middle, end), hours.between(from, end));
    }
}

#[test]
fn around_the_clock_is_plain_time_and_never_open_is_never() {
    let (from, hour) = (at("2026-03-29T00:30:00Z"), Duration::from_secs(3_600));
    assert_eq!(Hours::Always.after(from, hour), Some(from.plus(hour)));
    assert_eq!(Hours::Always.between(from, from.plus(hour)), hour);
    let closed = Calendar { name: String::new(), zone: "UTC".to_owned(), hours: Vec::new(), holidays: Vec::new() };
    let closed = Hours::of(&closed).expect("a zone");
    assert_eq!((closed.after(from, hour), closed.between(from, from.plus(hour))), (None, Duration::ZERO));
}

#[test]
fn hours_are_as_python_businesstimedelta_counts_them() {
    #[derive(serde::Deserialize)]
    struct Case {
        zone: String,
        hours: Vec<(u8, String, String)>,
        holidays: Vec<String>,
        from: String,
        until: String,
        seconds: u64,
    }
    let cases: Vec<Case> = serde_json::from_str(include_str!("businesstimedelta.json")).expect("the fixture");
    assert!(cases.len() >= 300, "{}", cases.len());
    for case in cases {
        let shift = |(weekday, start, end): &(u8, String, String)| Shift {
            weekday: *weekday,
            span: Span::read(start, end).expect("hours"),
        };
        let holiday = |date: &String| {
            let date = DayOfYear::read(date).expect("a date");
            Holiday { date, name: String::new(), hours: Vec::new() }
        };
        let calendar = Calendar {
            name: String::new(),
            zone: case.zone.clone(),
            hours: case.hours.iter().map(shift).collect(),
            holidays: case.holidays.iter().map(holiday).collect(),
        };
        let hours = Hours::of(&calendar).expect("a zone");
        let between = hours.between(at(&case.from), at(&case.until)).as_secs();
        assert_eq!(between, case.seconds, "{} from {} to {}", case.zone, case.from, case.until);
    }
}
