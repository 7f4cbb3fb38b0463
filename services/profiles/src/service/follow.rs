//! What is derived follows its cause: interactions and scores as they are told, the clock when a customer is due, and the
//! customers of a tenant whose definitions changed, at a pace that leaves the database to others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rapport_data::{Tx, Wakeup};
use rapport_kernel::{CustomerId, Fault, SubjectId, TenantId};
use rapport_platform::{OnFailure, Platform};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::derive::Cause;
use super::{Profiles, refold};
use crate::store::score::Given;
use crate::store::{derivation, link, score, segment_interval};

/// How often it is looked who is due.
const LOOK: Duration = Duration::from_millis(40);
/// How many are taken together, and for how long nobody else takes them.
const TAKEN: u64 = 200;
const LEASE: Duration = Duration::from_secs(10);
/// Tenants whose customers wait to be looked at again.
const WAITING: usize = 64;
/// How long one tenant's customers are looked at before it is another one's turn.
const TURN: Duration = Duration::from_millis(500);
/// How long a back-fill rests, in lengths of what it did last: it takes a quarter of the time at most.
const REST: u32 = 3;
/// When it is looked once more, after all were: another instance may have written by older definitions for a second.
const AGAIN: Duration = Duration::from_secs(3);
/// How many intervals of deleted segments one unit deletes.
const SWEPT: u32 = 500;

/// What was told of subjects.
#[derive(Default)]
pub struct Told {
    /// Something happened to them; with the types of interactions, `None` where it is not known.
    pub happened: Vec<(SubjectId, Option<String>)>,
    /// They gave scores.
    pub scored: Vec<Given>,
    /// They came to belong to another customer.
    pub moved: Vec<SubjectId>,
}

impl Profiles {
    /// Derives the customers of subjects of whom something was told.
    ///
    /// # Errors
    /// As [`rapport_data::Database::write`].
    pub async fn follow(&self, tenant: TenantId, told: Told) -> Result<(), Fault> {
        if !told.happened.is_empty() {
            let rules = self.rules_now(tenant).await?;
            let reads = rules.definitions.reads();
            let seen = told.happened.into_iter().filter(|(_, kind)| match kind {
                Some(kind) => reads.sees(kind),
                None => reads.sees_any(),
            });
            let subjects: BTreeSet<SubjectId> = seen.map(|(subject, _)| subject).collect();
            let customers = self.holders(tenant, subjects).await?;
            self.derive(tenant, &customers, Cause::Event).await?;
        }
        // The unit that moved them may have looked at what happened just before it was committed, and who followed that
        // may have looked for their customer just before the unit was: both see it here.
        let moved = told.moved.into_iter();
        let subjects: BTreeSet<SubjectId> = moved.chain(told.scored.iter().map(|given| given.subject)).collect();
        if !told.scored.is_empty() {
            self.keep_scores(tenant, told.scored.into()).await?;
        }
        let customers = self.holders(tenant, subjects).await?;
        if customers.is_empty() {
            return Ok(());
        }
        self.derive(tenant, &customers, Cause::Score).await
    }

    async fn keep_scores(&self, tenant: TenantId, given: Arc<[Given]>) -> Result<(), Fault> {
        let keep = move |tx: Tx| {
            let given = Arc::clone(&given);
            async move {
                let subjects: Vec<SubjectId> = given.iter().map(|given| given.subject).collect();
                let erased = tx.is_entombed(&subjects).await?;
                let given: Vec<Given> = given.iter().filter(|one| !erased.contains(&one.subject)).cloned().collect();
                score::put(&tx, &given).await
            }
        };
        self.0.database.write(tenant, keep).await
    }

    /// The customers that hold subjects now.
    async fn holders(&self, tenant: TenantId, subjects: BTreeSet<SubjectId>) -> Result<Vec<CustomerId>, Fault> {
        if subjects.is_empty() {
            return Ok(Vec::new());
        }
        let subjects: Vec<SubjectId> = subjects.into_iter().collect();
        let links = self.0.database.read(tenant, |rx| async move { link::current_of(&rx, &subjects).await });
        let customers: BTreeSet<CustomerId> = links.await?.into_values().map(|link| link.customer).collect();
        Ok(customers.into_iter().collect())
    }

    /// Starts the tasks that follow the clock and changed definitions.
    pub fn keep_time(&self, platform: &Platform) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
        let this = self.clone();
        platform.tasks.spawn("profiles.clock", OnFailure::Restart, move |stopping| {
            let (this, sender) = (this.clone(), sender.clone());
            async move { this.clock(&sender, &stopping).await }
        });
        let this = self.clone();
        platform.tasks.spawn("profiles.backfill", OnFailure::Restart, move |stopping| {
            let (this, receiver) = (this.clone(), Arc::clone(&receiver));
            async move {
                let mut receiver = receiver.lock().await;
                loop {
                    let tenant = tokio::select! {
                        tenant = receiver.recv() => tenant,
                        () = stopping.cancelled() => None,
                    };
                    let Some(tenant) = tenant else { return Ok(()) };
                    this.backfill(tenant, &stopping).await?;
                }
            }
        });
    }

    /// Derives who is due. Among them may be a tenant's own id and that of its definitions: what they stand for is done.
    async fn clock(&self, tenants: &mpsc::Sender<TenantId>, stopping: &CancellationToken) -> Result<(), Fault> {
        let system = self.0.database.system();
        while !stopping.is_cancelled() {
            let due = system.take_due(TAKEN, LEASE).await?;
            let mut customers = BTreeMap::<TenantId, Vec<CustomerId>>::new();
            for Wakeup { tenant, subject, .. } in &due {
                if *subject == refold::of_tenant(*tenant) {
                    self.refold(*tenant).await?;
                } else if *subject == definitions_of(*tenant) {
                    // Where too many wait it is due again when its lease has run out.
                    tenants.try_send(*tenant).unwrap_or_default();
                } else {
                    customers.entry(*tenant).or_default().push(*subject);
                }
            }
            for (tenant, customers) in customers {
                self.derive(tenant, &customers, Cause::Clock).await?;
            }
            if due.is_empty() {
                tokio::select! {
                    () = sleep(LOOK) => {}
                    () = self.0.wake.notified() => {}
                    () = stopping.cancelled() => {}
                }
            }
        }
        Ok(())
    }

    /// Folds a page of customers anew whose traits' definitions changed.
    async fn refold(&self, tenant: TenantId) -> Result<(), Fault> {
        let built_in = self.0.built_in.clone();
        let page = move |tx: Tx| {
            let built_in = built_in.clone();
            async move { refold::page(&tx, &built_in).await }
        };
        let written = self.0.database.write(tenant, page).await?;
        self.show(tenant, &written);
        Ok(())
    }

    /// Looks at customers that older definitions derived, for a turn, and says when to go on.
    async fn backfill(&self, tenant: TenantId, stopping: &CancellationToken) -> Result<(), Fault> {
        let (turn, mut after) = (Instant::now(), Uuid::nil());
        let rules = self.rules_now(tenant).await?;
        let version = rules.definitions.version;
        while turn.elapsed() < TURN && !stopping.is_cancelled() {
            let began = Instant::now();
            match self.catch_up(tenant, &rules, after).await? {
                Some(last) => after = last,
                None if after == Uuid::nil() => return self.settle(tenant, version).await,
                None => after = Uuid::nil(),
            }
            sleep(began.elapsed() * REST).await;
        }
        let go_on = |tx: Tx| async move { tx.wake_at(definitions_of(tx.tenant()), Some(tx.now())).await };
        self.0.database.write(tenant, go_on).await
    }

    /// Nobody is behind: says so, deletes what deleted segments left, and looks once more a little later.
    async fn settle(&self, tenant: TenantId, version: u64) -> Result<(), Fault> {
        let sweep = |tx: Tx| async move { segment_interval::sweep(&tx, SWEPT).await };
        while self.0.database.write(tenant, sweep).await? > 0 {
            sleep(LOOK).await;
        }
        let settle = move |tx: Tx| async move {
            let (newest, settled) = derivation::find(&tx).await?;
            derivation::settle(&tx, version).await?;
            let due = match (newest > version, settled < version) {
                (true, _) => Some(tx.now()),
                (false, true) => Some(tx.now().plus(AGAIN)),
                (false, false) => None,
            };
            tx.wake_at(definitions_of(tx.tenant()), due).await
        };
        self.0.database.write(tenant, settle).await
    }
}

/// A tenant's definitions of what is derived, as who is due: an id of their own, for the tenant's own stands for what is
/// folded anew.
pub(super) fn definitions_of(tenant: TenantId) -> SubjectId {
    SubjectId::from_uuid(Uuid::from_u128(!tenant.uuid().as_u128()))
}
