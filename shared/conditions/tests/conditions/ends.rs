//! Conditions that read no more of a list than its length and its ends are given no more.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use rapport_conditions::{Activation, AsValue, List, Owned, Program, Timestamp, Type, Value};

use crate::expression::{self, World};
use crate::golden;
use crate::histories::{LAST, condition, instant, world};
use crate::worlds;

/// A list that counts all and holds its first and its last.
struct Ends(Vec<Owned>);

impl List for Ends {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn element(&self, index: usize) -> Option<Value<'_>> {
        let is_end = index == 0 || index + 1 == self.0.len();
        self.0.get(index).filter(|_| is_end).map(AsValue::as_value)
    }
}

enum Events {
    Ends(Ends),
    All(Vec<Owned>),
}

impl AsValue for Events {
    fn as_value(&self) -> Value<'_> {
        match self {
            Self::Ends(ends) => Value::List(ends),
            Self::All(all) => Value::List(all),
        }
    }
}

/// A world whose events are its last variable.
struct Given {
    others: Vec<Owned>,
    events: BTreeMap<String, Events>,
}

impl Activation for Given {
    fn variable(&self, index: usize) -> Option<Value<'_>> {
        if index == self.others.len() { Some(Value::Map(&self.events)) } else { self.others.variable(index) }
    }
}

fn at(event: &Owned) -> Option<Timestamp> {
    let Owned::Object(fields) = event else { return None };
    fields.iter().flatten().find_map(|field| if let Owned::Timestamp(at) = field { Some(*at) } else { None })
}

/// The world with the ends of what is not read between them, and how many lists lack something.
fn given(program: &Program, world: &World) -> (Given, usize) {
    let mut others = worlds::inputs(world);
    others.pop();
    let mut less = 0;
    let events = world.events.iter().map(|(kind, events)| {
        let is_between = program.reads_between(&["events".to_owned(), (*kind).to_owned()]);
        let is_to_come = events.last().and_then(at).is_some_and(|at| at > world.now);
        let events = if is_between || is_to_come {
            Events::All(events.clone())
        } else {
            less += usize::from(events.len() > 2);
            Events::Ends(Ends(events.clone()))
        };
        ((*kind).to_owned(), events)
    });
    let events = events.collect();
    (Given { others, events }, less)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_ends_of_what_is_not_read_between_them_are_enough(expression in condition(1), world in world(), now in 0..2 * LAST) {
        let world = World { now: instant(now), ..world };
        let source = expression::source(&expression);
        let program = worlds::environment().compile(&source, Type::Bool).expect("well formed");
        let (given, _) = given(&program, &world);
        let whole = worlds::inputs(&world);
        prop_assert_eq!(program.matches(&given, world.now), program.matches(&whole, world.now), "{}", source);
        match (program.evaluate(&given, world.now), program.evaluate(&whole, world.now)) {
            (Ok(one), Ok(other)) => {
                let (one, other) = (one.value.to_owned(), other.value.to_owned());
                prop_assert!(one.zip(other).is_some_and(|(one, other)| golden::same(&one, &other)), "{}", source);
            }
            (one, other) => prop_assert!(one.is_err() && other.is_err(), "{}", source),
        }
    }
}

#[test]
fn random_worlds_have_lists_of_which_something_is_left_out() {
    let program = worlds::environment().compile("events.visit.size() > 1", Type::Bool).expect("well formed");
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let some = (0..200).filter(|_| {
        let world = World { now: instant(LAST), ..world().new_tree(&mut runner).expect("a world").current() };
        given(&program, &world).1 > 0
    });
    assert!(some.count() > 50);
}

#[test]
fn a_program_tells_what_it_reads_between_the_ends() {
    let program = |source: &str| {
        worlds::environment().compile(source, Type::Bool).unwrap_or_else(|errors| panic!("{source}: {errors}"))
    };
    let between = |source: &str| program(source).reads_between(&["events".to_owned(), "visit".to_owned()]);
    for source in [
        "events.visit.size() > 3",
        "has(events.visit)",
        "'visit' in events",
        "now - events.visit.first().at < duration('1h') || now - events.visit.last().at < duration('2h')",
        "events.visit.size() > 3 ? events.cart.within(duration('1h')).size() > 0 : events.visit.last().at < now",
    ] {
        assert!(!between(source), "{source}");
    }
    for source in [
        "events.visit.within(duration('1h')).size() > 3",
        "events.visit.size() > 3 && events.visit.exists(e, e.at < now)",
        "events.cart.followedBy(events.visit, duration('1h')).size() > 0",
        "(events.cart.size() > 1 ? events.visit : events.cart).size() > 1",
        "[events.visit].exists(some, some.size() > 1)",
        "events.visit[1].at < now",
        "events.visit.map(e, e.at).max() < now",
    ] {
        assert!(between(source), "{source}");
    }
}
