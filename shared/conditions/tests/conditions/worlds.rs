//! The environment of the generated expressions, and random worlds to evaluate them over.
//!
//! Values come from small pools, so that texts meet, thresholds are hit and numbers overflow often.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rapport_conditions::{Environment, Limits, Owned, Timestamp, Type};

use crate::expression::{EVENT_FIELDS, World};

pub const HOUR: i64 = 3_600_000_000;
/// 2025-06-01T12:00:00Z, about which the instants lie.
pub const NOON: i64 = 1_748_779_200_000_000;

pub const INSTANTS: [i64; 9] = [
    NOON,
    NOON - HOUR,
    NOON - 48 * HOUR,
    NOON + 1,
    NOON + HOUR,
    NOON + 720 * HOUR,
    0,
    Timestamp::MIN.micros(),
    Timestamp::MAX.micros(),
];
pub const LENGTHS: [i64; 7] = [0, 1, HOUR, -HOUR, 48 * HOUR, 720 * HOUR, 90 * 60 * 1_000_000];
pub const WORDS: [&str; 8] = ["", "gold", "Gold", "a", "ab", "é", "12", "z€"];
pub const INTS: [i64; 9] = [0, 1, 2, -1, 7, 100, i64::MAX, i64::MIN, 9_007_199_254_740_993];
pub const DOUBLES: [f64; 7] = [0.0, 1.0, -1.5, 2.0, 1e300, 9_007_199_254_740_992.0, 0.1];
pub const TRAITS: [&str; 3] = ["plan", "visits", "joined"];

/// Macros in one another multiply; the estimate that would refuse that has tests of its own.
pub fn environment() -> Environment {
    let customer = Type::object(
        "Customer",
        [
            ("name", Type::String),
            ("age", Type::Int),
            ("seen", Type::Timestamp),
            ("member", Type::Bool),
            ("score", Type::Double),
            ("gap", Type::Duration),
        ],
    );
    Environment::builder()
        .variable("flag", Type::Bool)
        .variable("number", Type::Int)
        .variable("ratio", Type::Double)
        .variable("word", Type::String)
        .variable("at", Type::Timestamp)
        .variable("length", Type::Duration)
        .variable("numbers", Type::list(Type::Int))
        .variable("words", Type::list(Type::String))
        .variable("instants", Type::list(Type::Timestamp))
        .variable("customer", customer)
        .variable("traits", Type::map(Type::Dyn))
        .variable("events", Type::map(events()))
        .limits(Limits { cost: u64::MAX, length: 100_000, nodes: 50_000, ..Limits::default() })
        .build()
}

/// A list of events as it is declared.
fn events() -> Type {
    let kinds = [Type::Timestamp, Type::String, Type::Double, Type::Int];
    Type::events("Event", EVENT_FIELDS.into_iter().zip(kinds))
}

/// The world as the library is given it: in order of the environment's variables.
pub fn inputs(world: &World) -> Vec<Owned> {
    let mut inputs: Vec<_> = world.variables.iter().map(|(_, value)| value.clone()).collect();
    inputs.push(Owned::Object(world.customer.iter().map(|(_, value)| value.clone()).collect()));
    let traits = world.traits.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
    inputs.push(Owned::Map(traits.collect::<BTreeMap<_, _>>()));
    let events = world.events.iter().map(|(kind, events)| ((*kind).to_owned(), Owned::List(events.clone())));
    inputs.push(Owned::Map(events.collect::<BTreeMap<_, _>>()));
    inputs
}

fn instant() -> impl Strategy<Value = Owned> {
    select(INSTANTS.to_vec()).prop_map(|micros| Owned::Timestamp(Timestamp::from_column(micros)))
}

fn any_value() -> impl Strategy<Value = Owned> {
    prop_oneof![
        any::<bool>().prop_map(Owned::from),
        select(INTS.to_vec()).prop_map(Owned::from),
        select(DOUBLES.to_vec()).prop_map(Owned::from),
        select(WORDS.to_vec()).prop_map(Owned::from),
        instant(),
        select(LENGTHS.to_vec()).prop_map(Owned::Duration),
    ]
}

pub fn world() -> impl Strategy<Value = World> {
    let list = |item: BoxedStrategy<Owned>| vec(item, 0..4).prop_map(Owned::List);
    let int = || select(INTS.to_vec()).prop_map(Owned::from);
    let double = || select(DOUBLES.to_vec()).prop_map(Owned::from);
    let word = || select(WORDS.to_vec()).prop_map(Owned::from);
    let length = || select(LENGTHS.to_vec()).prop_map(Owned::Duration);
    let flag = || any::<bool>().prop_map(Owned::from);
    let plain = (flag(), int(), double(), word(), instant(), length());
    let lists = (list(int().boxed()), list(word().boxed()), list(instant().boxed()));
    let maybe = |value: BoxedStrategy<Owned>| proptest::option::weighted(0.8, value);
    let customer = (
        maybe(word().boxed()),
        maybe(int().boxed()),
        maybe(instant().boxed()),
        maybe(flag().boxed()),
        maybe(double().boxed()),
        maybe(length().boxed()),
    );
    let traits = vec((select(TRAITS.to_vec()), any_value()), 0..4);
    let now = select(INSTANTS[..6].to_vec());
    (plain, lists, customer, traits, now).prop_map(|(plain, lists, customer, mut traits, now)| {
        traits.sort_by_key(|(key, _)| *key);
        traits.dedup_by_key(|(key, _)| *key);
        World {
            variables: vec![
                ("flag", plain.0),
                ("number", plain.1),
                ("ratio", plain.2),
                ("word", plain.3),
                ("at", plain.4),
                ("length", plain.5),
                ("numbers", lists.0),
                ("words", lists.1),
                ("instants", lists.2),
            ],
            customer: vec![
                ("name", customer.0),
                ("age", customer.1),
                ("seen", customer.2),
                ("member", customer.3),
                ("score", customer.4),
                ("gap", customer.5),
            ],
            traits,
            events: Vec::new(),
            now: Timestamp::from_column(now),
        }
    })
}
