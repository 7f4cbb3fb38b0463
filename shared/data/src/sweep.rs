//! Deletes what has served its time: settled outbox rows, answers to request ids, ids of applied effects, dead
//! letters, operations that have ended. One instance at a time, in small bites.

use std::time::Duration;

use rapport_kernel::Fault;
use rapport_platform::OnFailure;

use crate::database::Database;
use crate::engine::Engine;
use crate::fault::Stored as _;
use crate::tables::{outbox, relay, run};
use crate::unit::{Rx, Tx};

const PAUSE: Duration = Duration::from_secs(30);
const LEASE: Duration = Duration::from_secs(90);
/// Rows of one bite: others write between two.
const BITE: u64 = 2_000;
const UNPAIRED: &str = "NOT EXISTS (SELECT 1 FROM receipt r WHERE r.tenant = receipt_subject.tenant \
                        AND r.request_id = receipt_subject.request_id)";
const ANY: &str = "1 = 1";
/// Of operations: those whose caller has deleted them.
const DELETED: &str = "hidden";
/// The columns by which rows age. An operation that has not ended has no age.
const RECORDED: &str = "recorded_at";
const ENDED: &str = "finished_at";

/// What is deleted of a table.
#[derive(Clone, Copy)]
struct Sweep {
    table: &'static str,
    /// The column of its age.
    age: &'static str,
    among: &'static str,
    keep: Duration,
}

pub(crate) fn start(database: &Database) {
    let tasks = database.inner.tasks.clone();
    let database = database.clone();
    tasks.spawn(&format!("{}.sweep", database.inner.service), OnFailure::Restart, move |stopping| {
        let database = database.clone();
        async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = stopping.cancelled() => return Ok(()),
                }
                if database.system().lease("sweep", LEASE).await? {
                    database.sweep().await?;
                }
            }
        }
    });
}

impl Database {
    /// Deletes what has served its time. A background task does so twice a minute; an operator or a test may ask for
    /// it at once. Answers how many rows went.
    ///
    /// # Errors
    /// As [`Database::write`].
    pub async fn sweep(&self) -> Result<u64, Fault> {
        let config = &self.inner.config;
        let mut rows = self.sweep_outbox(config.keep_settled.get()).await?;
        for (table, age, among, keep) in [
            ("receipt", RECORDED, ANY, config.keep_receipts.get()),
            ("receipt_subject", RECORDED, UNPAIRED, config.keep_receipts.get()),
            ("inbox", RECORDED, ANY, config.keep_inbox.get()),
            ("dead_letter", RECORDED, ANY, config.keep_dead_letters.get()),
            ("operation", ENDED, ANY, config.keep_operations.get()),
            ("operation", ENDED, DELETED, Duration::ZERO),
        ] {
            rows += self.sweep_table(Sweep { table, age, among, keep }).await?;
        }
        Ok(rows)
    }

    /// Deletes settled rows, partition by partition from the oldest position on. Positions follow the age but for a
    /// little: the first bite with a row that is too young is the last.
    async fn sweep_outbox(&self, keep: Duration) -> Result<u64, Fault> {
        let settled = |rx: Rx| async move { relay::settled(rx.conn()).await.stored() };
        let mut rows = 0;
        for (partition, through) in self.system().read(settled).await? {
            loop {
                let bite = move |tx: Tx| async move {
                    let before = tx.now().minus(keep).micros();
                    outbox::sweep(tx.conn(), partition, through, before, BITE).await.stored()
                };
                let gone = self.system().write(bite).await?;
                rows += gone;
                if gone < BITE {
                    break;
                }
            }
        }
        Ok(rows)
    }

    async fn sweep_table(&self, sweep: Sweep) -> Result<u64, Fault> {
        let Sweep { table, age, among, keep } = sweep;
        // The rows' addresses: a key would be another one for each table.
        let (row, open, close) = match self.engine() {
            Engine::Sqlite => ("rowid", "IN (", ")"),
            Engine::Postgres => ("ctid", "= ANY(ARRAY(", "))"),
        };
        let mut rows = 0;
        loop {
            let bite = move |tx: Tx| async move {
                let text = format!(
                    "DELETE FROM {table} WHERE {row} {open}SELECT {row} FROM {table} WHERE {age} < $1 AND {among} \
                     LIMIT {BITE}{close}"
                );
                let done = run(tx.conn(), text, [tx.now().minus(keep).micros().into()]).await.stored()?;
                Ok(done.rows_affected())
            };
            let gone = self.system().write(bite).await?;
            rows += gone;
            if gone < BITE {
                return Ok(rows);
            }
        }
    }
}
