//! What a condition reads, as far as that is fixed when it is compiled: so that a host loads no more than it needs,
//! and asks again only where something changed that matters.

use std::collections::BTreeSet;

use crate::program::Program;

/// Something a condition reads: a variable and the fields or constant keys after it, as far as they are fixed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Input {
    /// The variable's index in its environment.
    pub variable: usize,
    /// The variable's name, then fields or keys: `["customer", "traits", "plan"]`.
    pub path: Vec<String>,
}

/// Which keys of a map (or fields of a record) a condition reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys<'p> {
    /// These and no others; none where it does not read the map.
    Only(BTreeSet<&'p str>),
    /// Any: it names keys that are known only when it is evaluated, or takes the map as a whole.
    All,
}

impl Program {
    /// Which keys it reads of what is at a path: of `["events"]` the types of events that it asks for.
    #[must_use]
    pub fn keys(&self, path: &[&str]) -> Keys<'_> {
        let mut keys = BTreeSet::new();
        for input in self.inputs() {
            if !input.path.iter().zip(path).all(|(read, asked)| read == asked) {
                continue;
            }
            match input.path.get(path.len()) {
                Some(key) => keys.insert(key.as_str()),
                None => return Keys::All,
            };
        }
        Keys::Only(keys)
    }
}

impl Keys<'_> {
    /// Whether it reads nothing there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Only(keys) if keys.is_empty())
    }

    /// Whether it reads a key.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        match self {
            Self::Only(keys) => keys.contains(key),
            Self::All => true,
        }
    }
}
