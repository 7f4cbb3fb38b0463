//! The sieve of a condition: what a store can ask of its columns, so that the condition need not be evaluated over every
//! row.
//!
//! A sieve lets through too much, never too little: where the condition matches a row, so does its sieve. It knows
//! nothing of any store's language. There is no negation in it, so that a value that is not there needs no third truth:
//! what looks at a value that a row does not have does not hold, but for [`Sieve::Lacks`].

mod clock;
mod translate;

use std::fmt;

use rapport_kernel::Timestamp;

use crate::ast::Comparison;
use crate::number::compare_int_double;
use crate::program::Program;
use crate::value::Value;

/// What a store keeps of rows in columns that it can ask.
#[derive(Clone, Debug, Default)]
pub struct SieveSchema {
    paths: Vec<(Vec<String>, Vec<Kind>)>,
    maps: Vec<(Vec<String>, Vec<Kind>)>,
}

/// A kind of column. Each is asked for its own kind of value only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Numbers that are not NaN: ints and doubles alike.
    Number,
    /// Texts, in the order of their bytes.
    Text,
    /// Instants, to the microsecond.
    Time,
    /// True and false.
    Bool,
    /// Lists, asked for what they hold.
    List,
}

/// What a store can ask of a row. Paths are as in [`crate::Input::path`].
#[derive(Clone, PartialEq)]
pub enum Sieve {
    /// Every row.
    True,
    /// No row.
    False,
    /// The rows that are in all of these.
    And(Vec<Sieve>),
    /// The rows that are in one of these.
    Or(Vec<Sieve>),
    /// The rows whose value at the path is of the constant's kind and compares so with it.
    Compare {
        /// Where the value is.
        path: Vec<String>,
        /// How it compares: on the left the row's value, on the right the constant.
        how: Comparison,
        /// The constant. Of a bool only `==` and `!=` are asked.
        value: Constant,
    },
    /// The rows whose value at the path is one of these, which are all of one kind.
    In {
        /// Where the value is.
        path: Vec<String>,
        /// The constants.
        values: Vec<Constant>,
    },
    /// The rows whose value at the path is a list that holds the constant.
    Holds {
        /// Where the list is.
        path: Vec<String>,
        /// The constant.
        value: Constant,
    },
    /// The rows that have a value at the path.
    Has {
        /// Where the value is.
        path: Vec<String>,
        /// Of this kind; of whatever kind where `None`.
        kind: Option<Kind>,
    },
    /// The rows that have no value at the path.
    Lacks {
        /// Where there is none.
        path: Vec<String>,
    },
}

/// A constant of a condition, as a column keeps it. Its `Debug` prints the kind only: it may be personal.
#[derive(Clone, PartialEq)]
pub enum Constant {
    /// A number that every column holds exactly: within 2^53 of zero.
    Number(f64),
    /// A text without NUL.
    Text(String),
    /// An instant.
    Time(Timestamp),
    /// True or false.
    Bool(bool),
}

impl SieveSchema {
    /// A schema without columns.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Declares that what is at a path can be asked, and the kinds of column it is kept in. With one kind, its values
    /// are of that kind only. With several, as of a trait of any type, they are of those, or of what is no [`Kind`] (a
    /// duration), of which only whether it is there is asked.
    #[must_use]
    pub fn path(mut self, path: &[&str], kinds: &[Kind]) -> Self {
        self.paths.push((path.iter().map(|part| (*part).to_owned()).collect(), kinds.to_vec()));
        self
    }

    /// Declares the same of what is under every key of a map, but for those declared with their path. Without kinds:
    /// that it can be asked whether there is something; of a map of events, whether there is any event, to come or not.
    #[must_use]
    pub fn keys(mut self, map: &[&str], kinds: &[Kind]) -> Self {
        self.maps.push((map.iter().map(|part| (*part).to_owned()).collect(), kinds.to_vec()));
        self
    }

    fn kinds(&self, path: &[String]) -> Option<&[Kind]> {
        let found = |all: &'_ [(Vec<String>, Vec<Kind>)], path: &[String]| {
            all.iter().position(|(declared, _)| declared == path)
        };
        if let Some(index) = found(&self.paths, path) {
            return Some(&self.paths[index].1);
        }
        let (_, map) = path.split_last()?;
        found(&self.maps, map).map(|index| self.maps[index].1.as_slice())
    }
}

impl Program {
    /// The sieve of this condition: every row over which it matches passes it. With `now` for the instant at which the
    /// condition is asked; without, whatever instant that is.
    #[must_use]
    pub fn sieve(&self, schema: &SieveSchema, now: Option<Timestamp>) -> Sieve {
        translate::sieve(self.code(), schema, now)
    }
}

impl Sieve {
    /// Whether a row passes, given the value at each path: what a store does, in memory.
    pub fn passes<'r>(&self, row: &dyn Fn(&[String]) -> Option<Value<'r>>) -> bool {
        match self {
            Self::True => true,
            Self::False => false,
            Self::And(parts) => parts.iter().all(|part| part.passes(row)),
            Self::Or(parts) => parts.iter().any(|part| part.passes(row)),
            Self::Compare { path, how, value } => row(path).is_some_and(|found| value.compares(&found, *how)),
            Self::In { path, values } => {
                row(path).is_some_and(|found| values.iter().any(|value| value.compares(&found, Comparison::Equal)))
            }
            Self::Holds { path, value } => row(path).is_some_and(|list| {
                let held = |item: Option<Value<'_>>| item.is_some_and(|item| value.compares(&item, Comparison::Equal));
                match &list {
                    Value::List(list) => (0..list.count()).any(|index| held(list.element(index))),
                    Value::Slice(list) => (0..list.count()).any(|index| held(list.element(index))),
                    Value::MadeList(list) => list.iter().any(|item| held(Some(item.clone()))),
                    _ => false,
                }
            }),
            Self::Has { path, kind: None } => row(path).is_some(),
            Self::Has { path, kind } => row(path).is_some_and(|found| Kind::of(&found) == *kind),
            Self::Lacks { path } => row(path).is_none(),
        }
    }

    /// All of these, as plainly as can be said.
    fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Self::True => {}
                Self::False => return Self::False,
                Self::And(inner) => kept.extend(inner),
                part => kept.push(part),
            }
        }
        Self::distinct(kept, Self::True, Self::And)
    }

    /// One of these, as plainly as can be said.
    fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Self::False => {}
                Self::True => return Self::True,
                Self::Or(inner) => kept.extend(inner),
                part => kept.push(part),
            }
        }
        Self::distinct(kept, Self::False, Self::Or)
    }

    fn distinct(parts: Vec<Self>, none: Self, several: fn(Vec<Self>) -> Self) -> Self {
        let mut kept: Vec<Self> = Vec::with_capacity(parts.len());
        for part in parts {
            if !kept.contains(&part) {
                kept.push(part);
            }
        }
        if kept.len() > 1 { several(kept) } else { kept.pop().unwrap_or(none) }
    }
}

impl Kind {
    /// The kind of column that keeps a value.
    #[must_use]
    pub const fn of(value: &Value<'_>) -> Option<Self> {
        Some(match value {
            Value::Int(_) | Value::Double(_) => Self::Number,
            Value::String(_) | Value::MadeString(_) => Self::Text,
            Value::Timestamp(_) => Self::Time,
            Value::Bool(_) => Self::Bool,
            Value::List(_) | Value::MadeList(_) | Value::Slice(_) => Self::List,
            _ => return None,
        })
    }
}

impl Constant {
    /// The kind of column it is compared with.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Number(_) => Kind::Number,
            Self::Text(_) => Kind::Text,
            Self::Time(_) => Kind::Time,
            Self::Bool(_) => Kind::Bool,
        }
    }

    fn compares(&self, found: &Value<'_>, how: Comparison) -> bool {
        let order = match (found, self) {
            (Value::Int(found), Self::Number(value)) => compare_int_double(*found, *value),
            (Value::Double(found), Self::Number(value)) => found.partial_cmp(value),
            (Value::Timestamp(found), Self::Time(value)) => Some(found.cmp(value)),
            (Value::Bool(found), Self::Bool(value)) => Some(found.cmp(value)),
            (found, Self::Text(value)) => found.as_str().map(|found| found.as_bytes().cmp(value.as_bytes())),
            _ => None,
        };
        order.is_some_and(|order| how.admits(order))
    }
}

impl fmt::Debug for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "‹{:?}›", self.kind())
    }
}

impl fmt::Debug for Sieve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Self], between: &str| {
            f.write_str("(")?;
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    f.write_str(between)?;
                }
                fmt::Debug::fmt(part, f)?;
            }
            f.write_str(")")
        };
        match self {
            Self::True => f.write_str("true"),
            Self::False => f.write_str("false"),
            Self::And(parts) => joined(f, parts, " && "),
            Self::Or(parts) => joined(f, parts, " || "),
            Self::Compare { path, how, value } => write!(f, "{} {} {value:?}", path.join("."), how.symbol()),
            Self::In { path, values } => write!(f, "{} in {values:?}", path.join(".")),
            Self::Holds { path, value } => write!(f, "{value:?} in {}", path.join(".")),
            Self::Has { path, kind: None } => write!(f, "has({})", path.join(".")),
            Self::Has { path, kind: Some(kind) } => write!(f, "has({} as {kind:?})", path.join(".")),
            Self::Lacks { path } => write!(f, "!has({})", path.join(".")),
        }
    }
}
