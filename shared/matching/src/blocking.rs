//! Which records are worth comparing: those that share a key. A record has one key per rule, a number that can be stored
//! and looked up, so that one record meets a million by a handful of look-ups.

use serde::{Deserialize, Serialize};

use super::kind::Kind;
use super::record::{PreparedRecord, spread, stable_hash};
use super::settings::{Bounds, Field, MAX_RULES, Problem, Schema};

/// What of a value goes into a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// All of it, without spaces.
    Whole,
    /// Roughly how it sounds: its first letter and its consonants by group.
    Sound,
    /// Its first characters, as many.
    Start(u8),
    /// Its last characters, as many.
    End(u8),
    /// The year of a date.
    Year,
    /// The month and day of a date.
    MonthDay,
}

/// A part of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The field.
    pub field: String,
    /// What of its value.
    pub take: Take,
}

/// One blocking rule: records that agree on all parts are candidates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// What has to agree.
    pub parts: Vec<Part>,
    /// Whether the values may stand in any order, as given name and surname do.
    #[serde(default)]
    pub any_order: bool,
}

/// A rule resolved to positions.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Sets the keys of different rules apart; it depends on the rule alone, not on its place among others.
    seed: u64,
    parts: Vec<(usize, Take)>,
    any_order: bool,
}

impl Rule {
    fn of(parts: &[(&str, Take)]) -> Self {
        let parts = parts.iter().map(|(field, take)| Part { field: (*field).to_owned(), take: *take }).collect();
        Self { parts, any_order: false }
    }

    /// Resolves its fields.
    pub(super) fn resolve(&self, find: impl Fn(&str) -> Result<usize, Problem>) -> Result<Resolved, Problem> {
        let parts = self.parts.iter().map(|part| Ok((find(&part.field)?, part.take))).collect::<Result<Vec<_>, _>>()?;
        if parts.is_empty() {
            return Err(Problem::RuleCount(0));
        }
        Ok(Resolved { seed: stable_hash(self.label().bytes()), parts, any_order: self.any_order })
    }

    /// The rule in words.
    #[must_use]
    pub fn label(&self) -> String {
        let parts: Vec<String> = self
            .parts
            .iter()
            .map(|part| match part.take {
                Take::Whole => part.field.clone(),
                Take::Sound => format!("sound of {}", part.field),
                Take::Start(count) => format!("first {count} of {}", part.field),
                Take::End(count) => format!("last {count} of {}", part.field),
                Take::Year => format!("year of {}", part.field),
                Take::MonthDay => format!("month and day of {}", part.field),
            })
            .collect();
        parts.join(if self.any_order { " or " } else { " and " })
    }
}

impl Resolved {
    /// The key of a record; none where a part of it is missing.
    #[must_use]
    pub fn key(&self, record: &PreparedRecord) -> Option<u64> {
        let mut key = self.seed;
        for &(at, take) in &self.parts {
            let value = record.value(at)?;
            let part = match take {
                Take::Whole => value.hash,
                other => part_hash(value.text, other)?,
            };
            key = if self.any_order { key.wrapping_add(spread(part)) } else { spread(key.rotate_left(5) ^ part) };
        }
        Some(spread(key))
    }

    /// The positions of the fields it speaks of.
    pub fn fields(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().map(|(at, _)| *at)
    }
}

/// The keys of a record, at most one per rule, each once.
#[must_use]
pub fn keys(schema: &Schema, record: &PreparedRecord) -> Vec<u64> {
    let mut keys: Vec<u64> = schema.rules().iter().filter_map(|rule| rule.key(record)).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn part_hash(text: &str, take: Take) -> Option<u64> {
    let squeezed = text.chars().filter(|character| *character != ' ');
    let count = squeezed.clone().count();
    let hash = |from: usize, length: usize| {
        let mut buffer = [0; 4];
        let mut hash = length as u64;
        for character in squeezed.clone().skip(from).take(length) {
            hash = spread(hash ^ stable_hash(character.encode_utf8(&mut buffer).bytes()));
        }
        hash
    };
    match take {
        Take::Whole => Some(hash(0, count)),
        Take::Sound => sound(text),
        Take::Start(length) => (count >= usize::from(length)).then(|| hash(0, usize::from(length))),
        Take::End(length) => {
            (count >= usize::from(length)).then(|| hash(count - usize::from(length), usize::from(length)))
        }
        Take::Year => (count == 8).then(|| hash(0, 4)),
        Take::MonthDay => (count == 8).then(|| hash(4, 4)),
    }
}

/// The first letter and up to four groups of consonants, after Soundex; Persian and Arabic letters without their vowels.
fn sound(text: &str) -> Option<u64> {
    let mut letters = text.chars().filter(|character| *character != ' ');
    let first = letters.next()?;
    let mut code = u64::from(u32::from(first));
    let mut previous = group(first);
    let mut count = 0;
    for letter in letters {
        let next = group(letter);
        // H and W part no double letters, vowels do: Soundex's own rule.
        if matches!(letter, 'h' | 'w') {
            continue;
        }
        if next != 0 && next != previous && count < 4 {
            code = spread(code ^ u64::from(next));
            count += 1;
        }
        previous = next;
    }
    Some(spread(code.wrapping_add(1)))
}

/// The group of letters that sound alike; 0 for vowels.
fn group(letter: char) -> u32 {
    match letter {
        'a' | 'e' | 'i' | 'o' | 'u' | 'y' | 'h' | 'w' | 'ا' | 'و' | 'ی' | 'ع' | 'ه' => 0,
        'b' | 'f' | 'p' | 'v' => 1,
        'c' | 'g' | 'j' | 'k' | 'q' | 's' | 'x' | 'z' => 2,
        'd' | 't' => 3,
        'l' => 4,
        'm' | 'n' => 5,
        'r' => 6,
        other => u32::from(other),
    }
}

/// Rules that suit the kinds of the fields. Each asks for some 14 bits or more, so that a block of a million people stays
/// in the dozens, and no field is needed by all of them, so that one spoilt or missing value hides nobody.
#[must_use]
pub fn usual_rules(fields: &[Field]) -> Vec<Rule> {
    let all = |kind: Kind| fields.iter().filter(move |field| field.kind == kind).map(|field| field.name.as_str());
    let first = |kind: Kind| all(kind).next();
    let mut rules = Vec::new();
    for kind in [Kind::Identifier, Kind::Email, Kind::Phone, Kind::Date, Kind::Name, Kind::Organisation] {
        let take = if kind == Kind::Phone { Take::End(8) } else { Take::Whole };
        rules.extend(all(kind).take(2).map(|name| Rule::of(&[(name, take)])));
    }
    let (given, surname) = (first(Kind::GivenName), first(Kind::Surname));
    if let (Some(given), Some(surname)) = (given, surname) {
        let mut rule = Rule::of(&[(given, Take::Whole), (surname, Take::Whole)]);
        rule.any_order = true;
        rules.push(rule);
    }
    let (place, code) = (first(Kind::Place), first(Kind::PostalCode));
    let (street, number) = (first(Kind::Street), first(Kind::HouseNumber));
    let name = first(Kind::Name).or(first(Kind::Organisation));
    let people = [(surname, Take::Sound), (given, Take::Sound), (name, Take::Start(4)), (name, Take::End(4))];
    let mut both = |one: (Option<&str>, Take), other: (Option<&str>, Take)| {
        if let (Some(name), Some(field)) = (one.0, other.0) {
            rules.push(Rule::of(&[(name, one.1), (field, other.1)]));
        }
    };
    for person in people {
        for where_or_when in [(code, Take::Whole), (place, Take::Whole), (street, Take::Whole)] {
            both(person, where_or_when);
        }
    }
    both((street, Take::Whole), (number, Take::Whole));
    both((street, Take::Whole), (place, Take::Start(4)));
    both((code, Take::Whole), (number, Take::Whole));
    // A name alone is enough where it is rare, or the customers few: the bound on a block sees to that.
    rules.extend(surname.into_iter().chain(given).map(|name| Rule::of(&[(name, Take::Whole)])));
    let numbered = usize::from(number.is_some());
    rules.extend(all(Kind::Text).chain(all(Kind::Street).skip(numbered)).map(|name| Rule::of(&[(name, Take::Whole)])));
    if rules.is_empty() {
        rules.extend(fields.iter().map(|field| Rule::of(&[(field.name.as_str(), Take::Whole)])));
    }
    rules.truncate(MAX_RULES);
    rules
}

/// The candidates of a record from its blocks, in order, each once. Blocks above the bound say nothing; nothing else is
/// left out, so that of two records each is a candidate of the other or neither is.
#[must_use]
pub fn candidates<'a, T: Ord + Copy + 'a>(blocks: impl IntoIterator<Item = &'a Vec<T>>, bounds: Bounds) -> Vec<T> {
    let small = blocks.into_iter().filter(|block| block.len() <= bounds.per_block);
    let mut members: Vec<T> = small.flatten().copied().collect();
    members.sort_unstable();
    members.dedup();
    members
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::*;

    fn schema() -> Schema {
        let fields = [
            ("given", Kind::GivenName),
            ("family", Kind::Surname),
            ("born", Kind::Date),
            ("code", Kind::PostalCode),
            ("phone", Kind::Phone),
        ];
        Schema::new(Settings::of(&fields)).expect("good settings")
    }

    fn keys_of(values: &[(&str, &str)]) -> Vec<u64> {
        let schema = schema();
        keys(&schema, &PreparedRecord::new(&schema, values.iter().copied()))
    }

    fn share(one: &[(&str, &str)], other: &[(&str, &str)]) -> bool {
        let other = keys_of(other);
        keys_of(one).iter().any(|key| other.contains(key))
    }

    #[test]
    fn slips_swaps_and_prefixes_keep_a_key_in_common() {
        assert!(share(&[("given", "Anna"), ("family", "Karimi")], &[("given", "karimi"), ("family", "anna")]));
        assert!(share(&[("family", "Mitchell"), ("code", "2119")], &[("family", "Mitchel"), ("code", "2119")]));
        assert!(share(&[("phone", "+49 30 1234567")], &[("phone", "030 1234567")]));
        assert!(!share(&[("code", "2119")], &[("code", "2119")]), "a postal code alone is no reason to compare");
    }

    #[test]
    fn missing_values_give_no_keys() {
        assert!(keys_of(&[]).is_empty());
        assert_eq!(keys_of(&[("born", "1986-03-07")]).len(), 1);
    }

    #[test]
    fn large_blocks_say_nothing_and_of_small_ones_nobody_is_left_out() {
        let bounds = Bounds { per_block: 3 };
        let blocks = [vec![1, 2, 3, 4, 5], vec![7, 8], vec![9, 8], vec![6, 9, 5]];
        assert_eq!(candidates(&blocks, bounds), [5, 6, 7, 8, 9]);
        assert_eq!(candidates(&[vec![4, 3]], bounds), [3, 4]);
    }
}
