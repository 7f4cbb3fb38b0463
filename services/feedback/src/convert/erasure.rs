//! What is to be forgotten, and what was.

use rapport_api::check;
use rapport_api::common::v1::{EraseSubjectsRequest, EraseSubjectsResponse};
use rapport_kernel::{Fault, SubjectId};

use super::id;
use crate::domain::Erased;

/// The subjects to forget. When that was asked for does not matter here: all that is held goes.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn erase(message: &EraseSubjectsRequest) -> Result<Vec<SubjectId>, Fault> {
    check(message).check()?;
    message.subject_ids.iter().map(|text| id(text)).collect()
}

/// What was forgotten.
///
/// # Errors
/// INTERNAL for more rows than the contract can count.
pub fn render(erased: Erased) -> Result<EraseSubjectsResponse, Fault> {
    let deleted_rows = i64::try_from(erased.deleted_rows).map_err(Fault::internal)?;
    Ok(EraseSubjectsResponse { deleted_rows, bus_clear: erased.bus_clear })
}
