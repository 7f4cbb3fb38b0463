//! Trained models, a row for each version. None is changed after it was stored; one at most is active.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, Timestamp};
use rapport_matching::model::Model;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{rows, run};

/// The version that is active; none before the first training.
pub async fn active(rx: &Rx) -> Result<Option<u64>, Fault> {
    let text = "SELECT version FROM match_model WHERE tenant = $1 AND active";
    let found = rows(rx, text, [rx.tenant().uuid().into()]).await?;
    found.first().map(|row| Ok(row.try_get_by_index::<i64>(0).stored()?.cast_unsigned())).transpose()
}

/// A model, what its training told of it, and when that was.
pub async fn find<R: DeserializeOwned>(rx: &Rx, version: u64) -> Result<Option<(Model, R, Timestamp)>, Fault> {
    let text = "SELECT body, report, created_at FROM match_model WHERE tenant = $1 AND version = $2";
    let found = rows(rx, text, [rx.tenant().uuid().into(), version.cast_signed().into()]).await?;
    let Some(row) = found.first() else { return Ok(None) };
    let wrong = |_| Fault::internal("a stored model could not be decoded");
    let model = serde_json::from_slice(&row.try_get_by_index::<Vec<u8>>(0).stored()?).map_err(wrong)?;
    let report = serde_json::from_slice(&row.try_get_by_index::<Vec<u8>>(1).stored()?).map_err(wrong)?;
    Ok(Some((model, report, Timestamp::from_column(row.try_get_by_index(2).stored()?))))
}

/// Stores a model as the next version, which is active from now on; answers which that is.
pub async fn add<R: Serialize>(tx: &Tx, model: &Model, report: &R) -> Result<u64, Fault> {
    tx.lock(&["match_model".to_owned()]).await?;
    let tenant = || sea_orm::Value::from(tx.tenant().uuid());
    let found = rows(tx, "SELECT COALESCE(MAX(version), 0) FROM match_model WHERE tenant = $1", [tenant()]).await?;
    let last = found.first().map_or(Ok(0), |row| row.try_get_by_index::<i64>(0).stored())?;
    run(tx, "UPDATE match_model SET active = FALSE WHERE tenant = $1 AND active", [tenant()]).await?;
    let text = "INSERT INTO match_model (tenant, version, active, created_at, body, report) \
                VALUES ($1, $2, TRUE, $3, $4, $5)";
    let body = serde_json::to_vec(model).map_err(Fault::internal)?;
    let report = serde_json::to_vec(report).map_err(Fault::internal)?;
    let values = [tenant(), (last + 1).into(), tx.now().micros().into(), body.into(), report.into()];
    run(tx, text, values).await?;
    Ok((last + 1).cast_unsigned())
}
