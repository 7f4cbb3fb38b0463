//! Improvements.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, Timestamp};
use sea_orm::QueryResult;
use uuid::Uuid;

use super::sql::{Clause, decoded, locking, run};
use super::{column, revision};
use crate::domain::improvement::{Improvement, ImprovementId, Stand, cause_key};

const COLUMNS: &str = "improvement_id, revision, created_at, updated_at, body";
const TABLE: &str = "improvement";

fn improvement(row: &QueryResult) -> Result<Improvement, Fault> {
    Ok(Improvement {
        id: ImprovementId::from_uuid(row.try_get_by_index(0).stored()?),
        revision: revision(row.try_get_by_index(1).stored()?)?,
        created_at: Timestamp::from_column(row.try_get_by_index(2).stored()?),
        changed_at: Timestamp::from_column(row.try_get_by_index(3).stored()?),
        plan: decoded(row.try_get_by_index::<String>(4).stored()?.as_bytes())?,
    })
}

/// Adds an improvement, or replaces it by its new state.
pub async fn put(tx: &Tx, one: &Improvement) -> Result<(), Fault> {
    let text = "INSERT INTO improvement (tenant, improvement_id, cause, department, stage, status, revision, \
                created_at, updated_at, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
                ON CONFLICT (tenant, improvement_id) DO UPDATE SET cause = excluded.cause, \
                department = excluded.department, stage = excluded.stage, status = excluded.status, \
                revision = excluded.revision, updated_at = excluded.updated_at, body = excluded.body";
    let body = serde_json::to_string(&one.plan).map_err(|_| Fault::internal("an improvement could not be encoded"))?;
    let values = vec![
        tx.tenant().uuid().into(),
        one.id.uuid().into(),
        cause_key(&one.plan.cause).into(),
        one.plan.department.as_str().into(),
        one.plan.stage.as_str().into(),
        one.plan.stand.name().into(),
        column(one.revision)?.into(),
        one.created_at.micros().into(),
        one.changed_at.micros().into(),
        body.into(),
    ];
    run(tx, text, values).await.map(drop)
}

/// An improvement.
pub async fn find(rx: &Rx, id: ImprovementId) -> Result<Option<Improvement>, Fault> {
    let mut those = Clause::of(rx);
    those.and("improvement_id = {}", id.uuid());
    those.select(rx, COLUMNS, TABLE, "").await?.first().map(improvement).transpose()
}

/// An improvement that nobody else changes meanwhile.
pub async fn lock(tx: &Tx, id: ImprovementId) -> Result<Option<Improvement>, Fault> {
    let mut those = Clause::of(tx);
    those.and("improvement_id = {}", id.uuid());
    those.select(tx, COLUMNS, TABLE, locking(tx)).await?.first().map(improvement).transpose()
}

/// Which improvements.
#[derive(Clone, Debug, Default)]
pub struct Sieve {
    /// Only those that stand so; empty: all.
    pub statuses: Vec<Stand>,
    /// Only this department's; empty: all.
    pub department: String,
    /// Only those of this cause, as it is compared; empty: all.
    pub cause: String,
    /// Only those of this stage; empty: all.
    pub stage: String,
}

/// Improvements before one, newest first.
pub async fn page(rx: &Rx, sieve: &Sieve, before: Option<Uuid>, limit: u64) -> Result<Vec<Improvement>, Fault> {
    let mut those = Clause::of(rx);
    if !sieve.statuses.is_empty() {
        those.among("status", sieve.statuses.iter().map(|status| status.name()));
    }
    for (column, value) in [("department", &sieve.department), ("cause", &sieve.cause), ("stage", &sieve.stage)] {
        if !value.is_empty() {
            those.and(&format!("{column} = {{}}"), value.as_str());
        }
    }
    if let Some(before) = before {
        those.and("improvement_id < {}", before);
    }
    let rest = format!(" ORDER BY improvement_id DESC LIMIT {limit}");
    those.select(rx, COLUMNS, TABLE, &rest).await?.iter().map(improvement).collect()
}

/// Improvements after one, in the order of their ids.
pub async fn after(rx: &Rx, after: Uuid, limit: u64) -> Result<Vec<Improvement>, Fault> {
    let mut those = Clause::of(rx);
    those.and("improvement_id > {}", after);
    let rest = format!(" ORDER BY improvement_id LIMIT {limit}");
    those.select(rx, COLUMNS, TABLE, &rest).await?.iter().map(improvement).collect()
}

/// Deletes an improvement.
pub async fn delete(tx: &Tx, id: ImprovementId) -> Result<(), Fault> {
    let mut those = Clause::of(tx);
    those.and("improvement_id = {}", id.uuid());
    those.delete(tx, TABLE).await.map(drop)
}
