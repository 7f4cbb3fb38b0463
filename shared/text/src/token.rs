//! A text cut into words, numbers, pictures and pauses.
//!
//! One pass, no backtracking, and at most [`MOST_TOKENS`] tokens: the cost of a text is bounded whatever it holds. Links,
//! mail addresses and the words that masking put there are left out, as nothing in them was said by the customer.

use crate::fold::{self, fold_word};
use crate::mask;
use crate::picture;

/// Tokens read of one text; what follows them is not looked at (and the analysis says so).
pub const MOST_TOKENS: usize = 8_192;

/// Bytes read of one text: a second bound, for texts of few and huge tokens.
pub const MOST_BYTES: usize = 262_144;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Letters, with marks, joiners and apostrophes inside.
    Word,
    /// Digits.
    Number,
    /// An emoji or emoticon.
    Picture,
    /// A comma, colon, bracket or dash: a clause ends.
    Pause,
    /// The sentence ends.
    End {
        /// Exclamation marks, up to 3.
        exclaims: u8,
        /// Question marks, up to 3.
        asks: u8,
    },
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
    /// What it is.
    pub kind: TokenKind,
    /// The folded word, in its language's own script where it was transliterated; a picture's first character.
    pub form: String,
    /// The stem of `form`; empty before the language is known.
    pub stem: String,
    /// Written in capitals.
    pub shouted: bool,
    /// Letters drawn out, or a picture repeated.
    pub elongated: bool,
    /// The form was found by correcting a misspelling.
    pub corrected: bool,
}

impl Token {
    fn bare(start: usize, end: usize, kind: TokenKind) -> Self {
        Token {
            start,
            end,
            kind,
            form: String::new(),
            stem: String::new(),
            shouted: false,
            elongated: false,
            corrected: false,
        }
    }

    /// Whether it is a word.
    pub fn is_word(&self) -> bool {
        self.kind == TokenKind::Word
    }
}

/// The tokens of a text, and whether the text was longer than is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tokens {
    /// In the order of the text.
    pub list: Vec<Token>,
    /// The rest of the text was left unread.
    pub truncated: bool,
}

/// Cuts a text into tokens.
pub fn tokenise(text: &str) -> Tokens {
    let mut cutter = Cutter { text, at: 0, open: 0, list: Vec::with_capacity(text.len().min(4_096) / 5 + 4) };
    while cutter.at < text.len() {
        if cutter.list.len() >= MOST_TOKENS || cutter.at >= MOST_BYTES {
            return Tokens { list: cutter.list, truncated: true };
        }
        cutter.step();
    }
    Tokens { list: cutter.list, truncated: false }
}

struct Cutter<'t> {
    text: &'t str,
    at: usize,
    /// Brackets open, so that a closing one is not taken for a smile.
    open: usize,
    list: Vec<Token>,
}

impl<'t> Cutter<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn step(&mut self) {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return };
        if !first.is_alphanumeric()
            && let Some((mark, length)) = picture::emoticon(rest, self.at == 0 || self.after_space())
        {
            return self.push_picture(mark, length);
        }
        if first == '['
            && let Some(word) = mask::WORDS.iter().find(|word| rest.starts_with(**word))
        {
            // What was masked: the customer said no such word.
            return self.pause(word.len());
        }
        if first.is_ascii_digit() || is_eastern_digit(first) {
            self.number(rest);
        } else if first.is_alphabetic() {
            self.word(rest);
        } else if picture::is_emoji(first) {
            self.emoji(rest, first);
        } else {
            self.punctuation(rest, first);
        }
    }

    fn after_space(&self) -> bool {
        self.text[..self.at].chars().next_back().is_some_and(char::is_whitespace)
    }

    fn word(&mut self, rest: &str) {
        if is_link(rest) {
            let length = rest.find(char::is_whitespace).unwrap_or(rest.len());
            self.at += length;
            return;
        }
        let length = word_length(rest);
        let raw = &rest[..length];
        if rest[length..].starts_with('@') {
            // A mail address.
            self.at += rest.find(char::is_whitespace).unwrap_or(rest.len());
            return;
        }
        if let Some(mark) = picture::lettered_emoticon(raw) {
            return self.push_picture(mark, length);
        }
        let folded = fold_word(raw);
        let mut token = Token::bare(self.at, self.at + length, TokenKind::Word);
        token.form = folded.text;
        token.shouted = folded.shouted;
        token.elongated = folded.elongated;
        self.at += length;
        if !token.form.is_empty() {
            self.list.push(token);
        }
    }

    fn number(&mut self, rest: &str) {
        let mut length = 0;
        let mut letters = rest.char_indices().peekable();
        while let Some((at, letter)) = letters.next() {
            let inside = matches!(letter, '.' | ',' | ':' | '٫' | '/')
                && letters.peek().is_some_and(|&(_, next)| next.is_ascii_digit() || is_eastern_digit(next));
            if !(letter.is_ascii_digit() || is_eastern_digit(letter) || inside) {
                break;
            }
            length = at + letter.len_utf8();
        }
        let mut token = Token::bare(self.at, self.at + length, TokenKind::Number);
        token.form = fold_word(&rest[..length]).text;
        self.at += length;
        self.list.push(token);
    }

    fn emoji(&mut self, rest: &str, first: char) {
        let mut length = 0;
        let mut joined = false;
        let mut times = 0;
        for (at, letter) in rest.char_indices() {
            let part = picture::is_modifier(letter) || joined;
            if letter == first && !joined {
                times += 1;
            } else if !part {
                break;
            }
            joined = letter == '\u{200d}';
            length = at + letter.len_utf8();
        }
        let mut token = Token::bare(self.at, self.at + length, TokenKind::Picture);
        token.form.push(first);
        token.elongated = times > 1;
        self.at += length;
        self.list.push(token);
    }

    fn push_picture(&mut self, mark: char, length: usize) {
        let mut token = Token::bare(self.at, self.at + length, TokenKind::Picture);
        token.form.push(mark);
        self.at += length;
        self.list.push(token);
    }

    fn punctuation(&mut self, rest: &str, first: char) {
        match first {
            '.' | '!' | '?' | '؟' | '…' | '。' | '！' | '？' | '‼' | '⁉' => self.end(rest),
            '\n' | '\r' => self.line_end(rest),
            ')' => self.closing(rest),
            '(' => {
                self.open += 1;
                self.pause(1);
            }
            ',' | ';' | ':' | '،' | '؛' | '"' | '«' | '»' | '“' | '”' | '„' | '[' | ']' => {
                self.pause(first.len_utf8())
            }
            '-' | '–' | '—' if self.after_space() => self.pause(first.len_utf8()),
            _ => self.at += first.len_utf8(),
        }
    }

    fn end(&mut self, rest: &str) {
        let (mut exclaims, mut asks, mut length) = (0_u8, 0_u8, 0);
        for (at, mark) in rest.char_indices() {
            match mark {
                '!' | '！' | '‼' => exclaims = (exclaims + 1).min(3),
                '?' | '؟' | '？' | '⁉' => asks = (asks + 1).min(3),
                '.' | '…' | '。' => {}
                '1' if exclaims > 0 => {}
                _ => break,
            }
            length = at + mark.len_utf8();
        }
        self.list.push(Token::bare(self.at, self.at + length, TokenKind::End { exclaims, asks }));
        self.at += length;
    }

    fn line_end(&mut self, rest: &str) {
        let length = rest.find(|letter: char| !letter.is_whitespace()).unwrap_or(rest.len());
        if !matches!(self.list.last().map(|token| token.kind), None | Some(TokenKind::End { .. })) {
            self.list.push(Token::bare(self.at, self.at + length, TokenKind::End { exclaims: 0, asks: 0 }));
        }
        self.at += length;
    }

    /// A closing bracket that nothing opened is how many Russians write a smile: "спасибо)".
    fn closing(&mut self, rest: &str) {
        let length = rest.bytes().take_while(|&byte| byte == b')').count();
        let after_number = self.list.last().is_some_and(|token| token.kind == TokenKind::Number);
        if length > self.open && !(after_number && length == 1) && !self.list.is_empty() {
            self.open = 0;
            return self.push_picture(picture::SMILE, length);
        }
        self.open = self.open.saturating_sub(length);
        self.pause(length);
    }

    fn pause(&mut self, length: usize) {
        if self.list.last().is_some_and(|token| token.kind != TokenKind::Pause) {
            self.list.push(Token::bare(self.at, self.at + length, TokenKind::Pause));
        }
        self.at += length;
    }
}

fn is_eastern_digit(letter: char) -> bool {
    matches!(letter, '٠'..='٩' | '۰'..='۹')
}

fn is_link(rest: &str) -> bool {
    let starts = |prefix: &str| rest.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
    starts("http://") || starts("https://") || starts("www.")
}

/// Letters and digits, marks and joiners, and an apostrophe between two letters.
fn word_length(rest: &str) -> usize {
    let mut length = 0;
    let mut letters = rest.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let apostrophe = matches!(letter, '\'' | '’' | 'ʼ' | '`' | '´')
            && letters.peek().is_some_and(|&(_, next)| next.is_alphabetic());
        if !(letter.is_alphanumeric() || fold::is_mark(letter) || apostrophe) {
            break;
        }
        length = at + letter.len_utf8();
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(text: &str) -> Vec<String> {
        tokenise(text).list.into_iter().filter(Token::is_word).map(|token| token.form).collect()
    }

    #[test]
    fn words_keep_their_joiners_and_lose_their_dress() {
        assert_eq!(forms("Don't  nu-i نمی‌خواهم"), ["dont", "nu", "i", "نمیخواهم"]);
    }

    #[test]
    fn links_and_addresses_are_not_words() {
        assert_eq!(forms("see https://bad.example/awful and mail ugly@bad.example now"), ["see", "and", "mail", "now"]);
    }

    #[test]
    fn an_unopened_bracket_smiles_and_a_list_does_not() {
        let kinds = |text: &str| tokenise(text).list.iter().filter(|token| token.kind == TokenKind::Picture).count();
        assert_eq!(kinds("спасибо)"), 1);
        assert_eq!(kinds("(спасибо)"), 0);
        assert_eq!(kinds("1) first 2) second"), 0);
    }

    #[test]
    fn a_long_text_is_cut() {
        let tokens = tokenise(&"a b ".repeat(100_000));
        assert!(tokens.truncated);
        assert_eq!(tokens.list.len(), MOST_TOKENS);
    }

    #[test]
    fn spans_are_bytes_of_the_text() {
        let text = "Хорошо 👍🏽 да!";
        let spans: Vec<&str> = tokenise(text).list.iter().map(|token| &text[token.start..token.end]).collect();
        assert_eq!(spans, ["Хорошо", "👍🏽", "да", "!"]);
    }
}
