//! Emoji and emoticons: which characters are pictures, and what each one feels like.
//!
//! An emoticon is read as the emoji it draws, so that one table (`data/emoji.txt`) says what all of them mean.

use std::collections::HashMap;

use crate::emotion::Emotion;

/// What a smile drawn with brackets stands for.
pub(crate) const SMILE: char = '🙂';

/// What a picture says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Picture {
    pub valence: f32,
    pub emotion: Option<Emotion>,
}

/// The pictures of `data/emoji.txt`: `emoji valence [emotion]`, a line each.
pub(crate) fn load() -> HashMap<char, Picture> {
    let mut pictures = HashMap::new();
    for line in include_str!("../data/emoji.txt").lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split_whitespace();
        let (Some(emoji), Some(valence)) = (fields.next(), fields.next()) else { continue };
        let (Some(first), Ok(valence)) = (emoji.chars().next(), valence.parse()) else { continue };
        pictures.insert(first, Picture { valence, emotion: fields.next().and_then(Emotion::from_name) });
    }
    pictures
}

/// Emoticons that begin with a sign, and the emoji each one draws; longer ones first.
const EMOTICONS: [(&str, char); 46] = [
    (":'-(", '😢'),
    (":'-)", '😂'),
    (">:-(", '😠'),
    (":-))", '😀'),
    (":-((", '😢'),
    (":'(", '😢'),
    (":,(", '😢'),
    (":')", '😂'),
    (">:(", '😠'),
    (":-)", '🙂'),
    (":-D", '😀'),
    (":-d", '😀'),
    (":-(", '☹'),
    (":-/", '😕'),
    (":-\\", '😕'),
    (":-|", '😐'),
    (":-P", '😛'),
    (":-p", '😛'),
    (":-*", '😘'),
    (":-O", '😮'),
    (";-)", '😉'),
    ("=((", '😢'),
    (":((", '😢'),
    ("^_^", '🙂'),
    ("^^", '🙂'),
    ("-_-", '😒'),
    (">_<", '😣'),
    ("</3", '💔'),
    ("<3", '❤'),
    (":))", '😀'),
    (":)", '🙂'),
    (":D", '😀'),
    (":]", '🙂'),
    (":(", '☹'),
    (":[", '☹'),
    (":/", '😕'),
    (":\\", '😕'),
    (":|", '😐'),
    (":P", '😛'),
    (":*", '😘'),
    (";)", '😉'),
    (";(", '😢'),
    ("=)", '🙂'),
    ("=(", '☹'),
    ("=D", '😀'),
    ("((", '☹'),
];

/// The emoticon at the start of `rest`: its emoji and its bytes. `free` says that nothing stands before it.
pub(crate) fn emoticon(rest: &str, free: bool) -> Option<(char, usize)> {
    let first = rest.as_bytes().first()?;
    if !matches!(first, b':' | b';' | b'=' | b'>' | b'<' | b'^' | b'-' | b'(') {
        return None;
    }
    let (drawn, emoji) = EMOTICONS.iter().find(|(drawn, _)| rest.starts_with(drawn))?;
    let after = rest[drawn.len()..].chars().next();
    let letter_ends = drawn.ends_with(|last: char| last.is_ascii_alphabetic() || last == '/');
    let runs_on = letter_ends && after.is_some_and(|next| next.is_alphanumeric() || next == '/');
    let needs_space = drawn.starts_with(['-', '^', '>']) && !free;
    if runs_on || needs_space {
        return None;
    }
    // More of the same bracket is the same smile: ":))))".
    let last = drawn.as_bytes()[drawn.len() - 1];
    let more = rest.as_bytes()[drawn.len()..].iter().take_while(|&&byte| byte == last && !last.is_ascii_alphabetic());
    Some((*emoji, drawn.len() + more.count()))
}

/// An emoticon written as a word: "xD".
pub(crate) fn lettered_emoticon(word: &str) -> Option<char> {
    matches!(word, "xD" | "XD" | "xd" | "xDD").then_some('😂')
}

/// Whether a character is an emoji.
pub(crate) fn is_emoji(letter: char) -> bool {
    matches!(letter,
        '\u{1f300}'..='\u{1f3fa}' | '\u{1f400}'..='\u{1faff}' | '\u{1f1e6}'..='\u{1f1ff}' | '\u{2600}'..='\u{27bf}'
        | '\u{2b00}'..='\u{2bff}' | '\u{231a}'..='\u{23ff}' | '\u{2190}'..='\u{21ff}' | '\u{1f000}'..='\u{1f2ff}')
}

/// What may follow an emoji and belongs to it.
pub(crate) fn is_modifier(letter: char) -> bool {
    matches!(letter, '\u{fe0e}' | '\u{fe0f}' | '\u{200d}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{20e3}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emoticons_are_read_as_emoji() {
        assert_eq!(emoticon(":)))) ok", true), Some(('😀', 5)));
        assert_eq!(emoticon(":Dont", true), None);
        assert_eq!(emoticon("://", true), None);
        assert_eq!(emoticon("<3", false), Some(('❤', 2)));
    }

    #[test]
    fn every_emoticon_draws_an_emoji_that_is_rated() {
        let pictures = load();
        assert!(pictures.len() > 150);
        for (drawn, emoji) in EMOTICONS {
            assert!(pictures.contains_key(&emoji), "{drawn} draws {emoji}");
        }
    }
}
