//! What search compares: one spelling of each word, and of its forms one stem.
//!
//! A word of a text is stemmed in the language that its letters tell: Cyrillic ones Russian, Arabic ones Persian. Of Latin
//! letters the text decides between English and Romanian. A word that is looked for may be of either, so it has a stem for
//! each; which of them a stem is of is a part of it, so that no English stem is taken for a Romanian one.

use crate::language::Language;
use crate::stem::stem;
use crate::token::{Token, TokenKind, tokenise};

/// A word or number of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchTerm {
    /// Its stem behind a letter for the language: what a word that is looked for is compared with.
    pub stem: String,
    /// The folded word itself: what the beginning of a word is compared with.
    pub form: String,
    /// Its first byte in the text.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
}

/// The terms of tokens, where Latin letters are of this language.
pub(crate) fn terms(tokens: Vec<Token>, latin: Language) -> Vec<SearchTerm> {
    let said = tokens.into_iter().filter(|token| matches!(token.kind, TokenKind::Word | TokenKind::Number));
    said.map(|token| {
        let language = language_of(&token.form, latin);
        SearchTerm { stem: marked(language, &token.form), form: token.form, start: token.start, end: token.end }
    })
    .collect()
}

/// The words that a piece of a query is made of, in order: each with its folded form, and the stems that it may have in a
/// text. The first are those it has where Latin letters are English, the second where they are Romanian.
pub fn search_words(piece: &str) -> Vec<(String, [String; 2])> {
    let said =
        tokenise(piece).list.into_iter().filter(|token| matches!(token.kind, TokenKind::Word | TokenKind::Number));
    said.map(|token| {
        let in_text_of = |latin| marked(language_of(&token.form, latin), &token.form);
        let stems = [in_text_of(Language::English), in_text_of(Language::Romanian)];
        (token.form, stems)
    })
    .collect()
}

fn language_of(form: &str, latin: Language) -> Option<Language> {
    match form.chars().next()? {
        'a'..='z' => Some(latin),
        '\u{400}'..='\u{4ff}' => Some(Language::Russian),
        '\u{600}'..='\u{6ff}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}' => Some(Language::Persian),
        _ => None,
    }
}

fn marked(language: Option<Language>, form: &str) -> String {
    let (mark, stem) = match language {
        Some(Language::English) => ('e', stem(Language::English, form)),
        Some(Language::Russian) => ('r', stem(Language::Russian, form)),
        Some(Language::Persian) => ('p', stem(Language::Persian, form)),
        Some(Language::Romanian) => ('o', stem(Language::Romanian, form)),
        None => ('x', form.to_owned()),
    };
    // Of a word that is nothing but an ending, the word.
    format!("{mark}{}", if stem.is_empty() { form } else { &stem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_looked_for_has_a_stem_for_each_language_of_its_letters() {
        let found = search_words("comenzile");
        assert_eq!(found[0].0, "comenzile");
        assert_eq!(found[0].1, ["ecomenzil", "ocomenz"]);
        let russian = search_words("Доставкой");
        assert_eq!(russian[0].1, ["rдоставк", "rдоставк"]);
        assert_eq!(search_words("wi-fi 10.5").len(), 3);
        assert!(search_words(":) …").is_empty());
    }
}
