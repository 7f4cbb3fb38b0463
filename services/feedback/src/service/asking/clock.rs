//! The clock: reminders become due, invitations end, whom an event asks is asked, and what is left of waves is forgotten, though
//! nobody says anything then. Where several instances look at one thing, what the first did leaves nothing for the others.

use std::time::Duration;

use rapport_data::{Receipt, Rx, Tx};
use rapport_kernel::{Fault, Kind, OperationId, Reason as Cause, RequestId, TenantId, Timestamp};
use rapport_platform::{Call, OnFailure, Platform};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::super::attend::attend;
use super::{Asking, Invited, Order, rewrite};
use crate::domain::Customer;
use crate::domain::asking::{Invitation, InvitationId, NotInvited, Reason};
use crate::peers::{Contact, Wanted};
use crate::store;
use crate::store::asking::{due, task};

/// How long what could not be done waits, where a peer is away.
const LATER: Duration = Duration::from_secs(5);

impl Asking {
    /// Starts the task that follows the clock.
    pub fn keep_time(&self, platform: &Platform) {
        let this = self.clone();
        platform.tasks.spawn("feedback.asking", OnFailure::Restart, move |stopping| {
            let this = this.clone();
            async move { this.follow(&stopping).await }
        });
    }

    async fn follow(&self, stopping: &CancellationToken) -> Result<(), Fault> {
        let due = |rx: Rx, most: u32| async move { due::due(&rx, most).await };
        attend(&self.db, &self.wake, stopping, due, |due| self.settle(due, stopping)).await
    }

    async fn settle(&self, due: Vec<due::Due>, stopping: &CancellationToken) -> Result<(), Fault> {
        for one in due {
            if stopping.is_cancelled() {
                return Ok(());
            }
            let done = match one.what.as_str() {
                due::INVITATION => self.look_at(one.tenant, InvitationId::from_uuid(one.item)).await,
                due::TASK => self.ask(one.tenant, one.item).await,
                _ => self.forget_wave(one.tenant, OperationId::from_uuid(one.item)).await,
            };
            if let Err(fault) = done {
                self.put_off(one.tenant, one.item, fault).await?;
            }
        }
        Ok(())
    }

    /// What could not be done is done later, and keeps nothing else waiting. What is our own mistake is told to whoever
    /// watches over the task.
    async fn put_off(&self, tenant: TenantId, item: Uuid, fault: Fault) -> Result<(), Fault> {
        let until = self.clock.now().plus(LATER);
        let unit = move |tx: Tx| async move { due::put_off(&tx, item, until).await };
        self.db.write(tenant, unit).await?;
        if fault.kind() == Kind::Internal { Err(fault) } else { Ok(()) }
    }

    /// Confirms or releases an invitation's contact, makes its reminder due, ends it.
    async fn look_at(&self, tenant: TenantId, id: InvitationId) -> Result<(), Fault> {
        let call = Call::internal(tenant, self.clock.now());
        let held = match self.get(&call, id).await {
            Ok(held) => held,
            Err(gone) if gone.reason == Cause::ResourceNotFound => {
                let unit = move |tx: Tx| async move { due::set(&tx, id.uuid(), due::INVITATION, None).await };
                return self.db.write(tenant, unit).await;
            }
            Err(fault) => return Err(fault),
        };
        self.settle_contact(&call, &held).await?;
        let now = self.clock.now();
        let reminded = match held.remind_at.filter(|at| *at <= now && held.status.is_open() && now < held.expires_at) {
            Some(_) => Some(self.reminds(&call, &held).await?),
            None => None,
        };
        let then = held.revision;
        let unit = move |tx: Tx| async move {
            tx.hold_erasures().await?;
            let locked = store::asking::invitation::lock(&tx, id).await?;
            let revision = locked.revision;
            // What changed meanwhile is looked at again.
            if revision != then {
                return store::asking::invitation::update(&tx, &locked).await;
            }
            let mut changed = locked;
            changed.contact = changed.contact.filter(|_| changed.status.counts());
            changed.is_confirmed = true;
            if let Some((made, put_off)) = reminded {
                changed = changed.remind(made, put_off, tx.now());
            }
            changed = changed.expire(tx.now());
            if changed.revision == revision {
                return store::asking::invitation::update(&tx, &changed).await;
            }
            rewrite(&tx, revision, &changed).await
        };
        self.db.write(tenant, unit).await
    }

    /// Tells the ledger what became of an invitation's contact.
    async fn settle_contact(&self, call: &Call, held: &Invitation) -> Result<(), Fault> {
        let Some(contact) = held.contact else { return Ok(()) };
        if !held.status.counts() {
            return self.contacts.release(call, contact).await;
        }
        if held.is_confirmed {
            return Ok(());
        }
        match self.contacts.confirm(call, contact).await {
            // It was released, or its customer erased: there is nothing to confirm.
            Err(gone) if gone.reason == Cause::ResourceNotFound => Ok(()),
            done => done,
        }
    }

    /// Whether a reminder may be made now, and until when it is put off where not. Of an anonymous survey everybody is
    /// reminded: were those spared who have answered, each reminder would tell of somebody who has not.
    async fn reminds(&self, call: &Call, held: &Invitation) -> Result<(bool, Option<Timestamp>), Fault> {
        let subject = held.subject();
        let read = move |rx: Rx| async move { store::ticket::has_open_complaint(&rx, &[subject]).await };
        let open_complaint = self.db.read(call.tenant(), read).await?;
        let wanted =
            Wanted { subject, channel: &held.channel, purpose: &held.purpose, topic: &held.topic, open_complaint };
        match self.contacts.reserve(call, &wanted, &held.id.to_string()).await {
            Ok(Contact::Allowed(contact)) => {
                if let Some(contact) = contact {
                    self.contacts.confirm(call, contact).await?;
                }
                Ok((true, None))
            }
            Ok(Contact::Refused(refusal)) => Ok((false, refusal.retry)),
            Err(gone) if matches!(gone.reason, Cause::ResourceNotFound | Cause::Erased) => Ok((false, None)),
            Err(fault) => Err(fault),
        }
    }

    /// Asks whom an event asks.
    async fn ask(&self, tenant: TenantId, id: Uuid) -> Result<(), Fault> {
        let read = move |rx: Rx| async move { task::get(&rx, id).await };
        let Some(task) = self.db.read(tenant, read).await? else {
            let unit = move |tx: Tx| async move { due::set(&tx, id, due::TASK, None).await };
            return self.db.write(tenant, unit).await;
        };
        let call = Call::internal(tenant, self.clock.now());
        let refused = match self.withdrawn(&call, &task).await? {
            true => Some(Reason::CauseWithdrawn),
            false => self.order(&call, id, &task).await?,
        };
        if let Some(reason) = refused {
            let one = NotInvited {
                id: Uuid::now_v7(),
                survey: task.survey,
                subject: task.subject,
                refusal: reason.into(),
                at: self.clock.now(),
                channel: String::new(),
                spot: task.about.spot.clone(),
            };
            self.note(&call, one).await?;
        }
        let unit = move |tx: Tx| async move { task::done(&tx, id).await };
        self.db.write(tenant, unit).await
    }

    /// Invites by an event; answers why there is nobody to be.
    async fn order(&self, call: &Call, id: Uuid, task: &task::Task) -> Result<Option<Reason>, Fault> {
        let order = Order {
            // The same at every run: what was done before is found.
            request: Some(RequestId::from_uuid(id)),
            survey: task.survey,
            customer: Customer::Id(task.subject),
            channel: String::new(),
            spot: task.about.spot.clone(),
            cause: task.cause.clone(),
            language: task.about.language.clone(),
            wave: None,
        };
        let receipt = Receipt::new("asking after", order.request, task.cause.as_bytes(), |_: &Invited| Vec::new());
        match self.invite(call, receipt, order).await {
            Ok(_) => Ok(None),
            Err(fault) => match fault.reason {
                // The survey may have gone meanwhile, or the customer never been one.
                Cause::ResourceNotFound => Ok(Some(Reason::UnknownCustomer)),
                Cause::Erased => Ok(Some(Reason::Erased)),
                _ => Err(fault),
            },
        }
    }

    /// Whether what somebody should be asked after no longer holds.
    async fn withdrawn(&self, call: &Call, task: &task::Task) -> Result<bool, Fault> {
        let (Some(solved), Some(ticket)) = (task.about.solved_at, task.about.spot.ticket) else { return Ok(false) };
        let ticket = crate::domain::ticket::TicketId::from_uuid(ticket);
        let read = move |rx: Rx| async move { store::ticket::of_ids(&rx, &[ticket]).await };
        let found = self.db.read(call.tenant(), read).await?;
        let stands = |ticket: &crate::domain::ticket::Ticket| {
            let story = &ticket.derived.story;
            ticket.merged_into.is_none() && story.solve_times.last() == Some(&solved) && ticket.status().is_solved()
        };
        Ok(!found.iter().any(stands))
    }
}
