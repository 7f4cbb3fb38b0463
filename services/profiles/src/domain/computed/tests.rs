//! Against brute force: which interactions count is told by their dates on the customer's wall, not by when midnight is.

use chrono::Datelike as _;
use proptest::prelude::*;
use rapport_kernel::{Currency, Id, Money, Private, SubjectId};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::domain::happened::Occurrence;
use crate::domain::interaction::{Content, Interaction, InteractionKey};
use crate::domain::value::Party;

const ZONES: [Tz; 7] = [
    Tz::UTC,
    Tz::Europe__Berlin,
    Tz::America__New_York,
    Tz::America__Sao_Paulo,
    Tz::America__Havana,
    Tz::Pacific__Apia,
    Tz::Asia__Tehran,
];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_parts(seconds, 0).expect("in range")
}

fn interaction(number: usize, seconds: i64, kind: &str, amount: i64) -> Interaction {
    let number_value = Number::new(f64::from(i32::try_from(amount).expect("small"))).expect("finite");
    let currency: Currency = if amount % 3 == 0 { "USD" } else { "EUR" }.parse().expect("a currency");
    Interaction {
        id: Id::from_uuid(uuid::Uuid::from_u128(number as u128 + 1)),
        subject: SubjectId::from_uuid(uuid::Uuid::from_u128(1)),
        key: InteractionKey { source: "shop".into(), external_id: Private::new(number.to_string()) },
        version: 1,
        content: Arc::new(Content {
            kind: kind.into(),
            channel: if amount % 2 == 0 { "web".into() } else { String::new() },
            touchpoint: String::new(),
            stage: String::new(),
            product: format!("p{}", amount % 4),
            occurred_at: at(seconds),
            value: Some(Money { currency, micros: amount * 1_000_000 }),
            details: crate::domain::interaction::Details::default(),
            referrer: None,
            attributes: BTreeMap::from([("size".to_owned(), Value::Number(number_value))]),
        }),
        party: Party::Customer,
        dimensions: BTreeMap::new(),
        recorded_at: at(seconds),
        updated_at: at(seconds),
        revision: 1,
    }
}

/// The number of the period that an instant's day lies in.
fn period(at: Timestamp, unit: Unit, calendar: Calendar) -> i64 {
    let day = at.to_chrono().with_timezone(&calendar.zone).date_naive();
    let days = i64::from(day.num_days_from_ce());
    // Day 1 of the era was a Monday.
    let week_start = i64::from(calendar.week_start.num_days_from_monday());
    match unit {
        Unit::Day => days,
        Unit::Week => (days - 1 - week_start).div_euclid(7),
        Unit::Month => i64::from(day.year()) * 12 + i64::from(day.month0()),
        Unit::Quarter => i64::from(day.year()) * 4 + i64::from(day.month0() / 3),
        Unit::Year => i64::from(day.year()),
    }
}

fn counts(recipe: &Recipe, one: &Interaction, calendar: Calendar, now: Timestamp) -> bool {
    let at = one.content.occurred_at;
    let inside = match recipe.window {
        Window::All => true,
        Window::Sliding(micros) => now.micros() - at.micros() < i64::try_from(micros).expect("small"),
        Window::Calendar(unit, back) => period(at, unit, calendar) == period(now, unit, calendar) - i64::from(back),
    };
    let kind = recipe.kind.is_empty() || recipe.kind == one.content.kind;
    at <= now && inside && kind && (recipe.condition.is_empty() || one.content.channel == "web")
}

fn brute(recipe: &Recipe, all: &[Interaction], calendar: Calendar, now: Timestamp) -> (Option<f64>, Option<Timestamp>) {
    let mut some: Vec<&Interaction> = all.iter().filter(|one| counts(recipe, one, calendar, now)).collect();
    some.sort_by_key(|one| (one.content.occurred_at, one.id));
    let value = |one: &&Interaction| match &recipe.of {
        Of::Money(currency) => {
            let money = one.content.value.filter(|money| money.currency.to_string() == *currency)?;
            Some(units(i128::from(money.micros)))
        }
        Of::Attribute(_) => match one.content.attributes["size"] {
            Value::Number(number) => Some(number.get()),
            _ => None,
        },
        _ => Some(0.0),
    };
    let told: Vec<(f64, Timestamp)> =
        some.iter().filter_map(|one| Some((value(one)?, one.content.occurred_at))).collect();
    let values: Vec<f64> = told.iter().map(|(value, _)| *value).collect();
    let sum: f64 = values.iter().sum();
    let mut distinct = values.clone();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    let result = match recipe.aggregate {
        Aggregate::Count => Some(length(values.len())),
        Aggregate::Sum => Some(sum),
        Aggregate::Avg => (!values.is_empty()).then(|| sum / length(values.len())),
        Aggregate::Min => values.iter().copied().reduce(f64::min),
        Aggregate::Max => values.iter().copied().reduce(f64::max),
        Aggregate::First => values.first().copied(),
        Aggregate::Last => values.last().copied(),
        Aggregate::Distinct => Some(length(distinct.len())),
    };
    let decided_at = match recipe.aggregate {
        Aggregate::Min | Aggregate::Max => {
            result.and_then(|best| told.iter().find(|(value, _)| value.total_cmp(&best).is_eq())).map(|(_, at)| *at)
        }
        Aggregate::First => told.first().map(|(_, at)| *at),
        _ => told.last().map(|(_, at)| *at),
    };
    (result, decided_at)
}

fn recipe() -> impl Strategy<Value = Recipe> {
    use Aggregate::{Avg, Count, Distinct, First, Last, Max, Min, Sum};
    let aggregate = proptest::sample::select(vec![Count, Sum, Min, Max, Avg, First, Last, Distinct]);
    let unit = proptest::sample::select(vec![Unit::Day, Unit::Week, Unit::Month, Unit::Quarter, Unit::Year]);
    let window = prop_oneof![
        Just(Window::All),
        (1_u64..200_000_000).prop_map(|seconds| Window::Sliding(seconds * 100_000)),
        (unit, 0_u32..3).prop_map(|(unit, back)| Window::Calendar(unit, back)),
    ];
    let of = prop_oneof![Just(Of::Money("EUR".to_owned())), Just(Of::Attribute("size".to_owned()))];
    let condition = prop_oneof![Just(""), Just("event.channel == 'web'")];
    (aggregate, prop_oneof![Just(""), Just("purchase")], condition, of, window).prop_map(
        |(aggregate, kind, condition, of, window)| Recipe {
            aggregate,
            kind: kind.to_owned(),
            condition: condition.to_owned(),
            of,
            window,
        },
    )
}

/// Some days around changes of clocks and years: of 2024 and, for Samoa's lost day, of 2011.
fn seconds() -> impl Strategy<Value = i64> {
    let days = 86_400_i64 * 20;
    prop_oneof![
        1_711_800_000 - days..1_711_800_000 + days,
        1_729_900_000 - days..1_729_900_000 + days,
        1_325_200_000 - days..1_325_200_000 + days,
        1_704_000_000_i64..1_735_700_000,
    ]
}

fn log() -> impl Strategy<Value = Vec<(i64, &'static str, i64)>> {
    let one = (seconds(), prop_oneof![Just("purchase"), Just("visit")], 0_i64..9);
    proptest::collection::vec(one, 0..25)
}

fn as_number(computed: Option<&Computed>) -> Option<f64> {
    match &computed?.value {
        Value::Number(number) => Some(number.get()),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_computed_trait_is_what_brute_force_finds_at_every_instant_and_until_it_says(
        recipe in recipe(),
        log in log(),
        now in seconds(),
        zone in 0_usize..ZONES.len(),
        sunday in any::<bool>(),
        later in proptest::collection::vec(seconds(), 8),
    ) {
        let week_start = if sunday { Weekday::Sun } else { Weekday::Mon };
        let one = |(number, (seconds, kind, amount))| interaction(number, seconds, kind, amount);
        let all: Vec<Interaction> = log.into_iter().enumerate().map(one).collect();
        let (now, calendar) = (at(now), Calendar { zone: ZONES[zone], week_start });
        let computation = Computation::new(TraitType::Number, recipe.clone()).expect("it compiles");
        let history = History::of(all.iter().map(Occurrence::from).collect());
        let (computed, valid_until) = computation.value(&history, calendar, now);
        let value = (as_number(computed.as_ref()), computed.and_then(|computed| computed.decided_at));
        let same = |a: (Option<f64>, Option<Timestamp>), b: (Option<f64>, Option<Timestamp>)| match (a.0, b.0) {
            (Some(x), Some(y)) => (x - y).abs() < 1e-9 && a.1 == b.1,
            (x, y) => x == y,
        };
        prop_assert!(same(value, brute(&recipe, &all, calendar, now)));
        prop_assert!(valid_until > now);
        // Until then nothing changes: at its last instant, at every interaction, and somewhere.
        let last = valid_until.minus(Duration::from_micros(1));
        let events = all.iter().map(|one| one.content.occurred_at);
        let moments = later.into_iter().map(at).chain(events).chain([last]);
        for moment in moments.filter(|moment| *moment >= now && *moment < valid_until && *moment < at(1_900_000_000)) {
            prop_assert!(same(value, brute(&recipe, &all, calendar, moment)), "at {moment}");
        }
    }
}

#[test]
fn a_day_that_begins_without_midnight_begins_at_its_first_instant() {
    let day = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).expect("a day");
    // Havana put its clocks forward at midnight; Samoa left a day out.
    assert_eq!(midnight(day(2024, 3, 10), Tz::America__Havana).to_string(), "2024-03-10T05:00:00Z");
    assert_eq!(midnight(day(2011, 12, 30), Tz::Pacific__Apia), midnight(day(2011, 12, 31), Tz::Pacific__Apia));
    assert_eq!(midnight(day(2024, 6, 1), Tz::Europe__Berlin).to_string(), "2024-05-31T22:00:00Z");
}

#[test]
fn money_is_summed_to_the_last_cent_in_its_own_currency_only() {
    let all: Vec<Interaction> = (0..30).map(|n| interaction(n, 1_704_000_000, "purchase", 1)).collect();
    let recipe = Recipe {
        aggregate: Aggregate::Sum,
        kind: String::new(),
        condition: String::new(),
        of: Of::Money("USD".to_owned()),
        window: Window::All,
    };
    let of = |currency: &str| {
        let recipe = Recipe { of: Of::Money(currency.to_owned()), ..recipe.clone() };
        let computation = Computation::new(TraitType::Number, recipe).expect("it compiles");
        as_number(
            computation
                .value(&History::of(all.iter().map(Occurrence::from).collect()), Calendar::default(), at(1_704_000_001))
                .0
                .as_ref(),
        )
    };
    assert_eq!((of("EUR"), of("USD")), (Some(30.0), Some(0.0)));
}
