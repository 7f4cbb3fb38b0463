//! Rebuilding consumers: a service tells its current state again.
//!
//! Settled outbox rows are purged, so a rebuild does not read old events: it publishes each aggregate's current
//! state under its current revision, as the event that would have told of it. Consumers that have it pass it over
//! (they keep the highest revision); one that was emptied becomes whole. That is also why a rebuild may run while
//! the service works, and run again after it was broken off.

use std::sync::Arc;

use futures::future::BoxFuture;
use rapport_kernel::Fault;

use crate::database::{Database, Scope, Terms};
use crate::unit::{Lock, NewEvent, Tx};

/// A service's current state, told as events.
pub trait Rebuild: Send + Sync + 'static {
    /// The next page of one tenant's state after a cursor (of the service's own making), in an order that does not
    /// change: deletions included, as far as the service still knows of them. A page of some hundred events is right.
    ///
    /// # Errors
    /// Ends the rebuild.
    fn page(&self, tx: Tx, after: Option<String>) -> BoxFuture<'_, Result<Retold, Fault>>;
}

/// A page of a rebuild.
pub struct Retold {
    /// The current state of some aggregates, under their current revisions.
    pub events: Vec<NewEvent>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<String>,
}

impl Database {
    /// Publishes the current state of every tenant again. Answers how many events that took.
    ///
    /// # Errors
    /// As [`Database::write`]; what was published until then stays published, which is harmless.
    pub async fn replay(&self, source: Arc<dyn Rebuild>) -> Result<u64, Fault> {
        let mut count = 0;
        for tenant in self.system().tenants().await? {
            let mut after = None;
            loop {
                let (source, from) = (Arc::clone(&source), after.take());
                let unit = move |tx: Tx| {
                    let (source, from) = (Arc::clone(&source), from.clone());
                    async move {
                        let page = source.page(tx.clone(), from).await?;
                        let events = u64::try_from(page.events.len()).unwrap_or(0);
                        for event in page.events {
                            tx.publish(event).await?;
                        }
                        Ok((events, page.next))
                    }
                };
                // What is told is of nobody who is erased between the look at it and the commit.
                let lock = Some(Lock::against_erasure(tenant));
                let (events, next) = self.unit(Terms { scope: Scope::Tenant(tenant), lock }, unit).await?;
                count += events;
                if next.is_none() {
                    break;
                }
                after = next;
            }
        }
        Ok(count)
    }
}
