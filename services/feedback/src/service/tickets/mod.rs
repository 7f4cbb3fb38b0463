//! Tickets: taken as sources tell of them, linked to issues, held to what is promised.

mod batch;
mod clock;
mod locks;
mod merge;
mod push;
mod read;
mod relink;
mod reread;
mod watch;
mod whose;

use std::sync::Arc;
use std::time::Duration;

use rapport_data::{Database, Tx};
use rapport_kernel::{Fault, PageKey, Reason};
use rapport_platform::Platform;
use tokio::sync::Notify;

use super::reading::{Reader, Readers};
use super::sla::Compiled;
use crate::domain::sla::Policies;
use crate::peers::Profiles;

pub use merge::Merge;
pub use push::{Draft, Outcome, Pushed, Telling, What};
pub use read::Listing;
pub use watch::{Change, Told, Watch};

/// What tickets are judged by: what is promised of them, and what reads them.
struct Rules {
    policies: Arc<Policies>,
    reader: Reader,
}

/// How often a unit is run again whose tickets changed while it waited for them.
const RUNS: u32 = 10;

/// The tickets of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Tickets {
    db: Database,
    profiles: Profiles,
    page_key: PageKey,
    compiled: Compiled,
    readers: Readers,
    /// Told when something may be due earlier than the clock's next look.
    wake: Arc<Notify>,
}

impl Tickets {
    /// In a database, of customers that profiles knows; `compiled` is what they are measured by, `readers` what their words
    /// are read by.
    #[must_use]
    pub fn new(db: Database, profiles: Profiles, platform: &Platform, compiled: Compiled, readers: Readers) -> Self {
        Self { db, profiles, page_key: platform.page_key.clone(), compiled, readers, wake: Arc::default() }
    }

    /// What tickets are judged by, as the unit sees it.
    async fn rules(&self, tx: &Tx) -> Result<Rules, Fault> {
        Ok(Rules { policies: self.compiled.of(tx).await?, reader: self.readers.of(tx).await? })
    }
}

/// That the tickets a unit needs are other ones than when it was begun: it runs again.
fn moved() -> Fault {
    Fault::new(Reason::Contention, "concurrent changes kept winning; try again")
}

/// Runs a unit again while it loses against others.
async fn again<T, Fut>(run: impl Fn() -> Fut) -> Result<T, Fault>
where
    Fut: Future<Output = Result<T, Fault>>,
{
    let mut runs = 0;
    loop {
        runs += 1;
        match run().await {
            Err(fault) if fault.reason == Reason::Contention && runs < RUNS => {
                tokio::time::sleep(Duration::from_millis(u64::from(runs))).await;
            }
            other => return other,
        }
    }
}
