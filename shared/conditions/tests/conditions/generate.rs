//! Random well-typed expressions. Literals come from the same small pools as the values they are evaluated over.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::expression::{Expr, Literal};
use crate::worlds::{DOUBLES, INSTANTS, INTS, LENGTHS, TRAITS, WORDS};

const LOCALS: [&str; 4] = ["w", "x", "y", "z"];

/// Expressions of each type, up to one depth.
#[derive(Clone)]
struct Level {
    depth: usize,
    flag: BoxedStrategy<Expr>,
    int: BoxedStrategy<Expr>,
    double: BoxedStrategy<Expr>,
    word: BoxedStrategy<Expr>,
    instant: BoxedStrategy<Expr>,
    length: BoxedStrategy<Expr>,
    ints: BoxedStrategy<Expr>,
    words: BoxedStrategy<Expr>,
    instants: BoxedStrategy<Expr>,
}

/// Conditions up to a depth; with or without `now`.
pub fn condition(depth: usize, with_now: bool) -> BoxedStrategy<Expr> {
    (0..depth).fold(leaves(), |below, _| deeper(&below, with_now)).flag
}

/// One comparison with `now`, its operands as plain as can be.
pub fn clock_condition() -> BoxedStrategy<Expr> {
    clock(&leaves())
}

/// A comparison of one path with a constant that a column keeps exactly, `now` included.
pub fn plain_comparison() -> BoxedStrategy<Expr> {
    let small = INTS.into_iter().filter(|int| int.checked_abs().is_some_and(|int| int < 1_000_000)).collect::<Vec<_>>();
    let doubles = DOUBLES.into_iter().filter(|double| double.abs() < 1e6).collect::<Vec<_>>();
    let int = select(small).prop_map(|int| Expr::Literal(Literal::Int(int)));
    let double = select(doubles).prop_map(|double| Expr::Literal(Literal::Double(double)));
    let word = select(WORDS.to_vec()).prop_map(|word| Expr::Literal(Literal::String(word))).boxed();
    let instant = select(INSTANTS.to_vec()).prop_map(|at| Expr::Literal(Literal::Timestamp(at))).boxed();
    let length = select(LENGTHS.to_vec()).prop_map(|length| Expr::Literal(Literal::Duration(length))).boxed();
    let number = prop_oneof![int, double].boxed();
    let one = |parts: [Expr; 2]| select(parts.to_vec()).boxed();
    let numbers =
        prop_oneof![one([Expr::Name("number"), Expr::Field("age")]), one([Expr::Name("ratio"), Expr::Field("score")]),]
            .boxed();
    let words = one([Expr::Name("word"), Expr::Field("name")]);
    let instants = one([Expr::Name("at"), Expr::Field("seen")]);
    let flags = one([Expr::Name("flag"), Expr::Field("member")]);
    let asked = select(vec!["name", "age", "seen"]).prop_map(Expr::HasField);
    let age = binary(&["-"], &Just(Expr::Now).boxed(), &instants);
    let prefix = (words.clone(), word.clone()).prop_map(|parts| Expr::Test("startsWith", Box::new(parts)));
    prop_oneof![
        binary(&ORDERS, &numbers, &number),
        binary(&ORDERS, &number, &numbers),
        binary(&ORDERS, &words, &word),
        binary(&ORDERS, &instants, &instant),
        binary(&ORDERS, &age, &length),
        binary(&["==", "!="], &flags, &any::<bool>().prop_map(|flag| Expr::Literal(Literal::Bool(flag))).boxed()),
        flags,
        asked,
        prefix,
    ]
    .boxed()
}

/// What a program can be asked for besides a condition.
pub fn any_expression(depth: usize) -> BoxedStrategy<Expr> {
    let level = (0..depth).fold(leaves(), |below, _| deeper(&below, true));
    prop_oneof![
        level.flag,
        level.int,
        level.double,
        level.word,
        level.instant,
        level.length,
        level.ints,
        level.words,
        level.instants
    ]
    .boxed()
}

fn leaf(literal: impl Strategy<Value = Literal> + 'static, names: Vec<Expr>) -> BoxedStrategy<Expr> {
    let traits = select(TRAITS.to_vec()).prop_map(Expr::Trait);
    prop_oneof![3 => literal.prop_map(Expr::Literal), 4 => select(names), 1 => traits].boxed()
}

fn leaves() -> Level {
    let list = |name: &'static str| Just(Expr::Name(name)).boxed();
    let asked = prop_oneof![
        select(vec!["name", "age", "seen", "member", "score", "gap"]).prop_map(Expr::HasField),
        select(TRAITS.to_vec()).prop_map(Expr::HasTrait),
    ];
    let flag = leaf(any::<bool>().prop_map(Literal::Bool), vec![Expr::Name("flag"), Expr::Field("member")]);
    Level {
        depth: 0,
        flag: prop_oneof![3 => flag, 1 => asked].boxed(),
        int: leaf(select(INTS.to_vec()).prop_map(Literal::Int), vec![Expr::Name("number"), Expr::Field("age")]),
        double: leaf(
            select(DOUBLES.to_vec()).prop_map(Literal::Double),
            vec![Expr::Name("ratio"), Expr::Field("score")],
        ),
        word: leaf(select(WORDS.to_vec()).prop_map(Literal::String), vec![Expr::Name("word"), Expr::Field("name")]),
        instant: leaf(
            select(INSTANTS.to_vec()).prop_map(Literal::Timestamp),
            vec![Expr::Name("at"), Expr::Field("seen")],
        ),
        length: leaf(
            select(LENGTHS.to_vec()).prop_map(Literal::Duration),
            vec![Expr::Name("length"), Expr::Field("gap")],
        ),
        ints: list("numbers"),
        words: list("words"),
        instants: list("instants"),
    }
}

fn binary(operators: &[&'static str], left: &BoxedStrategy<Expr>, right: &BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    (select(operators.to_vec()), left.clone(), right.clone())
        .prop_map(|(operator, left, right)| Expr::Binary(operator, Box::new((left, right))))
        .boxed()
}

fn method(name: &'static str, of: &BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    of.clone().prop_map(move |of| Expr::Method(name, Box::new(of))).boxed()
}

fn call(name: &'static str, of: &BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    of.clone().prop_map(move |of| Expr::Call(name, Box::new(of))).boxed()
}

fn choice(below: &Level, of: &BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    (below.flag.clone(), of.clone(), of.clone())
        .prop_map(|(condition, yes, no)| Expr::If(Box::new((condition, yes, no))))
        .boxed()
}

fn indexed(below: &Level, list: &BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    let index = prop_oneof![3 => (0_i64..3).prop_map(|at| Expr::Literal(Literal::Int(at))), 1 => below.int.clone()];
    (list.clone(), index).prop_map(|(list, index)| Expr::Index(Box::new((list, index)))).boxed()
}

fn list_of(item: &BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    vec(item.clone(), 0..4).prop_map(Expr::List).boxed()
}

/// A fold whose body may name the element, in place of a variable of its type.
fn fold(
    names: &[&'static str],
    below: &Level,
    range: &BoxedStrategy<Expr>,
    body: &BoxedStrategy<Expr>,
    stands_for: &'static str,
) -> BoxedStrategy<Expr> {
    let local = LOCALS[below.depth % LOCALS.len()];
    (select(names.to_vec()), range.clone(), body.clone())
        .prop_map(move |(name, range, body)| {
            let body = with_local(body, stands_for, local);
            Expr::Fold(name, Box::new(range), local, Box::new(body))
        })
        .boxed()
}

/// Puts a macro's variable where a variable of the environment stood.
fn with_local(expression: Expr, from: &str, to: &'static str) -> Expr {
    let one = |of: Box<Expr>| Box::new(with_local(*of, from, to));
    let two = |parts: Box<(Expr, Expr)>| Box::new((with_local(parts.0, from, to), with_local(parts.1, from, to)));
    let many = |parts: Vec<Expr>| parts.into_iter().map(|part| with_local(part, from, to)).collect();
    match expression {
        Expr::Name(name) if name == from => Expr::Name(to),
        Expr::Not(of) => Expr::Not(one(of)),
        Expr::Negate(of) => Expr::Negate(one(of)),
        Expr::And(parts) => Expr::And(many(parts)),
        Expr::Or(parts) => Expr::Or(many(parts)),
        Expr::If(parts) => {
            let (condition, yes, no) = *parts;
            let [condition, yes, no] = [condition, yes, no].map(|part| with_local(part, from, to));
            Expr::If(Box::new((condition, yes, no)))
        }
        Expr::Binary(operator, parts) => Expr::Binary(operator, two(parts)),
        Expr::List(parts) => Expr::List(many(parts)),
        Expr::Index(parts) => Expr::Index(two(parts)),
        Expr::Call(name, of) => Expr::Call(name, one(of)),
        Expr::Method(name, of) => Expr::Method(name, one(of)),
        Expr::Test(name, parts) => Expr::Test(name, two(parts)),
        Expr::Fold(name, range, local, body) => Expr::Fold(name, one(range), local, one(body)),
        Expr::Test2(name, parts) => {
            let (first, second, third) = *parts;
            let [first, second, third] = [first, second, third].map(|part| with_local(part, from, to));
            Expr::Test2(name, Box::new((first, second, third)))
        }
        Expr::Part(of, field) => Expr::Part(one(of), field),
        Expr::HasPart(of, field) => Expr::HasPart(one(of), field),
        other => other,
    }
}

const ORDERS: [&str; 6] = ["<", "<=", ">", ">=", "==", "!="];

/// The comparisons with `now` that can be solved for it.
fn clock(below: &Level) -> BoxedStrategy<Expr> {
    let now = Just(Expr::Now).boxed();
    let later = prop_oneof![
        now.clone(),
        binary(&["+", "-"], &now, &below.length),
        binary(&["+"], &below.length, &now),
        binary(&["-"], &binary(&["+"], &now, &below.length), &below.length),
    ]
    .boxed();
    let age = prop_oneof![
        binary(&["-"], &now, &below.instant),
        binary(&["-"], &below.instant, &now),
        binary(&["-"], &below.instant, &later),
        binary(&["+", "-"], &binary(&["-"], &now, &below.instant), &below.length),
        binary(&["-"], &below.length, &binary(&["-"], &now, &below.instant)),
    ]
    .boxed();
    prop_oneof![
        2 => binary(&ORDERS, &later, &below.instant),
        2 => binary(&ORDERS, &below.instant, &later),
        3 => binary(&ORDERS, &age, &below.length),
        1 => binary(&ORDERS, &below.length, &age),
    ]
    .boxed()
}

fn flags(below: &Level, with_now: bool) -> BoxedStrategy<Expr> {
    let numbers = prop_oneof![below.int.clone(), below.double.clone()].boxed();
    let comparisons = prop_oneof![
        binary(&ORDERS, &numbers, &numbers),
        binary(&ORDERS, &below.word, &below.word),
        binary(&ORDERS, &below.instant, &below.instant),
        binary(&ORDERS, &below.length, &below.length),
        binary(&["==", "!="], &below.flag, &below.flag),
        binary(&["==", "!="], &below.ints, &below.ints),
        binary(&["==", "!="], &below.words, &below.words),
    ];
    let members = prop_oneof![
        binary(&["in"], &numbers, &below.ints),
        binary(&["in"], &below.word, &below.words),
        binary(&["in"], &below.instant, &below.instants),
    ];
    let tests = (select(vec!["contains", "startsWith", "endsWith"]), below.word.clone(), below.word.clone())
        .prop_map(|(name, text, part)| Expr::Test(name, Box::new((text, part))));
    let asking = ["all", "exists", "exists_one"];
    let folds = prop_oneof![
        fold(&asking, below, &below.ints, &below.flag, "number"),
        fold(&asking, below, &below.words, &below.flag, "word"),
        fold(&asking, below, &below.instants, &below.flag, "at"),
    ];
    let joined = prop_oneof![
        vec(below.flag.clone(), 2..4).prop_map(Expr::And),
        vec(below.flag.clone(), 2..4).prop_map(Expr::Or),
        below.flag.clone().prop_map(|of| Expr::Not(Box::new(of))),
        choice(below, &below.flag),
    ];
    let plain =
        prop_oneof![4 => comparisons, 2 => members, 1 => tests, 2 => folds, 4 => joined, 1 => below.flag.clone()];
    if with_now { prop_oneof![3 => plain, 1 => clock(below)].boxed() } else { plain.boxed() }
}

fn one_of(parts: Vec<BoxedStrategy<Expr>>) -> BoxedStrategy<Expr> {
    proptest::strategy::Union::new(parts).boxed()
}

fn negated(of: &BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    of.clone().prop_map(|of| Expr::Negate(Box::new(of))).boxed()
}

fn deeper_int(below: &Level) -> BoxedStrategy<Expr> {
    let parts = ["getHours", "getMinutes", "getDayOfWeek", "getFullYear", "getDayOfYear"];
    let part = (select(parts.to_vec()), below.instant.clone()).prop_map(|(name, of)| Expr::Method(name, Box::new(of)));
    one_of(vec![
        below.int.clone(),
        binary(&["+", "-", "*", "/", "%"], &below.int, &below.int),
        negated(&below.int),
        choice(below, &below.int),
        indexed(below, &below.ints),
        method("size", &below.word),
        method("size", &below.words),
        call("int", &below.double),
        call("int", &Just(Expr::Name("word")).boxed()),
        call("int", &below.instant),
        method("getHours", &below.length),
        part.boxed(),
    ])
}

fn deeper(below: &Level, with_now: bool) -> Level {
    let double = one_of(vec![
        below.double.clone(),
        binary(&["+", "-", "*", "/"], &below.double, &below.double),
        negated(&below.double),
        choice(below, &below.double),
        call("double", &below.int),
    ]);
    let word = one_of(vec![
        below.word.clone(),
        binary(&["+"], &below.word, &below.word),
        choice(below, &below.word),
        indexed(below, &below.words),
        method("lowerAscii", &below.word),
        call("string", &below.int),
    ]);
    let instant = one_of(vec![
        below.instant.clone(),
        binary(&["+", "-"], &below.instant, &below.length),
        choice(below, &below.instant),
        indexed(below, &below.instants),
    ]);
    let length = one_of(vec![
        below.length.clone(),
        binary(&["+", "-"], &below.length, &below.length),
        binary(&["-"], &below.instant, &below.instant),
        choice(below, &below.length),
    ]);
    let lists = |of: &BoxedStrategy<Expr>, item: &BoxedStrategy<Expr>, stands_for: &'static str| {
        one_of(vec![
            of.clone(),
            list_of(item),
            binary(&["+"], of, of),
            fold(&["filter"], below, of, &below.flag, stands_for),
            fold(&["map"], below, of, item, stands_for),
        ])
    };
    Level {
        depth: below.depth + 1,
        flag: flags(below, with_now),
        int: deeper_int(below),
        double,
        word,
        instant,
        length,
        ints: lists(&below.ints, &below.int, "number"),
        words: lists(&below.words, &below.word, "word"),
        instants: lists(&below.instants, &below.instant, "at"),
    }
}
