//! What was read in texts. Figures are whole thousandths, so that what was read twice is equal, and what was read of several
//! texts does not depend on their order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One, as figures have it.
pub const ONE: i32 = 1_000;
/// How many pieces of evidence are kept.
const MOST_EVIDENCE: usize = 16;
/// How many effort cues are kept.
const MOST_EFFORTS: usize = 32;
/// How many characters of words that were found are told.
pub const LONGEST_WORDS: usize = 100;
/// From which sentiment on several texts together lean one way.
const LEANS: i32 = 100;

/// Which way texts lean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Polarity {
    /// Praise.
    Positive,
    /// Complaint.
    Negative,
    /// Neither.
    #[default]
    Neutral,
}

impl Polarity {
    /// Its name, as it is stored and as conditions read it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Negative => "negative",
            Self::Neutral => "neutral",
        }
    }
}

/// A place in one of the texts: characters of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Of which text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub part: String,
    /// The first character.
    pub start: u32,
    /// The one after the last.
    pub end: u32,
}

/// Words that decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Where.
    pub span: Span,
    /// What they add, in thousandths.
    pub weight: i32,
    /// Whether a negation turned them round.
    #[serde(default)]
    pub negated: bool,
}

/// That something was hard work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effort {
    /// In which way.
    pub kind: String,
    /// Where it is said.
    pub span: Span,
}

/// A topic, or a competitor, that is spoken of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// The mean sentiment of the sentences that speak of it, in thousandths.
    pub sentiment: i32,
    /// The words by which it was found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Span>,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reading {
    /// The language; empty where there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub language: String,
    /// How sure that is, in thousandths.
    pub language_confidence: i32,
    /// Whether it is written in letters of another script.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub transliterated: bool,
    /// How its author feels, in thousandths; none where nothing tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentiment: Option<i32>,
    /// Which way it leans.
    pub polarity: Polarity,
    /// How sure that is, in thousandths.
    pub confidence: i32,
    /// The words that decided.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// What is felt, in thousandths.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub emotions: BTreeMap<String, i32>,
    /// What was hard work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub efforts: Vec<Effort>,
    /// How many times something was.
    pub effort_cues: u32,
    /// The topics.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<Named>,
    /// The competitors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub competitors: Vec<Named>,
    /// By which model.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// Whether its end was left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

impl Reading {
    /// How much effort it tells of, in thousandths; none where it tells of none.
    #[must_use]
    pub fn effort(&self) -> Option<i32> {
        // Each cue takes half of what is left.
        (self.effort_cues > 0).then(|| ONE - (ONE >> self.effort_cues.min(10)))
    }

    /// The same without places: what is kept of a text beside others.
    #[must_use]
    pub fn brief(&self) -> Self {
        let named = |all: &[Named]| all.iter().map(|one| Named { spans: Vec::new(), ..one.clone() }).collect();
        Self {
            evidence: Vec::new(),
            efforts: Vec::new(),
            topics: named(&self.topics),
            competitors: named(&self.competitors),
            ..self.clone()
        }
    }

    /// What was read of several texts, each by its name; none where there is no text.
    #[must_use]
    pub fn of<'a>(parts: impl IntoIterator<Item = (&'a str, &'a Self)>) -> Option<Self> {
        let mut parts: Vec<(&str, Self)> = parts.into_iter().map(|(part, one)| (part, one.within(part))).collect();
        if parts.len() <= 1 {
            return parts.pop().map(|(_, one)| one);
        }
        let all = || parts.iter().map(|(_, one)| one);
        // Which tells most, and where they are alike the first by name, so that their order is nothing.
        let chief = all()
            .max_by_key(|one| (one.sentiment.is_some(), one.language_confidence, &one.language, one.transliterated))?;
        let told = || all().filter_map(|one| Some((i64::from(one.sentiment?), i64::from(one.confidence.max(1)))));
        let weight: i64 = told().map(|(_, weight)| weight).sum();
        let mean = |sum: i64, weight: i64| i32::try_from(rounded(sum, weight)).unwrap_or(0);
        let sentiment = (weight > 0).then(|| mean(told().map(|(value, weight)| value * weight).sum(), weight));
        let tellers = i64::try_from(told().count()).unwrap_or(1);
        let confidence = if weight > 0 { mean(weight, tellers) } else { chief.confidence };
        let polarity = match sentiment {
            Some(value) if value >= LEANS => Polarity::Positive,
            Some(value) if value <= -LEANS => Polarity::Negative,
            Some(_) | None => Polarity::Neutral,
        };
        let mut evidence: Vec<Evidence> = all().flat_map(|one| one.evidence.iter().cloned()).collect();
        evidence.sort_by_key(|one| std::cmp::Reverse(one.weight.abs()));
        evidence.truncate(MOST_EVIDENCE);
        let mut efforts: Vec<Effort> = all().flat_map(|one| one.efforts.iter().cloned()).collect();
        efforts.truncate(MOST_EFFORTS);
        let mut emotions: BTreeMap<String, i32> = BTreeMap::new();
        for (emotion, strength) in all().flat_map(|one| &one.emotions) {
            let held = emotions.entry(emotion.clone()).or_default();
            *held = (*held).max(*strength);
        }
        Some(Self {
            language: chief.language.clone(),
            language_confidence: chief.language_confidence,
            transliterated: chief.transliterated,
            sentiment,
            polarity,
            confidence,
            evidence,
            emotions,
            efforts,
            effort_cues: all().map(|one| one.effort_cues).sum(),
            topics: united(all().map(|one| one.topics.as_slice())),
            competitors: united(all().map(|one| one.competitors.as_slice())),
            model: chief.model.clone(),
            truncated: all().any(|one| one.truncated),
        })
    }

    fn within(&self, part: &str) -> Self {
        let mut one = self.clone();
        if !part.is_empty() {
            let spans = one.evidence.iter_mut().map(|one| &mut one.span);
            let spans = spans.chain(one.efforts.iter_mut().map(|one| &mut one.span));
            let named = one.topics.iter_mut().chain(&mut one.competitors);
            let spans = spans.chain(named.flat_map(|one| &mut one.spans));
            spans.for_each(|span| part.clone_into(&mut span.part));
        }
        one
    }

    /// About how many bytes it is on the wire.
    #[must_use]
    pub fn weight(&self) -> usize {
        let words =
            |span: &Span| (span.end.saturating_sub(span.start) as usize).min(LONGEST_WORDS) * 2 + span.part.len();
        let evidence = self.evidence.iter().map(|one| 40 + words(&one.span));
        let efforts = self.efforts.iter().map(|one| 40 + words(&one.span));
        let named = self.topics.iter().chain(&self.competitors);
        let named = named.map(|one| 20 + one.name.len() + one.spans.iter().map(|span| 4 + words(span)).sum::<usize>());
        120 + self.emotions.len() * 24 + evidence.chain(efforts).chain(named).sum::<usize>()
    }
}

/// What was read must be so; what is not said lets all through, even what has no words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tone {
    /// It leans so.
    pub polarity: Option<Polarity>,
    /// Its author feels at least so, in thousandths; where nothing tells, that is 0.
    pub least: Option<i32>,
    /// Its author feels at most so.
    pub most: Option<i32>,
    /// It speaks of this topic, or names this competitor.
    pub topic: Option<String>,
}

fn rounded(sum: i64, by: i64) -> i64 {
    (2 * sum + by * sum.signum()) / (2 * by)
}

/// What several texts speak of: those first that most of them do.
fn united<'a>(all: impl Iterator<Item = &'a [Named]>) -> Vec<Named> {
    let mut found: BTreeMap<&str, (i64, i64, Vec<Span>)> = BTreeMap::new();
    for one in all.flatten() {
        let (times, sum, spans) = found.entry(&one.name).or_default();
        *times += 1;
        *sum += i64::from(one.sentiment);
        spans.extend(one.spans.iter().cloned());
    }
    let mut named: Vec<(i64, Named)> = found
        .into_iter()
        .map(|(name, (times, sum, mut spans))| {
            spans.truncate(8);
            let sentiment = i32::try_from(rounded(sum, times)).unwrap_or(0);
            (times, Named { name: name.to_owned(), sentiment, spans })
        })
        .collect();
    named.sort_by_key(|(times, _)| std::cmp::Reverse(*times));
    named.into_iter().map(|(_, named)| named).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reading(sentiment: Option<i32>, confidence: i32, topics: &[&str]) -> Reading {
        let named = |name: &&str| Named {
            name: (*name).to_owned(),
            sentiment: sentiment.unwrap_or(0),
            spans: vec![Span { part: String::new(), start: 0, end: 1 }],
        };
        Reading {
            language: "en".to_owned(),
            sentiment,
            confidence,
            topics: topics.iter().map(named).collect(),
            effort_cues: 1,
            ..Reading::default()
        }
    }

    #[test]
    fn several_texts_are_read_as_the_mean_of_those_that_tell() {
        let (good, bad, none) =
            (reading(Some(900), 800, &["price"]), reading(Some(-300), 400, &["price", "app"]), reading(None, 500, &[]));
        let all = Reading::of([("a", &good), ("b", &bad), ("c", &none)]).expect("there are texts");
        assert_eq!((all.sentiment, all.confidence, all.polarity), (Some(500), 600, Polarity::Positive));
        let names: Vec<_> = all.topics.iter().map(|one| (one.name.as_str(), one.sentiment)).collect();
        assert_eq!(names, [("price", 300), ("app", -300)]);
        assert_eq!(all.topics[0].spans.iter().map(|span| span.part.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(all.effort(), Some(875));
        assert_eq!(Reading::of([("", &none)]), Some(none), "one text is read as it is");
        assert_eq!(Reading::of([]), None);
    }

    proptest! {
        #[test]
        fn the_order_of_texts_is_nothing(
            all in proptest::collection::vec((proptest::option::of(-1_000..=1_000_i32), 0..=1_000_i32, 0..3_usize), 1..6),
            turn in 0_usize..6,
        ) {
            let topics = [&[][..], &["app"], &["price", "app"]];
            let read: Vec<Reading> =
                all.iter().map(|(sentiment, confidence, of)| reading(*sentiment, *confidence, topics[*of]).brief()).collect();
            let one = Reading::of(read.iter().map(|one| ("", one)));
            let mut turned: Vec<&Reading> = read.iter().collect();
            turned.rotate_left(turn % read.len());
            let other = Reading::of(turned.into_iter().map(|one| ("", one)));
            let (one, other) = (one.expect("texts"), other.expect("texts"));
            prop_assert_eq!((one.sentiment, one.topics, one.effort_cues), (other.sentiment, other.topics, other.effort_cues));
        }
    }
}
