//! Past events against the plain reference: over random histories in a world of few instants, so that every instant
//! can be tried.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rapport_conditions::{Environment, Keys, Limits, Owned, Program, Timestamp, Type};

use crate::expression::{self, Expr, Literal, World};
use crate::golden;
use crate::reference;
use crate::worlds;

const KINDS: [&str; 3] = ["visit", "cart", "purchase"];
const CHANNELS: [&str; 3] = ["web", "app", "store"];
const VALUES: [f64; 7] = [0.1, 0.2, 0.3, 1.5, -2.0, 0.0, 100.25];
const COUNTS: [i64; 5] = [0, 1, 2, -1, 7];
/// The instants and lengths of this world, in microseconds.
const LAST: i64 = 40;
const LONGEST: i64 = 12;

fn instant(micros: i64) -> Timestamp {
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

fn world() -> impl Strategy<Value = World> {
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

const ORDERS: [&str; 6] = ["<", "<=", ">", ">=", "==", "!="];

fn literal<T: 'static>(
    values: impl Strategy<Value = T> + 'static,
    literal: fn(T) -> Literal,
) -> impl Strategy<Value = Expr> {
    values.prop_map(move |value| Expr::Literal(literal(value)))
}

fn length() -> BoxedStrategy<Expr> {
    prop_oneof![3 => literal(-2..LONGEST, Literal::Duration), 1 => Just(Expr::Name("length"))].boxed()
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

fn window(of: &BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    let test = |name: &'static str, bound: BoxedStrategy<Expr>| {
        (of.clone(), bound).prop_map(move |parts| Expr::Test(name, Box::new(parts))).boxed()
    };
    let between = (of.clone(), bound(), bound()).prop_map(|parts| Expr::Test2("between", Box::new(parts)));
    prop_oneof![3 => test("within", length()), 2 => test("since", bound()), 2 => test("before", bound()), 2 => between]
        .boxed()
}

fn events(depth: usize) -> BoxedStrategy<Expr> {
    let leaf = select(KINDS.to_vec()).prop_map(Expr::Events).boxed();
    (0..depth).fold(leaf, |below, _| {
        let follow = (select(vec!["followedBy", "notFollowedBy"]), below.clone(), below.clone(), length())
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

fn condition(depth: usize) -> BoxedStrategy<Expr> {
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

fn compiled(expression: &Expr, expected: Type) -> Program {
    let source = expression::source(expression);
    worlds::environment().compile(&source, expected).unwrap_or_else(|errors| panic!("{source}\n{errors}"))
}

/// What the library gives, and until when.
fn answer(program: &Program, world: &World) -> (Option<Owned>, Timestamp) {
    let inputs = worlds::inputs(world);
    let (value, until) = match program.evaluate(&inputs, world.now) {
        Ok(outcome) => (outcome.value.to_owned(), outcome.valid_until),
        Err(error) => (None, error.valid_until),
    };
    (value, until)
}

fn expected(expression: &Expr, world: &World, now: Timestamp) -> Option<Owned> {
    reference::evaluate(expression, &World { now, ..world.clone() }).ok()
}

fn agree(left: Option<&Owned>, right: Option<&Owned>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => golden::same(left, right),
        (left, right) => left.is_none() && right.is_none(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_said_of_past_events_is_right_at_every_instant_until_it_says(
        expression in condition(3),
        world in world(),
    ) {
        let program = compiled(&expression, Type::Bool);
        let (value, until) = answer(&program, &world);
        prop_assert!(until > world.now);
        let matched = program.matches(&worlds::inputs(&world), world.now);
        prop_assert_eq!(matched.valid_until, until);
        for now in world.now.micros()..until.micros().min(4 * LAST) {
            let now = instant(now);
            let right = expected(&expression, &world, now);
            prop_assert!(
                agree(value.as_ref(), right.as_ref()),
                "{}\nat {} {:?}, valid until {}, but at {} {:?}",
                program.source(), world.now, value, until, now, right
            );
        }
    }

    #[test]
    fn a_window_changes_when_it_says(window in window(&events(0)), world in world()) {
        prop_assume!(!both_edges_move(&window));
        let at = Expr::Part(Box::new(Expr::Name("e")), "at");
        let instants = Expr::Fold("map", Box::new(window), "e", Box::new(at));
        prop_assert!(is_tight(&instants, &world)?);
    }

    #[test]
    fn a_count_within_a_window_changes_when_it_says(
        kind in select(KINDS.to_vec()),
        within in length(),
        order in select(ORDERS[..4].to_vec()),
        number in numbers_to_reach(),
        mirrored in any::<bool>(),
        world in world(),
    ) {
        let window = Expr::Test("within", Box::new((Expr::Events(kind), within)));
        let size = Expr::Method("size", Box::new(window));
        let parts = if mirrored { (number, size) } else { (size, number) };
        prop_assert!(is_tight(&Expr::Binary(order, Box::new(parts)), &world)?);
    }

    #[test]
    fn what_is_not_followed_changes_when_it_says(
        kinds in (select(KINDS.to_vec()), select(KINDS.to_vec())),
        within in 0..LONGEST,
        world in world(),
    ) {
        let parts = (Expr::Events(kinds.0), Expr::Events(kinds.1), Expr::Literal(Literal::Duration(within)));
        let alone = Expr::Test2("notFollowedBy", Box::new(parts));
        prop_assert!(is_tight(&Expr::Method("size", Box::new(alone)), &world)?);
    }

    #[test]
    fn the_last_event_of_a_window_changes_when_it_says(
        kind in select(KINDS.to_vec()),
        within in length(),
        world in world(),
    ) {
        let window = Expr::Test("within", Box::new((Expr::Events(kind), within)));
        let last = Expr::Method("last", Box::new(window));
        prop_assert!(is_tight(&Expr::Part(Box::new(last), "at"), &world)?);
    }
}

/// Where both edges move, an event that crosses one beyond the other is taken to show.
fn both_edges_move(window: &Expr) -> bool {
    match window {
        Expr::Test2(_, parts) => [&parts.1, &parts.2].iter().all(|bound| expression::source(bound).contains("now")),
        _ => false,
    }
}

fn numbers_to_reach() -> BoxedStrategy<Expr> {
    prop_oneof![3 => literal(-1..6_i64, Literal::Int), 1 => literal(select(VALUES.to_vec()), Literal::Double)].boxed()
}

/// Whether what is said stays right until its instant, and is not right at it. At the instant of an event to come it
/// need not change: what events do to an answer is known when they happen.
fn is_tight(expression: &Expr, world: &World) -> Result<bool, TestCaseError> {
    let program = compiled(expression, Type::Dyn);
    let (value, until) = answer(&program, world);
    for now in world.now.micros()..until.micros().min(4 * LAST) {
        let right = expected(expression, world, instant(now));
        prop_assert!(agree(value.as_ref(), right.as_ref()), "{} at {now}: {right:?}", program.source());
    }
    let mut all = world.events.iter().flat_map(|(_, events)| events);
    let is_event = all.any(|event| crate::history::at(event) == i128::from(until.micros()));
    if until == Timestamp::MAX || is_event {
        return Ok(true);
    }
    let then = expected(expression, world, until);
    if agree(value.as_ref(), then.as_ref()) {
        return Err(TestCaseError::fail(format!("{} at {until}: still {then:?}", program.source())));
    }
    Ok(true)
}

/// An environment as a host of segments would declare it.
fn segments() -> Environment {
    let event = || {
        [
            ("type", Type::String),
            ("at", Type::Timestamp),
            ("channel", Type::String),
            ("attributes", Type::map(Type::Dyn)),
            ("money", Type::map(Type::Double)),
        ]
    };
    Environment::builder()
        .variable("events", Type::map(Type::events("Event", event())))
        .variable("timeline", Type::events("Event", event()))
        .variable("traits", Type::map(Type::Dyn))
        .variable("customer", Type::object("Customer", [("recent", Type::events("Event", event()))]))
        .build()
}

fn refusal(source: &str) -> String {
    segments().compile(source, Type::Bool).map(|_| ()).expect_err(source).to_string()
}

#[test]
fn a_program_tells_which_events_it_reads() {
    let keys = |source: &str| {
        let program = segments().compile(source, Type::Bool).unwrap_or_else(|errors| panic!("{source}: {errors}"));
        match program.keys(&["events"]) {
            Keys::Only(keys) => keys.into_iter().collect::<Vec<_>>().join(" "),
            Keys::All => "all".to_owned(),
        }
    };
    for (source, read) in [
        (
            "events.visit.followedBy(events.cart, duration('1h')).followedBy(events.purchase, duration('24h')).size() > 0",
            "cart purchase visit",
        ),
        ("events['call'].within(duration('720h')).size() >= 3", "call"),
        (
            "events.purchase.filter(e, e.channel == 'web').map(e, has(e.money.EUR), e.money.EUR).sum() > 100.0",
            "purchase",
        ),
        ("now - events.purchase.last().at > duration('2160h')", "purchase"),
        ("has(events.purchase) || 'web.visit' in events", "purchase web.visit"),
        ("events[traits.favourite].size() > 0", "all"),
        ("['a', 'b'].exists(kind, events[kind].size() > 1)", "all"),
        ("traits.plan == 'gold'", ""),
        ("timeline.since(now - duration('1h')).size() > 3", ""),
    ] {
        assert_eq!(keys(source), read, "{source}");
    }
    let program = segments().compile("timeline.size() > 3", Type::Bool).expect("well formed");
    assert_eq!((program.keys(&["timeline"]), program.reads_now()), (Keys::All, true));
}

#[test]
fn what_cannot_be_asked_of_events_is_refused_with_a_reason() {
    for (source, expected) in [
        ("traits.calls.within(duration('1h')).size() > 0", "within() takes events, not dyn"),
        ("events.within(duration('1h')).size() > 0", "events are read a type at a time"),
        ("events.size() > 0", "events are read a type at a time"),
        ("events.exists(kind, true)", "events are read a type at a time"),
        ("dyn(events).visit.size() > 0", "events are read a type at a time"),
        ("[events, traits.x][0].visit.size() > 0", "events are read a type at a time"),
        ("(traits.a ? events : traits.b).visit.size() > 0", "events are read a type at a time"),
        ("[customer, 3][0].recent.size() > 0", "events are read a type at a time"),
        ("(events.visit + events.cart).within(duration('1h')).size() > 0", "which those of this list may have lost"),
        ("events.visit.map(e, e).within(duration('1h')).size() > 0", "which those of this list may have lost"),
        ("events.visit.within('1h').size() > 0", "this should be duration, but is string"),
        ("events.visit.since(duration('1h')).size() > 0", "this should be timestamp, but is duration"),
        ("events.visit.within(now).size() > 0", "this should be duration, but is timestamp"),
        ("events.visit.within(now - events.visit.last().at).size() > 0", "now may stand only"),
        ("events.visit.followedBy(events.cart).size() > 0", "followedBy() takes events and a duration"),
        ("events.visit.followedBy(events, duration('1h')).size() > 0", "events are read a type at a time"),
        ("events.visit.sum() > 0", "sum() does not take events(Event)"),
        ("events.visit.map(e, e.channel).sum() > 0", "sum() does not take list(string)"),
        ("traits.a.sum(1) > 0", "sum() takes no argument"),
        ("events.visit == events.cart", "cannot be compared"),
        ("events.visit.last().on > now", "Event has no field on; it has: type, at"),
    ] {
        let said = refusal(source);
        assert!(said.contains(expected), "{source}\n{said}\ninstead of\n{expected}");
    }
    let event = Type::events("Event", [("at", Type::Timestamp)]);
    let timeless = Environment::builder().variable("visits", event).without_now().build();
    for source in
        ["visits.within(duration('1h')).size() > 0", "visits.notFollowedBy(visits, duration('1h')).size() > 0"]
    {
        let said = timeless.compile(source, Type::Bool).expect_err(source).to_string();
        assert!(said.contains("the answer must not depend on when it is asked"), "{said}");
    }
    let program = timeless.compile("visits.size() == 1", Type::Bool).expect("all that is lent is seen");
    let visit = Owned::Object(vec![Some(Owned::from(instant(7)))]);
    let answer = program.matches(&[Owned::List(vec![visit])], instant(3));
    assert!(answer.value && !program.reads_now());
    assert_eq!(answer.valid_until, Timestamp::MAX);
}

#[test]
fn the_length_of_a_history_bounds_what_a_condition_may_cost() {
    let event = Type::events("Event", [("at", Type::Timestamp)]);
    let compile = |events: u64, source: &str| {
        let limits = Limits { events, ..Limits::default() };
        let environment = Environment::builder().variable("visits", event.clone()).limits(limits).build();
        environment.compile(source, Type::Bool).map(|program| program.cost())
    };
    let nested = "visits.all(a, visits.exists(b, a.at == b.at))";
    assert!(compile(100, nested).is_ok());
    assert!(compile(1_000, nested).is_err());
    let window = "visits.within(duration('1h')).size() > 3";
    assert_eq!(compile(100, window), compile(1_000_000, window), "a window costs the same over any history");
}

#[test]
fn a_history_that_breaks_its_promise_makes_no_panic() {
    let environment = segments();
    let sources = [
        "timeline.within(duration('3us')).size() > 1",
        "timeline.since(now - duration('3us')).before(now).map(e, e.at).max() > now",
        "timeline.followedBy(timeline, duration('4us')).size() > 1",
        "timeline.notFollowedBy(timeline, duration('4us')).size() > 1",
        "timeline.within(duration('9us')).last().at < now",
        "timeline.between(now - duration('9us'), timestamp('1970-01-01T00:00:00Z') - (now - timeline.last().at)).size() != 2",
    ];
    let at = |micros: i64| Owned::Object(vec![None, Some(Owned::from(instant(micros)))]);
    let unsorted = Owned::List([9, 2, 30, 4, 4, 1].map(at).to_vec());
    let odd = Owned::List(vec![at(1), Owned::from(3), Owned::Object(vec![None, Some(Owned::from("noon"))])]);
    for source in sources {
        let program = environment.compile(source, Type::Bool).unwrap_or_else(|errors| panic!("{source}: {errors}"));
        for timeline in [&unsorted, &odd, &Owned::from(3), &Owned::List(vec![Owned::Null; 4])] {
            for now in 0..40 {
                let _ = program.matches(&vec![None, Some(timeline.clone())], instant(now));
            }
        }
    }
}

#[test]
fn totals_of_lists_are_what_they_say() {
    let environment = Environment::builder()
        .variable("numbers", Type::list(Type::Double))
        .variable("any", Type::list(Type::Dyn))
        .variable("spans", Type::list(Type::Duration))
        .build();
    let doubles = |values: &[f64]| Owned::List(values.iter().map(|value| Owned::from(*value)).collect());
    let any = |values: Vec<Owned>| Owned::List(values);
    let text = || Owned::from("b");
    let cases = [
        ("[1, 2, 3].sum()", Some(Owned::Int(6))),
        ("[].sum()", Some(Owned::Int(0))),
        ("[1, 2].avg()", Some(Owned::Double(1.5))),
        ("[duration('1h'), duration('2h')].avg()", Some(Owned::Duration(5_400_000_000))),
        ("[duration('1h'), duration('2h')].sum() == duration('3h')", Some(Owned::Bool(true))),
        ("spans.sum() == duration('0s')", Some(Owned::Bool(true))),
        ("['b', 'a'].min() + ['b', 'a'].first() + ['b', 'a'].last() + ['b', 'a'].max()", Some(Owned::from("abab"))),
        ("[9223372036854775807, 1, -1].sum()", Some(Owned::Int(i64::MAX))),
        ("[9223372036854775807, 1].sum()", None),
        ("[9223372036854775807, 9223372036854775807].avg() > 9.0e18", Some(Owned::Bool(true))),
        ("numbers.sum() == 1.0", Some(Owned::Bool(true))),
        ("numbers.filter(n, n > 5.0).sum() + 1.5", Some(Owned::Double(1.5))),
        ("any.sum()", None),
        ("any.min()", None),
        ("any.filter(a, a != 'b').sum()", Some(Owned::Double(5.5))),
        ("any.filter(a, a != 'b').max()", Some(Owned::Int(3))),
        ("any.filter(a, a == 'b').max()", Some(text())),
        ("any.last()", Some(Owned::Double(2.5))),
        ("numbers.filter(n, false).last()", None),
        ("numbers.filter(n, false).avg()", None),
        ("numbers.filter(n, false).min()", None),
        ("[0.0 / 0.0, 1.0].max() > 0.0 || [1.0, 0.0 / 0.0].min() <= 1.0", Some(Owned::Bool(false))),
        ("[[3, 1], [2]].map(l, l.min()).sum()", Some(Owned::Int(3))),
    ];
    let inputs = [doubles(&[0.1; 10]), any(vec![Owned::Int(3), text(), Owned::Double(2.5)]), Owned::List(Vec::new())];
    for (source, expected) in cases {
        let program = environment.compile(source, Type::Dyn).unwrap_or_else(|errors| panic!("{source}: {errors}"));
        let value = program.evaluate(&inputs, instant(0)).ok().and_then(|outcome| outcome.value.to_owned());
        assert!(agree(value.as_ref(), expected.as_ref()), "{source}: {:?}", value.as_ref().map(golden::json));
    }
}
