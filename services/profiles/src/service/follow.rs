//! What is derived follows its cause: interactions and scores as they are told, the clock when a customer is due, and the
//! customers whom an instance derived by what it knew before a change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rapport_data::{Tx, Wakeup};
use rapport_kernel::{CustomerId, Fault, SubjectId, TenantId};
use rapport_platform::{OnFailure, Platform};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Profiles;
use super::backfill::definitions_of;
use super::derive::{Cause, Touches};
use crate::domain::memory::Item;
use crate::domain::reads::Touched;
use crate::store::score::Given;
use crate::store::{link, memory, score};

/// How often it is looked who is due.
const LOOK: Duration = Duration::from_millis(40);
/// How many are taken together, and for how long nobody else takes them.
const TAKEN: u64 = 200;
const LEASE: Duration = Duration::from_secs(10);
/// How many locks there are for items that are kept.
const ITEM_LOCKS: u128 = 64;
/// Tenants whose customers wait to be looked at once more.
const WAITING: usize = 64;

/// What was told of subjects.
#[derive(Default)]
pub struct Told {
    /// Something happened to them; with the types of interactions, `None` where it is not known.
    pub happened: Vec<(SubjectId, Option<String>)>,
    /// They gave scores.
    pub scored: Vec<Given>,
    /// How they feel, or what stands open, is another.
    pub remembered: Vec<Item>,
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
            let mut touched = BTreeMap::<SubjectId, Touched>::new();
            for (subject, kind) in told.happened {
                if kind.as_ref().map_or(reads.sees_any(), |kind| reads.sees(kind)) {
                    touched.entry(subject).or_default().join(Touched::by_interaction(kind));
                }
            }
            let touches = self.holders(tenant, touched).await?;
            self.derive(tenant, &touches, Cause::Event).await?;
        }
        // The unit that moved them may have looked at what happened just before it was committed, and who followed that
        // may have looked for their customer just before the unit was: both see it here.
        let moved = told.moved.into_iter().map(|subject| (subject, Touched::everything()));
        let scored = told.scored.iter().map(|given| (given.subject, Touched::by_score()));
        let mut touched = BTreeMap::<SubjectId, Touched>::new();
        let remembered: Vec<SubjectId> = told.remembered.iter().map(|item| item.subject).collect();
        let left = self.keep_items(tenant, told.remembered.into()).await?;
        let remembered = remembered.into_iter().chain(left).map(|subject| (subject, Touched::by_score()));
        for (subject, by) in moved.chain(scored).chain(remembered) {
            touched.entry(subject).or_default().join(by);
        }
        if !told.scored.is_empty() {
            self.keep_scores(tenant, told.scored.into()).await?;
        }
        let touches = self.holders(tenant, touched).await?;
        if touches.is_empty() {
            return Ok(());
        }
        self.derive(tenant, &touches, Cause::Score).await
    }

    /// Keeps what was told; answers whose items were taken from them.
    async fn keep_items(&self, tenant: TenantId, items: Arc<[Item]>) -> Result<Vec<SubjectId>, Fault> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let keep = move |tx: Tx| {
            let items = Arc::clone(&items);
            async move {
                let subjects: Vec<SubjectId> = items.iter().map(|item| item.subject).collect();
                let erased = tx.is_entombed(&subjects).await?;
                let items: Vec<Item> = items.iter().filter(|one| !erased.contains(&one.subject)).cloned().collect();
                // Of an item that is somebody else's by now, two partitions tell: the one must see what the other kept, or
                // nobody would look at whom the item was taken from.
                let keys = items.iter().map(|item| format!("memory/{}", item.id.as_u128() % ITEM_LOCKS));
                tx.lock(&keys.collect::<Vec<_>>()).await?;
                memory::put(&tx, &items).await
            }
        };
        self.0.database.write(tenant, keep).await
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

    /// The customers that hold subjects now, with what was touched of any of them.
    async fn holders(&self, tenant: TenantId, mut touched: BTreeMap<SubjectId, Touched>) -> Result<Touches, Fault> {
        let mut touches = Touches::new();
        if touched.is_empty() {
            return Ok(touches);
        }
        let subjects: Vec<SubjectId> = touched.keys().copied().collect();
        let links = self.0.database.read(tenant, |rx| async move { link::current_of(&rx, &subjects).await });
        for (subject, link) in links.await? {
            touches.entry(link.customer).or_default().join(touched.remove(&subject).unwrap_or_default());
        }
        Ok(touches)
    }

    /// Starts the tasks that follow the clock.
    pub fn keep_time(&self, platform: &Platform) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
        let this = self.clone();
        platform.tasks.spawn("profiles.clock", OnFailure::Restart, move |stopping| {
            let (this, sender) = (this.clone(), sender.clone());
            async move { this.clock(&sender, &stopping).await }
        });
        let this = self.clone();
        platform.tasks.spawn("profiles.again", OnFailure::Restart, move |stopping| {
            let (this, receiver) = (this.clone(), Arc::clone(&receiver));
            async move {
                let mut receiver = receiver.lock().await;
                loop {
                    let tenant = tokio::select! {
                        tenant = receiver.recv() => tenant,
                        () = stopping.cancelled() => None,
                    };
                    let Some(tenant) = tenant else { return Ok(()) };
                    this.look_again(tenant).await?;
                }
            }
        });
    }

    /// Derives who is due. Among them may be the id of a tenant's definitions: its customers are looked at once more.
    async fn clock(&self, tenants: &mpsc::Sender<TenantId>, stopping: &CancellationToken) -> Result<(), Fault> {
        let system = self.0.database.system();
        while !stopping.is_cancelled() {
            let due = system.take_due(TAKEN, LEASE).await?;
            let mut customers = BTreeMap::<TenantId, Vec<CustomerId>>::new();
            for Wakeup { tenant, subject, .. } in &due {
                if *subject == definitions_of(*tenant) {
                    // Where too many wait it is due again when its lease has run out.
                    tenants.try_send(*tenant).unwrap_or_default();
                } else {
                    customers.entry(*tenant).or_default().push(*subject);
                }
            }
            for (tenant, customers) in customers {
                self.derive_due(tenant, customers).await?;
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
}
