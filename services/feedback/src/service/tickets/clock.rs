//! The clock: a target is missed at its instant, though nobody says anything then.

use std::collections::BTreeMap;

use rapport_data::Rx;
use rapport_kernel::{Fault, TenantId};
use rapport_platform::{OnFailure, Platform};
use tokio_util::sync::CancellationToken;

use super::super::attend::attend;
use super::Tickets;
use crate::domain::ticket::TicketId;
use crate::store::ticket::due;

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
        let due = |rx: Rx, most: u32| async move { due::due(&rx, most).await };
        attend(&self.db, &self.wake, stopping, due, |due| self.look_at(due)).await
    }

    async fn look_at(&self, due: Vec<(TenantId, TicketId)>) -> Result<(), Fault> {
        let mut tenants = BTreeMap::<TenantId, Vec<TicketId>>::new();
        for (tenant, ticket) in due {
            tenants.entry(tenant).or_default().push(ticket);
        }
        for (tenant, tickets) in tenants {
            self.look_again(tenant, tickets).await?;
        }
        Ok(())
    }
}
