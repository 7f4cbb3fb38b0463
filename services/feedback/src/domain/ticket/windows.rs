//! How long something counts: a tenant's own lengths, by which tickets are judged.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A week.
const WEEK: u64 = 7 * 86_400;

/// The lengths, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// Within how long after the last contact or solution a ticket about the same is a repetition.
    pub repetition: u64,
    /// Within how long after its solution a ticket must stay quiet to have been solved on first contact.
    pub first_contact: u64,
}

impl Default for Windows {
    fn default() -> Self {
        Self { repetition: WEEK, first_contact: WEEK }
    }
}

impl Windows {
    /// The first length.
    #[must_use]
    pub const fn repetition(self) -> Duration {
        Duration::from_secs(self.repetition)
    }
}
