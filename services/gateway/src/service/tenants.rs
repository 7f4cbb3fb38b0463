//! Making tenants. They stand above tenants, so all of it works by the system's access.

use rapport_data::{Answer, Database, Receipt, Rx, Tx, keyset};
use rapport_kernel::{Caller, Fault, PageKey, Scope, TenantId};
use rapport_platform::Call;

use super::Page;
use super::keys::NewKey;
use crate::domain::{Action, ApiKey, ApiKeyId, AuditEntry, Secret, Seed, Tenant};
use crate::store;

/// What the token of a page of tenants is bound to.
const LIST: &str = "ListTenants";

/// The tenants.
#[derive(Clone)]
pub struct Tenants {
    db: Database,
    page_key: PageKey,
}

/// A tenant that was made, with its first key and what the key's secret is made from.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// The tenant.
    pub tenant: Tenant,
    /// Its first key, with every scope.
    pub first: NewKey,
}

/// A tenant that was made, with its first key and the key's secret.
#[derive(Clone, Debug)]
pub struct Made {
    /// The tenant.
    pub tenant: Tenant,
    /// Its first key, with every scope.
    pub key: ApiKey,
    /// The key's secret: nobody can show it again.
    pub secret: Secret,
}

impl Tenants {
    /// In a database.
    #[must_use]
    pub const fn new(db: Database, page_key: PageKey) -> Self {
        Self { db, page_key }
    }

    /// Makes a tenant, and its first key with every scope; [`Tenants::secret`] tells its secret.
    ///
    /// # Errors
    /// ALREADY_EXISTS where another one has the name; else as the database's.
    pub async fn create(
        &self,
        maker: &Caller,
        receipt: Receipt<NewTenant>,
        name: String,
    ) -> Result<Answer<NewTenant>, Fault> {
        let all: Scope = "*:admin".parse().map_err(Fault::internal)?;
        let (id, key_id, seed, maker) = (TenantId::new(), ApiKeyId::new(), Seed::new(rand::random()), maker.key);
        let hash = self.secret(key_id, &seed).hash();
        let unit = move |tx: Tx| {
            let (name, scopes) = (name.clone(), vec![all.clone()]);
            async move {
                let now = tx.now();
                let tenant = Tenant { id, name, created_at: now };
                store::tenant::insert(tx.conn(), &tenant).await?;
                let first = "first key".to_owned();
                let key = ApiKey { id: key_id, tenant: id, name: first, scopes, created_at: now, revoked_at: None };
                store::api_key::insert(tx.conn(), &key, hash).await?;
                let (action, target) = (Action::CreateTenant, id.uuid());
                store::audit::note(tx.conn(), AuditEntry { tenant: id, key: maker, action, target, at: now }).await?;
                Ok(NewTenant { tenant, first: NewKey { key, seed } })
            }
        };
        self.db.system().write_once(receipt, unit).await
    }

    /// The secret of a key that was made from a seed.
    #[must_use]
    pub fn secret(&self, id: ApiKeyId, seed: &Seed) -> Secret {
        Secret::grown(&self.page_key, id, seed)
    }

    /// As [`super::ApiKeys::secret_again`].
    ///
    /// # Errors
    /// As there.
    pub async fn secret_again(&self, id: ApiKeyId, seed: &Seed) -> Result<Secret, Fault> {
        super::keys::again(&self.db, &self.page_key, id, seed).await
    }

    /// Returns a tenant.
    ///
    /// # Errors
    /// NOT_FOUND; else as the database's.
    pub async fn get(&self, id: TenantId) -> Result<Tenant, Fault> {
        self.db.system().read(move |rx| async move { store::tenant::get(rx.conn(), id).await }).await
    }

    /// Returns the tenant of a name.
    ///
    /// # Errors
    /// As the database's.
    pub async fn named(&self, name: String) -> Result<Option<Tenant>, Fault> {
        self.db.system().read(move |rx| async move { store::tenant::named(rx.conn(), &name).await }).await
    }

    /// Lists the tenants, by name.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a page token that is none; else as the database's.
    pub async fn list(&self, call: &Call, size: usize, token: &str) -> Result<Page<Tenant>, Fault> {
        let after: Option<String> = self.page_key.open(call.tenant(), LIST, token)?;
        let query = move |rx: Rx| async move { store::tenant::list(rx.conn(), after, keyset::limit(size)).await };
        let rows = self.db.system().read(query).await?;
        let page = keyset::page(rows, size, |tenant| tenant.name.len(), |tenant| tenant.name.clone());
        let next = page.next.map(|name| self.page_key.seal(call.tenant(), LIST, &name));
        Ok(Page { items: page.items, next_page_token: next.unwrap_or_default() })
    }
}
