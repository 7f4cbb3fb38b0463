//! Words and phrases looked up in a text: the one matcher behind lexicons, emotions, effort and topics.
//!
//! An entry is one or more words joined by `_`; each word matches by its stem, or by its exact form where it stands
//! after `=`, and `#` matches a number, in digits or in words. Looking up costs a hash or two a token, whatever the size
//! of the index; entries that share their first word are tried longest first.

use std::collections::{HashMap, HashSet};

use crate::fold::fold_word;
use crate::language::Language;
use crate::stem::stem;
use crate::token::{Token, TokenKind};

/// Words an entry may have.
pub(crate) const LONGEST_PHRASE: usize = 8;

/// What one word of an entry is met by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Exact(Box<str>),
    Stem(Box<str>),
    Number,
}

#[derive(Clone, Debug)]
struct Phrase<T> {
    rest: Vec<Key>,
    value: T,
}

/// Entries and what each one means.
#[derive(Clone, Debug)]
pub(crate) struct PhraseIndex<T> {
    exact: HashMap<Box<str>, Vec<Phrase<T>>>,
    stems: HashMap<Box<str>, Vec<Phrase<T>>>,
    numbered: Vec<Phrase<T>>,
}

impl<T> Default for PhraseIndex<T> {
    fn default() -> Self {
        PhraseIndex { exact: HashMap::new(), stems: HashMap::new(), numbered: Vec::new() }
    }
}

impl<T: Default> PhraseIndex<T> {
    /// The value of an entry, made where there is none. `None` for an entry without a word in it, or with too many.
    pub(crate) fn entry(&mut self, language: Language, entry: &str) -> Option<&mut T> {
        let mut keys = entry.split(['_', ' ']).filter_map(|word| key(language, word));
        let first = keys.next()?;
        let rest: Vec<Key> = keys.collect();
        if rest.len() >= LONGEST_PHRASE {
            return None;
        }
        let bucket = match first {
            Key::Exact(word) => self.exact.entry(word).or_default(),
            Key::Stem(word) => self.stems.entry(word).or_default(),
            Key::Number => &mut self.numbered,
        };
        let found = bucket.iter().position(|phrase| phrase.rest == rest);
        let at = found.unwrap_or_else(|| {
            let longer = bucket.iter().take_while(|phrase| phrase.rest.len() >= rest.len()).count();
            bucket.insert(longer, Phrase { rest, value: T::default() });
            longer
        });
        Some(&mut bucket[at].value)
    }
}

impl<T> PhraseIndex<T> {
    /// The value of a word on its own, by its form or its stem.
    pub(crate) fn word(&self, form: &str, stem: &str) -> Option<&T> {
        let alone = |bucket: &'_ Vec<Phrase<T>>| bucket.iter().position(|phrase| phrase.rest.is_empty());
        let exact = self.exact.get(form).and_then(|bucket| alone(bucket).map(|at| &bucket[at].value));
        exact.or_else(|| self.stems.get(stem).and_then(|bucket| alone(bucket).map(|at| &bucket[at].value)))
    }

    /// The longest entry that begins at a token: the token after it, and its value.
    pub(crate) fn longest<'i>(
        &'i self,
        tokens: &[Token],
        at: usize,
        numbers: &HashSet<String>,
    ) -> Option<(usize, &'i T)> {
        let mut best: Option<(usize, &'i T)> = None;
        self.each(tokens, at, numbers, |end, value| {
            if best.is_none_or(|(longest, _)| end > longest) {
                best = Some((end, value));
            }
        });
        best
    }

    /// Every entry that begins at a token: exact ones first, then by stem, each longest first.
    pub(crate) fn each<'i>(
        &'i self,
        tokens: &[Token],
        at: usize,
        numbers: &HashSet<String>,
        mut found: impl FnMut(usize, &'i T),
    ) {
        let token = &tokens[at];
        let mut search = |bucket: &'i [Phrase<T>]| {
            for phrase in bucket {
                if let Some(end) = matches(&phrase.rest, tokens, at + 1, numbers) {
                    found(end, &phrase.value);
                }
            }
        };
        if token.is_word() {
            if let Some(bucket) = self.exact.get(token.form.as_str()) {
                search(bucket);
            }
            if let Some(bucket) = self.stems.get(token.stem.as_str()) {
                search(bucket);
            }
        }
        if !self.numbered.is_empty() && is_number(token, numbers) {
            search(&self.numbered);
        }
    }

    /// Every word of every entry: whether it is a stem, and the word.
    pub(crate) fn words(&self) -> impl Iterator<Item = (bool, &str)> {
        let exact = self.exact.iter().flat_map(|(word, phrases)| once(false, word, phrases));
        let stems = self.stems.iter().flat_map(|(word, phrases)| once(true, word, phrases));
        exact.chain(stems).chain(self.numbered.iter().flat_map(rest_words))
    }
}

fn once<'i, T>(stemmed: bool, word: &'i str, phrases: &'i [Phrase<T>]) -> impl Iterator<Item = (bool, &'i str)> {
    std::iter::once((stemmed, word)).chain(phrases.iter().flat_map(rest_words))
}

fn rest_words<T>(phrase: &Phrase<T>) -> impl Iterator<Item = (bool, &str)> {
    phrase.rest.iter().filter_map(|key| match key {
        Key::Exact(word) => Some((false, &**word)),
        Key::Stem(word) => Some((true, &**word)),
        Key::Number => None,
    })
}

/// What a written word is met by: see the head of this file.
pub(crate) fn key(language: Language, word: &str) -> Option<Key> {
    if word == "#" {
        return Some(Key::Number);
    }
    let (exact, word) = word.strip_prefix('=').map_or((false, word), |word| (true, word));
    let folded = fold_word(word).text;
    if !folded.chars().any(char::is_alphanumeric) {
        return None;
    }
    let stem = stem(language, &folded);
    // A word of which the stemmer leaves too little would meet others that have nothing to do with it.
    let meagre = stem != folded && stem.chars().count() < least_stem(language);
    let adverb = language == Language::English && folded.ends_with("ly") && folded.len() > 4;
    Some(if exact || meagre || adverb { Key::Exact(folded.into()) } else { Key::Stem(stem.into()) })
}

/// Letters that a stem shorter than its word must have.
fn least_stem(language: Language) -> usize {
    match language {
        Language::Persian => 4,
        Language::English | Language::Russian | Language::Romanian => 3,
    }
}

fn matches(rest: &[Key], tokens: &[Token], from: usize, numbers: &HashSet<String>) -> Option<usize> {
    for (offset, key) in rest.iter().enumerate() {
        let token = tokens.get(from + offset)?;
        let same = match key {
            Key::Exact(word) => token.is_word() && token.form == **word,
            Key::Stem(word) => token.is_word() && token.stem == **word,
            Key::Number => is_number(token, numbers),
        };
        if !same {
            return None;
        }
    }
    Some(from + rest.len())
}

pub(crate) fn is_number(token: &Token, numbers: &HashSet<String>) -> bool {
    token.kind == TokenKind::Number || (token.is_word() && numbers.contains(token.form.as_str()))
}
