//! What is said in words, or by a rating: how it feels, with which emotions, about which topics.

use rapport_api::events::v1::TextReading;
use rapport_kernel::{Fault, Timestamp};

use super::{Facts, broken};
use crate::domain::dimensions::{Dimension, Dimensions};
use crate::domain::facts::{Fact, Family};
use crate::domain::slots::{self, Feeling, Read};

/// From which strength on an emotion was heard.
const HEARD: f64 = 0.2;

/// Something said.
pub(super) struct Said<'a> {
    /// In what: the type along which it can be grouped.
    pub of: &'static str,
    /// When.
    pub at: Timestamp,
    /// What was read in its words; `None` where there are none.
    pub reading: Option<&'a TextReading>,
    /// What it says otherwise, by a score, a rating or what it is; it outweighs the words.
    pub feeling: Option<Feeling>,
}

/// The facts of what was said, beside its other dimensions.
pub(super) fn facts(said: &Said<'_>, dimensions: &Dimensions) -> Result<Facts, Fault> {
    let mut dimensions = dimensions.clone().with(Dimension::Type, said.of).with(Dimension::Topic, "");
    let Some(reading) = said.reading else {
        let fact = |feeling| Fact::new(Family::Voices, said.at, dimensions).saying(slots::text(&feeling));
        return Ok(said.feeling.map(fact).into_iter().collect());
    };
    if !reading.language.is_empty() && dimensions.get(Dimension::Language).is_empty() {
        dimensions = dimensions.with(Dimension::Language, &reading.language);
    }
    let within =
        |value: f64, least: f64| if (least..=1.0).contains(&value) { Ok(value) } else { Err(broken("reading")) };
    let sentiment = reading.sentiment.map(|sentiment| within(sentiment, -1.0)).transpose()?;
    let mut emotions = std::collections::BTreeSet::new();
    for (emotion, strength) in &reading.emotions {
        if within(*strength, 0.0)? >= HEARD {
            emotions.insert(emotion.clone());
        }
    }
    let plain = [Family::Voices, Family::Texts, Family::UnreadTexts];
    let mut facts = spoken(said, &dimensions, plain, sentiment, &emotions);
    let by_topic = [Family::VoicesByTopic, Family::TextsByTopic, Family::UnreadTextsByTopic];
    for (topic, of_topic) in &reading.topics {
        // 0 where nothing tells of the topic, which is neither good nor bad.
        let of_topic = within(*of_topic, -1.0)?;
        let sentiment = sentiment.map(|_| of_topic);
        let dimensions = dimensions.clone().with(Dimension::Topic, topic);
        facts.extend(spoken(said, &dimensions, by_topic, sentiment, &emotions));
    }
    Ok(facts)
}

fn spoken(
    said: &Said<'_>,
    dimensions: &Dimensions,
    [voices, texts, unread]: [Family; 3],
    sentiment: Option<f64>,
    emotions: &std::collections::BTreeSet<String>,
) -> Facts {
    let read = sentiment.map(Feeling::of);
    let mut facts = Vec::new();
    if let Some(feeling) = said.feeling.or(read) {
        facts.push(Fact::new(voices, said.at, dimensions.clone()).saying(slots::text(&feeling)));
    }
    facts.push(match read {
        Some(feeling) => {
            let read = Read { feeling, emotions: emotions.clone() };
            Fact::new(texts, said.at, dimensions.clone()).saying(slots::text(&read))
        }
        None => Fact::new(unread, said.at, dimensions.clone()),
    });
    facts
}
