//! What a condition reads: values borrowed from whoever evaluates it.
//!
//! A caller implements [`Activation`] (and [`Object`], [`List`], [`Map`] where its data are no [`Owned`] values) over
//! the structures it has; nothing is copied into a context first.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rapport_kernel::Timestamp;

/// A value, borrowed where it can be. Its `Debug` prints the kind only: what a condition reads may be personal.
#[derive(Clone)]
pub enum Value<'a> {
    /// null.
    Null,
    /// true or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// Text.
    String(&'a str),
    /// An instant.
    Timestamp(Timestamp),
    /// A signed length of time, in microseconds.
    Duration(i64),
    /// A list.
    List(&'a dyn List),
    /// A map.
    Map(&'a dyn Map),
    /// A record with declared fields.
    Object(&'a dyn Object),
    /// Consecutive elements of a list.
    Slice(Slice<'a>),
    /// Text made by an evaluation.
    MadeString(Arc<str>),
    /// A list made by an evaluation.
    MadeList(Arc<[Value<'a>]>),
    /// A map made by an evaluation.
    MadeMap(Arc<BTreeMap<String, Value<'a>>>),
}

/// Some consecutive elements of a list that somebody else holds.
#[derive(Clone, Copy)]
pub struct Slice<'a> {
    list: &'a dyn List,
    // 32 bits each, so that no value is larger for it.
    start: u32,
    end: u32,
}

/// The variables of an environment: index 0 is the one declared first.
pub trait Activation {
    /// The value of a variable; `None` where there is none, which is an evaluation error unless `has()` asks.
    fn variable(&self, index: usize) -> Option<Value<'_>>;
}

/// A record. The indexes are the places of the fields in the [`crate::ObjectType`].
pub trait Object: Sync {
    /// The value of a field; `None` where it is not set, which is an evaluation error unless `has()` asks.
    fn field(&self, index: usize) -> Option<Value<'_>>;
}

/// A list.
pub trait List: Sync {
    /// How many elements it has.
    fn count(&self) -> usize;
    /// An element.
    fn element(&self, index: usize) -> Option<Value<'_>>;
}

/// A map with string keys.
pub trait Map: Sync {
    /// How many entries it has.
    fn count(&self) -> usize;
    /// The value under a key.
    fn value(&self, key: &str) -> Option<Value<'_>>;
    /// The first key, or the one after `key`, in an order that does not change.
    fn key_after(&self, key: Option<&str>) -> Option<&str>;
}

/// What can be lent to a condition as a value.
pub trait AsValue {
    /// The value.
    fn as_value(&self) -> Value<'_>;
}

/// A value that owns its parts: for contexts built from scratch, constants, and results that are kept.
#[derive(Clone, PartialEq)]
pub enum Owned {
    /// null.
    Null,
    /// true or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// Text.
    String(String),
    /// An instant.
    Timestamp(Timestamp),
    /// A signed length of time, in microseconds.
    Duration(i64),
    /// A list.
    List(Vec<Owned>),
    /// A map.
    Map(BTreeMap<String, Owned>),
    /// A record: the fields in order of their index, `None` where not set.
    Object(Vec<Option<Owned>>),
}

impl<'a> Value<'a> {
    /// What kind of value it is, in the words of [`crate::Type`].
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Double(_) => "double",
            Self::String(_) | Self::MadeString(_) => "string",
            Self::Timestamp(_) => "timestamp",
            Self::Duration(_) => "duration",
            Self::List(_) | Self::MadeList(_) | Self::Slice(_) => "list",
            Self::Map(_) | Self::MadeMap(_) => "map",
            Self::Object(_) => "object",
        }
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            Self::MadeString(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) const fn is_list(&self) -> bool {
        matches!(self, Self::List(_) | Self::MadeList(_) | Self::Slice(_))
    }

    /// A copy that owns its parts; `None` for records, whose fields only their type knows.
    #[must_use]
    pub fn to_owned(&self) -> Option<Owned> {
        Some(match self {
            Self::Null => Owned::Null,
            Self::Bool(value) => Owned::Bool(*value),
            Self::Int(value) => Owned::Int(*value),
            Self::Double(value) => Owned::Double(*value),
            Self::String(text) => Owned::String((*text).to_owned()),
            Self::MadeString(text) => Owned::String(text.to_string()),
            Self::Timestamp(at) => Owned::Timestamp(*at),
            Self::Duration(micros) => Owned::Duration(*micros),
            Self::List(list) => Owned::List(
                (0..list.count())
                    .filter_map(|at| list.element(at))
                    .map(|value| value.to_owned())
                    .collect::<Option<_>>()?,
            ),
            Self::Slice(slice) => Owned::List(
                (0..slice.count())
                    .filter_map(|at| slice.element(at))
                    .map(|value| value.to_owned())
                    .collect::<Option<_>>()?,
            ),
            Self::MadeList(list) => Owned::List(list.iter().map(Value::to_owned).collect::<Option<_>>()?),
            Self::Map(map) => {
                let mut owned = BTreeMap::new();
                let mut key = map.key_after(None);
                while let Some(name) = key {
                    owned.insert(name.to_owned(), map.value(name)?.to_owned()?);
                    key = map.key_after(Some(name));
                }
                Owned::Map(owned)
            }
            Self::MadeMap(map) => Owned::Map(
                map.iter().map(|(key, value)| Some((key.clone(), value.to_owned()?))).collect::<Option<_>>()?,
            ),
            Self::Object(_) => return None,
        })
    }
}

impl<'a> Slice<'a> {
    /// The elements from `start` to before `end`; `None` beyond 32 bits.
    pub(crate) fn of(list: &'a dyn List, start: usize, end: usize) -> Option<Self> {
        Some(Self { list, start: u32::try_from(start).ok()?, end: u32::try_from(end.max(start)).ok()? })
    }

    /// A part of this part.
    pub(crate) fn part(self, start: usize, end: usize) -> Option<Self> {
        let end = end.min(self.count());
        Self::of(self.list, self.start as usize + start.min(end), self.start as usize + end)
    }

    /// How many elements it has.
    #[must_use]
    pub const fn count(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// An element.
    #[must_use]
    pub fn element(&self, index: usize) -> Option<Value<'a>> {
        if index < self.count() { self.list.element(self.start as usize + index) } else { None }
    }
}

impl fmt::Debug for Slice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹list›")
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "‹{}›", self.kind())
    }
}
impl fmt::Debug for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_value(), f)
    }
}

impl AsValue for Owned {
    fn as_value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Double(value) => Value::Double(*value),
            Self::String(text) => Value::String(text),
            Self::Timestamp(at) => Value::Timestamp(*at),
            Self::Duration(micros) => Value::Duration(*micros),
            Self::List(list) => Value::List(list),
            Self::Map(map) => Value::Map(map),
            Self::Object(fields) => Value::Object(fields),
        }
    }
}
impl AsValue for bool {
    fn as_value(&self) -> Value<'_> {
        Value::Bool(*self)
    }
}
impl AsValue for i64 {
    fn as_value(&self) -> Value<'_> {
        Value::Int(*self)
    }
}
impl AsValue for f64 {
    fn as_value(&self) -> Value<'_> {
        Value::Double(*self)
    }
}
impl AsValue for String {
    fn as_value(&self) -> Value<'_> {
        Value::String(self)
    }
}
impl AsValue for &str {
    fn as_value(&self) -> Value<'_> {
        Value::String(self)
    }
}
impl AsValue for Timestamp {
    fn as_value(&self) -> Value<'_> {
        Value::Timestamp(*self)
    }
}

impl<T: AsValue + Sync> List for Vec<T> {
    fn count(&self) -> usize {
        self.len()
    }
    fn element(&self, index: usize) -> Option<Value<'_>> {
        self.get(index).map(AsValue::as_value)
    }
}
impl<T: AsValue + Sync> Map for BTreeMap<String, T> {
    fn count(&self) -> usize {
        self.len()
    }
    fn value(&self, key: &str) -> Option<Value<'_>> {
        self.get(key).map(AsValue::as_value)
    }
    fn key_after(&self, key: Option<&str>) -> Option<&str> {
        use std::ops::Bound::{Excluded, Unbounded};
        let mut entries = match key {
            Some(key) => self.range::<str, _>((Excluded(key), Unbounded)),
            None => self.range::<str, _>((Unbounded, Unbounded)),
        };
        entries.next().map(|(key, _)| key.as_str())
    }
}
impl Object for Vec<Option<Owned>> {
    fn field(&self, index: usize) -> Option<Value<'_>> {
        self.get(index)?.as_ref().map(AsValue::as_value)
    }
}

impl Activation for [Owned] {
    fn variable(&self, index: usize) -> Option<Value<'_>> {
        self.get(index).map(AsValue::as_value)
    }
}
impl<const N: usize> Activation for [Owned; N] {
    fn variable(&self, index: usize) -> Option<Value<'_>> {
        self.get(index).map(AsValue::as_value)
    }
}
impl Activation for Vec<Owned> {
    fn variable(&self, index: usize) -> Option<Value<'_>> {
        self.get(index).map(AsValue::as_value)
    }
}
impl Activation for Vec<Option<Owned>> {
    fn variable(&self, index: usize) -> Option<Value<'_>> {
        self.get(index)?.as_ref().map(AsValue::as_value)
    }
}

impl From<bool> for Owned {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
impl From<i64> for Owned {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<f64> for Owned {
    fn from(value: f64) -> Self {
        Self::Double(value)
    }
}
impl From<&str> for Owned {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}
impl From<String> for Owned {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}
impl From<Timestamp> for Owned {
    fn from(at: Timestamp) -> Self {
        Self::Timestamp(at)
    }
}
