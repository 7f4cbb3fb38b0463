//! Values that too many records came to carry, and those of them that somebody let link again.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, Private, Timestamp};
use sea_orm::QueryResult;
use uuid::Uuid;

use super::{rows, run};
use crate::domain::value::Identifier;

/// A quarantined value, by its handle: what it is is never told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// The value.
    pub identifier: Identifier,
    /// What it is called outside.
    pub handle: Uuid,
    /// Since when.
    pub since: Timestamp,
    /// How many records may carry it since somebody looked; 0: as the namespace has it.
    pub allowed: usize,
}

fn quarantined(row: &QueryResult) -> Result<Quarantined, Fault> {
    let value = Private::new(row.try_get_by_index::<String>(1).stored()?);
    Ok(Quarantined {
        identifier: Identifier { namespace: row.try_get_by_index(0).stored()?, value },
        handle: row.try_get_by_index(2).stored()?,
        since: Timestamp::from_column(row.try_get_by_index(3).stored()?),
        allowed: usize::try_from(row.try_get_by_index::<i64>(4).stored()?).unwrap_or(0),
    })
}

const COLUMNS: &str = "SELECT namespace, value, handle, since, allowed FROM quarantine";

/// How many records may carry a value, if somebody said so.
pub async fn allowed(rx: &Rx, identifier: &Identifier) -> Result<Option<usize>, Fault> {
    let text = format!("{COLUMNS} WHERE tenant = $1 AND namespace = $2 AND value = $3 AND allowed > 0");
    let key =
        [rx.tenant().uuid().into(), identifier.namespace.clone().into(), identifier.value.expose().clone().into()];
    let found = rows(rx, &text, key).await?;
    Ok(found.first().map(quarantined).transpose()?.map(|found| found.allowed))
}

/// Notes that a value is quarantined; one that is known to be stays as it is.
pub async fn add(tx: &Tx, identifier: &Identifier) -> Result<(), Fault> {
    let text = "INSERT INTO quarantine (tenant, namespace, value, handle, since, allowed) VALUES ($1, $2, $3, $4, $5, 0) \
                ON CONFLICT (tenant, namespace, value) DO UPDATE SET allowed = 0";
    let values = [
        tx.tenant().uuid().into(),
        identifier.namespace.clone().into(),
        identifier.value.expose().clone().into(),
        Uuid::now_v7().into(),
        tx.now().micros().into(),
    ];
    run(tx, text, values).await.map(drop)
}

/// The one of a handle.
pub async fn find(rx: &Rx, handle: Uuid) -> Result<Option<Quarantined>, Fault> {
    let text = format!("{COLUMNS} WHERE tenant = $1 AND handle = $2");
    rows(rx, &text, [rx.tenant().uuid().into(), handle.into()]).await?.first().map(quarantined).transpose()
}

/// Those that link nobody now, the newest first, at most `limit`.
pub async fn newest(rx: &Rx, limit: u64) -> Result<Vec<Quarantined>, Fault> {
    let text = format!("{COLUMNS} WHERE tenant = $1 AND allowed = 0 ORDER BY since DESC, handle DESC LIMIT {limit}");
    rows(rx, &text, [rx.tenant().uuid().into()]).await?.iter().map(quarantined).collect()
}

/// How many link nobody now, by namespace.
pub async fn counts(rx: &Rx) -> Result<Vec<(String, u64)>, Fault> {
    let text = "SELECT namespace, COUNT(*) FROM quarantine WHERE tenant = $1 AND allowed = 0 GROUP BY namespace \
                ORDER BY namespace";
    let count = |row: &QueryResult| {
        let count = row.try_get_by_index::<i64>(1).stored()?;
        Ok((row.try_get_by_index::<String>(0).stored()?, count.cast_unsigned()))
    };
    rows(rx, text, [rx.tenant().uuid().into()]).await?.iter().map(count).collect()
}

/// Lets a value be carried by so many records.
pub async fn allow(tx: &Tx, handle: Uuid, allowed: usize) -> Result<(), Fault> {
    let text = "UPDATE quarantine SET allowed = $3 WHERE tenant = $1 AND handle = $2";
    let allowed = i64::try_from(allowed).unwrap_or(i64::MAX);
    run(tx, text, [tx.tenant().uuid().into(), handle.into(), allowed.into()]).await.map(drop)
}

/// Forgets a value.
pub async fn forget(tx: &Tx, identifier: &Identifier) -> Result<(), Fault> {
    let text = "DELETE FROM quarantine WHERE tenant = $1 AND namespace = $2 AND value = $3";
    let key =
        [tx.tenant().uuid().into(), identifier.namespace.clone().into(), identifier.value.expose().clone().into()];
    run(tx, text, key).await.map(drop)
}

/// Forgets a namespace's values that nobody let link again, for which they are is found out anew, and those that nobody
/// carries any more.
pub async fn forget_namespace(tx: &Tx, namespace: &str) -> Result<(), Fault> {
    let text = "DELETE FROM quarantine WHERE tenant = $1 AND namespace = $2 AND (allowed = 0 OR NOT EXISTS \
                (SELECT 1 FROM identifier i WHERE i.tenant = $1 AND i.namespace = $2 AND i.value = quarantine.value))";
    run(tx, text, [tx.tenant().uuid().into(), namespace.to_owned().into()]).await.map(drop)
}
