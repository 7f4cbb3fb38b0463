//! The tenants that have written to this database, so that a rebuild knows whose state to tell.

use rapport_kernel::{TenantId, Timestamp};
use sea_orm::{ConnectionTrait as _, DbErr};
use uuid::Uuid;

use super::{run, sql};
use crate::conn::Conn;

pub(crate) async fn register(conn: &Conn, tenant: TenantId, now: Timestamp) -> Result<(), DbErr> {
    let text = "INSERT INTO known_tenant (tenant, recorded_at) VALUES ($1, $2) ON CONFLICT (tenant) DO NOTHING";
    run(conn, text, [tenant.uuid().into(), now.micros().into()]).await.map(|_| ())
}

pub(crate) async fn all(conn: &Conn) -> Result<Vec<TenantId>, DbErr> {
    let rows = conn.query_all_raw(sql(conn, "SELECT tenant FROM known_tenant ORDER BY tenant", [])).await?;
    rows.iter().map(|row| row.try_get_by_index::<Uuid>(0).map(TenantId::from_uuid)).collect()
}
