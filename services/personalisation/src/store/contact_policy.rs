//! The table of contact policies: one row a tenant.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, Timestamp};
use sea_orm::ConnectionTrait as _;

use super::sql;
use crate::domain::contact::ContactPolicy;

/// Reads the tenant's policy; the usual one where none was made.
///
/// # Errors
/// As the database's.
pub async fn get(rx: &Rx) -> Result<ContactPolicy, Fault> {
    let text = "SELECT revision, updated_at, body FROM contact_policy WHERE tenant = $1";
    let row = rx.conn().query_one_raw(sql(rx.conn(), text, vec![rx.tenant().uuid().into()])).await.stored()?;
    let Some(row) = row else { return Ok(ContactPolicy::default()) };
    let body: String = row.try_get_by_index(2).stored()?;
    let mut policy: ContactPolicy = serde_json::from_str(&body).map_err(Fault::internal)?;
    policy.revision = u64::try_from(row.try_get_by_index::<i64>(0).stored()?).map_err(Fault::internal)?;
    policy.updated_at = Some(Timestamp::from_column(row.try_get_by_index(1).stored()?));
    Ok(policy)
}

/// Writes the tenant's policy over what it was. Whoever writes has locked it before.
///
/// # Errors
/// As the database's.
pub async fn put(tx: &Tx, policy: &ContactPolicy) -> Result<(), Fault> {
    let text = "INSERT INTO contact_policy (tenant, revision, updated_at, body) VALUES ($1, $2, $3, $4) \
                ON CONFLICT (tenant) DO UPDATE SET revision = excluded.revision, updated_at = excluded.updated_at, \
                body = excluded.body";
    let values = vec![
        tx.tenant().uuid().into(),
        i64::try_from(policy.revision).map_err(Fault::internal)?.into(),
        tx.now().micros().into(),
        serde_json::to_string(policy).map_err(Fault::internal)?.into(),
    ];
    tx.conn().execute_raw(sql(tx.conn(), text, values)).await.stored().map(drop)
}
