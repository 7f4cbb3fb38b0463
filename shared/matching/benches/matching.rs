//! What matching costs: training, one pair, and one record against some ninety thousand by their blocking keys.

#[path = "../tests/matching/people.rs"]
mod people;

use std::collections::BTreeSet;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use rapport_matching::blocking::{candidates, keys};
use rapport_matching::record::PreparedRecord;
use rapport_matching::score::Scorer;
use rapport_matching::settings::{Schema, Settings};
use rapport_matching::train::{Options, train};

/// Records made.
const KNOWN: usize = 100_000;

fn matching(criterion: &mut Criterion) {
    let schema = Schema::new(Settings::by_name(people::FIELDS)).expect("good settings");
    let prepared = |people: &[people::Person]| people.iter().map(|one| one.prepare(&schema)).collect::<Vec<_>>();
    let sample = prepared(&people::make(5_000, 1));
    let (model, _) = train(&schema, &sample, Options::default()).expect("trained");
    let scorer = Scorer::new(model.for_population(KNOWN as u64)).expect("usable");
    // Whoever is recorded a second time asks; the first records are the known ones.
    let mut seen = BTreeSet::new();
    let (first, asked): (Vec<_>, Vec<_>) = people::make(KNOWN, 2).into_iter().partition(|one| seen.insert(one.id));
    let known = prepared(&first);
    let mut index: Vec<(u64, usize)> = known
        .iter()
        .enumerate()
        .flat_map(|(at, record)| keys(&schema, record).into_iter().map(move |key| (key, at)))
        .collect();
    index.sort_unstable();
    let bounds = schema.settings().bounds;

    let mut group = criterion.benchmark_group("matching");
    group.sample_size(20);
    group.bench_function("one record made ready", |bencher| bencher.iter(|| asked[7].prepare(&schema)));
    group.bench_function("one record written and read", |bencher| {
        bencher.iter(|| PreparedRecord::from_bytes(&schema, &black_box(&known[7]).to_bytes()));
    });
    let query = scorer.query(&known[7]);
    let mut at = 0;
    group.bench_function("one candidate scored", |bencher| {
        bencher.iter(|| {
            at = (at + 1) % 1_000;
            query.weight(black_box(&known[at]))
        });
    });
    group.bench_function("one record against all known", |bencher| {
        bencher.iter(|| {
            at = (at + 1) % asked.len();
            let record = asked[at].prepare(&schema);
            let block = |key: u64| {
                let from = index.partition_point(|entry| entry.0 < key);
                let members = index[from..].iter().take(bounds.per_block + 1).take_while(|entry| entry.0 == key);
                members.map(|entry| entry.1).collect::<Vec<_>>()
            };
            let blocks: Vec<Vec<usize>> = keys(&schema, &record).into_iter().map(block).collect();
            let chosen = candidates(&blocks, bounds);
            scorer.query(&record).rank(chosen.iter().map(|at| (*at, &known[*at])))
        });
    });
    group.sample_size(10);
    group.bench_function("training on five thousand", |bencher| {
        bencher.iter(|| train(&schema, &sample, Options::default()).expect("trained"));
    });
    group.finish();
}

criterion_group!(benches, matching);
criterion_main!(benches);
