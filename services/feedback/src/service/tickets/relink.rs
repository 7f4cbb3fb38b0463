//! Linking tickets anew where subjects changed hands: what is repeated is repeated by a customer, and that is now another.

use std::collections::BTreeSet;

use rapport_data::{Rx, Tx};
use rapport_kernel::{CustomerId, Fault, SubjectId, TenantId};

use super::batch::Batch;
use super::locks::Locks;
use super::{Tickets, again, moved};
use crate::domain::ticket::TicketId;
use crate::store::holder::{self, Left};
use crate::store::ticket;

/// How many subjects one unit looks at.
const UNIT: usize = 50;

impl Tickets {
    /// Has the tickets of subjects known to be of whoever holds these now, and links them, and those of the customers that
    /// the subjects left, to issues anew. Where that was done before, nothing changes.
    ///
    /// # Errors
    /// As the database's.
    pub(in crate::service) async fn relink(&self, tenant: TenantId, left: &[Left]) -> Result<(), Fault> {
        for some in left.chunks(UNIT) {
            let subjects: BTreeSet<SubjectId> = some.iter().map(|one| one.subject).collect();
            let subjects: Vec<SubjectId> = subjects.into_iter().collect();
            again(|| async {
                let named = subjects.clone();
                let look = move |rx: Rx| {
                    let subjects = named.clone();
                    async move {
                        let ids: Vec<TicketId> = theirs(&rx, &subjects).await?;
                        let mut locks = Locks::of(&rx, &[], &ids).await?;
                        locks.extend(holder::of(&rx, &subjects).await?.values().map(|holder| holder.customer));
                        Ok((ids, locks))
                    }
                };
                let (ids, mut locks) = self.db.read(tenant, look).await?;
                // Whoever tells of a ticket as one of these customers' has done so, or sees who holds its subject.
                locks.extend(some.iter().map(|one| one.customer));
                let (own, some, subjects) = (self.clone(), some.to_vec(), subjects.clone());
                let unit = move |tx: Tx| {
                    let (own, some, subjects) = (own.clone(), some.clone(), subjects.clone());
                    let (ids, locks) = (ids.clone(), locks.clone());
                    async move { own.hand_over(&tx, &locks, &ids, (&subjects, &some)).await }
                };
                self.db.write(tenant, unit).await
            })
            .await?;
        }
        Ok(())
    }

    async fn hand_over(
        &self,
        tx: &Tx,
        locks: &Locks,
        ids: &[TicketId],
        (subjects, left): (&[SubjectId], &[Left]),
    ) -> Result<(), Fault> {
        let mut batch = Batch::load(tx, locks, &[], ids).await?;
        let with_tickets: BTreeSet<SubjectId> = batch.tickets.values().map(|ticket| ticket.owner.subject).collect();
        if theirs(tx, subjects).await?.iter().any(|id| !batch.tickets.contains_key(id)) {
            return Err(moved());
        }
        for (subject, holder) in holder::of(tx, subjects).await? {
            locks.check_customer(holder.customer)?;
            batch.hold(subject, holder.customer, holder.revision);
            if with_tickets.contains(&subject) {
                batch.unsettle([holder.customer]);
            }
        }
        let gone = left.iter().filter(|one| with_tickets.contains(&one.subject));
        batch.unsettle(gone.map(|one| one.customer).collect::<BTreeSet<CustomerId>>());
        batch.settle(tx, &self.rules(tx).await?).await.map(drop)
    }
}

async fn theirs(rx: &Rx, subjects: &[SubjectId]) -> Result<Vec<TicketId>, Fault> {
    Ok(ticket::held_of(rx, subjects).await?.into_iter().map(|held| held.id).collect())
}
