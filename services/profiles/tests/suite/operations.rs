//! Long work of this service is followed under its name.

use rapport_api::google::longrunning::operations_client::OperationsClient;
use rapport_api::google::longrunning::{GetOperationRequest, ListOperationsRequest};
use rapport_data::Engine;
use rapport_kernel::{OperationId, TenantId};
use rstest::rstest;
use tonic::Code;

use crate::ground::{Ground, reason};

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_are_listed_and_found_under_the_services_name(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    let mut operations = OperationsClient::new(ground.channel(TenantId::new()));
    let list = ListOperationsRequest { name: "profiles/operations".to_owned(), ..ListOperationsRequest::default() };
    let page = operations.list_operations(list).await.expect("the service lists its operations").into_inner();
    assert!(page.operations.is_empty() && page.next_page_token.is_empty());
    let absent = |service: &str| GetOperationRequest { name: format!("{service}/operations/{}", OperationId::new()) };
    let refused = operations.get_operation(absent("profiles")).await.expect_err("there is none");
    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!(reason(operations.get_operation(absent("metrics")).await), "RESOURCE_NOT_FOUND");
}
