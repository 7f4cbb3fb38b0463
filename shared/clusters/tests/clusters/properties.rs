//! What must hold of any population.

use proptest::prelude::*;
use rapport_clusters::{Cell, Model, Row, Settings, discover};

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let number = prop_oneof![4 => (-100.0..100.0).prop_map(Cell::Number), 1 => Just(Cell::Missing)];
    let amount = prop_oneof![
        6 => (0.0..100.0).prop_map(Cell::Number),
        1 => (1e4..1e6).prop_map(Cell::Number),
        1 => Just(Cell::Missing),
    ];
    let flag = prop_oneof![any::<bool>().prop_map(Cell::Flag), Just(Cell::Missing)];
    let text = prop_oneof![4 => "[a-d]".prop_map(Cell::Text), 1 => Just(Cell::Missing)];
    let row = (number, amount, flag, text).prop_map(|(number, amount, flag, text)| vec![number, amount, flag, text]);
    proptest::collection::vec(row, 30..120)
}

fn settings(seed: u64) -> Settings {
    Settings { seed, most: 5, restarts: 3, ..Settings::of(["number", "amount", "flag", "text"]) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_order_of_the_rows_does_not_show(rows in rows(), seed in any::<u64>(), turn in 0..30_usize) {
        let found = discover(&rows, &settings(seed)).expect("there are groups");
        let mut turned: Vec<usize> = (0..rows.len()).rev().collect();
        turned.rotate_left(turn);
        let others: Vec<Row> = turned.iter().map(|at| rows[*at].clone()).collect();
        let again = discover(&others, &settings(seed)).expect("there are groups");
        prop_assert!(again.model == found.model);
        prop_assert_eq!(&again.clusters, &found.clusters);
        for (place, at) in turned.iter().enumerate() {
            prop_assert_eq!(again.labels[place], found.labels[*at]);
        }
    }

    #[test]
    fn the_unit_of_a_number_does_not_show(rows in rows(), seed in any::<u64>(), power in -40..40_i32) {
        let found = discover(&rows, &settings(seed)).expect("there are groups");
        // By powers of two, so that no digit is lost and even a tie stays one.
        let scaled: Vec<Row> = rows.iter().map(|row| {
            let scale = |cell: &Cell| match cell {
                Cell::Number(value) => Cell::Number(value * 2.0_f64.powi(power)),
                other => other.clone(),
            };
            row.iter().map(scale).collect()
        }).collect();
        let again = discover(&scaled, &settings(seed)).expect("there are groups");
        prop_assert_eq!(again.labels, found.labels);
        prop_assert_eq!(again.trials, found.trials);
    }

    #[test]
    fn a_stored_model_places_every_member_where_it_was_found(rows in rows(), seed in any::<u64>()) {
        let found = discover(&rows, &settings(seed)).expect("there are groups");
        let stored = serde_json::to_vec(&found.model).expect("plain data");
        let read: Model = serde_json::from_slice(&stored).expect("what was written");
        prop_assert!(read == found.model);
        for (row, label) in rows.iter().zip(&found.labels) {
            prop_assert_eq!(read.assign(row).map(|assigned| assigned.cluster), *label);
        }
        let sizes: Vec<usize> = found.clusters.iter().map(|cluster| cluster.size).collect();
        let counted = |cluster| found.labels.iter().filter(|label| **label == Some(cluster)).count();
        prop_assert_eq!(sizes, (0..found.clusters.len()).map(counted).collect::<Vec<_>>());
    }

    #[test]
    fn each_centre_is_the_mean_of_its_members(rows in rows(), seed in any::<u64>()) {
        let found = discover(&rows, &settings(seed)).expect("there are groups");
        for (at, cluster) in found.clusters.iter().enumerate() {
            let members = rows.iter().zip(&found.labels).filter(|(_, label)| **label == Some(at));
            let numbers: Vec<f64> = members.filter_map(|(row, _)| match row[0] {
                Cell::Number(value) => Some(value),
                _ => None,
            }).collect();
            let Some(feature) = cluster.features.iter().find(|feature| feature.name == "number") else { continue };
            match feature.value {
                None => prop_assert!(numbers.is_empty()),
                Some(mean) => prop_assert!((mean - numbers.iter().sum::<f64>() / numbers.len() as f64).abs() < 1e-6),
            }
        }
    }
}
