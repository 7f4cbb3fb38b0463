//! At which level each field of two records agrees. Symmetric in the two records.

use super::distance::{Symbol, edits, jaro_winkler};
use super::fold::MAX_CHARACTERS;
use super::kind::{EQUAL, Kind, NEUTRAL, SWAPPED};
use super::record::{DIGITS, PreparedRecord, SPACE, Value};
use super::settings::{MAX_FIELDS, Schema};

/// The level of each field, by position; [`NEUTRAL`] where nothing can be said.
pub type Levels = [u8; MAX_FIELDS];

// A hair below 0.92, 0.93 and 0.8: rounding must not decide where a similarity is just that.
const VERY_SIMILAR: f32 = 0.9199;
const VERY_SIMILAR_TEXT: f32 = 0.9299;
const SIMILAR: f32 = 0.7999;

/// The last of the levels of one kind that still tell of one value written twice.
const ALIKE: u8 = 3;

/// Compares two records of one schema.
#[must_use]
pub fn compare(schema: &Schema, left: &PreparedRecord, right: &PreparedRecord) -> Levels {
    let mut levels = [NEUTRAL; MAX_FIELDS];
    for (at, field) in schema.fields().iter().enumerate() {
        let (one, other) = (left.hash(at), right.hash(at));
        levels[at] = match (one, other) {
            (0, _) | (_, 0) => NEUTRAL,
            _ if one == other => EQUAL,
            _ => value_level(field.kind, left, right, (at, at)),
        };
    }
    for (at, field) in schema.fields().iter().enumerate() {
        if field.kind == Kind::Email
            && levels[at] == SAME_LOCAL_PART
            && (is_made_of_names(schema, left, at) || is_made_of_names(schema, right, at))
        {
            levels[at] = NEUTRAL;
        }
    }
    for &(one, other) in schema.swaps() {
        if levels[one] > ALIKE && levels[other] > ALIKE && crossed(schema.fields()[one].kind, left, right, one, other) {
            levels[one] = SWAPPED;
            levels[other] = NEUTRAL;
        }
    }
    levels
}

/// The level of two e-mail addresses that differ in their domain alone.
const SAME_LOCAL_PART: u8 = 3;

/// Whether the local part of an e-mail address holds a name of its owner. Two people of one name then have it in common
/// at two providers, and it says no more than their names do.
fn is_made_of_names(schema: &Schema, record: &PreparedRecord, email: usize) -> bool {
    let Some(address) = record.value(email) else { return false };
    let local = address.text.split('@').next().unwrap_or_default();
    schema.fields().iter().enumerate().any(|(at, field)| {
        let name = record.value(at).filter(|_| matches!(field.kind, Kind::GivenName | Kind::Surname | Kind::Name));
        let held = |word: &str| word.len() > 2 && local.contains(word);
        name.is_some_and(|name| name.text.split(' ').any(held))
    })
}

/// Whether the values of two fields stand in each other's place, give or take a slip.
fn crossed(kind: Kind, left: &PreparedRecord, right: &PreparedRecord, one: usize, other: usize) -> bool {
    let alike = |from: usize, to: usize| value_level(kind, left, right, (from, to)) <= ALIKE;
    alike(one, other) && alike(other, one)
}

/// The level of a value of the left record and one of the right.
fn value_level(kind: Kind, left: &PreparedRecord, right: &PreparedRecord, at: (usize, usize)) -> u8 {
    let (Some(left), Some(right)) = (left.value(at.0), right.value(at.1)) else { return NEUTRAL };
    if left.hash == right.hash {
        return EQUAL;
    }
    if left.ascii && right.ascii {
        return fuzzy(kind, left, right, left.text.as_bytes(), right.text.as_bytes());
    }
    let (mut one, mut other) = (['\0'; MAX_CHARACTERS], ['\0'; MAX_CHARACTERS]);
    let (one, other) = (characters(left.text, &mut one), characters(right.text, &mut other));
    fuzzy(kind, left, right, one, other)
}

/// The characters of a text, in a buffer of the caller's.
fn characters<'a>(text: &str, buffer: &'a mut [char; MAX_CHARACTERS]) -> &'a [char] {
    let mut count = 0;
    for (place, character) in buffer.iter_mut().zip(text.chars()) {
        *place = character;
        count += 1;
    }
    &buffer[..count]
}

/// The level of two values that are not equal, given as texts and as their characters.
fn fuzzy<T: Symbol>(kind: Kind, left: Value<'_>, right: Value<'_>, one: &[T], other: &[T]) -> u8 {
    match kind {
        Kind::Name | Kind::Organisation if other_digits(left, right) => name(left, right, one, other).max(4),
        Kind::Street | Kind::Text if other_digits(left, right) => text(left, right, one, other).max(4),
        Kind::GivenName | Kind::Surname | Kind::Name | Kind::Organisation => name(left, right, one, other),
        Kind::Street | Kind::Place | Kind::Text => text(left, right, one, other),
        Kind::Date => date(one, other),
        Kind::HouseNumber | Kind::PostalCode | Kind::Code | Kind::Identifier => code(one, other),
        Kind::Phone => phone(one, other),
        Kind::Email => email(left, right, one, other),
        Kind::Exact => 2,
    }
}

/// Whether two values have different digits. They tell `anna.smith1` from `anna.smith2`, and number 12 of a street from
/// number 14: who differs there alone is somebody else of that name, or a neighbour, far oftener than a slip.
fn other_digits(left: Value<'_>, right: Value<'_>) -> bool {
    let of = |value: Value<'_>| {
        if value.letters & DIGITS == 0 {
            return 0;
        }
        let digits = value.text.bytes().filter(u8::is_ascii_digit);
        digits.fold(1_u64, |all, digit| all.wrapping_mul(11).wrapping_add(u64::from(digit)))
    };
    of(left) != of(right)
}

/// The largest similarity that two values can have, judging by their letters: a letter that only one has finds no
/// partner. It spares most pairs, who have nothing in common, the comparison.
fn bound(left: Value<'_>, right: Value<'_>, one: usize, other: usize) -> f32 {
    let alone = |mine: u64, theirs: u64| (mine & !theirs).count_ones() as usize;
    let common =
        (one - alone(left.letters, right.letters).min(one)).min(other - alone(right.letters, left.letters).min(other));
    if common == 0 {
        return 0.0;
    }
    let common = common as f32;
    let jaro = (common / one as f32 + common / other as f32 + 1.0) / 3.0;
    jaro + 0.4 * (1.0 - jaro)
}

/// How many edits there must be at least, by the same token.
fn least_edits(left: Value<'_>, right: Value<'_>, one: usize, other: usize) -> usize {
    let alone = |mine: u64, theirs: u64| (mine & !theirs).count_ones() as usize;
    one.abs_diff(other).max(alone(left.letters, right.letters)).max(alone(right.letters, left.letters))
}

fn name<T: Symbol>(left: Value<'_>, right: Value<'_>, one: &[T], other: &[T]) -> u8 {
    let shorter = one.len().min(other.len());
    if shorter >= 3 && least_edits(left, right, one.len(), other.len()) <= 1 && edits(one, other) == 1 {
        return 2;
    }
    let possible = bound(left, right, one.len(), other.len());
    let similarity = if possible < SIMILAR { 0.0 } else { jaro_winkler(one, other) };
    if similarity >= VERY_SIMILAR {
        return 3;
    }
    let (shared, fewer) = shared_words(left, right);
    if shared > 1 && shared == fewer && one.len() == other.len() {
        // The same words in another order: `Smith, John`.
        3
    } else if shared > 0 || (shorter == 1 && one[0] == other[0]) {
        4
    } else if similarity >= SIMILAR {
        5
    } else {
        6
    }
}

fn text<T: Symbol>(left: Value<'_>, right: Value<'_>, one: &[T], other: &[T]) -> u8 {
    let (shorter, longer) = (one.len().min(other.len()), one.len().max(other.len()));
    let slips = match shorter {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    };
    let least = least_edits(left, right, one.len(), other.len());
    if least <= slips || 4 * least <= longer {
        let distance = edits(one, other) as usize;
        if distance <= slips {
            return 2;
        }
        if 4 * distance <= longer {
            return 3;
        }
    }
    let possible = bound(left, right, one.len(), other.len());
    let similarity = if possible < SIMILAR { 0.0 } else { jaro_winkler(one, other) };
    if similarity >= VERY_SIMILAR_TEXT {
        return 3;
    }
    let (shared, all) = shared_words(left, right);
    if shared > 0 && 2 * shared >= all {
        4
    } else if similarity >= SIMILAR {
        5
    } else {
        6
    }
}

/// How many different words two texts share, and how many the one with fewer has. Two single words share nothing: they
/// would be equal.
fn shared_words(left: Value<'_>, right: Value<'_>) -> (usize, usize) {
    let words = |value: Value<'_>| (value.letters >> SPACE) & 1;
    if words(left) + words(right) == 0 {
        return (0, 1);
    }
    let (left, right) = (left.text.as_bytes(), right.text.as_bytes());
    let count = |text: &[u8]| text.iter().filter(|byte| **byte == b' ').count() + 1;
    let shared = |from: &[u8], to: &[u8]| {
        let held = |word: &&[u8]| word.len() > 1 && to.split(is_space).any(|other| other == *word);
        from.split(is_space).filter(held).count()
    };
    let there = shared(left, right);
    (if there == 0 { 0 } else { there.min(shared(right, left)) }, count(left).min(count(right)))
}

fn is_space(byte: &u8) -> bool {
    *byte == b' '
}

fn date<T: Symbol>(one: &[T], other: &[T]) -> u8 {
    if one.len() != 8 || other.len() != 8 {
        return if one.len().min(other.len()) >= 6 && edits(one, other) == 1 { 2 } else { 4 };
    }
    let crossed = one[..4] == other[..4] && one[4..6] == other[6..] && one[6..] == other[4..6];
    if crossed || edits(one, other) == 1 {
        return 2;
    }
    let parts = [0..4, 4..6, 6..8].into_iter().filter(|part| one[part.clone()] == other[part.clone()]).count();
    if parts == 2 { 3 } else { 4 }
}

fn code<T: Symbol>(one: &[T], other: &[T]) -> u8 {
    let shorter = one.len().min(other.len());
    if shorter >= 2 && one.len().abs_diff(other.len()) <= 1 && edits(one, other) == 1 {
        return 2;
    }
    let start = (shorter / 2).max(2);
    if shorter >= 3 && one[..start] == other[..start] { 3 } else { 4 }
}

fn phone<T: Symbol>(one: &[T], other: &[T]) -> u8 {
    let shorter = one.len().min(other.len());
    if shorter >= 6 && one.len().abs_diff(other.len()) <= 1 && edits(one, other) == 1 {
        return 2;
    }
    let tail = shorter.min(8);
    if shorter >= 7 && one[one.len() - tail..] == other[other.len() - tail..] { 3 } else { 4 }
}

fn email<T: Symbol>(left: Value<'_>, right: Value<'_>, one: &[T], other: &[T]) -> u8 {
    if one.len().min(other.len()) >= 8
        && one.len().abs_diff(other.len()) <= 1
        && !other_digits(left, right)
        && edits(one, other) == 1
    {
        return 2;
    }
    let local = |address: &str| address.rsplit_once('@').map_or(address.len(), |(local, _)| local.len());
    let (left, right) = (&left.text[..local(left.text)], &right.text[..local(right.text)]);
    if left.len() >= 4 && left == right { 3 } else { 4 }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::*;

    fn level_of(kind: Kind, left: &str, right: &str) -> &'static str {
        let schema = Schema::new(Settings::of(&[("field", kind), ("other", Kind::Phone)])).expect("good settings");
        let record = |value| PreparedRecord::new(&schema, [("field", value)]);
        let level = compare(&schema, &record(left), &record(right))[0];
        if level == NEUTRAL { "neutral" } else { kind.levels()[usize::from(level)].label }
    }

    #[test]
    fn names_agree_by_degrees() {
        for (left, right, label) in [
            ("Anna", "ANNA", "equal"),
            ("Анна", "Anna", "equal"),
            ("Mitchell", "Mitchel", "one typing slip"),
            ("Mithcell", "Mitchell", "one typing slip"),
            ("Alexandra", "Aleksandra", "very similar"),
            ("J.", "John", "a word or an initial in common"),
            ("Anna Karimi", "Karimi, Anna", "very similar"),
            ("Anna Maria", "Maria", "a word or an initial in common"),
            ("Anna", "Bob", "different"),
            ("Anna", "", "neutral"),
            ("Anna", "🎉", "neutral"),
        ] {
            assert_eq!(level_of(Kind::GivenName, left, right), label, "{left} {right}");
            assert_eq!(level_of(Kind::GivenName, right, left), label, "{right} {left}");
        }
    }

    #[test]
    fn dates_agree_by_degrees() {
        for (other, label) in [
            ("1986-03-07", "equal"),
            ("1986-03-17", "one digit off, or digits or day and month swapped"),
            ("1986-03-70", "one digit off, or digits or day and month swapped"),
            ("1986-07-03", "one digit off, or digits or day and month swapped"),
            ("1986-03-25", "two of year, month and day equal"),
            ("1951-03-07", "two of year, month and day equal"),
            ("1951-11-25", "different"),
        ] {
            assert_eq!(level_of(Kind::Date, "1986-03-07", other), label, "{other}");
        }
    }

    #[test]
    fn codes_texts_and_contacts_agree_by_degrees() {
        assert_eq!(level_of(Kind::Code, "nsw", "nws"), "one slip");
        assert_eq!(level_of(Kind::PostalCode, "2119", "2168"), "same beginning");
        assert_eq!(level_of(Kind::Street, "wallaby place", "walaby pl ace"), "a typing slip or two");
        assert_eq!(level_of(Kind::Street, "12 Main Street", "Main"), "half of the words in common");
        assert_eq!(level_of(Kind::Phone, "+49 30 1234567", "030 1234567"), "same without prefix or domain");
        assert_eq!(level_of(Kind::Email, "anna.smith@a.example", "anna.smith@b.org"), "same without prefix or domain");
        assert_eq!(level_of(Kind::Exact, "a1", "a2"), "different");
    }

    #[test]
    fn an_address_made_of_names_says_no_more_than_the_names() {
        let fields = [("given", Kind::GivenName), ("family", Kind::Surname), ("email", Kind::Email)];
        let schema = Schema::new(Settings::of(&fields)).expect("good settings");
        let record =
            |email: &str| PreparedRecord::new(&schema, [("given", "Anna"), ("family", "Smith"), ("email", email)]);
        let level = |one: &str, other: &str| compare(&schema, &record(one), &record(other))[2];
        assert_eq!(level("anna.smith@mail.example", "anna.smith@post.example"), NEUTRAL);
        assert_eq!(level("sunflower7@mail.example", "sunflower7@post.example"), SAME_LOCAL_PART);
        assert_eq!(level("anna.smith@a.example", "anna.smith@a.example"), EQUAL);
    }

    #[test]
    fn values_in_each_others_place_are_one_piece_of_evidence() {
        let schema = Schema::new(Settings::of(&[("given", Kind::GivenName), ("family", Kind::Surname)])).expect("good");
        let one = PreparedRecord::new(&schema, [("given", "Anna"), ("family", "Karimi")]);
        let other = PreparedRecord::new(&schema, [("given", "Karimy"), ("family", "Anna")]);
        assert_eq!(compare(&schema, &one, &other)[..2], [SWAPPED, NEUTRAL]);
        assert_eq!(compare(&schema, &other, &one)[..2], [SWAPPED, NEUTRAL]);
    }
}
