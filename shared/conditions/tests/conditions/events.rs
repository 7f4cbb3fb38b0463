//! Past events against the plain reference, at every instant.

use proptest::prelude::*;
use proptest::sample::select;
use rapport_conditions::{Environment, Keys, Limits, Owned, Program, Timestamp, Type};

use crate::expression::{self, Expr, Literal, World};
use crate::golden;
use crate::histories::{
    COUNTS, KINDS, LAST, LONGEST, ORDERS, VALUES, condition, events, instant, literal, span, window, world,
};
use crate::reference;
use crate::worlds;

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
        within in span(),
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
        within in 1..LONGEST,
        world in world(),
    ) {
        let parts = (Expr::Events(kinds.0), Expr::Events(kinds.1), Expr::Literal(Literal::Duration(within)));
        let alone = Expr::Test2("notFollowedBy", Box::new(parts));
        prop_assert!(is_tight(&Expr::Method("size", Box::new(alone)), &world)?);
    }

    #[test]
    fn what_a_window_holds_of_some_changes_when_it_says(
        kind in select(KINDS.to_vec()),
        within in span(),
        order in select(ORDERS[..4].to_vec()),
        number in numbers_to_reach(),
        asked in select(vec!["size", "exists", "all", "first", "last", "list"]),
        count in select(COUNTS.to_vec()),
        world in world(),
    ) {
        let event = || Box::new(Expr::Name("e"));
        let count = Expr::Literal(Literal::Int(count));
        let about = Box::new(Expr::Binary("==", Box::new((Expr::Part(event(), "count"), count))));
        let window = Box::new(Expr::Test("within", Box::new((Expr::Events(kind), within))));
        let some = Expr::Fold("filter", window.clone(), "e", about.clone());
        let asked = match asked {
            "size" => Expr::Binary(order, Box::new((Expr::Method("size", Box::new(some)), number))),
            "exists" | "all" => Expr::Fold(asked, window, "e", about),
            "list" => Expr::Fold("map", Box::new(some), "e", Box::new(Expr::Part(event(), "at"))),
            _ => Expr::Part(Box::new(Expr::Method(asked, Box::new(some))), "at"),
        };
        prop_assert!(is_tight(&asked, &world)?);
    }

    #[test]
    fn the_last_event_of_a_window_changes_when_it_says(
        kind in select(KINDS.to_vec()),
        within in span(),
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
    assert!(program.keys(&["events"]).is_empty() && !program.keys(&["timeline"]).is_empty());
    assert!(program.keys(&["timeline"]).contains("visit") && !program.keys(&["events"]).contains("visit"));
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
        ("events.visit.within(duration('-3h')).size() > 0", "within() takes a duration above zero"),
        ("events.visit.within(duration('0s')).size() == 0", "within() takes a duration above zero"),
        ("events.visit.within(duration('1h') - duration('2h')).size() > 0", "within() takes a duration above zero"),
        ("events.visit.followedBy(events.cart, duration('0s')).size() > 0", "followedBy() takes a duration above zero"),
        ("events.visit.notFollowedBy(events.cart, duration('-1us')).size() > 0", "takes a duration above zero"),
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
