//! Stems: what the forms of a word have in common.
//!
//! Russian is Snowball's algorithm; the other three are lighter ones of our own, as what is wanted is that the forms of
//! one word meet, not that a stem be a word. Input is a folded word (see `fold`). The same stems serve search.

mod english;
mod persian;
mod romanian;
mod russian;

use crate::language::Language;

/// The stem of a folded word.
pub fn stem(language: Language, word: &str) -> String {
    match language {
        Language::English => english::stem(word),
        Language::Russian => russian::stem(word),
        Language::Persian => persian::stem(word),
        Language::Romanian => romanian::stem(word),
    }
}

/// The word without the first of these endings that leaves at least `least` letters; endings stand longest first.
fn without<'w>(word: &'w str, endings: &[&str], least: usize) -> Option<&'w str> {
    endings.iter().find_map(|ending| word.strip_suffix(ending).filter(|base| base.chars().nth(least - 1).is_some()))
}
