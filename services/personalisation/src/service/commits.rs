//! Committing decisions: those that come at the same time go into one unit of work.
//!
//! A decision is four small statements; a database's commit, and the way there and back, cost more than all of them.
//! So whoever comes while a unit of the same tenant is under way waits for it, and those who wait go together into
//! the next. Each is answered for itself: one that lost against another decision does not keep the others back.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use moka::sync::Cache;
use rapport_data::{Answer, Database, Receipt, Tx};
use rapport_kernel::{Fault, Reason, SubjectId, TenantId};
use rapport_platform::{Call, Tasks};
use tokio::sync::oneshot;

use super::Made;
use crate::store::contact::Entry;
use crate::{events, store};

/// How many decisions go into one unit.
const TOGETHER: usize = 64;
/// Tenants whose queues are kept at hand; a queue that somebody waits in lives on without.
const TENANTS: u64 = 10_000;

/// The commits of all tenants.
pub struct Commits {
    db: Database,
    tasks: Tasks,
    queues: Cache<TenantId, Arc<Queue>>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Vec<Waiting>>,
    /// Whoever holds this writes for all who wait.
    writing: tokio::sync::Mutex<()>,
}

struct Waiting {
    made: Arc<Made>,
    answer: oneshot::Sender<Result<(), Fault>>,
}

impl Queue {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        // Every statement on the queue leaves it whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting();
        let count = waiting.len().min(TOGETHER);
        waiting.drain(..count).collect()
    }
}

impl Commits {
    /// Into a database.
    pub fn new(db: Database, tasks: Tasks) -> Self {
        Self { db, tasks, queues: Cache::new(TENANTS) }
    }

    /// Commits a decision once for each request id.
    ///
    /// # Errors
    /// ABORTED (CONTENTION) where another decision about the customer was committed since the ledger was read;
    /// FAILED_PRECONDITION (ERASED); ALREADY_EXISTS for a request id used with another body.
    pub async fn once(
        &self,
        call: &Call,
        receipt: Receipt<Arc<Made>>,
        made: Arc<Made>,
    ) -> Result<Answer<Arc<Made>>, Fault> {
        let unit = move |tx: Tx| {
            let made = Arc::clone(&made);
            async move {
                enter(&tx, std::slice::from_ref(&made)).await?.pop().unwrap_or_else(|| Err(lost()))?;
                Ok(made)
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Commits a decision that no request id names, with those that come at the same time.
    ///
    /// # Errors
    /// As [`Commits::once`].
    pub async fn together(&self, call: &Call, made: Arc<Made>) -> Result<(), Fault> {
        let queue = self.queues.get_with(call.tenant(), Arc::default);
        let (answer, mut answered) = oneshot::channel();
        queue.waiting().push(Waiting { made, answer });
        let _writing = tokio::select! {
            biased;
            outcome = &mut answered => return outcome.unwrap_or_else(|_| Err(given_up())),
            writing = queue.writing.lock() => writing,
        };
        // Nobody writes: this caller does, for all who wait, itself among the first of them or answered before.
        loop {
            if let Ok(outcome) = answered.try_recv() {
                return outcome;
            }
            let batch = queue.next();
            if batch.is_empty() {
                return answered.await.unwrap_or_else(|_| Err(given_up()));
            }
            // Others wait for this: it goes on where this caller goes away.
            self.tasks.finish(write(self.db.clone(), call.tenant(), batch)).await?;
        }
    }
}

async fn write(db: Database, tenant: TenantId, batch: Vec<Waiting>) -> Result<(), Fault> {
    let made: Arc<[Arc<Made>]> = batch.iter().map(|waiting| Arc::clone(&waiting.made)).collect();
    let unit = move |tx: Tx| {
        let made = Arc::clone(&made);
        async move { enter(&tx, &made).await }
    };
    let outcomes = match db.write(tenant, unit).await {
        Ok(outcomes) => outcomes,
        Err(fault) => batch.iter().map(|_| Err(same(&fault))).collect(),
    };
    for (waiting, outcome) in batch.into_iter().zip(outcomes) {
        // The caller may have gone: then nobody is there to be told.
        waiting.answer.send(outcome).unwrap_or_default();
    }
    Ok(())
}

/// Enters decisions, with their ledger entries and events. Answers of each whether it was entered, or why not.
async fn enter(tx: &Tx, batch: &[Arc<Made>]) -> Result<Vec<Result<(), Fault>>, Fault> {
    let erased = erased(tx, batch).await?;
    let (mut claimed, mut doubled) = (BTreeMap::new(), HashSet::new());
    for made in batch.iter().filter(|made| !made.decision.chosen.is_empty()) {
        // Two about one customer read the same version: the second lost.
        if made.ledger.versions.iter().any(|(subject, _)| claimed.contains_key(subject)) {
            doubled.insert(made.decision.id);
        } else {
            claimed.extend(made.ledger.versions.iter().copied());
        }
    }
    let raised = store::contact::raise(tx, claimed.into_iter().collect()).await?;
    let outcome = |made: &Arc<Made>| {
        let mut subjects = made.ledger.versions.iter().map(|(subject, _)| subject);
        if made.decision.chosen.is_empty() {
            if subjects.any(|subject| erased.contains(subject)) { Err(lost()) } else { Ok(()) }
        } else if doubled.contains(&made.decision.id) || !subjects.all(|subject| raised.contains(subject)) {
            Err(lost())
        } else {
            Ok(())
        }
    };
    let outcomes: Vec<Result<(), Fault>> = batch.iter().map(outcome).collect();
    let entered: Vec<&Made> =
        batch.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok()).map(|(made, _)| &**made).collect();
    let entries: Vec<Entry> = entered.iter().flat_map(|made| entries(made)).collect();
    store::contact::enter(tx, &entries).await?;
    let kept: Vec<_> = entered.iter().map(|made| (&made.kept, made.sources())).collect();
    store::decision::insert(tx, &kept).await?;
    for made in entered {
        tx.publish(events::made(&made.decision)).await?;
    }
    Ok(outcomes)
}

/// Those subjects of decisions that choose nothing that were erased. Such a decision enters nothing in the ledger, so
/// nobody can lose by it and nothing there tells of an erasure: while it looks for tombstones erasures are held off.
async fn erased(tx: &Tx, batch: &[Arc<Made>]) -> Result<std::collections::BTreeSet<SubjectId>, Fault> {
    let empty = batch.iter().filter(|made| made.decision.chosen.is_empty());
    let subjects: Vec<SubjectId> =
        empty.flat_map(|made| made.ledger.versions.iter().map(|(subject, _)| *subject)).collect();
    if subjects.is_empty() {
        return Ok(std::collections::BTreeSet::new());
    }
    tx.is_entombed(&subjects).await
}

fn entries(made: &Made) -> impl Iterator<Item = Entry> {
    let (subject, at, decision) = (made.decision.subject, made.decision.at, made.decision.id);
    made.decision.chosen.iter().map(move |chosen| {
        let channel = made.decision.channel.clone();
        Entry { subject, action: chosen.action, at, decision, channel }
    })
}

fn lost() -> Fault {
    Fault::new(Reason::Contention, "other decisions about this customer kept winning: try again")
}

fn given_up() -> Fault {
    Fault::unavailable("the database", "the unit that a decision went with was given up")
}

/// The fault of a unit, for each that went with it.
fn same(fault: &Fault) -> Fault {
    let mut same = Fault::new(fault.reason, fault.message.clone());
    same.cause.clone_from(&fault.cause);
    same.details = fault.details.clone();
    same
}
