//! Feedback's tables. Every query names its tenant; nothing outside sees a row.

pub mod asking;
pub mod follow_up;
pub mod holder;
pub mod improvement;
pub mod loop_due;
pub mod mention;
pub mod promise;
pub mod response;
pub mod response_key;
pub mod response_tag;
pub mod search;
pub mod sla_rule;
mod sql;
pub mod survey;
pub mod survey_version;
mod text;
pub mod text_reading;
pub mod ticket;
pub mod topic;

use rapport_kernel::{Fault, Timestamp};

/// A revision as a column holds it.
fn column(revision: u64) -> Result<i64, Fault> {
    i64::try_from(revision).map_err(Fault::internal)
}

/// A column's revision.
fn revision(column: i64) -> Result<u64, Fault> {
    u64::try_from(column).map_err(Fault::internal)
}

fn time(column: Option<i64>) -> Option<Timestamp> {
    column.map(Timestamp::from_column)
}

/// A version as a column holds it.
fn small(version: u32) -> Result<i32, Fault> {
    i32::try_from(version).map_err(Fault::internal)
}

/// A column's version.
fn version(column: i32) -> Result<u32, Fault> {
    u32::try_from(column).map_err(Fault::internal)
}
