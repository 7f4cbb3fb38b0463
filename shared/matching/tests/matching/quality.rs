//! How well pairs are found that were never labelled, with the defaults alone.

use std::collections::BTreeSet;

use crate::people;
use rapport_matching::blocking::{candidates, keys};
use rapport_matching::pairs::Blocked;
use rapport_matching::record::PreparedRecord;
use rapport_matching::score::{Scorer, probability};
use rapport_matching::settings::{Bounds, Schema, Settings};
use rapport_matching::train::{Options, train};

/// As always, but for fewer random pairs: tests run unoptimised.
fn options() -> Options {
    Options { random_pairs: 200_000, ..Options::default() }
}

/// What was found.
pub struct Outcome {
    pub found: f64,
    pub right: f64,
    pub true_pairs: f64,
}

/// Trains on the records and counts the pairs at or above a probability.
pub fn outcome(ids: &[u64], records: &[PreparedRecord], schema: &Schema, threshold: f64) -> Outcome {
    let (model, _) = train(schema, records, options()).expect("trained");
    let scorer = Scorer::new(model).expect("usable");
    let blocked = Blocked::new(schema, records, usize::MAX);
    let found: Vec<_> = blocked
        .pairs
        .iter()
        .filter(|(left, right)| {
            probability(scorer.weight(&records[*left as usize], &records[*right as usize])) >= threshold
        })
        .collect();
    let same = |left: usize, right: usize| ids[left] == ids[right];
    let all = (0..ids.len()).flat_map(|left| (left + 1..ids.len()).map(move |right| (left, right)));
    Outcome {
        found: found.len() as f64,
        right: found.iter().filter(|(left, right)| same(*left as usize, *right as usize)).count() as f64,
        true_pairs: all.filter(|(left, right)| same(*left, *right)).count() as f64,
    }
}

fn made(count: usize, seed: u64, only_first_records: bool) -> (Vec<u64>, Vec<PreparedRecord>, Schema) {
    let schema = Schema::new(Settings::by_name(people::FIELDS)).expect("good settings");
    let mut seen = BTreeSet::new();
    let mut people = people::make(count, seed);
    people.retain(|person| seen.insert(person.id) || !only_first_records);
    let records = people.iter().map(|person| person.prepare(&schema)).collect();
    (people.into_iter().map(|person| person.id).collect(), records, schema)
}

#[test]
fn people_are_found_again_and_families_stay_apart() {
    let (ids, records, schema) = made(2_000, 11, false);
    for threshold in [0.5, 0.99] {
        let Outcome { found, right, true_pairs } = outcome(&ids, &records, &schema, threshold);
        assert!(right / found >= 0.98, "{threshold}: precision {right} / {found}");
        assert!(right / true_pairs >= 0.93, "{threshold}: recall {right} / {true_pairs}");
    }
}

#[test]
fn where_nobody_is_recorded_twice_hardly_anybody_is_joined() {
    let (ids, records, schema) = made(2_000, 12, true);
    let Outcome { found, true_pairs, .. } = outcome(&ids, &records, &schema, 0.99);
    assert_eq!(true_pairs, 0.0);
    assert!(found <= 3.0, "{found} of {} records' pairs", records.len());
}

#[test]
fn a_new_record_finds_its_customer_among_the_candidates_of_its_keys() {
    let (ids, records, schema) = made(2_000, 13, true);
    let (model, _) = train(&schema, &made(2_000, 14, false).1, options()).expect("trained");
    let scorer = Scorer::new(model.for_population(records.len() as u64)).expect("usable");
    let known: Vec<Vec<u64>> = records.iter().map(|record| keys(&schema, record)).collect();
    let again = people::make(2_000, 13);
    let mut seen = BTreeSet::new();
    let second: Vec<_> = again.iter().filter(|person| !seen.insert(person.id)).collect();
    let mut found = 0;
    for person in &second {
        let record = person.prepare(&schema);
        let block = |key: u64| (0..records.len()).filter(|at| known[*at].contains(&key)).collect();
        let blocks: Vec<Vec<usize>> = keys(&schema, &record).into_iter().map(block).collect();
        let chosen = candidates(&blocks, Bounds::default());
        let ranked = scorer.query(&record).rank(chosen.iter().map(|at| (*at, &records[*at])));
        found += usize::from(ranked.first().is_some_and(|best| ids[best.candidate] == person.id));
    }
    assert!(found as f64 >= 0.95 * second.len() as f64, "{found} of {}", second.len());
}
