//! That invitations to anonymous surveys were answered, until that is noted with others'. Neither when, nor by what.

use std::collections::BTreeMap;

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::Fault;
use sea_orm::ConnectionTrait as _;
use uuid::Uuid;

use super::sql;
use crate::domain::SurveyId;
use crate::domain::asking::InvitationId;

/// The claims on an invitation that wait to be noted.
///
/// # Errors
/// As the database's.
pub async fn claims(rx: &Rx, survey: SurveyId, id: InvitationId) -> Result<Vec<Vec<u8>>, Fault> {
    let text = "SELECT claim FROM invitation_use WHERE tenant = $1 AND survey_id = $2 AND invitation_id = $3";
    let values = vec![rx.tenant().uuid().into(), survey.uuid().into(), id.uuid().into()];
    let rows = rx.conn().query_all_raw(sql(rx, text, values)).await.stored()?;
    rows.iter().map(|row| row.try_get_by_index(0).stored()).collect()
}

/// How many uses of a survey's invitations wait to be noted.
///
/// # Errors
/// As the database's.
pub async fn count(rx: &Rx, survey: SurveyId) -> Result<u64, Fault> {
    let text = "SELECT COUNT(*) FROM invitation_use WHERE tenant = $1 AND survey_id = $2";
    let row = rx.conn().query_one_raw(sql(rx, text, vec![rx.tenant().uuid().into(), survey.uuid().into()])).await;
    let row = row.stored()?.ok_or_else(|| Fault::internal("a count counted nothing"))?;
    u64::try_from(row.try_get_by_index::<i64>(0).stored()?).map_err(Fault::internal)
}

/// Claims a use.
///
/// # Errors
/// As the database's.
pub async fn claim(tx: &Tx, survey: SurveyId, id: InvitationId, claim: [u8; 32]) -> Result<(), Fault> {
    let text = "INSERT INTO invitation_use (tenant, survey_id, invitation_id, claim) VALUES ($1, $2, $3, $4)";
    let values = vec![tx.tenant().uuid().into(), survey.uuid().into(), id.uuid().into(), claim.to_vec().into()];
    tx.conn().execute_raw(sql(tx, text, values)).await.stored().map(drop)
}

/// Gives a use back: what was answered was refused.
///
/// # Errors
/// As the database's.
pub async fn give_back(tx: &Tx, survey: SurveyId, id: InvitationId, claim: [u8; 32]) -> Result<(), Fault> {
    let text = "DELETE FROM invitation_use WHERE tenant = $1 AND survey_id = $2 AND invitation_id = $3 AND claim = $4";
    let values = vec![tx.tenant().uuid().into(), survey.uuid().into(), id.uuid().into(), claim.to_vec().into()];
    tx.conn().execute_raw(sql(tx, text, values)).await.stored().map(drop)
}

/// How often each invitation to a survey was answered since it was noted last; the notes are then forgotten.
///
/// # Errors
/// As the database's.
pub async fn take(tx: &Tx, survey: SurveyId) -> Result<BTreeMap<InvitationId, u32>, Fault> {
    let text = "DELETE FROM invitation_use WHERE tenant = $1 AND survey_id = $2 RETURNING invitation_id";
    let rows = tx.conn().query_all_raw(sql(tx, text, vec![tx.tenant().uuid().into(), survey.uuid().into()])).await;
    let mut taken = BTreeMap::new();
    for row in rows.stored()? {
        let id: Uuid = row.try_get_by_index(0).stored()?;
        *taken.entry(InvitationId::from_uuid(id)).or_default() += 1;
    }
    Ok(taken)
}
