//! The clock: a target is missed at its instant, though nobody says anything then.

use std::collections::BTreeMap;
use std::time::Duration;

use rapport_data::Rx;
use rapport_kernel::{Fault, TenantId};
use rapport_platform::{OnFailure, Platform};
use tokio_util::sync::CancellationToken;

use super::Tickets;
use crate::domain::ticket::TicketId;
use crate::store::ticket::due;

/// How often it is looked what is due.
const LOOK: Duration = Duration::from_millis(50);
/// How many tickets are looked at in one unit.
const TAKEN: u32 = 200;

impl Tickets {
    /// Starts the task that follows the clock. Where several instances look at one ticket, the first tells of it: what a
    /// ticket comes to at an instant is the same for all.
    pub fn keep_time(&self, platform: &Platform) {
        let this = self.clone();
        platform.tasks.spawn("feedback.tickets", OnFailure::Restart, move |stopping| {
            let this = this.clone();
            async move { this.clock(&stopping).await }
        });
    }

    async fn clock(&self, stopping: &CancellationToken) -> Result<(), Fault> {
        let system = self.db.system();
        while !stopping.is_cancelled() {
            let due = system.read(|rx: Rx| async move { due::due(&rx, TAKEN).await }).await?;
            if due.is_empty() {
                tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    () = self.wake.notified() => {}
                    () = stopping.cancelled() => {}
                }
                continue;
            }
            let mut tenants = BTreeMap::<TenantId, Vec<TicketId>>::new();
            for (tenant, ticket) in due {
                tenants.entry(tenant).or_default().push(ticket);
            }
            for (tenant, tickets) in tenants {
                self.look_again(tenant, tickets).await?;
            }
        }
        Ok(())
    }
}
