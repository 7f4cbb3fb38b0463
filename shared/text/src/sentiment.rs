//! How a customer feels about it: the contract of a model, and what it answers.

use crate::reading::Reading;

/// Which way a text leans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Polarity {
    /// Praise, thanks, satisfaction.
    Positive,
    /// Complaint, dissatisfaction.
    Negative,
    /// Neither, or both alike.
    Neutral,
}

impl Polarity {
    /// Its name, lower case.
    pub fn name(self) -> &'static str {
        match self {
            Polarity::Positive => "positive",
            Polarity::Negative => "negative",
            Polarity::Neutral => "neutral",
        }
    }
}

/// A word or phrase that decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Its first byte in the text.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
    /// What it added to the sum, negation and all.
    pub weight: f32,
    /// A negation turned it round.
    pub negated: bool,
}

/// What a model says of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Sentiment {
    /// From -1 to 1.
    pub value: f32,
    /// The label.
    pub polarity: Polarity,
    /// An estimate, from 0 to 1, that the label is right.
    pub confidence: f32,
    /// What decided, the weightiest first; at most [`Sentiment::MOST_EVIDENCE`].
    pub evidence: Vec<Evidence>,
    /// The value of each sentence, by the index of its closing token's sentence; for topics.
    pub sentences: Vec<f32>,
}

impl Sentiment {
    /// Pieces of evidence kept.
    pub const MOST_EVIDENCE: usize = 16;

    /// Nothing was found that says anything.
    pub fn neutral() -> Sentiment {
        Sentiment {
            value: 0.0,
            polarity: Polarity::Neutral,
            confidence: 0.5,
            evidence: Vec::new(),
            sentences: Vec::new(),
        }
    }
}

/// Judges the sentiment of a text that has been read. The lexicon's is the model that ships; another can stand in its
/// place: it is given the tokens with their stems and their places in the text.
pub trait SentimentModel: Send + Sync {
    /// The model's name and version, kept with what it judged.
    fn name(&self) -> &str;

    /// Its judgement. Must not panic, and take time in proportion to the text.
    fn judge(&self, reading: &Reading<'_>) -> Sentiment;
}
