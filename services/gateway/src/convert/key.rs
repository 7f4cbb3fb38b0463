//! API keys: requests in, keys out.

use rapport_api::admin::v1 as proto;
use rapport_api::check;
use rapport_kernel::{Fault, Scope};

use super::{id, time};
use crate::domain::{ApiKey, ApiKeyId};

/// The name and scopes of a key to make.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn create(message: proto::CreateApiKeyRequest) -> Result<(String, Vec<Scope>), Fault> {
    let mut violations = check(&message);
    let mut scopes = Vec::new();
    for (at, text) in message.scopes.iter().enumerate() {
        let scope = text.parse::<Scope>().and_then(|scope| match scope.is_of_tenants() {
            true => Ok(scope),
            false => Err("must be a scope that a tenant's key can hold".to_owned()),
        });
        scopes.extend(violations.take(format!("scopes[{at}]"), "api_key.scope", scope));
    }
    violations.check()?;
    Ok((message.name, scopes))
}

/// How many keys to list at most, and where to go on.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn list(message: proto::ListApiKeysRequest) -> Result<(usize, String), Fault> {
    check(&message).check()?;
    Ok((rapport_kernel::page_size(message.page_size)?, message.page_token))
}

/// Which key to revoke.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn revoke(message: &proto::RevokeApiKeyRequest) -> Result<ApiKeyId, Fault> {
    check(message).check()?;
    id(&message.key_id)
}

/// A key as the contract has it.
#[must_use]
pub fn render(key: &ApiKey) -> proto::ApiKey {
    proto::ApiKey {
        key_id: key.id.to_string(),
        name: key.name.clone(),
        scopes: key.scopes.iter().map(Scope::to_string).collect(),
        create_time: time(key.created_at),
        revoke_time: key.revoked_at.and_then(time),
    }
}
