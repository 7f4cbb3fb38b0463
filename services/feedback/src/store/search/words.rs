//! A document and a query in the words of each engine.
//!
//! Every word begins with a few letters made of its tenant and the kind of thing it was said in: so each list of places in
//! the index is one tenant's, and a search reads no other's. (That two share those letters is unlikely and harmless: the row
//! says whose it is.) A document has one word besides that every query can rest on which only says what not.
//!
//! No word holds a quote, a backslash or a space: they are letters and digits, and of numbers `.,:/` (see `rapport-text`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use rapport_data::Engine;
use rapport_kernel::TenantId;
use sha2::{Digest as _, Sha256};

use super::Kind;
use crate::domain::search::{Document, Query};

/// Letters that stand for the tenant and the kind.
const LETTERS: usize = 6;
/// Marks a whole word; stems have marks of their own (`rapport_text::SearchTerm`).
const WHOLE: char = 'w';
/// Marks the word that every document has.
const EVERY: char = 'z';
/// A place without a word; nothing that is looked for is so short.
const GAP: &str = "0";

/// What begins every word of a tenant's documents of a kind.
fn space(tenant: TenantId, kind: Kind) -> String {
    let hash = Sha256::new().chain_update(tenant.uuid().as_bytes()).chain_update(kind.name()).finalize();
    let letter = |byte: &u8| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[usize::from(byte % 32)]);
    hash.iter().take(LETTERS).map(letter).collect()
}

/// A document as its row holds it.
pub(super) fn document(engine: Engine, tenant: TenantId, kind: Kind, document: &Document) -> String {
    let space = space(tenant, kind);
    match engine {
        Engine::Sqlite => {
            let mut words = format!("{space}{EVERY}");
            for stem in document.stems() {
                let _infallible = match stem {
                    Some(stem) => write!(words, " {space}{stem}"),
                    None => write!(words, " {GAP}"),
                };
            }
            for form in document.forms() {
                let _infallible = write!(words, " {space}{WHOLE}{form}");
            }
            words
        }
        Engine::Postgres => {
            let mut places = BTreeMap::<&str, Vec<String>>::new();
            for (at, stem) in document.stems().enumerate() {
                if let Some(stem) = stem {
                    places.entry(stem).or_default().push((at + 1).to_string());
                }
            }
            let mut words = format!("'{space}{EVERY}'");
            for (stem, places) in places {
                let _infallible = write!(words, " '{space}{stem}':{}", places.join(","));
            }
            for form in document.forms() {
                let _infallible = write!(words, " '{space}{WHOLE}{form}'");
            }
            words
        }
    }
}

/// The document of a row on SQLite: what [`document`] made its words of.
pub(super) fn kept(words: &str) -> Document {
    let (mut stems, mut forms) = (Vec::new(), BTreeSet::new());
    // The first is the one that every document has; before each stands whose it is.
    for word in words.split(' ').skip(1) {
        match word.get(LETTERS..) {
            None => stems.push(None),
            Some(rest) => match rest.strip_prefix(WHOLE) {
                Some(form) => drop(forms.insert(form.to_owned())),
                None => stems.push(Some(rest.to_owned())),
            },
        }
    }
    Document::kept(stems, forms)
}

/// What is looked for, as the engine's index reads it.
pub(super) fn query(engine: Engine, tenant: TenantId, kind: Kind, query: &Query) -> String {
    let space = space(tenant, kind);
    match engine {
        Engine::Sqlite => fts5(&space, query),
        Engine::Postgres => tsquery(&space, query),
    }
}

fn fts5(space: &str, query: &Query) -> String {
    match query {
        Query::Said(runs) => {
            let run = |run: &Vec<String>| {
                let words: Vec<_> = run.iter().map(|stem| format!("{space}{stem}")).collect();
                format!("\"{}\"", words.join(" "))
            };
            bracketed(runs.iter().map(run), " OR ")
        }
        Query::Begins(beginning) => format!("\"{space}{WHOLE}{beginning}\" *"),
        Query::Any(parts) => bracketed(parts.iter().map(|part| fts5(space, part)), " OR "),
        Query::Not(part) => format!("(\"{space}{EVERY}\" NOT {})", fts5(space, part)),
        Query::All(parts) => {
            let (there, not) = apart(parts);
            let there = if there.is_empty() {
                format!("\"{space}{EVERY}\"")
            } else {
                bracketed(there.iter().map(|part| fts5(space, part)), " AND ")
            };
            if not.is_empty() {
                return there;
            }
            format!("({there} NOT {})", bracketed(not.iter().map(|part| fts5(space, part)), " OR "))
        }
    }
}

fn tsquery(space: &str, query: &Query) -> String {
    match query {
        Query::Said(runs) => {
            let run = |run: &Vec<String>| {
                let words: Vec<_> = run.iter().map(|stem| format!("'{space}{stem}'")).collect();
                words.join(" <-> ")
            };
            bracketed(runs.iter().map(run), " | ")
        }
        Query::Begins(beginning) => format!("'{space}{WHOLE}{beginning}':*"),
        Query::Any(parts) => bracketed(parts.iter().map(|part| tsquery(space, part)), " | "),
        Query::Not(part) => format!("('{space}{EVERY}' & !{})", tsquery(space, part)),
        Query::All(parts) => {
            let (there, not) = apart(parts);
            let mut all: Vec<_> = there.iter().map(|part| tsquery(space, part)).collect();
            if all.is_empty() {
                all.push(format!("'{space}{EVERY}'"));
            }
            all.extend(not.iter().map(|part| format!("!{}", tsquery(space, part))));
            bracketed(all.into_iter(), " & ")
        }
    }
}

/// What must be there, and what must not.
fn apart(parts: &[Query]) -> (Vec<&Query>, Vec<&Query>) {
    let (mut there, mut not) = (Vec::new(), Vec::new());
    for part in parts {
        match part {
            Query::Not(inner) => not.push(inner.as_ref()),
            part => there.push(part),
        }
    }
    (there, not)
}

fn bracketed(parts: impl Iterator<Item = String>, between: &str) -> String {
    format!("({})", parts.collect::<Vec<_>>().join(between))
}

#[cfg(test)]
mod tests {
    use rapport_text::Analyser;

    use super::*;
    use crate::domain::search::Passage;

    #[test]
    fn a_row_s_words_tell_the_document_that_they_were_made_of() {
        let analyser = Analyser::new();
        let texts =
            ["Доставка опоздала, 3.5 часа!", "The courier was friendly. The courier was late", "خیلی خوب", "0", ""];
        let passages: Vec<_> = texts.iter().map(|text| Passage { place: "", text }).collect();
        let whole = Document::of(&passages, None, &analyser);
        let words = document(Engine::Sqlite, TenantId::new(), Kind::Response, &whole);
        assert!(kept(&words) == whole, "another document than was noted");
    }
}
