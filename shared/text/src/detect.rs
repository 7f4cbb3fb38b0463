//! Which language a text is in, down to two words, and in Latin letters too.
//!
//! The script decides what it can. Among texts in Latin letters each language is scored by its function words, its
//! lexicon, its letters (ă, ș) and by how likely its three-letter sequences are, learnt from its own word lists. A language
//! of which no word is there is not told, whatever the letters.

use std::collections::HashMap;

use crate::language::Language;
use crate::pack::Pack;
use crate::stem::stem;
use crate::token::Token;
use crate::translit;

/// The language of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// `None` for a text without words of any of the four.
    pub language: Option<Language>,
    /// From 0 to 1.
    pub confidence: f32,
    /// Russian or Persian in Latin letters.
    pub transliterated: bool,
}

/// What tells languages apart.
#[derive(Clone, Debug)]
pub(crate) struct Detector {
    trigrams: Vec<Trigrams>,
}

/// Words looked at: more do not make it surer.
const WORDS_READ: usize = 60;

/// Words after which reading ends where one language is far ahead.
const WORDS_ENOUGH: usize = 7;

/// The share of known words from which on a text is surely in their language: of names and words of trade there are
/// many, of one that is foreign and looks like ours few.
const SHARE_ENOUGH: f32 = 0.25;

impl Detector {
    pub(crate) fn new(packs: &[Pack], finglish: &HashMap<String, Box<str>>, finglish_words: &[String]) -> Detector {
        debug_assert!(!finglish.is_empty());
        let trigrams = packs
            .iter()
            .map(|pack| match pack.language {
                Language::Russian => Trigrams::of(
                    pack.samples
                        .iter()
                        .map(|word| latin_of(word))
                        .chain(pack.stops.iter().flat_map(|word| [latin_of(word), latin_of(word), latin_of(word)])),
                ),
                Language::Persian => Trigrams::of(finglish_words.iter().cloned()),
                Language::English | Language::Romanian => Trigrams::of(
                    pack.samples.iter().cloned().chain(pack.stops.iter().flat_map(|word| vec![word.clone(); 3])),
                ),
            })
            .collect();
        Detector { trigrams }
    }

    pub(crate) fn detect(
        &self,
        text: &str,
        tokens: &[Token],
        packs: &[Pack],
        finglish: &HashMap<String, Box<str>>,
    ) -> Detection {
        let (mut latin, mut cyrillic, mut arabic, mut foreign) = (0_usize, 0_usize, 0_usize, 0_usize);
        for token in tokens.iter().filter(|token| token.is_word()).take(WORDS_READ) {
            match token.form.chars().next() {
                Some('a'..='z') => latin += 1,
                Some('\u{400}'..='\u{4ff}') => cyrillic += 1,
                Some('\u{600}'..='\u{6ff}' | '\u{fb50}'..='\u{feff}') => arabic += 1,
                _ => foreign += 1,
            }
        }
        let all = latin + cyrillic + arabic + foreign;
        if cyrillic > 0 && cyrillic * 3 >= all && cyrillic >= arabic {
            return native(Language::Russian, cyrillic, all, tokens, "іїєґўћђљњџ");
        }
        if arabic > 0 && arabic * 3 >= all {
            return native(Language::Persian, arabic, all, tokens, "ٹڈڑےںھۆێڕڵڤ");
        }
        if latin * 2 < all || latin == 0 {
            return Detection { language: None, confidence: 0.0, transliterated: false };
        }
        self.latin(text, tokens, packs, finglish)
    }

    fn latin(&self, text: &str, tokens: &[Token], packs: &[Pack], finglish: &HashMap<String, Box<str>>) -> Detection {
        let mut scores = [0.3_f32, -1.5, -1.5, 0.0];
        let (mut known, mut words) = ([0_usize; 4], 0_usize);
        for (read, token) in tokens.iter().filter(|token| token.is_word()).take(WORDS_READ).enumerate() {
            words += 1;
            for (at, (evidence, is_known)) in self.evidence(token, packs, finglish).into_iter().enumerate() {
                scores[at] += evidence;
                known[at] += usize::from(is_known);
            }
            if read >= WORDS_ENOUGH && is_decided(&scores) {
                break;
            }
        }
        let marks = text.chars().take(2_000).filter(|letter| "ăâîșțşţĂÂÎȘȚŞŢ".contains(*letter)).take(4).count();
        scores[Language::Romanian.index()] += 4.0 * marks as f32;
        known[Language::Romanian.index()] += marks;
        // Letters in a row alone make no language of what has none of its words.
        let spoken = (0..4).filter(|&at| known[at] > 0);
        let Some(best) = spoken.max_by(|&one, &other| scores[one].total_cmp(&scores[other])) else {
            return Detection { language: None, confidence: 0.0, transliterated: false };
        };
        let total: f32 = scores.iter().map(|score| (score - scores[best]).exp()).sum();
        let share = (known[best] as f32 / words.max(1) as f32 / SHARE_ENOUGH).min(1.0);
        let language = Language::ALL[best];
        let transliterated = matches!(language, Language::Russian | Language::Persian);
        Detection { language: Some(language), confidence: share / total, transliterated }
    }

    /// What one word says for each language, and whether it is a word of it.
    fn evidence(&self, token: &Token, packs: &[Pack], finglish: &HashMap<String, Box<str>>) -> [(f32, bool); 4] {
        let word = token.form.as_str();
        let mut evidence = [0.0; 4];
        let mut letters = [0.0; 4];
        for (language, trigrams) in Language::ALL.into_iter().zip(&self.trigrams) {
            letters[language.index()] = trigrams.likelihood(word);
            let pack = &packs[language.index()];
            evidence[language.index()] = match language {
                Language::English | Language::Romanian => native_evidence(pack, word),
                Language::Russian => russian_evidence(pack, word),
                Language::Persian => {
                    // A key of one letter ("aaa") is no word.
                    let key = translit::persian_key(word);
                    let known = key.len() > 1 && finglish.contains_key(&key);
                    if known { if word.len() > 3 { 2.2 } else { 1.4 } } else { 0.0 }
                }
            };
        }
        let highest = letters.iter().copied().fold(f32::MIN, f32::max);
        std::array::from_fn(|at| {
            let is_known = evidence[at] > 0.0 && word.len() > 1;
            (evidence[at] + (letters[at] - highest).max(-3.0) * 0.7, is_known)
        })
    }
}

fn is_decided(scores: &[f32; 4]) -> bool {
    let best = scores.iter().copied().fold(f32::MIN, f32::max);
    scores.iter().filter(|&&score| best - score < 6.0).count() == 1
}

fn native_evidence(pack: &Pack, word: &str) -> f32 {
    if pack.stops.contains(word) {
        return if word.len() > 1 { 2.0 } else { 0.7 };
    }
    if word.len() > 2 && pack.rates(word, &stem(pack.language, word)) { 1.3 } else { 0.0 }
}

fn russian_evidence(pack: &Pack, word: &str) -> f32 {
    let cyrillic = translit::to_cyrillic(word);
    if word.len() > 1 && pack.stops.contains(&cyrillic) {
        return 1.8;
    }
    let stem = stem(Language::Russian, &cyrillic);
    if word.len() > 3 && pack.roman.contains_key(&translit::russian_key(&stem)) { 1.6 } else { 0.0 }
}

/// A language that its script tells; letters that it does not have make it less sure.
fn native(language: Language, own: usize, all: usize, tokens: &[Token], strange: &str) -> Detection {
    let words = tokens.iter().filter(|token| token.is_word()).take(WORDS_READ);
    let foreign = words.filter(|token| token.form.chars().any(|letter| strange.contains(letter))).count();
    let share = (own - foreign.min(own)) as f32 / all.max(1) as f32;
    Detection { language: Some(language), confidence: (0.5 + 0.5 * share).min(0.99), transliterated: false }
}

/// How a Russian word is commonly written in Latin letters.
fn latin_of(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for letter in word.chars() {
        let index = "абвгдежзийклмнопрстуфхцчшщъыьэюя".chars().position(|known| known == letter);
        const LATIN: [&str; 32] = [
            "a", "b", "v", "g", "d", "e", "zh", "z", "i", "y", "k", "l", "m", "n", "o", "p", "r", "s", "t", "u", "f",
            "h", "ts", "ch", "sh", "sch", "", "y", "", "e", "yu", "ya",
        ];
        if let Some(latin) = index.and_then(|index| LATIN.get(index)) {
            out.push_str(latin);
        }
    }
    out
}

/// How likely three letters in a row are, as logarithms; 27 signs, the first of which is the word's edge.
#[derive(Clone, Debug)]
struct Trigrams {
    table: Vec<f32>,
}

impl Trigrams {
    fn of(words: impl Iterator<Item = String>) -> Trigrams {
        let mut counts = vec![0.4_f32; 27 * 27 * 27];
        for word in words {
            each_trigram(&word, |at| counts[at] += 1.0);
        }
        for pair in counts.chunks_mut(27) {
            let total: f32 = pair.iter().sum();
            pair.iter_mut().for_each(|count| *count = (*count / total).ln());
        }
        Trigrams { table: counts }
    }

    fn likelihood(&self, word: &str) -> f32 {
        let mut sum = 0.0;
        each_trigram(word, |at| sum += self.table[at]);
        sum
    }
}

fn each_trigram(word: &str, mut found: impl FnMut(usize)) {
    let sign = |byte: u8| usize::from(byte.saturating_sub(b'a' - 1)).min(26);
    if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return;
    }
    let (mut before, mut last) = (0, 0);
    for next in word.bytes().map(sign).chain([0]) {
        found((before * 27 + last) * 27 + next);
        (before, last) = (last, next);
    }
}
