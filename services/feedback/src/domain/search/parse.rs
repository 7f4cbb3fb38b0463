//! Reading what is looked for: words (all of them), "phrases", OR, -not, beginnings*, and brackets. What is left open is
//! closed at the end, and what says nothing is passed over: whoever types is not to be taught a grammar.

use std::str::FromStr;

use rapport_text::search_words;

use super::Query;

/// Words and phrases of one query.
pub const MOST_LEAVES: usize = 50;

/// Brackets in brackets.
pub const MOST_DEEP: usize = 10;

/// Letters of a beginning.
pub const SHORTEST_BEGINNING: usize = 2;

/// Why a query cannot be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misread {
    /// No word is in it.
    Empty,
    /// A beginning of too few letters.
    Short,
    /// Too many words.
    Long,
    /// Too many brackets in brackets.
    Deep,
}

impl FromStr for Query {
    type Err = Misread;

    fn from_str(text: &str) -> Result<Self, Misread> {
        let mut reader = Reader { rest: text, deep: 0, leaves: 0, misread: None };
        let read = reader.any();
        match reader.misread {
            Some(misread) => Err(misread),
            None => read.ok_or(Misread::Empty),
        }
    }
}

/// What ends a row of words that must all be there.
#[derive(PartialEq, Eq)]
enum End {
    Text,
    Bracket,
    Or,
}

struct Reader<'q> {
    rest: &'q str,
    deep: usize,
    leaves: usize,
    misread: Option<Misread>,
}

const fn is_quote(letter: char) -> bool {
    matches!(letter, '"' | '“' | '”' | '„' | '«' | '»')
}

fn ends_word(letter: char) -> bool {
    letter.is_whitespace() || is_quote(letter) || matches!(letter, '(' | ')' | '|')
}

impl<'q> Reader<'q> {
    fn any(&mut self) -> Option<Query> {
        let mut branches = Vec::new();
        loop {
            let (branch, end) = self.all();
            branches.extend(branch);
            if end != End::Or {
                return one_or(branches, Query::Any);
            }
        }
    }

    fn all(&mut self) -> (Option<Query>, End) {
        let mut parts = Vec::new();
        let end = loop {
            self.rest = self.rest.trim_start();
            let Some(first) = self.rest.chars().next() else { break End::Text };
            if first == ')' {
                self.skip(1);
                if self.deep > 0 {
                    break End::Bracket;
                }
            } else if first == '|' {
                self.skip(1);
                break End::Or;
            } else if self.rest.strip_prefix("OR").is_some_and(|after| after.chars().next().is_none_or(ends_word)) {
                self.skip(2);
                break End::Or;
            } else {
                parts.extend(self.part(first));
            }
        };
        (one_or(parts, Query::All), end)
    }

    /// A word, a phrase or brackets, with or without a minus.
    fn part(&mut self, mut first: char) -> Option<Query> {
        let mut is_not = false;
        while matches!(first, '-' | '−') {
            self.skip(first.len_utf8());
            is_not = true;
            // A dash that stands alone says nothing.
            first = self.rest.chars().next().filter(|&next| !next.is_whitespace() && next != ')' && next != '|')?;
        }
        let part = if is_quote(first) {
            self.skip(first.len_utf8());
            let phrase = self.until(is_quote);
            self.skip(self.rest.chars().next().map_or(0, char::len_utf8));
            self.said(phrase)
        } else if first == '(' {
            self.skip(1);
            self.brackets()
        } else {
            let word = self.until(ends_word);
            self.word(word)
        }?;
        Some(if is_not { Query::Not(Box::new(part)) } else { part })
    }

    fn brackets(&mut self) -> Option<Query> {
        if self.deep == MOST_DEEP {
            self.misread = Some(Misread::Deep);
            self.rest = "";
            return None;
        }
        self.deep += 1;
        let inside = self.any();
        self.deep -= 1;
        inside
    }

    fn word(&mut self, word: &str) -> Option<Query> {
        let word = word.trim_end_matches(|letter: char| letter != '*' && letter.is_ascii_punctuation());
        let Some(beginning) = word.strip_suffix('*') else { return self.said(word) };
        let mut words = search_words(beginning);
        let (last, _) = words.pop()?;
        self.count();
        if last.chars().count() < SHORTEST_BEGINNING {
            self.misread = Some(Misread::Short);
            return None;
        }
        let mut parts = Vec::from_iter(runs(words));
        parts.push(Query::Begins(last));
        one_or(parts, Query::All)
    }

    fn said(&mut self, text: &str) -> Option<Query> {
        let run = runs(search_words(text))?;
        self.count();
        Some(run)
    }

    fn count(&mut self) {
        self.leaves += 1;
        if self.leaves > MOST_LEAVES {
            self.misread = Some(Misread::Long);
            self.rest = "";
        }
    }

    fn until(&mut self, end: fn(char) -> bool) -> &'q str {
        let (taken, rest) = self.rest.split_at(self.rest.find(end).unwrap_or(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }
}

/// Words one after the other, in each language that they may be of.
fn runs(words: Vec<(String, [String; 2])>) -> Option<Query> {
    if words.is_empty() {
        return None;
    }
    let (one, other): (Vec<_>, Vec<_>) = words.into_iter().map(|(_, [one, other])| (one, other)).unzip();
    Some(Query::Said(if one == other { vec![one] } else { vec![one, other] }))
}

fn one_or(mut parts: Vec<Query>, several: fn(Vec<Query>) -> Query) -> Option<Query> {
    if parts.len() > 1 { Some(several(parts)) } else { parts.pop() }
}
