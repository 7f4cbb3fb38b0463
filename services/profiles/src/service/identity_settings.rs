//! What a tenant decides about linking as a whole.

use rapport_data::{Answer, Receipt, Tx};
use rapport_kernel::{Fault, Reason};
use rapport_platform::Call;

use super::Profiles;
use crate::domain::identity::IdentitySettings;
use crate::store::identity_settings;

/// Settings as they shall be.
#[derive(Clone, Debug)]
pub struct Update {
    /// As they shall be; their revision is counted here.
    pub settings: IdentitySettings,
    /// Their revision as last read.
    pub expected: Option<u64>,
}

impl Profiles {
    /// The tenant's settings of identity resolution.
    ///
    /// # Errors
    /// As [`rapport_data::Database::read`].
    pub async fn identity_settings(&self, call: &Call) -> Result<IdentitySettings, Fault> {
        self.read(call, |rx| async move { identity_settings::get(&rx).await }).await
    }

    /// Changes them.
    ///
    /// # Errors
    /// ABORTED (STALE_ETAG).
    pub async fn update_identity_settings(
        &self,
        call: &Call,
        receipt: Receipt<IdentitySettings>,
        update: Update,
    ) -> Result<Answer<IdentitySettings>, Fault> {
        let unit = move |tx: Tx| {
            let update = update.clone();
            async move { change(&tx, update).await }
        };
        let answer = self.database(call).write_once(call.tenant(), receipt, unit).await?;
        self.rules_changed(call.tenant());
        Ok(answer)
    }
}

async fn change(tx: &Tx, update: Update) -> Result<IdentitySettings, Fault> {
    tx.lock(&["identity_settings".to_owned()]).await?;
    let held = identity_settings::get(tx).await?;
    if update.expected.is_some_and(|expected| expected != held.revision) {
        let text = "the etag is not the newest: read the settings again, look whether the change still fits, retry";
        return Err(Fault::new(Reason::StaleEtag, text).resource("identity_settings", "identitySettings"));
    }
    let mut wanted = update.settings;
    (wanted.revision, wanted.updated_at) = (held.revision, held.updated_at);
    if wanted == held {
        return Ok(held);
    }
    (wanted.revision, wanted.updated_at) = (held.revision + 1, tx.now());
    identity_settings::put(tx, &wanted).await?;
    Ok(wanted)
}
