//! What a field holds, how its raw values are read, and at which levels two values of it can agree.

use serde::{Deserialize, Serialize};

use super::fold;

/// What a field holds. It decides how values are read, compared and used in blocking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A given name.
    GivenName,
    /// A family name.
    Surname,
    /// A whole name, of a person or a thing.
    Name,
    /// The name of a company or household that somebody belongs to.
    Organisation,
    /// A calendar date, such as a date of birth.
    Date,
    /// A line of an address: a street, with or without its number; a building.
    Street,
    /// A house number, as the street has it.
    HouseNumber,
    /// A suburb, town or city.
    Place,
    /// A postal code.
    PostalCode,
    /// A telephone number.
    Phone,
    /// An e-mail address.
    Email,
    /// Any other text.
    Text,
    /// A short code people type, where one slip is likely: a state, a country.
    Code,
    /// A number that is given to one customer: a membership, a social security number.
    Identifier,
    /// A value that agrees or does not: nothing between.
    Exact,
}

/// One way in which two values can agree, with what is supposed of it before any data were seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// What it means, for people.
    pub label: &'static str,
    /// Supposed probability among matches.
    pub matched: f64,
    /// Supposed probability among others.
    pub unmatched: f64,
}

/// The number of the level of values that are equal. Common values count less there than rare ones.
pub const EQUAL: u8 = 0;
/// The number of the level of two fields whose values stand in each other's place; only fields named in a swap reach it.
pub const SWAPPED: u8 = 1;
/// No level: a value is missing, or the evidence is counted in another field. Neutral.
pub const NEUTRAL: u8 = u8::MAX;

const fn level(label: &'static str, matched: f64, unmatched: f64) -> Level {
    Level { label, matched, unmatched }
}

const NAME: &[Level] = &[
    level("equal", 0.80, 0.005),
    level("in each other's place", 0.02, 0.000_01),
    level("one typing slip", 0.08, 0.002),
    level("very similar", 0.03, 0.005),
    level("a word or an initial in common", 0.02, 0.01),
    level("similar", 0.02, 0.05),
    level("different", 0.03, 0.93),
];
const TEXT: &[Level] = &[
    level("equal", 0.70, 0.001),
    level("in each other's place", 0.01, 0.000_01),
    level("a typing slip or two", 0.12, 0.0005),
    level("very similar", 0.05, 0.001),
    level("half of the words in common", 0.04, 0.02),
    level("somewhat similar", 0.02, 0.05),
    level("different", 0.06, 0.93),
];
const DATE: &[Level] = &[
    level("equal", 0.85, 0.0001),
    level("in each other's place", 0.001, 0.000_01),
    level("one digit off, or digits or day and month swapped", 0.08, 0.002),
    level("two of year, month and day equal", 0.03, 0.01),
    level("different", 0.04, 0.98),
];
const CODE: &[Level] = &[
    level("equal", 0.85, 0.01),
    level("in each other's place", 0.005, 0.0001),
    level("one slip", 0.07, 0.02),
    level("same beginning", 0.02, 0.05),
    level("different", 0.06, 0.92),
];
const CONTACT: &[Level] = &[
    level("equal", 0.75, 0.0001),
    level("in each other's place", 0.01, 0.000_01),
    level("one typing slip", 0.04, 0.0001),
    level("same without prefix or domain", 0.05, 0.0002),
    level("different", 0.15, 0.999),
];
const EXACT: &[Level] =
    &[level("equal", 0.9, 0.05), level("in each other's place", 0.001, 0.0001), level("different", 0.1, 0.95)];

impl Kind {
    /// The levels at which two values of this kind can agree; the last is "different".
    #[must_use]
    pub fn levels(self) -> &'static [Level] {
        match self {
            Self::GivenName | Self::Surname | Self::Name | Self::Organisation => NAME,
            Self::Street | Self::Place | Self::Text => TEXT,
            Self::Date => DATE,
            Self::HouseNumber | Self::PostalCode | Self::Code | Self::Identifier => CODE,
            Self::Phone | Self::Email => CONTACT,
            Self::Exact => EXACT,
        }
    }

    /// How often two people of one household, or two of one switchboard or front desk, agree on it, before any data were
    /// seen.
    #[must_use]
    pub fn shared_in_household(self) -> f64 {
        match self {
            // Twins, and sons named after their fathers.
            Self::Date | Self::Identifier => 0.02,
            Self::GivenName | Self::Name => 0.03,
            Self::Email => 0.05,
            Self::Text => 0.2,
            Self::Phone => 0.4,
            Self::Exact | Self::Organisation => 0.5,
            Self::Surname => 0.8,
            Self::Street | Self::HouseNumber => 0.9,
            Self::Place | Self::PostalCode | Self::Code => 0.95,
        }
    }

    /// Whether it tells people of one household apart: what a household shares of it is not learnt, but known.
    #[must_use]
    pub(super) fn is_personal(self) -> bool {
        matches!(self, Self::GivenName | Self::Name | Self::Date)
    }

    /// The largest share of one customer's records that may differ in it. Learning keeps to this, or the class of matches
    /// could drift to describe strangers of one name, or families, where there are many of these and hardly a duplicate.
    #[must_use]
    pub fn most_different(self) -> f64 {
        match self {
            Self::GivenName | Self::Name | Self::Organisation | Self::Date => 0.25,
            // People marry.
            Self::Surname => 0.35,
            Self::Text => 1.0,
            // People move, and have more than one telephone and address.
            _ => 0.5,
        }
    }

    /// Whether it says where, or of what sort, and so goes together with others that say the same.
    #[must_use]
    pub fn local(self) -> bool {
        matches!(self, Self::Place | Self::PostalCode | Self::Code | Self::Text | Self::Exact)
    }

    /// Brings a raw value to the form that is compared and kept; empty where it says nothing.
    #[must_use]
    pub fn normalise(self, raw: &str) -> String {
        let normal = match self {
            Self::GivenName
            | Self::Surname
            | Self::Name
            | Self::Organisation
            | Self::Street
            | Self::Place
            | Self::Text => fold::words(raw),
            Self::HouseNumber | Self::PostalCode | Self::Code | Self::Identifier | Self::Exact => fold::squeezed(raw),
            Self::Date => date(raw),
            Self::Phone => phone(raw),
            Self::Email => email(raw),
        };
        if says_nothing(&normal) { String::new() } else { normal }
    }
}

/// Whether a value only fills a field that had to be filled. Real ones that look so lose a little evidence, no more.
fn says_nothing(normal: &str) -> bool {
    matches!(normal, "unknown" | "null" | "undefined" | "not available" | "notavailable")
        || normal.bytes().all(|byte| byte == b'0')
}

/// The digits of a date, as YYYYMMDD where it can be read so. Impossible days are kept: they too are somebody's typing.
fn date(raw: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut inside = false;
    // A time of day after the date says nothing about it.
    for character in raw.trim().chars().take(32).take_while(|character| !matches!(character, 'T' | 't')) {
        let digit = fold::digits(character.encode_utf8(&mut [0; 4]));
        match (digit.is_empty(), inside) {
            (true, _) => inside = false,
            (false, true) => parts.last_mut().into_iter().for_each(|part| part.push_str(&digit)),
            (false, false) => {
                parts.push(digit);
                inside = true;
            }
        }
    }
    parts.truncate(3);
    match parts.as_slice() {
        [year, month, day] if year.len() == 4 => format!("{year}{month:0>2}{day:0>2}"),
        [day, month, year] if year.len() == 4 => format!("{year}{month:0>2}{day:0>2}"),
        other => other.concat().chars().take(8).collect(),
    }
}

/// The digits of a telephone number, without the zeros of a trunk or international prefix.
fn phone(raw: &str) -> String {
    let digits = fold::digits(raw);
    digits.trim_start_matches('0').to_owned()
}

/// An e-mail address in lower case, without white space.
fn email(raw: &str) -> String {
    raw.chars()
        .take(4 * fold::MAX_CHARACTERS)
        .filter(|character| !character.is_whitespace() && !character.is_control())
        .flat_map(char::to_lowercase)
        .take(fold::MAX_CHARACTERS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Kind; 15] = [
        Kind::GivenName,
        Kind::Surname,
        Kind::Name,
        Kind::Date,
        Kind::Street,
        Kind::HouseNumber,
        Kind::Place,
        Kind::PostalCode,
        Kind::Phone,
        Kind::Email,
        Kind::Text,
        Kind::Code,
        Kind::Exact,
        Kind::Organisation,
        Kind::Identifier,
    ];

    #[test]
    fn dates_are_read_in_the_usual_spellings() {
        for raw in ["1986-03-07", "19860307", "07.03.1986", "7/3/1986", "1986-03-07T10:00:00Z", "۱۹۸۶/۰۳/۰۷"] {
            assert_eq!(Kind::Date.normalise(raw), "19860307", "{raw}");
        }
        assert_eq!(Kind::Date.normalise("unknown"), "");
    }

    #[test]
    fn numbers_and_addresses_are_brought_to_one_form() {
        assert_eq!(Kind::Phone.normalise("+49 (30) 123-456"), "4930123456");
        assert_eq!(Kind::Phone.normalise("0049 30 123456"), "4930123456");
        assert_eq!(Kind::Email.normalise(" Anna@Example.COM "), "anna@example.com");
        assert_eq!(Kind::PostalCode.normalise("SW1A 1AA"), "sw1a1aa");
    }

    #[test]
    fn fillers_say_nothing() {
        assert_eq!(Kind::Surname.normalise("Unknown"), "");
        assert_eq!(Kind::Date.normalise("0000-00-00"), "");
        assert_eq!(Kind::Phone.normalise("000 000"), "");
    }

    #[test]
    fn supposed_probabilities_are_distributions() {
        for kind in ALL {
            for pick in [|level: &Level| level.matched, |level: &Level| level.unmatched] {
                let sum: f64 = kind.levels().iter().map(pick).sum();
                assert!((sum - 1.0).abs() < 0.03, "{kind:?} {sum}");
            }
        }
    }
}
