//! Texts: how instants, durations, zones and numbers are read from text and written to it.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDateTime, Timelike};
use chrono_tz::Tz;
use rapport_kernel::Timestamp;

use crate::number;
use crate::program::Part;

/// A time zone: an IANA name, or a fixed offset as `+02:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zone {
    Fixed(FixedOffset),
    Named(Tz),
}

impl Zone {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Ok(zone) = text.parse::<Tz>() {
            return Some(Self::Named(zone));
        }
        let (sign, rest) = match text.as_bytes().first()? {
            b'-' => (-1, &text[1..]),
            b'+' => (1, &text[1..]),
            _ => (1, text),
        };
        let (hours, minutes) = rest.split_once(':')?;
        let part = |text: &str, most: i32| {
            let two_digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<i32>().ok().filter(|value| two_digits && *value <= most)
        };
        let seconds = sign * (part(hours, 23)? * 3_600 + part(minutes, 59)? * 60);
        FixedOffset::east_opt(seconds).map(Self::Fixed)
    }

    fn local(self, at: Timestamp) -> NaiveDateTime {
        match self {
            Self::Fixed(zone) => at.to_chrono().with_timezone(&zone).naive_local(),
            Self::Named(zone) => at.to_chrono().with_timezone(&zone).naive_local(),
        }
    }
}

/// A part of an instant; without a zone, in UTC.
pub(crate) fn part(part: Part, at: Timestamp, zone: Option<Zone>) -> i64 {
    let local = zone.map_or_else(|| at.to_chrono().naive_utc(), |zone| zone.local(at));
    match part {
        Part::FullYear => i64::from(local.year()),
        Part::Month => i64::from(local.month0()),
        Part::Date => i64::from(local.day()),
        Part::DayOfMonth => i64::from(local.day0()),
        Part::DayOfWeek => i64::from(local.weekday().num_days_from_sunday()),
        Part::DayOfYear => i64::from(local.ordinal0()),
        Part::Hours => i64::from(local.hour()),
        Part::Minutes => i64::from(local.minute()),
        Part::Seconds => i64::from(local.second()),
        Part::Milliseconds => i64::from(local.nanosecond() / 1_000_000),
    }
}

/// RFC 3339, cut to the microsecond.
pub(crate) fn parse_timestamp(text: &str) -> Option<Timestamp> {
    // chrono also takes a blank and small letters, and a leap second; CEL takes none of them.
    let bytes = text.as_bytes();
    if bytes.get(10) != Some(&b'T') || bytes.get(17..19) == Some(b"60") || text.ends_with('z') {
        return None;
    }
    Timestamp::from_micros(DateTime::parse_from_rfc3339(text).ok()?.timestamp_micros())
}

/// As `1h30m`, `-1.5s`, `250ms`: units h, m, s, ms, us. Nothing finer than a microsecond.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut nanos = 0_i128;
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (amount, tail) = rest.split_at(end);
        let units = tail.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(units);
        nanos = nanos.checked_add(scaled(amount, unit_nanos(unit)?)?)?;
        rest = tail;
    }
    let nanos = if negative { -nanos } else { nanos };
    let empty = text.len() == usize::from(negative || text.starts_with('+'));
    if empty || nanos % 1_000 != 0 { None } else { number::duration(i64::try_from(nanos / 1_000).ok()?) }
}

fn unit_nanos(unit: &str) -> Option<i128> {
    Some(match unit {
        "h" => 3_600_000_000_000,
        "m" => 60_000_000_000,
        "s" => 1_000_000_000,
        "ms" => 1_000_000,
        "us" | "µs" => 1_000,
        "ns" => 1,
        _ => return None,
    })
}

/// A decimal amount times a unit, where that is a whole number.
fn scaled(amount: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    if whole.len() + fraction.len() == 0 || fraction.len() > 18 || whole.len() > 18 {
        return None;
    }
    let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i128>().ok() };
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let parts = digits(fraction)? * unit;
    (parts % scale == 0).then_some(digits(whole)? * unit + parts / scale)
}

/// Seconds with as many digits as needed, as `5400s` or `-0.25s`.
pub(crate) fn duration(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let (seconds, rest) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
    let mut text = format!("{sign}{seconds}");
    if rest > 0 {
        write!(text, ".{rest:06}").expect("a String takes what is written to it");
        text.truncate(text.trim_end_matches('0').len());
    }
    text.push('s');
    text
}

/// The shortest text that reads back as the same double; very large and very small ones with an exponent.
pub(crate) fn double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-5..1e21).contains(&magnitude) { format!("{value}") } else { format!("{value:e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_by_their_units() {
        for (text, micros) in [
            ("1h30m", 5_400_000_000),
            ("-1.5s", -1_500_000),
            ("+250ms", 250_000),
            ("720h", 2_592_000_000_000),
            ("0", 0),
            (".5ms", 500),
            ("1us1000ns", 2),
            ("1.0000005h", 3_600_001_800),
        ] {
            assert_eq!(parse_duration(text), Some(micros), "{text}");
        }
        for text in
            ["", "-", "+", "1", "h", "1d", "1ns", "1.5", ".s", "1h ", " 1h", "1.2.3s", "1e3s", "9999999999h", "--1s"]
        {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_duration_reads_back_as_it_was_written() {
        for micros in [0, 1, -1, 1_500_000, -250_000, number::LONGEST, -number::LONGEST] {
            assert_eq!(parse_duration(&duration(micros)), Some(micros));
        }
    }

    #[test]
    fn zones_are_names_or_offsets() {
        for text in ["Europe/Paris", "UTC", "+05:30", "-02:00", "02:00"] {
            assert!(Zone::parse(text).is_some(), "{text}");
        }
        for text in ["", "Mars/Base", "+5:30", "+24:00", "05", "+-1:00"] {
            assert!(Zone::parse(text).is_none(), "{text}");
        }
    }
}
