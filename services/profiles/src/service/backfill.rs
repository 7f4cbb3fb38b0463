//! The back-fill: what a change of what is derived makes of customers who were there before. It is an operation that goes
//! through all whom an older version derived, some at a time, and rests the longer the busier the database is. One goes
//! through a tenant's customers at a time. Changes that are made before it begins, or while another is at it, share one.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rapport_data::{NewOperation, Rx, Tx, Work};
use rapport_kernel::{Fault, OperationId, SubjectId, TenantId};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use uuid::Uuid;

use super::Profiles;
use crate::store::derivation::{self, Changed, Looking};
use crate::store::profile::{self, Place};
use crate::store::segment_interval;

/// The kind of the operation.
pub const KIND: &str = "Backfill";
/// How long a step goes on: between steps it is cancelled, and its progress kept.
const STEP: Duration = Duration::from_millis(500);
/// How often one looks that is not its turn, for the length of a step; then it makes room for others for a while.
const LOOK: Duration = Duration::from_millis(25);
const TURN: Duration = Duration::from_secs(1);
/// How many intervals of deleted segments one unit deletes.
const SWEPT: u32 = 500;
/// When it is looked once more, after all were: another instance may have written by what it knew for a second.
const AGAIN: Duration = Duration::from_secs(3);
/// How long it rests after each page, in lengths of that page: where the database has nothing else to do, and where it
/// does. So it takes a quarter of its time at most, and a tenth of it where others write.
const REST: u32 = 3;
const REST_BUSY: u32 = 9;
/// By how much slower than the quickest of late a page is where the database is busy, and how fast that is forgotten.
const SLOWER: f64 = 1.5;
const FORGOTTEN: f64 = 1.002;

/// Where a step begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The version that all customers are brought to, at least.
    version: u64,
    /// After which of those who are behind.
    after: Option<Place>,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stepped {
    /// Another one is at it.
    Waits(Duration),
    /// It looked at so many customers; where the next begins, and how many there are in all.
    More(Cursor, u64, u64),
    /// It looked at so many customers, and they were the last.
    Done(u64),
}

/// What changed of what is derived.
pub(crate) struct Change {
    /// The version by which it is as it is now.
    pub(crate) version: u64,
    /// What looks at all customers.
    pub(crate) operation: OperationId,
}

/// Waits for others who change what is derived.
pub(crate) async fn hold(tx: &Tx) -> Result<(), Fault> {
    derivation::hold(tx).await.map(drop)
}

/// Counts a change of what is derived, and asks for all customers to be looked at.
pub(crate) async fn changed(tx: &Tx) -> Result<Change, Fault> {
    let operation = ask(tx).await?;
    let version = derivation::raise(tx).await?;
    Ok(Change { version, operation })
}

/// As [`changed`], of what is neither a segment nor a trait's own definition.
pub(crate) async fn changed_else(tx: &Tx, what: Changed) -> Result<Change, Fault> {
    let change = changed(tx).await?;
    derivation::note(tx, what, change.version).await?;
    Ok(change)
}

/// Asks for all customers to be looked at: by the operation that has yet to begin, or by a new one.
async fn ask(tx: &Tx) -> Result<OperationId, Fault> {
    let (_, looking) = derivation::hold(tx).await?;
    if let Some(waiting) = looking.waiting
        && is_open(tx, waiting).await?
    {
        return Ok(waiting);
    }
    let new = NewOperation { kind: KIND, unit: "customers", request: Vec::new() };
    let operation = tx.begin_operation(new).await?.id;
    derivation::look(tx, Looking { waiting: Some(operation), ..looking }).await?;
    Ok(operation)
}

/// Asks once more for what a version changed, where the operation that should have done it has ended without.
pub(crate) async fn ask_again(tx: &Tx, version: u64, operation: OperationId) -> Result<Option<OperationId>, Fault> {
    let (versions, _) = derivation::hold(tx).await?;
    if version <= versions.settled || is_open(tx, operation).await? {
        return Ok(None);
    }
    ask(tx).await.map(Some)
}

async fn is_open(rx: &Rx, operation: OperationId) -> Result<bool, Fault> {
    Ok(rx.operation(operation).await?.is_some_and(|operation| operation.outcome.is_none()))
}

/// A tenant's definitions of what is derived, as who is due.
pub(super) fn definitions_of(tenant: TenantId) -> SubjectId {
    SubjectId::from_uuid(Uuid::from_u128(!tenant.uuid().as_u128()))
}

impl Profiles {
    /// Does the next step of a back-fill.
    ///
    /// # Errors
    /// As [`rapport_data::Database::write`].
    pub async fn backfill(&self, work: &Work, cursor: Option<Cursor>) -> Result<Stepped, Fault> {
        let tenant = work.tenant;
        let began = Instant::now();
        let (mut cursor, mut total) = match cursor {
            Some(cursor) => (cursor, work.total),
            None => loop {
                if let Some((version, total)) = self.begin_backfill(tenant, work.operation).await? {
                    break (Cursor { version, after: None }, total);
                }
                if began.elapsed() >= STEP || work.enough.is_cancelled() {
                    return Ok(Stepped::Waits(TURN));
                }
                sleep(LOOK).await;
            },
        };
        let (began, mut looked) = (Instant::now(), 0);
        let rules = self.rules_now(tenant).await?;
        while began.elapsed() < STEP && !work.enough.is_cancelled() {
            let page = Instant::now();
            let (count, last) = self.catch_up(tenant, &rules, (cursor.version, cursor.after)).await?;
            looked += count;
            match last {
                Some(last) => cursor.after = Some(last),
                // Whoever changed while it was looked at is left.
                None if cursor.after.is_some() => cursor.after = None,
                None => {
                    self.settle(tenant, cursor.version).await?;
                    return Ok(Stepped::Done(work.done + looked));
                }
            }
            sleep(self.0.pace.rest(page.elapsed(), count)).await;
        }
        total = total.max(work.done + looked);
        Ok(Stepped::More(cursor, work.done + looked, total))
    }

    /// Begins, where no other one is at it: the version that it brings customers to, and how many are behind.
    async fn begin_backfill(&self, tenant: TenantId, operation: OperationId) -> Result<Option<(u64, u64)>, Fault> {
        let running = self.0.database.read(tenant, |rx| async move {
            let running = derivation::looking(&rx).await?.running.filter(|running| *running != operation);
            match running {
                Some(running) => is_open(&rx, running).await,
                None => Ok(false),
            }
        });
        // Mostly it is its turn, or it looks in vain and writes nothing.
        if running.await? {
            return Ok(None);
        }
        let begin = move |tx: Tx| async move {
            let (versions, looking) = derivation::hold(&tx).await?;
            if let Some(other) = looking.running.filter(|running| *running != operation)
                && is_open(&tx, other).await?
            {
                return Ok(None);
            }
            let waiting = looking.waiting.filter(|waiting| *waiting != operation);
            derivation::look(&tx, Looking { waiting, running: Some(operation) }).await?;
            Ok(Some((versions.version, profile::count_behind(&tx, versions.version).await?)))
        };
        self.0.database.write(tenant, begin).await
    }

    /// Nobody is behind a version: says so, and deletes what deleted segments left.
    async fn settle(&self, tenant: TenantId, version: u64) -> Result<(), Fault> {
        let settle = move |tx: Tx| async move {
            derivation::settle(&tx, version).await?;
            tx.wake_at(definitions_of(tx.tenant()), Some(tx.now().plus(AGAIN))).await
        };
        self.0.database.write(tenant, settle).await?;
        let sweep = |tx: Tx| async move { segment_interval::sweep(&tx, SWEPT).await };
        while self.0.database.write(tenant, sweep).await? > 0 {
            sleep(AGAIN / 100).await;
        }
        Ok(())
    }

    /// Looks at those whom an instance derived by what it knew before a change, after all others had been looked at.
    pub(super) async fn look_again(&self, tenant: TenantId) -> Result<(), Fault> {
        let rules = self.rules_now(tenant).await?;
        let settled = self.0.database.read(tenant, |rx| async move { derivation::find(&rx).await }).await?.settled;
        let (began, mut after) = (Instant::now(), None);
        while began.elapsed() < STEP {
            match self.catch_up(tenant, &rules, (settled, after)).await? {
                (_, Some(last)) => after = Some(last),
                (_, None) => {
                    let rest = |tx: Tx| async move { tx.wake_at(definitions_of(tx.tenant()), None).await };
                    return self.0.database.write(tenant, rest).await;
                }
            }
        }
        let go_on = |tx: Tx| async move { tx.wake_at(definitions_of(tx.tenant()), Some(tx.now())).await };
        self.0.database.write(tenant, go_on).await
    }
}

/// How fast it goes: by how long a customer takes now, against the quickest of late.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<Option<f64>>);

impl Pace {
    /// How long to rest after a page that took so long for so many.
    fn rest(&self, took: Duration, count: u64) -> Duration {
        if count == 0 {
            return Duration::ZERO;
        }
        #[expect(clippy::cast_precision_loss, reason = "a page is some hundred customers")]
        let each = took.as_secs_f64() / count as f64;
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let quickest = held.map_or(each, |quickest| (quickest * FORGOTTEN).min(each));
        *held = Some(quickest);
        took * if each > quickest * SLOWER { REST_BUSY } else { REST }
    }
}
