//! The analyser: everything that is known, loaded once, and one call that reads a text.

use std::collections::HashMap;
use std::sync::Arc;

use crate::detect::{Detection, Detector};
use crate::emotion::{EffortCue, Emotion, EmotionScore};
use crate::language::Language;
use crate::lexical::LexicalModel;
use crate::pack::Pack;
use crate::picture::{self, Picture};
use crate::reading::Reading;
use crate::search::{self, SearchTerm};
use crate::sentiment::{Sentiment, SentimentModel};
use crate::token::{Token, TokenKind, tokenise};
use crate::topic::{Taxonomy, TopicMatch};
use crate::translit;

/// All that is said of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Analysis {
    /// Its language.
    pub detection: Detection,
    /// How the customer feels.
    pub sentiment: Sentiment,
    /// What the customer feels, the strongest first.
    pub emotions: Vec<EmotionScore>,
    /// What was hard work.
    pub efforts: Vec<EffortCue>,
    /// What it is about.
    pub topics: Vec<TopicMatch>,
    /// The text was longer than is read: the end was left out.
    pub truncated: bool,
}

/// Reads texts. Build one (it takes some milliseconds) and share it: reading needs `&self` only.
#[derive(Clone)]
pub struct Analyser {
    packs: Arc<[Pack]>,
    pictures: Arc<HashMap<char, Picture>>,
    finglish: Arc<HashMap<String, Box<str>>>,
    detector: Arc<Detector>,
    model: Arc<dyn SentimentModel>,
}

impl Default for Analyser {
    fn default() -> Self {
        Analyser::new()
    }
}

impl Analyser {
    /// The analyser that ships.
    pub fn new() -> Analyser {
        let mut packs: Vec<Pack> = Language::ALL
            .into_iter()
            .map(|language| {
                let files: &[&str] = match language {
                    Language::English => &[
                        include_str!("../data/en.base.txt"),
                        include_str!("../data/en.txt"),
                        include_str!("../data/en.learned.txt"),
                        include_str!("../data/en.film.txt"),
                    ],
                    Language::Russian => &[include_str!("../data/ru.base.txt"), include_str!("../data/ru.txt")],
                    Language::Persian => &[include_str!("../data/fa.base.txt"), include_str!("../data/fa.txt")],
                    Language::Romanian => &[include_str!("../data/ro.base.txt"), include_str!("../data/ro.txt")],
                };
                Pack::load(language, files)
            })
            .collect();
        let (finglish, finglish_words) = finglish();
        let detector = Detector::new(&packs, &finglish, &finglish_words);
        packs.iter_mut().for_each(|pack| pack.samples = Vec::new());
        let packs: Arc<[Pack]> = packs.into();
        let pictures = Arc::new(picture::load());
        let model = Arc::new(LexicalModel::new(packs.clone(), pictures.clone()));
        Analyser { packs, pictures, finglish: Arc::new(finglish), detector: Arc::new(detector), model }
    }

    /// The same with another model of sentiment.
    pub fn with_model(self, model: Arc<dyn SentimentModel>) -> Analyser {
        Analyser { model, ..self }
    }

    /// The name of the model that judges sentiment.
    pub fn model_name(&self) -> &str {
        self.model.name()
    }

    /// The language of a text.
    pub fn detect(&self, text: &str) -> Detection {
        self.detector.detect(text, &tokenise(text).list, &self.packs, &self.finglish)
    }

    /// Reads a text: its language, unless `language` says it, sentiment, emotions, effort and topics.
    pub fn analyse(&self, text: &str, language: Option<Language>, taxonomy: &Taxonomy) -> Analysis {
        let tokens = tokenise(text);
        let detection = match language {
            Some(language) => Detection {
                language: Some(language),
                confidence: 1.0,
                transliterated: is_transliterated(language, &tokens.list),
            },
            None => self.detector.detect(text, &tokens.list, &self.packs, &self.finglish),
        };
        // Without a language emoji still speak; English is as good a frame for them as any.
        let language = detection.language.unwrap_or(Language::English);
        let pack = &self.packs[language.index()];
        let reading = Reading::new(text, tokens.list, pack, &self.finglish);
        let sentiment = self.model.judge(&reading);
        let around = &reading.around;
        let sentence_of: Vec<usize> = around.contexts.iter().map(|context| context.sentence).collect();
        let negated = |at: usize| around.contexts[at].negated;
        Analysis {
            detection,
            emotions: self.emotions(&reading, pack, negated),
            efforts: efforts(&reading, pack),
            topics: taxonomy.find(&reading, &pack.numbers, &sentence_of, &sentiment.sentences),
            sentiment,
            truncated: tokens.truncated,
        }
    }

    /// The words of a text as search finds them, with their places: see [`SearchTerm`]. `language` is the one that the text
    /// is said to be in; letters that only another of the four has go before it.
    pub fn search_terms(&self, text: &str, language: Option<Language>) -> Vec<SearchTerm> {
        let tokens = tokenise(text).list;
        let told = language.filter(|language| matches!(language, Language::English | Language::Romanian));
        let is_latin =
            |token: &Token| token.is_word() && token.form.starts_with(|first: char| first.is_ascii_lowercase());
        let latin = told.unwrap_or_else(|| {
            let needed = tokens.iter().any(is_latin);
            let detect = || self.detector.detect(text, &tokens, &self.packs, &self.finglish).language;
            if needed && detect() == Some(Language::Romanian) { Language::Romanian } else { Language::English }
        });
        search::terms(tokens, latin)
    }

    /// The words and known phrases of a text with the factor of their context (negative under a negation): what
    /// valences are learnt from.
    pub fn features(&self, text: &str, language: Language) -> Vec<(String, f32)> {
        let pack = &self.packs[language.index()];
        let reading = Reading::new(text, tokenise(text).list, pack, &self.finglish);
        let around = &reading.around;
        let mut features = Vec::new();
        let mut cues = around.cues.iter().peekable();
        let mut at = 0;
        while at < reading.tokens.len() {
            let mut end = at + 1;
            if let Some(cue) = cues.next_if(|cue| cue.start <= at) {
                end = cue.end.max(end);
            }
            let forms: Vec<&str> = reading.tokens[at..end].iter().map(|token| token.form.as_str()).collect();
            if reading.tokens[at].is_word() {
                let context = around.contexts[at];
                let sign = if context.negated { -1.0 } else { 1.0 };
                features.push((forms.join("_"), sign * context.scale * context.weight));
            }
            at = end;
        }
        features
    }

    fn emotions(&self, reading: &Reading<'_>, pack: &Pack, negated: impl Fn(usize) -> bool) -> Vec<EmotionScore> {
        let mut rest = [1.0_f32; 6];
        for (at, token) in reading.tokens.iter().enumerate() {
            let found = match token.kind {
                TokenKind::Picture => token
                    .form
                    .chars()
                    .next()
                    .and_then(|first| self.pictures.get(&first))
                    .and_then(|picture| picture.emotion),
                TokenKind::Word | TokenKind::Number => pack
                    .emotions
                    .longest(&reading.tokens, at, &pack.numbers)
                    .and_then(|(_, emotion)| *emotion)
                    .filter(|_| !negated(at)),
                TokenKind::Pause | TokenKind::End { .. } => None,
            };
            if let Some(emotion) = found {
                rest[emotion.index()] *= 0.5;
            }
        }
        let shown = Emotion::ALL.into_iter().filter(|emotion| rest[emotion.index()] < 1.0);
        let mut scores: Vec<EmotionScore> =
            shown.map(|emotion| EmotionScore { emotion, strength: 1.0 - rest[emotion.index()] }).collect();
        scores.sort_by(|one, other| other.strength.total_cmp(&one.strength));
        scores
    }
}

/// Effort cues told of one text.
const MOST_EFFORTS: usize = 32;

fn efforts(reading: &Reading<'_>, pack: &Pack) -> Vec<EffortCue> {
    let mut cues = Vec::new();
    let mut at = 0;
    while at < reading.tokens.len() && cues.len() < MOST_EFFORTS {
        let Some((end, kind)) = pack.effort(&reading.tokens, at) else {
            at += 1;
            continue;
        };
        let (start, stop) = (reading.tokens[at].start, reading.tokens[end - 1].end);
        cues.extend(kind.map(|kind| EffortCue { kind, start, end: stop }));
        at = end;
    }
    cues
}

fn is_transliterated(language: Language, tokens: &[Token]) -> bool {
    let mut words = tokens.iter().filter(|token| token.is_word()).peekable();
    let native = matches!(language, Language::English | Language::Romanian);
    !native && words.peek().is_some() && words.all(|token| token.form.is_ascii())
}

/// The commonest Persian words in Latin letters: from the key of each spelling to the word, and the spellings.
fn finglish() -> (HashMap<String, Box<str>>, Vec<String>) {
    let mut words = HashMap::new();
    let mut spellings = Vec::new();
    for line in include_str!("../data/fa.finglish.txt").lines().filter(|line| !line.starts_with('#')) {
        let Some((persian, latin)) = line.split_once(char::is_whitespace) else { continue };
        let folded = crate::fold::fold_word(persian).text;
        for spelling in latin.split_whitespace() {
            words.entry(translit::persian_key(spelling)).or_insert_with(|| folded.as_str().into());
            spellings.push(spelling.to_owned());
        }
    }
    (words, spellings)
}
