//! Segments and stages: named conditions on customers.

use rapport_kernel::{Id, OperationId, Timestamp};
use serde::{Deserialize, Serialize};

/// Marks the id of a segment.
pub enum SegmentMark {}
/// The id of a segment.
pub type SegmentId = Id<SegmentMark>;

/// How many segments a tenant may have.
pub const MOST: u64 = 2_000;

/// What a segment is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// It judges customers by what they are and do: whoever objects to being profiled is left out.
    #[default]
    Profiling,
    /// What is owed to customers is done by it: it takes in whoever meets its condition.
    Operational,
}

/// What a caller says of a segment. A condition may hold personal data: it does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Draft {
    /// What people call it.
    pub name: String,
    /// What it means.
    pub description: String,
    /// Who is in it.
    pub condition: String,
    /// What it is for.
    pub purpose: Purpose,
}

/// A segment.
#[derive(Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its id.
    pub id: SegmentId,
    /// What was said of it.
    pub draft: Draft,
    /// Counts its changes, from 1.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// The version of the tenant's definitions by which it was made.
    pub made_by: u64,
    /// The version by which its condition or its purpose last changed.
    pub changed_by: u64,
    /// The version by which its name last changed.
    pub named_by: u64,
    /// What finds its members after the last of these changes.
    pub operation: OperationId,
}

impl Segment {
    /// Its etag.
    #[must_use]
    pub fn etag(&self) -> String {
        self.revision.to_string()
    }
}

/// A stage of a customer's life as a customer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Who is in it, of those who are in none before it.
    pub condition: String,
    /// What it means.
    pub description: String,
}

/// The stages, in the order in which they are tried.
#[derive(Clone, PartialEq, Eq)]
pub struct Lifecycle {
    /// The stages.
    pub stages: Vec<Stage>,
    /// Counts their changes; 0: those of a tenant that declared none.
    pub revision: u64,
    /// When they last changed.
    pub updated_at: Option<Timestamp>,
    /// What finds each customer's stage after that.
    pub operation: Option<OperationId>,
}

impl Default for Lifecycle {
    fn default() -> Self {
        let stage = |name: &str, condition: &str, description: &str| Stage {
            name: name.to_owned(),
            condition: condition.to_owned(),
            description: description.to_owned(),
        };
        let stages = vec![
            stage("prospect", "events.purchase.size() == 0", "Has bought nothing yet."),
            stage("new", "now - events.purchase.first().at < duration('720h')", "First bought within 30 days."),
            stage("active", "now - events.purchase.last().at < duration('2160h')", "Bought within 90 days."),
            stage("at_risk", "now - events.purchase.last().at < duration('4320h')", "Last bought 90 to 180 days ago."),
            stage("lapsed", "true", "Last bought more than 180 days ago."),
        ];
        Self { stages, revision: 0, updated_at: None, operation: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::facts;

    #[test]
    fn the_stages_that_nobody_declared_compile() {
        for stage in Lifecycle::default().stages {
            assert!(facts::compile_stage(&stage.condition).is_ok(), "{}", stage.name);
        }
    }
}
