//! The words of follow-ups, each with its name in columns and events.

use serde::{Deserialize, Serialize};

/// What a follow-up is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Something hurt.
    Recovery,
    /// Something pleased.
    Praise,
}

impl Kind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recovery => "recovery",
            Self::Praise => "praise",
        }
    }
}

/// Where a follow-up stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody is at work on it.
    Open,
    /// Somebody is.
    InProgress,
    /// It was resolved.
    Resolved,
    /// There is nothing to follow up.
    Cancelled,
}

impl Status {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::InProgress => "in_progress",
            Self::Resolved => "resolved",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it is neither resolved nor cancelled.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::InProgress)
    }
}

/// How urgent a follow-up is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// It can wait.
    Low,
    /// As most.
    Normal,
    /// Before most.
    High,
    /// Now.
    Urgent,
}

/// How a follow-up ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The customer is satisfied again.
    Recovered,
    /// It was reached and is not satisfied.
    NotRecovered,
    /// It could not be reached.
    Unreachable,
    /// Nothing needed to be done.
    NoAction,
    /// It was thanked.
    Thanked,
    /// It gave a testimonial.
    Testimonial,
    /// It named somebody.
    Referral,
    /// It left.
    Lost,
}

impl Outcome {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::NotRecovered => "not_recovered",
            Self::Unreachable => "unreachable",
            Self::NoAction => "no_action",
            Self::Thanked => "thanked",
            Self::Testimonial => "testimonial",
            Self::Referral => "referral",
            Self::Lost => "lost",
        }
    }
}

/// Why a follow-up was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cancellation {
    /// Somebody cancelled it.
    ByHand,
    /// No cause is left.
    CauseWithdrawn,
}

/// Whether following up helped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Help {
    /// The score after is better.
    Better,
    /// They are equal.
    Same,
    /// It is worse.
    Worse,
}

/// In which order follow-ups are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The last opened first.
    NewestFirst,
    /// The first opened first.
    OldestFirst,
    /// What is due first first.
    DueFirst,
    /// The last changed first.
    LastChangedFirst,
}

impl Order {
    /// All, with what calls them.
    pub const ALL: [(&'static str, Self); 4] = [
        ("open_time desc", Self::NewestFirst),
        ("open_time", Self::OldestFirst),
        ("due_time", Self::DueFirst),
        ("update_time desc", Self::LastChangedFirst),
    ];
}
