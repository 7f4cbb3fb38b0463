//! What is known of one language: its lexicon file, read once.
//!
//! A lexicon is plain text in sections, so that people who know the language and no Rust can keep it:
//! `[sentiment]`, `[expected]` (what goes without saying, and is bad news when negated: to answer, to work),
//! `[scale]` (intensifiers above 1, diminishers below), `[adjust]` (added to the valence of one form) and `[film]`
//! (likewise, where one of `[film-word]` stands) begin each line with a number; `[negator]`, `[negator-after]`,
//! `[contrast]`, `[concession]`, `[greeting]`, `[thanks]`, `[request]`, `[number]`, `[verb]` (Persian: negated by a
//! prefix), `[name]` (never of any weight: brands), `[stop]` (function words), `[known]` (never a misspelling), the emotions and `[effort.…]` are lists. How
//! entries are written: see `phrase`. `[class.…]` and `[pattern.…]` hold what effort is also told by (`pattern`); what
//! `[pattern.none]` meets is no effort ("did not have to wait"). `[opine]` are verbs of saying and thinking, which carry a
//! negation over to what is said.

use std::collections::{HashMap, HashSet};

use crate::emotion::{EffortKind, Emotion};
use crate::fold::fold_word;
use crate::language::Language;
use crate::pattern::{Drafts, Patterns};
use crate::phrase::PhraseIndex;
use crate::spelling::Spelling;
use crate::stem::stem;
use crate::token::Token;
use crate::translit;

/// What a word does to the sentence around it, beside its own valence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Function {
    /// Nothing.
    #[default]
    None,
    /// Negates what follows.
    Negator,
    /// Negates what went before.
    NegatorAfter,
    /// "But": what follows counts for more.
    Contrast,
    /// "Although": the clause counts for less.
    Concession,
    /// "Hello": says nothing where it opens the text.
    Greeting,
    /// "Thanks": says little where something is asked for.
    Thanks,
    /// "Please": something is asked for.
    Request,
}

/// All that the lexicon says of a word or phrase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Role {
    /// From -5 to 5.
    pub valence: f32,
    /// The valence it has when negated, where it has none otherwise.
    pub expected: f32,
    /// Multiplies what follows; 0 where it does not.
    pub scale: f32,
    pub function: Function,
}

/// A language's words, ready to be looked up.
#[derive(Clone, Debug)]
pub(crate) struct Pack {
    pub language: Language,
    pub roles: PhraseIndex<Role>,
    pub emotions: PhraseIndex<Option<Emotion>>,
    efforts: PhraseIndex<Option<EffortKind>>,
    patterns: Patterns<Option<EffortKind>>,
    pub numbers: HashSet<String>,
    pub stops: HashSet<String>,
    known: HashSet<String>,
    /// What a word adds where a film is talked about.
    pub film: HashMap<String, f32>,
    /// Words that say so.
    pub film_words: HashSet<String>,
    /// Words that negate by themselves.
    pub negators: HashSet<String>,
    /// Verbs of saying and thinking, by form and by stem.
    opinions: HashSet<String>,
    verbs: HashSet<String>,
    forms: HashSet<Box<str>>,
    stems: HashSet<Box<str>>,
    pub spelling: Spelling,
    /// From the Latin key of a word to its stem, for languages that are also written in Latin letters.
    pub roman: HashMap<String, Box<str>>,
    /// The words of the files as they stand there: what the language looks like.
    pub samples: Vec<String>,
}

impl Pack {
    /// Reads the lexicon files of a language, in order: what stands later wins.
    pub(crate) fn load(language: Language, files: &[&str]) -> Pack {
        let mut pack = Pack {
            language,
            roles: PhraseIndex::default(),
            emotions: PhraseIndex::default(),
            efforts: PhraseIndex::default(),
            patterns: Patterns::default(),
            numbers: HashSet::new(),
            stops: HashSet::new(),
            known: HashSet::new(),
            film: HashMap::new(),
            film_words: HashSet::new(),
            negators: HashSet::new(),
            opinions: HashSet::new(),
            verbs: HashSet::new(),
            forms: HashSet::new(),
            stems: HashSet::new(),
            spelling: Spelling::default(),
            roman: HashMap::new(),
            samples: Vec::new(),
        };
        let mut drafts = Drafts::default();
        for file in files {
            pack.read(file, &mut drafts);
        }
        pack.patterns = drafts.compile(language);
        pack.finish();
        pack
    }

    /// Whether a word stands in the lexicon, by its form or its stem.
    pub(crate) fn knows(&self, form: &str, stem: &str) -> bool {
        self.forms.contains(form)
            || self.stems.contains(stem)
            || self.stops.contains(form)
            || self.known.contains(form)
            || self.known.contains(stem)
    }

    /// Whether it is a form of a Persian verb of the lexicon.
    pub(crate) fn is_verb(&self, form: &str) -> bool {
        self.verbs.contains(form)
    }

    /// Whether a word is in the lexicon itself, not only known to exist.
    pub(crate) fn rates(&self, form: &str, stem: &str) -> bool {
        self.forms.contains(form) || self.stems.contains(stem)
    }

    /// Whether a word is a verb of saying or thinking.
    pub(crate) fn is_opinion(&self, form: &str) -> bool {
        self.opinions.contains(form)
    }

    /// What tells of effort and begins at a token, the longest of it: the token after it, and which effort it is. `None`
    /// where it says that there was none.
    pub(crate) fn effort(&self, tokens: &[Token], at: usize) -> Option<(usize, Option<EffortKind>)> {
        let phrase = self.efforts.longest(tokens, at, &self.numbers);
        let pattern = self.patterns.longest(tokens, at, &self.numbers);
        let best = match (phrase, pattern) {
            (Some((phrase, _)), Some((pattern, kind))) if pattern > phrase => Some((pattern, kind)),
            (Some(phrase), _) => Some(phrase),
            (None, pattern) => pattern,
        };
        best.map(|(end, kind)| (end, *kind))
    }

    fn read(&mut self, file: &str, drafts: &mut Drafts<Option<EffortKind>>) {
        let mut section = "";
        for line in file.lines() {
            let line =
                line.split_once('#').map_or(line, |(before, after)| keep_number_sign(line, before, after)).trim();
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name;
            } else if !line.is_empty() {
                self.line(section, line, drafts);
            }
        }
    }

    fn line(&mut self, section: &str, line: &str, drafts: &mut Drafts<Option<EffortKind>>) {
        if let Some(name) = section.strip_prefix("class.") {
            line.split_whitespace().for_each(|word| drafts.class(self.language, name, word));
            return;
        }
        if let Some(name) = section.strip_prefix("pattern.") {
            spelled(line).iter().for_each(|entry| drafts.pattern(entry, EffortKind::from_name(name)));
            return;
        }
        if matches!(section, "sentiment" | "expected" | "scale" | "adjust" | "film") {
            let Some((value, entries)) = line.split_once(char::is_whitespace) else { return };
            let Ok(value) = value.parse::<f32>() else { return };
            for entry in spelled(entries) {
                self.rate(section, &entry, value);
            }
            return;
        }
        if section == "name" {
            for name in line.split_whitespace() {
                self.name(name);
            }
            return;
        }
        for entry in spelled(line) {
            self.list(section, &entry);
        }
    }

    fn rate(&mut self, section: &str, entry: &str, value: f32) {
        if section == "film" {
            self.film.insert(entry.to_owned(), value);
            return;
        }
        self.sample(entry);
        let single = section == "adjust" && !entry.contains('_');
        let known = if single { self.roles.word(entry, &stem(self.language, entry)).copied() } else { None };
        let exact = if single { format!("={entry}") } else { entry.to_owned() };
        let Some(role) = self.roles.entry(self.language, &exact) else { return };
        match section {
            "sentiment" => role.valence = value,
            "adjust" => {
                *role = known.unwrap_or(*role);
                role.valence += value;
            }
            "expected" => role.expected = value,
            _ => role.scale = value,
        }
    }

    /// A word that has no weight, and is no slip for one that has; it is no sample of the language either.
    fn name(&mut self, name: &str) {
        if let Some(role) = self.roles.entry(self.language, &format!("={name}")) {
            *role = Role::default();
        }
        self.known.insert(fold_word(name).text);
    }

    fn sample(&mut self, entry: &str) {
        self.samples.extend(entry.split('_').map(|word| fold_word(word.trim_start_matches('=')).text));
    }

    fn list(&mut self, section: &str, entry: &str) {
        if section != "opine" {
            self.sample(entry);
        }
        let function = match section {
            "negator" => Function::Negator,
            "negator-after" => Function::NegatorAfter,
            "contrast" => Function::Contrast,
            "concession" => Function::Concession,
            "greeting" => Function::Greeting,
            "thanks" => Function::Thanks,
            "request" => Function::Request,
            _ => return self.list_word(section, entry),
        };
        if let Some(role) = self.roles.entry(self.language, entry) {
            role.function = function;
        }
        if matches!(function, Function::Negator | Function::NegatorAfter) {
            self.negators.insert(fold_word(entry.trim_start_matches('=')).text);
        }
    }

    fn list_word(&mut self, section: &str, entry: &str) {
        if let Some(emotion) = Emotion::from_name(section) {
            if let Some(value) = self.emotions.entry(self.language, entry) {
                *value = Some(emotion);
            }
        } else if let Some(kind) = section.strip_prefix("effort.").and_then(EffortKind::from_name) {
            if let Some(value) = self.efforts.entry(self.language, entry) {
                *value = Some(kind);
            }
        } else {
            let folded = fold_word(entry).text;
            match section {
                "number" => self.numbers.extend([folded]),
                "stop" => self.stops.extend([folded]),
                "film-word" => self.film_words.extend([folded]),
                "known" => self.known.extend([folded]),
                "opine" => self.opinions.extend([folded]),
                "verb" => self.verbs.extend(PERSIAN_PERSONS.iter().map(|person| format!("{folded}{person}"))),
                _ => {}
            }
        }
    }

    fn finish(&mut self) {
        let words = self.roles.words().chain(self.emotions.words()).chain(self.efforts.words());
        for (stemmed, word) in words {
            if stemmed { &mut self.stems } else { &mut self.forms }.insert(word.into());
        }
        self.known.extend(self.patterns.words().map(|(_, word)| word.to_owned()));
        self.spelling = Spelling::of(self.stems.iter().map(|stem| &**stem));
        if self.language == Language::Russian {
            let stops: Vec<String> = self.stops.iter().map(|word| stem(self.language, word)).collect();
            for stem in self.stems.iter().map(|stem| &**stem).chain(stops.iter().map(String::as_str)) {
                self.roman.entry(translit::russian_key(stem)).or_insert_with(|| stem.into());
            }
        }
    }
}

/// Personal endings of Persian verbs after a negated stem.
const PERSIAN_PERSONS: [&str; 12] = ["", "م", "ی", "یم", "ید", "ند", "ه", "ن", "د", "ین", "ش", "مش"];

/// `#` begins a comment only after a space and before one; "#_times" is an entry.
fn keep_number_sign<'l>(line: &'l str, before: &'l str, after: &str) -> &'l str {
    if after.starts_with('_') || before.ends_with('_') { line } else { before }
}

/// Entries of a line. A zero-width non-joiner in one says that it is written joined, apart, or with the joiner.
fn spelled(entries: &str) -> Vec<String> {
    let mut all = Vec::new();
    for entry in entries.split_whitespace() {
        if entry.contains('\u{200c}') {
            all.push(entry.replace('\u{200c}', "_"));
        }
        all.push(entry.to_owned());
    }
    all
}
