//! A wrapper for personal data: it can be stored and sent to whoever may see it, but not printed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Holds a value that must never reach a log, a span, a metric label or an error text: `Debug` and `Display`
/// print only that something is there. Reading it is a deliberate act: [`Private::expose`].
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Private<T>(T);

impl<T> Private<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }
    /// The value, for storing it or for answering whoever may see it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
    /// The value itself, out of its wrapper.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹private›")
    }
}
impl<T> fmt::Display for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹private›")
    }
}
impl<T> From<T> for Private<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_value_cannot_be_printed() {
        let value = Private::new("anna@example.com".to_owned());
        assert!(!format!("{value} {value:?}").contains("anna"));
    }
}
