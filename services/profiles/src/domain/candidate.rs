//! Match candidates: pairs of customers that may be one, put up for somebody to decide. A candidate names two records
//! and never changes hands: whose they are now is looked up.

use rapport_kernel::{Id, Private, SubjectId, Timestamp};
use serde::{Deserialize, Serialize};

/// Marks the id of a candidate.
pub enum CandidateKind {}
/// The id of a candidate.
pub type CandidateId = Id<CandidateKind>;

/// Why a pair was put up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateReason {
    /// They share a value of a strong namespace, and a limit keeps them apart.
    Limit,
    /// They were linked by a value that too many records came to carry.
    Quarantine,
    /// They share a value, or look alike, while nothing links by itself.
    Automatic,
    /// They look alike, but not enough to be linked unasked.
    Probability,
}

impl CandidateReason {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Limit, Self::Quarantine, Self::Automatic, Self::Probability];

    /// As it is stored.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::Limit => 1,
            Self::Quarantine => 2,
            Self::Automatic => 3,
            Self::Probability => 4,
        }
    }
}

/// How a candidate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateState {
    /// Nobody has decided.
    Open,
    /// They are one.
    Accepted,
    /// They are two.
    Rejected,
}

impl CandidateState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Open, Self::Accepted, Self::Rejected];

    /// As it is stored.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::Open => 1,
            Self::Accepted => 2,
            Self::Rejected => 3,
        }
    }
}

/// A pair to decide on.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its id.
    pub id: CandidateId,
    /// One record.
    pub left: SubjectId,
    /// The other.
    pub right: SubjectId,
    /// Why it was put up.
    pub reason: CandidateReason,
    /// The namespace of the value they share; empty: none.
    pub namespace: String,
    /// The namespace whose limit keeps them apart; empty: none does.
    pub limit: String,
    /// How likely they are one; none where that was not weighed.
    pub probability: Option<f64>,
    /// By which version of the model; 0: none.
    pub model_version: u64,
    /// How it stands.
    pub state: CandidateState,
    /// Counts its changes from 1.
    pub revision: u64,
    /// Who decided; empty while it is open.
    pub decided_by: String,
    /// Why, as it was given.
    pub comment: Private<String>,
    /// When it was put up.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Candidate {
    /// Both records.
    #[must_use]
    pub const fn subjects(&self) -> [SubjectId; 2] {
        [self.left, self.right]
    }
}
