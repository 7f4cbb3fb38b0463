//! The demo's people to be matched: FEBRL 1, 1,000 made-up records of 500 Australians, each told of twice, the second
//! time with typing mistakes. They share no identifier: only comparing what is said of them finds who is one. Origin
//! and licence: `tests/real/febrl`.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rapport_api::common::v1::{Value, value::Kind};
use rapport_api::profiles::v1::IdentifyRequest;

use super::synthetic::KNOWN_SINCE;

const FILE: &str = include_str!("../../../../tests/real/febrl/dataset1.csv");

/// The source name of the records.
const SOURCE: &str = "febrl";

/// All records, in the file's order.
pub fn records() -> impl Iterator<Item = IdentifyRequest> {
    let mut lines = FILE.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split(", ").collect();
    lines.filter_map(move |line| record(&names, line))
}

/// One record. Its number of social security is left out: with it there would be nothing to find out.
fn record(names: &[&str], line: &str) -> Option<IdentifyRequest> {
    let mut traits = BTreeMap::from([("synthetic".to_owned(), Kind::BoolValue(true))]);
    let mut external_id = None;
    for (name, text) in names.iter().zip(line.split(',')) {
        match (*name, text.trim()) {
            (_, "") | ("soc_sec_id", _) => {}
            ("rec_id", id) => external_id = Some(id.to_owned()),
            ("date_of_birth", day) => drop(traits.insert((*name).to_owned(), Kind::TextValue(born(day)))),
            (name, text) => drop(traits.insert(name.to_owned(), Kind::TextValue(text.to_owned()))),
        }
    }
    Some(IdentifyRequest {
        source: SOURCE.to_owned(),
        external_id: external_id?,
        traits: traits.into_iter().map(|(name, kind)| (name, Value { kind: Some(kind) })).collect(),
        observed_at: Some(prost_types::Timestamp { seconds: KNOWN_SINCE, nanos: 0 }),
        ..IdentifyRequest::default()
    })
}

/// A day with dashes; one that no calendar has stands as the file has it.
fn born(text: &str) -> String {
    NaiveDate::parse_from_str(text, "%Y%m%d").map_or_else(|_| text.to_owned(), |day| day.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_a_thousand_records_of_five_hundred_people() {
        let records: Vec<_> = records().collect();
        assert_eq!(records.len(), 1_000);
        let originals = records.iter().filter(|record| record.external_id.ends_with("-org")).count();
        assert_eq!(originals, 500);
        assert!(records.iter().all(|record| record.traits.len() > 2 && !record.traits.contains_key("soc_sec_id")));
    }
}
