//! One spelling for what readers take as one word.
//!
//! Customers write without diacritics, with Arabic instead of Persian letters, with ё or е, in capitals, full width,
//! decomposed, with letters drawn out. Everything downstream compares folded words only, so that each of these
//! differences is settled here, once.

/// A word after folding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// Lower case, without diacritics, marks and joiners; runs of three or more letters are cut to two.
    pub text: String,
    /// A letter stood three times or more in a row ("soooo").
    pub elongated: bool,
    /// Written in capitals, at least two of them.
    pub shouted: bool,
}

/// Letters kept of one word: no word of the four languages is longer, and hostile ones cost no more than this.
pub const LONGEST_WORD: usize = 40;

/// Folds one word.
pub fn fold_word(word: &str) -> Folded {
    let mut folder = Folder::default();
    // Marks are dropped, so that letters, not characters, are counted; the second bound keeps a heap of marks cheap.
    for letter in word.chars().take(LONGEST_WORD * 8) {
        if folder.length >= LONGEST_WORD {
            break;
        }
        folder.take(letter);
    }
    folder.finish()
}

#[derive(Default)]
struct Folder {
    text: String,
    length: usize,
    last: Option<char>,
    run: usize,
    elongated: bool,
    upper: usize,
    lower: usize,
    apostrophe: bool,
    latin: bool,
    cyrillic: bool,
}

impl Folder {
    fn take(&mut self, letter: char) {
        if letter.is_ascii_lowercase() {
            self.lower += 1;
            return self.push(letter);
        }
        if letter == '\u{306}' && self.last == Some('и') {
            // A decomposed й.
            self.text.pop();
            self.text.push('й');
            self.last = Some('й');
            return;
        }
        if is_mark(letter) {
            return;
        }
        if letter.is_uppercase() {
            self.upper += 1;
        } else if letter.is_lowercase() {
            self.lower += 1;
        }
        for lowered in widened(letter).to_lowercase() {
            if !is_mark(lowered) {
                self.push(simplified(lowered));
            }
        }
    }

    fn push(&mut self, letter: char) {
        self.latin |= letter.is_ascii_lowercase();
        self.cyrillic |= ('\u{400}'..='\u{4ff}').contains(&letter);
        self.apostrophe |= letter == '\'';
        if self.last == Some(letter) {
            self.run += 1;
            if self.run >= 3 && !letter.is_ascii_digit() {
                self.elongated = true;
                return;
            }
        } else {
            self.last = Some(letter);
            self.run = 1;
        }
        self.length += 1;
        self.text.push(letter);
    }

    fn finish(self) -> Folded {
        let mut text = self.text;
        if self.apostrophe {
            text = without_apostrophe(&text);
        }
        if self.latin && self.cyrillic {
            text = text.chars().map(cyrillic_twin).collect();
        }
        Folded { text, elongated: self.elongated, shouted: self.upper >= 2 && self.lower == 0 }
    }
}

/// "don't" is "dont", "it's" is "it": what English appends is no part of the word, save the negation.
fn without_apostrophe(word: &str) -> String {
    if let Some(base) = word.strip_suffix("n't") {
        return format!("{base}nt");
    }
    for clitic in ["'s", "'ll", "'d", "'ve", "'re", "'m"] {
        if let Some(base) = word.strip_suffix(clitic) {
            return base.replace('\'', "");
        }
    }
    word.replace('\'', "")
}

/// Drawn-out letters cut to one: "coooool" was folded to "cool", "baaaad" to "baad" and from there to "bad".
pub fn squeezed(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut last = None;
    for letter in word.chars() {
        if last != Some(letter) {
            out.push(letter);
        }
        last = Some(letter);
    }
    out
}

/// What is written but not read as a letter: combining marks, joiners, direction marks, the tatweel.
pub fn is_mark(letter: char) -> bool {
    matches!(letter,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{610}'..='\u{61a}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}'
        | '\u{6d6}'..='\u{6ed}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}')
}

/// Full-width letters as ordinary ones.
fn widened(letter: char) -> char {
    match letter {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(letter as u32 - 0xfee0).unwrap_or(letter),
        _ => letter,
    }
}

fn simplified(letter: char) -> char {
    match letter {
        'ё' | 'ѐ' => 'е',
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ǎ' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => 'e',
        'ì'..='ï' | 'ĩ'..='ı' => 'i',
        'ñ' | 'ń' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō'..='ő' => 'o',
        'ù'..='ü' | 'ũ'..='ų' => 'u',
        'ý' | 'ÿ' => 'y',
        'ş' | 'ș' | 'ś' | 'š' => 's',
        'ţ' | 'ț' | 'ť' => 't',
        'ź' | 'ż' | 'ž' => 'z',
        'ğ' => 'g',
        '’' | '‘' | 'ʼ' | '`' | '´' | '＇' => '\'',
        'ي' | 'ى' | 'ې' | 'ئ' => 'ی',
        'ك' => 'ک',
        'ة' | 'ۀ' | 'ە' => 'ه',
        'أ' | 'إ' | 'آ' | 'ٱ' => 'ا',
        'ؤ' => 'و',
        '٠'..='٩' => char::from_digit(letter as u32 - '٠' as u32, 10).unwrap_or(letter),
        '۰'..='۹' => char::from_digit(letter as u32 - '۰' as u32, 10).unwrap_or(letter),
        _ => letter,
    }
}

/// A Latin letter that looks like a Cyrillic one, inside a Cyrillic word.
fn cyrillic_twin(letter: char) -> char {
    match letter {
        'a' => 'а',
        'e' => 'е',
        'o' => 'о',
        'p' => 'р',
        'c' => 'с',
        'x' => 'х',
        'y' => 'у',
        'k' => 'к',
        'm' => 'м',
        't' => 'т',
        'h' => 'н',
        'b' => 'в',
        _ => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_word_fold_together() {
        for (left, right) in [
            ("Mulțumesc", "multumesc"),
            ("mulţumesc", "mulțumesc"),
            ("ещё", "еще"),
            ("كيفيت", "کیفیت"),
            ("می‌خواهم", "میخواهم"),
            ("ＧＲＥＡＴ", "great"),
            ("плoхo", "плохо"),
            ("don’t", "dont"),
            ("it's", "it"),
            ("и\u{306}", "й"),
        ] {
            assert_eq!(fold_word(left).text, fold_word(right).text, "{left} and {right}");
        }
    }

    #[test]
    fn drawn_out_and_shouted_words_are_marked() {
        let folded = fold_word("SOOOOO");
        assert_eq!(folded.text, "soo");
        assert!(folded.elongated && folded.shouted);
        assert_eq!(squeezed("soo"), "so");
        assert!(!fold_word("I").shouted);
    }

    #[test]
    fn a_heap_of_marks_costs_no_more_than_a_word() {
        let heap = format!("a{}", "\u{301}".repeat(100_000));
        assert_eq!(fold_word(&heap).text, "a");
        assert!(fold_word(&"xy".repeat(100_000)).text.chars().count() <= LONGEST_WORD);
    }
}
