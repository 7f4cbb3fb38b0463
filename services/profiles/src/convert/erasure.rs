//! Which subjects to forget, and what that did.

use rapport_api::common::v1::{EraseSubjectsRequest, EraseSubjectsResponse};
use rapport_kernel::{Fault, SubjectId};

use crate::service::erase::Erased;

/// The subjects to forget.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn subjects(message: &EraseSubjectsRequest) -> Result<Vec<SubjectId>, Fault> {
    rapport_api::check(message).check()?;
    Ok(message.subject_ids.iter().filter_map(|id| id.parse().ok()).collect())
}

/// What was done.
#[must_use]
pub fn erased(erased: &Erased) -> EraseSubjectsResponse {
    let deleted_rows = i64::try_from(erased.deleted_rows).unwrap_or(i64::MAX);
    EraseSubjectsResponse { deleted_rows, bus_clear: erased.bus_clear }
}
