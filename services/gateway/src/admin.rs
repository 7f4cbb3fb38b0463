//! What the operator does without the network: the same as `TenantService`, for the command line and the first start.

use rapport_api::admin::v1::CreateTenantRequest;
use rapport_data::Database;
use rapport_kernel::{Caller, Fault};
use rapport_platform::Platform;

use crate::config::Config;
use crate::convert;
use crate::domain::Tenant;
use crate::migrations;
use crate::service::{Made, Tenants};

/// The operator's own access.
#[derive(Clone)]
pub struct Admin(Tenants);

impl Admin {
    pub(crate) const fn new(tenants: Tenants) -> Self {
        Self(tenants)
    }

    /// Opens the gateway's database without serving: for the command line beside a running suite.
    ///
    /// # Errors
    /// Where the database cannot be opened.
    pub async fn open(platform: &Platform, config: &Config) -> Result<Self, Fault> {
        let db = Database::open(&config.database, "gateway", migrations::all(), platform).await?;
        Ok(Self(Tenants::new(db, platform.page_key.clone())))
    }

    /// Makes a tenant, and its first key with every scope. The key's secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a name that breaks the contract's rules; ALREADY_EXISTS where another tenant has it.
    pub async fn create_tenant(&self, name: &str) -> Result<Made, Fault> {
        let name = convert::tenant::create(CreateTenantRequest { name: name.to_owned() })?;
        self.0.create(&Caller::operator(), name).await
    }

    /// The tenant of a name, if there is one.
    ///
    /// # Errors
    /// As the database's.
    pub async fn find_tenant(&self, name: &str) -> Result<Option<Tenant>, Fault> {
        self.0.named(name.to_owned()).await
    }
}
