//! Hostile and wrong input: refused with its place and a reason, quickly, whatever it is; and budgets that hold.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rapport_conditions::{Environment, EvalErrorKind, Kind, Limits, Owned, Program, SieveSchema, Timestamp, Type};

const NOW: Timestamp = Timestamp::MIN;

fn environment() -> Environment {
    let ticket = Type::object("Ticket", [("status", Type::String), ("opened", Type::Timestamp)]);
    let customer = Type::object(
        "Customer",
        [("name", Type::String), ("age", Type::Int), ("tickets", Type::list(ticket)), ("traits", Type::map(Type::Dyn))],
    );
    Environment::builder()
        .variable("customer", customer)
        .variable("numbers", Type::list(Type::Int))
        .variable("seen", Type::Timestamp)
        .variable("word", Type::String)
        .variable("events", Type::map(Type::events("Event", [("at", Type::Timestamp), ("value", Type::Dyn)])))
        .build()
}

fn refusal(source: &str) -> String {
    environment().compile(source, Type::Bool).expect_err(source).to_string()
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let cases = [
        ("", "line 1, column 1: a value is missing here"),
        ("custommer.age > 3", "line 1, column 1: there is no variable custommer; there are: customer, numbers"),
        ("customer.\n  size > 3", "line 2, column 3: Customer has no field size; it has: name, age, tickets, traits"),
        ("customer.age > 'old'", "line 1, column 14: > does not order int and string"),
        ("customer.name == 3", "line 1, column 15: string and int cannot be compared"),
        ("customer.name == null", "cannot be compared (ask has() whether it is set)"),
        ("customer.age", "line 1, column 10: this should be bool, but is int"),
        ("customer.age = 3", "column 14: a comparison is written =="),
        ("word == 'é' & true", "column 13: and is written &&"),
        ("word == 'ab", "column 9: this string has no end"),
        ("word == '\\q'", "column 10: this is no escape"),
        ("customer.age > 9223372036854775808", "this number is out of range"),
        ("customer.age > 3u", "unsigned numbers are not part of this language"),
        ("word == b'a'", "bytes are not part of this language"),
        ("(customer.age > 3", "column 18: ) is missing here"),
        ("customer.age > 3 4", "column 18: the condition should end here, or an operator is missing"),
        ("for == 3", "for is a reserved word"),
        ("customer.tickets.exists(t.x, true)", "the first argument of exists is the name of a variable"),
        ("customer.age.exists(t, true)", "a macro runs over a list or a map, not over int"),
        ("word.matches(word)", "a pattern must be a literal string"),
        ("word.matches('(')", "this is no pattern"),
        ("word.matches('(a{1000}){1000}')", "this pattern is too large"),
        ("duration('1 day') > duration('1h')", "this text is no duration"),
        ("seen > timestamp('yesterday')", "this text is no timestamp"),
        ("seen.getHours('Mars/Base') > 3", "this is no time zone"),
        ("shout(word) == 'A'", "there is no function shout()"),
        ("word.shout() == 'A'", "there is no function shout()"),
        ("has(word)", "has() takes one field selection"),
        ("{'a': 1, 'a': 2}.a == 1", "a key stands twice in this map"),
        ("customer == customer", "cannot be compared"),
        ("true ? 1 : 'a'", "the two answers differ in type: int and string"),
    ];
    for (source, expected) in cases {
        let said = refusal(source);
        assert!(said.contains(expected), "{source}\n{said}\ninstead of\n{expected}");
    }
}

#[test]
fn many_errors_are_told_at_once() {
    let errors = environment().compile("customer.agee > 3 && wrd == 'a' && numbers[word] > 1", Type::Bool);
    let errors = errors.expect_err("three are wrong");
    assert_eq!(errors.as_slice().iter().map(|error| error.offset).collect::<Vec<_>>(), [9, 21, 43]);
    let fault = errors.fault("segment.condition");
    assert_eq!(fault.reason.name(), "INVALID_CONDITION");
    assert_eq!(fault.details.violations.as_slice().len(), 3);
}

#[test]
fn now_stands_only_where_the_flip_can_be_computed() {
    for source in [
        "now.getHours() > 9",
        "now.getDayOfWeek('Europe/Berlin') == 1",
        "(now - seen).getHours() > 24",
        "int(now) % 2 == 0",
        "string(now) == word",
        "now in [seen]",
        "[now].size() == 1",
        "(customer.age > 3 ? now : seen) > seen",
        "now - seen < now - timestamp('2025-01-01T00:00:00Z')",
        "[1, 2].exists(x, now == now)",
        "{'a': now}.a > seen",
        "dyn(now) == 3.0 * dyn(now)",
        "[seen].map(x, now - x)[0] > duration('1h')",
    ] {
        let said = refusal(source);
        assert!(said.contains("now"), "{source}: {said}");
    }
    let timeless = Environment::builder().variable("seen", Type::Timestamp).without_now().build();
    let said = timeless.compile("now > seen", Type::Bool).expect_err("there is no now").to_string();
    assert!(said.contains("the answer must not depend on when it is asked"), "{said}");
}

#[test]
fn a_source_too_long_too_deep_or_too_large_is_refused_at_once() {
    let deep = |open: &str, close: &str, times: usize| format!("{}true{}", open.repeat(times), close.repeat(times));
    let sources = [
        format!("{} == 1", vec!["1"; 2_000].join("+")),
        deep("(", ")", 2_000),
        deep("!", "", 4_000),
        deep("[", "]", 2_000),
        deep("{'a':", "}", 700),
        format!("{}1 == 1", "-".repeat(4_000)),
        format!("{} == 1", vec!["1"; 600].join("-")),
        "(".repeat(4_096),
        "a.".repeat(2_000) + "a",
        "a[".repeat(2_000),
        "true?".repeat(800) + "true" + &":true".repeat(800),
        vec!["true"; 600].join("?true:"),
        vec!["1"; 2_000].join("<"),
        "x".repeat(1 << 20),
        format!("[{}] == []", vec!["1"; 1_500].join(",")),
        vec!["true"; 2_000].join("||"),
        "\u{0}".repeat(100),
        "'".repeat(4_096),
    ];
    for source in sources {
        let start = Instant::now();
        let said = refusal(&source);
        assert!(start.elapsed() < Duration::from_secs(1), "{:?} for {said}", start.elapsed());
        assert!(said.len() < 4_000, "{}", said.len());
    }
    let chain = vec!["customer.age == 1"; 150].join(" || ");
    assert!(environment().compile(&chain, Type::Bool).is_ok(), "a long chain of alternatives is not deep");
}

#[test]
fn what_could_cost_too_much_is_refused() {
    let nested = "numbers.all(a, numbers.all(b, numbers.all(c, a + b + c > 0)))";
    assert!(refusal(nested).contains("more than the limit of"));
    let five = "numbers.all(a, numbers.all(b, numbers.all(c, numbers.all(d, numbers.all(e, true)))))";
    assert!(refusal(five).contains("macros nest at most 4 deep"));
    let short = "[1, 2, 3].all(a, [1, 2, 3].all(b, [1, 2, 3].all(c, a + b + c > 0)))";
    assert!(environment().compile(short, Type::Bool).is_ok(), "the length of a literal is known");
}

#[test]
fn the_deepest_trees_that_any_limits_allow_fit_a_usual_stack() {
    let limits = Limits { depth: usize::MAX, ..Limits::default() };
    let environment = Environment::builder()
        .variable("word", Type::String)
        .variable("visits", Type::events("Visit", [("at", Type::Timestamp)]))
        .limits(limits)
        .build();
    let mut walked = 0;
    for depth in 40..110 {
        for source in [
            format!("{}word{} == []", "[".repeat(depth), "]".repeat(depth)),
            format!("{}word{} != {{}}", "{'a':".repeat(depth), "}".repeat(depth)),
            format!("{}true", "!".repeat(depth)),
            format!("{}true", "word == '' ? false : ".repeat(depth)),
            format!("{}word{} == ''", "(".repeat(depth), ")".repeat(depth)),
            format!("word{} == ''", ".lowerAscii()".repeat(depth)),
            format!("{}true{}", "[1].all(x, ".repeat(depth.min(4)), ")".repeat(depth.min(4))),
            format!("{}word", "word + ".repeat(depth)) + " == ''",
            format!("visits{}.size() < 9", ".within(duration('1h'))".repeat(depth)),
            format!("visits.within(duration('1h')){}.size() < 9", ".filter(e, true)".repeat(depth)),
            format!("visits{}.size() < 9", ".followedBy(visits, duration('1h'))".repeat(depth)),
        ] {
            if let Ok(program) = environment.compile(&source, Type::Dyn) {
                let visits = Owned::List(vec![Owned::Object(vec![Some(Owned::from(NOW))]); 3]);
                let _ = program.evaluate(&[Owned::from("a"), visits], NOW);
                let _ = program.sieve(&SieveSchema::new().path(&["word"], &[Kind::Text]), Some(NOW));
                walked += 1;
            }
        }
    }
    assert!(walked > 300, "{walked}");
}

#[test]
fn patterns_are_few() {
    let many = vec!["word.matches('a')"; 17].join(" || ");
    assert!(refusal(&many).contains("a condition has at most 16 patterns"));
}

fn over_numbers(source: &str, numbers: Vec<Owned>) -> (Program, Vec<Option<Owned>>) {
    let program = environment().compile(source, Type::Bool).expect(source);
    (program, vec![None, Some(Owned::List(numbers)), None, None])
}

#[test]
fn fuel_bounds_what_data_can_cost() {
    let (program, inputs) = over_numbers("numbers.all(a, numbers.all(b, a == b))", vec![Owned::Int(1); 50_000]);
    let start = Instant::now();
    let error = program.evaluate(&inputs, NOW).expect_err("2.5 billion pairs");
    assert_eq!(error.kind, EvalErrorKind::TooDear);
    assert!(!program.matches(&inputs, NOW).value);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn no_error_and_no_other_part_hides_that_the_fuel_ran_out() {
    let source = "numbers.all(a, numbers.all(b, a == b)) || true";
    let (program, inputs) = over_numbers(source, vec![Owned::Int(1); 50_000]);
    let error = program.evaluate(&inputs, NOW).map(|_| ()).expect_err("2.5 billion pairs");
    assert_eq!(error.kind, EvalErrorKind::TooDear);
}

#[test]
fn texts_cannot_be_grown_without_bound() {
    let environment = Environment::builder()
        .variable("word", Type::String)
        .limits(Limits { cost: u64::MAX, ..Limits::default() })
        .build();
    let doubled = (0..12).fold("word".to_owned(), |text, _| format!("[{text}].map(w, w + w)[0]"));
    let program = environment.compile(&format!("{doubled}.size() > 0"), Type::Bool).expect("it is well formed");
    let inputs = [Owned::String("x".repeat(100_000))];
    assert_eq!(program.evaluate(&inputs, NOW).expect_err("400 MB").kind, EvalErrorKind::TooDear);
}

#[test]
fn data_that_nest_too_deeply_are_not_compared() {
    let environment = Environment::builder().variable("a", Type::Dyn).variable("b", Type::Dyn).build();
    let program = environment.compile("a == b", Type::Bool).expect("it is well formed");
    let deep = (0..1_000).fold(Owned::Int(1), |inner, _| Owned::List(vec![inner]));
    let error = program.evaluate(&[deep.clone(), deep], NOW).map(|_| ()).expect_err("a thousand deep");
    assert_eq!(error.kind, EvalErrorKind::TooDeep);
}

#[test]
fn inputs_of_other_types_than_declared_are_no_match_and_no_panic() {
    let source = "customer.age > 3 && numbers.exists(n, n > 1) && seen.getHours() > 3 && word.contains('a')";
    let program = environment().compile(source, Type::Bool).expect(source);
    for wrong in [Owned::Null, Owned::Int(3), Owned::from("text"), Owned::List(Vec::new()), Owned::Object(Vec::new())] {
        let inputs = vec![wrong; 4];
        assert!(!program.matches(&inputs, NOW).value);
    }
    assert_eq!(program.evaluate(&[], NOW).map(|_| ()).expect_err("nothing given").kind, EvalErrorKind::Absent);
}

#[test]
fn no_error_tells_a_value() {
    let environment = Environment::builder().variable("mail", Type::String).build();
    let program = environment.compile("int(mail) > 3", Type::Bool).expect("it is well formed");
    let error = program.evaluate(&[Owned::from("anna@example.com")], NOW).expect_err("no number");
    assert!(!format!("{error} {error:?} {:?}", Owned::from("anna@example.com")).contains("anna"));
    assert_eq!((error.offset, error.kind), (0, EvalErrorKind::Conversion));
}

#[test]
fn a_program_tells_what_it_reads() {
    let source = "customer.traits.plan == 'gold' && customer.traits['visits'] > 3 && customer.age > 3 \
                  && customer.tickets.exists(t, t.status == 'open' && now - t.opened > duration('1h')) && has(customer.name)";
    let program = environment().compile(source, Type::Bool).expect(source);
    let paths: Vec<_> = program.inputs().iter().map(|input| input.path.join(".")).collect();
    let expected =
        ["customer.age", "customer.name", "customer.tickets", "customer.traits.plan", "customer.traits.visits"];
    assert_eq!(paths, expected);
    assert!(program.reads_now());
    assert!(program.cost() > 100, "a list of unknown length counts as a hundred: {}", program.cost());
    assert_eq!(program.source(), source);
}

#[test]
fn a_program_can_be_shared_between_threads() {
    fn shareable<T: Send + Sync + Clone + 'static>(_: &T) {}
    shareable(&environment().compile("true", Type::Bool).expect("true"));
    shareable(&environment());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_compiler_panic(source in ".{0,200}") {
        let _ = environment().compile(&source, Type::Bool);
    }

    #[test]
    fn no_row_of_tokens_makes_the_compiler_or_a_program_panic(
        tokens in proptest::collection::vec(
            proptest::sample::select(vec![
                "customer", ".", "age", "numbers", "[", "]", "(", ")", "{", "}", "&&", "||", "!", "-", "+", "*", "/",
                "%", "?", ":", ",", "==", "<", ">=", "in", "has", "exists", "map", "all", "size", "now", "seen", "word",
                "duration", "timestamp", "events", "within", "since", "between", "followedBy", "notFollowedBy", "filter",
                "sum", "max", "last", "at", "value", "duration('1h')", "events.x", "1", "0", "1.5", "'a'", "'1h'", "true", "null", "x", "dyn", "matches",
            ]),
            0..40,
        )
    ) {
        if let Ok(program) = environment().compile(&tokens.join(" "), Type::Dyn) {
            let inputs = vec![None, Some(Owned::List(vec![Owned::Int(3)])), Some(Owned::from(NOW)), Some(Owned::from("a"))];
            let _ = program.evaluate(&inputs, NOW);
            let _ = program.sieve(&SieveSchema::new().keys(&["customer"], &[Kind::Number]), None);
        }
    }
}
