//! What a condition costs: compiled, against the same test written by hand, over a borrowed context.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use rapport_conditions::{Activation, AsValue, Environment, List, Map, Object, Timestamp, Type, Value};

/// A service's own structure, lent as it is.
struct Customer {
    plan: String,
    age: i64,
    last_seen: Timestamp,
    segments: Vec<String>,
}

impl Object for Customer {
    fn field(&self, index: usize) -> Option<Value<'_>> {
        match index {
            0 => Some(Value::String(&self.plan)),
            1 => Some(Value::Int(self.age)),
            2 => Some(Value::Timestamp(self.last_seen)),
            3 => Some(Value::List(&self.segments as &dyn List)),
            _ => None,
        }
    }
}

struct Context(Customer);

impl Activation for Context {
    fn variable(&self, index: usize) -> Option<Value<'_>> {
        (index == 0).then_some(Value::Object(&self.0))
    }
}

fn conditions(criterion: &mut Criterion) {
    let customer = Type::object(
        "Customer",
        [
            ("plan", Type::String),
            ("age", Type::Int),
            ("last_seen", Type::Timestamp),
            ("segments", Type::list(Type::String)),
        ],
    );
    let environment = Environment::builder().variable("customer", customer).build();
    let now = Timestamp::from_micros(1_748_779_200_000_000).expect("in range");
    let context = Context(Customer {
        plan: "gold".to_owned(),
        age: 42,
        last_seen: now.minus(std::time::Duration::from_secs(86_400)),
        segments: ["new", "active", "vip", "online"].map(str::to_owned).to_vec(),
    });
    let cases = [
        ("simple", "customer.plan == 'gold' && customer.age >= 18"),
        ("with now", "customer.plan == 'gold' && now - customer.last_seen < duration('720h')"),
        ("in a list", "'vip' in customer.segments"),
        ("exists", "customer.segments.exists(s, s.startsWith('vi'))"),
        (
            "dear",
            "customer.segments.exists(s, s.matches('^v[ei]p$')) || customer.last_seen.getHours('Europe/Berlin') > 9",
        ),
    ];
    let mut group = criterion.benchmark_group("evaluate");
    for (name, source) in cases {
        let program = environment.compile(source, Type::Bool).expect(source);
        assert!(program.matches(&context, now).value, "{source}");
        group.bench_function(name, |bencher| bencher.iter(|| program.matches(black_box(&context), black_box(now))));
    }
    group.bench_function("simple, by hand", |bencher| {
        bencher.iter(|| {
            let customer = &black_box(&context).0;
            customer.plan == black_box("gold") && customer.age >= black_box(18)
        });
    });
    group.finish();
    criterion.bench_function("compile the simple one", |bencher| {
        bencher.iter(|| environment.compile(black_box(cases[0].1), Type::Bool));
    });
}

/// Something a customer did.
struct Event {
    at: Timestamp,
    channel: &'static str,
    euros: f64,
}

impl Object for Event {
    fn field(&self, index: usize) -> Option<Value<'_>> {
        match index {
            0 => Some(Value::Timestamp(self.at)),
            1 => Some(Value::String(self.channel)),
            2 => Some(Value::Double(self.euros)),
            _ => None,
        }
    }
}

impl AsValue for Event {
    fn as_value(&self) -> Value<'_> {
        Value::Object(self)
    }
}

struct Events {
    visits: Vec<Event>,
    purchases: Vec<Event>,
}

impl Map for Events {
    fn count(&self) -> usize {
        2
    }
    fn value(&self, key: &str) -> Option<Value<'_>> {
        match key {
            "visit" => Some(Value::List(&self.visits)),
            "purchase" => Some(Value::List(&self.purchases)),
            _ => None,
        }
    }
    fn key_after(&self, key: Option<&str>) -> Option<&str> {
        match key {
            None => Some("purchase"),
            Some("purchase") => Some("visit"),
            Some(_) => None,
        }
    }
}

impl Activation for Events {
    fn variable(&self, index: usize) -> Option<Value<'_>> {
        (index == 0).then_some(Value::Map(self))
    }
}

/// Conditions over the events of a customer who did something 5,000 times, as a segment asks them at each change.
fn events(criterion: &mut Criterion) {
    let fields = [("at", Type::Timestamp), ("channel", Type::String), ("euros", Type::Double)];
    let environment = Environment::builder().variable("events", Type::map(Type::events("Event", fields))).build();
    let now = Timestamp::from_micros(1_748_779_200_000_000).expect("in range");
    let history = |every: u64| {
        let event = |place: u64| Event {
            at: now.minus(std::time::Duration::from_secs(every * (5_000 - place))),
            channel: if place.is_multiple_of(3) { "web" } else { "store" },
            euros: 1.5,
        };
        (0..5_000).map(event).collect::<Vec<_>>()
    };
    let context = Events { visits: history(3_600), purchases: history(7_200) };
    let cases = [
        ("counted window", "events.visit.within(duration('720h')).size() >= 3"),
        ("none in a window", "events.call.within(duration('720h')).size() == 0"),
        ("the last", "now - events.purchase.last().at < duration('2160h')"),
        ("between", "events.visit.between(now - duration('48h'), now - duration('24h')).size() == 24"),
        (
            "sum over 360",
            "events.purchase.within(duration('720h')).filter(e, e.channel == 'web').map(e, e.euros).sum() > 100.0",
        ),
        ("followed, 5,000 by 5,000", "events.visit.followedBy(events.purchase, duration('24h')).size() > 100"),
        (
            "followed, within a month",
            "events.visit.within(duration('720h')).followedBy(events.purchase.within(duration('720h')), duration('24h')).size() > 100",
        ),
    ];
    let mut group = criterion.benchmark_group("events");
    for (name, source) in cases {
        let program = environment.compile(source, Type::Bool).expect(source);
        assert!(program.matches(&context, now).value, "{source}");
        group.bench_function(name, |bencher| bencher.iter(|| program.matches(black_box(&context), black_box(now))));
    }
    group.finish();
}

criterion_group!(benches, conditions, events);
criterion_main!(benches);
