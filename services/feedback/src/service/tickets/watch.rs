//! WatchTickets: this service's own events of tickets, with the ticket as it is when it is told.

use std::sync::Arc;
use std::time::Duration;

use rapport_data::{Places, Tail};
use rapport_kernel::{Clock, Fault, Reason};
use rapport_platform::Call;
use tokio::time::Instant;

use super::Tickets;
use crate::domain::ticket::filter::Filter;
use crate::domain::ticket::{Ticket, TicketId, Which};
use crate::events;

/// How long nothing is told before the watcher is told how far it was looked.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a watcher is told.
pub struct Told {
    /// Where to go on after it.
    pub places: Places,
    /// The change; none: only the place is newer.
    pub change: Option<Change>,
}

/// A change of a ticket.
pub struct Change {
    /// The ticket.
    pub id: TicketId,
    /// The revision reached.
    pub revision: u64,
    /// Whether it is gone.
    pub deleted: bool,
    /// As it is now.
    pub ticket: Option<Ticket>,
}

/// A watch under way.
pub struct Watch {
    tickets: Tickets,
    call: Call,
    filter: Option<Filter>,
    clock: Arc<dyn Clock>,
    tail: Tail,
    began: bool,
}

impl Tickets {
    /// Watches the tickets for which a filter holds, after a place or from now on.
    ///
    /// # Errors
    /// FAILED_PRECONDITION (TOKEN_EXPIRED) where what followed the place is no longer held.
    pub async fn watch(
        &self,
        call: Call,
        clock: Arc<dyn Clock>,
        filter: Option<Filter>,
        from: Option<Places>,
    ) -> Result<Watch, Fault> {
        let tail = self.db.until(call.deadline).tail(call.tenant(), &[], from).await?;
        // A watch goes on for longer than any one read of it may take.
        let call = Call { deadline: None, ..call };
        Ok(Watch { tickets: self.clone(), call, filter, clock, tail, began: false })
    }
}

impl Watch {
    /// What the watcher is told next: first of all, from where on it watches.
    ///
    /// # Errors
    /// As [`Tickets::watch`]; where the database fails. The watcher goes on with the last place it was told.
    pub async fn next(&mut self) -> Result<Told, Fault> {
        if !std::mem::replace(&mut self.began, true) {
            return Ok(Told { places: self.tail.places().clone(), change: None });
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Some(tailed) = self.tail.next(left).await? else {
                return Ok(Told { places: self.tail.places().clone(), change: None });
            };
            if let Some((id, revision, deleted)) = events::tickets::told(&tailed.event)
                && let Some(change) = self.change(id, revision, deleted).await?
            {
                return Ok(Told { places: tailed.places, change: Some(change) });
            }
            if left.is_zero() {
                return Ok(Told { places: tailed.places, change: None });
            }
        }
    }

    async fn change(&self, id: TicketId, revision: u64, deleted: bool) -> Result<Option<Change>, Fault> {
        if deleted {
            return Ok(Some(Change { id, revision, deleted, ticket: None }));
        }
        match self.tickets.get(&self.call, Which::Id(id)).await {
            Ok(ticket) => {
                let told = self.filter.as_ref().is_none_or(|filter| filter.admits(&ticket, self.clock.now()));
                Ok(told.then_some(Change { id, revision, deleted, ticket: Some(ticket) }))
            }
            // It is told of next that it is gone.
            Err(fault) if fault.reason == Reason::ResourceNotFound => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}
