//! Tells the current state of this service again: every response, every ticket, and every ticket that is gone.

use futures::future::BoxFuture;
use rapport_data::{Rebuild, Retold, Tx};
use rapport_kernel::Fault;
use uuid::Uuid;

use crate::events;
use crate::store::{mention, response, ticket};

/// How many responses a page tells of.
const PAGE: u64 = 300;

/// The state of feedback.
pub struct State;

impl Rebuild for State {
    fn page(&self, tx: Tx, after: Option<String>) -> BoxFuture<'_, Result<Retold, Fault>> {
        Box::pin(async move {
            if let Some((kind, id)) = after.as_deref().and_then(|after| after.split_once('/')) {
                let id = id.parse().map_err(Fault::internal)?;
                return match kind {
                    "ticket" => tickets(&tx, id).await,
                    "gone" => gone_tickets(&tx, id).await,
                    "mention" => mentions(&tx, id).await,
                    _ => gone_mentions(&tx, id).await,
                };
            }
            let after = after.map(|id| id.parse()).transpose().map_err(Fault::internal)?;
            let responses = response::after(tx.conn(), tx.tenant(), after, PAGE).await?;
            let next = responses.last().map_or(format!("ticket/{}", Uuid::nil()), |response| response.id.to_string());
            Ok(Retold { events: responses.iter().map(events::changed).collect(), next: Some(next) })
        })
    }
}

async fn tickets(tx: &Tx, after: Uuid) -> Result<Retold, Fault> {
    let tickets = ticket::after(tx, after, PAGE).await?;
    let next = tickets.last().map_or(format!("gone/{}", Uuid::nil()), |ticket| format!("ticket/{}", ticket.id));
    Ok(Retold { events: tickets.iter().map(events::tickets::changed).collect(), next: Some(next) })
}

/// Tickets that were deleted: whoever missed that forgets them.
async fn gone_tickets(tx: &Tx, after: Uuid) -> Result<Retold, Fault> {
    let gone = ticket::gone::after(tx, after, PAGE).await?;
    let next = gone.last().map_or(format!("mention/{}", Uuid::nil()), |deletion| format!("gone/{}", deletion.key));
    Ok(Retold { events: gone.iter().filter_map(events::tickets::deleted).collect(), next: Some(next) })
}

async fn mentions(tx: &Tx, after: Uuid) -> Result<Retold, Fault> {
    let mentions = mention::after(tx, after, PAGE).await?;
    let next = mentions.last().map_or(format!("gone-mention/{}", Uuid::nil()), |one| format!("mention/{}", one.id));
    Ok(Retold { events: mentions.iter().map(events::mentions::changed).collect(), next: Some(next) })
}

async fn gone_mentions(tx: &Tx, after: Uuid) -> Result<Retold, Fault> {
    let gone = mention::gone::after(tx, after, PAGE).await?;
    let next = gone.last().map(|one| format!("gone-mention/{}", one.key));
    Ok(Retold { events: gone.iter().filter_map(events::mentions::deleted).collect(), next })
}
