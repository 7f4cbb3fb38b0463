//! What the operator does without the network: the same as `TenantService`, for the command line and the first start.

use std::sync::Arc;

use rapport_data::{Answer, Database, Receipt};
use rapport_kernel::{Caller, Clock, Fault, Scope, TenantId};
use rapport_platform::{Call, Platform};

use crate::config::Config;
use crate::convert;
use crate::domain::{ApiKeyId, Tenant};
use crate::door::Keys;
use crate::migrations;
use crate::service::{ApiKeys, Made, NewKey, NewTenant, Tenants};

/// The operator's own access.
#[derive(Clone)]
pub struct Admin {
    tenants: Tenants,
    keys: ApiKeys,
    clock: Arc<dyn Clock>,
}

impl Admin {
    pub(crate) const fn new(tenants: Tenants, keys: ApiKeys, clock: Arc<dyn Clock>) -> Self {
        Self { tenants, keys, clock }
    }

    /// Opens the gateway's database without serving: for the command line beside a running suite.
    ///
    /// # Errors
    /// Where the database cannot be opened.
    pub async fn open(platform: &Platform, config: &Config) -> Result<Self, Fault> {
        let db = Database::open(&config.database, "gateway", migrations::all(), platform).await?;
        let tenants = Tenants::new(db.clone(), platform.page_key.clone());
        let keys = ApiKeys::new(db.clone(), platform.page_key.clone(), Keys::new(db, config.keys.clone()));
        Ok(Self::new(tenants, keys, Arc::clone(&platform.clock)))
    }

    /// Makes a tenant, and its first key with every scope. The key's secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a name that breaks the contract's rules; ALREADY_EXISTS where another tenant has it.
    pub async fn create_tenant(&self, name: &str) -> Result<Made, Fault> {
        let name = convert::tenant::name(name)?;
        let unasked = Receipt::new("CreateTenant", None, &[], |_| Vec::new());
        match self.tenants.create(&Caller::operator(), unasked, name).await? {
            Answer::Fresh(NewTenant { tenant, first: NewKey { key, seed } }) => {
                let secret = self.tenants.secret(key.id, &seed);
                Ok(Made { tenant, key, secret })
            }
            Answer::Replayed(_) => Err(replayed()),
        }
    }

    /// The tenant of a name, if there is one.
    ///
    /// # Errors
    /// As the database's.
    pub async fn find_tenant(&self, name: &str) -> Result<Option<Tenant>, Fault> {
        self.tenants.named(name.to_owned()).await
    }

    /// Makes a key of a tenant, and answers its id and secret: for work of the operator's own, which revokes it again.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a scope that does not exist; else as the database's.
    pub async fn create_key(&self, tenant: TenantId, name: &str, scopes: &[&str]) -> Result<(ApiKeyId, String), Fault> {
        let scopes: Result<Vec<Scope>, _> = scopes.iter().map(|scope| scope.parse()).collect();
        let scopes = scopes.map_err(|why: String| Fault::invalid_field("scopes", "scope", why))?;
        let call = Call::internal(tenant, self.clock.now());
        let unasked = Receipt::new("CreateApiKey", None, &[], |_| Vec::new());
        match self.keys.create(&call, unasked, name.to_owned(), scopes).await? {
            Answer::Fresh(NewKey { key, seed }) => Ok((key.id, self.keys.secret(key.id, &seed).expose().to_owned())),
            Answer::Replayed(_) => Err(replayed()),
        }
    }

    /// Revokes a key of a tenant.
    ///
    /// # Errors
    /// NOT_FOUND; else as the database's.
    pub async fn revoke_key(&self, tenant: TenantId, key: ApiKeyId) -> Result<(), Fault> {
        let call = Call::internal(tenant, self.clock.now());
        let unasked = Receipt::new("RevokeApiKey", None, &[], |_| Vec::new());
        self.keys.revoke(&call, unasked, key).await.map(drop)
    }
}

/// Without a request id nothing is asked for again.
fn replayed() -> Fault {
    Fault::internal("an answer to no request id")
}
