//! Promises to customers: recorded, resolved, and broken by the clock.

use rapport_data::{Answer, Database, Receipt, Rx, Tx, keyset};
use rapport_kernel::{Fault, PageKey, Private, Reason, TenantId, Timestamp};
use rapport_platform::Call;
use uuid::Uuid;

use super::Page;
use super::follow_ups::Which;
use crate::domain::promise::{Promise, PromiseId, Resolution, Said};
use crate::domain::{Customer, etag};
use crate::events::loops as events;
use crate::peers::Profiles;
use crate::store::loop_due::{self, Item};
use crate::store::promise::{self as store, Place, Sieve};

/// A promise as it is told.
#[derive(Clone, Debug)]
pub struct Telling {
    /// To whom.
    pub customer: Customer,
    /// The source.
    pub source: String,
    /// Its id there; empty: it has none.
    pub external_id: Private<String>,
    /// What is said of it.
    pub said: Said,
}

/// How a call names a promise.
#[derive(Clone, Debug)]
pub enum Named {
    /// By its id.
    Id(PromiseId),
    /// By its record: the source, and its id there.
    Key(String, Private<String>),
}

/// What became of a promise.
#[derive(Clone, Debug)]
pub struct Settling {
    /// Of which.
    pub named: Named,
    /// What.
    pub resolution: Resolution,
    /// When.
    pub at: Timestamp,
    /// What there is to say.
    pub note: Private<String>,
    /// Its etag as last read; empty: any.
    pub etag: String,
}

/// The promises of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Promises {
    db: Database,
    profiles: Profiles,
    page_key: PageKey,
}

async fn save(tx: &Tx, one: &Promise) -> Result<(), Fault> {
    store::put(tx, one).await?;
    loop_due::put(tx, Item::Promise, one.id.uuid(), one.wakes()).await?;
    tx.about(one.subject);
    tx.publish(events::promise_changed(one)).await
}

fn missing(id: PromiseId) -> Fault {
    Fault::not_found("promise", id.to_string())
}

impl Promises {
    /// In a database, to customers that profiles knows.
    #[must_use]
    pub const fn new(db: Database, profiles: Profiles, page_key: PageKey) -> Self {
        Self { db, profiles, page_key }
    }

    /// Records a promise, or what a later version of its record says.
    ///
    /// # Errors
    /// NOT_FOUND for the customer; FAILED_PRECONDITION where it was erased; ALREADY_EXISTS where its record was deleted.
    pub async fn record(
        &self,
        call: &Call,
        receipt: Receipt<Promise>,
        telling: Telling,
    ) -> Result<Answer<Promise>, Fault> {
        let resolved = self.profiles.resolve(call, &telling.customer).await?;
        let id = PromiseId::new();
        let unit = move |tx: Tx| {
            let (telling, resolved) = (telling.clone(), resolved.clone());
            async move {
                tx.hold_erasures().await?;
                let respondent = resolved.respondent;
                if !tx.is_entombed(&[respondent.subject]).await?.is_empty() {
                    return Err(Fault::new(Reason::Erased, "the customer was erased"));
                }
                if let Some(key) = store::key(tx.tenant(), &telling.source, &telling.external_id) {
                    tx.lock(&[format!("promise {key}")]).await?;
                    if store::is_gone(&tx, key).await? {
                        let text = "the promise of this source and external id was deleted: it is not taken again";
                        return Err(Fault::new(Reason::ResourceExists, text).resource("promise", telling.source));
                    }
                    if let Some(held) = store::lock_key(&tx, key).await? {
                        tx.about(held.subject);
                        let Some(heard) = held.hear(telling.said, tx.now()) else { return Ok(held) };
                        save(&tx, &heard).await?;
                        return Ok(heard);
                    }
                }
                let lapsed = telling.said.due.is_some_and(|due| due <= tx.now());
                let made = Promise {
                    id,
                    subject: respondent.subject,
                    customer: resolved.customer,
                    source: telling.source,
                    external_id: telling.external_id,
                    said: telling.said,
                    resolution: None,
                    lapsed,
                    note: Private::default(),
                    party: respondent.party,
                    dimensions: respondent.dimensions,
                    revision: 1,
                    created_at: tx.now(),
                    changed_at: tx.now(),
                };
                save(&tx, &made).await?;
                Ok(made)
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Says what became of a promise.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag.
    pub async fn resolve(
        &self,
        call: &Call,
        receipt: Receipt<Promise>,
        settling: Settling,
    ) -> Result<Answer<Promise>, Fault> {
        let unit = move |tx: Tx| {
            let settling = settling.clone();
            async move {
                tx.hold_erasures().await?;
                let held = match settling.named {
                    Named::Id(id) => store::lock(&tx, id).await?.ok_or_else(|| missing(id))?,
                    Named::Key(source, external_id) => {
                        let held = match store::key(tx.tenant(), &source, &external_id) {
                            Some(key) => store::lock_key(&tx, key).await?,
                            None => None,
                        };
                        // Its id in the source may be personal, and stays out of it.
                        held.ok_or_else(|| Fault::not_found("promise", format!("of {source}")))?
                    }
                };
                tx.about(held.subject);
                etag::check(held.revision, &settling.etag)?;
                let settled = held.resolve(settling.resolution, settling.at, settling.note, tx.now());
                let Some(settled) = settled else { return Ok(held) };
                save(&tx, &settled).await?;
                Ok(settled)
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// One promise.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn get(&self, call: &Call, id: PromiseId) -> Result<Promise, Fault> {
        let read = move |rx: Rx| async move { store::find(&rx, id).await?.ok_or_else(|| missing(id)) };
        self.db.until(call.deadline).read(call.tenant(), read).await
    }

    /// A page of promises; of one customer, those to all subjects that it is now.
    ///
    /// # Errors
    /// NOT_FOUND for the customer; INVALID_ARGUMENT for a page token that is none.
    pub async fn list(
        &self,
        call: &Call,
        customer: Option<Customer>,
        mut sieve: Sieve,
        which: Which,
    ) -> Result<Page<Promise>, Fault> {
        let after: Option<Place> = self.page_key.open(call.tenant(), &which.bound, &which.token)?;
        if let Some(customer) = &customer {
            sieve.subjects = Some(self.profiles.resolve(call, customer).await?.subjects);
        }
        let (size, order) = (which.size, sieve.order);
        let read = move |rx: Rx| async move { store::page(&rx, &sieve, after, keyset::limit(size)).await };
        let rows = self.db.until(call.deadline).read(call.tenant(), read).await?;
        let weight = |one: &Promise| 600 + one.said.what.expose().len() + one.note.expose().len();
        let page = keyset::page(rows, size, weight, |one| store::place(one, order));
        let next = page.next.map(|place| self.page_key.seal(call.tenant(), &which.bound, &place));
        Ok(Page { items: page.items, next_page_token: next.unwrap_or_default() })
    }

    /// Deletes a promise that was recorded by mistake.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag.
    pub async fn delete(
        &self,
        call: &Call,
        receipt: Receipt<()>,
        id: PromiseId,
        etag: String,
    ) -> Result<Answer<()>, Fault> {
        let unit = move |tx: Tx| {
            let etag = etag.clone();
            async move {
                tx.hold_erasures().await?;
                let held = store::lock(&tx, id).await?.ok_or_else(|| missing(id))?;
                etag::check(held.revision, &etag)?;
                store::delete(&tx, &held).await?;
                loop_due::put(&tx, Item::Promise, id.uuid(), None).await?;
                tx.publish(events::promise_deleted(&held)).await
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Looks at a promise that is due.
    pub(super) async fn tick(&self, tenant: TenantId, id: Uuid) -> Result<(), Fault> {
        let unit = move |tx: Tx| async move {
            tx.hold_erasures().await?;
            let held = store::lock(&tx, PromiseId::from_uuid(id)).await?;
            match held.as_ref().and_then(|held| held.tick(tx.now())) {
                Some(broken) => save(&tx, &broken).await,
                None => loop_due::put(&tx, Item::Promise, id, held.and_then(|held| held.wakes())).await,
            }
        };
        self.db.write(tenant, unit).await
    }
}
