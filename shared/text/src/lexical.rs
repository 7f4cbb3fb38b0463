//! The model that ships: valences of words, turned and weighed by what surrounds them.
//!
//! The sum of the valences found, each times its context's factors, is brought to (-1, 1) by x/√(x²+α), as VADER does
//! (Hutto & Gilbert, ICWSM 2014). A negated praise is a complaint (×-0.9); a negated complaint is but a mild praise.

use std::collections::HashMap;
use std::sync::Arc;

use crate::context::{Context, Surroundings};
use crate::language::Language;
use crate::pack::Pack;
use crate::picture::Picture;
use crate::reading::Reading;
use crate::sentiment::{Evidence, Polarity, Sentiment, SentimentModel};
use crate::token::TokenKind;

/// Sentiment by lexicon.
#[derive(Clone, Debug)]
pub struct LexicalModel {
    packs: Arc<[Pack]>,
    pictures: Arc<HashMap<char, Picture>>,
}

/// The figures that are set by hand, per language.
struct Settings {
    /// Below this absolute value a text is neutral.
    threshold: f32,
    /// What a negation adds under which no valence stood ("nobody ever …").
    idle_negation: f32,
}

const ALPHA: f32 = 14.0;
const NEGATED_PRAISE: f32 = -0.9;
const NEGATED_COMPLAINT: f32 = -0.5;
const EFFORT_VALENCE: f32 = -1.6;

fn settings(language: Language) -> Settings {
    match language {
        Language::English => Settings { threshold: 0.07, idle_negation: -0.25 },
        Language::Russian => Settings { threshold: 0.14, idle_negation: -0.4 },
        Language::Persian => Settings { threshold: 0.14, idle_negation: -0.3 },
        Language::Romanian => Settings { threshold: 0.14, idle_negation: -0.4 },
    }
}

impl LexicalModel {
    pub(crate) fn new(packs: Arc<[Pack]>, pictures: Arc<HashMap<char, Picture>>) -> LexicalModel {
        LexicalModel { packs, pictures }
    }

    fn evidence(&self, reading: &Reading<'_>, pack: &Pack, around: &Surroundings) -> Vec<(usize, Evidence)> {
        let mut all = cue_evidence(reading, pack, around);
        for (token, context) in reading.tokens.iter().zip(&around.contexts) {
            if token.kind == TokenKind::Picture
                && let Some(picture) = token.form.chars().next().and_then(|first| self.pictures.get(&first))
                && picture.valence != 0.0
            {
                let weight = picture.valence * if token.elongated { 1.25 } else { 1.0 };
                all.push((context.sentence, Evidence { start: token.start, end: token.end, weight, negated: false }));
            }
        }
        effort_evidence(reading, pack, around, &mut all);
        all
    }
}

/// What the entries of the lexicon say, and single words where a film is talked about.
fn cue_evidence(reading: &Reading<'_>, pack: &Pack, around: &Surroundings) -> Vec<(usize, Evidence)> {
    let tokens = &reading.tokens;
    let mut all = Vec::new();
    let loud = is_all_loud(reading);
    let film = !pack.film.is_empty() && tokens.iter().any(|token| pack.film_words.contains(token.form.as_str()));
    let mut cues = around.cues.iter().peekable();
    let mut at = 0;
    while at < tokens.len() {
        let cue = cues.next_if(|cue| cue.start == at);
        let end = cue.map_or(at + 1, |cue| cue.end);
        let (token, context) = (&tokens[at], &around.contexts[at]);
        let stress = if token.shouted && !loud { 1.25 } else { 1.0 } * if token.elongated { 1.15 } else { 1.0 };
        let trust = if token.corrected { 0.8 } else { 1.0 };
        let mut weight =
            cue.map_or(0.0, |cue| weight_of(cue.role.valence, cue.role.expected, context)) * stress * trust;
        if film
            && end == at + 1
            && let Some(added) = pack.film.get(token.form.as_str())
        {
            weight += added * context.scale * context.weight * if context.negated { -0.7 } else { 1.0 };
        }
        if weight != 0.0 {
            let (start, end) = (token.start, tokens[end - 1].end);
            all.push((context.sentence, Evidence { start, end, weight, negated: context.negated }));
        }
        at = end;
    }
    all
}

/// Effort cues tell of trouble where no complaint was found in the same words.
fn effort_evidence(reading: &Reading<'_>, pack: &Pack, around: &Surroundings, all: &mut Vec<(usize, Evidence)>) {
    let by_words = all.len();
    let mut at = 0;
    while at < reading.tokens.len() && all.len() - by_words < Sentiment::MOST_EVIDENCE {
        let Some((end, kind)) = pack.effort(&reading.tokens, at) else {
            at += 1;
            continue;
        };
        if kind.is_none() {
            at = end;
            continue;
        }
        let (start, stop) = (reading.tokens[at].start, reading.tokens[end - 1].end);
        if !all[..by_words].iter().any(|(_, known)| known.weight < 0.0 && known.start < stop && start < known.end) {
            let weight = EFFORT_VALENCE * around.contexts[at].weight;
            all.push((around.contexts[at].sentence, Evidence { start, end: stop, weight, negated: false }));
        }
        at = end;
    }
}

fn weight_of(valence: f32, expected: f32, context: &Context) -> f32 {
    let turned = match (context.negated, valence) {
        (true, _) if expected != 0.0 => expected,
        (true, valence) if valence > 0.0 => valence * NEGATED_PRAISE,
        (true, valence) if valence < 0.0 => valence * NEGATED_COMPLAINT,
        (_, valence) => valence,
    };
    turned * context.scale * context.weight
}

/// A text all in capitals stresses nothing by them.
fn is_all_loud(reading: &Reading<'_>) -> bool {
    let mut words = reading.tokens.iter().filter(|token| token.is_word() && token.form.len() > 2);
    words.all(|token| token.shouted)
}

fn squash(sum: f32) -> f32 {
    sum / (sum * sum + ALPHA).sqrt()
}

impl SentimentModel for LexicalModel {
    fn name(&self) -> &str {
        "lexicon-1"
    }

    fn judge(&self, reading: &Reading<'_>) -> Sentiment {
        let pack = &self.packs[reading.language.index()];
        let around = &reading.around;
        let settings = settings(reading.language);
        let mut found = self.evidence(reading, pack, around);
        let count = around.contexts.last().map_or(0, |context| context.sentence + 1);
        let mut sums = vec![0.0_f32; count];
        let mut strength = 0.0;
        for (sentence, evidence) in &found {
            sums[*sentence] += evidence.weight;
            strength += evidence.weight.abs();
        }
        let idle = settings.idle_negation * around.idle_negators.min(3) as f32;
        let sum = sums.iter().sum::<f32>() + idle;
        let value = squash(sum);
        let polarity = match value {
            value if value >= settings.threshold => Polarity::Positive,
            value if value <= -settings.threshold => Polarity::Negative,
            _ => Polarity::Neutral,
        };
        let agreement = if strength > 0.0 { (sum.abs() / strength).min(1.0) } else { 1.0 };
        let confidence = match polarity {
            Polarity::Neutral if found.is_empty() => 0.75,
            Polarity::Neutral => 0.45,
            Polarity::Positive | Polarity::Negative => 0.5 + 0.48 * value.abs() * (0.4 + 0.6 * agreement),
        };
        found.sort_by(|(_, one), (_, other)| other.weight.abs().total_cmp(&one.weight.abs()));
        found.truncate(Sentiment::MOST_EVIDENCE);
        Sentiment {
            value,
            polarity,
            confidence,
            evidence: found.into_iter().map(|(_, evidence)| evidence).collect(),
            sentences: sums.into_iter().map(squash).collect(),
        }
    }
}
