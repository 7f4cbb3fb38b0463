//! The table of policy versions.

use rapport_data::Stored as _;
use rapport_kernel::{Fault, TenantId};
use sea_orm::ConnectionTrait;

use super::sql;

/// The newest version; 0 where the tenant never had an action.
///
/// # Errors
/// As the database's.
pub async fn version(conn: &impl ConnectionTrait, tenant: TenantId) -> Result<i64, Fault> {
    let select = sql(conn, "SELECT version FROM policy WHERE tenant = $1", vec![tenant.uuid().into()]);
    let row = conn.query_one_raw(select).await.stored()?;
    row.map_or(Ok(0), |row| row.try_get_by_index(0).stored())
}

/// Raises the version, and answers the new one. Nobody else changes the tenant's actions until this unit ends.
///
/// # Errors
/// As the database's.
pub async fn raise(conn: &impl ConnectionTrait, tenant: TenantId) -> Result<i64, Fault> {
    let text = "INSERT INTO policy (tenant, version) VALUES ($1, 1) \
                ON CONFLICT (tenant) DO UPDATE SET version = policy.version + 1 RETURNING version";
    let row = conn.query_one_raw(sql(conn, text, vec![tenant.uuid().into()])).await.stored()?;
    let row = row.ok_or_else(|| Fault::internal("a policy version was raised and not returned"))?;
    row.try_get_by_index(0).stored()
}

/// Keeps everybody else from changing the tenant's actions until this unit ends.
///
/// # Errors
/// As the database's.
pub async fn lock(conn: &impl ConnectionTrait, tenant: TenantId) -> Result<(), Fault> {
    // A change that changes nothing takes the row's lock on both engines.
    let text = "UPDATE policy SET version = version WHERE tenant = $1";
    conn.execute_raw(sql(conn, text, vec![tenant.uuid().into()])).await.stored().map(drop)
}
