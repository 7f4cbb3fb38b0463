//! Which tickets and customers a unit of work keeps others from. All locks are taken at once, so that no two units wait
//! for each other; what must be locked is looked up before, and whoever finds more within begins anew.

use std::collections::BTreeSet;

use rapport_data::{Rx, Tx};
use rapport_kernel::{CustomerId, Fault};
use uuid::Uuid;

use super::moved;
use crate::domain::ticket::{Ticket, TicketId};
use crate::store::ticket;

/// Into how many locks tickets, and customers, fall.
const STRIPES: u128 = 64;

/// The names of locks.
#[derive(Clone, Default)]
pub(super) struct Locks(BTreeSet<String>);

fn ticket_lock(key: Uuid) -> String {
    format!("ticket/{}", key.as_u128() % STRIPES)
}

fn customer_lock(customer: CustomerId) -> String {
    // The low bits of a UUIDv7 are random.
    format!("ticket-customer/{}", customer.uuid().as_u128() % STRIPES)
}

impl Locks {
    /// Those of tickets by the hashes of their names and by their ids, with those that they were merged into, and of their
    /// customers.
    pub(super) async fn of(rx: &Rx, keys: &[Uuid], ids: &[TicketId]) -> Result<Self, Fault> {
        let mut locks = Self(keys.iter().map(|key| ticket_lock(*key)).collect());
        let mut handles = ticket::handles(rx, keys, ids).await?;
        let into: Vec<TicketId> = handles.iter().filter_map(|handle| handle.merged_into).collect();
        if !into.is_empty() {
            handles.extend(ticket::handles(rx, &[], &into).await?);
        }
        for handle in handles {
            locks.0.insert(ticket_lock(handle.key));
            locks.0.extend(handle.customer.map(customer_lock));
        }
        Ok(locks)
    }

    /// And of customers.
    pub(super) fn extend(&mut self, customers: impl IntoIterator<Item = CustomerId>) {
        self.0.extend(customers.into_iter().map(customer_lock));
    }

    /// Waits until nobody else holds any of them. Whoever is there from now on is not erased meanwhile.
    pub(super) async fn take(&self, tx: &Tx) -> Result<(), Fault> {
        tx.hold_erasures().await?;
        tx.lock(&self.0.iter().cloned().collect::<Vec<_>>()).await
    }

    /// Fails where a customer is not among what was locked: who holds a subject changed since it was looked up.
    pub(super) fn check_customer(&self, customer: CustomerId) -> Result<(), Fault> {
        if self.0.contains(&customer_lock(customer)) { Ok(()) } else { Err(moved()) }
    }

    /// Fails where a ticket is not among what was locked: it changed since it was looked up.
    pub(super) fn check(&self, tx: &Tx, ticket: &Ticket) -> Result<(), Fault> {
        let customer = ticket.owner.customer.map(customer_lock);
        let covered = self.0.contains(&ticket_lock(ticket.key.hash(tx.tenant())));
        if covered && customer.is_none_or(|customer| self.0.contains(&customer)) { Ok(()) } else { Err(moved()) }
    }
}
