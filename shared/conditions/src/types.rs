//! The types a variable, a field or an expression can have.

use std::fmt;
use std::sync::Arc;

use crate::value::Value;

/// The type of an expression. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Known only when evaluated: a trait's value. An operation that does not fit it is an evaluation error.
    Dyn,
    /// The null literal.
    Null,
    /// true or false.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// A floating-point number of 64 bits.
    Double,
    /// Text.
    String,
    /// An instant, to the microsecond.
    Timestamp,
    /// A signed length of time, to the microsecond.
    Duration,
    /// A list of one type.
    List(Arc<Type>),
    /// A map from strings to one type.
    Map(Arc<Type>),
    /// A record with declared fields.
    Object(Arc<ObjectType>),
    /// What happened: a list of records that each have the field `at`, an instant, and stand in its order, earliest
    /// first, which whoever lends it promises. Of a list that is read, a condition sees what is not after `now`; a key
    /// that a map of such lists does not hold is an empty list.
    Events(Arc<ObjectType>),
}

/// A record type: its name (for error texts) and its fields. A field's index is its place in the declaration.
#[derive(Debug, PartialEq, Eq)]
pub struct ObjectType {
    name: String,
    fields: Vec<(String, Type)>,
}

impl Type {
    /// A list of `element`.
    #[must_use]
    pub fn list(element: Self) -> Self {
        Self::List(Arc::new(element))
    }

    /// A map from strings to `value`. `Type::map(Type::Dyn)` suits traits that are not declared.
    #[must_use]
    pub fn map(value: Self) -> Self {
        Self::Map(Arc::new(value))
    }

    /// A record. The order of `fields` gives the indexes that [`crate::Object::field`] is asked for.
    #[must_use]
    pub fn object<N: Into<String>>(name: &str, fields: impl IntoIterator<Item = (N, Self)>) -> Self {
        let fields = fields.into_iter().map(|(name, kind)| (name.into(), kind)).collect();
        Self::Object(Arc::new(ObjectType { name: name.to_owned(), fields }))
    }

    /// What happened, in order of its instants; see [`Type::Events`]. The fields are as for [`Type::object`].
    ///
    /// # Panics
    /// Where no field is `at`, an instant: environments are written in code.
    #[must_use]
    pub fn events<N: Into<String>>(name: &str, fields: impl IntoIterator<Item = (N, Self)>) -> Self {
        let fields: Vec<_> = fields.into_iter().map(|(name, kind)| (name.into(), kind)).collect();
        let record = ObjectType { name: name.to_owned(), fields };
        assert!(matches!(record.field("at"), Some((_, Self::Timestamp))), "{name} has no instant named at");
        Self::Events(Arc::new(record))
    }

    /// The type of its elements, for a list of any kind.
    pub(crate) fn element(&self) -> Option<Self> {
        match self {
            Self::List(element) => Some((**element).clone()),
            Self::Events(record) => Some(Self::Object(record.clone())),
            _ => None,
        }
    }

    /// Whether events can be read out of it that a condition must not see yet. Such a value keeps its type wherever it
    /// goes, for it is by the type that reading them is known.
    pub(crate) fn hides_events(&self) -> bool {
        let held = |inner: &Self| matches!(inner, Self::Events(_)) || inner.hides_events();
        match self {
            Self::List(inner) | Self::Map(inner) => held(inner),
            Self::Object(record) | Self::Events(record) => record.fields.iter().any(|(_, kind)| held(kind)),
            _ => false,
        }
    }

    pub(crate) const fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Double)
    }

    /// Whether a value of the one type may be a value of the other: equal, or unknown where they differ.
    pub(crate) fn compatible(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dyn, _) | (_, Self::Dyn) => true,
            (Self::List(left), Self::List(right)) | (Self::Map(left), Self::Map(right)) => left.compatible(right),
            (Self::Events(record), Self::List(element)) | (Self::List(element), Self::Events(record)) => {
                matches!(&**element, Self::Dyn) || matches!(&**element, Self::Object(other) if other == record)
            }
            _ => self == other,
        }
    }

    /// The type of what is one or the other: the same where both are, unknown where they differ.
    pub(crate) fn join(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::List(left), Self::List(right)) => Self::list(left.join(right)),
            (Self::Map(left), Self::Map(right)) => Self::map(left.join(right)),
            _ if self == other => self.clone(),
            (Self::Events(record), Self::List(element)) | (Self::List(element), Self::Events(record)) => {
                Self::list(Self::Object(record.clone()).join(element))
            }
            _ => Self::Dyn,
        }
    }

    /// Whether values of the types can be compared with `==`.
    pub(crate) fn equatable(&self, other: &Self) -> bool {
        if self.holds_objects() || other.holds_objects() {
            return false;
        }
        match (self, other) {
            (Self::List(left), Self::List(right)) | (Self::Map(left), Self::Map(right)) => left.equatable(right),
            _ => self.compatible(other) || (self.is_number() && other.is_number()),
        }
    }

    /// Whether a value is of this type, as far as its outermost kind tells.
    pub(crate) fn admits(&self, value: &Value<'_>) -> bool {
        match self {
            Self::Dyn => true,
            Self::Null => matches!(value, Value::Null),
            Self::Bool => matches!(value, Value::Bool(_)),
            Self::Int => matches!(value, Value::Int(_)),
            Self::Double => matches!(value, Value::Double(_)),
            Self::String => value.as_str().is_some(),
            Self::Timestamp => matches!(value, Value::Timestamp(_)),
            Self::Duration => matches!(value, Value::Duration(_)),
            Self::List(_) | Self::Events(_) => value.is_list(),
            Self::Map(_) => matches!(value, Value::Map(_) | Value::MadeMap(_)),
            Self::Object(_) => matches!(value, Value::Object(_)),
        }
    }

    fn holds_objects(&self) -> bool {
        match self {
            Self::Object(_) | Self::Events(_) => true,
            Self::List(inner) | Self::Map(inner) => inner.holds_objects(),
            _ => false,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dyn => f.write_str("dyn"),
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Duration => f.write_str("duration"),
            Self::List(element) => write!(f, "list({element})"),
            Self::Map(value) => write!(f, "map(string, {value})"),
            Self::Object(object) => f.write_str(&object.name),
            Self::Events(record) => write!(f, "events({})", record.name),
        }
    }
}

impl ObjectType {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The index and type of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<(usize, &Type)> {
        let index = self.fields.iter().position(|(field, _)| field == name)?;
        Some((index, &self.fields[index].1))
    }

    /// The names of its fields, in order of their index.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_str())
    }
}
