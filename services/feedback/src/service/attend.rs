//! Attending to what falls due though nobody calls: at its instant by the clock, or as soon as it is noted.

use std::time::Duration;

use rapport_data::{Database, Rx};
use rapport_kernel::Fault;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How often it is looked what is due.
const LOOK: Duration = Duration::from_millis(50);
/// How much is taken at once.
const TAKEN: u32 = 200;

/// Looks what is due over all tenants and acts on it, until it is told to stop. Where nothing is due it rests, for a moment or
/// until it is woken.
///
/// # Errors
/// What looking or acting fails with: whoever runs it tries again.
pub(super) async fn attend<T, D, A>(
    db: &Database,
    wake: &Notify,
    stopping: &CancellationToken,
    due: impl Fn(Rx, u32) -> D + Sync,
    act: impl Fn(Vec<T>) -> A,
) -> Result<(), Fault>
where
    D: Future<Output = Result<Vec<T>, Fault>> + Send,
    A: Future<Output = Result<(), Fault>>,
{
    let system = db.system();
    while !stopping.is_cancelled() {
        let found = system.read(|rx| due(rx, TAKEN)).await?;
        if !found.is_empty() {
            act(found).await?;
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = wake.notified() => {}
            () = stopping.cancelled() => {}
        }
    }
    Ok(())
}
