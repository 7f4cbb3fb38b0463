//! Patterns of words: what a phrase of the lexicon cannot say without being written out a thousand times.
//!
//! A pattern is written as a phrase is, its parts joined by `_`. Beside words and `#` it may have:
//!
//! - `<name>`: any word of the section `[class.name]`, whose entries are single words, or `%` for a number;
//! - `part?`: the part may be missing; `part*`: it may stand up to five times, or not at all;
//! - `*`: up to three words of any kind but those of `[class.barrier]`;
//! - `^` before the first part: nothing stands before it in its clause.
//!
//! No pattern reaches over a pause or the end of a sentence. The first part is a word or a class: a token leads by one hash
//! to the patterns that it may begin, and what is tried from there is bounded by the pattern's own length.

use std::collections::{HashMap, HashSet};

use crate::language::Language;
use crate::phrase::{Key, is_number, key};
use crate::token::{Token, TokenKind};

/// How often a part with `*` may stand.
const MOST_REPEATS: usize = 5;

/// Words that `*` by itself passes over.
const WIDEST_GAP: usize = 3;

/// Parts a pattern may have: what is beyond is left out, with the pattern.
const MOST_PARTS: usize = 12;

/// The class that `*` does not pass over.
const BARRIER: &str = "barrier";

/// Words of which any will do.
#[derive(Clone, Debug, Default)]
struct Class {
    exact: HashSet<Box<str>>,
    stems: HashSet<Box<str>>,
    number: bool,
}

impl Class {
    fn add(&mut self, key: Key) {
        match key {
            Key::Exact(word) => drop(self.exact.insert(word)),
            Key::Stem(word) => drop(self.stems.insert(word)),
            Key::Number => self.number = true,
        }
    }

    fn holds(&self, token: &Token, numbers: &HashSet<String>) -> bool {
        let word =
            token.is_word() && (self.exact.contains(token.form.as_str()) || self.stems.contains(token.stem.as_str()));
        word || (self.number && is_number(token, numbers))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// A word of a class, by its place among them, at least and at most so often.
    Of { class: usize, least: usize, most: usize },
    /// Words that do not matter.
    Gap,
}

#[derive(Clone, Debug)]
struct Pattern<T> {
    opens: bool,
    parts: Vec<Part>,
    value: T,
}

/// Patterns and what each one means.
#[derive(Clone, Debug)]
pub(crate) struct Patterns<T> {
    classes: Vec<Class>,
    barrier: Class,
    patterns: Vec<Pattern<T>>,
    by_form: HashMap<Box<str>, Vec<usize>>,
    by_stem: HashMap<Box<str>, Vec<usize>>,
    by_number: Vec<usize>,
}

impl<T> Default for Patterns<T> {
    fn default() -> Self {
        Patterns {
            classes: Vec::new(),
            barrier: Class::default(),
            patterns: Vec::new(),
            by_form: HashMap::new(),
            by_stem: HashMap::new(),
            by_number: Vec::new(),
        }
    }
}

/// Patterns as they stand in the files, gathered before the classes are all known.
#[derive(Clone, Debug)]
pub(crate) struct Drafts<T> {
    classes: HashMap<String, Class>,
    patterns: Vec<(String, T)>,
}

impl<T> Default for Drafts<T> {
    fn default() -> Self {
        Drafts { classes: HashMap::new(), patterns: Vec::new() }
    }
}

impl<T: Clone> Drafts<T> {
    /// Adds a word to a class.
    pub(crate) fn class(&mut self, language: Language, name: &str, word: &str) {
        let key = if word == "%" { Some(Key::Number) } else { key(language, word) };
        if let Some(key) = key {
            self.classes.entry(name.to_owned()).or_default().add(key);
        }
    }

    /// Adds a pattern.
    pub(crate) fn pattern(&mut self, pattern: &str, value: T) {
        self.patterns.push((pattern.to_owned(), value));
    }

    /// The patterns, ready to be looked for. One that names a class that is not there, or that begins with what need not
    /// stand, is a mistake in the file: it is left out (and found by the test that reads the files).
    pub(crate) fn compile(self, language: Language) -> Patterns<T> {
        let mut patterns = Patterns::default();
        let mut places = HashMap::new();
        for (name, class) in self.classes {
            if name == BARRIER {
                patterns.barrier = class;
                continue;
            }
            places.insert(name, patterns.classes.len());
            patterns.classes.push(class);
        }
        for (text, value) in self.patterns {
            let added = patterns.add(language, &text, value, &places);
            debug_assert!(added.is_some(), "a pattern that cannot be read: {text}");
        }
        patterns
    }
}

impl<T> Patterns<T> {
    fn add(&mut self, language: Language, text: &str, value: T, places: &HashMap<String, usize>) -> Option<()> {
        let (opens, text) = text.strip_prefix('^').map_or((false, text), |rest| (true, rest));
        let mut parts = Vec::new();
        for piece in text.split('_') {
            parts.push(self.part(language, piece, places)?);
        }
        let Some(&Part::Of { class, least: 1, .. }) = parts.first() else { return None };
        if parts.len() > MOST_PARTS {
            return None;
        }
        let at = self.patterns.len();
        let first = &self.classes[class];
        for word in &first.exact {
            self.by_form.entry(word.clone()).or_default().push(at);
        }
        for stem in &first.stems {
            self.by_stem.entry(stem.clone()).or_default().push(at);
        }
        if first.number {
            self.by_number.push(at);
        }
        self.patterns.push(Pattern { opens, parts, value });
        Some(())
    }

    fn part(&mut self, language: Language, piece: &str, places: &HashMap<String, usize>) -> Option<Part> {
        if piece == "*" {
            return Some(Part::Gap);
        }
        let (word, least, most) = match (piece.strip_suffix('?'), piece.strip_suffix('*')) {
            (Some(word), _) => (word, 0, 1),
            (_, Some(word)) => (word, 0, MOST_REPEATS),
            _ => (piece, 1, 1),
        };
        let class = match word.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
            Some(name) => *places.get(name)?,
            None => {
                let mut single = Class::default();
                single.add(key(language, word)?);
                self.classes.push(single);
                self.classes.len() - 1
            }
        };
        Some(Part::Of { class, least, most })
    }

    /// The longest match that begins at a token: the token after it, and its value.
    pub(crate) fn longest(&self, tokens: &[Token], at: usize, numbers: &HashSet<String>) -> Option<(usize, &T)> {
        let token = &tokens[at];
        let mut best: Option<(usize, &T)> = None;
        let mut search = |places: &[usize]| {
            for pattern in places.iter().map(|&place| &self.patterns[place]) {
                if pattern.opens && !begins_clause(tokens, at) {
                    continue;
                }
                if let Some(end) = self.end(&pattern.parts, tokens, at, numbers)
                    && best.is_none_or(|(longest, _)| end > longest)
                {
                    best = Some((end, &pattern.value));
                }
            }
        };
        if token.is_word() {
            search(self.by_form.get(token.form.as_str()).map_or(&[], Vec::as_slice));
            search(self.by_stem.get(token.stem.as_str()).map_or(&[], Vec::as_slice));
        }
        if !self.by_number.is_empty() && is_number(token, numbers) {
            search(&self.by_number);
        }
        best
    }

    /// Where the longest match of these parts ends. Places reached go forward part by part, so that no place is tried
    /// twice for one part, whatever the text.
    fn end(&self, parts: &[Part], tokens: &[Token], from: usize, numbers: &HashSet<String>) -> Option<usize> {
        let mut reached = vec![from];
        for part in parts {
            let (least, most) = match *part {
                Part::Of { least, most, .. } => (least, most),
                Part::Gap => (0, WIDEST_GAP),
            };
            let passes = |token: &Token| match *part {
                Part::Of { class, .. } => self.classes[class].holds(token, numbers),
                Part::Gap => {
                    matches!(token.kind, TokenKind::Word | TokenKind::Number) && !self.barrier.holds(token, numbers)
                }
            };
            let mut next = Vec::new();
            for &start in &reached {
                let run = tokens[start..].iter().take(most).take_while(|token| passes(token)).count();
                next.extend((least..=run).map(|passed| start + passed));
            }
            next.sort_unstable();
            next.dedup();
            if next.is_empty() {
                return None;
            }
            reached = next;
        }
        reached.last().copied()
    }

    /// Every word of the classes and patterns: whether it is a stem, and the word.
    pub(crate) fn words(&self) -> impl Iterator<Item = (bool, &str)> {
        self.classes.iter().flat_map(|class| {
            let exact = class.exact.iter().map(|word| (false, &**word));
            exact.chain(class.stems.iter().map(|stem| (true, &**stem)))
        })
    }
}

fn begins_clause(tokens: &[Token], at: usize) -> bool {
    at.checked_sub(1).is_none_or(|before| matches!(tokens[before].kind, TokenKind::Pause | TokenKind::End { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stem::stem;
    use crate::token::tokenise;

    fn patterns() -> Patterns<u8> {
        let mut drafts = Drafts::default();
        for word in ["wait", "queue"] {
            drafts.class(Language::English, "wait", word);
        }
        for word in ["%", "an", "half"] {
            drafts.class(Language::English, "span", word);
        }
        drafts.class(Language::English, "barrier", "only");
        drafts.pattern("<wait>_*_<span>_<span>*_hour", 1);
        drafts.pattern("^was_very?_late", 2);
        drafts.compile(Language::English)
    }

    fn found(text: &str) -> Option<(String, u8)> {
        let mut tokens = tokenise(text).list;
        tokens.iter_mut().for_each(|token| token.stem = stem(Language::English, &token.form));
        let (patterns, numbers) = (patterns(), HashSet::new());
        (0..tokens.len()).find_map(|at| {
            let (end, value) = patterns.longest(&tokens, at, &numbers)?;
            Some((text[tokens[at].start..tokens[end - 1].end].to_owned(), *value))
        })
    }

    #[test]
    fn classes_gaps_and_repeats_are_met() {
        for (text, span) in [
            ("We waited 2 hours there", "waited 2 hours"),
            ("waiting in a queue half an hour", "waiting in a queue half an hour"),
            ("queued for the next 3 hours", "queued for the next 3 hours"),
        ] {
            assert_eq!(found(text), Some((span.to_owned(), 1)), "{text}");
        }
    }

    #[test]
    fn neither_a_pause_nor_a_barrier_nor_too_many_words_are_passed() {
        for text in ["I waited, an hour", "waited only an hour", "waited in the long slow line an hour", "waited hours"]
        {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn what_opens_a_clause_opens_it() {
        assert_eq!(found("Well, was very late"), Some(("was very late".to_owned(), 2)));
        assert_eq!(found("It was late"), None);
    }

    #[test]
    fn a_pattern_of_no_class_or_without_a_first_word_is_refused() {
        for text in ["<nothing>_hour", "*_hour", "wait?_hour", "", "wait_!"] {
            let added = Patterns::<u8>::default().add(Language::English, text, 0, &HashMap::new());
            assert_eq!(added, None, "{text}");
        }
    }
}
