//! What every call promises, whoever calls and whatever is sent.

mod bad_input;
mod tenants;

use rapport_api::admin::v1::CreateTenantRequest;
use rapport_api::admin::v1::tenant_service_client::TenantServiceClient;
use rapport_tests::{Client, OPERATOR_KEY, Suite};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The reason in a status's details.
pub fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// The fields that a BadRequest names, in order.
pub fn fields(status: &Status) -> Vec<String> {
    let violations = status.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default();
    let mut fields: Vec<_> = violations.into_iter().map(|violation| violation.field).collect();
    fields.sort();
    fields
}

/// A second tenant of the same suite, made by the operator.
pub async fn other_tenant(suite: &Suite) -> Client {
    let mut tenants = TenantServiceClient::new(suite.client_with(OPERATOR_KEY).await);
    let made = tenants
        .create_tenant(CreateTenantRequest { name: "other".into(), ..Default::default() })
        .await
        .expect("made")
        .into_inner();
    suite.client_with(&made.secret).await
}

/// Checks a refusal's code and reason.
#[track_caller]
pub fn refused<T>(answer: Result<T, Status>, code: Code, expected: &str) -> Status {
    let Err(status) = answer else { panic!("not refused: {expected} was expected") };
    assert_eq!((status.code(), reason(&status).as_str()), (code, expected), "{}", status.message());
    status
}
