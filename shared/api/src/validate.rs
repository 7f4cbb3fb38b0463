//! The checks of the contract's rules: generated for each message from its `buf.validate` options (see `build/rules.rs`),
//! written here for each rule. A description says what would be right, never what was sent.

use std::collections::BTreeSet;
use std::fmt;

use prost_types::{Duration, Timestamp};
use rapport_kernel::Violations;
use regex::Regex;

/// A message with rules.
pub trait Validate {
    /// Notes every broken rule of the message, which stands at `at` in its request.
    fn validate(&self, at: &At<'_>, out: &mut Violations);
}

/// Every broken rule of a request. What `convert` finds besides is added to the same list, so that one answer names all.
#[must_use]
pub fn check(message: &impl Validate) -> Violations {
    let mut out = Violations::new();
    message.validate(&At::Root, &mut out);
    out
}

/// A place in a request: made on the stack, written out only where a rule is broken.
pub enum At<'a> {
    /// The request itself.
    Root,
    /// A field of a message.
    Field(&'a At<'a>, &'static str),
    /// An item of a list.
    Index(&'a At<'a>, usize),
    /// A pair of a map.
    Key(&'a At<'a>, &'a str),
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
            // A key can be any text, and so personal: it is named only where it has the form of a name.
            Self::Key(parent, key) if is_name(key) => write!(f, "{parent}[\"{key}\"]"),
            Self::Key(parent, _) => write!(f, "{parent}[…]"),
        }
    }
}

fn is_name(key: &str) -> bool {
    key.len() <= 64 && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

impl<'a> At<'a> {
    /// A field of the message here.
    #[must_use]
    pub const fn field(&'a self, name: &'static str) -> Self {
        Self::Field(self, name)
    }
    /// An item of the list here.
    #[must_use]
    pub const fn index(&'a self, index: usize) -> Self {
        Self::Index(self, index)
    }
    /// A pair of the map here.
    #[must_use]
    pub const fn key(&'a self, key: &'a str) -> Self {
        Self::Key(self, key)
    }

    fn broken(&self, out: &mut Violations, rule: &'static str, description: impl Into<String>) {
        out.add(self.to_string(), rule, description);
    }
    fn no_nul(&self, out: &mut Violations, text: &str) {
        if text.contains('\0') {
            self.broken(out, "string.no_nul", "must not contain the NUL character");
        }
    }
    fn min_len(&self, out: &mut Violations, text: &str, least: usize) {
        if text.chars().take(least).count() < least {
            self.broken(out, "string.min_len", format!("must have at least {}", counted(least, "character")));
        }
    }
    fn max_len(&self, out: &mut Violations, text: &str, most: usize) {
        if text.len() > most && text.chars().count() > most {
            self.broken(out, "string.max_len", format!("must have at most {}", counted(most, "character")));
        }
    }
    fn pattern(&self, out: &mut Violations, text: &str, pattern: &Regex) {
        if !pattern.is_match(text) {
            self.broken(out, "string.pattern", format!("must match {pattern}"));
        }
    }
    fn uuid(&self, out: &mut Violations, text: &str) {
        let is_uuid = text.len() == 36
            && text.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            });
        if !is_uuid {
            self.broken(out, "string.uuid", "must be a UUID, as 01890a5d-ac96-774b-bcce-b302099a8057");
        }
    }
    fn double(&self, out: &mut Violations, value: f64, least: Option<f64>, most: Option<f64>) {
        if !value.is_finite() {
            self.broken(out, "double.finite", "must be a finite number");
        } else if least.is_some_and(|least| value < least) || most.is_some_and(|most| value > most) {
            self.broken(out, "double.range", range(least, most));
        }
    }
    fn integer(&self, out: &mut Violations, value: i64, least: Option<i64>, most: Option<i64>) {
        if least.is_some_and(|least| value < least) || most.is_some_and(|most| value > most) {
            self.broken(out, "integer.range", range(least, most));
        }
    }
    fn defined(&self, out: &mut Violations, defined: bool) {
        if !defined {
            self.broken(out, "enum.defined_only", "must be a value that the contract defines");
        }
    }
    fn not_unspecified(&self, out: &mut Violations, value: i32) {
        if value == 0 {
            self.broken(out, "enum.not_in", "must be set, and not to the unspecified value");
        }
    }
    fn min_items(&self, out: &mut Violations, held: usize, least: usize) {
        if held < least {
            self.broken(out, "repeated.min_items", format!("must have at least {}", counted(least, "item")));
        }
    }
    fn max_items(&self, out: &mut Violations, held: usize, most: usize) {
        if held > most {
            self.broken(out, "repeated.max_items", format!("must have at most {}", counted(most, "item")));
        }
    }
    fn unique<T: Ord>(&self, out: &mut Violations, items: &[T]) {
        if items.iter().collect::<BTreeSet<_>>().len() < items.len() {
            self.broken(out, "repeated.unique", "must not hold an item twice");
        }
    }
    fn timestamp(&self, out: &mut Violations, at: &Timestamp) {
        if let Err(why) = crate::convert::instant(at) {
            self.broken(out, "timestamp.range", why.to_string());
        }
    }
    fn duration(&self, out: &mut Violations, value: &Duration, least: Option<i64>, most: Option<i64>) {
        let below = least.is_some_and(|least| (value.seconds, value.nanos) < (least, 0));
        let above = most.is_some_and(|most| (value.seconds, value.nanos) > (most, 0));
        let normal = value.nanos.unsigned_abs() < 1_000_000_000
            && (value.seconds == 0 || value.nanos == 0 || (value.seconds < 0) == (value.nanos < 0));
        if below || above || !normal {
            self.broken(out, "duration.range", format!("{}, in seconds", range(least, most)));
        }
    }
}

/// So many of something: "1 character", "2 characters".
fn counted(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

fn range<T: fmt::Display>(least: Option<T>, most: Option<T>) -> String {
    match (least, most) {
        (Some(least), Some(most)) => format!("must lie between {least} and {most}"),
        (Some(least), None) => format!("must be at least {least}"),
        (None, Some(most)) => format!("must be at most {most}"),
        (None, None) => "must be in range".to_owned(),
    }
}

/// The generated checks.
#[expect(
    clippy::needless_borrow,
    clippy::useless_conversion,
    reason = "one shape of check serves fields of every form"
)]
mod generated {
    use super::{At, Validate, Violations};

    include!(concat!(env!("OUT_DIR"), "/rules.rs"));
}
