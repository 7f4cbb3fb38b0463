//! The library against the plain reference: the same value, and an answer that stays right as long as it says.

use proptest::prelude::*;
use rapport_conditions::{Activation, Owned, Program, Timestamp, Type};

use crate::expression::{self, Expr, World};
use crate::generate;
use crate::golden;
use crate::reference;
use crate::worlds::{self, INSTANTS, LENGTHS};

fn compiled(expression: &Expr, expected: Type) -> Program {
    let source = expression::source(expression);
    match worlds::environment().compile(&source, expected) {
        Ok(program) => program,
        Err(errors) => panic!("{source}\n{errors}"),
    }
}

/// A value, or nothing where the evaluation failed; until when.
fn answer(program: &Program, inputs: &dyn Activation, now: Timestamp) -> (Option<Owned>, Timestamp) {
    match program.evaluate(inputs, now) {
        Ok(outcome) => (outcome.value.to_owned(), outcome.valid_until),
        Err(error) => (None, error.valid_until),
    }
}

fn agree(left: Option<&Owned>, right: Option<&Owned>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => golden::same(left, right),
        (None, None) => true,
        _ => false,
    }
}

/// Every instant at which a comparison over these pools is likely to flip, and those beside it.
fn candidates(from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let mut found = Vec::new();
    for instant in INSTANTS {
        for first in LENGTHS {
            for second in LENGTHS {
                for (sign, other) in [(1, 1), (1, -1), (-1, 1), (-1, -1)] {
                    let micros = instant.saturating_add(sign * first).saturating_add(other * second);
                    found.extend([-1, 0, 1].map(|beside| Timestamp::from_column(micros.saturating_add(beside))));
                }
            }
        }
    }
    found.push(Timestamp::from_column(until.micros() - 1));
    found.retain(|at| *at >= from && *at < until);
    found.sort_unstable();
    found.dedup();
    found
}

fn json(value: Option<&Owned>) -> String {
    value.map_or_else(|| "no value".to_owned(), |value| golden::json(value).to_string())
}

#[test]
fn an_answer_is_valid_until_the_comparison_flips() {
    let at = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().map(Timestamp::from).expect("an instant");
    let (day, after) = ("2025-06-01T12:00:00Z", "2025-06-01T12:00:00.000001Z");
    let cases = [
        ("now < at", "2025-05-01T00:00:00Z", true, day),
        ("now <= at", "2025-05-01T00:00:00Z", true, after),
        ("at > now", "2025-05-01T00:00:00Z", true, day),
        ("now > at", day, false, after),
        ("now >= at", day, true, "MAX"),
        ("now == at", day, true, after),
        ("now == at", "2025-05-01T00:00:00Z", false, day),
        ("now != at", after, true, "MAX"),
        ("now - at < duration('24h')", day, true, "2025-06-02T12:00:00Z"),
        ("now - at > duration('24h')", day, false, "2025-06-02T12:00:00.000001Z"),
        ("at - now < duration('1h')", "2025-05-01T12:00:00Z", false, "2025-06-01T11:00:00.000001Z"),
        ("now + duration('1h') >= at", "2025-05-01T12:00:00Z", false, "2025-06-01T11:00:00Z"),
        // What was not evaluated does not count.
        ("flag || now < at", "2025-05-01T00:00:00Z", true, "MAX"),
        ("!flag && now < at", "2025-05-01T00:00:00Z", false, "MAX"),
        ("flag ? now < at : now - at < duration('-1h')", "2025-05-01T00:00:00Z", true, day),
        ("instants.exists(x, now < x)", "2025-05-01T00:00:00Z", true, day),
        ("instants.all(x, now < x)", "2025-05-01T00:00:00Z", true, day),
        // Beyond the range of instants the comparison is decided as if there were more of them.
        ("now + duration('80000000h') < timestamp('9999-12-31T23:59:59Z')", day, false, "MAX"),
        ("now - at < now - at + duration('0s') || true", day, false, "refused"),
    ];
    let instants = Owned::List(vec![Owned::from(at(day)), Owned::from(at("2025-07-01T00:00:00Z"))]);
    for (source, now, value, until) in cases {
        let environment = worlds::environment();
        let program = match environment.compile(source, Type::Bool) {
            Ok(program) => program,
            Err(_) if until == "refused" => continue,
            Err(errors) => panic!("{source}: {errors}"),
        };
        let inputs: Vec<_> = environment
            .variables()
            .map(|(name, _)| match name {
                "at" => Some(Owned::from(at(day))),
                "flag" => Some(Owned::from(true)),
                "instants" => Some(instants.clone()),
                _ => None,
            })
            .collect();
        let answer = program.matches(&inputs, at(now));
        let until = if until == "MAX" { Timestamp::MAX } else { at(until) };
        assert_eq!((answer.value, answer.valid_until), (value, until), "{source} at {now}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_expression_has_the_value_that_the_reference_gives(
        expression in generate::any_expression(3),
        world in worlds::world(),
    ) {
        let program = compiled(&expression, Type::Dyn);
        let (value, _) = answer(&program, &worlds::inputs(&world), world.now);
        let expected = reference::evaluate(&expression, &world).ok();
        prop_assert!(
            agree(value.as_ref(), expected.as_ref()),
            "{}\n{} instead of {}", program.source(), json(value.as_ref()), json(expected.as_ref())
        );
    }

    #[test]
    fn a_condition_without_now_holds_for_ever(expression in generate::condition(3, false), world in worlds::world()) {
        let program = compiled(&expression, Type::Bool);
        prop_assert!(!program.reads_now());
        prop_assert_eq!(answer(&program, &worlds::inputs(&world), world.now).1, Timestamp::MAX);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, max_shrink_iters: 500, ..ProptestConfig::default() })]

    #[test]
    fn an_answer_stays_right_until_it_says(expression in generate::condition(3, true), world in worlds::world()) {
        let program = compiled(&expression, Type::Bool);
        let inputs = worlds::inputs(&world);
        let (value, until) = answer(&program, &inputs, world.now);
        prop_assert!(until > world.now || until == Timestamp::MAX);
        let matched = program.matches(&inputs, world.now);
        prop_assert_eq!(matched.valid_until, until);
        prop_assert_eq!(matched.value, matches!(value, Some(Owned::Bool(true))));
        for now in candidates(world.now, until) {
            let then = World { now, ..world.clone() };
            // A condition whose type was not known and that gives no bool has failed.
            let expected = reference::evaluate(&expression, &then).ok().filter(|value| matches!(value, Owned::Bool(_)));
            prop_assert!(
                agree(value.as_ref(), expected.as_ref()),
                "{}\nat {} {}, valid until {}, but at {} {}",
                program.source(), world.now, json(value.as_ref()), until, now, json(expected.as_ref())
            );
        }
    }

    #[test]
    fn a_single_comparison_flips_exactly_when_it_says(expression in generate::clock_condition(), world in worlds::world()) {
        let program = compiled(&expression, Type::Bool);
        prop_assert!(program.reads_now());
        let (value, until) = answer(&program, &worlds::inputs(&world), world.now);
        if until != Timestamp::MAX {
            let then = World { now: until, ..world.clone() };
            let expected = reference::evaluate(&expression, &then).ok();
            prop_assert!(
                !agree(value.as_ref(), expected.as_ref()),
                "{}\nat {} {}, and at {} still", program.source(), world.now, json(value.as_ref()), until
            );
        }
    }
}
