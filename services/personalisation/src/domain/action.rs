//! Actions: what can be done for a customer, on which terms.

use std::time::Duration;

use rapport_conditions::{CompileErrors, Program};
use rapport_kernel::{Id, Timestamp};

use super::eligibility;

/// Marks the id of an action.
pub enum ActionMarker {}
/// An action's id.
pub type ActionId = Id<ActionMarker>;

/// How likely an action is held to be accepted where nobody said and nothing was learned: the stated prior.
pub const PRIOR: f64 = 0.5;

/// What an action is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionKind {
    /// Something to buy, on terms.
    Offer,
    /// Something that may suit.
    Recommendation,
    /// Something to know.
    Advice,
    /// Something we do.
    Service,
}

/// How often a customer may get an action: at most `times` in any window of the length `window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    /// At most so many times,
    pub times: u32,
    /// in any half-open window of this length.
    pub window: Duration,
}

/// An action as its maker wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Its name, unique in the tenant.
    pub name: String,
    /// What it is.
    pub kind: ActionKind,
    /// The channels it fits; empty: all.
    pub channels: Vec<String>,
    /// The placements it fits; empty: all.
    pub placements: Vec<String>,
    /// Who may get it; empty: everybody.
    pub eligibility: String,
    /// What it is worth when accepted.
    pub value: f64,
    /// How likely it is to be accepted; absent: [`PRIOR`].
    pub propensity: Option<f64>,
    /// How often a customer may get it; absent: any number of times.
    pub cap: Option<Cap>,
    /// From when it may be chosen; absent: from its making.
    pub start: Option<Timestamp>,
    /// Until when, exclusive; absent: for ever.
    pub end: Option<Timestamp>,
}

/// An action as it stands in a policy version. A change makes a new revision; this one never changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// Its id.
    pub id: ActionId,
    /// What its maker wrote.
    pub draft: Draft,
    /// The policy version that made this revision; it is also the etag.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Draft {
    /// Compiles the eligibility; `None` where everybody may get it.
    ///
    /// # Errors
    /// What is wrong with the condition, and where.
    pub fn compile(&self) -> Result<Option<Program>, CompileErrors> {
        if self.eligibility.trim().is_empty() {
            return Ok(None);
        }
        eligibility::compile(&self.eligibility).map(Some)
    }
}

impl Action {
    /// From when it may be chosen.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        self.draft.start.unwrap_or(self.created_at)
    }

    /// How likely it is held to be accepted.
    #[must_use]
    pub fn propensity(&self) -> f64 {
        self.draft.propensity.unwrap_or(PRIOR)
    }

    /// Propensity × value.
    #[must_use]
    pub fn priority(&self) -> f64 {
        self.propensity() * self.draft.value
    }

    /// Its etag.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("{:x}", self.version)
    }
}
