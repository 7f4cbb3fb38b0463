//! Who does what only one instance at a time shall do. By the database's clock.

use std::time::Duration;

use sea_orm::DbErr;
use uuid::Uuid;

use super::run;
use crate::conn::Conn;
use crate::engine::Engine;

/// Takes or renews a lease. False where another holds it.
pub(crate) async fn take(
    conn: &Conn,
    engine: Engine,
    name: &str,
    holder: Uuid,
    length: Duration,
) -> Result<bool, DbErr> {
    let text = format!(
        "INSERT INTO lease (name, holder, expires_at) VALUES ($1, $2, {clock} + $3) ON CONFLICT (name) DO UPDATE SET \
         holder = excluded.holder, expires_at = excluded.expires_at \
         WHERE lease.holder = excluded.holder OR lease.expires_at <= {clock}",
        clock = engine.clock(),
    );
    let length = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
    Ok(run(conn, text, [name.into(), holder.into(), length.into()]).await?.rows_affected() == 1)
}

/// Gives a lease up, so that another takes it at once.
pub(crate) async fn release(conn: &Conn, name: &str, holder: Uuid) -> Result<(), DbErr> {
    let text = "UPDATE lease SET expires_at = 0 WHERE name = $1 AND holder = $2";
    run(conn, text, [name.into(), holder.into()]).await.map(|_| ())
}
