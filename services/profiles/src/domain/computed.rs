//! Computed traits: an aggregate of what happened within a window, exact at every instant. Evaluating one answers also
//! until when its value holds though nothing happens: till an interaction leaves the window, a calendar period ends, or
//! what is to come has come.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use chrono::{Datelike as _, Days, Months, NaiveDate, TimeDelta, TimeZone as _, Utc, Weekday};
use chrono_tz::Tz;
use rapport_conditions::Program;
use rapport_kernel::Timestamp;
use serde::{Deserialize, Serialize};

use super::facts;
use super::happened::{Event, History, units};
use super::value::{Number, TraitType, Value};

/// What is made of the interactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregate {
    /// How many.
    Count,
    /// The sum.
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The mean.
    Avg,
    /// The value of the earliest.
    First,
    /// The value of the latest.
    Last,
    /// How many distinct values.
    Distinct,
}

/// Of which value of an interaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    /// Of none: how many there are.
    Itself,
    /// Its money in a currency.
    Money(String),
    /// An attribute.
    Attribute(String),
    /// Its type.
    Kind,
    /// Its instant.
    At,
    /// Its channel.
    Channel,
    /// Its touchpoint.
    Touchpoint,
    /// Its stage.
    Stage,
    /// Its product.
    Product,
    /// Its source.
    Source,
}

/// A calendar period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A day.
    Day,
    /// A week.
    Week,
    /// A month.
    Month,
    /// A quarter.
    Quarter,
    /// A year.
    Year,
}

/// Over which interactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Window {
    /// All up to now.
    All,
    /// Those of the last so many microseconds.
    Sliding(u64),
    /// Those of a calendar period, so many back.
    Calendar(Unit, u32),
}

/// How a trait is computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// What is made.
    pub aggregate: Aggregate,
    /// Of which type of interaction; empty: all.
    pub kind: String,
    /// Of which of them; empty: all.
    pub condition: String,
    /// Of which value.
    pub of: Of,
    /// Within which window.
    pub window: Window,
}

impl Recipe {
    /// Why a trait of a type cannot be computed so.
    #[must_use]
    pub fn refusal(&self, kind: TraitType) -> Option<&'static str> {
        let is_least = matches!(self.aggregate, Aggregate::Min | Aggregate::Max);
        if is_least && matches!(kind, TraitType::Bool | TraitType::List) {
            return Some("must be a number, an instant or a text: others have no order");
        }
        match self.needs() {
            Some(TraitType::Number) if kind != TraitType::Number => Some("must be a number: that is what it computes"),
            Some(TraitType::Time) if kind != TraitType::Time => Some("must be an instant: that is what it computes"),
            Some(TraitType::Text) if kind != TraitType::Text => Some("must be a text: that is what it computes"),
            _ => None,
        }
    }

    /// The type that the aggregate of its value has; `None`: it depends on the attribute.
    fn needs(&self) -> Option<TraitType> {
        match (self.aggregate, &self.of) {
            (Aggregate::Count | Aggregate::Sum | Aggregate::Avg | Aggregate::Distinct, _) | (_, Of::Money(_)) => {
                Some(TraitType::Number)
            }
            (_, Of::At) => Some(TraitType::Time),
            (_, Of::Itself | Of::Attribute(_)) => None,
            (_, Of::Kind | Of::Channel | Of::Touchpoint | Of::Stage | Of::Product | Of::Source) => {
                Some(TraitType::Text)
            }
        }
    }
}

/// A computed trait's value.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Computed {
    /// The value.
    pub value: Value,
    /// When the interaction happened that decided it (the first, last, least or greatest), or the latest that counts;
    /// `None` where none does. It tells nothing of when it was computed: that would be another after a merge and its
    /// split, and as of the past.
    pub decided_at: Option<Timestamp>,
}

/// Where a customer's calendar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Its zone.
    pub zone: Tz,
    /// The day on which weeks begin.
    pub week_start: Weekday,
}

impl Default for Calendar {
    fn default() -> Self {
        Self { zone: Tz::UTC, week_start: Weekday::Mon }
    }
}

/// A recipe that can be followed.
#[derive(Clone)]
pub struct Computation {
    /// The trait's type.
    pub kind: TraitType,
    /// The recipe.
    pub recipe: Recipe,
    condition: Option<Program>,
}

impl fmt::Debug for Computation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Computation").field("aggregate", &self.recipe.aggregate).finish_non_exhaustive()
    }
}

impl Computation {
    /// Of a recipe that was checked when it was saved; `None` where its condition does not compile any more.
    #[must_use]
    pub fn new(kind: TraitType, recipe: Recipe) -> Option<Self> {
        let condition = match recipe.condition.as_str() {
            "" => None,
            source => Some(facts::compile_event(source).ok()?),
        };
        Some(Self { kind, recipe, condition })
    }

    /// The value as of an instant (`None`: the trait is not set), and the first instant at which it could be another
    /// though nothing happens.
    #[must_use]
    pub fn value(&self, history: &History, calendar: Calendar, now: Timestamp) -> (Option<Computed>, Timestamp) {
        let mut valid_until = Timestamp::MAX;
        let (start, end, turn) = self.bounds(calendar, now);
        let mut within = Vec::new();
        for event in history.of_kind(&self.recipe.kind) {
            let Some(value) = self.contribution(event, now) else { continue };
            if event.at > now {
                // What is to come: it counts from then on, or moves into a period that counts later.
                valid_until = valid_until.min(event.at);
                continue;
            }
            if event.at < start {
                continue;
            }
            // In the window, or between it and now: a period that turns changes both.
            valid_until = valid_until.min(turn);
            if event.at < end {
                if let Window::Sliding(micros) = self.recipe.window {
                    valid_until = valid_until.min(event.at.plus(Duration::from_micros(micros)));
                }
                within.push((value, event.at));
            }
        }
        (self.fold(within), valid_until)
    }

    /// Where the window begins and ends, and when it jumps.
    fn bounds(&self, calendar: Calendar, now: Timestamp) -> (Timestamp, Timestamp, Timestamp) {
        match self.recipe.window {
            Window::All => (Timestamp::MIN, Timestamp::MAX, Timestamp::MAX),
            // now - at < length: the first microsecond that is in it.
            Window::Sliding(micros) => {
                let first = now.minus(Duration::from_micros(micros)).plus(Duration::from_micros(1));
                (first, Timestamp::MAX, Timestamp::MAX)
            }
            Window::Calendar(unit, back) => {
                let today = now.to_chrono().with_timezone(&calendar.zone).date_naive();
                let current = begin(today, unit, calendar.week_start);
                let wanted = shift(current, unit, -i64::from(back));
                let midnight = |date: NaiveDate| midnight(date, calendar.zone);
                (midnight(wanted), midnight(shift(wanted, unit, 1)), midnight(shift(current, unit, 1)))
            }
        }
    }

    /// What an event brings in, if it counts.
    fn contribution(&self, event: &Event, now: Timestamp) -> Option<Contribution> {
        if self.condition.as_ref().is_some_and(|program| !program.matches(&facts::One(event), now).value) {
            return None;
        }
        let text = |text: &String| (!text.is_empty()).then(|| Value::Text(text.clone()));
        let value = match &self.recipe.of {
            Of::Itself => return Some(Contribution::Micros(0)),
            Of::Money(currency) => {
                let money = event.value.filter(|money| money.currency.to_string() == *currency)?;
                return Some(Contribution::Micros(money.micros));
            }
            Of::Attribute(name) => event.attributes.get(name).cloned(),
            Of::Kind => text(&event.kind),
            Of::At => Some(Value::Time(event.at)),
            Of::Channel => text(&event.channel),
            Of::Touchpoint => text(&event.touchpoint),
            Of::Stage => text(&event.stage),
            Of::Product => text(&event.product),
            Of::Source => text(&event.source),
        }?;
        let fits = match self.recipe.aggregate {
            Aggregate::Count | Aggregate::Distinct => true,
            Aggregate::Sum | Aggregate::Avg => value.kind() == TraitType::Number,
            Aggregate::Min | Aggregate::Max | Aggregate::First | Aggregate::Last => value.kind() == self.kind,
        };
        fits.then_some(Contribution::Value(value))
    }

    fn fold(&self, within: Vec<(Contribution, Timestamp)>) -> Option<Computed> {
        let latest = within.last().map(|(_, at)| *at);
        let all = |value: Option<Value>| value.map(|value| Computed { value, decided_at: latest });
        let one = |(value, at): (Contribution, Timestamp)| {
            value.value().map(|value| Computed { value, decided_at: Some(at) })
        };
        match self.recipe.aggregate {
            Aggregate::Count => all(count(within.len())),
            Aggregate::Distinct => {
                let distinct: BTreeSet<Value> = within.into_iter().filter_map(|(value, _)| value.value()).collect();
                all(count(distinct.len()))
            }
            Aggregate::Sum => all(sum(&within).and_then(number)),
            Aggregate::Avg if within.is_empty() => None,
            Aggregate::Avg => all(sum(&within).and_then(|sum| number(sum / length(within.len())))),
            // Of several that are alike the earliest decided.
            Aggregate::Min => {
                let order = |a: &Computed, b: &Computed| (&a.value, a.decided_at).cmp(&(&b.value, b.decided_at));
                within.into_iter().filter_map(one).min_by(order)
            }
            Aggregate::Max => {
                let order = |a: &Computed, b: &Computed| (&a.value, b.decided_at).cmp(&(&b.value, a.decided_at));
                within.into_iter().filter_map(one).max_by(order)
            }
            Aggregate::First => within.into_iter().next().and_then(one),
            Aggregate::Last => within.into_iter().next_back().and_then(one),
        }
    }
}

/// What one event brings in. Money is summed exactly.
enum Contribution {
    Micros(i64),
    Value(Value),
}

impl Contribution {
    fn value(self) -> Option<Value> {
        match self {
            Self::Micros(micros) => number(units(i128::from(micros))),
            Self::Value(value) => Some(value),
        }
    }
}

fn sum(within: &[(Contribution, Timestamp)]) -> Option<f64> {
    let (mut micros, mut rest) = (0_i128, 0.0_f64);
    for (one, _) in within {
        match one {
            Contribution::Micros(more) => micros += i128::from(*more),
            Contribution::Value(Value::Number(more)) => rest += more.get(),
            Contribution::Value(_) => return None,
        }
    }
    Some(if micros == 0 { rest } else { units(micros) })
}

fn number(value: f64) -> Option<Value> {
    Number::new(value).map(Value::Number)
}

fn count(count: usize) -> Option<Value> {
    number(length(count))
}

#[expect(clippy::cast_precision_loss, reason = "far fewer events are read than a double counts")]
fn length(count: usize) -> f64 {
    count as f64
}

/// The first day of the period that a day lies in.
fn begin(day: NaiveDate, unit: Unit, week_start: Weekday) -> NaiveDate {
    let first = |month: u32| NaiveDate::from_ymd_opt(day.year(), month, 1).unwrap_or(day);
    match unit {
        Unit::Day => day,
        Unit::Week => {
            let since = u64::from(day.weekday().days_since(week_start));
            day.checked_sub_days(Days::new(since)).unwrap_or(day)
        }
        Unit::Month => first(day.month()),
        Unit::Quarter => first(day.month0() / 3 * 3 + 1),
        Unit::Year => first(1),
    }
}

/// The first day of the period so many later (or earlier).
fn shift(first: NaiveDate, unit: Unit, by: i64) -> NaiveDate {
    let days = |length: i64| first.checked_add_signed(TimeDelta::days(by * length)).unwrap_or(first);
    let months = |length: i64| {
        let by = by * length;
        let months = Months::new(u32::try_from(by.abs()).unwrap_or(0));
        let shifted = if by < 0 { first.checked_sub_months(months) } else { first.checked_add_months(months) };
        shifted.unwrap_or(first)
    };
    match unit {
        Unit::Day => days(1),
        Unit::Week => days(7),
        Unit::Month => months(1),
        Unit::Quarter => months(3),
        Unit::Year => months(12),
    }
}

/// When a day begins in a zone: at midnight, at the first of two midnights, or where there is none (the clock was put
/// forward over it) at the first instant after.
fn midnight(day: NaiveDate, zone: Tz) -> Timestamp {
    let Some(wall) = day.and_hms_opt(0, 0, 0) else { return Timestamp::MAX };
    if let Some(at) = zone.from_local_datetime(&wall).earliest() {
        return Timestamp::from(at.with_timezone(&Utc));
    }
    // The longest jump of a zone's clock is a day (Samoa's in 2011): one of these is before it, one after.
    let (mut low, mut high) = (wall.and_utc().timestamp() - 172_800, wall.and_utc().timestamp() + 172_800);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let begun = zone.timestamp_opt(middle, 0).single().is_some_and(|at| at.date_naive() >= day);
        if begun { high = middle } else { low = middle }
    }
    Timestamp::from_parts(high, 0).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
