//! That tokens of invitations to anonymous surveys were used: neither when, nor by what, nor whose they were. What is noted stays
//! until the survey is deleted: whoever is erased is not among it, for nothing of it leads to anybody.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::Fault;
use sea_orm::ConnectionTrait as _;

use super::sql;
use crate::domain::SurveyId;

/// The uses of a token, by its mark: of each the claim.
///
/// # Errors
/// As the database's.
pub async fn claims(rx: &Rx, survey: SurveyId, mark: [u8; 32]) -> Result<Vec<Vec<u8>>, Fault> {
    let text = "SELECT claim FROM invitation_use WHERE tenant = $1 AND survey_id = $2 AND mark = $3";
    let values = vec![rx.tenant().uuid().into(), survey.uuid().into(), mark.to_vec().into()];
    let rows = rx.conn().query_all_raw(sql(rx, text, values)).await.stored()?;
    rows.iter().map(|row| row.try_get_by_index(0).stored()).collect()
}

/// Claims a use.
///
/// # Errors
/// As the database's.
pub async fn claim(tx: &Tx, survey: SurveyId, mark: [u8; 32], claim: [u8; 32]) -> Result<(), Fault> {
    let text = "INSERT INTO invitation_use (tenant, survey_id, mark, claim) VALUES ($1, $2, $3, $4)";
    let values = vec![tx.tenant().uuid().into(), survey.uuid().into(), mark.to_vec().into(), claim.to_vec().into()];
    tx.conn().execute_raw(sql(tx, text, values)).await.stored().map(drop)
}

/// Gives a use back: what was answered was refused.
///
/// # Errors
/// As the database's.
pub async fn give_back(tx: &Tx, survey: SurveyId, mark: [u8; 32], claim: [u8; 32]) -> Result<(), Fault> {
    let text = "DELETE FROM invitation_use WHERE tenant = $1 AND survey_id = $2 AND mark = $3 AND claim = $4";
    let values = vec![tx.tenant().uuid().into(), survey.uuid().into(), mark.to_vec().into(), claim.to_vec().into()];
    tx.conn().execute_raw(sql(tx, text, values)).await.stored().map(drop)
}
