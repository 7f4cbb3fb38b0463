//! How a party stands to the company besides traits and consents: what it objected to, which flags it bears, how it
//! prefers to be met. The order of the fields is the order of precedence: of two statements of one record the greater
//! holds, and that begins with the time.

use std::fmt;

use rapport_kernel::{Private, Timestamp};
use serde::{Deserialize, Serialize};

use super::channels::Met;

/// What a party may object to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Processing {
    /// Being addressed for marketing.
    Marketing,
    /// Being profiled.
    Profiling,
    /// Being decided about by a machine alone.
    AutomatedDecisions,
}

/// An objection, or its withdrawal. At one instant the objection holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Objection {
    /// When it was said.
    pub observed_at: Timestamp,
    /// Whether it stands; false: it was withdrawn.
    pub stands: bool,
    /// To what.
    pub processing: Processing,
    /// Who took it down.
    pub source: String,
    /// Where the proof lies; empty where there is none.
    pub proof: Private<String>,
}

/// A flag set or cleared. At one instant the one that lasts longer holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Flagging {
    /// When it was known.
    pub observed_at: Timestamp,
    /// Until when it is set, [`Timestamp::MAX`] for ever; `None`: it is cleared.
    pub until: Option<Timestamp>,
    /// The flag.
    pub name: String,
    /// Who set it.
    pub source: String,
}

/// What can be preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preference {
    /// The language.
    Language,
    /// The time zone.
    Zone,
    /// The channels, the dearest first.
    PreferredChannels,
    /// When to be left alone.
    QuietHours,
    /// How to be spoken to.
    Tone,
    /// What it needs.
    AccessibilityNeeds,
    /// The channels it was met on, which nobody can say but what it did.
    MetOn,
}

impl Preference {
    /// All that can be said, in the order of the contract.
    pub const ALL: [Self; 6] =
        [Self::Language, Self::Zone, Self::PreferredChannels, Self::QuietHours, Self::Tone, Self::AccessibilityNeeds];

    /// Its name in the contract.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Language => "language",
            Self::Zone => "zone",
            Self::PreferredChannels => "preferred_channels",
            Self::QuietHours => "quiet_hours",
            Self::Tone => "tone",
            Self::AccessibilityNeeds => "accessibility_needs",
            Self::MetOn => "inferred_channels",
        }
    }

    /// The one of a name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().chain([Self::MetOn]).find(|preference| preference.name() == name)
    }
}

/// Whether the party said so itself. What it said outranks what was seen of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// It was seen of it.
    Observed,
    /// It said so.
    Given,
}

/// How to be spoken to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Formally.
    Formal,
    /// Informally.
    Informal,
}

/// What is preferred. Personal: it does not print itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Choice {
    /// A language or a zone.
    #[serde(rename = "t")]
    Text(String),
    /// Channels or needs.
    #[serde(rename = "l")]
    Texts(Vec<String>),
    /// From and until which minute of the day.
    #[serde(rename = "q")]
    Minutes(u16, u16),
    /// A tone.
    #[serde(rename = "o")]
    Tone(Tone),
    /// What remains of interactions.
    #[serde(rename = "m")]
    Met(Met),
}

impl Choice {
    /// About how many bytes it takes in an answer.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.len() + 4,
            Self::Texts(texts) => texts.iter().map(|text| text.len() + 4).sum(),
            Self::Minutes(..) | Self::Tone(_) => 24,
            Self::Met(met) => met.weight(),
        }
    }
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹private›")
    }
}

/// A statement on one preference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Preferring {
    /// When it was said or seen.
    pub observed_at: Timestamp,
    /// On what.
    pub preference: Preference,
    /// Said or seen.
    pub basis: Basis,
    /// What; `None`: it was taken back.
    pub choice: Option<Choice>,
    /// Who took it down.
    pub source: String,
}
