//! A text as it was read: its tokens in their language, with stems, mended spelling and native script.

use std::collections::HashMap;

use crate::context::{Surroundings, survey};
use crate::fold::squeezed;
use crate::language::Language;
use crate::pack::Pack;
use crate::stem::stem;
use crate::token::{Token, TokenKind};
use crate::translit;

/// What a model of sentiment is given.
#[derive(Clone, Debug)]
pub struct Reading<'t> {
    /// The text itself.
    pub text: &'t str,
    /// Its language.
    pub language: Language,
    /// Its tokens, with forms and stems.
    pub tokens: Vec<Token>,
    /// For each token, whether the word negates itself ("нехороший", نمی‌پسندم): form and stem are then those of what is
    /// negated.
    pub negated: Vec<bool>,
    /// What surrounds each token, surveyed once for all who ask.
    pub(crate) around: Surroundings,
}

/// Corrections tried in one text: misspelling is only worth mending where words are few.
const MOST_CORRECTIONS: usize = 512;

impl<'t> Reading<'t> {
    pub(crate) fn new(
        text: &'t str,
        mut tokens: Vec<Token>,
        pack: &Pack,
        finglish: &HashMap<String, Box<str>>,
    ) -> Reading<'t> {
        if pack.language == Language::Persian {
            tokens = joined_verbs(tokens);
        }
        let mut negated = vec![false; tokens.len()];
        let mut corrections = 0;
        for (token, negated) in tokens.iter_mut().zip(&mut negated) {
            if token.kind == TokenKind::Word {
                to_native(token, pack.language, finglish);
                *negated = resolve(token, pack, &mut corrections);
            }
        }
        let mut reading = Reading { text, language: pack.language, tokens, negated, around: Surroundings::default() };
        reading.around = survey(&reading, pack);
        reading
    }
}

/// The Persian prefixes می and نمی are often written apart from their verb: they are put back.
fn joined_verbs(tokens: Vec<Token>) -> Vec<Token> {
    let mut joined: Vec<Token> = Vec::with_capacity(tokens.len());
    for token in tokens {
        match joined.last_mut() {
            Some(prefix) if token.is_word() && prefix.is_word() && matches!(prefix.form.as_str(), "می" | "نمی") => {
                prefix.form.push_str(&token.form);
                prefix.end = token.end;
            }
            _ => joined.push(token),
        }
    }
    joined
}

fn to_native(token: &mut Token, language: Language, finglish: &HashMap<String, Box<str>>) {
    if !token.form.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return;
    }
    if language == Language::Russian {
        token.form = translit::to_cyrillic(&token.form);
    } else if language == Language::Persian
        && let Some(word) = finglish.get(&translit::persian_key(&token.form))
    {
        token.form = word.to_string();
    }
}

/// Finds the word's stem, mending what it can; answers whether the word negates itself.
fn resolve(token: &mut Token, pack: &Pack, corrections: &mut usize) -> bool {
    token.stem = stem(pack.language, &token.form);
    if pack.language == Language::Russian
        && let Some(known) = pack.roman.get(&translit::russian_key(&token.stem))
        && !pack.knows(&token.form, &token.stem)
    {
        token.stem = known.to_string();
    }
    if let Some(positive) = self_negated(token, pack) {
        token.form = positive;
        token.stem = stem(pack.language, &token.form);
        return true;
    }
    if pack.knows(&token.form, &token.stem) {
        return false;
    }
    let single = squeezed(&token.form);
    if single != token.form {
        let single_stem = stem(pack.language, &single);
        if pack.rates(&single, &single_stem) && (token.elongated || single.chars().count() > 4) {
            token.form = single;
            token.stem = single_stem;
            return false;
        }
    }
    if *corrections < MOST_CORRECTIONS {
        *corrections += 1;
        if token.form.chars().nth(5).is_some()
            && let Some(nearest) = pack.spelling.nearest(&token.stem)
        {
            token.stem = nearest.to_owned();
            token.corrected = true;
        }
    }
    false
}

/// The word without the prefix that negates it, where it is not itself in the lexicon.
fn self_negated(token: &Token, pack: &Pack) -> Option<String> {
    let form = token.form.as_str();
    if pack.language == Language::Persian {
        let verb = form.strip_prefix('ن')?;
        let present = verb.starts_with("می") && verb.chars().nth(3).is_some();
        return ((present || pack.is_verb(verb)) && !pack.rates(form, "")).then(|| verb.to_owned());
    }
    if pack.knows(form, &token.stem) {
        return None;
    }
    let prefixes: &[&str] = match pack.language {
        Language::English => &["un", "non"],
        Language::Russian => &["не"],
        Language::Romanian => &["ne"],
        Language::Persian => &[],
    };
    let base = prefixes.iter().find_map(|prefix| form.strip_prefix(prefix))?;
    let known = base.chars().nth(3).is_some() && pack.rates(base, &stem(pack.language, base));
    known.then(|| base.to_owned())
}
