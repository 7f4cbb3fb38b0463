//! What a fact says, as the short text that columns keep: equal things are said by equal texts.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A slot that none of these wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotASlot;

/// The weight of an answer where none was given: a weight is a whole number of millionths.
pub const PLAIN_WEIGHT: i64 = 1_000_000;

/// A scale, with its direction: answers on different ones are never added. As `1..7`, or `1..5r` where a low one is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// The least answer.
    pub min: i32,
    /// The greatest.
    pub max: i32,
    /// Whether a low answer is the good one.
    pub reversed: bool,
}

impl fmt::Display for Scale {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}..{}{}", self.min, self.max, if self.reversed { "r" } else { "" })
    }
}

impl FromStr for Scale {
    type Err = NotASlot;

    fn from_str(text: &str) -> Result<Self, NotASlot> {
        let (text, reversed) = text.strip_suffix('r').map_or((text, false), |text| (text, true));
        let (min, max) = text.split_once("..").ok_or(NotASlot)?;
        Ok(Self { min: min.parse().map_err(|_| NotASlot)?, max: max.parse().map_err(|_| NotASlot)?, reversed })
    }
}

impl Scale {
    /// How far above the bad end an answer stands, and how long the scale is.
    #[must_use]
    pub fn height(self, value: i32) -> (i64, i64) {
        let (value, min, max) = (i64::from(value), i64::from(self.min), i64::from(self.max));
        (if self.reversed { max - value } else { value - min }, max - min)
    }

    /// An answer as it would stand on a scale whose high end is the good one.
    #[must_use]
    pub const fn upright(self, value: i32) -> i32 {
        if self.reversed { self.min + self.max - value } else { value }
    }

    /// An answer as promoters and detractors are told by, from 0 or 1 to 10 with 10 the good end; `None` on any other scale:
    /// who would be a promoter there is not defined.
    #[must_use]
    pub const fn recommendation(self, value: i32) -> Option<i32> {
        match (self.min, self.max) {
            (0 | 1, 10) => Some(self.upright(value)),
            _ => None,
        }
    }
}

/// One answer on a scale: `7`; `4+` in the top boxes of its survey; `7*1500000` where it has a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The answer.
    pub value: i32,
    /// Whether it is in the top boxes of its survey.
    pub top: bool,
    /// Its weight, in millionths.
    pub weight: i64,
}

impl Answer {
    /// Yes or no.
    #[must_use]
    pub fn yes(yes: bool) -> Self {
        Self { value: i32::from(yes), top: false, weight: PLAIN_WEIGHT }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.value, if self.top { "+" } else { "" })?;
        if self.weight == PLAIN_WEIGHT { Ok(()) } else { write!(formatter, "*{}", self.weight) }
    }
}

impl FromStr for Answer {
    type Err = NotASlot;

    fn from_str(text: &str) -> Result<Self, NotASlot> {
        let (text, weight) = match text.split_once('*') {
            Some((text, weight)) => (text, weight.parse().map_err(|_| NotASlot)?),
            None => (text, PLAIN_WEIGHT),
        };
        let (text, top) = text.strip_suffix('+').map_or((text, false), |text| (text, true));
        Ok(Self { value: text.parse().map_err(|_| NotASlot)?, top, weight })
    }
}

/// What became of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It was answered in full: `y`, or `yd` where it was told that it was delivered.
    Answered {
        /// Whether its delivery was told.
        told: bool,
    },
    /// It arrived, or ended unanswered: `n`, or `nd`.
    Reached {
        /// Whether its delivery was told.
        told: bool,
    },
    /// It was sent, and nothing more is known: `s`.
    Sent,
}

impl fmt::Display for Asked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Answered { told: true } => "yd",
            Self::Answered { told: false } => "y",
            Self::Reached { told: true } => "nd",
            Self::Reached { told: false } => "n",
            Self::Sent => "s",
        })
    }
}

/// Good, bad or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Feeling {
    /// It hurt.
    #[serde(rename = "-")]
    Bad,
    /// Neither.
    #[serde(rename = "0")]
    Neutral,
    /// It pleased.
    #[serde(rename = "+")]
    Good,
}

/// How far from 0 a sentiment must be to count as one: the threshold of VADER (Hutto & Gilbert 2014).
const FELT: f64 = 0.05;

impl Feeling {
    /// Of a sentiment from −1 to 1.
    #[must_use]
    pub fn of(sentiment: f64) -> Self {
        if sentiment >= FELT {
            Self::Good
        } else if sentiment <= -FELT {
            Self::Bad
        } else {
            Self::Neutral
        }
    }
}

/// What was read in a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// How its author feels.
    #[serde(rename = "f")]
    pub feeling: Feeling,
    /// The emotions heard.
    #[serde(rename = "e", default, skip_serializing_if = "BTreeSet::is_empty")]
    pub emotions: BTreeSet<String>,
}

/// What a respondent answered to one item of an index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// The question.
    #[serde(rename = "q")]
    pub question: String,
    /// The answer.
    #[serde(rename = "v")]
    pub value: i32,
    /// The item's weight.
    #[serde(rename = "w")]
    pub weight: f64,
    /// The least answer.
    #[serde(rename = "a")]
    pub min: i32,
    /// The greatest.
    #[serde(rename = "z")]
    pub max: i32,
}

/// What a respondent answered to an index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pattern {
    /// By item, in order of the questions.
    #[serde(rename = "i")]
    pub items: Vec<Item>,
    /// The respondent's weight, in millionths.
    #[serde(rename = "w")]
    pub weight: i64,
}

/// The slot of a contact whose ticket went from one agent or team to another; others say nothing.
pub const TRANSFERRED: &str = "t";

/// How a ticket was first solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Solution {
    /// How many microseconds after it the customer made the second contact, negative where before it; `None`: it made one.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub contact_after: Option<i64>,
    /// How many microseconds after it it was opened again; `None`: it was not.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub reopen_after: Option<i64>,
    /// Whether it had gone from one agent or team to another.
    #[serde(rename = "t", default)]
    pub transferred: bool,
}

/// How much of what the customer asked was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// How many messages want an answer.
    #[serde(rename = "q")]
    pub asked: i64,
    /// How many of them got one.
    #[serde(rename = "a")]
    pub answered: i64,
}

/// As columns keep it: JSON, whose fields stand in one order.
#[must_use]
pub fn text<S: Serialize>(slot: &S) -> String {
    serde_json::to_string(slot).expect("plain data with texts for keys")
}

/// From a column.
///
/// # Errors
/// Where nothing here wrote it.
pub fn read<S: for<'a> Deserialize<'a>>(text: &str) -> Result<S, NotASlot> {
    serde_json::from_str(text).map_err(|_| NotASlot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(value in -200..200_i32, top: bool, weight in 1..2_000_000_000_i64, length in 1..100_i32) {
            let answer = Answer { value, top, weight };
            prop_assert_eq!(answer.to_string().parse(), Ok(answer));
            let scale = Scale { min: value, max: value + length, reversed: top };
            prop_assert_eq!(scale.to_string().parse(), Ok(scale));
        }
    }

    #[test]
    fn a_plain_answer_is_a_plain_number() {
        assert_eq!(Answer { value: 7, top: false, weight: PLAIN_WEIGHT }.to_string(), "7");
        assert_eq!(Answer { value: 4, top: true, weight: 1_500_000 }.to_string(), "4+*1500000");
        assert!("".parse::<Answer>().is_err() && "x".parse::<Answer>().is_err());
    }

    #[test]
    fn a_reversed_scale_stands_on_its_head() {
        let scale = Scale { min: 1, max: 5, reversed: true };
        assert_eq!((scale.height(1), scale.height(4)), ((4, 4), (1, 4)));
    }
}
