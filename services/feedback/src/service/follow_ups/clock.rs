//! The clock: a follow-up is overdue, goes up its chain, and a promise is broken at its instant, though nobody says
//! anything then.

use rapport_data::{Rx, Tx};
use rapport_kernel::{Fault, TenantId};
use rapport_platform::{OnFailure, Platform};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::super::attend::attend;
use super::{FollowUps, save};
use crate::domain::follow_up::FollowUpId;
use crate::store::follow_up as store;
use crate::store::loop_due::{self, Item};

impl FollowUps {
    /// Starts the task that follows the clock. Where several instances look at one item, the first tells of it: what it
    /// comes to at an instant is the same for all.
    pub fn keep_time(&self, platform: &Platform) {
        let this = self.clone();
        platform.tasks.spawn("feedback.loop", OnFailure::Restart, move |stopping| {
            let this = this.clone();
            async move { this.run(&stopping).await }
        });
    }

    async fn run(&self, stopping: &CancellationToken) -> Result<(), Fault> {
        let due = |rx: Rx, most: u32| async move { loop_due::due(&rx, most).await };
        attend(&self.db, &self.wake, stopping, due, |due| self.look_at(due)).await
    }

    async fn look_at(&self, due: Vec<(TenantId, Item, Uuid)>) -> Result<(), Fault> {
        for (tenant, item, id) in due {
            match item {
                Item::FollowUp => self.tick(tenant, id).await?,
                Item::Promise => self.promises.tick(tenant, id).await?,
            }
        }
        Ok(())
    }

    async fn tick(&self, tenant: TenantId, id: Uuid) -> Result<(), Fault> {
        let unit = move |tx: Tx| async move {
            tx.hold_erasures().await?;
            let held = store::lock(&tx, FollowUpId::from_uuid(id)).await?;
            match held.as_ref().and_then(|held| held.tick(tx.now())) {
                Some(touched) => save(&tx, touched).await.map(drop),
                None => loop_due::put(&tx, Item::FollowUp, id, held.and_then(|held| held.wakes())).await,
            }
        };
        self.db.write(tenant, unit).await
    }
}
