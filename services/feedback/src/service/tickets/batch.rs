//! Tickets on their way through a unit of work: what was held, what it becomes, and what is written and told of that.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use rapport_data::Tx;
use rapport_kernel::{CustomerId, Fault, SubjectId, TenantId};
use uuid::Uuid;

use super::Rules;
use super::locks::Locks;
use crate::domain::ticket::issue::{self, Link};
use crate::domain::ticket::{Deletion, DeletionReason, Field, Message, Ticket, TicketId};
use crate::events::tickets as events;
use crate::store::text_reading::{self, Entry, Source};
use crate::store::ticket::{self as store, due, gone, message};

/// Tickets within a unit of work.
pub(super) struct Batch {
    tenant: TenantId,
    /// As they were held.
    before: BTreeMap<TicketId, Ticket>,
    /// As they are now.
    pub(super) tickets: BTreeMap<TicketId, Ticket>,
    keys: HashMap<Uuid, TicketId>,
    gone: HashMap<Uuid, Deletion>,
    /// What must be derived anew.
    touched: BTreeSet<TicketId>,
    /// Of whom tickets came or went: their tickets must be linked anew.
    unsettled: BTreeSet<CustomerId>,
    messages: BTreeMap<(TicketId, String), Message>,
    deleted: Vec<(Ticket, DeletionReason)>,
    buried: Vec<(Deletion, DeletionReason)>,
    /// How many rows were deleted.
    rows: u64,
}

impl Batch {
    /// Locks tickets and reads them, with those merged into them and those they were merged into.
    pub(super) async fn load(tx: &Tx, locks: &Locks, keys: &[Uuid], ids: &[TicketId]) -> Result<Self, Fault> {
        locks.take(tx).await?;
        let mut found = store::of_keys(tx, keys).await?;
        if !ids.is_empty() {
            found.extend(store::of_ids(tx, ids).await?);
        }
        let into: Vec<TicketId> = found.iter().filter_map(|ticket| ticket.merged_into).collect();
        if !into.is_empty() {
            found.extend(store::of_ids(tx, &into).await?);
        }
        let all: BTreeSet<TicketId> = found.iter().map(|ticket| ticket.id).collect();
        for ticket in &found {
            locks.check(tx, ticket)?;
        }
        if !all.is_empty() {
            // These are guarded by the lock of what they were merged into: whoever changes one holds that too.
            found.extend(store::merged_into(tx, &all.into_iter().collect::<Vec<_>>()).await?);
        }
        let gone = gone::of_keys(tx, keys).await?;
        Ok(Self::of(tx, found, gone))
    }

    /// Reads the tickets of subjects that are being erased: no other unit is at work then, and none need be locked.
    pub(super) async fn of_erased(tx: &Tx, subjects: &[SubjectId]) -> Result<Self, Fault> {
        let mut found = store::of_subjects(tx, subjects).await?;
        let ids: Vec<TicketId> = found.iter().map(|ticket| ticket.id).collect();
        let into: Vec<TicketId> = found.iter().filter_map(|ticket| ticket.merged_into).collect();
        found.extend(store::merged_into(tx, &[ids, into.clone()].concat()).await?);
        found.extend(store::of_ids(tx, &into).await?);
        Ok(Self::of(tx, found, Vec::new()))
    }

    fn of(tx: &Tx, found: Vec<Ticket>, gone: Vec<Deletion>) -> Self {
        let tickets: BTreeMap<TicketId, Ticket> = found.into_iter().map(|ticket| (ticket.id, ticket)).collect();
        let keys = tickets.values().map(|ticket| (ticket.key.hash(tx.tenant()), ticket.id)).collect();
        Self {
            tenant: tx.tenant(),
            before: tickets.clone(),
            tickets,
            keys,
            gone: gone.into_iter().map(|deletion| (deletion.key, deletion)).collect(),
            touched: BTreeSet::new(),
            unsettled: BTreeSet::new(),
            messages: BTreeMap::new(),
            deleted: Vec::new(),
            buried: Vec::new(),
            rows: 0,
        }
    }

    /// The ticket of a hash.
    pub(super) fn of_key(&self, key: Uuid) -> Option<&Ticket> {
        self.keys.get(&key).and_then(|id| self.tickets.get(id))
    }

    /// Whether the ticket of a hash is gone.
    pub(super) fn is_gone(&self, key: Uuid) -> bool {
        self.gone.contains_key(&key)
    }

    /// Takes a ticket's new state; it is derived anew when the batch is settled.
    pub(super) fn put(&mut self, ticket: Ticket) {
        self.keys.insert(ticket.key.hash(self.tenant), ticket.id);
        self.touched.insert(ticket.id);
        self.tickets.insert(ticket.id, ticket);
    }

    /// Has tickets derived anew, though nothing was told of them.
    pub(super) fn touch(&mut self, ids: impl IntoIterator<Item = TicketId>) {
        self.touched.extend(ids.into_iter().filter(|id| self.tickets.contains_key(id)));
    }

    /// Has the tickets of a subject known to be its customer's, as of a revision of that customer.
    pub(super) fn hold(&mut self, subject: SubjectId, customer: CustomerId, revision: u64) {
        for ticket in self.tickets.values_mut().filter(|ticket| ticket.owner.subject == subject) {
            ticket.owner.hold(customer, revision);
        }
    }

    /// Has the tickets of customers linked anew, though none that is here changed.
    pub(super) fn unsettle(&mut self, customers: impl IntoIterator<Item = CustomerId>) {
        self.unsettled.extend(customers);
    }

    /// Takes a message that holds.
    pub(super) fn say(&mut self, message: Message) {
        self.messages.insert((message.ticket, message.external_id.expose().clone()), message);
    }

    /// The tickets merged into one.
    pub(super) fn merged_into(&self, id: TicketId) -> Vec<TicketId> {
        let those = self.tickets.values().filter(|ticket| ticket.merged_into == Some(id));
        those.map(|ticket| ticket.id).collect()
    }

    /// Takes a ticket away, with those merged into it.
    pub(super) fn delete(&mut self, id: TicketId, reason: DeletionReason) {
        let into = self.tickets.get(&id).and_then(|ticket| ticket.merged_into);
        for id in self.merged_into(id).into_iter().chain([id]) {
            let Some(ticket) = self.tickets.remove(&id) else { continue };
            let key = ticket.key.hash(self.tenant);
            self.keys.remove(&key);
            self.touched.remove(&id);
            self.messages.retain(|(of, _), _| *of != id);
            let erased = reason == DeletionReason::Erased;
            let deletion = Deletion {
                key,
                id,
                subject: Some(ticket.owner.subject).filter(|_| !erased),
                revision: ticket.revision + 1,
                opened_at: ticket.derived.story.opened_at,
            };
            self.gone.insert(key, deletion.clone());
            self.buried.push((deletion, reason));
            self.deleted.push((ticket, reason));
        }
        self.touch(into);
    }

    /// Has a ticket of which nothing was told passed over when it comes.
    pub(super) fn bury(&mut self, key: Uuid, reason: DeletionReason, tx: &Tx) {
        let (id, opened_at) = (TicketId::new(), tx.now());
        let deletion = Deletion { key, id, subject: None, revision: 1, opened_at };
        self.gone.insert(key, deletion.clone());
        self.buried.push((deletion, reason));
    }

    /// Derives what was touched, links it to issues, writes what changed and tells of it. Answers the tickets that
    /// changed.
    pub(super) async fn settle(&mut self, tx: &Tx, rules: &Rules) -> Result<Vec<TicketId>, Fault> {
        self.derive(tx, rules);
        self.link(tx, rules.policies.windows().repetition()).await?;
        let mut changed = Vec::new();
        let ids: Vec<TicketId> = self.tickets.keys().copied().collect();
        for id in ids {
            let before = self.before.get(&id);
            let Some(ticket) = self.tickets.get_mut(&id) else { continue };
            if before == Some(&*ticket) {
                continue;
            }
            ticket.revision += 1;
            ticket.changed_at = tx.now();
            tx.about(ticket.owner.subject);
            changed.push(id);
        }
        self.write(tx, rules, &changed).await?;
        Ok(changed)
    }

    fn derive(&mut self, tx: &Tx, rules: &Rules) {
        let into: Vec<TicketId> = self.touched.iter().filter_map(|id| self.tickets.get(id)?.merged_into).collect();
        self.touched.extend(into);
        let mut families: HashMap<TicketId, Vec<TicketId>> = HashMap::new();
        for ticket in self.tickets.values() {
            if let Some(into) = ticket.merged_into {
                families.entry(into).or_default().push(ticket.id);
            }
        }
        // What was merged away first: what it went into looks at it.
        for merged in [true, false] {
            for id in &self.touched {
                let Some(ticket) = self.tickets.get(id).filter(|one| one.merged_into.is_some() == merged) else {
                    continue;
                };
                let family = families.get(id).into_iter().flatten().filter_map(|id| self.tickets.get(id));
                let family: Vec<&Ticket> = family.collect();
                let text = |field| ticket.told.text(field);
                let title = rules.reader.read(text(Field::Title), text(Field::Language), Source::Ticket);
                let title = title.map(|title| title.brief());
                let derived = ticket.derive(&family, &rules.policies, title, tx.now());
                if let Some(ticket) = self.tickets.get_mut(id) {
                    ticket.derived = derived;
                }
            }
        }
    }

    /// Links the tickets of each customer to issues, where what links one changed.
    async fn link(&mut self, tx: &Tx, window: Duration) -> Result<(), Fault> {
        let linked = |ticket: &Ticket| {
            let customer = ticket.owner.customer.filter(|_| ticket.merged_into.is_none());
            customer.map(|customer| (customer, ticket.link(self.tenant)))
        };
        let mut customers = std::mem::take(&mut self.unsettled);
        for (id, ticket) in &self.tickets {
            let (before, now) = (self.before.get(id).and_then(linked), linked(ticket));
            if before != now {
                customers.extend(before.into_iter().chain(now).map(|(customer, _)| customer));
            }
        }
        customers.extend(self.deleted.iter().filter_map(|(ticket, _)| ticket.owner.customer));
        let mut held = store::links(tx, &customers.iter().copied().collect::<Vec<_>>()).await?;
        let absent: BTreeSet<TicketId> = self.deleted.iter().map(|(ticket, _)| ticket.id).collect();
        let mut moved: BTreeMap<TicketId, Uuid> = BTreeMap::new();
        let mut here: BTreeMap<CustomerId, Vec<Link>> = BTreeMap::new();
        for (customer, link) in self.tickets.values().filter_map(linked) {
            here.entry(customer).or_default().push(link);
        }
        for customer in customers {
            let stored = held.remove(&customer).unwrap_or_default();
            let stored = stored.into_iter().filter(|(link, _)| !absent.contains(&link.id));
            let elsewhere: Vec<(Link, Uuid)> =
                stored.filter(|(link, _)| !self.tickets.contains_key(&link.id)).collect();
            let mut links = here.remove(&customer).unwrap_or_default();
            links.extend(elsewhere.iter().map(|(link, _)| link.clone()));
            let issues = issue::issues(&links, window);
            for (id, issue) in &issues {
                match self.tickets.get_mut(id) {
                    Some(ticket) => ticket.issue = *issue,
                    None => drop(moved.insert(*id, *issue)),
                }
            }
            for (link, issue) in elsewhere {
                if moved.get(&link.id) == Some(&issue) {
                    moved.remove(&link.id);
                }
            }
        }
        for ticket in store::of_ids(tx, &moved.keys().copied().collect::<Vec<_>>()).await? {
            let issue = moved.get(&ticket.id).copied().unwrap_or(ticket.issue);
            self.before.insert(ticket.id, ticket.clone());
            self.tickets.insert(ticket.id, Ticket { issue, ..ticket });
        }
        for ticket in self.tickets.values_mut() {
            if ticket.owner.customer.is_none() && ticket.merged_into.is_none() {
                ticket.issue = ticket.id.uuid();
            }
        }
        Ok(())
    }

    async fn write(&mut self, tx: &Tx, rules: &Rules, changed: &[TicketId]) -> Result<(), Fault> {
        let tickets: Vec<&Ticket> = changed.iter().filter_map(|id| self.tickets.get(id)).collect();
        store::put(tx, &tickets).await?;
        let noted = |ticket: &Ticket| self.before.get(&ticket.id).is_some_and(|before| before.wakes().is_some());
        due::put(tx, &tickets.iter().map(|ticket| (*ticket, noted(ticket))).collect::<Vec<_>>()).await?;
        message::put(tx, &self.messages.values().collect::<Vec<_>>()).await?;
        self.note_readings(tx, rules.reader.version(), &tickets).await?;
        for ticket in tickets {
            let before = self.before.get(&ticket.id);
            // That it went into another is told once.
            if ticket.merged_into.is_none() || before.is_some_and(|before| before.merged_into.is_none()) {
                tx.publish(events::changed(ticket)).await?;
            }
        }
        let deleted: Vec<TicketId> = self.deleted.iter().map(|(ticket, _)| ticket.id).collect();
        let read = self.deleted.iter().filter(|(ticket, _)| ticket.derived.reading.is_some());
        let read: Vec<Uuid> = read.map(|(ticket, _)| ticket.id.uuid()).collect();
        text_reading::delete(tx, Source::Ticket, &read).await?;
        self.rows += store::delete(tx, &deleted).await?;
        gone::add(tx, &self.buried).await?;
        for (deletion, _) in &self.buried {
            if let Some(event) = events::deleted(deletion) {
                tx.publish(event).await?;
            }
        }
        Ok(())
    }

    /// Notes what was read of tickets, where that, or what goes with it, changed.
    async fn note_readings(&self, tx: &Tx, version: i64, tickets: &[&Ticket]) -> Result<(), Fault> {
        let none = |entry: &Entry<'_>| entry.reading.is_none();
        let (mut new, mut changed) = (Vec::new(), Vec::new());
        for ticket in tickets {
            let (before, now) = (self.before.get(&ticket.id).map(entry), entry(ticket));
            match before {
                Some(before) if before == now => {}
                Some(before) if !none(&before) => changed.push(now),
                Some(_) | None if none(&now) => {}
                Some(_) | None => new.push(now),
            }
        }
        text_reading::put(tx, version, &changed, false).await?;
        text_reading::put(tx, version, &new, true).await
    }

    /// Takes the tickets of subjects away; what others brought into them stands by itself again. Answers how many rows
    /// that were.
    pub(super) async fn erase(mut self, tx: &Tx, rules: &Rules, subjects: &[SubjectId]) -> Result<u64, Fault> {
        let is_theirs = |ticket: &Ticket| subjects.contains(&ticket.owner.subject);
        let theirs: Vec<TicketId> = self.tickets.values().filter(|one| is_theirs(one)).map(|one| one.id).collect();
        for id in &theirs {
            for child in self.merged_into(*id) {
                if let Some(child) = self.tickets.get(&child).filter(|child| !is_theirs(child)).cloned() {
                    self.put(Ticket { merged_into: None, ..child });
                }
            }
        }
        for id in theirs {
            self.delete(id, DeletionReason::Erased);
        }
        self.settle(tx, rules).await?;
        Ok(self.rows)
    }
}

/// What figures of texts are made from. One that was merged away counts in what it went into.
fn entry(ticket: &Ticket) -> Entry<'_> {
    Entry {
        source: Source::Ticket,
        item: ticket.id.uuid(),
        subject: ticket.owner.subject,
        said_at: ticket.derived.story.opened_at,
        channel: ticket.told.text(Field::Channel),
        product: ticket.told.text(Field::Product),
        counts: true,
        reading: ticket.derived.reading.as_ref().filter(|_| ticket.merged_into.is_none()),
    }
}
