//! When something happens by itself to a follow-up or a promise. The clock reads it over all tenants.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, TenantId, Timestamp};
use uuid::Uuid;

use super::sql::{rows, run};

/// What it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// A follow-up.
    FollowUp,
    /// A promise.
    Promise,
}

impl Item {
    const fn name(self) -> &'static str {
        match self {
            Self::FollowUp => "follow_up",
            Self::Promise => "promise",
        }
    }
}

/// Notes when something happens to an item; none: nothing any more.
pub async fn put(tx: &Tx, item: Item, id: Uuid, due: Option<Timestamp>) -> Result<(), Fault> {
    let tenant = tx.tenant().uuid();
    let Some(due) = due else {
        let text = "DELETE FROM loop_due WHERE tenant = $1 AND item_id = $2";
        return run(tx, text, vec![tenant.into(), id.into()]).await.map(drop);
    };
    let text = "INSERT INTO loop_due (tenant, item_id, kind, due_at) VALUES ($1, $2, $3, $4) \
                ON CONFLICT (tenant, item_id) DO UPDATE SET due_at = excluded.due_at";
    run(tx, text, vec![tenant.into(), id.into(), item.name().into(), due.micros().into()]).await.map(drop)
}

/// Those to which something happens by now, the longest due first: over all tenants.
pub async fn due(rx: &Rx, limit: u32) -> Result<Vec<(TenantId, Item, Uuid)>, Fault> {
    let text = "SELECT tenant, kind, item_id FROM loop_due WHERE due_at <= $1 ORDER BY due_at LIMIT $2";
    let found = rows(rx, text, vec![rx.now().micros().into(), i64::from(limit).into()]).await?;
    let read = |row: &sea_orm::QueryResult| {
        let kind: String = row.try_get_by_index(1).stored()?;
        let item = if kind == Item::Promise.name() { Item::Promise } else { Item::FollowUp };
        Ok((TenantId::from_uuid(row.try_get_by_index(0).stored()?), item, row.try_get_by_index(2).stored()?))
    };
    found.iter().map(read).collect()
}
