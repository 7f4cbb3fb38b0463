//! The rules of follow-ups, and their version: what was compiled of them holds for as long as that stands.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, Timestamp};
use sea_orm::QueryResult;
use uuid::Uuid;

use super::super::sql::{Clause, decoded, rows, run};
use super::super::{column, revision};
use crate::domain::follow_up::{Rule, RuleId};

/// A rule as it is held.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its id.
    pub id: RuleId,
    /// Grows with every change.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// How many follow-ups it opened.
    pub opened: i64,
    /// What it says.
    pub rule: Rule,
}

const COLUMNS: &str = "rule_id, revision, created_at, updated_at, opened, body";
const TABLE: &str = "follow_up_rule";

fn kept(row: &QueryResult) -> Result<Kept, Fault> {
    Ok(Kept {
        id: RuleId::from_uuid(row.try_get_by_index(0).stored()?),
        revision: revision(row.try_get_by_index(1).stored()?)?,
        created_at: Timestamp::from_column(row.try_get_by_index(2).stored()?),
        updated_at: Timestamp::from_column(row.try_get_by_index(3).stored()?),
        opened: row.try_get_by_index(4).stored()?,
        rule: decoded(row.try_get_by_index::<String>(5).stored()?.as_bytes())?,
    })
}

/// All of a tenant.
pub async fn all(rx: &Rx) -> Result<Vec<Kept>, Fault> {
    Clause::of(rx).select(rx, COLUMNS, TABLE, " ORDER BY rule_id").await?.iter().map(kept).collect()
}

/// One rule.
pub async fn find(rx: &Rx, id: RuleId) -> Result<Option<Kept>, Fault> {
    let mut those = Clause::of(rx);
    those.and("rule_id = {}", id.uuid());
    those.select(rx, COLUMNS, TABLE, "").await?.first().map(kept).transpose()
}

/// Rules after one, oldest first.
pub async fn page(rx: &Rx, after: Option<Uuid>, limit: u64) -> Result<Vec<Kept>, Fault> {
    let mut those = Clause::of(rx);
    those.and("rule_id > {}", after.unwrap_or(Uuid::nil()));
    let rest = format!(" ORDER BY rule_id LIMIT {limit}");
    those.select(rx, COLUMNS, TABLE, &rest).await?.iter().map(kept).collect()
}

/// Adds a rule, or replaces it by its new state.
pub async fn put(tx: &Tx, kept: &Kept) -> Result<(), Fault> {
    let body = serde_json::to_string(&kept.rule).map_err(|_| Fault::internal("a rule could not be encoded"))?;
    let text = "INSERT INTO follow_up_rule (tenant, rule_id, name, revision, created_at, updated_at, opened, body) \
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant, rule_id) DO UPDATE SET \
                name = excluded.name, revision = excluded.revision, updated_at = excluded.updated_at, \
                body = excluded.body";
    let values = vec![
        tx.tenant().uuid().into(),
        kept.id.uuid().into(),
        kept.rule.name.as_str().into(),
        column(kept.revision)?.into(),
        kept.created_at.micros().into(),
        kept.updated_at.micros().into(),
        kept.opened.into(),
        body.into(),
    ];
    run(tx, text, values).await.map(drop)
}

/// Counts a follow-up that a rule opens; answers how many it opened before. None: the rule is gone.
pub async fn turn(tx: &Tx, id: RuleId) -> Result<Option<u64>, Fault> {
    let text = "UPDATE follow_up_rule SET opened = opened + 1 WHERE tenant = $1 AND rule_id = $2 RETURNING opened";
    let found = rows(tx, text, vec![tx.tenant().uuid().into(), id.uuid().into()]).await?;
    let opened = found.first().map(|row| row.try_get_by_index::<i64>(0).stored()).transpose()?;
    Ok(opened.map(|opened| u64::try_from(opened - 1).unwrap_or(0)))
}

/// Deletes a rule.
pub async fn delete(tx: &Tx, id: RuleId) -> Result<(), Fault> {
    let mut those = Clause::of(tx);
    those.and("rule_id = {}", id.uuid());
    those.delete(tx, TABLE).await.map(drop)
}

/// The version of a tenant's rules, and that of its calendars: 0 where it never had any.
pub async fn version(rx: &Rx) -> Result<(i64, i64), Fault> {
    let text = "SELECT COALESCE((SELECT version FROM follow_up_version WHERE tenant = $1), 0), \
                COALESCE((SELECT version FROM sla_version WHERE tenant = $1), 0)";
    let found = rows(rx, text, vec![rx.tenant().uuid().into()]).await?;
    let row = found.first().ok_or_else(|| Fault::internal("a version was not told"))?;
    Ok((row.try_get_by_index(0).stored()?, row.try_get_by_index(1).stored()?))
}

/// Counts a change of a tenant's rules. Such changes exclude one another from here on.
pub async fn changed(tx: &Tx) -> Result<(), Fault> {
    let text = "INSERT INTO follow_up_version (tenant, version) VALUES ($1, 1) \
                ON CONFLICT (tenant) DO UPDATE SET version = follow_up_version.version + 1";
    run(tx, text, vec![tx.tenant().uuid().into()]).await.map(drop)
}
