//! The namespaces that tenants changed or added.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::Fault;

use super::{rows, run};
use crate::domain::namespace::Namespace;

/// All that the tenant changed or added.
pub async fn all(rx: &Rx) -> Result<Vec<Namespace>, Fault> {
    let found = rows(rx, "SELECT body FROM namespace WHERE tenant = $1", [rx.tenant().uuid().into()]).await?;
    let namespace = |row: &sea_orm::QueryResult| {
        let body = row.try_get_by_index::<Vec<u8>>(0).stored()?;
        serde_json::from_slice(&body).map_err(|_| Fault::internal("a stored namespace could not be decoded"))
    };
    found.iter().map(namespace).collect()
}

/// Stores a namespace.
pub async fn put(tx: &Tx, namespace: &Namespace) -> Result<(), Fault> {
    let text = "INSERT INTO namespace (tenant, name, body) VALUES ($1, $2, $3) \
                ON CONFLICT (tenant, name) DO UPDATE SET body = excluded.body";
    let body = serde_json::to_vec(namespace).map_err(Fault::internal)?;
    run(tx, text, [tx.tenant().uuid().into(), namespace.name.clone().into(), body.into()]).await.map(drop)
}
