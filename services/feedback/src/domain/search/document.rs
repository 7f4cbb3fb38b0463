//! What was said, as search sees it: stems in order, and the words themselves. Its bounds are those of the narrower of the
//! two engines' indexes, so that both hold the same.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::Bound;

use rapport_text::{Analyser, Language};

/// Words of one document that are searched; what is said after them is not.
pub const MOST_TERMS: usize = 16_000;

/// How often one word of a document is noted; its later places are none.
pub const MOST_SAME: usize = 255;

/// A text that was said.
#[derive(Clone, Copy)]
pub struct Passage<'a> {
    /// In answer to what, or where.
    pub place: &'a str,
    /// The text.
    pub text: &'a str,
}

/// What was said in one response, one word after the other.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// The stems by their places. None: the text ended, or the stem stood too often before.
    stems: Vec<Option<String>>,
    /// The words.
    forms: BTreeSet<String>,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹private›")
    }
}

impl Document {
    /// Of passages, told to be in a language. No run of words goes from one passage to the next.
    #[must_use]
    pub fn of(passages: &[Passage<'_>], language: Option<Language>, analyser: &Analyser) -> Self {
        let (mut document, mut times) = (Self::default(), HashMap::<String, usize>::new());
        for passage in passages {
            for term in analyser.search_terms(passage.text, language) {
                if document.stems.len() >= MOST_TERMS {
                    return document;
                }
                let times = times.entry(term.stem.clone()).or_default();
                *times += 1;
                document.stems.push((*times <= MOST_SAME).then_some(term.stem));
                document.forms.insert(term.form);
            }
            document.stems.push(None);
        }
        document
    }

    /// Of the words of one that was kept.
    #[must_use]
    pub fn kept(stems: Vec<Option<String>>, forms: BTreeSet<String>) -> Self {
        Self { stems, forms }
    }

    /// The stems by their places; none where there is a gap.
    pub fn stems(&self) -> impl Iterator<Item = Option<&str>> {
        self.stems.iter().map(Option::as_deref)
    }

    /// The words, each once.
    pub fn forms(&self) -> impl Iterator<Item = &str> {
        self.forms.iter().map(String::as_str)
    }

    /// Whether stems follow each other in it.
    pub(super) fn says(&self, run: &[String]) -> bool {
        let is_there = |(stem, wanted): (&Option<String>, &String)| stem.as_ref() == Some(wanted);
        self.stems.windows(run.len().max(1)).any(|place| place.iter().zip(run).all(is_there))
    }

    /// Whether a word of it begins so.
    pub(super) fn has_beginning(&self, beginning: &str) -> bool {
        let from = (Bound::Included(beginning), Bound::Unbounded);
        let after = self.forms.range::<str, _>(from).next();
        after.is_some_and(|form| form.starts_with(beginning))
    }
}
