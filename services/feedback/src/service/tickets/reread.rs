//! Reading tickets again after the taxonomy changed. What is read otherwise than before is a change like any other: it
//! leaves an event, so that every figure follows.

use rapport_data::{Rx, Tx};
use rapport_kernel::{Fault, TenantId};

use super::batch::Batch;
use super::locks::Locks;
use super::{Rules, Tickets, again};
use crate::domain::ticket::{Message, Ticket, TicketId};
use crate::store::text_reading::{self, Source};
use crate::store::ticket::message;

/// How many messages are read from the database at a time.
const MESSAGES: usize = 200;

impl Tickets {
    /// Reads a ticket again, with its messages and with those merged into it.
    ///
    /// # Errors
    /// As the database's.
    pub async fn reread(&self, tenant: TenantId, id: TicketId) -> Result<(), Fault> {
        again(|| async {
            let locks = self.db.read(tenant, move |rx: Rx| async move { Locks::of(&rx, &[], &[id]).await }).await?;
            let own = self.clone();
            let unit = move |tx: Tx| {
                let (locks, own) = (locks.clone(), own.clone());
                async move {
                    let rules = own.rules(&tx).await?;
                    let mut batch = Batch::load(&tx, &locks, &[], &[id]).await?;
                    if !batch.tickets.contains_key(&id) {
                        return text_reading::delete(&tx, Source::Ticket, &[id.uuid()]).await;
                    }
                    for one in batch.merged_into(id).into_iter().chain([id]) {
                        if let Some(ticket) = batch.tickets.get(&one).cloned() {
                            let (ticket, changed) = read_again(&tx, &rules, ticket).await?;
                            batch.put(ticket);
                            changed.into_iter().for_each(|message| batch.say(message));
                        }
                    }
                    batch.settle(&tx, &rules).await?;
                    text_reading::mark(&tx, rules.reader.version(), Source::Ticket, &[id.uuid()]).await
                }
            };
            self.db.write(tenant, unit).await
        })
        .await
    }
}

/// Reads what the customer wrote in a ticket again; answers the messages of which that came out otherwise.
async fn read_again(tx: &Tx, rules: &Rules, mut ticket: Ticket) -> Result<(Ticket, Vec<Message>), Fault> {
    let (mut changed, mut after) = (Vec::new(), None);
    loop {
        let page = message::page(tx, &[ticket.id], after, MESSAGES).await?;
        let ended = page.len() <= MESSAGES;
        for mut message in page.into_iter().take(MESSAGES) {
            after = Some(message::Place { said_at: message.said.at, id: message.id.uuid() });
            if !message.said.is_asked() {
                continue;
            }
            let reading = rules.reader.read(message.text.expose(), &message.language, Source::Ticket);
            if reading != message.reading {
                ticket.told.read_again(message.external_id.expose(), reading.as_ref());
                message.reading = reading;
                changed.push(message);
            }
        }
        if ended {
            return Ok((ticket, changed));
        }
    }
}
