//! What must hold whatever the records are.

use crate::people;
use proptest::prelude::*;
use rapport_matching::kind::Kind;
use rapport_matching::model::Model;
use rapport_matching::record::PreparedRecord;
use rapport_matching::score::{Scorer, probability};
use rapport_matching::settings::{Schema, Settings};
use rapport_matching::train::{Options, Report, train};

const FIELDS: [(&str, Kind); 13] = [
    ("given", Kind::GivenName),
    ("family", Kind::Surname),
    ("born", Kind::Date),
    ("street", Kind::Street),
    ("number", Kind::HouseNumber),
    ("town", Kind::Place),
    ("code", Kind::PostalCode),
    ("phone", Kind::Phone),
    ("email", Kind::Email),
    ("company", Kind::Name),
    ("note", Kind::Text),
    ("state", Kind::Code),
    ("gender", Kind::Exact),
];

/// A matcher trained on made-up people.
fn scorer() -> Scorer {
    let schema = Schema::new(Settings::by_name(people::FIELDS)).expect("good settings");
    let records: Vec<_> = people::make(600, 3).iter().map(|person| person.prepare(&schema)).collect();
    let options = Options { random_pairs: 50_000, ..Options::default() };
    Scorer::new(train(&schema, &records, options).expect("trained").0).expect("usable")
}

fn pair() -> impl Strategy<Value = (Vec<String>, Vec<String>)> {
    let made = people::make(80, 9);
    let values: Vec<Vec<String>> = made.into_iter().map(|person| person.values).collect();
    (prop::sample::select(values.clone()), prop::sample::select(values))
}

fn prepare(scorer: &Scorer, values: &[String]) -> PreparedRecord {
    let pairs = people::FIELDS.into_iter().zip(values.iter().map(String::as_str));
    PreparedRecord::new(scorer.schema(), pairs)
}

#[test]
fn scores_are_symmetric() {
    let scorer = scorer();
    proptest!(|((left, right) in pair())| {
        let (left, right) = (prepare(&scorer, &left), prepare(&scorer, &right));
        let (there, back) = (scorer.weight(&left, &right), scorer.weight(&right, &left));
        prop_assert!((there - back).abs() < 1e-9, "{} {}", there, back);
    });
}

#[test]
fn an_explanation_adds_up_to_the_score() {
    let scorer = scorer();
    proptest!(|((left, right) in pair())| {
        let (left, right) = (prepare(&scorer, &left), prepare(&scorer, &right));
        let why = scorer.explain(&left, &right);
        let fields: f64 = why.contributions.iter().map(|one| one.bits + one.rarity_bits).sum();
        let sum = why.prior_weight + fields + why.neighbourhood_bits + why.household_bits;
        prop_assert!((sum - scorer.weight(&left, &right)).abs() < 1e-9);
        prop_assert_eq!(why.probability, probability(why.weight));
        prop_assert!(why.household_bits < 0.01, "no household makes a match likelier: {}", why.household_bits);
        for one in &why.contributions {
            prop_assert!(((one.matched / one.unmatched).log2() - one.bits - one.rarity_bits).abs() < 1e-9);
        }
    });
}

#[test]
fn the_order_of_the_values_does_not_matter() {
    let scorer = scorer();
    proptest!(|((left, right) in pair(), shift in 0_usize..10)| {
        let pairs: Vec<(&str, &str)> = people::FIELDS.into_iter().zip(left.iter().map(String::as_str)).collect();
        let mut turned = pairs.clone();
        turned.rotate_left(shift);
        turned.reverse();
        let (one, other) = (PreparedRecord::new(scorer.schema(), pairs), PreparedRecord::new(scorer.schema(), turned));
        prop_assert_eq!(scorer.weight(&one, &prepare(&scorer, &right)), scorer.weight(&other, &prepare(&scorer, &right)));
    });
}

#[test]
fn what_is_missing_says_nothing() {
    let scorer = scorer();
    proptest!(|((left, right) in pair(), field in 0_usize..10)| {
        let mut without = left.clone();
        without[field].clear();
        let why = scorer.explain(&prepare(&scorer, &without), &prepare(&scorer, &right));
        prop_assert!(why.contributions[field].level.is_none());
        prop_assert_eq!(why.contributions[field].bits + why.contributions[field].rarity_bits, 0.0);
        let nothing = prepare(&scorer, &vec![String::new(); people::FIELDS.len()]);
        let weight = scorer.weight(&nothing, &prepare(&scorer, &right));
        prop_assert!((weight - why.prior_weight).abs() < 1e-9, "nothing known: the prior, {}", weight);
    });
}

#[test]
fn probability_grows_with_weight() {
    proptest!(|(one in -1e3_f64..1e3, more in 0.0_f64..1e3)| {
        let (low, high) = (probability(one), probability(one + more));
        prop_assert!((0.0..=1.0).contains(&low) && low <= high);
    });
}

#[test]
fn a_stored_model_scores_the_same() {
    let scorer = scorer();
    proptest!(|((left, right) in pair())| {
        let bytes = serde_json::to_vec(scorer.model()).expect("plain data");
        let again = Scorer::new(serde_json::from_slice::<Model>(&bytes).expect("the same")).expect("usable");
        let (left, right) = (prepare(&scorer, &left), prepare(&scorer, &right));
        prop_assert!((again.weight(&left, &right) - scorer.weight(&left, &right)).abs() < 1e-9);
    });
}

#[test]
fn ranking_is_sorted_and_above_the_review_threshold() {
    let scorer = scorer();
    proptest!(|(values in prop::collection::vec(pair(), 1..30))| {
        let record = prepare(&scorer, &values[0].0);
        let candidates: Vec<PreparedRecord> = values.iter().map(|(_, candidate)| prepare(&scorer, candidate)).collect();
        let ranked = scorer.query(&record).rank(candidates.iter().enumerate());
        prop_assert!(ranked.iter().all(|one| one.probability >= 0.5));
        prop_assert!(ranked.is_sorted_by(|one, next| one.weight >= next.weight));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_input_makes_anything_panic(rows in prop::collection::vec(prop::collection::vec(hostile(), 13), 2..30)) {
        let schema = Schema::new(Settings::of(&FIELDS)).expect("good settings");
        let names = FIELDS.map(|(name, _)| name);
        let records: Vec<_> = rows
            .iter()
            .map(|row| PreparedRecord::new(&schema, names.into_iter().zip(row.iter().map(String::as_str))))
            .collect();
        // Everybody twice, so that something is to be learnt.
        let records = [records.clone(), records].concat();
        let Ok((model, report)) = train(&schema, &records, Options::default()) else { return Ok(()) };
        check(&model, &report)?;
        let scorer = Scorer::new(model).expect("usable");
        for pair in records.windows(2) {
            prop_assert!(scorer.explain(&pair[0], &pair[1]).weight.is_finite());
        }
    }

    #[test]
    fn training_is_sound_on_any_people(seed in any::<u64>(), count in 2_usize..150) {
        let schema = Schema::new(Settings::by_name(people::FIELDS)).expect("good settings");
        let records: Vec<_> = people::make(count, seed).iter().map(|person| person.prepare(&schema)).collect();
        if let Ok((model, report)) = train(&schema, &records, Options::default()) {
            check(&model, &report)?;
            prop_assert_eq!(train(&schema, &records, Options::default()).expect("again"), (model, report));
        }
    }
}

/// Likelihoods never fall, and every table is a distribution.
fn check(model: &Model, report: &Report) -> Result<(), TestCaseError> {
    let runs = report.likelihoods.iter().chain(report.rules.iter().map(|rule| &rule.likelihood));
    for pair in runs.flat_map(|run| run.windows(2)) {
        prop_assert!(pair[1] >= pair[0] - 1e-9 * pair[0].abs(), "{} then {}", pair[0], pair[1]);
    }
    for known in &model.fields {
        for table in [&known.matched, &known.unmatched, &known.nearby, &known.household] {
            prop_assert!((table.iter().sum::<f64>() - 1.0).abs() < 1e-6, "{:?}", table);
            prop_assert!(table.iter().all(|probability| *probability > 0.0));
        }
    }
    prop_assert!(model.prior > 0.0 && model.prior + model.household < 1.0);
    Ok(())
}

/// Text that people, machines and attackers send.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "\\PC{0,12}",
        "[a-c ]{0,6}",
        "[0-9./-]{0,12}",
        "[a-z]{1,8}@[a-z]{1,8}",
        Just("🎉👨‍👩‍👧‍👦".to_owned()),
        Just("\u{202e}\u{200f}علی\u{200c}رضا کریمی\u{0}".to_owned()),
        Just("a\u{301}".repeat(5_000)),
        Just("x y ".repeat(50_000)),
        Just("ﷺ".repeat(300)),
        Just("щ".repeat(100)),
    ]
}

#[test]
fn the_order_of_the_declared_fields_does_not_matter() {
    let made = people::make(400, 5);
    let trained = |names: &[&str]| {
        let schema = Schema::new(Settings::by_name(names.iter().copied())).expect("good settings");
        let records: Vec<_> = made.iter().map(|person| person.prepare(&schema)).collect();
        let scorer = Scorer::new(train(&schema, &records, Options::default()).expect("trained").0).expect("usable");
        let weights: Vec<f64> = records.windows(2).map(|pair| scorer.weight(&pair[0], &pair[1])).collect();
        weights
    };
    let mut turned = people::FIELDS;
    turned.reverse();
    for (one, other) in trained(&people::FIELDS).into_iter().zip(trained(&turned)) {
        assert!((one - other).abs() < 1e-3, "{one} {other}");
    }
}
