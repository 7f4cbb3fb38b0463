//! Numbers that states give to people: the social security number of the United States, the personal numeric code of
//! Romania.

use super::{Group, Span};

/// Whether three groups are written as a social security number is and may be one: `ddd-dd-dddd`, with none of the parts
/// that are never given out.
pub(super) fn social_security(letters: &[(usize, char)], run: &[Group], spans: &mut Vec<Span>) {
    for (at, groups) in run.windows(3).enumerate() {
        let lengths = [groups[0].digits.len(), groups[1].digits.len(), groups[2].digits.len()];
        if lengths != [3, 2, 4] {
            continue;
        }
        let dash = |before: &Group, after: &Group| match &letters[before.end..after.start] {
            [(_, dash)] => matches!(dash, '-' | '\u{2010}'..='\u{2013}' | '\u{2212}').then_some(*dash),
            _ => None,
        };
        let between = (dash(&groups[0], &groups[1]), dash(&groups[1], &groups[2]));
        let area = number(&groups[0]);
        let given = !matches!(area, 0 | 666 | 900..) && number(&groups[1]) != 0 && number(&groups[2]) != 0;
        let (start, end) = (groups[0].start, groups[2].end);
        let foreign = is_dialled(letters, &run[..=at]);
        if between.0.is_some() && between.0 == between.1 && given && !foreign && stands_alone(letters, start, end) {
            spans.push(Span { start, end, word: "[ssn]" });
        }
    }
}

/// Looks for a personal numeric code among groups of digits that stand together.
pub(super) fn numeric_code(letters: &[(usize, char)], run: &[Group], spans: &mut Vec<Span>) {
    for from in 0..run.len() {
        let mut digits = Vec::with_capacity(13);
        for group in &run[from..] {
            if digits.len() + group.digits.len() > 13 {
                break;
            }
            digits.extend_from_slice(&group.digits);
            let (start, end) = (run[from].start, group.end);
            if is_numeric_code(&digits) && !is_dialled(letters, &run[..=from]) && stands_alone(letters, start, end) {
                spans.push(Span { start, end, word: "[cnp]" });
            }
        }
    }
}

/// Sex and century, a day of the calendar, a county, a number, and the check digit (Legea 105/1996 and its rules).
pub(super) fn is_numeric_code(digits: &[u32]) -> bool {
    const WEIGHTS: [u32; 12] = [2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9];
    let [sex, .., check] = *digits else { return false };
    if digits.len() != 13 || sex == 0 {
        return false;
    }
    let pair = |at: usize| digits[at] * 10 + digits[at + 1];
    let (month, day, county) = (pair(3), pair(5), pair(7));
    let longest = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let dated = (1..=12).contains(&month) && (1..=longest).contains(&day);
    let placed = matches!(county, 1..=52 | 70 | 80..=83);
    let sum: u32 = WEIGHTS.iter().zip(digits).map(|(weight, digit)| weight * digit).sum();
    let expected = if sum % 11 == 10 { 1 } else { sum % 11 };
    dated && placed && expected == check
}

fn number(group: &Group) -> u32 {
    group.digits.iter().fold(0, |value, digit| value * 10 + digit)
}

/// How many groups back the plus of a phone number may stand.
const DIALLED: usize = 4;

/// Whether a plus makes a phone number of what the last of these groups is in.
fn is_dialled(letters: &[(usize, char)], run: &[Group]) -> bool {
    let plus = |group: &Group| group.start > 0 && letters[group.start - 1].1 == '+';
    run.iter().rev().take(DIALLED).any(plus)
}

/// Whether it is no part of something longer: an order number of several parts, a word.
fn stands_alone(letters: &[(usize, char)], start: usize, end: usize) -> bool {
    let joins = |letter: char| matches!(letter, '-' | '/' | '.' | '_' | '+' | '#' | '\u{2010}'..='\u{2013}');
    let before = start.checked_sub(1).map(|at| letters[at].1);
    let after = letters.get(end).map(|(_, letter)| *letter);
    let further = letters.get(end + 1).is_some_and(|(_, letter)| letter.is_alphanumeric());
    !before.is_some_and(|letter| letter.is_alphanumeric() || joins(letter))
        && !after.is_some_and(|letter| letter.is_alphanumeric() || (joins(letter) && further))
}
