//! Checking, reserving, confirming and releasing contacts, by the tenant's policy and the one ledger.

use std::sync::Arc;

use rapport_data::{Answer, Database, Receipt, Rx, Tx, keyset};
use rapport_kernel::{Clock, Fault, PageKey, Reason, SubjectId, Timestamp};
use rapport_platform::{Call, Platform};

use super::Page;
use super::turns::Turns;
use crate::convert::contact::{Reserve, Which};
use crate::domain::Customer;
use crate::domain::contact::{ContactId, ContactPolicy, Judged, Made, Subject, Wanted, judge};
use crate::domain::etag;
use crate::peers::{Contexts, Resolved};
use crate::store;
use crate::store::contact::Read;
use crate::store::reservation::{Contact, Cursor};

/// How often a reservation is tried again that lost against another contact of the same customer.
const AGAIN: u32 = 8;
/// What two changes of a policy exclude each other by.
const POLICY: &str = "contact policy";

/// The contacts of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Contacts(Arc<Inner>);

struct Inner {
    db: Database,
    contexts: Contexts,
    clock: Arc<dyn Clock>,
    turns: Turns,
    page_key: PageKey,
}

/// What became of a reservation.
pub enum Reserved {
    /// It is in the ledger.
    Entered(Answer<Contact>),
    /// It may not be made.
    Refused(Judged),
}

/// A contact as it was judged.
struct Judgement {
    judged: Judged,
    /// The subject it would hang on.
    subject: SubjectId,
    /// The ledger it was judged by.
    read: Read,
}

impl Contacts {
    /// In a database, about customers of contexts.
    #[must_use]
    pub fn new(platform: &Platform, db: Database, contexts: Contexts) -> Self {
        let (clock, page_key) = (Arc::clone(&platform.clock), platform.page_key.clone());
        Self(Arc::new(Inner { db, contexts, clock, turns: Turns::new(), page_key }))
    }

    /// Returns the tenant's policy.
    ///
    /// # Errors
    /// As the database's.
    pub async fn policy(&self, call: &Call) -> Result<ContactPolicy, Fault> {
        let query = |rx: Rx| async move { store::contact_policy::get(&rx).await };
        self.0.db.until(call.deadline).read(call.tenant(), query).await
    }

    /// Replaces the tenant's policy.
    ///
    /// # Errors
    /// ABORTED for a stale etag; else as the database's.
    pub async fn replace(
        &self,
        call: &Call,
        receipt: Receipt<ContactPolicy>,
        given: String,
        policy: ContactPolicy,
    ) -> Result<Answer<ContactPolicy>, Fault> {
        let unit = move |tx: Tx| {
            let (given, mut policy) = (given.clone(), policy.clone());
            async move {
                tx.lock(&[POLICY.to_owned()]).await?;
                let held = store::contact_policy::get(&tx).await?;
                etag::check(held.revision, &given)?;
                (policy.revision, policy.updated_at) = (held.revision + 1, Some(tx.now()));
                store::contact_policy::put(&tx, &policy).await?;
                Ok(policy)
            }
        };
        self.0.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Judges a contact; it changes nothing.
    ///
    /// # Errors
    /// NOT_FOUND for the customer; FAILED_PRECONDITION where it was erased.
    pub async fn check(
        &self,
        call: &Call,
        customer: &Customer,
        wanted: &Wanted,
        at: Option<Timestamp>,
    ) -> Result<Judged, Fault> {
        Ok(self.judge(call, customer, wanted, at).await?.judged)
    }

    /// Reserves a contact, where it may be made.
    ///
    /// # Errors
    /// As [`Contacts::check`]; ABORTED where other contacts of the customer kept winning; ALREADY_EXISTS for a request id
    /// used with another body.
    pub async fn reserve(&self, call: &Call, receipt: Receipt<Contact>, reserve: Reserve) -> Result<Reserved, Fault> {
        if reserve.request_id.is_some()
            && let Some(bytes) = self.replayed(call, receipt.clone()).await?
        {
            return Ok(Reserved::Entered(Answer::Replayed(bytes)));
        }
        let _turn = self.0.turns.take(call.tenant(), &reserve.customer).await;
        let mut again = AGAIN;
        loop {
            let judgement = self.judge(call, &reserve.customer, &reserve.wanted, None).await?;
            if !judgement.judged.blocks.is_empty() {
                return Ok(Reserved::Refused(judgement.judged));
            }
            let outcome = self.enter(call, receipt.clone(), &reserve, judgement).await;
            match outcome {
                Err(lost) if lost.reason == Reason::Contention && again > 0 => again -= 1,
                outcome => return outcome.map(Reserved::Entered),
            }
        }
    }

    /// What was answered to a request before: what is judged must not be judged anew by what it did itself.
    async fn replayed(&self, call: &Call, receipt: Receipt<Contact>) -> Result<Option<Vec<u8>>, Fault> {
        let new = || Fault::new(Reason::Cancelled, "this is asked for the first time");
        let unit = move |_: Tx| async move { Err::<Contact, _>(new()) };
        match self.0.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await {
            Ok(Answer::Replayed(bytes)) => Ok(Some(bytes)),
            Ok(Answer::Fresh(_)) => Err(Fault::internal("a unit that fails was committed")),
            Err(fault) if fault.reason == Reason::Cancelled => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    async fn enter(
        &self,
        call: &Call,
        receipt: Receipt<Contact>,
        reserve: &Reserve,
        judgement: Judgement,
    ) -> Result<Answer<Contact>, Fault> {
        let (id, wanted, reference) = (ContactId::new(), reserve.wanted.clone(), reserve.reference.clone());
        let (subject, versions, length) = (judgement.subject, judgement.read.versions, reserve.length);
        let clock = Arc::clone(&self.0.clock);
        let unit = move |tx: Tx| {
            let (wanted, reference, versions, clock) =
                (wanted.clone(), reference.clone(), versions.clone(), Arc::clone(&clock));
            async move {
                let count = versions.len();
                if store::contact::raise(&tx, versions).await?.len() < count {
                    let text = "other contacts of this customer kept winning: try again";
                    return Err(Fault::new(Reason::Contention, text));
                }
                let at = clock.now();
                let until = Some(at.plus(length));
                let Wanted { kind, channel, purpose, topic, .. } = wanted;
                let made = Made { kind, channel, purpose, topic, at, until };
                let contact = Contact { id, subject, made, reference, action: None };
                store::reservation::enter(&tx, &contact).await?;
                tx.about(subject);
                Ok(contact)
            }
        };
        self.0.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    async fn judge(
        &self,
        call: &Call,
        customer: &Customer,
        wanted: &Wanted,
        at: Option<Timestamp>,
    ) -> Result<Judgement, Fault> {
        let Resolved { context, subject } = self.0.contexts.resolve(call, customer, 0).await?;
        let profile = &context.profile;
        let mut subjects = profile.subjects.clone();
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
        let now = at.unwrap_or_else(|| self.0.clock.now());
        let query = move |rx: Rx| {
            let subjects = subjects.clone();
            async move {
                let policy = store::contact_policy::get(&rx).await?;
                let (read, made) = store::reservation::read(&rx, &subjects, now.minus(policy.longest_window())).await?;
                Ok((policy, read, made))
            }
        };
        let (policy, read, mut made) = self.0.db.until(call.deadline).read(call.tenant(), query).await?;
        if let Some(gone) = read.erased().next() {
            return Err(if gone == subject {
                Fault::new(Reason::Erased, "the customer was erased")
            } else {
                Fault::new(Reason::Contention, "the customer's record changes right now: try again")
            });
        }
        if let Some(planned) = at {
            made.retain(|made| made.at <= planned);
        }
        let judged = judge(&policy, Subject { profile, made: &made }, wanted, now);
        Ok(Judgement { judged, subject, read })
    }

    /// Lets a contact count for good.
    ///
    /// # Errors
    /// NOT_FOUND; else as the database's.
    pub async fn confirm(
        &self,
        call: &Call,
        receipt: Receipt<Contact>,
        id: ContactId,
    ) -> Result<Answer<Contact>, Fault> {
        let unit = move |tx: Tx| async move {
            tx.hold_erasures().await?;
            let found = store::reservation::confirm(&tx, id).await?;
            let contact = found.ok_or_else(|| Fault::not_found("contact", id.to_string()))?;
            tx.about(contact.subject);
            Ok(contact)
        };
        self.0.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Takes a contact back that was not made.
    ///
    /// # Errors
    /// As the database's.
    pub async fn release(&self, call: &Call, receipt: Receipt<()>, id: ContactId) -> Result<Answer<()>, Fault> {
        let unit = move |tx: Tx| async move {
            tx.hold_erasures().await?;
            // The ledger only grows emptier: who judged by what it was before loses nothing by it.
            if let Some(contact) = store::reservation::release(&tx, id).await? {
                tx.about(contact.subject);
            }
            Ok(())
        };
        self.0.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Lists what a customer was contacted with, newest first.
    ///
    /// # Errors
    /// NOT_FOUND for the customer; INVALID_ARGUMENT for a page token that is none.
    pub async fn list(&self, call: &Call, which: Which) -> Result<Page<Contact>, Fault> {
        let Resolved { context, subject } = self.0.contexts.resolve(call, &which.customer, 0).await?;
        let mut subjects = context.profile.subjects.clone();
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
        let (size, kind) = (which.page_size, which.kind);
        let bound = format!("ListContacts|{}|{kind:?}", context.profile.customer);
        let after: Option<Cursor> = self.0.page_key.open(call.tenant(), &bound, &which.page_token)?;
        let query = move |rx: Rx| {
            let subjects = subjects.clone();
            async move { store::reservation::page(&rx, &subjects, kind, after, keyset::limit(size)).await }
        };
        let mut items = self.0.db.until(call.deadline).read(call.tenant(), query).await?;
        let more = items.len() > size;
        items.truncate(size);
        let last = items.last().filter(|_| more);
        let next = last.map(|last| self.0.page_key.seal(call.tenant(), &bound, &store::reservation::cursor(last)));
        Ok(Page { items, next_page_token: next.unwrap_or_default() })
    }
}
