//! Tells the current state of this service again: every response, every ticket, every ticket that is gone, every mention,
//! follow-up, promise, improvement and invitation.

use futures::future::BoxFuture;
use rapport_data::{Rebuild, Retold, Tx};
use rapport_kernel::Fault;
use uuid::Uuid;

use crate::events;
use crate::store::{asking, follow_up, improvement, mention, promise, response, ticket};

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
                    "gone-mention" => gone_mentions(&tx, id).await,
                    "follow_up" => follow_ups(&tx, id).await,
                    "promise" => promises(&tx, id).await,
                    "improvement" => improvements(&tx, id).await,
                    _ => invitations(&tx, id).await,
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
    let next = gone.last().map_or(format!("follow_up/{}", Uuid::nil()), |one| format!("gone-mention/{}", one.key));
    Ok(Retold { events: gone.iter().filter_map(events::mentions::deleted).collect(), next: Some(next) })
}

async fn follow_ups(tx: &Tx, after: Uuid) -> Result<Retold, Fault> {
    let found = follow_up::after(tx, after, PAGE).await?;
    let next = found.last().map_or(format!("promise/{}", Uuid::nil()), |one| format!("follow_up/{}", one.id));
    Ok(Retold { events: found.iter().map(events::loops::changed).collect(), next: Some(next) })
}

async fn promises(tx: &Tx, after: Uuid) -> Result<Retold, Fault> {
    let found = promise::after(tx, after, PAGE).await?;
    let next = found.last().map_or(format!("improvement/{}", Uuid::nil()), |one| format!("promise/{}", one.id));
    Ok(Retold { events: found.iter().map(events::loops::promise_changed).collect(), next: Some(next) })
}

async fn improvements(tx: &Tx, after: Uuid) -> Result<Retold, Fault> {
    let found = improvement::after(tx, after, PAGE).await?;
    let next = found.last().map_or(format!("invitation/{}", Uuid::nil()), |one| format!("improvement/{}", one.id));
    let told = |one| events::loops::improvement_changed(tx.tenant(), one);
    Ok(Retold { events: found.iter().map(told).collect(), next: Some(next) })
}

async fn invitations(tx: &Tx, after: Uuid) -> Result<Retold, Fault> {
    let told = asking::invitation::after(tx, after, PAGE).await?;
    let next = told.last().map(|invitation| format!("invitation/{}", invitation.id));
    Ok(Retold { events: told.iter().map(events::invitations::changed).collect(), next })
}
