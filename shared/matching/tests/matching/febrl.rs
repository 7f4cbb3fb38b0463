//! Records that nobody here made: FEBRL's first and third set (`tests/real/febrl`), with the defaults and without labels.
//! The number of the social security is left out: with it everybody would be found.

use std::path::Path;

use crate::quality::{Outcome, outcome};
use rapport_matching::record::PreparedRecord;
use rapport_matching::settings::{Schema, Settings};

const NUMBER: &str = "soc_sec_id";

/// Who each record is, and the records. An id tells: `rec-7-org` and `rec-7-dup-0` are one person.
fn read(file: &str) -> (Vec<u64>, Vec<PreparedRecord>, Schema) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/real/febrl").join(file);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).expect("the file is there");
    let header = reader.headers().expect("a header").clone();
    let compared = || header.iter().enumerate().skip(1).filter(|(_, name)| *name != NUMBER);
    let schema = Schema::new(Settings::by_name(compared().map(|(_, name)| name))).expect("good settings");
    let rows = reader.records().map(|row| row.expect("a row"));
    let read = rows.map(|row| {
        let who = row[0].split('-').nth(1).and_then(|number| number.parse::<u64>().ok()).expect("rec-NUMBER-…");
        (who, PreparedRecord::new(&schema, compared().map(|(at, name)| (name, &row[at]))))
    });
    let (ids, records) = read.unzip();
    (ids, records, schema)
}

#[track_caller]
fn found(file: &str, threshold: f64, precision: f64, recall: f64) {
    let (ids, records, schema) = read(file);
    let Outcome { found, right, true_pairs } = outcome(&ids, &records, &schema, threshold);
    println!("{file} at {threshold}: precision {:.4} recall {:.4}", right / found, right / true_pairs);
    assert!(right / found >= precision, "{file} at {threshold}: precision {right} / {found}");
    assert!(right / true_pairs >= recall, "{file} at {threshold}: recall {right} / {true_pairs}");
}

#[test]
fn a_thousand_records_with_one_duplicate_each_are_paired() {
    found("dataset1.csv", 0.5, 0.995, 0.995);
    found("dataset1.csv", 0.99, 0.995, 0.99);
}

#[test]
fn five_thousand_records_with_up_to_five_duplicates_are_paired() {
    found("dataset3.csv", 0.5, 0.998, 0.99);
    found("dataset3.csv", 0.99, 0.999, 0.985);
}
