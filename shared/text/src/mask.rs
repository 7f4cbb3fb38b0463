//! What must not be stored is taken out of a text before anybody keeps it: card numbers, bank accounts, the codes on a
//! card's back, PINs, passwords, keys and tokens, the numbers that states give to people.
//!
//! Customers paste such things into comments and chats. Each is replaced by a word that says what stood there. What only
//! looks alike stays: phone numbers, order numbers, dates, UUIDs. Masking a masked text changes nothing.
//!
//! - `[card]`: 13 to 19 digits by whatever separators whose check digit is right (Luhn), in any of the digits that the four
//!   languages use.
//! - `[iban]`: an account number whose check digits are right (ISO 13616), with or without blanks.
//! - `[cvv]`: three or four digits after the word for them.
//! - `[secret]`: a long string of letters of both cases and digits, or a long hexadecimal one; and what stands after the
//!   word for a password, a PIN or a one-time code, in any of the four languages: four to eight digits after the latter,
//!   after the former what has a digit or a sign in it, or is pointed at by a colon or quotation marks.
//! - `[ssn]`: a social security number of the United States (`ddd-dd-dddd`, without the parts that are never given out).
//! - `[cnp]`: a personal numeric code of Romania: 13 digits with a day, a county and the right check digit.

mod personal;
mod spoken;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

/// The words that masking puts in a text.
pub(crate) const WORDS: [&str; 6] = ["[card]", "[iban]", "[cvv]", "[secret]", "[ssn]", "[cnp]"];

/// Replaces what must not be stored. The text itself where there is nothing.
///
/// ```
/// assert_eq!(rapport_text::mask("My card 4111-1111-1111-1111, cvv 737"), "My card [card], cvv [cvv]");
/// ```
pub fn mask(text: &str) -> Cow<'_, str> {
    let Cow::Owned(mut masked) = once(text) else { return Cow::Borrowed(text) };
    // What stood fast to something that is gone now may be a word of its own: `4111…cvv 000`.
    for _ in 1..MOST_PASSES {
        match once(&masked) {
            Cow::Owned(again) => masked = again,
            Cow::Borrowed(_) => break,
        }
    }
    Cow::Owned(masked)
}

/// How often a text is gone through: a hostile one could be made to need it for each of its words.
const MOST_PASSES: usize = 8;

fn once(text: &str) -> Cow<'_, str> {
    // Everything that is masked has a digit in it, or is pointed at.
    if !text.chars().any(|letter| digit(letter).is_some() || ":=\"'`«“„：".contains(letter)) {
        return Cow::Borrowed(text);
    }
    let letters: Vec<(usize, char)> = text.char_indices().collect();
    let mut spans = Vec::new();
    ibans(&letters, &mut spans);
    secrets(&letters, &mut spans);
    numbers(&letters, &mut spans);
    spoken::find(&letters, &mut spans);
    if spans.is_empty() {
        return Cow::Borrowed(text);
    }
    spans.sort_by_key(|span: &Span| (span.start, std::cmp::Reverse(span.end)));
    let mut masked = String::with_capacity(text.len());
    let (mut at, mut kept) = (0, 0);
    let byte = |index: usize| letters.get(index).map_or(text.len(), |(byte, _)| *byte);
    for span in spans {
        if span.start < at {
            // What overlaps goes with what began before it, to its end.
            at = at.max(span.end);
            kept = kept.max(byte(at));
            continue;
        }
        masked.push_str(&text[kept..byte(span.start)]);
        masked.push_str(span.word);
        at = span.end;
        kept = byte(at);
    }
    masked.push_str(&text[kept..]);
    Cow::Owned(masked)
}

/// Characters to replace, by their places.
struct Span {
    start: usize,
    end: usize,
    word: &'static str,
}

/// The value of a digit: ASCII, Persian, Arabic or full width.
fn digit(letter: char) -> Option<u32> {
    let base = match letter {
        '0'..='9' => '0',
        '۰'..='۹' => '۰',
        '٠'..='٩' => '٠',
        '０'..='９' => '０',
        _ => return None,
    };
    Some(u32::from(letter) - u32::from(base))
}

/// What may stand between the digits of one number. Commas, semicolons and brackets part numbers from each other, a plus
/// begins one.
fn separates(letter: char) -> bool {
    letter.is_whitespace()
        || is_invisible(letter)
        || matches!(letter, '-' | '.' | '/' | '_' | '*' | ':' | '|' | '\\' | '~' | '=' | '#' | '·' | '•' | '−' | '٫')
        || ('\u{2010}'..='\u{2015}').contains(&letter)
        || matches!(letter, '﹘' | '﹣' | '－' | 'ـ')
}

fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// How many of those at most.
const WIDEST_GAP: usize = 3;

/// The lengths of card numbers.
const CARD: std::ops::RangeInclusive<usize> = 13..=19;

/// Digits that stand together.
struct Group {
    start: usize,
    end: usize,
    digits: Vec<u32>,
}

/// Goes through the numbers of a text: each stretch of digits that may belong together is looked at as one.
fn numbers(letters: &[(usize, char)], spans: &mut Vec<Span>) {
    let mut run: Vec<Group> = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        let Some(first) = digit(letters[at].1) else {
            at += 1;
            continue;
        };
        let mut group = Group { start: at, end: at + 1, digits: vec![first] };
        while let Some(next) = letters.get(group.end).and_then(|(_, letter)| digit(*letter)) {
            group.digits.push(next);
            group.end += 1;
        }
        at = group.end;
        let joined = run.last().is_some_and(|last| {
            let gap = &letters[last.end..group.start];
            let seen = gap.iter().filter(|(_, letter)| !is_invisible(*letter)).count();
            seen <= WIDEST_GAP && gap.len() <= 4 * WIDEST_GAP && gap.iter().all(|(_, letter)| separates(*letter))
        });
        if !joined {
            numbers_of(letters, &run, spans);
            run.clear();
        }
        run.push(group);
    }
    numbers_of(letters, &run, spans);
}

fn numbers_of(letters: &[(usize, char)], run: &[Group], spans: &mut Vec<Span>) {
    // Of two that begin and end alike the first told wins: a personal code may pass for a card.
    personal::numeric_code(letters, run, spans);
    personal::social_security(letters, run, spans);
    cards_of(letters, run, spans);
}

/// Looks at every stretch of whole groups that is as long as a card's number; what several of them cover goes as one.
fn cards_of(letters: &[(usize, char)], run: &[Group], spans: &mut Vec<Span>) {
    let mut open: Option<(usize, usize)> = None;
    for from in 0..run.len() {
        let (mut digits, mut longest) = (Vec::with_capacity(20), None);
        for (to, group) in run.iter().enumerate().skip(from) {
            if digits.len() + group.digits.len() > *CARD.end() {
                break;
            }
            digits.extend_from_slice(&group.digits);
            if CARD.contains(&digits.len()) && luhn(&digits) && !is_other(letters, &run[from..=to]) {
                longest = Some(to);
            }
        }
        let Some(to) = longest else { continue };
        open = match open {
            Some((start, end)) if run[from].start < end => Some((start, end.max(run[to].end))),
            before => {
                spans.extend(before.map(|(start, end)| Span { start, end, word: "[card]" }));
                Some((run[from].start, run[to].end))
            }
        };
    }
    spans.extend(open.map(|(start, end)| Span { start, end, word: "[card]" }));
}

/// Whether the last digit is the one that Luhn's rule asks for. Nothing but noughts is no number.
fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| if place % 2 == 0 { *digit } else { digit * 2 - if *digit > 4 { 9 } else { 0 } })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}

/// Whether the groups are an instant by the calendar and the clock, or a phone number that begins with a plus.
fn is_other(letters: &[(usize, char)], groups: &[Group]) -> bool {
    let value = |group: &Group| group.digits.iter().fold(0, |value, digit| value * 10 + digit);
    let lengths: Vec<usize> = groups.iter().map(|group| group.digits.len()).collect();
    let clock = |rest: &[Group]| rest.iter().zip([23, 59, 59]).all(|(group, most)| value(group) <= most);
    let day = |day: &Group, month: &Group| (1..=31).contains(&value(day)) && (1..=12).contains(&value(month));
    match lengths.as_slice() {
        [4, 2, 2, 2, 2, 2] => return day(&groups[2], &groups[1]) && clock(&groups[3..]),
        [2, 2, 4, 2, 2, 2] => {
            let either = day(&groups[0], &groups[1]) || day(&groups[1], &groups[0]);
            return either && clock(&groups[3..]);
        }
        _ => {}
    }
    let Some(first) = groups.first() else { return false };
    let plus = first.start > 0 && letters[first.start - 1].1 == '+';
    // The longest phone numbers in use have 14 digits; no card in use has so few.
    plus && lengths.iter().sum::<usize>() <= 14
}

/// The lengths of account numbers.
const IBAN: std::ops::RangeInclusive<usize> = 15..=34;

fn ibans(letters: &[(usize, char)], spans: &mut Vec<Span>) {
    let mut at = 0;
    while at < letters.len() {
        let begins = letters[at].1.is_ascii_alphabetic()
            && (at == 0 || !letters[at - 1].1.is_alphanumeric())
            && letters.get(at + 1).is_some_and(|(_, letter)| letter.is_ascii_alphabetic());
        match begins.then(|| iban(letters, at)).flatten() {
            Some(end) => {
                spans.push(Span { start: at, end, word: "[iban]" });
                at = end;
            }
            None => at += 1,
        }
    }
}

/// Where the longest account number that begins at a place ends.
fn iban(letters: &[(usize, char)], from: usize) -> Option<usize> {
    // The country and the check digits go last: their remainder is added to that of each length.
    let (mut head, mut rest, mut read, mut gap) = (Vec::new(), 0_u64, 0_usize, 0_usize);
    let mut longest = None;
    for (at, (_, letter)) in letters.iter().enumerate().skip(from) {
        let value = match (digit(*letter), letter) {
            (Some(value), _) => u64::from(value),
            (None, 'A'..='Z') => u64::from(u32::from(*letter) - 55),
            (None, 'a'..='z') => u64::from(u32::from(*letter) - 87),
            _ if separates(*letter) && gap < WIDEST_GAP => {
                gap += 1;
                continue;
            }
            _ => break,
        };
        gap = 0;
        if read < 4 {
            if (read < 2) != letter.is_ascii_alphabetic() {
                return None;
            }
            head.push(value);
        } else {
            rest = with(rest, value);
        }
        read += 1;
        if read > *IBAN.end() {
            break;
        }
        let ends = letters.get(at + 1).is_none_or(|(_, next)| !next.is_alphanumeric());
        if ends && IBAN.contains(&read) && head.iter().fold(rest, |rest, value| with(rest, *value)) == 1 {
            longest = Some(at + 1);
        }
    }
    longest
}

/// The remainder by 97 of a number with another digit, or letter as two digits, behind it.
const fn with(rest: u64, value: u64) -> u64 {
    if value > 9 { (rest * 100 + value) % 97 } else { (rest * 10 + value) % 97 }
}

/// Persian letters for the Arabic ones that many keyboards have.
const fn persian(letter: char) -> char {
    match letter {
        'ي' => 'ی',
        'ك' => 'ک',
        '\u{200c}' | '\u{a0}' => ' ',
        other => other,
    }
}

/// From how many characters on a string is taken for a secret.
const SECRET: usize = 20;
const HEXADECIMAL: usize = 32;

fn secrets(letters: &[(usize, char)], spans: &mut Vec<Span>) {
    let mut at = 0;
    while at < letters.len() {
        let length = letters[at..].iter().take_while(|(_, letter)| letter.is_ascii_alphanumeric()).count();
        if length == 0 {
            at += 1;
            continue;
        }
        let piece = &letters[at..at + length];
        let count = |is: fn(&char) -> bool| piece.iter().filter(|(_, letter)| is(letter)).count();
        let (upper, lower) = (count(char::is_ascii_uppercase), count(char::is_ascii_lowercase));
        let digits = count(char::is_ascii_digit);
        let mixed = length >= SECRET && upper > 0 && lower > 0 && digits > 1;
        let hexadecimal =
            length >= HEXADECIMAL && digits > 1 && digits < length && count(char::is_ascii_hexdigit) == length;
        if !(mixed || hexadecimal) {
            at += length;
            continue;
        }
        let part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '+' | '=' | '.');
        let before = letters[..at].iter().rev().take_while(|(_, letter)| part(*letter)).count();
        let mut end = at + length + letters[at + length..].iter().take_while(|(_, letter)| part(*letter)).count();
        while end > at + length && matches!(letters[end - 1].1, '.' | '-') {
            end -= 1;
        }
        // What another secret before took already is not looked at again: each character is read a few times at most.
        let floor = spans.last().map_or(0, |span: &Span| span.end);
        spans.push(Span { start: (at - before).max(floor.min(at)), end, word: "[secret]" });
        at = end;
    }
}
