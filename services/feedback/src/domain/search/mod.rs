//! Search: what is looked for, judged against what was said. This is what a search means; the engines' own indexes only
//! find the same faster.

mod document;
mod parse;
mod snippet;
#[cfg(test)]
mod tests;

use std::fmt;

pub use document::{Document, MOST_SAME, MOST_TERMS, Passage};
pub use parse::{MOST_DEEP, MOST_LEAVES, Misread, SHORTEST_BEGINNING};
pub use snippet::{Snippet, snippets};

/// What is looked for.
#[derive(Clone, PartialEq, Eq)]
pub enum Query {
    /// One of these runs of stems, word after word: a single word, or a phrase.
    Said(Vec<Vec<String>>),
    /// A word that begins so.
    Begins(String),
    /// All of these.
    All(Vec<Self>),
    /// At least one of these.
    Any(Vec<Self>),
    /// This not.
    Not(Box<Self>),
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever looks for a person names the person.
        f.write_str("‹private›")
    }
}

impl Query {
    /// Whether a document is what is looked for.
    #[must_use]
    pub fn finds(&self, document: &Document) -> bool {
        match self {
            Self::Said(runs) => runs.iter().any(|run| document.says(run)),
            Self::Begins(beginning) => document.has_beginning(beginning),
            Self::All(parts) => parts.iter().all(|part| part.finds(document)),
            Self::Any(parts) => parts.iter().any(|part| part.finds(document)),
            Self::Not(part) => !part.finds(document),
        }
    }

    /// What of it stands in a text that is found: what is to be shown there.
    fn shown<'q>(&'q self, runs: &mut Vec<&'q [String]>, beginnings: &mut Vec<&'q str>) {
        match self {
            Self::Said(some) => runs.extend(some.iter().map(Vec::as_slice)),
            Self::Begins(beginning) => beginnings.push(beginning),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.shown(runs, beginnings)),
            Self::Not(_) => {}
        }
    }
}
