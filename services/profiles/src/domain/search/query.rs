//! Search by text: words that a customer's names and identifiers begin with, however they are written; or an identifier
//! as a person would write it.

use std::collections::BTreeSet;

use rapport_matching::fold;

use crate::domain::profile::Profile;
use crate::domain::rules::Rules;
use crate::domain::value::{Identifier, Value};

/// Traits that are searched where no declaration says otherwise.
const NAMES: [&str; 8] =
    ["name", "first_name", "middle_name", "last_name", "full_name", "display_name", "company", "company_name"];
/// How many words of a text count.
const WORDS: usize = 8;

/// What is sought.
#[derive(Clone)]
pub struct Query {
    /// Each must begin a word of the customer's.
    words: Vec<String>,
    /// Or the customer carries one of these: the whole text, in the normal form of each namespace.
    identifiers: BTreeSet<Identifier>,
}

impl Query {
    /// Of a text; `None` where it has neither a letter nor a digit, which every customer's names begin with.
    #[must_use]
    pub fn new(text: &str, rules: &Rules) -> Option<Self> {
        let words: Vec<String> = words(text).collect();
        let namespaces = rules.namespaces.all().iter();
        let normal = namespaces.filter_map(|namespace| rules.namespaces.normalise(&namespace.name, text).ok());
        (!words.is_empty()).then(|| Self { words, identifiers: normal.collect() })
    }

    /// The word by which the database narrows the search: the longest.
    #[must_use]
    pub fn word(&self) -> &str {
        self.words.iter().max_by_key(|word| word.len()).map_or("", String::as_str)
    }

    /// The identifiers that the whole text may be.
    #[must_use]
    pub const fn identifiers(&self) -> &BTreeSet<Identifier> {
        &self.identifiers
    }

    /// Whether it finds a profile.
    #[must_use]
    pub fn finds(&self, profile: &Profile, rules: &Rules) -> bool {
        if profile.identifiers.iter().any(|(identifier, _)| self.identifiers.contains(identifier)) {
            return true;
        }
        let terms = terms(profile, rules);
        self.words.iter().all(|word| {
            let first = terms.range::<str, _>((std::ops::Bound::Included(word.as_str()), std::ops::Bound::Unbounded));
            first.into_iter().next().is_some_and(|term| term.starts_with(word.as_str()))
        })
    }
}

/// Whether a trait is searched.
#[must_use]
pub fn is_searchable(name: &str, rules: &Rules) -> bool {
    rules.declared.searchable(name).unwrap_or_else(|| NAMES.contains(&name))
}

/// The words by which a profile is found, each folded: of its identifiers and of its searched traits.
#[must_use]
pub fn terms(profile: &Profile, rules: &Rules) -> BTreeSet<String> {
    let mut terms: BTreeSet<String> =
        profile.identifiers.iter().flat_map(|(identifier, _)| words(identifier.value.expose())).collect();
    for (_, held) in profile.traits.iter().filter(|(name, _)| is_searchable(name, rules)) {
        match &held.value {
            Value::Text(text) => terms.extend(words(text)),
            Value::List(texts) => terms.extend(texts.iter().flat_map(|text| words(text))),
            Value::Bool(_) | Value::Number(_) | Value::Time(_) => {}
        }
    }
    terms
}

fn words(text: &str) -> impl Iterator<Item = String> {
    let folded = fold::words(text);
    folded.split(' ').filter(|word| !word.is_empty()).take(WORDS).map(str::to_owned).collect::<Vec<_>>().into_iter()
}
