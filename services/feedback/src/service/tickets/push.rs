//! Taking what sources tell: pushes, messages, deletions, one or many in one commit.

use std::collections::BTreeSet;
use std::sync::Arc;

use rapport_data::{Answer, Receipt, Rx, Tx};
use rapport_kernel::{Fault, Private, SubjectId, TenantId};
use rapport_platform::Call;
use uuid::Uuid;

use super::batch::Batch;
use super::locks::Locks;
use super::whose::{Customers, Whose, subjects};
use super::{Tickets, again};
use crate::domain::reading::Reading;
use crate::domain::ticket::{
    Attachment, DeletionReason, Message, MessageId, Push, Said, Ticket, TicketId, TicketKey, Which,
};
use crate::domain::{Customer, etag};
use crate::service::reading::Reader;
use crate::store::holder;
use crate::store::text_reading::Source;
use crate::store::ticket::{due, message};

/// A message as it is told.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its id in the source.
    pub external_id: Private<String>,
    /// What the ticket's story needs of it.
    pub said: Said,
    /// What was written.
    pub text: Private<String>,
    /// The language.
    pub language: String,
    /// What is attached.
    pub attachments: Vec<Attachment>,
}

/// What is told of one ticket.
#[derive(Clone, Debug)]
pub struct Telling {
    /// Of which.
    pub which: Which,
    /// What.
    pub what: What,
}

/// What is told.
#[derive(Clone, Debug)]
pub enum What {
    /// A push.
    Push {
        /// What it says.
        push: Box<Push>,
        /// Whose the ticket is, where it says so.
        customer: Option<Customer>,
        /// Messages.
        messages: Vec<Draft>,
    },
    /// A message.
    Message(Box<Draft>),
    /// A deletion.
    Deletion {
        /// Why.
        reason: DeletionReason,
        /// The etag of the state that is deleted; empty: any.
        etag: String,
        /// Whether that nothing is known of it is no error.
        allow_missing: bool,
    },
}

/// What telling did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The ticket was not known.
    Created,
    /// Something changed.
    Updated,
    /// Nothing did.
    Unchanged,
    /// It is gone.
    Deleted,
}

/// What one telling did, and what is held now.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// The ticket; `None` where it is gone.
    pub ticket: Option<Ticket>,
    /// The message that was told, as it is held.
    pub message: Option<Message>,
    /// What happened.
    pub outcome: Outcome,
    /// As of when.
    pub now: rapport_kernel::Timestamp,
}

impl Tickets {
    /// Takes one telling.
    ///
    /// # Errors
    /// NOT_FOUND for a ticket's id, or a customer, that is not known; FAILED_PRECONDITION where the customer was erased, or
    /// more is told than is kept of one ticket; ABORTED for a stale etag.
    pub async fn tell(&self, call: &Call, receipt: Receipt<Pushed>, telling: Telling) -> Result<Answer<Pushed>, Fault> {
        let tellings = Arc::new(vec![telling]);
        let customers = Arc::new(self.customers(call, &tellings).await);
        let database = self.db.until(call.deadline);
        let answer = again(|| async {
            let locks = self.locks(call, &tellings, &customers).await?;
            let (tellings, customers, own) = (Arc::clone(&tellings), Arc::clone(&customers), self.clone());
            let unit = move |tx: Tx| {
                let (tellings, customers) = (Arc::clone(&tellings), Arc::clone(&customers));
                let (locks, own) = (locks.clone(), own.clone());
                async move {
                    let rules = own.rules(&tx).await?;
                    let (mut batch, mut results) = take(&tx, &rules.reader, &locks, &tellings, &customers).await?;
                    let (id, outcome) =
                        results.pop().unwrap_or_else(|| Err(Fault::internal("one telling has one result")))?;
                    batch.settle(&tx, &rules).await?;
                    let ticket = id.and_then(|id| batch.tickets.remove(&id));
                    let message = match (&ticket, tellings.first().map(|telling| &telling.what)) {
                        (Some(ticket), Some(What::Message(draft))) => {
                            message::find(&tx, ticket.id, draft.external_id.expose()).await?
                        }
                        _ => None,
                    };
                    Ok(Pushed { ticket, message, outcome, now: tx.now() })
                }
            };
            database.write_once(call.tenant(), receipt.clone(), unit).await
        });
        let answer = answer.await?;
        self.wake.notify_one();
        Ok(answer)
    }

    /// Takes many tellings in one commit: what became of each, in order.
    ///
    /// # Errors
    /// Where the commit fails: then nothing was taken.
    pub async fn tell_many(&self, call: &Call, tellings: Vec<Telling>) -> Result<Vec<Result<Outcome, Fault>>, Fault> {
        if tellings.is_empty() {
            return Ok(Vec::new());
        }
        let tellings = Arc::new(tellings);
        let customers = Arc::new(self.customers(call, &tellings).await);
        let database = self.db.until(call.deadline);
        let results = again(|| async {
            let locks = self.locks(call, &tellings, &customers).await?;
            let (tellings, customers, own) = (Arc::clone(&tellings), Arc::clone(&customers), self.clone());
            let unit = move |tx: Tx| {
                let (tellings, customers) = (Arc::clone(&tellings), Arc::clone(&customers));
                let (locks, own) = (locks.clone(), own.clone());
                async move {
                    let rules = own.rules(&tx).await?;
                    let (mut batch, results) = take(&tx, &rules.reader, &locks, &tellings, &customers).await?;
                    batch.settle(&tx, &rules).await?;
                    Ok(results.into_iter().map(|result| result.map(|(_, outcome)| outcome)).collect::<Vec<_>>())
                }
            };
            database.write(call.tenant(), unit).await
        });
        let results = results.await?;
        self.wake.notify_one();
        Ok(results)
    }

    async fn locks(&self, call: &Call, tellings: &[Telling], customers: &Customers) -> Result<Locks, Fault> {
        let (keys, ids) = names(call.tenant(), tellings);
        let subjects = subjects(customers);
        let read = move |rx: Rx| {
            let (keys, ids, subjects) = (keys.clone(), ids.clone(), subjects.clone());
            async move {
                let mut locks = Locks::of(&rx, &keys, &ids).await?;
                locks.extend(holder::of(&rx, &subjects).await?.values().map(|holder| holder.customer));
                Ok(locks)
            }
        };
        let mut locks = self.db.until(call.deadline).read(call.tenant(), read).await?;
        locks.extend(customers.values().flatten().map(|resolved| resolved.customer));
        Ok(locks)
    }
}

/// How tellings name their tickets.
fn names(tenant: TenantId, tellings: &[Telling]) -> (Vec<Uuid>, Vec<TicketId>) {
    let (mut keys, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for telling in tellings {
        match &telling.which {
            Which::Id(id) => drop(ids.insert(*id)),
            Which::Key(key) => drop(keys.insert(key.hash(tenant))),
        }
    }
    (keys.into_iter().collect(), ids.into_iter().collect())
}

type Results = Vec<Result<(Option<TicketId>, Outcome), Fault>>;

/// Hears tellings within a unit of work.
async fn take(
    tx: &Tx,
    reader: &Reader,
    locks: &Locks,
    tellings: &[Telling],
    customers: &Customers,
) -> Result<(Batch, Results), Fault> {
    let (keys, ids) = names(tx.tenant(), tellings);
    let mut batch = Batch::load(tx, locks, &keys, &ids).await?;
    let whose = Whose::of(tx, locks, customers).await?;
    let mut results = Vec::with_capacity(tellings.len());
    for telling in tellings {
        results.push(hear((tx, reader), &mut batch, telling, &whose)?);
    }
    Ok((batch, results))
}

/// Hears one telling. The inner result is whether it was taken; the outer fails where the unit must begin anew.
fn hear(
    (tx, reader): (&Tx, &Reader),
    batch: &mut Batch,
    telling: &Telling,
    whose: &Whose<'_>,
) -> Result<Result<(Option<TicketId>, Outcome), Fault>, Fault> {
    let held = match &telling.which {
        Which::Id(id) => batch.tickets.get(id).cloned(),
        Which::Key(key) => {
            let hash = key.hash(tx.tenant());
            if batch.is_gone(hash) {
                return Ok(Ok((None, Outcome::Deleted)));
            }
            batch.of_key(hash).cloned()
        }
    };
    if let What::Deletion { reason, etag, allow_missing } = &telling.what {
        return Ok(delete(tx, batch, &telling.which, held, (*reason, etag, *allow_missing)));
    }
    let is_new = held.is_none();
    let mut ticket = match (held, &telling.which) {
        (Some(held), _) => held,
        (None, Which::Id(id)) => return Ok(Err(Fault::not_found("ticket", id.to_string()))),
        (None, Which::Key(key)) => Ticket::new(TicketId::new(), key.clone(), SubjectId::new(), tx.now()),
    };
    let before = (!is_new).then(|| ticket.clone());
    let drafts = match &telling.what {
        What::Push { push, customer, messages } => {
            if let Some(customer) = customer {
                match whose.owner(push.stamp, customer)? {
                    Ok(owner) => ticket.owner.hear(owner),
                    Err(fault) => return Ok(Err(fault)),
                }
            }
            if let Err(fault) = ticket.told.hear(Push::clone(push)) {
                return Ok(Err(fault));
            }
            messages.as_slice()
        }
        What::Message(draft) => std::slice::from_ref(&**draft),
        What::Deletion { .. } => &[],
    };
    let mut said = Vec::new();
    for draft in drafts {
        if !ticket.told.would_hold(draft.external_id.expose(), &draft.said) {
            continue;
        }
        // The ticket's own language may be told later: what was read would depend on the order.
        let read = || reader.read(draft.text.expose(), &draft.language, Source::Ticket);
        let reading = if draft.said.is_asked() { read() } else { None };
        let brief = reading.as_ref().map(|reading| Box::new(reading.brief()));
        let telling = Said { reading: brief, ..draft.said.clone() };
        match ticket.told.hear_message(draft.external_id.expose(), telling) {
            Ok(true) => said.push(message_of(&ticket, draft, reading)),
            Ok(false) => {}
            Err(fault) => return Ok(Err(fault)),
        }
    }
    let outcome = match before {
        None => Outcome::Created,
        Some(before) if before == ticket => return Ok(Ok((Some(ticket.id), Outcome::Unchanged))),
        Some(_) => Outcome::Updated,
    };
    let id = ticket.id;
    batch.put(ticket);
    said.into_iter().for_each(|message| batch.say(message));
    Ok(Ok((Some(id), outcome)))
}

fn message_of(ticket: &Ticket, draft: &Draft, reading: Option<Reading>) -> Message {
    let Draft { external_id, said, text, language, attachments } = draft.clone();
    Message { id: MessageId::new(), ticket: ticket.id, external_id, said, text, language, attachments, reading }
}

fn delete(
    tx: &Tx,
    batch: &mut Batch,
    which: &Which,
    held: Option<Ticket>,
    (reason, etag, allow_missing): (DeletionReason, &str, bool),
) -> Result<(Option<TicketId>, Outcome), Fault> {
    match (held, which) {
        (Some(ticket), _) => {
            etag::check(ticket.revision, etag)?;
            batch.delete(ticket.id, reason);
        }
        (None, Which::Key(key)) if allow_missing => batch.bury(key.hash(tx.tenant()), reason, tx),
        (None, Which::Key(key)) => return Err(missing(key)),
        (None, Which::Id(id)) => return Err(Fault::not_found("ticket", id.to_string())),
    }
    Ok((None, Outcome::Deleted))
}

/// That there is no such ticket. Its id in the source may be personal, and stays out of it.
pub(super) fn missing(key: &TicketKey) -> Fault {
    Fault::not_found("ticket", format!("of {}", key.source))
}

impl Tickets {
    /// Derives tickets anew, though nothing was told of them: a target may have been missed, or what is promised changed.
    ///
    /// # Errors
    /// As the database's.
    pub(super) async fn look_again(&self, tenant: TenantId, ids: Vec<TicketId>) -> Result<(), Fault> {
        again(|| async {
            let known = ids.clone();
            let locks = self.db.read(tenant, move |rx: Rx| async move { Locks::of(&rx, &[], &known).await }).await?;
            let (ids, own) = (ids.clone(), self.clone());
            let unit = move |tx: Tx| {
                let (ids, locks, own) = (ids.clone(), locks.clone(), own.clone());
                async move {
                    let rules = own.rules(&tx).await?;
                    let mut batch = Batch::load(&tx, &locks, &[], &ids).await?;
                    batch.touch(ids.iter().copied());
                    batch.settle(&tx, &rules).await?;
                    let (there, gone): (Vec<TicketId>, Vec<TicketId>) =
                        ids.iter().partition(|id| batch.tickets.contains_key(id));
                    due::clear(&tx, &gone).await?;
                    let there = there.iter().filter_map(|id| batch.tickets.get(id));
                    due::put(&tx, &there.map(|ticket| (ticket, true)).collect::<Vec<_>>()).await
                }
            };
            self.db.write(tenant, unit).await
        })
        .await
    }

    /// Forgets the tickets of subjects, within the unit that erases them; answers how many rows went.
    ///
    /// # Errors
    /// As the database's.
    pub async fn erase(&self, tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
        let batch = Batch::of_erased(tx, subjects).await?;
        let rows = batch.erase(tx, &self.rules(tx).await?, subjects).await?;
        crate::store::ticket::gone::erase(tx, subjects).await?;
        Ok(rows)
    }
}
