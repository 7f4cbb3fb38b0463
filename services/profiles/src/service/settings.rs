//! What a tenant sets for itself.

use rapport_data::{Answer, Receipt, Tx};
use rapport_kernel::{Fault, Reason};
use rapport_platform::Call;

use super::{Profiles, backfill};
use crate::domain::settings::Settings;
use crate::events;
use crate::store::derivation::Changed;
use crate::store::settings;

/// A change of some settings: of the ones held, and of those given with it.
pub type Change = fn(&mut Settings, &Settings);

/// Which settings to change.
#[derive(Clone, Debug)]
pub struct Updating {
    /// The new values.
    pub settings: Settings,
    /// What of them is taken over.
    pub changes: Vec<Change>,
    /// The revision as last read.
    pub expected: Option<u64>,
}

impl Profiles {
    /// The tenant's settings.
    ///
    /// # Errors
    /// As [`rapport_data::Database::read`].
    pub async fn settings(&self, call: &Call) -> Result<Settings, Fault> {
        self.read(call, |rx| async move { settings::find(&rx).await }).await
    }

    /// Changes the tenant's settings.
    ///
    /// # Errors
    /// ABORTED (STALE_ETAG).
    pub async fn update_settings(
        &self,
        call: &Call,
        receipt: Receipt<Settings>,
        input: Updating,
    ) -> Result<Answer<Settings>, Fault> {
        let unit = move |tx: Tx| {
            let input = input.clone();
            async move {
                tx.lock(&["settings".to_owned()]).await?;
                let held = settings::find(&tx).await?;
                if input.expected.is_some_and(|expected| expected != held.revision) {
                    let text = "the etag is not the newest: read the settings again, apply the change to them, retry";
                    return Err(Fault::new(Reason::StaleEtag, text).resource("tenant_settings", "own"));
                }
                let mut changed = held.clone();
                input.changes.iter().for_each(|change| change(&mut changed, &input.settings));
                if changed == held {
                    return Ok(held);
                }
                changed.revision += 1;
                changed.updated_at = Some(tx.now());
                settings::put(&tx, &changed).await?;
                if (&changed.zone, changed.week_start) != (&held.zone, held.week_start) {
                    // What is computed by the calendar of customers who prefer no zone.
                    backfill::changed_else(&tx, Changed::Calendar).await?;
                }
                if !changed.sentiment_weights.are_those_of(&held.sentiment_weights) {
                    backfill::changed_else(&tx, Changed::Sentiment).await?;
                }
                tx.publish(events::tenant_settings_changed(tx.tenant(), &changed)).await?;
                Ok(changed)
            }
        };
        let answer = self.database(call).write_once(call.tenant(), receipt, unit).await?;
        self.definitions_changed(call.tenant());
        Ok(answer)
    }
}
