//! The rules by which follow-ups are opened.

use std::sync::Arc;

use rapport_data::{Answer, Receipt, Rx, Tx, keyset};
use rapport_kernel::{Fault, Reason};
use rapport_platform::Call;
use uuid::Uuid;

use super::FollowUps;
use crate::domain::etag;
use crate::domain::follow_up::{Rule, RuleId};
use crate::domain::sla::Calendar;
use crate::service::Page;
use crate::store::follow_up::rule::{self, Kept};
use crate::store::sla_rule;

/// How many rules a tenant has at most.
const MOST: usize = 500;

/// A change of a rule: what it becomes of what it was.
#[derive(Clone)]
pub struct RuleChange {
    /// Which.
    pub id: RuleId,
    /// Its etag as last read; empty: any.
    pub etag: String,
    /// What it becomes.
    pub becomes: Arc<dyn Fn(Rule) -> Result<Rule, Fault> + Send + Sync>,
}

fn missing(id: RuleId) -> Fault {
    Fault::not_found("follow_up_rule", id.to_string())
}

/// What is refused beyond what a rule's own words say.
async fn admit(tx: &Tx, wanted: &Rule, others: &[Kept]) -> Result<(), Fault> {
    if others.iter().any(|other| other.rule.name == wanted.name) {
        return Err(Fault::new(Reason::ResourceExists, "there is a rule of this name")
            .resource("follow_up_rule", wanted.name.clone()));
    }
    let Some(calendar) = wanted.calendar else { return Ok(()) };
    // Nobody deletes a calendar meanwhile.
    sla_rule::changed(tx).await?;
    match sla_rule::find::<Calendar>(tx, calendar).await? {
        Some(_) => Ok(()),
        None => Err(Fault::not_found("calendar", calendar.to_string())),
    }
}

impl FollowUps {
    /// Makes a rule.
    ///
    /// # Errors
    /// ALREADY_EXISTS for a name that is taken; NOT_FOUND for its calendar; FAILED_PRECONDITION where there are too many.
    pub async fn create_rule(&self, call: &Call, receipt: Receipt<Kept>, wanted: Rule) -> Result<Answer<Kept>, Fault> {
        let id = RuleId::new();
        let unit = move |tx: Tx| {
            let wanted = wanted.clone();
            async move {
                rule::changed(&tx).await?;
                let others = rule::all(&tx).await?;
                if others.len() >= MOST {
                    let text = format!("a tenant has at most {MOST} rules of follow-ups: delete some first");
                    let fault = Fault::new(Reason::InvalidState, text);
                    return Err(fault.precondition("FOLLOW_UP_RULES", MOST.to_string()));
                }
                admit(&tx, &wanted, &others).await?;
                let (created_at, updated_at) = (tx.now(), tx.now());
                let kept = Kept { id, revision: 1, created_at, updated_at, opened: 0, rule: wanted };
                rule::put(&tx, &kept).await?;
                Ok(kept)
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// One rule.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn rule(&self, call: &Call, id: RuleId) -> Result<Kept, Fault> {
        let read = move |rx: Rx| async move { rule::find(&rx, id).await?.ok_or_else(|| missing(id)) };
        self.db.until(call.deadline).read(call.tenant(), read).await
    }

    /// A page of rules, oldest first.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a page token that is none.
    pub async fn rules(&self, call: &Call, size: usize, token: &str) -> Result<Page<Kept>, Fault> {
        let bound = "ListFollowUpRules";
        let after: Option<Uuid> = self.page_key.open(call.tenant(), bound, token)?;
        let read = move |rx: Rx| async move { rule::page(&rx, after, keyset::limit(size)).await };
        let rows = self.db.until(call.deadline).read(call.tenant(), read).await?;
        let weight = |kept: &Kept| serde_json::to_vec(&kept.rule).map_or(0, |bytes| bytes.len());
        let page = keyset::page(rows, size, weight, |kept| kept.id.uuid());
        let next = page.next.map(|place| self.page_key.seal(call.tenant(), bound, &place));
        Ok(Page { items: page.items, next_page_token: next.unwrap_or_default() })
    }

    /// Changes a rule.
    ///
    /// # Errors
    /// NOT_FOUND for it or its calendar; ABORTED for a stale etag; ALREADY_EXISTS for a name that is taken.
    pub async fn update_rule(
        &self,
        call: &Call,
        receipt: Receipt<Kept>,
        change: RuleChange,
    ) -> Result<Answer<Kept>, Fault> {
        let unit = move |tx: Tx| {
            let change = change.clone();
            async move {
                rule::changed(&tx).await?;
                let mut others = rule::all(&tx).await?;
                let place = others.iter().position(|kept| kept.id == change.id);
                let held = others.remove(place.ok_or_else(|| missing(change.id))?);
                etag::check(held.revision, &change.etag)?;
                let wanted = (change.becomes)(held.rule.clone())?;
                admit(&tx, &wanted, &others).await?;
                let kept = Kept { revision: held.revision + 1, updated_at: tx.now(), rule: wanted, ..held };
                rule::put(&tx, &kept).await?;
                Ok(kept)
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// Deletes a rule.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag.
    pub async fn delete_rule(
        &self,
        call: &Call,
        receipt: Receipt<()>,
        id: RuleId,
        etag: String,
    ) -> Result<Answer<()>, Fault> {
        let unit = move |tx: Tx| {
            let etag = etag.clone();
            async move {
                rule::changed(&tx).await?;
                let held = rule::find(&tx, id).await?.ok_or_else(|| missing(id))?;
                etag::check(held.revision, &etag)?;
                rule::delete(&tx, id).await
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }
}
