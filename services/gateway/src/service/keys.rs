//! Making, listing and revoking the keys of a tenant.

use rapport_data::{Database, Rx, Tx, keyset};
use rapport_kernel::{Fault, PageKey, Scope};
use rapport_platform::Call;

use super::Page;
use crate::domain::{Action, ApiKey, ApiKeyId, AuditEntry, Secret, key};
use crate::door::Keys;
use crate::store;

/// What the token of a page of keys is bound to.
const LIST: &str = "ListApiKeys";

/// The keys of all tenants.
#[derive(Clone)]
pub struct ApiKeys {
    db: Database,
    page_key: PageKey,
    held: Keys,
}

impl ApiKeys {
    /// In a database; `held` are those that the door remembers.
    #[must_use]
    pub const fn new(db: Database, page_key: PageKey, held: Keys) -> Self {
        Self { db, page_key, held }
    }

    /// Makes a key, and answers it with its secret.
    ///
    /// # Errors
    /// PERMISSION_DENIED where it would do more than the caller's own; else as the database's.
    pub async fn create(&self, call: &Call, name: String, scopes: Vec<Scope>) -> Result<(ApiKey, Secret), Fault> {
        key::check_grant(&call.caller, &scopes)?;
        let (id, secret, maker) = (ApiKeyId::new(), Secret::new(rand::random()), call.caller.key);
        let hash = secret.hash();
        let unit = move |tx: Tx| {
            let (name, scopes) = (name.clone(), scopes.clone());
            async move {
                let (tenant, now) = (tx.tenant(), tx.now());
                let key = ApiKey { id, tenant, name, scopes, created_at: now, revoked_at: None };
                store::api_key::insert(tx.conn(), &key, hash).await?;
                let (action, target) = (Action::CreateApiKey, id.uuid());
                store::audit::note(tx.conn(), AuditEntry { tenant, key: maker, action, target, at: now }).await?;
                Ok(key)
            }
        };
        let key = self.db.until(call.deadline).write(call.tenant(), unit).await?;
        Ok((key, secret))
    }

    /// Lists the tenant's keys, newest first.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a page token that is none; else as the database's.
    pub async fn list(&self, call: &Call, size: usize, token: &str) -> Result<Page<ApiKey>, Fault> {
        let tenant = call.tenant();
        let before: Option<ApiKeyId> = self.page_key.open(tenant, LIST, token)?;
        let query = move |rx: Rx| async move {
            store::api_key::list(rx.conn(), rx.tenant(), before, keyset::limit(size)).await
        };
        let rows = self.db.until(call.deadline).read(tenant, query).await?;
        let page = keyset::page(rows, size, |key| key.name.len(), |key| key.id);
        let next = page.next.map(|id| self.page_key.seal(tenant, LIST, &id));
        Ok(Page { items: page.items, next_page_token: next.unwrap_or_default() })
    }

    /// Revokes a key: on this instance from now on, on the others within seconds. Twice is once.
    ///
    /// # Errors
    /// NOT_FOUND; else as the database's.
    pub async fn revoke(&self, call: &Call, id: ApiKeyId) -> Result<ApiKey, Fault> {
        let revoker = call.caller.key;
        let unit = move |tx: Tx| async move {
            let (tenant, now) = (tx.tenant(), tx.now());
            let (hash, key) = store::api_key::lock(tx.conn(), tenant, id).await?;
            if key.revoked_at.is_some() {
                return Ok((hash, key));
            }
            let key = key.revoke(now);
            store::api_key::revoke(tx.conn(), &key).await?;
            let (action, target) = (Action::RevokeApiKey, id.uuid());
            store::audit::note(tx.conn(), AuditEntry { tenant, key: revoker, action, target, at: now }).await?;
            Ok((hash, key))
        };
        let (hash, key) = self.db.until(call.deadline).write(call.tenant(), unit).await?;
        self.held.learn(hash, key.clone());
        Ok(key)
    }
}
