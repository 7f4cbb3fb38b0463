//! What a tenant sets for itself.

use rapport_kernel::Timestamp;
use serde::{Deserialize, Serialize};

use super::memory::Weights;

/// The settings of a tenant; by default, those of one that changed none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The time zone (IANA); empty: UTC.
    pub zone: String,
    /// The country in which telephone numbers without `+` are read; empty: as configured.
    pub phone_region: String,
    /// The languages it speaks, its own first.
    pub languages: Vec<String>,
    /// On which day weeks begin, 1 Monday to 7 Sunday; 0: not set, a Monday.
    pub week_start: u8,
    /// The currency (ISO 4217); empty: none.
    pub currency: String,
    /// Figures that rest on fewer customers are withheld; 0: as metrics is configured.
    pub suppression_threshold: u32,
    /// Whether traits that nobody declared are refused.
    pub strict_traits: bool,
    /// How much texts weigh in how a customer feels.
    pub sentiment_weights: Weights,
    /// Counts their changes; 0: there was none.
    pub revision: u64,
    /// When they last changed.
    pub updated_at: Option<Timestamp>,
}
