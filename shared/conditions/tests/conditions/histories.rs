//! Random histories in a world of few instants, so that every instant can be tried, and what may be asked of them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rapport_conditions::{Owned, Timestamp};

use crate::expression::{Expr, Literal, World};

pub const KINDS: [&str; 3] = ["visit", "cart", "purchase"];
const CHANNELS: [&str; 3] = ["web", "app", "store"];
pub const VALUES: [f64; 7] = [0.1, 0.2, 0.3, 1.5, -2.0, 0.0, 100.25];
pub const COUNTS: [i64; 5] = [0, 1, 2, -1, 7];
/// The instants and lengths of this world, in microseconds.
pub const LAST: i64 = 40;
pub const LONGEST: i64 = 12;

pub fn instant(micros: i64) -> Timestamp {
    Timestamp::from_column(micros)
}

fn history(most: usize) -> impl Strategy<Value = Vec<Owned>> {
    let channel = proptest::option::weighted(0.8, select(CHANNELS.to_vec()).prop_map(Owned::from));
    let value = proptest::option::weighted(0.9, select(VALUES.to_vec()).prop_map(Owned::from));
    let count = select(COUNTS.to_vec()).prop_map(|count| Some(Owned::from(count)));
    let event = (0..LAST, channel, value, count);
    vec(event, 0..most).prop_map(|mut events| {
        events.sort_by_key(|(at, ..)| *at);
        let event =
            |(at, channel, value, count)| Owned::Object(vec![Some(Owned::from(instant(at))), channel, value, count]);
        events.into_iter().map(event).collect()
    })
}

pub fn world() -> impl Strategy<Value = World> {
    let length = (-2..LONGEST).prop_map(Owned::Duration);
    let plain = (any::<bool>(), select(COUNTS.to_vec()), select(VALUES.to_vec()), select(CHANNELS.to_vec()));
    let histories = (history(10), history(8), history(6));
    (plain, 0..LAST, length, histories, 0..LAST, 0..3_usize).prop_map(
        |((flag, number, ratio, word), at, length, histories, now, kinds)| World {
            variables: vec![
                ("flag", Owned::from(flag)),
                ("number", Owned::from(number)),
                ("ratio", Owned::from(ratio)),
                ("word", Owned::from(word)),
                ("at", Owned::from(instant(at))),
                ("length", length),
                ("numbers", Owned::List(vec![Owned::from(number), Owned::from(2)])),
                ("words", Owned::List(Vec::new())),
                ("instants", Owned::List(vec![Owned::from(instant(at))])),
            ],
            customer: ["name", "age", "seen", "member", "score", "gap"].map(|field| (field, None)).to_vec(),
            traits: Vec::new(),
            // Some types never happened, and are no keys of the map.
            events: KINDS.into_iter().zip([histories.0, histories.1, histories.2]).skip(kinds % 2).collect(),
            now: instant(now),
        },
    )
}

fn boxed(parts: Vec<BoxedStrategy<Expr>>) -> BoxedStrategy<Expr> {
    proptest::strategy::Union::new(parts).boxed()
}

fn binary(operators: &[&'static str], left: &BoxedStrategy<Expr>, right: &BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    (select(operators.to_vec()), left.clone(), right.clone())
        .prop_map(|(operator, left, right)| Expr::Binary(operator, Box::new((left, right))))
        .boxed()
}

fn part(of: &BoxedStrategy<Expr>, field: &'static str) -> BoxedStrategy<Expr> {
    of.clone().prop_map(move |of| Expr::Part(Box::new(of), field)).boxed()
}

fn method(names: &[&'static str], of: &BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    (select(names.to_vec()), of.clone()).prop_map(|(name, of)| Expr::Method(name, Box::new(of))).boxed()
}

pub const ORDERS: [&str; 6] = ["<", "<=", ">", ">=", "==", "!="];

pub fn literal<T: 'static>(
    values: impl Strategy<Value = T> + 'static,
    literal: fn(T) -> Literal,
) -> impl Strategy<Value = Expr> {
    values.prop_map(move |value| Expr::Literal(literal(value)))
}

pub fn length() -> BoxedStrategy<Expr> {
    prop_oneof![3 => literal(-2..LONGEST, Literal::Duration), 1 => Just(Expr::Name("length"))].boxed()
}

/// The length of a window: one that a condition says itself is above zero.
pub fn span() -> BoxedStrategy<Expr> {
    prop_oneof![3 => literal(1..LONGEST, Literal::Duration), 1 => Just(Expr::Name("length"))].boxed()
}

fn fixed_instant() -> BoxedStrategy<Expr> {
    prop_oneof![1 => literal(0..LAST, Literal::Timestamp), 1 => Just(Expr::Name("at"))].boxed()
}

/// An instant, or one that moves with `now` or against it.
fn bound() -> BoxedStrategy<Expr> {
    let now = Just(Expr::Now).boxed();
    let against = binary(&["-"], &fixed_instant(), &binary(&["-"], &now, &fixed_instant()));
    prop_oneof![2 => fixed_instant(), 2 => binary(&["-", "+"], &now, &length()), 1 => now, 1 => against].boxed()
}

/// What may be asked of an event `e`.
fn about_one() -> BoxedStrategy<Expr> {
    let event = Just(Expr::Name("e")).boxed();
    let number = boxed(vec![
        literal(select(COUNTS.to_vec()), Literal::Int).boxed(),
        literal(select(VALUES.to_vec()), Literal::Double).boxed(),
    ]);
    boxed(vec![
        binary(&ORDERS, &part(&event, "value"), &number),
        binary(&ORDERS, &part(&event, "count"), &number),
        binary(&["==", "!="], &part(&event, "channel"), &literal(select(CHANNELS.to_vec()), Literal::String).boxed()),
        binary(&ORDERS, &part(&event, "at"), &bound()),
        binary(&ORDERS, &binary(&["-"], &Just(Expr::Now).boxed(), &part(&event, "at")), &length()),
        event.prop_map(|event| Expr::HasPart(Box::new(event), "channel")).boxed(),
    ])
}

fn fold(names: &[&'static str], over: &BoxedStrategy<Expr>, body: &BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    (select(names.to_vec()), over.clone(), body.clone())
        .prop_map(|(name, over, body)| Expr::Fold(name, Box::new(over), "e", Box::new(body)))
        .boxed()
}

pub fn window(of: &BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    let test = |name: &'static str, bound: BoxedStrategy<Expr>| {
        (of.clone(), bound).prop_map(move |parts| Expr::Test(name, Box::new(parts))).boxed()
    };
    let between = (of.clone(), bound(), bound()).prop_map(|parts| Expr::Test2("between", Box::new(parts)));
    prop_oneof![3 => test("within", span()), 2 => test("since", bound()), 2 => test("before", bound()), 2 => between]
        .boxed()
}

pub fn events(depth: usize) -> BoxedStrategy<Expr> {
    let leaf = select(KINDS.to_vec()).prop_map(Expr::Events).boxed();
    (0..depth).fold(leaf, |below, _| {
        let follow = (select(vec!["followedBy", "notFollowedBy"]), below.clone(), below.clone(), span())
            .prop_map(|(name, first, second, within)| Expr::Test2(name, Box::new((first, second, within))));
        let choice =
            (below.clone(), below.clone()).prop_map(|(yes, no)| Expr::If(Box::new((Expr::Name("flag"), yes, no))));
        prop_oneof![
            3 => below.clone(),
            4 => window(&below),
            2 => fold(&["filter"], &below, &about_one()),
            3 => follow,
            1 => choice,
        ]
        .boxed()
    })
}

fn numbers(of: &BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    let of_each = |field| fold(&["map"], of, &part(&Just(Expr::Name("e")).boxed(), field));
    let each = boxed(vec![of_each("value"), of_each("count")]);
    boxed(vec![
        method(&["size"], of),
        method(&["sum", "avg", "min", "max", "first", "last"], &each),
        part(&method(&["first", "last"], of), "value"),
    ])
}

pub fn condition(depth: usize) -> BoxedStrategy<Expr> {
    let events = events(depth);
    let number = prop_oneof![
        3 => literal(0..5_i64, Literal::Int),
        1 => literal(select(VALUES.to_vec()), Literal::Double),
        1 => numbers(&events),
    ]
    .boxed();
    let end = part(&method(&["first", "last"], &events), "at");
    let now = Just(Expr::Now).boxed();
    let plain = boxed(vec![
        binary(&ORDERS, &numbers(&events), &number),
        binary(&ORDERS, &number, &numbers(&events)),
        binary(&ORDERS, &binary(&["-"], &now, &end), &length()),
        binary(&ORDERS, &end, &binary(&["-"], &now, &length())),
        fold(&["exists", "all", "exists_one"], &events, &about_one()),
        select(KINDS.to_vec()).prop_map(Expr::HasEvents).boxed(),
    ]);
    let joined = prop_oneof![
        vec(plain.clone(), 2..4).prop_map(Expr::And),
        vec(plain.clone(), 2..4).prop_map(Expr::Or),
        plain.clone().prop_map(|of| Expr::Not(Box::new(of))),
    ];
    prop_oneof![3 => plain, 1 => joined].boxed()
}
