//! Keeping actions. Every change makes a policy version, in its own transaction, and leaves the older revisions.

use rapport_data::{Answer, Database, Receipt, Rx, Tx, keyset};
use rapport_kernel::{Fault, PageKey, Reason, TenantId};
use rapport_platform::Call;

use super::{Page, Policies};
use crate::domain::{Action, ActionId, Draft};
use crate::store;

/// What the token of a page of actions is bound to.
const LIST: &str = "ListActions";
/// What a page counts an action as, besides its texts.
const WEIGHT: usize = 200;

/// The actions of all tenants.
#[derive(Clone)]
pub struct Actions {
    db: Database,
    policies: Policies,
    page_key: PageKey,
    most: u64,
}

impl Actions {
    /// In a database, at most so many for each tenant.
    #[must_use]
    pub const fn new(db: Database, policies: Policies, page_key: PageKey, most: u64) -> Self {
        Self { db, policies, page_key, most }
    }

    /// Makes an action.
    ///
    /// # Errors
    /// ALREADY_EXISTS for a name that is taken, or a request id used with another body; FAILED_PRECONDITION where the
    /// tenant has as many as it may.
    pub async fn create(&self, call: &Call, receipt: Receipt<Action>, draft: Draft) -> Result<Answer<Action>, Fault> {
        let (id, most) = (ActionId::new(), self.most);
        let unit = move |tx: Tx| {
            let draft = draft.clone();
            async move {
                let version = store::policy::raise(tx.conn(), tx.tenant()).await?;
                if store::action::count(tx.conn(), tx.tenant()).await? >= most {
                    return Err(full(most));
                }
                unnamed(&tx, id, &draft).await?;
                let action = Action { id, draft, version, created_at: tx.now(), updated_at: tx.now() };
                store::action::insert(tx.conn(), tx.tenant(), &action).await?;
                Ok(action)
            }
        };
        let answer = self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await?;
        self.note(call.tenant(), &answer);
        Ok(answer)
    }

    /// Returns an action.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn get(&self, call: &Call, id: ActionId) -> Result<Action, Fault> {
        let query = move |rx: Rx| async move { store::action::get(rx.conn(), rx.tenant(), id).await };
        self.db.until(call.deadline).read(call.tenant(), query).await
    }

    /// Lists the actions, by name.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a page token that is none.
    pub async fn list(&self, call: &Call, size: usize, token: &str) -> Result<Page<Action>, Fault> {
        let after: Option<String> = self.page_key.open(call.tenant(), LIST, token)?;
        let query =
            move |rx: Rx| async move { store::action::list(rx.conn(), rx.tenant(), after, keyset::limit(size)).await };
        let rows = self.db.until(call.deadline).read(call.tenant(), query).await?;
        let page = keyset::page(rows, size, weight, |action| action.draft.name.clone());
        let next = page.next.map(|name| self.page_key.seal(call.tenant(), LIST, &name));
        Ok(Page { items: page.items, next_page_token: next.unwrap_or_default() })
    }

    /// Replaces an action. One that says what is there already changes nothing.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag; ALREADY_EXISTS for a name that is taken.
    pub async fn update(
        &self,
        call: &Call,
        receipt: Receipt<Action>,
        id: ActionId,
        etag: String,
        draft: Draft,
    ) -> Result<Answer<Action>, Fault> {
        let unit = move |tx: Tx| {
            let (draft, etag) = (draft.clone(), etag.clone());
            async move {
                let held = locked(&tx, id, &etag).await?;
                if held.draft == draft {
                    return Ok(held);
                }
                unnamed(&tx, id, &draft).await?;
                let version = store::policy::raise(tx.conn(), tx.tenant()).await?;
                let action = Action { draft, version, updated_at: tx.now(), ..held };
                store::action::end(tx.conn(), tx.tenant(), id, version).await?;
                store::action::insert(tx.conn(), tx.tenant(), &action).await?;
                Ok(action)
            }
        };
        let answer = self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await?;
        self.note(call.tenant(), &answer);
        Ok(answer)
    }

    /// Deletes an action: no decision chooses it any more. Its revisions stay, for what they explain.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED for a stale etag.
    pub async fn delete(
        &self,
        call: &Call,
        receipt: Receipt<i64>,
        id: ActionId,
        etag: String,
    ) -> Result<Answer<i64>, Fault> {
        let unit = move |tx: Tx| {
            let etag = etag.clone();
            async move {
                locked(&tx, id, &etag).await?;
                let version = store::policy::raise(tx.conn(), tx.tenant()).await?;
                store::action::end(tx.conn(), tx.tenant(), id, version).await?;
                Ok(version)
            }
        };
        let answer = self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await?;
        if let Answer::Fresh(version) = answer {
            self.policies.made(call.tenant(), version);
        }
        Ok(answer)
    }

    fn note(&self, tenant: TenantId, answer: &Answer<Action>) {
        if let Answer::Fresh(action) = answer {
            self.policies.made(tenant, action.version);
        }
    }
}

/// An action that is to be changed: nobody else changes the tenant's actions until this unit ends.
async fn locked(tx: &Tx, id: ActionId, etag: &str) -> Result<Action, Fault> {
    store::policy::lock(tx.conn(), tx.tenant()).await?;
    let held = store::action::get(tx.conn(), tx.tenant(), id).await?;
    if etag.is_empty() || etag == held.etag() {
        return Ok(held);
    }
    Err(Fault::new(
        Reason::StaleEtag,
        "the etag is not the newest: read again, apply the change to what you read, retry",
    ))
}

/// Lets an action go on only where no other carries its name.
async fn unnamed(tx: &Tx, id: ActionId, draft: &Draft) -> Result<(), Fault> {
    match store::action::named(tx.conn(), tx.tenant(), &draft.name).await? {
        Some(other) if other != id => {
            let text = "another action has this name: choose another name, or change that action";
            Err(Fault::new(Reason::ResourceExists, text).resource("action", other.to_string()))
        }
        _ => Ok(()),
    }
}

fn full(most: u64) -> Fault {
    let text = format!("there are {most} actions, as many as there may be: delete one first");
    Fault::new(Reason::InvalidState, text).precondition("ACTION_COUNT", "actions").with("limit", most)
}

fn weight(action: &Action) -> usize {
    let draft = &action.draft;
    let lists = draft.channels.iter().chain(&draft.placements).map(String::len).sum::<usize>();
    WEIGHT + draft.name.len() + draft.eligibility.len() + lists
}
