//! Improvements: a cause mended for all.

use rapport_kernel::{Id, Timestamp};
use serde::{Deserialize, Serialize};

/// An improvement's id.
pub type ImprovementId = Id<Improvement>;

/// Where an improvement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stand {
    /// It is thought of.
    Proposed,
    /// It is being done.
    InProgress,
    /// It is done.
    Done,
    /// It will not be.
    Dropped,
}

impl Stand {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::InProgress => "in_progress",
            Self::Done => "done",
            Self::Dropped => "dropped",
        }
    }
}

/// What an improvement is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Its title.
    pub title: String,
    /// What it is, in words.
    pub description: String,
    /// The cause it mends.
    pub cause: String,
    /// The topics that tell of the cause.
    pub topics: Vec<String>,
    /// The department that owns it.
    pub department: String,
    /// Who answers for it.
    pub owner: rapport_kernel::Private<String>,
    /// The journey stage.
    pub stage: String,
    /// The metric it is to move.
    pub target_metric: String,
    /// What the metric is to reach.
    pub target_value: Option<f64>,
    /// When it takes effect.
    pub starts_at: Option<Timestamp>,
    /// Where it stands.
    pub stand: Stand,
}

/// An improvement.
#[derive(Clone, Debug, PartialEq)]
pub struct Improvement {
    /// Its id.
    pub id: ImprovementId,
    /// What it is.
    pub plan: Plan,
    /// Grows with every change.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub changed_at: Timestamp,
}

/// The follow-ups that named the cause of an improvement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Linked {
    /// How many.
    pub all: i64,
    /// How many since it took effect.
    pub since_start: i64,
    /// When the last was resolved.
    pub last: Option<Timestamp>,
}

/// A cause as it is compared: whatever the case of its letters and the space around it.
#[must_use]
pub fn cause_key(cause: &str) -> String {
    cause.trim().to_lowercase()
}
