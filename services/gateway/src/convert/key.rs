//! API keys: requests in, keys out.

use rapport_api::admin::v1 as proto;
use rapport_api::check;
use rapport_kernel::{Fault, RequestId, Scope};

use super::{id, request_id, time};
use crate::domain::{ApiKey, ApiKeyId, Secret, Seed};
use crate::service::NewKey;

/// The request id, name and scopes of a key to make.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn create(message: proto::CreateApiKeyRequest) -> Result<(Option<RequestId>, String, Vec<Scope>), Fault> {
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
    Ok((request_id(&message.request_id)?, message.name, scopes))
}

/// How many keys to list at most, and where to go on.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn list(message: proto::ListApiKeysRequest) -> Result<(usize, String), Fault> {
    check(&message).check()?;
    Ok((rapport_kernel::page_size(message.page_size)?, message.page_token))
}

/// The request id, and which key to revoke.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn revoke(message: &proto::RevokeApiKeyRequest) -> Result<(Option<RequestId>, ApiKeyId), Fault> {
    check(message).check()?;
    Ok((request_id(&message.request_id)?, id(&message.key_id)?))
}

/// A key that was made, with its secret.
#[must_use]
pub fn render_made(key: &ApiKey, secret: &Secret) -> proto::CreateApiKeyResponse {
    proto::CreateApiKeyResponse { api_key: Some(render(key)), secret: secret.expose().to_owned() }
}

/// The answer as it is stored: in the place of the secret stands what it is made from.
#[must_use]
pub fn kept(made: &NewKey) -> proto::CreateApiKeyResponse {
    proto::CreateApiKeyResponse { api_key: Some(render(&made.key)), secret: made.seed.text() }
}

/// The key of a stored answer, and what its secret is made from.
///
/// # Errors
/// INTERNAL where it is no such answer.
pub fn of_kept(api_key: Option<&proto::ApiKey>, secret: &str) -> Result<(ApiKeyId, Seed), Fault> {
    let unreadable = || Fault::internal("a stored answer cannot be read");
    let key = api_key.ok_or_else(unreadable)?;
    Ok((id(&key.key_id)?, Seed::parse(secret).ok_or_else(unreadable)?))
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
