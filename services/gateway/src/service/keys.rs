//! Making, listing and revoking the keys of a tenant.

use rapport_data::{Answer, Database, Receipt, Rx, Tx, keyset};
use rapport_kernel::{Fault, PageKey, Reason, Scope};
use rapport_platform::Call;

use super::Page;
use crate::domain::{Action, ApiKey, ApiKeyId, AuditEntry, KeyHash, Secret, Seed, key};
use crate::door::Keys;
use crate::store;

/// What the token of a page of keys is bound to.
const LIST: &str = "ListApiKeys";

/// A key that was made, and what its secret is made from.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// The key.
    pub key: ApiKey,
    /// The seed of its secret.
    pub seed: Seed,
}

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

    /// Makes a key; [`ApiKeys::secret`] tells its secret.
    ///
    /// # Errors
    /// PERMISSION_DENIED where it would do more than the caller's own; else as the database's.
    pub async fn create(
        &self,
        call: &Call,
        receipt: Receipt<NewKey>,
        name: String,
        scopes: Vec<Scope>,
    ) -> Result<Answer<NewKey>, Fault> {
        key::check_grant(&call.caller, &scopes)?;
        let (id, seed, maker) = (ApiKeyId::new(), Seed::new(rand::random()), call.caller.key);
        let hash = self.secret(id, &seed).hash();
        let unit = move |tx: Tx| {
            let (name, scopes) = (name.clone(), scopes.clone());
            async move {
                let (tenant, now) = (tx.tenant(), tx.now());
                let key = ApiKey { id, tenant, name, scopes, created_at: now, revoked_at: None };
                store::api_key::insert(tx.conn(), &key, hash).await?;
                let (action, target) = (Action::CreateApiKey, id.uuid());
                store::audit::note(tx.conn(), AuditEntry { tenant, key: maker, action, target, at: now }).await?;
                Ok(NewKey { key, seed })
            }
        };
        self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await
    }

    /// The secret of a key that was made from a seed.
    #[must_use]
    pub fn secret(&self, id: ApiKeyId, seed: &Seed) -> Secret {
        Secret::grown(&self.page_key, id, seed)
    }

    /// The secret of a key that was made before, for whoever asks for the same again.
    ///
    /// # Errors
    /// FAILED_PRECONDITION where it was grown by another key than the suite has now; else as the database's.
    pub async fn secret_again(&self, id: ApiKeyId, seed: &Seed) -> Result<Secret, Fault> {
        again(&self.db, &self.page_key, id, seed).await
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
    pub async fn revoke(
        &self,
        call: &Call,
        receipt: Receipt<(KeyHash, ApiKey)>,
        id: ApiKeyId,
    ) -> Result<Answer<(KeyHash, ApiKey)>, Fault> {
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
        let answer = self.db.until(call.deadline).write_once(call.tenant(), receipt, unit).await?;
        if let Answer::Fresh((hash, key)) = &answer {
            self.held.learn(*hash, key.clone());
        }
        Ok(answer)
    }
}

/// The secret of a key, if it still is the one that its hash was stored of.
pub(super) async fn again(db: &Database, page_key: &PageKey, id: ApiKeyId, seed: &Seed) -> Result<Secret, Fault> {
    let secret = Secret::grown(page_key, id, seed);
    let hash = secret.hash();
    let known =
        db.system().read(move |rx: Rx| async move { store::api_key::by_hash(rx.conn(), &[hash]).await }).await?;
    if known.iter().any(|(_, key)| key.id == id) {
        return Ok(secret);
    }
    let text = "the key was made, but its secret cannot be shown again: the suite's own keys were changed since. Revoke \
                it, and make another one under a new request_id";
    Err(Fault::new(Reason::InvalidState, text)
        .precondition("SECRET", id.to_string())
        .resource("api_key", id.to_string()))
}
