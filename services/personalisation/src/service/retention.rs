//! Letting go: decisions hold what was known of a customer, and nobody explains them for ever. One instance at a time,
//! in small bites, each found by an index.

use std::time::Duration;

use rapport_data::{Database, Tx};
use rapport_kernel::{Fault, TenantId};
use rapport_platform::{OnFailure, Platform};
use tokio::time::sleep;

use crate::store;

/// The longest pause between two rounds, and the shortest.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// Rounds within the time that is kept: nothing outlives it by much.
const ROUNDS: u32 = 100;
/// Longer than a pause: who holds it goes on.
const LEASE: Duration = Duration::from_secs(2 * 60 * 60);
/// Rows of one bite: others write between two.
const BITE: u64 = 1_000;

/// Starts letting go of what is older than `keep`.
pub fn start(platform: &Platform, db: &Database, keep: Duration) {
    let (db, pause) = (db.clone(), (keep / ROUNDS).clamp(SHORTEST_PAUSE, LONGEST_PAUSE));
    platform.tasks.spawn("personalisation.retention", OnFailure::Restart, move |stopping| {
        let db = db.clone();
        async move {
            loop {
                tokio::select! {
                    () = sleep(pause) => {}
                    () = stopping.cancelled() => return Ok(()),
                }
                if !db.system().lease("retention", LEASE).await? {
                    continue;
                }
                for tenant in db.system().tenants().await? {
                    prune(&db, tenant, keep).await?;
                }
            }
        }
    });
}

async fn prune(db: &Database, tenant: TenantId, keep: Duration) -> Result<(), Fault> {
    loop {
        let bite = move |tx: Tx| async move {
            // An erasure deletes the same rows, in another order.
            tx.hold_erasures().await?;
            // What a cap may count is needed longer than what explains a decision.
            let policy = store::contact_policy::get(&tx).await?;
            let longest = store::action::longest_window(&tx).await?.max(policy.longest_window());
            let entries = store::contact::prune(&tx, tx.now().minus(keep.max(longest)), BITE).await?;
            let decisions = store::decision::prune(&tx, tx.now().minus(keep), BITE).await?;
            Ok(entries.max(decisions))
        };
        if db.write(tenant, bite).await? < BITE {
            return Ok(());
        }
    }
}
