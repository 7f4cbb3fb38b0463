//! Tenants: requests in, tenants out.

use rapport_api::admin::v1 as proto;
use rapport_api::check;
use rapport_kernel::{Fault, TenantId};

use super::{id, key, time};
use crate::domain::Tenant;
use crate::service::Made;

/// The name of a tenant to make.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn create(message: proto::CreateTenantRequest) -> Result<String, Fault> {
    check(&message).check()?;
    Ok(message.name)
}

/// The name of a tenant that the operator makes without the network: by the same rules.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn name(name: &str) -> Result<String, Fault> {
    create(proto::CreateTenantRequest { name: name.to_owned() })
}

/// Which tenant to return.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn get(message: &proto::GetTenantRequest) -> Result<TenantId, Fault> {
    check(message).check()?;
    id(&message.tenant_id)
}

/// How many tenants to list at most, and where to go on.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn list(message: proto::ListTenantsRequest) -> Result<(usize, String), Fault> {
    check(&message).check()?;
    Ok((rapport_kernel::page_size(message.page_size)?, message.page_token))
}

/// A tenant as the contract has it.
#[must_use]
pub fn render(tenant: &Tenant) -> proto::Tenant {
    let create_time = time(tenant.created_at);
    proto::Tenant { tenant_id: tenant.id.to_string(), name: tenant.name.clone(), create_time }
}

/// A tenant that was made, with its first key and the key's secret.
#[must_use]
pub fn render_made(made: &Made) -> proto::CreateTenantResponse {
    proto::CreateTenantResponse {
        tenant: Some(render(&made.tenant)),
        api_key: Some(key::render(&made.key)),
        secret: made.secret.expose().to_owned(),
    }
}
