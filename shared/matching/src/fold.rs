//! Brings text to a form in which the same thing written differently is the same: case, accents, punctuation, Cyrillic
//! and Latin spellings, Arabic and Persian letters and digits. Everything here is total: any text gives an answer.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// The longest value that is kept, in characters: distances then fit one machine word, and a hostile value costs no more
/// than a long name.
pub const MAX_CHARACTERS: usize = 64;

/// How much of a raw value is read at all, in characters. Beyond it only padding is to be expected.
const MAX_READ: usize = 512;

/// Words in lower case without accents or punctuation, with one space between them; empty where nothing is left.
/// Cyrillic is written in Latin letters, so that `Иванов` and `Ivanov` meet; Persian and Arabic keep their own.
#[must_use]
pub fn words(raw: &str) -> String {
    let mut folded = String::with_capacity(raw.len().min(MAX_CHARACTERS));
    let mut count = 0;
    let mut gap = false;
    for character in raw.chars().take(MAX_READ).nfkd() {
        if is_combining_mark(character) || is_joiner(character) {
            continue;
        }
        if !character.is_alphanumeric() {
            gap = count > 0;
            continue;
        }
        if gap && count < MAX_CHARACTERS {
            folded.push(' ');
            count += 1;
        }
        gap = false;
        for lower in character.to_lowercase().filter(|lower| !is_combining_mark(*lower)) {
            count += push(&mut folded, lower, MAX_CHARACTERS.saturating_sub(count));
        }
        if count >= MAX_CHARACTERS {
            break;
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// As [`words`], without the spaces.
#[must_use]
pub fn squeezed(raw: &str) -> String {
    let mut folded = words(raw);
    folded.retain(|character| character != ' ');
    folded
}

/// The decimal digits of a text, of whichever script, in ASCII.
#[must_use]
pub fn digits(raw: &str) -> String {
    raw.chars().take(MAX_READ).filter_map(digit).take(MAX_CHARACTERS).collect()
}

/// Appends a lower-case character in its folded form, at most `room` characters of it. Answers how many.
fn push(folded: &mut String, character: char, room: usize) -> usize {
    if let Some(latin) = latin(character) {
        let kept = latin.len().min(room);
        folded.push_str(&latin[..kept]);
        return kept;
    }
    if room == 0 {
        return 0;
    }
    folded.push(digit(character).unwrap_or_else(|| persian(character)));
    1
}

/// Apostrophes and invisible joiners stand inside words and part nothing.
fn is_joiner(character: char) -> bool {
    matches!(
        character,
        '\'' | '’' | '‘' | 'ʼ' | '`' | '´' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{ad}' | 'ـ' | '\u{feff}'
    )
}

/// A decimal digit in ASCII.
fn digit(character: char) -> Option<char> {
    let zero = match character {
        '0'..='9' => return Some(character),
        '٠'..='٩' => '٠',
        '۰'..='۹' => '۰',
        '०'..='९' => '०',
        _ => return None,
    };
    char::from_digit(u32::from(character) - u32::from(zero), 10)
}

/// Letters that Arabic and Persian keyboards give different codes.
fn persian(character: char) -> char {
    match character {
        'ي' | 'ى' => 'ی',
        'ك' => 'ک',
        'ة' => 'ه',
        'أ' | 'إ' | 'ٱ' => 'ا',
        'ؤ' => 'و',
        other => other,
    }
}

/// Letters with a customary spelling in plain Latin ones. Accented letters need no entry: decomposition has parted them.
fn latin(character: char) -> Option<&'static str> {
    Some(match character {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'ł' => "l",
        'þ' => "th",
        'ı' => "i",
        'ħ' => "h",
        'а' => "a",
        'б' => "b",
        'в' => "v",
        'г' | 'ґ' => "g",
        'д' => "d",
        'е' | 'є' => "e",
        'ж' => "zh",
        'з' => "z",
        'и' | 'і' => "i",
        'к' => "k",
        'л' => "l",
        'м' => "m",
        'н' => "n",
        'о' => "o",
        'п' => "p",
        'р' => "r",
        'с' => "s",
        'т' => "t",
        'у' | 'ў' => "u",
        'ф' => "f",
        'х' => "kh",
        'ц' => "ts",
        'ч' => "ch",
        'ш' => "sh",
        'щ' => "shch",
        'ъ' | 'ь' => "",
        'ы' => "y",
        'э' => "e",
        'ю' => "yu",
        'я' => "ya",
        'ј' => "j",
        'љ' => "lj",
        'њ' => "nj",
        'ћ' => "c",
        'ђ' => "d",
        'џ' => "dz",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn case_accents_and_punctuation_do_not_tell_apart() {
        assert_eq!(words("  José-María O'Brien, Jr. "), "jose maria obrien jr");
        assert_eq!(words("ȘTEFĂNESCU Țepeș"), "stefanescu tepes");
        assert_eq!(words("Straße 5"), "strasse 5");
        assert_eq!(squeezed("Pridham Street"), "pridhamstreet");
    }

    #[test]
    fn cyrillic_meets_its_latin_spelling() {
        assert_eq!(words("Иванов"), "ivanov");
        assert_eq!(words("Семён Щукин"), words("Семен Щукин"));
    }

    #[test]
    fn persian_and_arabic_keyboards_meet() {
        assert_eq!(words("علي كريمي"), words("علی کریمی"));
        assert_eq!(words("۱۲"), "12");
        assert_eq!(squeezed("علی‌رضا"), squeezed("علی رضا"));
        assert_eq!(digits("۰۹۱۲-٣٤٥"), "0912345");
    }

    #[test]
    fn what_holds_no_letters_is_empty() {
        for text in ["", "   ", "—…!", "🎉🎉", "\u{200f}\u{200e}", "\u{301}"] {
            assert_eq!(words(text), "", "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn folding_is_total_bounded_and_a_fixed_point(text in "\\PC{0,200}") {
            let folded = words(&text);
            prop_assert!(folded.chars().count() <= MAX_CHARACTERS);
            prop_assert!(!folded.starts_with(' ') && !folded.ends_with(' ') && !folded.contains("  "));
            prop_assert_eq!(words(&folded), folded);
        }
    }
}
