//! What was read in texts, as the contract and events have it.

use rapport_api::events::v1::TextReading;
use rapport_api::feedback::v1 as proto;

use crate::domain::reading::{LONGEST_WORDS, Named, ONE, Polarity, Reading, Span, Tone};

/// A figure in thousandths.
fn real(thousandths: i32) -> f64 {
    f64::from(thousandths) / 1_000.0
}

/// A polarity as the contract has it.
#[must_use]
pub const fn polarity_message(polarity: Polarity) -> proto::TextPolarity {
    match polarity {
        Polarity::Positive => proto::TextPolarity::Positive,
        Polarity::Negative => proto::TextPolarity::Negative,
        Polarity::Neutral => proto::TextPolarity::Neutral,
    }
}

/// The polarity that a message names; none where nothing is said.
#[must_use]
pub const fn polarity(polarity: proto::TextPolarity) -> Option<Polarity> {
    match polarity {
        proto::TextPolarity::Unspecified => None,
        proto::TextPolarity::Positive => Some(Polarity::Positive),
        proto::TextPolarity::Negative => Some(Polarity::Negative),
        proto::TextPolarity::Neutral => Some(Polarity::Neutral),
    }
}

/// How what is looked for must have been read: which way it leans, between which sentiments, and of what it speaks.
#[must_use]
pub fn tone(leans: proto::TextPolarity, (least, most): (Option<f64>, Option<f64>), topic: String) -> Tone {
    Tone {
        polarity: polarity(leans),
        least: least.map(|least| (-ONE..=ONE).find(|one| real(*one) >= least).unwrap_or(ONE + 1)),
        most: most.map(|most| (-ONE..=ONE).rev().find(|one| real(*one) <= most).unwrap_or(-ONE - 1)),
        topic: Some(topic).filter(|topic| !topic.is_empty()),
    }
}

/// What was read, with the words of the texts, each by its name, where they are at hand.
#[must_use]
pub fn analysis(read: &Reading, texts: &[(&str, &str)]) -> proto::TextAnalysis {
    let words = |span: &Span| {
        let text = texts.iter().find(|(part, _)| *part == span.part).map_or("", |(_, text)| text);
        let (start, end) = (span.start as usize, span.end as usize);
        text.chars().skip(start).take(end.saturating_sub(start).min(LONGEST_WORDS)).collect::<String>()
    };
    let place = |at: u32| i32::try_from(at).unwrap_or(i32::MAX);
    let named = |all: &[Named]| {
        let topic = |one: &Named| proto::TextTopic {
            topic: one.name.clone(),
            sentiment: real(one.sentiment),
            words: one.spans.iter().map(words).filter(|words| !words.is_empty()).collect(),
        };
        all.iter().map(topic).collect()
    };
    let mut emotions: Vec<(&String, &i32)> = read.emotions.iter().collect();
    emotions.sort_by_key(|(_, strength)| std::cmp::Reverse(**strength));
    let emotion = |(emotion, strength): (&String, &i32)| proto::TextEmotion {
        emotion: emotion.clone(),
        strength: real(*strength),
    };
    let evidence = read.evidence.iter().map(|one| proto::TextEvidence {
        text: words(&one.span),
        start: place(one.span.start),
        end: place(one.span.end),
        weight: real(one.weight),
        negated: one.negated,
        part: one.span.part.clone(),
    });
    let efforts = read.efforts.iter().map(|cue| proto::TextEffortCue {
        kind: cue.kind.clone(),
        text: words(&cue.span),
        start: place(cue.span.start),
        end: place(cue.span.end),
        part: cue.span.part.clone(),
    });
    proto::TextAnalysis {
        language: read.language.clone(),
        language_confidence: real(read.language_confidence),
        transliterated: read.transliterated,
        sentiment: real(read.sentiment.unwrap_or(0)),
        polarity: polarity_message(read.polarity).into(),
        confidence: real(read.confidence),
        evidence: evidence.collect(),
        emotions: emotions.into_iter().map(emotion).collect(),
        effort_cues: efforts.collect(),
        effort: read.effort().map(real),
        topics: named(&read.topics),
        competitors: named(&read.competitors),
        model: read.model.clone(),
        truncated: read.truncated,
    }
}

/// What was read, without a word of the text.
#[must_use]
pub fn event(read: &Reading) -> TextReading {
    TextReading {
        language: read.language.clone(),
        sentiment: read.sentiment.map(real),
        confidence: real(read.confidence),
        emotions: read.emotions.iter().map(|(emotion, strength)| (emotion.clone(), real(*strength))).collect(),
        topics: read.topics.iter().map(|one| (one.name.clone(), real(one.sentiment))).collect(),
        effort: read.effort().map(real),
        competitors: read.competitors.iter().map(|one| one.name.clone()).collect(),
    }
}
