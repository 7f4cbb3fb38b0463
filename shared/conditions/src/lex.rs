//! Splits a condition's source into tokens, by CEL's grammar.

use crate::error::CompileErrors;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    Ident(String),
    /// Magnitude only: the sign is an operator of its own, so that the least int can be written.
    Int(u64),
    Double(f64),
    String(String),
    /// A field's name in backticks: what no identifier can hold.
    Quoted(String),
    /// An operator or bracket.
    Mark(&'static str),
    End,
}

/// A token and the bytes before it.
pub(crate) type Placed = (Token, usize);

/// Longest first where one begins another.
const MARKS: [&str; 24] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "/", "%", "?", ":", ".", ",", "(", ")", "[", "]",
    "{", "}",
];

/// Words that CEL keeps for itself or for the languages that hold it.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// The tokens of a source, ended by [`Token::End`].
pub(crate) fn tokens(source: &str) -> Result<Vec<Placed>, CompileErrors> {
    let mut lexer = Lexer { source, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks();
        let start = lexer.at;
        let token = lexer.token()?;
        let end = token == Token::End;
        tokens.push((token, start));
        if end {
            return Ok(tokens);
        }
    }
}

/// Whether a word can be the name of a variable.
pub(crate) fn is_identifier(word: &str) -> bool {
    let mut letters = word.bytes();
    letters.next().is_some_and(|first| first == b'_' || first.is_ascii_alphabetic())
        && letters.all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
        && !is_reserved(word)
        && !matches!(word, "true" | "false" | "null" | "in")
}

pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word)
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn fail<T>(&self, offset: usize, reason: impl Into<String>) -> Result<T, CompileErrors> {
        Err(CompileErrors::one(self.source, offset, reason))
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']);
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with("//") {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    fn token(&mut self) -> Result<Token, CompileErrors> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let Some(&first) = bytes.first() else {
            return Ok(Token::End);
        };
        if first.is_ascii_digit() || (first == b'.' && bytes.get(1).is_some_and(u8::is_ascii_digit)) {
            return self.number();
        }
        if matches!(first, b'\'' | b'"') {
            return self.string(false);
        }
        if first == b'`' {
            return self.quoted();
        }
        if first == b'_' || first.is_ascii_alphabetic() {
            return self.word();
        }
        if let Some(mark) = MARKS.into_iter().find(|mark| rest.starts_with(mark)) {
            self.at += mark.len();
            return Ok(Token::Mark(mark));
        }
        let hint = match first {
            b'=' => "a comparison is written ==",
            b'&' => "and is written &&",
            b'|' => "or is written ||",
            _ => "this character has no meaning here",
        };
        self.fail(self.at, hint)
    }

    fn word(&mut self) -> Result<Token, CompileErrors> {
        let rest = self.rest();
        let end = rest.bytes().position(|byte| byte != b'_' && !byte.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let word = &rest[..end];
        let quoted = matches!(rest.as_bytes().get(end), Some(b'\'' | b'"'));
        match word {
            "r" | "R" if quoted => {
                self.at += end;
                self.string(true)
            }
            "b" | "B" | "br" | "rb" | "bR" | "Rb" | "Br" | "rB" | "BR" | "RB" if quoted => {
                self.fail(self.at, "bytes are not part of this language: use a string")
            }
            _ => {
                self.at += end;
                Ok(Token::Ident(word.to_owned()))
            }
        }
    }

    fn quoted(&mut self) -> Result<Token, CompileErrors> {
        let rest = &self.rest()[1..];
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-' | '/' | ' ');
        match rest.find(|letter| !allowed(letter)) {
            Some(end) if end > 0 && rest[end..].starts_with('`') => {
                self.at += end + 2;
                Ok(Token::Quoted(rest[..end].to_owned()))
            }
            _ => self.fail(self.at, "a field in backticks holds letters, digits, _ . - / and blanks"),
        }
    }

    fn number(&mut self) -> Result<Token, CompileErrors> {
        let start = self.at;
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let digits = |from: usize, hex: bool| {
            let is_digit = |byte: &u8| if hex { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() };
            from + bytes[from..].iter().take_while(|byte| is_digit(byte)).count()
        };
        let hex = bytes.starts_with(b"0x") || bytes.starts_with(b"0X");
        let mut end = if hex { digits(2, true) } else { digits(0, false) };
        let mut is_double = false;
        if !hex && bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
            is_double = true;
            end = digits(end + 1, false);
        }
        if !hex && matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + sign, false);
            if exponent > end + 1 + sign {
                is_double = true;
                end = exponent;
            }
        }
        if matches!(bytes.get(end), Some(b'u' | b'U')) {
            return self.fail(start, "unsigned numbers are not part of this language: leave the u out");
        }
        if bytes.get(end).is_some_and(|byte| *byte == b'_' || byte.is_ascii_alphanumeric()) {
            return self.fail(start, "a number must not run into a name");
        }
        self.at += end;
        let text = &rest[..end];
        let token = if is_double {
            text.parse().ok().filter(|value: &f64| value.is_finite()).map(Token::Double)
        } else if hex {
            u64::from_str_radix(&text[2..], 16).ok().map(Token::Int)
        } else {
            text.parse().ok().map(Token::Int)
        };
        match token {
            Some(token) => Ok(token),
            None => self.fail(start, "this number is out of range"),
        }
    }

    fn string(&mut self, raw: bool) -> Result<Token, CompileErrors> {
        let start = self.at;
        let rest = self.rest();
        let quote = if rest.starts_with("'''") || rest.starts_with("\"\"\"") { &rest[..3] } else { &rest[..1] };
        self.at += quote.len();
        let mut text = String::new();
        loop {
            let rest = self.rest();
            if rest.starts_with(quote) {
                self.at += quote.len();
                return Ok(Token::String(text));
            }
            match rest.chars().next() {
                None => return self.fail(start, "this string has no end"),
                Some('\n' | '\r') if quote.len() == 1 => {
                    return self.fail(start, "this string has no end on its line (use \\n, or three quotes)");
                }
                Some('\\') if !raw => text.push(self.escape()?),
                Some(letter) => {
                    self.at += letter.len_utf8();
                    text.push(letter);
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, CompileErrors> {
        let start = self.at;
        let rest = self.rest();
        let code = |from: usize, count: usize, radix: u32| {
            let digits = rest.get(from..from + count)?;
            let all_digits = digits.chars().all(|digit| digit.is_digit(radix));
            let code = if all_digits { u32::from_str_radix(digits, radix).ok()? } else { return None };
            Some((char::from_u32(code)?, from + count))
        };
        let plain = |letter: char| Some((letter, 2));
        let found = match rest.as_bytes().get(1) {
            Some(b'n') => plain('\n'),
            Some(b't') => plain('\t'),
            Some(b'r') => plain('\r'),
            Some(b'a') => plain('\x07'),
            Some(b'b') => plain('\x08'),
            Some(b'f') => plain('\x0c'),
            Some(b'v') => plain('\x0b'),
            Some(&byte @ (b'\\' | b'\'' | b'"' | b'`' | b'?')) => plain(char::from(byte)),
            Some(b'x' | b'X') => code(2, 2, 16),
            Some(b'u') => code(2, 4, 16),
            Some(b'U') => code(2, 8, 16),
            Some(b'0'..=b'3') => code(1, 3, 8),
            _ => None,
        };
        match found {
            Some((letter, length)) => {
                self.at += length;
                Ok(letter)
            }
            None => self.fail(start, "this is no escape (a backslash itself is written \\\\)"),
        }
    }
}
