//! The sieve: it never keeps back a row that matches, and it does keep back rows.

use proptest::prelude::*;
use rapport_conditions::{AsValue, Environment, Kind, Owned, Program, Sieve, SieveSchema, Timestamp, Type, Value};

use crate::expression::{self, Expr, World};
use crate::worlds::{self, HOUR, NOON};
use crate::{generate, histories};

const ALL: [Kind; 5] = [Kind::Number, Kind::Text, Kind::Time, Kind::Bool, Kind::List];

/// The columns of the random worlds; `length` and `customer.gap` are durations, which have none.
fn schema() -> SieveSchema {
    SieveSchema::new()
        .path(&["flag"], &[Kind::Bool])
        .path(&["number"], &[Kind::Number])
        .path(&["ratio"], &[Kind::Number])
        .path(&["word"], &[Kind::Text])
        .path(&["at"], &[Kind::Time])
        .path(&["numbers"], &[Kind::List])
        .path(&["words"], &[Kind::List])
        .path(&["instants"], &[Kind::List])
        .path(&["customer", "name"], &[Kind::Text])
        .path(&["customer", "age"], &[Kind::Number])
        .path(&["customer", "seen"], &[Kind::Time])
        .path(&["customer", "member"], &[Kind::Bool])
        .path(&["customer", "score"], &[Kind::Number])
        .keys(&["traits"], &ALL)
        .keys(&["events"], &[])
}

/// The value at a path of a world, as a store's columns have it.
fn at<'w>(world: &'w World, path: &[String]) -> Option<Value<'w>> {
    let path: Vec<_> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["customer", field] => {
            let (_, value) = world.customer.iter().find(|(name, _)| name == field)?;
            value.as_ref().map(AsValue::as_value)
        }
        ["traits", key] => world.traits.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_value()),
        ["events", kind] => {
            let (_, events) = world.events.iter().find(|(name, _)| name == kind)?;
            (!events.is_empty()).then_some(Value::List(events))
        }
        [variable] => world.variables.iter().find(|(name, _)| name == variable).map(|(_, value)| value.as_value()),
        _ => None,
    }
}

fn compiled(source: &str) -> Program {
    worlds::environment().compile(source, Type::Bool).unwrap_or_else(|errors| panic!("{source}\n{errors}"))
}

/// Whether each sieve lets through what the condition matches; how many of the three sieves keep the row back.
fn lets_through(expression: &Expr, world: &World) -> Result<usize, TestCaseError> {
    let program = compiled(&expression::source(expression));
    let matches = program.matches(&worlds::inputs(world), world.now).value;
    let mut kept = 0;
    for (schema, now) in [(schema(), Some(world.now)), (schema(), None), (SieveSchema::new(), Some(world.now))] {
        let sieve = program.sieve(&schema, now);
        let passes = sieve.passes(&|path| at(world, path));
        kept += usize::from(!passes);
        prop_assert!(passes || !matches, "{}\nmatches, but not {sieve:?}", program.source());
    }
    Ok(kept)
}

/// What a sieve says in full: comparisons of one path with a constant, joined.
fn plain() -> impl Strategy<Value = Expr> {
    generate::plain_comparison().prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Expr::And),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Expr::Or),
            inner.clone().prop_map(|of| Expr::Not(Box::new(of))),
            (inner.clone(), inner.clone(), inner).prop_map(|parts| Expr::If(Box::new(parts))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn what_matches_passes_the_sieve(expression in generate::condition(3, true), world in worlds::world()) {
        lets_through(&expression, &world)?;
    }

    #[test]
    fn what_matches_of_past_events_passes_the_sieve(
        expression in histories::condition(2),
        world in histories::world(),
    ) {
        lets_through(&expression, &world)?;
    }

    #[test]
    fn of_plain_comparisons_the_sieve_lets_through_no_more_than_matches(
        expression in plain(),
        world in worlds::world(),
    ) {
        let program = compiled(&expression::source(&expression));
        let sieve = program.sieve(&schema(), Some(world.now));
        let passes = sieve.passes(&|path| at(&world, path));
        let matches = program.matches(&worlds::inputs(&world), world.now).value;
        prop_assert_eq!(passes, matches, "{}\n{:?}", program.source(), sieve);
    }
}

/// A sieve with its constants, which its own `Debug` does not tell.
fn text(sieve: &Sieve) -> String {
    let joined = |parts: &[Sieve], between: &str| parts.iter().map(text).collect::<Vec<_>>().join(between);
    let constant = |value: &rapport_conditions::Constant| match value {
        rapport_conditions::Constant::Number(number) => number.to_string(),
        rapport_conditions::Constant::Text(text) => format!("'{text}'"),
        rapport_conditions::Constant::Time(at) => at.to_string(),
        rapport_conditions::Constant::Bool(value) => value.to_string(),
    };
    match sieve {
        Sieve::And(parts) => format!("({})", joined(parts, " && ")),
        Sieve::Or(parts) => format!("({})", joined(parts, " || ")),
        Sieve::Compare { path, how, value } => format!("{} {} {}", path.join("."), how.symbol(), constant(value)),
        Sieve::In { path, values } => {
            format!("{} in [{}]", path.join("."), values.iter().map(constant).collect::<Vec<_>>().join(", "))
        }
        Sieve::Holds { path, value } => format!("{} in {}", constant(value), path.join(".")),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_sieve_says_what_a_store_can_ask() {
    let event = Type::events("Event", [("at", Type::Timestamp), ("channel", Type::String)]);
    let customer = Type::object("Customer", [("created", Type::Timestamp), ("score", Type::Double)]);
    let environment = Environment::builder()
        .variable("traits", Type::map(Type::Dyn))
        .variable("segments", Type::list(Type::String))
        .variable("customer", customer)
        .variable("events", Type::map(event))
        .build();
    let schema = SieveSchema::new()
        .keys(&["traits"], &ALL)
        .path(&["segments"], &[Kind::List])
        .path(&["customer", "created"], &[Kind::Time])
        .path(&["customer", "score"], &[Kind::Number])
        .keys(&["events"], &[]);
    for (source, expected) in [
        ("traits.plan == 'gold'", "traits.plan == 'gold'"),
        ("'gold' == traits['plan']", "traits.plan == 'gold'"),
        ("traits.visits > 3 && 10.5 >= traits.visits", "(traits.visits > 3 && traits.visits <= 10.5)"),
        ("!(traits.visits > 3 || traits.plan == 'gold')", "(traits.visits <= 3 && has(traits.plan))"),
        ("customer.score != 3.5", "customer.score != 3.5"),
        ("traits.plan in ['gold', 'silver', 3]", "(traits.plan in [3] || traits.plan in ['gold', 'silver'])"),
        ("'vip' in segments && !('lost' in segments)", "('vip' in segments && has(segments))"),
        ("has(traits.mail) && !has(traits.phone)", "(has(traits.mail) && !has(traits.phone))"),
        ("'mail' in traits && !('phone' in traits)", "(has(traits.mail) && !has(traits.phone))"),
        ("traits.vip", "traits.vip == true"),
        ("!traits.vip", "traits.vip == false"),
        (
            "traits.vip ? traits.visits > 3 : traits.visits > 9",
            "((traits.vip == true && traits.visits > 3) || (traits.vip == false && traits.visits > 9))",
        ),
        ("traits.mail.startsWith('a')", "(traits.mail >= 'a' && traits.mail < 'b')"),
        ("traits.mail.endsWith('z') || traits.mail.matches('x')", "has(traits.mail as Text)"),
        ("traits.a + traits.b > 3", "(has(traits.a) && has(traits.b))"),
        ("size(traits.tags) > 2", "has(traits.tags)"),
        ("traits.visits > 9007199254740993", "has(traits.visits as Number)"),
        ("now - customer.created < duration('24h')", "customer.created > 2025-05-31T12:00:00Z"),
        ("!(customer.created + duration('1h') < now)", "has(customer.created)"),
        ("now - duration('1h') <= customer.created", "customer.created >= 2025-06-01T11:00:00Z"),
        ("traits.joined - now > duration('24h')", "traits.joined > 2025-06-02T12:00:00Z"),
        ("now - customer.created < duration('80000000h')", "has(customer.created as Time)"),
        ("now > timestamp('2025-01-01T00:00:00Z') && traits.vip", "traits.vip == true"),
        ("now - timestamp('2025-01-01T00:00:00Z') < duration('24h') && traits.vip", "false"),
        ("events.purchase.size() > 0", "has(events.purchase)"),
        (
            "events.purchase.within(duration('1h')).size() >= 3 && has(events.visit)",
            "(has(events.purchase) && has(events.visit))",
        ),
        ("events.visit.followedBy(events.cart, duration('1h')).size() != 0", "(has(events.visit) && has(events.cart))"),
        ("now - events.visit.last().at > duration('1h')", "has(events.visit)"),
        ("events.visit.exists(e, e.channel == 'web')", "has(events.visit)"),
        ("events.visit.size() < 3 || !has(events.cart)", "true"),
        (
            "customer.score > 3.0 && traits.plan == traits.other || false",
            "(customer.score > 3 && has(traits.plan) && has(traits.other))",
        ),
        ("customer.score == 'x'.size()", "has(customer.score)"),
        ("!(customer.created == customer.created)", "has(customer.created)"),
        ("traits.plan == 'gold' || 1 / 0 == 1", "true"),
        ("customer.score in [] && true", "false"),
        ("traits.plan == 'a\\u0000b'", "has(traits.plan as Text)"),
    ] {
        let program = environment.compile(source, Type::Bool).unwrap_or_else(|errors| panic!("{source}: {errors}"));
        let now = Timestamp::from_column(NOON);
        assert_eq!(text(&program.sieve(&schema, Some(now))), expected, "{source}");
    }
}

#[test]
fn no_sieve_grows_beyond_measure() {
    let nested = (0..40).fold("flag".to_owned(), |inner, place| format!("({inner} ? number > {place} : ratio > 1.0)"));
    let start = std::time::Instant::now();
    let program = compiled(&nested);
    let sieve = program.sieve(&schema(), None);
    assert!(start.elapsed() < std::time::Duration::from_secs(2), "{:?}", start.elapsed());
    assert!(format!("{sieve:?}").len() < 1_000_000);
}

#[test]
fn a_sieve_tells_no_constant() {
    let sieve = compiled("word == 'anna@example.com' || word in ['bob@example.com']").sieve(&schema(), None);
    let said = format!("{sieve:?}");
    assert_eq!(said, "(word == ‹Text› || word in [‹Text›])");
    assert_eq!(Owned::Duration(HOUR).as_value().kind(), "duration", "durations have no column");
}
