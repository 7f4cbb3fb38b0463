//! Subjects that change hands, as customers are merged and split: what feedback holds of subjects stays where it is; what it
//! derives of a customer, from all that the customer's subjects said, is derived anew, for whoever they left and whoever
//! holds them now. It is a function of what is held, so that a split undoes what a merge did.
//!
//! What was heard is noted with the events; a task of its own then does the work, for that waits for locks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rapport_data::{Database, Rx, Tx};
use rapport_kernel::{Clock, CustomerId, Fault, Kind, SubjectId, TenantId};
use rapport_platform::{OnFailure, Platform};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::attend::attend;
use super::{FollowUps, Tickets};
use crate::store::holder::{self, Holder, Left};
use crate::store::ticket;

/// How long those wait of whom something could not be done.
const LATER: Duration = Duration::from_secs(5);

/// That a subject belongs to another customer.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    /// The subject.
    pub subject: SubjectId,
    /// Whose it was; none: that is not told.
    pub from: Option<CustomerId>,
    /// Whose it is.
    pub to: CustomerId,
    /// Since which revision of that customer.
    pub revision: u64,
}

/// The moves of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Moves {
    db: Database,
    tickets: Tickets,
    follow_ups: FollowUps,
    clock: Arc<dyn Clock>,
    /// Told when somebody changed hands.
    wake: Arc<Notify>,
}

impl Moves {
    /// In a database.
    #[must_use]
    pub fn new(db: Database, tickets: Tickets, follow_ups: FollowUps, platform: &Platform) -> Self {
        Self { db, tickets, follow_ups, clock: Arc::clone(&platform.clock), wake: Arc::default() }
    }

    /// Notes who changed hands, within the unit that hears of it.
    ///
    /// # Errors
    /// As the database's.
    pub async fn note(&self, tx: &Tx, moves: &[Move]) -> Result<(), Fault> {
        let untold: Vec<SubjectId> = moves.iter().filter(|one| one.from.is_none()).map(|one| one.subject).collect();
        let (held, tickets) = if untold.is_empty() {
            (BTreeMap::new(), Vec::new())
        } else {
            (holder::of(tx, &untold).await?, ticket::held_of(tx, &untold).await?)
        };
        for one in moves {
            let mut left: BTreeSet<CustomerId> = one.from.into_iter().collect();
            if left.is_empty() {
                // It is new, or told once more: whose it was is what was known of it.
                let known = held.get(&one.subject).map(|holder| (holder.customer, holder.revision));
                let strays = tickets.iter().filter(|stray| stray.subject == one.subject);
                let known = known.into_iter().chain(strays.map(|stray| (stray.customer, stray.revision)));
                left.extend(known.filter(|(_, as_of)| *as_of < one.revision).map(|(customer, _)| customer));
                left.remove(&one.to);
            }
            if left.is_empty() {
                continue;
            }
            holder::put(tx, one.subject, Holder { customer: one.to, revision: one.revision }).await?;
            for customer in left {
                holder::leave(tx, Left { subject: one.subject, customer, revision: one.revision }).await?;
            }
        }
        self.wake.notify_one();
        Ok(())
    }

    /// Starts the task that looks at what is derived of whoever changed hands.
    pub fn keep_up(&self, platform: &Platform) {
        let this = self.clone();
        platform.tasks.spawn("feedback.moves", OnFailure::Restart, move |stopping| {
            let this = this.clone();
            async move { this.run(&stopping).await }
        });
    }

    async fn run(&self, stopping: &CancellationToken) -> Result<(), Fault> {
        let due = |rx: Rx, most: u32| async move { holder::due(&rx, most).await };
        attend(&self.db, &self.wake, stopping, due, |due| self.look_at(due)).await
    }

    async fn look_at(&self, due: Vec<(TenantId, SubjectId)>) -> Result<(), Fault> {
        let mut tenants = BTreeMap::<TenantId, BTreeSet<SubjectId>>::new();
        for (tenant, subject) in due {
            tenants.entry(tenant).or_default().insert(subject);
        }
        for (tenant, subjects) in tenants {
            let subjects: Vec<SubjectId> = subjects.into_iter().collect();
            if let Err(fault) = self.look_again(tenant, &subjects).await {
                self.put_off(tenant, subjects, fault).await?;
            }
        }
        Ok(())
    }

    async fn look_again(&self, tenant: TenantId, subjects: &[SubjectId]) -> Result<(), Fault> {
        let named = subjects.to_vec();
        let read = move |rx: Rx| {
            let subjects = named.clone();
            async move { Ok((holder::left(&rx, &subjects).await?, holder::of(&rx, &subjects).await?)) }
        };
        let (left, holders) = self.db.read(tenant, read).await?;
        self.tickets.relink(tenant, &left).await?;
        let customers = left.iter().map(|one| one.customer).chain(holders.values().map(|holder| holder.customer));
        self.follow_ups.rejoin(tenant, customers.collect()).await?;
        let left = Arc::new(left);
        let unit = move |tx: Tx| {
            let left = Arc::clone(&left);
            async move { holder::settle(&tx, &left).await }
        };
        self.db.write(tenant, unit).await
    }

    /// What could not be done is done later, and keeps no other tenant waiting. What is our own mistake is told to whoever
    /// watches over the task.
    async fn put_off(&self, tenant: TenantId, subjects: Vec<SubjectId>, fault: Fault) -> Result<(), Fault> {
        let until = self.clock.now().plus(LATER);
        let unit = move |tx: Tx| {
            let subjects = subjects.clone();
            async move { holder::put_off(&tx, &subjects, until).await }
        };
        self.db.write(tenant, unit).await?;
        if fault.kind() == Kind::Internal { Err(fault) } else { Ok(()) }
    }
}
