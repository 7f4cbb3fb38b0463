//! The workers of an instance: each takes an operation by a lease, does steps of it for a while, and gives it back.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use rapport_kernel::{Fault, Kind};
use rapport_platform::{OnFailure, Platform};
use tokio::time::{Duration, Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::job::{Job, Jobs, Step, Work};
use super::{State, cancelled, encoded};
use crate::database::Database;
use crate::fault::Stored as _;
use crate::tables::operation::{self, End, Key, Progress, Taken};
use crate::unit::{Rx, Tx};

/// How many operations an instance does at a time. Few: calls come first.
const WORKERS: usize = 3;
/// How often an idle worker looks for what nobody told it of: what another instance left, what has rested.
const LOOK: Duration = Duration::from_secs(2);
/// How long an operation keeps its worker where others may wait for one.
const TURN: Duration = Duration::from_secs(5);
/// A longer rest is no reason to keep the worker.
const REST: Duration = Duration::from_millis(500);
/// How long a step may take: one that hangs does not keep its worker for ever.
const LONGEST_STEP: Duration = Duration::from_secs(15 * 60);
/// How often in a row a step may fail before the operation does.
const MOST_TRIES: u32 = 20;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Database {
    /// Starts this instance's workers for operations of all tenants. Operations of kinds that `jobs` does not hold are
    /// left to instances that do them.
    pub fn run_operations(&self, platform: &Platform, jobs: Jobs) {
        if jobs.kinds().is_empty() {
            return;
        }
        for number in 1..=WORKERS {
            let (database, jobs) = (self.clone(), jobs.clone());
            let name = format!("{}.operations.{number}", self.inner.service);
            platform.tasks.spawn(&name, OnFailure::Restart, move |stopping| {
                let worker = Worker {
                    lease: database.inner.config.operation_lease.get(),
                    kinds: jobs.kinds().into(),
                    database: database.clone(),
                    jobs: jobs.clone(),
                    stopping,
                };
                async move { worker.run().await }
            });
        }
    }
}

struct Worker {
    database: Database,
    jobs: Jobs,
    kinds: Arc<[&'static str]>,
    lease: Duration,
    stopping: CancellationToken,
}

impl Worker {
    async fn run(self) -> Result<(), Fault> {
        while !self.stopping.is_cancelled() {
            // Asked for before it is looked for: what is begun in between is not missed.
            let begun = self.database.inner.begun.notified();
            let Some(taken) = self.take().await? else {
                tokio::select! {
                    () = begun => {}
                    () = sleep(LOOK) => {}
                    () = self.stopping.cancelled() => {}
                }
                continue;
            };
            // There may be more than one, and whoever begins some wakes one worker.
            self.database.inner.begun.notify_one();
            self.turn(taken).await?;
        }
        Ok(())
    }

    async fn take(&self) -> Result<Option<Taken>, Fault> {
        let kinds = Arc::clone(&self.kinds);
        let look = move |rx: Rx| async move { operation::is_any_free(rx.conn(), rx.engine(), &kinds).await.stored() };
        // Mostly there is none, and a look costs no write.
        if !self.database.system().read(look).await? {
            return Ok(None);
        }
        let (kinds, lease) = (Arc::clone(&self.kinds), self.lease);
        let take = move |tx: Tx| {
            let kinds = Arc::clone(&kinds);
            async move { operation::take(tx.conn(), tx.engine(), &kinds, tx.now(), lease).await.stored() }
        };
        self.database.system().write(take).await
    }

    /// Does steps of an operation until it ends, until its turn is over, or until it is another's.
    async fn turn(&self, mut taken: Taken) -> Result<(), Fault> {
        let (turn, key) = (Instant::now() + TURN, taken.key);
        let Some((kind, job)) = self.jobs.find(&taken.kind) else {
            return Err(Fault::internal("an operation of another kind than was asked for"));
        };
        loop {
            if taken.cancelling {
                return self.end(kind, key, State::Cancelled, cancelled()).await;
            }
            if taken.tries >= MOST_TRIES {
                let fault = Fault::internal("a step ended its process, or was given up, too often");
                return self.end(kind, key, State::Failed, encoded(fault)).await;
            }
            if self.stopping.is_cancelled() {
                return self.give_back(key, Duration::ZERO, taken.tries).await;
            }
            let Some(outcome) = self.step(&*job, &taken).await else {
                tracing::warn!(operation = %key.id, kind, "an operation was lost to another worker");
                return Ok(());
            };
            match outcome {
                Ok(Step::More { cursor, done, total, pause }) => {
                    let progress = Progress { cursor, done: done.max(taken.done), total };
                    let Some(cancelling) = self.save(key, &progress).await? else { return Ok(()) };
                    let Progress { cursor, done, total } = progress;
                    taken = Taken { cursor, done, total, cancelling, tries: 0, ..taken };
                    if !cancelling && (pause > REST || Instant::now() >= turn) {
                        return self.give_back(key, pause, 0).await;
                    }
                    self.rest(pause).await;
                }
                Ok(Step::Done { response, done }) => {
                    let result = Some((response.type_url, response.value));
                    let done = Some(done.max(taken.done));
                    return self.note(kind, key, End { state: State::Done, done, result, error: None }).await;
                }
                Err(fault) if may_pass(&fault) && taken.tries + 1 < MOST_TRIES => {
                    let pause = FIRST_PAUSE.saturating_mul(1 << taken.tries.min(10)).min(LONGEST_PAUSE);
                    tracing::warn!(operation = %key.id, kind, ?fault, ?pause, "a step failed; it is tried again");
                    return self.give_back(key, pause, taken.tries + 1).await;
                }
                Err(fault) => return self.end(kind, key, State::Failed, encoded(fault)).await,
            }
        }
    }

    /// Does a step while it keeps the lease. `None` where the lease was lost: the step is given up then.
    async fn step(&self, job: &dyn Job, taken: &Taken) -> Option<Result<Step, Fault>> {
        let enough = self.stopping.child_token();
        let work = Work {
            tenant: taken.key.tenant,
            operation: taken.key.id,
            request: taken.request.clone(),
            cursor: taken.cursor.clone(),
            done: taken.done,
            total: taken.total,
            enough: enough.clone(),
            key: taken.key,
        };
        // The step is made within the guarded block: making it may panic as well.
        let step = AssertUnwindSafe(async { job.step(work).await }).catch_unwind();
        tokio::select! {
            biased;
            outcome = step => Some(outcome.unwrap_or_else(|_| Err(Fault::internal("a step panicked")))),
            () = self.keep_lease(taken.key, &enough) => None,
            () = sleep(LONGEST_STEP) => Some(Err(Fault::deadline().because("a step took too long"))),
        }
    }

    /// Renews the lease until it is lost. Where the operation is to be cancelled, tells the step.
    async fn keep_lease(&self, key: Key, enough: &CancellationToken) {
        let (lease, mut renewed) = (self.lease, Instant::now());
        loop {
            // What was spent since it was taken or renewed is part of it.
            let ends = renewed + lease;
            sleep(lease / 4).await;
            let asked = Instant::now();
            let renew =
                move |tx: Tx| async move { operation::renew(tx.conn(), tx.engine(), key, lease).await.stored() };
            match timeout_at(ends, self.database.system().write(renew)).await {
                Ok(Ok(Some(cancelling))) => {
                    renewed = asked;
                    if cancelling {
                        enough.cancel();
                    }
                }
                Ok(Ok(None)) | Err(_) => return,
                Ok(Err(fault)) => {
                    tracing::warn!(operation = %key.id, ?fault, "the lease of an operation could not be renewed");
                    if Instant::now() >= ends {
                        return;
                    }
                }
            }
        }
    }

    async fn rest(&self, pause: Duration) {
        if !pause.is_zero() {
            tokio::select! {
                () = sleep(pause) => {}
                () = self.stopping.cancelled() => {}
            }
        }
    }

    async fn save(&self, key: Key, progress: &Progress) -> Result<Option<bool>, Fault> {
        let (progress, lease) = (progress.clone(), self.lease);
        let save = move |tx: Tx| {
            let progress = progress.clone();
            async move {
                operation::save(tx.conn(), key, &progress, tx.now()).await.stored()?;
                operation::renew(tx.conn(), tx.engine(), key, lease).await.stored()
            }
        };
        self.database.system().write(save).await
    }

    async fn give_back(&self, key: Key, pause: Duration, tries: u32) -> Result<(), Fault> {
        let give_back = move |tx: Tx| async move {
            tx.notes().begun = true;
            operation::give_back(tx.conn(), tx.engine(), key, pause, tries).await.stored()
        };
        self.database.system().write(give_back).await.map(drop)
    }

    async fn end(&self, kind: &'static str, key: Key, state: State, error: Vec<u8>) -> Result<(), Fault> {
        self.note(kind, key, End { state, done: None, result: None, error: Some(error) }).await
    }

    async fn note(&self, kind: &'static str, key: Key, end: End) -> Result<(), Fault> {
        let state = end.state;
        let note = move |tx: Tx| {
            let end = end.clone();
            async move {
                tx.notes().ended = true;
                operation::end(tx.conn(), key, end, tx.now()).await.stored()
            }
        };
        if self.database.system().write(note).await? {
            self.database.inner.metrics.operation_ended(kind, state.name());
            tracing::info!(operation = %key.id, kind, state = state.name(), "an operation ended");
        }
        Ok(())
    }
}

/// Whether a step that failed so may succeed later.
fn may_pass(fault: &Fault) -> bool {
    fault.is_transient() || fault.kind() == Kind::Exhausted
}
