//! Which records look alike: what of a record is compared, and the matcher that weighs pairs of them. The matcher is a
//! model that was trained without labels (the crate `matching`); this says how a record's traits and identifiers become
//! its fields.

use std::collections::{BTreeMap, BTreeSet};

use rapport_matching::blocking::keys;
use rapport_matching::model::Model;
use rapport_matching::record::{PreparedRecord, stable_hash};
use rapport_matching::score::{Scorer, Unusable};
use rapport_matching::settings::{MAX_FIELDS, Schema, Settings, Thresholds, usual_kind};

use super::claims::Claims;
use super::namespace::Namespaces;
use super::value::Value;

/// Namespaces whose values are compared where no trait of the name is: people mistype them.
const NAMESPACES: [&str; 2] = ["email", "phone"];
/// A field that fewer than one record in so many has is not compared unasked.
const RARE: usize = 100;

/// A model that was made ready, with the probabilities from which it links and asks.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// Its version.
    pub version: u64,
    /// Where certainty begins.
    pub thresholds: Thresholds,
    scorer: Scorer,
    tag: i64,
}

/// A record made ready, with the keys by which its candidates are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The record.
    pub record: PreparedRecord,
    /// Its keys.
    pub keys: Vec<i64>,
}

impl Matcher {
    /// Makes a model ready.
    ///
    /// # Errors
    /// Where it was not written by a training.
    pub fn new(version: u64, model: Model) -> Result<Self, Unusable> {
        let scorer = Scorer::new(model)?;
        let thresholds = scorer.schema().settings().thresholds;
        Ok(Self { version, thresholds, tag: tag(scorer.schema()), scorer })
    }

    /// What weighs pairs.
    #[must_use]
    pub const fn scorer(&self) -> &Scorer {
        &self.scorer
    }

    /// Which fields its records have: records that were made ready for others are none of its own.
    #[must_use]
    pub const fn tag(&self) -> i64 {
        self.tag
    }

    /// Makes a record ready.
    #[must_use]
    pub fn ready(&self, claims: &Claims, namespaces: &Namespaces) -> Ready {
        let schema = self.scorer.schema();
        let record = prepare(schema, claims, namespaces);
        let keys = keys(schema, &record).into_iter().map(u64::cast_signed).collect();
        Ready { record, keys }
    }

    /// A record of somebody who is compared with nobody.
    #[must_use]
    pub fn silent(&self) -> Ready {
        Ready { record: PreparedRecord::new(self.scorer.schema(), []), keys: Vec::new() }
    }
}

/// The fields and their kinds, as one number.
fn tag(schema: &Schema) -> i64 {
    let texts = schema.fields().iter().map(|field| format!("{}:{:?};", field.name, field.kind));
    let rules = schema.settings().rules.iter().map(|rule| rule.label() + ";");
    stable_hash(texts.chain(rules).flat_map(String::into_bytes)).cast_signed()
}

/// Reads a record's values of the fields: of each the trait of its name, or else the first identifier of that namespace.
#[must_use]
pub fn prepare(schema: &Schema, claims: &Claims, namespaces: &Namespaces) -> PreparedRecord {
    let mut values: Vec<(&str, String)> = Vec::new();
    for field in schema.fields() {
        let stated = claims.traits.get(&field.name).and_then(|claim| claim.value.as_ref()).and_then(text);
        let text = stated.or_else(|| {
            let of = claims.carried().filter(|(it, _)| it.namespace == field.name);
            let counted = of.filter_map(|(it, at)| Some((at, namespaces.effective(it)?)));
            counted.min().map(|(_, it)| it.value.expose().clone())
        });
        values.extend(text.map(|text| (field.name.as_str(), text)));
    }
    PreparedRecord::new(schema, values.iter().map(|(name, text)| (*name, text.as_str())))
}

/// A value as it is compared; a truth value says nothing of who somebody is.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Number(number) => Some(number.get().to_string()),
        Value::Time(at) => Some(date(at.micros())),
        Value::List(texts) => Some(texts.join(" ")),
        Value::Bool(_) => None,
    }
}

/// The day of an instant (UTC), as 1986-03-07. After Howard Hinnant, "chrono-compatible low-level date algorithms".
fn date(micros: i64) -> String {
    let days = micros.div_euclid(86_400_000_000) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Settings for records as they are: the fields whose names are customary and that are not too rare.
#[must_use]
pub fn usual<'a>(records: impl Iterator<Item = &'a Claims>) -> Settings {
    let (mut count, mut having) = (0_usize, BTreeMap::<&str, usize>::new());
    for claims in records {
        count += 1;
        let stated = claims.traits.iter().filter(|(_, claim)| claim.value.is_some()).map(|(name, _)| name.as_str());
        let carried = claims.identifiers.keys().map(|it| it.namespace.as_str()).filter(|it| NAMESPACES.contains(it));
        let names: BTreeSet<&str> = stated.filter(|name| usual_kind(name).is_some()).chain(carried).collect();
        for name in names {
            *having.entry(name).or_default() += 1;
        }
    }
    having.retain(|_, records| *records * RARE >= count);
    let mut names: Vec<(&str, usize)> = having.into_iter().collect();
    // Where there are too many, the commonest.
    names.sort_by_key(|(name, records)| (std::cmp::Reverse(*records), *name));
    names.truncate(MAX_FIELDS);
    names.sort_unstable();
    Settings::by_name(names.into_iter().map(|(name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::claims::Statement;
    use rapport_kernel::Timestamp;

    #[test]
    fn an_instant_is_compared_by_its_day() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(-1), "1969-12-31");
        assert_eq!(date(951_782_400_000_000), "2000-02-29");
        assert_eq!(date(1_735_689_599_999_999), "2024-12-31");
    }

    #[test]
    fn customary_names_that_are_not_rare_are_compared() {
        let claims = |names: &[&str]| {
            let traits = names.iter().map(|name| ((*name).to_owned(), Value::Text("x".to_owned()))).collect();
            Claims::of(&Statement { traits, ..Statement::default() }, Timestamp::MIN)
        };
        let mut records = vec![claims(&["first_name", "last_name", "favourite_colour"]); 200];
        records.push(claims(&["first_name", "last_name", "birthday"]));
        let settings = usual(records.iter());
        let names: Vec<&str> = settings.fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["first_name", "last_name"]);
    }

    #[test]
    fn a_trait_stands_before_an_identifier_of_the_same_name() {
        let namespaces = Namespaces::default();
        let schema = Schema::new(Settings::by_name(["email", "phone"])).expect("good settings");
        let mut statement = Statement::default();
        statement.identifiers.insert(namespaces.normalise("email", "a@example.com").expect("valid"));
        statement.identifiers.insert(namespaces.normalise("phone", "+4930123456").expect("valid"));
        let first = prepare(&schema, &Claims::of(&statement, Timestamp::MIN), &namespaces);
        assert!(first.value(0).is_some() && first.value(1).is_some());
        statement.traits.insert("email".to_owned(), Value::Text("b@example.com".to_owned()));
        let second = prepare(&schema, &Claims::of(&statement, Timestamp::MIN), &namespaces);
        assert_ne!(first.hash(0), second.hash(0));
        assert_eq!(first.hash(1), second.hash(1));
    }
}
