//! Tenants: requests in, tenants out.

use rapport_api::admin::v1 as proto;
use rapport_api::check;
use rapport_kernel::{Fault, RequestId, TenantId};

use super::{id, key, request_id, time};
use crate::domain::{Secret, Tenant};
use crate::service::NewTenant;

/// The request id, and the name of a tenant to make.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn create(message: proto::CreateTenantRequest) -> Result<(Option<RequestId>, String), Fault> {
    check(&message).check()?;
    Ok((request_id(&message.request_id)?, message.name))
}

/// The name of a tenant that the operator makes without the network: by the same rules.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn name(name: &str) -> Result<String, Fault> {
    let request = proto::CreateTenantRequest { name: name.to_owned(), ..proto::CreateTenantRequest::default() };
    create(request).map(|(_, name)| name)
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
pub fn render_made(made: &NewTenant, secret: &Secret) -> proto::CreateTenantResponse {
    let (tenant, api_key) = (Some(render(&made.tenant)), Some(key::render(&made.first.key)));
    proto::CreateTenantResponse { tenant, api_key, secret: secret.expose().to_owned() }
}

/// The answer as it is stored: in the place of the secret stands what it is made from.
#[must_use]
pub fn kept(made: &NewTenant) -> proto::CreateTenantResponse {
    let proto::CreateApiKeyResponse { api_key, secret } = key::kept(&made.first);
    proto::CreateTenantResponse { tenant: Some(render(&made.tenant)), api_key, secret }
}
