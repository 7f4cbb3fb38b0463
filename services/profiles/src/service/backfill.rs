//! The back-fill: what a change of what is derived makes of customers who were there before. It is an operation that goes
//! through all whom an older version derived, a page at a time. One goes through a tenant's customers at a time. Changes that
//! are made before it begins, or while another is at it, share one.
//!
//! It yields to calls. After each page it rests, in proportion to the time that it took and to what it leaves others to do:
//! whoever is changed is told of, and those who hear it work on the same cores. While calls write, pages and units are small,
//! so that no call waits for a long one, and it takes a twentieth of the time, others' share included; while none does, a
//! quarter. No rest is longer than a second: however many calls come, it looks at some 20 customers a second at least.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rapport_data::{NewOperation, Rx, Tx, Work};
use rapport_kernel::{CustomerId, Fault, OperationId, SubjectId, TenantId};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use uuid::Uuid;

use super::Profiles;
use super::derive::{Cause, Found, LOOK as PAGE, Touches, UNIT, chunks, look_at};
use crate::domain::reads::Touched;
use crate::domain::rules::Rules;
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
/// Customers of a page and changes of a unit while calls write.
const PAGE_BUSY: usize = 20;
const UNIT_BUSY: usize = 5;
/// How long others work on what a unit tells them, in lengths of that unit: three services hear who enters a segment.
const HEARD: u32 = 3;
/// How long it rests after each page, in lengths of the work that the page made: where nobody calls, and where calls write
/// or the machine is slow. So it takes a quarter of the time at most, and a twentieth of it beside others.
const REST: u32 = 3;
const REST_BUSY: u32 = 19;
/// It rests no longer than this, however slow the machine is: it goes on in any case.
const LONGEST_REST: Duration = Duration::from_secs(1);
/// So many customers or interactions that calls write in a second are none to speak of.
const QUIET: f64 = 20.0;
/// By how much slower than the quickest of late a page is where the database is busy with what this process does not do,
/// and how fast that is forgotten.
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

/// What was looked at of those who are behind.
struct CaughtUp {
    /// How many they were.
    looked: u64,
    /// Where to go on; none after the last.
    last: Option<Place>,
    /// How long it took to look at them.
    looking: Duration,
    /// How long it took to change some of them, and to tell of it.
    telling: Duration,
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
            let sizes = self.0.pace.sizes();
            let caught_up = self.catch_up(tenant, &rules, (cursor.version, cursor.after), sizes).await?;
            looked += caught_up.looked;
            match caught_up.last {
                Some(last) => cursor.after = Some(last),
                // Whoever changed while it was looked at is left.
                None if cursor.after.is_some() => cursor.after = None,
                None => {
                    self.settle(tenant, cursor.version).await?;
                    return Ok(Stepped::Done(work.done + looked));
                }
            }
            sleep(self.0.pace.rest(&caught_up, Instant::now())).await;
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

    /// Looks at the next customers that an older version of the definitions than one derived.
    ///
    /// # Errors
    /// As [`rapport_data::Database::write`].
    async fn catch_up(
        &self,
        tenant: TenantId,
        rules: &Arc<Rules>,
        (version, after): (u64, Option<Place>),
        sizes: Sizes,
    ) -> Result<CaughtUp, Fault> {
        let (nothing, began) = (Touches::new(), Instant::now());
        let read = |rx: Rx| {
            let (rules, nothing) = (Arc::clone(rules), &nothing);
            async move {
                let rows = profile::behind(&rx, version, after, sizes.page as u64).await?;
                let last = rows.last().map(|(customer, row)| (row.derived.version, customer.uuid()));
                let count = rows.len() as u64;
                Ok((look_at(&rx, &rules, rows, nothing, Cause::Definitions).await?, (count, last), rx.now()))
            }
        };
        let (found, (looked, last), now) = self.0.database.read(tenant, read).await?;
        let (changed, same): (Vec<Found>, Vec<Found>) = found.into_iter().partition(|found| found.changes(now));
        let seen: Arc<[(CustomerId, u64)]> =
            same.iter().map(|found| (found.stored.profile.customer, found.stored.profile.revision)).collect();
        if !seen.is_empty() {
            let version = rules.definitions.version;
            let confirm = move |tx: Tx| {
                let seen = Arc::clone(&seen);
                async move { profile::confirm(&tx, &seen, version).await }
            };
            self.0.database.write(tenant, confirm).await?;
        }
        let changed = changed.iter().map(|found| (found.stored.profile.customer, Touched::default())).collect();
        let looking = began.elapsed();
        for some in chunks(&changed, sizes.unit) {
            self.derive_unit(tenant, rules, some, Cause::Definitions).await?;
        }
        Ok(CaughtUp { looked, last, looking, telling: began.elapsed().saturating_sub(looking) })
    }

    /// Looks at those whom an instance derived by what it knew before a change, after all others had been looked at.
    pub(super) async fn look_again(&self, tenant: TenantId) -> Result<(), Fault> {
        let rules = self.rules_now(tenant).await?;
        let settled = self.0.database.read(tenant, |rx| async move { derivation::find(&rx).await }).await?.settled;
        let (began, mut after) = (Instant::now(), None);
        while began.elapsed() < STEP {
            match self.catch_up(tenant, &rules, (settled, after), Sizes::LARGE).await?.last {
                Some(last) => after = Some(last),
                None => {
                    let rest = |tx: Tx| async move { tx.wake_at(definitions_of(tx.tenant()), None).await };
                    return self.0.database.write(tenant, rest).await;
                }
            }
        }
        let go_on = |tx: Tx| async move { tx.wake_at(definitions_of(tx.tenant()), Some(tx.now())).await };
        self.0.database.write(tenant, go_on).await
    }
}

/// How much is done at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sizes {
    /// Customers that are looked at together.
    page: usize,
    /// How many of them one unit changes.
    unit: usize,
}

impl Sizes {
    const LARGE: Self = Self { page: PAGE, unit: UNIT };
    const SMALL: Self = Self { page: PAGE_BUSY, unit: UNIT_BUSY };
}

/// How fast it goes: by what calls wrote since the page before, and by how long a customer takes to look at now, against the
/// quickest of late.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// What calls have written here.
    written: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Whether calls write.
    is_called: bool,
    /// Of large pages, and of small ones, of which a customer has the larger part.
    quickest: [Option<f64>; 2],
    /// When the last page was done, and how much calls had written by then.
    last: Option<(Instant, u64)>,
}

impl Pace {
    /// A call writes so many customers or interactions.
    pub(crate) fn called(&self, writes: usize) {
        self.written.fetch_add(writes as u64, Ordering::Relaxed);
    }

    fn sizes(&self) -> Sizes {
        let is_called = self.seen.lock().unwrap_or_else(PoisonError::into_inner).is_called;
        if is_called { Sizes::SMALL } else { Sizes::LARGE }
    }

    /// How long to rest after a page that is done now.
    fn rest(&self, page: &CaughtUp, now: Instant) -> Duration {
        if page.looked == 0 {
            return Duration::ZERO;
        }
        let written = self.written.load(Ordering::Relaxed);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.last.replace((now, written));
        #[expect(clippy::cast_precision_loss, reason = "some customers, and what calls wrote in a second or two")]
        let (count, since) = (
            page.looked as f64,
            before.map(|(at, before)| (written.saturating_sub(before) as f64, now.saturating_duration_since(at))),
        );
        let each = page.looking.as_secs_f64() / count;
        let quickest = &mut seen.quickest[usize::from(page.looked <= PAGE_BUSY as u64)];
        let least = quickest.map_or(each, |quickest| (quickest * FORGOTTEN).min(each));
        *quickest = Some(least);
        seen.is_called = since.is_some_and(|(writes, time)| writes > QUIET * time.as_secs_f64());
        let work = page.looking + page.telling * (1 + HEARD);
        let is_busy = seen.is_called || each > least * SLOWER;
        (work * if is_busy { REST_BUSY } else { REST }).min(LONGEST_REST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    fn page(looked: u64, looking: Duration, telling: Duration) -> CaughtUp {
        CaughtUp { looked, last: None, looking, telling }
    }

    #[test]
    fn it_rests_the_longer_the_more_calls_write_and_goes_back_to_full_speed_when_they_end() {
        let (pace, began) = (Pace::default(), Instant::now());
        let at = |millis: u32| began + MILLI * millis;
        let (large, small) = (page(100, MILLI * 20, Duration::ZERO), page(20, MILLI * 5, Duration::ZERO));
        pace.called(1_000);
        assert_eq!(pace.sizes(), Sizes::LARGE);
        assert_eq!(pace.rest(&large, at(0)), MILLI * 20 * REST, "what was written before it began tells nothing");
        assert_eq!(pace.rest(&large, at(100)), MILLI * 20 * REST, "nobody calls");
        pace.called(1);
        assert_eq!(pace.rest(&large, at(200)), MILLI * 20 * REST, "one in a while is none to speak of");
        pace.called(50);
        assert_eq!(pace.rest(&large, at(300)), MILLI * 20 * REST_BUSY);
        assert_eq!(pace.sizes(), Sizes::SMALL);
        pace.called(50);
        assert_eq!(pace.rest(&small, at(400)), MILLI * 5 * REST_BUSY, "small pages cost more each: that is not slow");
        assert_eq!(pace.rest(&small, at(500)), MILLI * 5 * REST, "they ended");
        assert_eq!(pace.sizes(), Sizes::LARGE);
        assert_eq!(pace.rest(&large, at(600)), MILLI * 20 * REST);
        let slow = page(100, MILLI * 40, Duration::ZERO);
        assert_eq!(pace.rest(&slow, at(700)), MILLI * 40 * REST_BUSY, "it is slow, whoever keeps it busy");
        assert_eq!(pace.sizes(), Sizes::LARGE, "of no use where no call waits here");
        assert_eq!(pace.rest(&page(0, MILLI, Duration::ZERO), at(800)), Duration::ZERO);
    }

    #[test]
    fn what_others_are_told_counts_as_work_and_no_rest_is_longer_than_the_longest() {
        let (pace, began) = (Pace::default(), Instant::now());
        let told = page(100, MILLI * 10, MILLI * 5);
        assert_eq!(pace.rest(&told, began), (MILLI * 10 + MILLI * 5 * (1 + HEARD)) * REST);
        for second in 1..100 {
            pace.called(10_000);
            let rest = pace.rest(&page(20, MILLI * 500, MILLI * 500), began + MILLI * 1_000 * second);
            assert_eq!(rest, LONGEST_REST, "under constant load it goes on all the same");
        }
    }
}
