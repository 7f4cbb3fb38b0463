//! Calendars and policies of service levels. Who changes one has every open ticket looked at again; who reads a ticket's
//! targets within a unit of work sees the rules as they are committed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rapport_data::{Answer, Database, Receipt, Rx, Tx, keyset};
use rapport_kernel::{Fault, Id, PageKey, Reason, SubjectId, TenantId, Timestamp};
use rapport_platform::Call;
use uuid::Uuid;

use super::Page;
use crate::domain::etag;
use crate::domain::sla::{Calendar, Policies, Policy};
use crate::domain::ticket::{Derived, Push, Ticket, TicketId, TicketKey, Windows};
use crate::store::follow_up;
use crate::store::sla_rule::{self, Kept, Rule};
use crate::store::ticket::due;

/// How many rules of a kind a tenant has at most.
const MOST: u64 = 500;

/// A tenant's rules as they were compiled, and of which version they are.
type Known = (i64, Arc<Policies>);

/// The rules of tenants, compiled.
#[derive(Clone, Default)]
pub struct Compiled(Arc<Mutex<HashMap<TenantId, Known>>>);

impl Compiled {
    /// A tenant's rules, as the read or unit sees them.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn of(&self, rx: &Rx) -> Result<Arc<Policies>, Fault> {
        let version = sla_rule::version(rx).await?;
        // Whole after every statement.
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&rx.tenant()).cloned();
        if let Some((_, policies)) = known.filter(|(known, _)| *known == version) {
            return Ok(policies);
        }
        let all = sla_rule::all(rx).await?;
        let policies = Arc::new(Policies::new(&all.policies, &all.calendars).judging(all.windows));
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(rx.tenant(), (version, Arc::clone(&policies)));
        Ok(policies)
    }
}

/// The service levels of all tenants.
#[derive(Clone)]
pub struct ServiceLevels {
    db: Database,
    page_key: PageKey,
    compiled: Compiled,
}

/// A change of a rule: what it becomes of what it was.
pub struct Change<T> {
    /// Which.
    pub id: Id<T>,
    /// Its etag as last read; empty: any.
    pub etag: String,
    /// What it becomes.
    pub becomes: Arc<dyn Fn(T) -> Result<T, Fault> + Send + Sync>,
}

impl<T> Clone for Change<T> {
    fn clone(&self) -> Self {
        Self { id: self.id, etag: self.etag.clone(), becomes: Arc::clone(&self.becomes) }
    }
}

/// What a kind of rule refuses beyond what its own words say.
trait Bound: Rule {
    fn admit(&self, tx: &Tx) -> impl Future<Output = Result<(), Fault>> + Send;
    fn release(tx: &Tx, id: Id<Self>) -> impl Future<Output = Result<(), Fault>> + Send;
}

impl Bound for Calendar {
    async fn admit(&self, _: &Tx) -> Result<(), Fault> {
        Ok(())
    }

    async fn release(tx: &Tx, id: Id<Self>) -> Result<(), Fault> {
        let follow_ups = follow_up::rule::all(tx).await?;
        if let Some(rule) = follow_ups.iter().find(|kept| kept.rule.calendar == Some(id)) {
            let text = "a rule of follow-ups is measured by this calendar: give it another one first";
            return Err(Fault::new(Reason::InvalidState, text).precondition("CALENDAR_UNUSED", rule.id.to_string()));
        }
        let all = sla_rule::all(tx).await?;
        match all.policies.iter().find(|(_, policy)| policy.calendar == Some(id)) {
            Some((policy, _)) => {
                let text = "a policy is measured by this calendar: give it another one first";
                Err(Fault::new(Reason::InvalidState, text).precondition("CALENDAR_UNUSED", policy.to_string()))
            }
            None => Ok(()),
        }
    }
}

impl Bound for Policy {
    async fn admit(&self, tx: &Tx) -> Result<(), Fault> {
        let Some(calendar) = self.calendar else { return Ok(()) };
        match sla_rule::find::<Calendar>(tx, calendar).await? {
            Some(_) => Ok(()),
            None => Err(missing::<Calendar>(calendar)),
        }
    }

    async fn release(_: &Tx, _: Id<Self>) -> Result<(), Fault> {
        Ok(())
    }
}

fn missing<T: Rule>(id: Id<T>) -> Fault {
    Fault::not_found(T::KIND, id.to_string())
}

/// The lengths of a tenant that has not said any.
fn unsaid(now: Timestamp) -> Kept<Windows> {
    Kept { id: Id::from_uuid(Uuid::nil()), revision: 0, created_at: now, updated_at: now, rule: Windows::default() }
}

/// Locks the rules of a tenant, and has what they are for looked at once the unit is committed.
async fn change(tx: &Tx) -> Result<(), Fault> {
    sla_rule::changed(tx).await?;
    due::all_open(tx).await
}

async fn unique<T: Rule>(tx: &Tx, rule: &T) -> Result<(), Fault> {
    if sla_rule::by_name::<T>(tx, rule.name()).await?.is_none() {
        return Ok(());
    }
    Err(Fault::new(Reason::ResourceExists, format!("there is a {} of this name", T::KIND))
        .resource(T::KIND, rule.name()))
}

impl ServiceLevels {
    /// In a database; `compiled` is what tickets are measured by.
    #[must_use]
    pub const fn new(db: Database, page_key: PageKey, compiled: Compiled) -> Self {
        Self { db, page_key, compiled }
    }

    async fn create<T: Bound>(
        &self,
        call: &Call,
        receipt: Receipt<Kept<T>>,
        rule: T,
    ) -> Result<Answer<Kept<T>>, Fault> {
        let id = Id::new();
        let unit = move |tx: Tx| {
            let rule = rule.clone();
            async move {
                change(&tx).await?;
                unique(&tx, &rule).await?;
                if sla_rule::count::<T>(&tx).await? >= MOST {
                    let text = format!("a tenant has at most {MOST} rules of a kind: delete some first");
                    return Err(Fault::new(Reason::InvalidState, text).precondition("SLA_RULES", MOST.to_string()));
                }
                rule.admit(&tx).await?;
                let kept = Kept { id, revision: 1, created_at: tx.now(), updated_at: tx.now(), rule };
                sla_rule::put(&tx, &kept).await?;
                Ok(kept)
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    async fn update<T: Bound>(
        &self,
        call: &Call,
        receipt: Receipt<Kept<T>>,
        wanted: Change<T>,
    ) -> Result<Answer<Kept<T>>, Fault> {
        let unit = move |tx: Tx| {
            let wanted = wanted.clone();
            async move {
                change(&tx).await?;
                let held = sla_rule::find(&tx, wanted.id).await?.ok_or_else(|| missing(wanted.id))?;
                etag::check(held.revision, &wanted.etag)?;
                let rule = (wanted.becomes)(held.rule.clone())?;
                if rule.name() != held.rule.name() {
                    unique(&tx, &rule).await?;
                }
                rule.admit(&tx).await?;
                let kept = Kept { revision: held.revision + 1, updated_at: tx.now(), rule, ..held };
                sla_rule::put(&tx, &kept).await?;
                Ok(kept)
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    async fn delete<T: Bound>(
        &self,
        call: &Call,
        receipt: Receipt<()>,
        id: Id<T>,
        etag: String,
    ) -> Result<Answer<()>, Fault> {
        let unit = move |tx: Tx| {
            let etag = etag.clone();
            async move {
                change(&tx).await?;
                let held = sla_rule::find(&tx, id).await?.ok_or_else(|| missing(id))?;
                etag::check(held.revision, &etag)?;
                T::release(&tx, id).await?;
                sla_rule::delete(&tx, id).await
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// One rule.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn get<T: Rule>(&self, call: &Call, id: Id<T>) -> Result<Kept<T>, Fault> {
        let read = move |rx: Rx| async move { sla_rule::find(&rx, id).await?.ok_or_else(|| missing(id)) };
        self.db.until(call.deadline).read(call.tenant(), read).await
    }

    /// A page of rules, oldest first.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a page token that is none.
    pub async fn list<T: Rule>(&self, call: &Call, size: usize, token: &str) -> Result<Page<Kept<T>>, Fault> {
        let query = format!("ListSla|{}", T::KIND);
        let after = self.page_key.open::<Uuid>(call.tenant(), &query, token)?;
        let read = move |rx: Rx| async move { sla_rule::page::<T>(&rx, after, size).await };
        let rows = self.db.until(call.deadline).read(call.tenant(), read).await?;
        let weight = |kept: &Kept<T>| serde_json::to_vec(&kept.rule).map_or(0, |bytes| bytes.len());
        let page = keyset::page(rows, size, weight, |kept| kept.id.uuid());
        let next = page.next.map(|cursor| self.page_key.seal(call.tenant(), &query, &cursor));
        Ok(Page { items: page.items, next_page_token: next.unwrap_or_default() })
    }

    /// Makes a calendar.
    ///
    /// # Errors
    /// ALREADY_EXISTS for a name that is taken; FAILED_PRECONDITION where there are too many.
    pub async fn create_calendar(
        &self,
        call: &Call,
        receipt: Receipt<Kept<Calendar>>,
        calendar: Calendar,
    ) -> Result<Answer<Kept<Calendar>>, Fault> {
        self.create(call, receipt, calendar).await
    }

    /// Changes a calendar.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag; ALREADY_EXISTS for a name that is taken.
    pub async fn update_calendar(
        &self,
        call: &Call,
        receipt: Receipt<Kept<Calendar>>,
        change: Change<Calendar>,
    ) -> Result<Answer<Kept<Calendar>>, Fault> {
        self.update(call, receipt, change).await
    }

    /// Deletes a calendar.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag; FAILED_PRECONDITION where a policy is measured by it.
    pub async fn delete_calendar(
        &self,
        call: &Call,
        receipt: Receipt<()>,
        id: Id<Calendar>,
        etag: String,
    ) -> Result<Answer<()>, Fault> {
        self.delete(call, receipt, id, etag).await
    }

    /// Makes a policy.
    ///
    /// # Errors
    /// ALREADY_EXISTS for a name that is taken; NOT_FOUND for its calendar; FAILED_PRECONDITION where there are too many.
    pub async fn create_policy(
        &self,
        call: &Call,
        receipt: Receipt<Kept<Policy>>,
        policy: Policy,
    ) -> Result<Answer<Kept<Policy>>, Fault> {
        self.create(call, receipt, policy).await
    }

    /// Changes a policy.
    ///
    /// # Errors
    /// NOT_FOUND for it or its calendar; ABORTED for a stale etag; ALREADY_EXISTS for a name that is taken.
    pub async fn update_policy(
        &self,
        call: &Call,
        receipt: Receipt<Kept<Policy>>,
        change: Change<Policy>,
    ) -> Result<Answer<Kept<Policy>>, Fault> {
        self.update(call, receipt, change).await
    }

    /// Deletes a policy.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag.
    pub async fn delete_policy(
        &self,
        call: &Call,
        receipt: Receipt<()>,
        id: Id<Policy>,
        etag: String,
    ) -> Result<Answer<()>, Fault> {
        self.delete(call, receipt, id, etag).await
    }

    /// By which lengths tickets are judged; of revision 0 where nobody has said.
    ///
    /// # Errors
    /// As the database's.
    pub async fn windows(&self, call: &Call) -> Result<Kept<Windows>, Fault> {
        let read = move |rx: Rx| async move { sla_rule::find(&rx, Id::from_uuid(Uuid::nil())).await };
        Ok(self.db.until(call.deadline).read(call.tenant(), read).await?.unwrap_or_else(|| unsaid(call.now)))
    }

    /// Says by which lengths tickets are judged from now on; what is `None` stays as it is.
    ///
    /// # Errors
    /// ABORTED for a stale etag.
    pub async fn judge(
        &self,
        call: &Call,
        receipt: Receipt<Kept<Windows>>,
        etag: String,
        (repetition, first_contact): (Option<u64>, Option<u64>),
    ) -> Result<Answer<Kept<Windows>>, Fault> {
        let unit = move |tx: Tx| {
            let etag = etag.clone();
            async move {
                change(&tx).await?;
                let held = sla_rule::find(&tx, Id::from_uuid(Uuid::nil())).await?.unwrap_or_else(|| unsaid(tx.now()));
                etag::check(held.revision, &etag)?;
                let rule = Windows {
                    repetition: repetition.unwrap_or(held.rule.repetition),
                    first_contact: first_contact.unwrap_or(held.rule.first_contact),
                };
                let kept = Kept { revision: held.revision + 1, updated_at: tx.now(), rule, ..held };
                sla_rule::put(&tx, &kept).await?;
                Ok(kept)
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// What a ticket would come to that was pushed so, as of an instant.
    ///
    /// # Errors
    /// As the database's; FAILED_PRECONDITION where the push says more than is kept of one ticket.
    pub async fn preview(&self, call: &Call, key: TicketKey, push: Push, at: Timestamp) -> Result<Derived, Fault> {
        let compiled = self.compiled.clone();
        let read = move |rx: Rx| async move { compiled.of(&rx).await };
        let policies = self.db.until(call.deadline).read(call.tenant(), read).await?;
        let mut ticket = Ticket::new(TicketId::new(), key, SubjectId::new(), at);
        ticket.told.hear(push)?;
        Ok(ticket.derive(&[], &policies, None, at))
    }
}
