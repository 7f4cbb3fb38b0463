//! The version of what a tenant derives, and up to which all its customers were looked at.

use rapport_data::{Rx, Tx};
use rapport_kernel::Fault;

use super::{number, rows, run};

/// The version, and the one that is settled.
pub async fn find(rx: &Rx) -> Result<(u64, u64), Fault> {
    let text = "SELECT version, settled FROM derivation WHERE tenant = $1";
    match rows(rx, text, [rx.tenant().uuid().into()]).await?.first() {
        Some(row) => Ok((number(row, 0)?.cast_unsigned(), number(row, 1)?.cast_unsigned())),
        None => Ok((0, 0)),
    }
}

/// Counts a change; answers the new version. Whoever changes what is derived waits here for others who do.
pub async fn raise(tx: &Tx) -> Result<u64, Fault> {
    let text = "INSERT INTO derivation (tenant, version, settled) VALUES ($1, 1, 0) \
                ON CONFLICT (tenant) DO UPDATE SET version = derivation.version + 1 RETURNING version";
    let found = rows(tx, text, [tx.tenant().uuid().into()]).await?;
    let row = found.first().ok_or_else(|| Fault::internal("a version was not counted"))?;
    Ok(number(row, 0)?.cast_unsigned())
}

/// Notes that all customers were looked at by a version.
pub async fn settle(tx: &Tx, version: u64) -> Result<(), Fault> {
    let text = "UPDATE derivation SET settled = $2 WHERE tenant = $1 AND settled < $2";
    run(tx, text, [tx.tenant().uuid().into(), version.cast_signed().into()]).await.map(drop)
}
