//! What a tenant declares about matching: its fields, which of them get mixed up, by which keys candidates are found, and
//! where certainty begins. [`Schema`] is the same, checked and resolved to positions.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::blocking::{self, Rule};
use super::kind::Kind;

/// The most fields that are compared.
pub const MAX_FIELDS: usize = 24;
/// The most blocking rules, and so the most keys of one record.
pub const MAX_RULES: usize = 16;

/// One field of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its name, unique among the fields.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// Where certainty begins, as match probabilities. Set beforehand, never tuned on labels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Thresholds {
    /// From here two records are linked without asking.
    pub link: f64,
    /// From here a person is asked.
    pub review: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { link: 0.99, review: 0.5 }
    }
}

/// How many candidates are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bounds {
    /// A block with more records than this says nothing and is passed over.
    pub per_block: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { per_block: 200 }
    }
}

/// All that is declared about matching.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The fields that are compared.
    pub fields: Vec<Field>,
    /// Pairs of fields of one family whose values people enter in each other's place.
    #[serde(default)]
    pub swaps: Vec<(String, String)>,
    /// How candidates are found; empty: the rules that suit the kinds of the fields.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Where certainty begins.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// How many candidates are looked at.
    #[serde(default)]
    pub bounds: Bounds,
}

impl Settings {
    /// Settings for fields of given kinds, with the swaps and rules that suit them.
    #[must_use]
    pub fn of(fields: &[(&str, Kind)]) -> Self {
        let fields: Vec<Field> =
            fields.iter().map(|(name, kind)| Field { name: (*name).to_owned(), kind: *kind }).collect();
        let swaps = usual_swaps(&fields);
        let rules = blocking::usual_rules(&fields);
        Self { fields, swaps, rules, thresholds: Thresholds::default(), bounds: Bounds::default() }
    }

    /// Whether the field at a position tells people of one household apart. Where nothing is known of people, the name of
    /// an organisation does.
    #[must_use]
    pub fn is_personal(&self, at: usize) -> bool {
        let kind = self.fields[at].kind;
        let people = || self.fields.iter().any(|field| matches!(field.kind, Kind::GivenName | Kind::Name));
        kind.is_personal() || (kind == Kind::Organisation && !people())
    }

    /// Settings for those of the named fields whose names are customary; the others are left out.
    #[must_use]
    pub fn by_name<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let fields: Vec<(&str, Kind)> =
            names.into_iter().filter_map(|name| Some((name, usual_kind(name)?))).take(MAX_FIELDS).collect();
        Self::of(&fields)
    }
}

/// The kind that a customary field name speaks of.
#[must_use]
pub fn usual_kind(name: &str) -> Option<Kind> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    Some(match plain.as_str() {
        "givenname" | "firstname" | "forename" | "first" | "fname" | "middlename" => Kind::GivenName,
        "surname" | "lastname" | "familyname" | "last" | "lname" => Kind::Surname,
        "name" | "fullname" => Kind::Name,
        "company" | "companyname" | "organisation" | "organization" | "employer" => Kind::Organisation,
        "dateofbirth" | "birthdate" | "birthday" | "dob" | "bornon" => Kind::Date,
        "street" | "address" | "streetaddress" | "address1" | "address2" | "addressline1" | "addressline2"
        | "streetname" => Kind::Street,
        "streetnumber" | "housenumber" | "number" => Kind::HouseNumber,
        "suburb" | "city" | "town" | "locality" | "place" | "birthplace" => Kind::Place,
        "postcode" | "postalcode" | "zip" | "zipcode" => Kind::PostalCode,
        "phone" | "phonenumber" | "telephone" | "mobile" | "mobilephone" | "cell" => Kind::Phone,
        "email" | "emailaddress" | "mail" => Kind::Email,
        "state" | "country" | "region" | "province" | "county" | "countrycode" => Kind::Code,
        "socsecid" | "ssn" | "nationalid" | "passport" | "taxid" | "vatid" | "customernumber" => Kind::Identifier,
        "gender" | "sex" | "title" => Kind::Exact,
        "occupation" | "jobtitle" | "description" => Kind::Text,
        _ => return None,
    })
}

/// Given name and surname, and two lines of an address: what forms put side by side.
fn usual_swaps(fields: &[Field]) -> Vec<(String, String)> {
    let named = |kind: Kind| fields.iter().filter(move |field| field.kind == kind).map(|field| field.name.clone());
    let names = named(Kind::GivenName).zip(named(Kind::Surname)).take(1);
    let lines = named(Kind::Street).zip(named(Kind::Street).skip(1)).take(1);
    names.chain(lines).collect()
}

/// What is wrong with settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// There are none, or too many, fields.
    FieldCount(usize),
    /// Two fields have this name.
    Twice(String),
    /// No field has this name.
    Unknown(String),
    /// Fields of different families, or named in two swaps, cannot stand in each other's place.
    Swap(String, String),
    /// There are none, or too many, blocking rules.
    RuleCount(usize),
    /// A threshold is no probability, or review begins above linking.
    Thresholds,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FieldCount(count) => write!(out, "{count} fields: must be 1 to {MAX_FIELDS}"),
            Self::Twice(name) => write!(out, "the field `{name}` is declared twice"),
            Self::Unknown(name) => write!(out, "no field is named `{name}`"),
            Self::Swap(one, other) => write!(out, "`{one}` and `{other}` cannot stand in each other's place"),
            Self::RuleCount(count) => write!(out, "{count} blocking rules: must be 1 to {MAX_RULES}"),
            Self::Thresholds => write!(out, "thresholds must be probabilities, review not above link"),
        }
    }
}

impl std::error::Error for Problem {}

/// Settings that were checked, resolved to positions.
#[derive(Clone, Debug)]
pub struct Schema {
    settings: Settings,
    positions: BTreeMap<String, usize>,
    swaps: Vec<(usize, usize)>,
    rules: Vec<blocking::Resolved>,
}

impl Schema {
    /// Checks settings.
    ///
    /// # Errors
    /// The first [`Problem`] found.
    pub fn new(mut settings: Settings) -> Result<Self, Problem> {
        if !(1..=MAX_FIELDS).contains(&settings.fields.len()) {
            return Err(Problem::FieldCount(settings.fields.len()));
        }
        let mut positions = BTreeMap::new();
        for (at, field) in settings.fields.iter().enumerate() {
            if positions.insert(field.name.clone(), at).is_some() {
                return Err(Problem::Twice(field.name.clone()));
            }
        }
        let Thresholds { link, review } = settings.thresholds;
        if !(0.0..=1.0).contains(&link) || !(0.0..=link).contains(&review) {
            return Err(Problem::Thresholds);
        }
        if settings.rules.is_empty() {
            settings.rules = blocking::usual_rules(&settings.fields);
        }
        if !(1..=MAX_RULES).contains(&settings.rules.len()) {
            return Err(Problem::RuleCount(settings.rules.len()));
        }
        let find = |name: &str| positions.get(name).copied().ok_or_else(|| Problem::Unknown(name.to_owned()));
        let mut swaps: Vec<(usize, usize)> = Vec::new();
        for (one, other) in &settings.swaps {
            let pair = (find(one)?, find(other)?);
            let same = settings.fields[pair.0].kind.levels() == settings.fields[pair.1].kind.levels();
            let taken = |at: usize| swaps.iter().any(|swap| swap.0 == at || swap.1 == at);
            if pair.0 == pair.1 || !same || taken(pair.0) || taken(pair.1) {
                return Err(Problem::Swap(one.clone(), other.clone()));
            }
            swaps.push(pair);
        }
        let rules = settings.rules.iter().map(|rule| rule.resolve(find)).collect::<Result<_, _>>()?;
        Ok(Self { settings, positions, swaps, rules })
    }

    /// What was declared.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The fields, in the order of everything that is kept by position.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.settings.fields
    }

    /// The position of a field.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }

    /// The positions of the fields that get mixed up.
    #[must_use]
    pub fn swaps(&self) -> &[(usize, usize)] {
        &self.swaps
    }

    /// The blocking rules.
    #[must_use]
    pub fn rules(&self) -> &[blocking::Resolved] {
        &self.rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customary_names_give_fields_swaps_and_rules() {
        let settings = Settings::by_name(["given_name", "surname", "date_of_birth", "rec_id", "postcode"]);
        assert_eq!(settings.fields.len(), 4);
        assert_eq!(settings.swaps, [("given_name".to_owned(), "surname".to_owned())]);
        assert!(Schema::new(settings).is_ok());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let good = Settings::of(&[("a", Kind::GivenName), ("b", Kind::Surname), ("c", Kind::Date)]);
        let wrong = |change: fn(&mut Settings)| {
            let mut settings = good.clone();
            change(&mut settings);
            Schema::new(settings).expect_err("wrong")
        };
        assert_eq!(wrong(|it| it.fields.clear()), Problem::FieldCount(0));
        assert_eq!(wrong(|it| it.fields[1].name = "a".into()), Problem::Twice("a".into()));
        assert_eq!(wrong(|it| it.swaps[0].1 = "x".into()), Problem::Unknown("x".into()));
        assert_eq!(wrong(|it| it.swaps[0].1 = "c".into()), Problem::Swap("a".into(), "c".into()));
        assert_eq!(wrong(|it| it.thresholds.review = 1.0), Problem::Thresholds);
        assert_eq!(wrong(|it| it.thresholds.link = f64::NAN), Problem::Thresholds);
    }
}
