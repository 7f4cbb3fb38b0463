//! Whether the database is there, as `/readyz` tells it: without it a service can answer nothing, and whoever balances
//! load must know.

use std::time::Duration;

use rapport_kernel::Fault;
use rapport_platform::{OnFailure, Readiness};
use sea_orm::ConnectionTrait as _;
use tokio::time::{Instant, sleep, timeout};

use crate::database::Database;
use crate::fault::Stored as _;
use crate::tables::sql;
use crate::unit::Rx;

const PAUSE: Duration = Duration::from_secs(1);
/// A look that takes longer found nothing.
const LONGEST: Duration = Duration::from_secs(2);
/// So many looks in a row must find nothing, or find it again, before anybody is told: one slow answer is no outage.
const LOOKS: u32 = 2;

impl Database {
    /// Starts telling `readiness` whether the database is there.
    pub fn watch(&self, readiness: &Readiness) {
        let (database, readiness) = (self.clone(), readiness.clone());
        let name = format!("{}.watch", self.inner.service);
        self.inner.tasks.spawn(&name, OnFailure::Restart, move |stopping| {
            let (database, readiness) = (database.clone(), readiness.clone());
            async move {
                let (mut is_there, mut against) = (true, 0);
                loop {
                    tokio::select! {
                        () = sleep(PAUSE) => {}
                        () = stopping.cancelled() => return Ok(()),
                    }
                    let look = timeout(LONGEST, database.look_up()).await;
                    let found = matches!(look, Ok(Ok(())));
                    against = if found == is_there { 0 } else { against + 1 };
                    if against < LOOKS {
                        continue;
                    }
                    (is_there, against) = (found, 0);
                    if is_there {
                        readiness.ready("database");
                    } else {
                        readiness.waiting("database", "it cannot be reached");
                    }
                }
            }
        });
    }

    async fn look_up(&self) -> Result<(), Fault> {
        let look = |rx: Rx| async move { rx.conn().query_one_raw(sql(rx.conn(), "SELECT 1", [])).await.stored() };
        self.until(Some(Instant::now() + LONGEST)).system().read(look).await.map(drop)
    }
}
