//! Snippets: where in a text that which was looked for stands, with a few words around it.

use std::ops::Range;

use rapport_kernel::Private;
use rapport_text::{Analyser, Language};

use super::{Passage, Query};

/// Characters of a snippet, but for those of a long word.
const LENGTH: usize = 200;
/// Characters before the first place.
const BEFORE: usize = 60;
/// Snippets of one response.
const MOST: usize = 5;

/// A piece of a text in which something that was looked for stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// In answer to what, or where.
    pub place: String,
    /// The piece. "…" stands for what was cut off before and after it.
    pub text: Private<String>,
    /// Where in the piece, in characters.
    pub spans: Vec<Range<usize>>,
}

/// The snippets of passages in which something of the query stands.
#[must_use]
pub fn snippets(
    query: &Query,
    passages: &[Passage<'_>],
    language: Option<Language>,
    analyser: &Analyser,
) -> Vec<Snippet> {
    let found = |passage: &Passage<'_>| {
        let places = places(query, passage.text, language, analyser);
        let (text, spans) = cut(passage.text, &places)?;
        Some(Snippet { place: passage.place.to_owned(), text: Private::new(text), spans })
    };
    passages.iter().filter_map(found).take(MOST).collect()
}

/// Where something of the query stands, in bytes; words that follow each other in a phrase apart.
fn places(query: &Query, text: &str, language: Option<Language>, analyser: &Analyser) -> Vec<Range<usize>> {
    let (mut runs, mut beginnings) = (Vec::new(), Vec::new());
    query.shown(&mut runs, &mut beginnings);
    let terms = analyser.search_terms(text, language);
    let mut is_found = vec![false; terms.len()];
    for run in runs {
        for at in 0..(terms.len() + 1).saturating_sub(run.len()) {
            if terms[at..at + run.len()].iter().zip(run).all(|(term, stem)| term.stem == *stem) {
                is_found[at..at + run.len()].fill(true);
            }
        }
    }
    let begins = |form: &str| beginnings.iter().any(|beginning| form.starts_with(beginning));
    let found = terms.iter().zip(is_found).filter(|(term, is_found)| *is_found || begins(&term.form));
    found.map(|(term, _)| term.start..term.end).collect()
}

/// The piece around the first place, and the places in it, in characters.
fn cut(text: &str, places: &[Range<usize>]) -> Option<(String, Vec<Range<usize>>)> {
    let first = places.first()?;
    let back = text[..first.start].char_indices().rev().nth(BEFORE - 1).map_or(0, |(at, _)| at);
    // From the beginning of a word, where one begins in between.
    let start = if back == 0 {
        0
    } else {
        let space = text[back..first.start].find(char::is_whitespace);
        space.map_or(first.start, |space| back + space)
    };
    let reach = text[start..].char_indices().nth(LENGTH).map_or(text.len(), |(at, _)| start + at).max(first.end);
    let end = if reach == text.len() {
        reach
    } else {
        let space = text[first.end..reach].rfind(char::is_whitespace);
        space.map_or(first.end, |space| first.end + space)
    };
    let start = start + text[start..first.start].len() - text[start..first.start].trim_start().len();
    let end = first.end + text[first.end..end].trim_end().len();
    let mut piece = String::new();
    if start > 0 {
        piece.push('…');
    }
    let lead = piece.chars().count();
    piece.push_str(&text[start..end]);
    if !text[end..].trim_end().is_empty() {
        piece.push('…');
    }
    let characters = |at: usize| lead + text[start..at].chars().count();
    let inside = places.iter().take_while(|place| place.end <= end);
    Some((piece, inside.map(|place| characters(place.start)..characters(place.end)).collect()))
}
