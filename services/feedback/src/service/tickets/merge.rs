//! Merging tickets: what is told of one that was merged away adds to the one that it went into.

use std::collections::BTreeSet;

use rapport_data::{Answer, Receipt, Rx, Tx};
use rapport_kernel::{Fault, Reason};
use rapport_platform::Call;

use super::batch::Batch;
use super::locks::Locks;
use super::push::missing;
use super::{Tickets, again};
use crate::domain::etag;
use crate::domain::ticket::{Ticket, TicketId, Which};

/// Which tickets to merge.
#[derive(Clone, Debug)]
pub struct Merge {
    /// The one that stays.
    pub target: Which,
    /// Those that go into it.
    pub merged: Vec<Which>,
    /// The target's etag as last read; empty: any.
    pub etag: String,
}

impl Tickets {
    /// Merges tickets into one.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag; FAILED_PRECONDITION (INVALID_STATE) where the target was merged away itself, or
    /// one of the others elsewhere.
    pub async fn merge(&self, call: &Call, receipt: Receipt<Ticket>, merge: Merge) -> Result<Answer<Ticket>, Fault> {
        let tenant = call.tenant();
        let all: Vec<&Which> = std::iter::once(&merge.target).chain(&merge.merged).collect();
        let keys = all.iter().filter_map(|which| match which {
            Which::Key(key) => Some(key.hash(tenant)),
            Which::Id(_) => None,
        });
        let ids = all.iter().filter_map(|which| match which {
            Which::Id(id) => Some(*id),
            Which::Key(_) => None,
        });
        let (keys, ids): (Vec<_>, Vec<_>) = (keys.collect(), ids.collect());
        let database = self.db.until(call.deadline);
        again(|| async {
            let (known, named) = (keys.clone(), ids.clone());
            let locks =
                database.read(tenant, move |rx: Rx| async move { Locks::of(&rx, &known, &named).await }).await?;
            let (merge, keys, ids, own) = (merge.clone(), keys.clone(), ids.clone(), self.clone());
            let unit = move |tx: Tx| {
                let (merge, keys, ids) = (merge.clone(), keys.clone(), ids.clone());
                let (locks, own) = (locks.clone(), own.clone());
                async move {
                    let mut batch = Batch::load(&tx, &locks, &keys, &ids).await?;
                    let target = unite(&tx, &mut batch, &merge)?;
                    batch.settle(&tx, &own.rules(&tx).await?).await?;
                    batch.tickets.remove(&target).ok_or_else(|| Fault::internal("what was merged into is there"))
                }
            };
            database.write_once(tenant, receipt.clone(), unit).await
        })
        .await
    }
}

fn unite(tx: &Tx, batch: &mut Batch, merge: &Merge) -> Result<TicketId, Fault> {
    let find = |batch: &Batch, which: &Which| match which {
        Which::Id(id) => batch.tickets.get(id).cloned().ok_or_else(|| Fault::not_found("ticket", id.to_string())),
        Which::Key(key) => batch.of_key(key.hash(tx.tenant())).cloned().ok_or_else(|| missing(key)),
    };
    let target = find(batch, &merge.target)?;
    etag::check(target.revision, &merge.etag)?;
    if let Some(into) = target.merged_into {
        return Err(elsewhere("the target was merged into another ticket: merge into that one", into));
    }
    let merged = merge.merged.iter().map(|which| find(batch, which)).collect::<Result<Vec<Ticket>, Fault>>()?;
    let ids: BTreeSet<TicketId> = merged.iter().map(|ticket| ticket.id).collect();
    if ids.contains(&target.id) {
        return Err(Fault::invalid_field("merged", "ticket.merged", "must not name the target"));
    }
    for ticket in merged {
        match ticket.merged_into {
            Some(into) if into == target.id => continue,
            Some(into) => return Err(elsewhere("a ticket was merged into another one before", into)),
            None => {}
        }
        for child in batch.merged_into(ticket.id) {
            if let Some(child) = batch.tickets.get(&child).cloned() {
                batch.put(Ticket { merged_into: Some(target.id), ..child });
            }
        }
        batch.put(Ticket { merged_into: Some(target.id), ..ticket });
    }
    batch.touch([target.id]);
    Ok(target.id)
}

fn elsewhere(text: &'static str, into: TicketId) -> Fault {
    Fault::new(Reason::InvalidState, text).precondition("TICKET_NOT_MERGED", into.to_string())
}
