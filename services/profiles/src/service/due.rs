//! What changes by the mere passing of time: a flag ends at its instant, and a page of profiles wants to be folded anew.
//! Workers of all instances take what is due; whoever takes it looks again, so that one too many does no harm.

use std::collections::BTreeSet;
use std::time::Duration;

use rapport_data::{Tx, Wakeup};
use rapport_kernel::{CustomerId, Fault};
use rapport_platform::{OnFailure, Platform};

use super::component::lock_customers;
use super::{Profiles, Written, apply, refold, rules};
use crate::domain::namespace::Namespaces;
use crate::domain::profile::fold;
use crate::domain::relink::Held;
use crate::store::profile;

/// How many are taken at once.
const TAKEN: u64 = 200;
/// After how long what was taken and not looked at is due again.
const LEASE: Duration = Duration::from_secs(30);
/// How often it is looked whether something is due.
const PAUSE: Duration = Duration::from_millis(100);

impl Profiles {
    /// Starts the worker.
    pub fn follow_time(&self, platform: &Platform) {
        let this = self.clone();
        platform.tasks.spawn("profiles.due", OnFailure::Restart, move |stopping| {
            let this = this.clone();
            async move {
                loop {
                    let taken = this.0.database.system().take_due(TAKEN, LEASE).await?;
                    for wakeup in &taken {
                        this.wake(wakeup).await?;
                    }
                    if stopping.is_cancelled() {
                        return Ok(());
                    }
                    if taken.is_empty() {
                        tokio::select! {
                            () = stopping.cancelled() => return Ok(()),
                            () = tokio::time::sleep(PAUSE) => {}
                        }
                    }
                }
            }
        });
    }

    async fn wake(&self, wakeup: &Wakeup) -> Result<(), Fault> {
        let (built_in, subject, tenant) = (self.0.built_in.clone(), wakeup.subject, wakeup.tenant);
        let unit = move |tx: Tx| {
            let built_in = built_in.clone();
            async move {
                if subject == refold::of_tenant(tx.tenant()) {
                    return refold::page(&tx, &built_in).await;
                }
                look(&tx, subject, &built_in).await
            }
        };
        let written = self.0.database.write(tenant, unit).await?;
        self.show(tenant, &written);
        Ok(())
    }
}

/// Looks at a customer again: what has ended since it was written is told.
async fn look(tx: &Tx, customer: CustomerId, built_in: &Namespaces) -> Result<Written, Fault> {
    let mut written = Written::default();
    lock_customers(tx, &BTreeSet::from([customer])).await?;
    let row = profile::find(tx, customer).await?;
    // An id that was merged away or erased meanwhile: its records are looked at under the id that holds them now.
    let Some(profile::Row { held: Held::Live { revision, records }, updated_at }) = row else {
        tx.wake_at(customer, None).await?;
        return Ok(written);
    };
    let rules = rules::read(tx, built_in).await?;
    let told = fold(customer, revision, updated_at, &records, &rules).at(updated_at);
    let now = told.clone().at(tx.now());
    tx.wake_at(customer, now.valid_until()).await?;
    if now != told {
        written.live.push(apply::touch(tx, (customer, revision), records, &rules).await?);
    }
    Ok(written)
}
