//! What a tenant decided about linking as a whole.

use rapport_kernel::Timestamp;
use serde::{Deserialize, Serialize};

/// A tenant's settings of identity resolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdentitySettings {
    /// Whether records are linked without anybody's asking. Off: what would link opens a candidate.
    pub automatic_merging: bool,
    /// Counts the changes; 0: as it was built in.
    pub revision: u64,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Default for IdentitySettings {
    fn default() -> Self {
        Self { automatic_merging: true, revision: 0, updated_at: Timestamp::MIN }
    }
}
