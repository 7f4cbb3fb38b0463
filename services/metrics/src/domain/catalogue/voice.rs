//! What customers say in words.

use super::Entry;
use crate::domain::dimensions::Dimension::{
    self, Agent, Campaign, Channel, Language, Party, Product, Stage, Survey, Team, Topic, Touchpoint, Type,
};
use crate::domain::facts::Family;
use crate::domain::figures::Direction;
use crate::domain::reckoning::Reckoning;

const DIMENSIONS: &[Dimension] =
    &[Channel, Touchpoint, Stage, Product, Party, Type, Survey, Campaign, Agent, Team, Language, Topic];

/// Good feelings minus bad ones.
pub(super) const SENTIMENT_INDEX: Entry = Entry {
    name: "sentiment_index",
    family: Family::Texts,
    by_topic: Some(Family::TextsByTopic),
    reckoning: Reckoning::Sentiment,
    dimensions: DIMENSIONS,
    direction: Direction::Higher,
    formula: "100 · (positive − negative) / n over the texts of responses, tickets and mentions in which a \
              sentiment was read: positive from 0.05 up, negative from −0.05 down, of −1 to 1. The type is what \
              the text is of: response, ticket or mention. Where topics are grouped or filtered by, a text counts \
              once for each topic that it names, with what it says of that topic. n is the number of texts \
              analysed; coverage tells how many of all texts these are; with none there is no value. Interval: \
              adjusted Wald, as for nps. Comparison: z test of the adjusted scores. Suppression as for nps.",
    unit: "-100 to 100",
    source: "Hutto & Gilbert, ICWSM (2014) for the threshold; Rocks, The American Statistician 70 (2016) for the \
             interval.",
    description: [
        ("en", "How much more often what customers write sounds pleased than displeased."),
        ("ru", "Насколько чаще написанное клиентами звучит довольно, чем недовольно."),
        ("fa", "نوشته‌های مشتریان چقدر بیشتر خشنود است تا ناخشنود."),
        ("ro", "Cu cât mai des ceea ce scriu clienții sună mulțumit decât nemulțumit."),
    ],
};

/// The share in which each emotion is heard.
pub(super) const EMOTION_SHARE: Entry = Entry {
    name: "emotion_share",
    family: Family::Texts,
    by_topic: Some(Family::TextsByTopic),
    reckoning: Reckoning::Emotions,
    dimensions: DIMENSIONS,
    direction: Direction::Neutral,
    formula: "Texts in which an emotion is heard (from 0.2 of 1 up) / texts in which a sentiment was read, of responses, tickets and \
              mentions. A point for each of anger, disgust, fear, joy, sadness and surprise, and for any other \
              that was told. A text may hold several. Where topics are grouped or filtered by, a text counts once \
              for each topic that it names, with what it says of that topic. n is the number of texts analysed; \
              coverage tells how many of all texts these are; with none there is no value. Interval: Wilson. \
              Comparison: pooled two-proportion z test. Suppression as for nps.",
    unit: "share from 0 to 1",
    source: "Ekman, Cognition & Emotion 6 (1992) for the six. Wilson, JASA 22 (1927) for the interval; Fleiss, \
             Levin & Paik (2003) for the test.",
    description: [
        ("en", "Of all that customers write, the share in which joy, anger or another emotion can be heard."),
        ("ru", "Доля написанного клиентами, в которой слышна радость, гнев или другая эмоция."),
        ("fa", "از همهٔ نوشته‌های مشتریان، سهم آنهایی که در آن شادی، خشم یا احساس دیگری شنیده می‌شود."),
        ("ro", "Din tot ce scriu clienții, ponderea textelor în care se aude bucurie, furie sau altă emoție."),
    ],
};

/// The share that hurts.
pub(super) const NEGATIVE_FEEDBACK_SHARE: Entry = Entry {
    name: "negative_feedback_share",
    family: Family::Voices,
    by_topic: Some(Family::VoicesByTopic),
    reckoning: Reckoning::Hurt,
    dimensions: DIMENSIONS,
    direction: Direction::Lower,
    formula: "Negative feedback / all feedback of which it can be told: responses by their score (NPS and tNPS 0 \
              to 6; CSAT and CSI in the lowest quarter of the scale; CES in the third that is not easy), mentions \
              by their rating (its lowest quarter), tickets that are complaints or claims; all others by the \
              sentiment of their text (from −0.05 down). Where topics are grouped or filtered by, a text counts \
              once for each topic that it names, with what it says of that topic. n is the number of those; with \
              none there is no value. Interval: Wilson. Comparison: pooled two-proportion z test. Suppression as \
              for nps.",
    unit: "share from 0 to 1",
    source: "Wilson, JASA 22 (1927) for the interval; Fleiss, Levin & Paik (2003) for the test.",
    description: [
        (
            "en",
            "Of everything customers say by scores, ratings and words, the share that is a complaint or displeased.",
        ),
        ("ru", "Доля жалоб и недовольства во всём, что клиенты говорят оценками и словами."),
        ("fa", "از همهٔ آنچه مشتریان با نمره و سخن می‌گویند، سهم شکایت و ناخشنودی."),
        ("ro", "Din tot ce spun clienții prin note și cuvinte, ponderea reclamațiilor și a nemulțumirilor."),
    ],
};
