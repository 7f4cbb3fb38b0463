//! What a condition costs: compiled, against the same test written by hand, over a borrowed context.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use rapport_conditions::{Activation, Environment, List, Object, Timestamp, Type, Value};

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

criterion_group!(benches, conditions);
criterion_main!(benches);
