//! What tenants decided about linking as a whole: a row for each that changed anything.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::Fault;

use super::{rows, run};
use crate::domain::identity::IdentitySettings;

/// The tenant's settings.
pub async fn get(rx: &Rx) -> Result<IdentitySettings, Fault> {
    let found = rows(rx, "SELECT body FROM identity_settings WHERE tenant = $1", [rx.tenant().uuid().into()]).await?;
    let Some(row) = found.first() else { return Ok(IdentitySettings::default()) };
    let body = row.try_get_by_index::<Vec<u8>>(0).stored()?;
    serde_json::from_slice(&body).map_err(|_| Fault::internal("stored identity settings could not be decoded"))
}

/// Stores the tenant's settings.
pub async fn put(tx: &Tx, settings: &IdentitySettings) -> Result<(), Fault> {
    let text = "INSERT INTO identity_settings (tenant, body) VALUES ($1, $2) \
                ON CONFLICT (tenant) DO UPDATE SET body = excluded.body";
    let body = serde_json::to_vec(settings).map_err(Fault::internal)?;
    run(tx, text, [tx.tenant().uuid().into(), body.into()]).await.map(drop)
}
