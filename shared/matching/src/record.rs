//! One record, ready to be compared: every value in its normal form, side by side in one allocation each for text and
//! positions, since a record is compared with hundreds of candidates and kept by the million.

use super::settings::Schema;

/// Where a value lies in the text of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    /// Of the value without spaces; 0 for a missing one.
    hash: u64,
    /// One bit for each letter that occurs in it.
    letters: u64,
    start: u16,
    length: u16,
    ascii: bool,
}

/// A record whose values are normalised. It depends on the schema but on no model, so it outlives a training.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedRecord {
    text: Box<str>,
    spans: Box<[Span]>,
}

/// One value of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    /// Its normal form.
    pub text: &'a str,
    /// The hash of it without spaces: equal for values that are the same.
    pub hash: u64,
    /// One bit for each letter, digit or space that occurs in it; other characters share the bits of a few.
    pub letters: u64,
    /// Whether every character is one byte.
    pub ascii: bool,
}

impl PreparedRecord {
    /// Reads a record's values by field name, in any order. Unknown names are passed over; of several values of one
    /// field the first that says anything counts.
    #[must_use]
    pub fn new<'a>(schema: &Schema, values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut normal = vec![String::new(); schema.fields().len()];
        for (name, raw) in values {
            let Some(at) = schema.position(name) else { continue };
            if normal[at].is_empty() {
                normal[at] = schema.fields()[at].kind.normalise(raw);
            }
        }
        Self::of_normal(normal.iter().map(String::as_str))
    }

    fn of_normal<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let mut text = String::new();
        let mut spans = Vec::new();
        for value in values {
            // 24 fields of 64 characters of at most 4 bytes: far below 2^16.
            let (start, length) = (text.len() as u16, value.len() as u16);
            let (hash, letters) = (value_hash(value), letters(value));
            spans.push(Span { hash, letters, start, length, ascii: value.is_ascii() });
            text.push_str(value);
        }
        Self { text: text.into_boxed_str(), spans: spans.into_boxed_slice() }
    }

    /// The value of the field at a position; none where it is missing.
    #[must_use]
    pub fn value(&self, at: usize) -> Option<Value<'_>> {
        let span = self.spans.get(at)?;
        let (start, end) = (usize::from(span.start), usize::from(span.start + span.length));
        let Span { hash, letters, ascii, .. } = *span;
        (span.length > 0).then(|| Value { text: &self.text[start..end], hash, letters, ascii })
    }

    /// The hash of the value at a position, 0 for a missing one: what a first comparison needs, without the text.
    #[must_use]
    pub fn hash(&self, at: usize) -> u64 {
        self.spans.get(at).map_or(0, |span| span.hash)
    }

    /// Compact bytes to store: the number of fields, their lengths, the text.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + 2 * self.spans.len() + self.text.len());
        bytes.push(self.spans.len() as u8);
        bytes.extend(self.spans.iter().flat_map(|span| span.length.to_le_bytes()));
        bytes.extend_from_slice(self.text.as_bytes());
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote under a schema with as many fields; none for anything else.
    #[must_use]
    pub fn from_bytes(schema: &Schema, bytes: &[u8]) -> Option<Self> {
        let (&count, rest) = bytes.split_first()?;
        let count = usize::from(count);
        if count != schema.fields().len() || rest.len() < 2 * count {
            return None;
        }
        let (lengths, text) = rest.split_at(2 * count);
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= usize::from(u16::MAX))?;
        let mut values = Vec::with_capacity(count);
        let mut start = 0;
        for length in lengths.chunks_exact(2) {
            let end = start + usize::from(u16::from_le_bytes([length[0], length[1]]));
            values.push(text.get(start..end)?);
            start = end;
        }
        (start == text.len()).then(|| Self::of_normal(values.into_iter()))
    }
}

/// A hash that stays the same over versions and machines, since it is stored: FNV-1a, spread by MurmurHash3's finaliser.
#[must_use]
pub fn stable_hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let hash = bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    spread(hash)
}

/// Spreads every bit over all.
#[must_use]
pub fn spread(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// One bit for each character that occurs in a value.
fn letters(value: &str) -> u64 {
    value.chars().fold(0, |letters, character| {
        let bit = match character {
            ' ' => SPACE,
            'a'..='z' => u32::from(character) - u32::from('a'),
            '0'..='9' => 26 + u32::from(character) - u32::from('0'),
            other => 37 + u32::from(other) % 27,
        };
        letters | 1 << bit
    })
}

/// The bits of the digits among the letters of a value.
pub const DIGITS: u64 = 0x3ff << 26;

/// The bit of a space among the letters of a value.
pub const SPACE: u32 = 36;

/// The hash of a value without its spaces; never 0 but for an empty one.
fn value_hash(value: &str) -> u64 {
    if value.is_empty() { 0 } else { stable_hash(value.bytes().filter(|byte| *byte != b' ')).max(1) }
}

#[cfg(test)]
mod tests {
    use super::super::kind::Kind;
    use super::super::settings::Settings;
    use super::*;
    use proptest::prelude::*;

    fn schema() -> Schema {
        let settings = Settings::of(&[("given", Kind::GivenName), ("born", Kind::Date), ("street", Kind::Street)]);
        Schema::new(settings).expect("good settings")
    }

    #[test]
    fn spaces_do_not_tell_values_apart() {
        let schema = schema();
        let one = PreparedRecord::new(&schema, [("street", "Pridham Street"), ("nothing", "x")]);
        let other = PreparedRecord::new(&schema, [("street", ""), ("street", "pridhamstreet")]);
        assert_eq!(one.hash(2), other.hash(2));
        assert_eq!(one.value(0), None);
        assert_eq!(one.value(9), None);
    }

    #[test]
    fn a_stored_hash_never_changes() {
        assert_eq!(stable_hash(*b"anna"), 14704840514214476217, "keys are stored");
    }

    proptest! {
        #[test]
        fn bytes_give_the_record_back(given in "\\PC{0,90}", born in "\\PC{0,12}", street in "[a-zа-яی ]{0,90}") {
            let schema = schema();
            let values = [("given", given.as_str()), ("born", born.as_str()), ("street", street.as_str())];
            let record = PreparedRecord::new(&schema, values);
            prop_assert_eq!(PreparedRecord::from_bytes(&schema, &record.to_bytes()), Some(record));
        }

        #[test]
        fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = PreparedRecord::from_bytes(&schema(), &bytes);
        }
    }
}
