//! Improvements: causes mended for all.

use std::sync::Arc;

use rapport_data::{Answer, Database, Receipt, Rx, Tx, keyset};
use rapport_kernel::{Fault, PageKey};
use rapport_platform::Call;
use uuid::Uuid;

use super::Page;
use super::follow_ups::Which;
use crate::domain::etag;
use crate::domain::improvement::{Improvement, ImprovementId, Linked, Plan};
use crate::events::loops as events;
use crate::store::follow_up::linked;
use crate::store::improvement::{self as store, Sieve};

/// An improvement, and the follow-ups that named its cause.
pub type Told = (Improvement, Linked);

/// A change of an improvement: what it becomes of what it was.
#[derive(Clone)]
pub struct Change {
    /// Which.
    pub id: ImprovementId,
    /// Its etag as last read; empty: any.
    pub etag: String,
    /// What it becomes.
    pub becomes: Arc<dyn Fn(Plan) -> Plan + Send + Sync>,
}

/// The improvements of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Improvements {
    db: Database,
    page_key: PageKey,
}

fn missing(id: ImprovementId) -> Fault {
    Fault::not_found("improvement", id.to_string())
}

async fn told(rx: &Rx, one: Improvement) -> Result<Told, Fault> {
    let linked = linked(rx, &one.plan.cause, one.plan.starts_at).await?;
    Ok((one, linked))
}

impl Improvements {
    /// In a database.
    #[must_use]
    pub const fn new(db: Database, page_key: PageKey) -> Self {
        Self { db, page_key }
    }

    /// Makes one.
    ///
    /// # Errors
    /// As the database's.
    pub async fn create(&self, call: &Call, receipt: Receipt<Told>, plan: Plan) -> Result<Answer<Told>, Fault> {
        let id = ImprovementId::new();
        let unit = move |tx: Tx| {
            let plan = plan.clone();
            async move {
                let made = Improvement { id, plan, revision: 1, created_at: tx.now(), changed_at: tx.now() };
                store::put(&tx, &made).await?;
                tx.publish(events::improvement_changed(tx.tenant(), &made)).await?;
                told(&tx, made).await
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Returns one.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn get(&self, call: &Call, id: ImprovementId) -> Result<Told, Fault> {
        let read = move |rx: Rx| async move {
            let found = store::find(&rx, id).await?.ok_or_else(|| missing(id))?;
            told(&rx, found).await
        };
        self.db.until(call.deadline).read(call.tenant(), read).await
    }

    /// A page of them, newest first.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a page token that is none.
    pub async fn list(&self, call: &Call, sieve: Sieve, which: Which) -> Result<Page<Told>, Fault> {
        let before: Option<Uuid> = self.page_key.open(call.tenant(), &which.bound, &which.token)?;
        let size = which.size;
        let read = move |rx: Rx| {
            let sieve = sieve.clone();
            async move {
                let rows = store::page(&rx, &sieve, before, keyset::limit(size)).await?;
                let weight = |one: &Improvement| 600 + one.plan.description.len();
                let page = keyset::page(rows, size, weight, |one| one.id.uuid());
                let mut items = Vec::with_capacity(page.items.len());
                for one in page.items {
                    items.push(told(&rx, one).await?);
                }
                Ok((items, page.next))
            }
        };
        let (items, next) = self.db.until(call.deadline).read(call.tenant(), read).await?;
        let next = next.map(|place| self.page_key.seal(call.tenant(), &which.bound, &place));
        Ok(Page { items, next_page_token: next.unwrap_or_default() })
    }

    /// Changes one.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag.
    pub async fn update(&self, call: &Call, receipt: Receipt<Told>, change: Change) -> Result<Answer<Told>, Fault> {
        let unit = move |tx: Tx| {
            let change = change.clone();
            async move {
                let held = store::lock(&tx, change.id).await?.ok_or_else(|| missing(change.id))?;
                etag::check(held.revision, &change.etag)?;
                let plan = (change.becomes)(held.plan.clone());
                if plan == held.plan {
                    return told(&tx, held).await;
                }
                let changed = Improvement { plan, revision: held.revision + 1, changed_at: tx.now(), ..held };
                store::put(&tx, &changed).await?;
                tx.publish(events::improvement_changed(tx.tenant(), &changed)).await?;
                told(&tx, changed).await
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Deletes one.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag.
    pub async fn delete(
        &self,
        call: &Call,
        receipt: Receipt<()>,
        id: ImprovementId,
        etag: String,
    ) -> Result<Answer<()>, Fault> {
        let unit = move |tx: Tx| {
            let etag = etag.clone();
            async move {
                let held = store::lock(&tx, id).await?.ok_or_else(|| missing(id))?;
                etag::check(held.revision, &etag)?;
                store::delete(&tx, id).await?;
                tx.publish(events::improvement_deleted(tx.tenant(), &held)).await
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }
}
