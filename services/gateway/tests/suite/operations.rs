//! Long work is followed through the door: by the service that an operation's name says, with that service's scope.

use rapport_api::admin::v1::CreateApiKeyRequest;
use rapport_api::admin::v1::api_key_service_client::ApiKeyServiceClient;
use rapport_api::google::longrunning::operations_client::OperationsClient;
use rapport_api::google::longrunning::{
    CancelOperationRequest, DeleteOperationRequest, GetOperationRequest, ListOperationsRequest, Operation,
    WaitOperationRequest,
};
use rapport_api::policy::{self, BY_NAME};
use rapport_data::Engine;
use rapport_gateway::Made;
use rapport_kernel::OperationId;
use rstest::rstest;
use tonic::{Code, Status};

use crate::ground::{Ground, Keyed, ROLES, Shape, reason};

fn operations(keyed: Keyed) -> OperationsClient<Keyed> {
    OperationsClient::new(keyed)
}

fn seen_by(operation: &Operation) -> &str {
    operation.metadata.as_ref().map_or("nobody", |metadata| metadata.type_url.as_str())
}

async fn key(ground: &Ground, made: &Made, scopes: &[&str]) -> OperationsClient<Keyed> {
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    let request = CreateApiKeyRequest { name: "a key".to_owned(), scopes, ..CreateApiKeyRequest::default() };
    let made = ApiKeyServiceClient::new(ground.first.of(made)).create_api_key(request).await.expect("made");
    operations(ground.first.keyed(&made.into_inner().secret))
}

fn get(name: &str) -> GetOperationRequest {
    GetOperationRequest { name: name.to_owned() }
}
fn list(name: &str) -> ListOperationsRequest {
    let (name, filter) = (name.to_owned(), "done = true".to_owned());
    ListOperationsRequest { name, filter, page_size: 7, ..ListOperationsRequest::default() }
}

/// How each call about a name is answered, by its name in the contract.
async fn every_call(client: &mut OperationsClient<Keyed>, service: &str) -> Vec<(&'static str, Option<Status>)> {
    let name = format!("{service}/operations/{}", OperationId::new());
    let timeout = Some(prost_types::Duration { seconds: 1, nanos: 0 });
    vec![
        ("GetOperation", client.get_operation(get(&name)).await.err()),
        ("WaitOperation", client.wait_operation(WaitOperationRequest { name: name.clone(), timeout }).await.err()),
        ("ListOperations", client.list_operations(list(service)).await.err()),
        ("CancelOperation", client.cancel_operation(CancelOperationRequest { name: name.clone() }).await.err()),
        ("DeleteOperation", client.delete_operation(DeleteOperationRequest { name }).await.err()),
    ]
}

#[rstest]
#[case(Shape::InProcess)]
#[case(Shape::OverTcp)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_reaches_the_service_that_its_name_says_whole(#[case] shape: Shape) {
    let ground = Ground::new(Engine::Sqlite, shape).await;
    let tenant = ground.tenant().await;
    let mut client = operations(ground.first.of(&tenant));
    for role in ROLES {
        let name = format!("{role}/operations/{}", OperationId::new());
        let found = client.get_operation(get(&name)).await.expect("it is handed on").into_inner();
        assert_eq!((found.name.as_str(), seen_by(&found)), (name.as_str(), role));
        for parent in [role.to_owned(), format!("{role}/operations")] {
            let page = client.list_operations(list(&parent)).await.expect("it is handed on").into_inner();
            assert_eq!((page.operations[0].name.as_str(), seen_by(&page.operations[0])), (parent.as_str(), role));
            assert_eq!(page.next_page_token, "done = true 7", "nothing of it is lost");
        }
        let refused =
            client.cancel_operation(CancelOperationRequest { name: name.clone() }).await.expect_err("it says so");
        assert_eq!((refused.code(), refused.message()), (Code::FailedPrecondition, format!("{role} {name}").as_str()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_service_has_its_own_scope_and_a_wrong_one_reaches_nobody() {
    let ground = Ground::new(Engine::Sqlite, Shape::InProcess).await;
    let tenant = ground.tenant().await;
    let of_names = policy::all().iter().filter(|policy| policy.service == BY_NAME).count();
    for role in ROLES {
        let others: Vec<String> =
            ROLES.into_iter().filter(|other| *other != role).map(|other| format!("{other}:admin")).collect();
        let others: Vec<&str> = others.iter().map(String::as_str).chain(["admin:admin"]).collect();
        let answers = every_call(&mut key(&ground, &tenant, &others).await, role).await;
        assert_eq!(answers.len(), of_names, "every call is looked at");
        for (call, refused) in answers {
            let refused = refused.unwrap_or_else(|| panic!("{call} of {role} passed"));
            assert_eq!(refused.code(), Code::PermissionDenied, "{call} of {role}");
            assert_eq!(reason::<()>(Err(refused)), "MISSING_SCOPE");
        }
        let (read, write) = (format!("{role}:read"), format!("{role}:write"));
        for (call, answer) in every_call(&mut key(&ground, &tenant, &[&read]).await, role).await {
            let ends = ["CancelOperation", "DeleteOperation"].contains(&call);
            assert_eq!(answer.map(|status| status.code()), ends.then_some(Code::PermissionDenied), "{call} of {role}");
        }
        for (call, answer) in every_call(&mut key(&ground, &tenant, &[&write]).await, role).await {
            let denied = answer.is_some_and(|status| status.code() == Code::PermissionDenied);
            assert!(!denied, "{call} of {role}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_none_and_a_service_that_is_none_are_told_apart() {
    let ground = Ground::new(Engine::Sqlite, Shape::InProcess).await;
    let tenant = ground.tenant().await;
    let mut client = operations(ground.first.of(&tenant));
    let id = OperationId::new();
    for wrong in [String::new(), "profiles".to_owned(), format!("operations/{id}"), format!("/operations/{id}")] {
        let refused = client.get_operation(get(&wrong)).await.expect_err("it is no name");
        assert_eq!(refused.code(), Code::InvalidArgument, "{wrong}");
        assert_eq!(reason::<()>(Err(refused)), "INVALID_FIELD", "{wrong}");
    }
    for absent in ["nobody", "gateway", "admin", "internal"] {
        let refused = client.get_operation(get(&format!("{absent}/operations/{id}"))).await.expect_err("no such");
        assert_eq!(refused.code(), Code::NotFound, "{absent}");
        assert_eq!(reason::<()>(Err(refused)), "RESOURCE_NOT_FOUND", "{absent}");
        assert_eq!(reason(client.list_operations(list(absent)).await), "RESOURCE_NOT_FOUND", "{absent}");
    }
    assert_eq!(reason(client.list_operations(list("")).await), "INVALID_FIELD");
    let mut stranger = operations(ground.first.keyed("rk_x"));
    let refused = stranger.get_operation(get("")).await.expect_err("nobody knows it");
    assert_eq!(refused.code(), Code::Unauthenticated, "a stranger learns nothing");
}
