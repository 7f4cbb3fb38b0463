//! The stages of a customer's life: declared here; at which stage a customer is, is derived.

use rapport_data::{Answer, Receipt, Tx};
use rapport_kernel::Fault;
use rapport_platform::Call;

use super::segments::stale;
use super::{Profiles, backfill};
use crate::domain::segment::Lifecycle;
use crate::store::derivation::Changed;
use crate::store::lifecycle;

impl Profiles {
    /// The stages.
    ///
    /// # Errors
    /// As [`rapport_data::Database::read`].
    pub async fn lifecycle(&self, call: &Call) -> Result<Lifecycle, Fault> {
        self.read(call, |rx| async move { lifecycle::find(&rx).await }).await
    }

    /// Changes the stages.
    ///
    /// # Errors
    /// ABORTED (STALE_ETAG).
    pub async fn update_lifecycle(
        &self,
        call: &Call,
        receipt: Receipt<Lifecycle>,
        mut wanted: Lifecycle,
        etag: String,
    ) -> Result<Answer<Lifecycle>, Fault> {
        wanted.revision = 0;
        let unit = move |tx: Tx| {
            let (wanted, etag) = (wanted.clone(), etag.clone());
            async move {
                backfill::hold(&tx).await?;
                let held = lifecycle::find(&tx).await?;
                if !etag.is_empty() && etag != held.revision.to_string() {
                    return Err(stale("lifecycle", "lifecycle".to_owned()));
                }
                let (revision, updated_at) = (held.revision + 1, Some(tx.now()));
                let change = backfill::changed_else(&tx, Changed::Stages).await?;
                lifecycle::put(&tx, &Lifecycle { revision, updated_at, ..wanted }, change.operation).await?;
                lifecycle::find(&tx).await
            }
        };
        let answer = self.database(call).write_once(call.tenant(), receipt, unit).await?;
        self.definitions_changed(call.tenant());
        Ok(answer)
    }
}
