//! Conditions made at random, and what they mean: written anew over plain lists of what was told, so that what the
//! service makes of them can be compared with it. Nothing here shares code with the service.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, TimeZone as _, Utc};

use crate::imports::Dice;
use crate::lives::index;

/// Something that happened, as it is held. Instants are in microseconds.
#[derive(Clone, Debug)]
pub struct Happened {
    pub id: usize,
    pub kind: &'static str,
    pub at: i64,
    pub channel: &'static str,
    pub euros: Option<i64>,
    pub items: Option<i64>,
}

/// What is known of a customer: what happened, oldest first, what it consented to, its scores, traits and zone.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub log: Vec<Happened>,
    pub consents: BTreeMap<String, bool>,
    pub scores: BTreeMap<&'static str, i32>,
    pub tier: Option<&'static str>,
    pub zone: Option<chrono_tz::Tz>,
}

pub const KINDS: [&str; 3] = ["visit", "cart", "purchase"];
pub const CHANNELS: [&str; 3] = ["web", "shop", "call"];
pub const TIERS: [&str; 2] = ["gold", "silver"];

/// The computed traits that conditions read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Computed {
    /// How many of all types in the last 100 seconds.
    Lately,
    /// What was spent in the customer's own day.
    Today,
    /// How many purchases in the customer's month before this one.
    LastMonth,
}

#[derive(Clone, Debug)]
pub enum Condition {
    Count { kind: &'static str, within: Option<i64>, least: usize },
    Sum { kind: &'static str, within: i64, over: i64 },
    First { kind: &'static str, channel: &'static str },
    Last { kind: &'static str, channel: &'static str },
    Quiet { kind: &'static str, over: i64 },
    Sequence { first: &'static str, then: &'static str, within: i64 },
    Absence { first: &'static str, then: &'static str, within: i64, lately: i64 },
    Some { kind: &'static str, within: i64, channel: &'static str },
    Items { kind: &'static str, over: i64 },
    Between { kind: &'static str, from: i64, to: i64 },
    Lately(i64),
    Today(i64),
    LastMonth(i64),
    FirstChannel(&'static str),
    Consent(&'static str),
    Score { kind: &'static str, most: i32 },
    Tier(&'static str),
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
}

fn of<T: Copy>(dice: &mut Dice, from: &[T]) -> T {
    from[index(dice, from.len())]
}

/// Lengths of time that meet one another often.
fn length(dice: &mut Dice) -> i64 {
    of(dice, &[10, 20, 50, 100, 3_600, 40_000])
}

impl Condition {
    /// One at random.
    pub fn random(dice: &mut Dice, depth: u64) -> Self {
        if depth > 0 && dice.below(2) == 0 {
            let mut part = || Box::new(Self::random(dice, depth - 1));
            let (left, right) = (part(), part());
            return match dice.below(5) {
                0 => Self::Not(left),
                1 | 2 => Self::And(left, right),
                _ => Self::Or(left, right),
            };
        }
        let (kind, then, channel) = (of(dice, &KINDS), of(dice, &KINDS), of(dice, &CHANNELS));
        match dice.below(17) {
            0 => Self::Count { kind, within: None, least: 1 + index(dice, 4) },
            1 | 2 => Self::Count { kind, within: Some(length(dice)), least: 1 + index(dice, 3) },
            3 => Self::Sum { kind, within: length(dice), over: of(dice, &[-5, 10, 40]) },
            4 => Self::First { kind, channel },
            5 => Self::Last { kind, channel },
            6 => Self::Quiet { kind, over: length(dice) },
            7 => Self::Sequence { first: kind, then, within: length(dice) },
            8 => Self::Absence { first: kind, then, within: length(dice), lately: 2 * length(dice) },
            9 => Self::Some { kind, within: length(dice), channel },
            10 => Self::Items { kind, over: of(dice, &[0, 2, 4]) },
            11 => Self::Between { kind, from: 60, to: 20 },
            12 => of(dice, &[Self::Lately as fn(i64) -> Self, Self::Today, Self::LastMonth])(of(dice, &[0, 1, 25])),
            13 => Self::FirstChannel(channel),
            14 => Self::Consent(of(dice, &["marketing", "marketing/email", "research/email"])),
            15 => Self::Score { kind: of(dice, &["nps", "csat"]), most: of(dice, &[3, 6]) },
            _ => Self::Tier(of(dice, &TIERS)),
        }
    }

    /// A like one that reads no more of events of a type than how many there are, the first and the last, and nothing of
    /// events of all types.
    pub fn only_ends_of(self, only: &'static str) -> Self {
        let part = |of: Box<Self>| Box::new(of.only_ends_of(only));
        let is_between = match &self {
            Self::Count { kind, within: Some(_), .. }
            | Self::Sum { kind, .. }
            | Self::Some { kind, .. }
            | Self::Items { kind, .. }
            | Self::Between { kind, .. } => *kind == only,
            Self::Sequence { first, then, .. } | Self::Absence { first, then, .. } => *first == only || *then == only,
            _ => false,
        };
        match self {
            Self::Not(of) => Self::Not(part(of)),
            Self::And(left, right) => Self::And(part(left), part(right)),
            Self::Or(left, right) => Self::Or(part(left), part(right)),
            Self::Lately(over) => Self::Quiet { kind: only, over: 10 + over },
            _ if is_between => Self::Count { kind: only, within: None, least: 2 },
            other => other,
        }
    }

    /// As it is written.
    pub fn source(&self) -> String {
        let seconds = |length: &i64| format!("duration('{length}s')");
        match self {
            Self::Count { kind, within: None, least } => format!("events.{kind}.size() >= {least}"),
            Self::Count { kind, within: Some(within), least } => {
                format!("events.{kind}.within({}).size() >= {least}", seconds(within))
            }
            Self::Sum { kind, within, over } => format!(
                "events.{kind}.within({}).filter(e, has(e.money.EUR)).map(e, e.money.EUR).sum() > {over}.0",
                seconds(within)
            ),
            Self::First { kind, channel } => format!("events.{kind}.first().channel == '{channel}'"),
            Self::Last { kind, channel } => format!("events.{kind}.last().channel == '{channel}'"),
            Self::Quiet { kind, over } => format!("now - events.{kind}.last().at > {}", seconds(over)),
            Self::Sequence { first, then, within } => {
                format!("events.{first}.followedBy(events.{then}, {}).size() > 0", seconds(within))
            }
            Self::Absence { first, then, within, lately } => {
                let (within, lately) = (seconds(within), seconds(lately));
                format!("events.{first}.notFollowedBy(events.{then}, {within}).within({lately}).size() > 0")
            }
            Self::Some { kind, within, channel } => {
                format!("events.{kind}.within({}).exists(e, e.channel == '{channel}')", seconds(within))
            }
            Self::Items { kind, over } => {
                format!("events.{kind}.exists(e, has(e.attributes.items) && e.attributes.items > {over})")
            }
            Self::Between { kind, from, to } => {
                let (from, to) = (seconds(from), seconds(to));
                format!("events.{kind}.between(now - {from}, now - {to}).size() > 0")
            }
            Self::Lately(over) => format!("traits.lately > {over}"),
            Self::Today(over) => format!("traits.today > {over}"),
            Self::LastMonth(over) => format!("traits.last_month > {over}"),
            Self::FirstChannel(channel) => format!("traits.first_channel == '{channel}'"),
            Self::Consent(key) => format!("consents['{key}']"),
            Self::Score { kind, most } => format!("scores.{kind} <= {most}.0"),
            Self::Tier(tier) => format!("traits.tier == '{tier}'"),
            Self::Not(part) => format!("!({})", part.source()),
            Self::And(left, right) => format!("({}) && ({})", left.source(), right.source()),
            Self::Or(left, right) => format!("({}) || ({})", left.source(), right.source()),
        }
    }

    /// What it says of a customer at an instant; `None`: it cannot be said, which is no match.
    pub fn says(&self, known: &Known, now: i64) -> Option<bool> {
        let of = |kind: &str| known.log.iter().filter(|one| one.at <= now && one.kind == kind).collect::<Vec<_>>();
        let ago = |one: &Happened| now - one.at;
        let micros = |seconds: &i64| seconds * 1_000_000;
        Some(match self {
            Self::Count { kind, within, least } => {
                let counts = |one: &&&Happened| within.is_none_or(|within| ago(one) < micros(&within));
                of(kind).iter().filter(counts).count() >= *least
            }
            Self::Sum { kind, within, over } => {
                let all = of(kind);
                all.iter().filter(|one| ago(one) < micros(within)).filter_map(|one| one.euros).sum::<i64>() > *over
            }
            Self::First { kind, channel } => of(kind).first()?.channel == *channel,
            Self::Last { kind, channel } => of(kind).last()?.channel == *channel,
            Self::Quiet { kind, over } => ago(of(kind).last()?) > micros(over),
            Self::Sequence { first, then, within } => {
                let follows =
                    |one: &Happened, other: &Happened| one.at < other.at && other.at - one.at <= micros(within);
                of(first).iter().any(|one| of(then).iter().any(|other| follows(one, other)))
            }
            Self::Absence { first, then, within, lately } => {
                let follows =
                    |one: &Happened, other: &Happened| one.at < other.at && other.at - one.at <= micros(within);
                let missed =
                    |one: &&&Happened| ago(one) > micros(within) && !of(then).iter().any(|other| follows(one, other));
                of(first).iter().filter(missed).any(|one| ago(one) < micros(lately))
            }
            Self::Some { kind, within, channel } => {
                of(kind).iter().any(|one| ago(one) < micros(within) && one.channel == *channel)
            }
            Self::Items { kind, over } => of(kind).iter().any(|one| one.items.is_some_and(|items| items > *over)),
            Self::Between { kind, from, to } => {
                of(kind).iter().any(|one| ago(one) <= micros(from) && ago(one) > micros(to))
            }
            Self::Lately(over) => number(known, Computed::Lately, now) > *over,
            Self::Today(over) => number(known, Computed::Today, now) > *over,
            Self::LastMonth(over) => number(known, Computed::LastMonth, now) > *over,
            Self::FirstChannel(channel) => of("purchase").first()?.channel == *channel,
            Self::Consent(key) => {
                let general = || known.consents.get(key.split_once('/')?.0);
                *known.consents.get(*key).or_else(general)?
            }
            Self::Score { kind, most } => known.scores.get(kind)? <= most,
            Self::Tier(tier) => known.tier? == *tier,
            Self::Not(part) => !part.says(known, now)?,
            Self::And(left, right) => match (left.says(known, now), right.says(known, now)) {
                (Some(false), _) | (_, Some(false)) => false,
                (left, right) => left? && right?,
            },
            Self::Or(left, right) => match (left.says(known, now), right.says(known, now)) {
                (Some(true), _) | (_, Some(true)) => true,
                (left, right) => left? || right?,
            },
        })
    }

    /// Whether it reads nothing but what happened.
    pub fn is_of_events(&self) -> bool {
        match self {
            Self::Not(part) => part.is_of_events(),
            Self::And(left, right) | Self::Or(left, right) => left.is_of_events() && right.is_of_events(),
            Self::Lately(_) | Self::Today(_) | Self::LastMonth(_) | Self::FirstChannel(_) => false,
            Self::Consent(_) | Self::Score { .. } | Self::Tier(_) => false,
            _ => true,
        }
    }
}

/// The value of a computed number.
pub fn number(known: &Known, of: Computed, now: i64) -> i64 {
    let zone = known.zone.unwrap_or(chrono_tz::Tz::UTC);
    let day = |at: i64| local(at, zone).date_naive();
    let past = known.log.iter().filter(|one| one.at <= now);
    let count = |number: usize| i64::try_from(number).expect("few");
    match of {
        Computed::Lately => count(past.filter(|one| now - one.at < 100_000_000).count()),
        Computed::Today => {
            past.filter(|one| one.kind == "purchase" && day(one.at) == day(now)).filter_map(|one| one.euros).sum()
        }
        Computed::LastMonth => {
            let month = |at: i64| i64::from(day(at).year()) * 12 + i64::from(day(at).month0());
            count(past.filter(|one| one.kind == "purchase" && month(one.at) == month(now) - 1).count())
        }
    }
}

fn local(at: i64, zone: chrono_tz::Tz) -> DateTime<chrono_tz::Tz> {
    let at: DateTime<Utc> = DateTime::from_timestamp_micros(at).expect("in range");
    zone.from_utc_datetime(&at.naive_utc())
}
