//! What is to be looked at again though nobody says anything. The clock reads it over all tenants.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, TenantId, Timestamp};
use sea_orm::ConnectionTrait as _;
use uuid::Uuid;

use super::sql;

/// An invitation: to be confirmed, reminded of, or closed.
pub const INVITATION: &str = "invitation";
/// Somebody to be asked.
pub const TASK: &str = "task";
/// What is left of a wave.
pub const WAVE: &str = "wave";

/// What is due.
#[derive(Clone, Debug)]
pub struct Due {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub item: Uuid,
    /// What it is.
    pub what: String,
}

/// Notes when something is due; `None`: never.
///
/// # Errors
/// As the database's.
pub async fn set(tx: &Tx, item: Uuid, what: &str, due: Option<Timestamp>) -> Result<(), Fault> {
    let (tenant, item) = (tx.tenant().uuid(), item);
    let statement = match due {
        Some(due) => {
            let text = "INSERT INTO asking_due (tenant, item_id, what, due_at) VALUES ($1, $2, $3, $4) \
                        ON CONFLICT (tenant, item_id) DO UPDATE SET due_at = excluded.due_at";
            sql(tx, text, vec![tenant.into(), item.into(), what.into(), due.micros().into()])
        }
        None => sql(tx, "DELETE FROM asking_due WHERE tenant = $1 AND item_id = $2", vec![tenant.into(), item.into()]),
    };
    tx.conn().execute_raw(statement).await.stored().map(drop)
}

/// Notes when something is due, unless it is noted.
///
/// # Errors
/// As the database's.
pub async fn add(tx: &Tx, item: Uuid, what: &str, due: Timestamp) -> Result<(), Fault> {
    let text = "INSERT INTO asking_due (tenant, item_id, what, due_at) VALUES ($1, $2, $3, $4) \
                ON CONFLICT (tenant, item_id) DO NOTHING";
    let values = vec![tx.tenant().uuid().into(), item.into(), what.into(), due.micros().into()];
    tx.conn().execute_raw(sql(tx, text, values)).await.stored().map(drop)
}

/// Puts off what could not be done.
///
/// # Errors
/// As the database's.
pub async fn put_off(tx: &Tx, item: Uuid, until: Timestamp) -> Result<(), Fault> {
    let text = "UPDATE asking_due SET due_at = $3 WHERE tenant = $1 AND item_id = $2";
    let values = vec![tx.tenant().uuid().into(), item.into(), until.micros().into()];
    tx.conn().execute_raw(sql(tx, text, values)).await.stored().map(drop)
}

/// What is due, the longest due first: over all tenants.
///
/// # Errors
/// As the database's.
pub async fn due(rx: &Rx, limit: u32) -> Result<Vec<Due>, Fault> {
    let text = "SELECT tenant, item_id, what FROM asking_due WHERE due_at <= $1 ORDER BY due_at LIMIT $2";
    let rows = rx.conn().query_all_raw(sql(rx, text, vec![rx.now().micros().into(), i64::from(limit).into()])).await;
    let read = rows.stored()?.into_iter().map(|row| {
        let (tenant, item) = (row.try_get_by_index::<Uuid>(0).stored()?, row.try_get_by_index(1).stored()?);
        Ok(Due { tenant: TenantId::from_uuid(tenant), item, what: row.try_get_by_index(2).stored()? })
    });
    read.collect()
}
