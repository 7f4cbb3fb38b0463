//! Get, list, wait, cancel, delete: what they answer, and to whom.

use std::time::{Duration, Instant};

use rapport_api::common::v1::{BulkAck, OperationState};
use rapport_api::google::longrunning::operation::Result as End;
use rapport_api::google::longrunning::{
    CancelOperationRequest, DeleteOperationRequest, GetOperationRequest, ListOperationsRequest, Operation,
    WaitOperationRequest,
};
use rapport_data::Engine;
use rapport_kernel::{OperationId, TenantId};
use rstest::rstest;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use crate::ground::{Client, Ground, eventually, get, progress, reason};

const ALL: &[&str] = &["profiles:write"];

fn wait(name: &str, millis: Option<i32>) -> WaitOperationRequest {
    let timeout = millis.map(|millis| prost_types::Duration { seconds: 0, nanos: millis * 1_000_000 });
    WaitOperationRequest { name: name.to_owned(), timeout }
}
fn cancel(name: &str) -> CancelOperationRequest {
    CancelOperationRequest { name: name.to_owned() }
}
fn delete(name: &str) -> DeleteOperationRequest {
    DeleteOperationRequest { name: name.to_owned() }
}
fn list(filter: &str, page_size: i32, page_token: &str) -> ListOperationsRequest {
    ListOperationsRequest {
        name: "profiles/operations".to_owned(),
        filter: filter.to_owned(),
        page_size,
        page_token: page_token.to_owned(),
        ..ListOperationsRequest::default()
    }
}

async fn waited(client: &mut Client, name: &str) -> Operation {
    client.wait_operation(wait(name, None)).await.expect("it is there").into_inner()
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_tells_how_far_it_is_and_then_its_response(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    let tenant = TenantId::new();
    let mut client = ground.client(tenant, ALL);
    let name = ground.begin(tenant, "Count", 3).await;
    assert!(name.starts_with("profiles/operations/"), "{name}");
    let begun = get(&mut client, &name).await.expect("it is there");
    assert!(begun.name == name && !begun.done && begun.result.is_none());
    ground.steps.add_permits(2);
    eventually("two steps are done", async || {
        let now = progress(&get(&mut client, &name).await.expect("it is there"));
        assert_eq!(now.kind, "Count");
        (now.state(), now.done, now.total, now.unit.as_str()) == (OperationState::Running, 2, 3, "notes")
    })
    .await;
    ground.steps.add_permits(1);
    let done = waited(&mut client, &name).await;
    let told = progress(&done);
    assert!(done.done && told.finished_at.is_some() && told.started_at.is_some() && told.created_at.is_some());
    assert_eq!((told.state(), told.done, told.total), (OperationState::Done, 3, 3));
    let Some(End::Response(response)) = done.result else { panic!("it is done") };
    assert_eq!(response.type_url, "type.googleapis.com/rapport.common.v1.BulkAck");
    assert_eq!(response.to_msg::<BulkAck>().expect("of its type").accepted, 3);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_that_fails_has_a_status_with_its_reason_and_nothing_of_our_insides(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    let tenant = TenantId::new();
    let mut client = ground.client(tenant, ALL);
    let name = ground.begin(tenant, "Fail", 0).await;
    let failed = waited(&mut client, &name).await;
    assert_eq!(progress(&failed).state(), OperationState::Failed);
    let Some(End::Error(error)) = failed.result else { panic!("it fails") };
    assert_eq!((error.code, error.message.as_str()), (9, "there is nothing to count"));
    let info = error.details.iter().find(|detail| detail.type_url == "type.googleapis.com/google.rpc.ErrorInfo");
    let text = String::from_utf8_lossy(&info.expect("an ErrorInfo").value).into_owned();
    assert!(text.contains("INVALID_STATE") && text.contains("rapport"), "{text}");
    assert!(error.details.iter().all(|detail| !String::from_utf8_lossy(&detail.value).contains("only the log")));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_keeps_to_its_timeout_and_answers_before_its_callers_deadline(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    let tenant = TenantId::new();
    let mut client = ground.client(tenant, ALL);
    let name = ground.begin(tenant, "Count", 1).await;
    let began = Instant::now();
    let answer = client.wait_operation(wait(&name, Some(300))).await.expect("it is there").into_inner();
    assert!(!answer.done && began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    let mut request = Request::new(wait(&name, None));
    request.metadata_mut().insert("grpc-timeout", "800m".parse().expect("a value"));
    let began = Instant::now();
    let answer = client.wait_operation(request).await.expect("before the deadline").into_inner();
    let took = began.elapsed();
    assert!(!answer.done && took >= Duration::from_millis(500), "{took:?}");
    let began = Instant::now();
    let steps = std::sync::Arc::clone(&ground.steps);
    let later = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        steps.add_permits(1);
    };
    let (answer, ()) = tokio::join!(waited(&mut client, &name), later);
    assert!(answer.done && began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let negative =
        WaitOperationRequest { name: name.clone(), timeout: Some(prost_types::Duration { seconds: -1, nanos: 0 }) };
    assert_eq!(reason(client.wait_operation(negative).await), "INVALID_FIELD");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_operation_ends_with_cancelled_and_a_deleted_one_is_gone(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    let tenant = TenantId::new();
    let mut client = ground.client(tenant, ALL);
    let name = ground.begin(tenant, "Count", 3).await;
    client.cancel_operation(cancel(&name)).await.expect("it is there");
    ground.steps.add_permits(1);
    let gone = waited(&mut client, &name).await;
    let told = progress(&gone);
    assert!(gone.done && told.cancel_requested && told.state() == OperationState::Cancelled);
    let Some(End::Error(error)) = gone.result else { panic!("it was cancelled") };
    assert_eq!(error.code, 1);
    client.cancel_operation(cancel(&name)).await.expect("once more does no harm");
    client.delete_operation(delete(&name)).await.expect("it is there");
    for refused in [
        get(&mut client, &name).await.map(drop),
        client.delete_operation(delete(&name)).await.map(drop),
        client.cancel_operation(cancel(&name)).await.map(drop),
        client.wait_operation(wait(&name, Some(1))).await.map(drop),
    ] {
        let status = refused.expect_err("it is gone");
        assert_eq!(status.code(), Code::NotFound);
        let details = status.get_error_details();
        let resource = details.resource_info().expect("what is not there");
        assert_eq!((resource.resource_type.as_str(), resource.resource_name.as_str()), ("operation", name.as_str()));
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tenants_operation_is_not_there(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    let tenant = TenantId::new();
    let (mut own, mut other) = (ground.client(tenant, ALL), ground.client(TenantId::new(), ALL));
    let name = ground.begin(tenant, "Count", 1).await;
    for refused in [
        get(&mut other, &name).await.map(drop),
        other.wait_operation(wait(&name, Some(1))).await.map(drop),
        other.cancel_operation(cancel(&name)).await.map(drop),
        other.delete_operation(delete(&name)).await.map(drop),
    ] {
        assert_eq!(refused.expect_err("it is another's").code(), Code::NotFound);
    }
    assert!(other.list_operations(list("", 0, "")).await.expect("it lists").into_inner().operations.is_empty());
    let mine = own.list_operations(list("", 0, "")).await.expect("it lists").into_inner().operations;
    assert_eq!(mine.len(), 1);
    assert!(!progress(&mine[0]).cancel_requested);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_goes_page_by_page_and_its_tokens_serve_nobody_and_nothing_else(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    let tenant = TenantId::new();
    let mut client = ground.client(tenant, ALL);
    // First, for those that count wait at their first step, and keep the workers.
    let failed = ground.begin(tenant, "Fail", 0).await;
    waited(&mut client, &failed).await;
    let mut begun = Vec::new();
    for _ in 0..5 {
        begun.push(ground.begin(tenant, "Count", 1).await);
    }
    begun.reverse();
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let page = client.list_operations(list("done = false", 2, &token)).await.expect("a page").into_inner();
        assert!(page.operations.len() <= 2);
        found.extend(page.operations.into_iter().map(|operation| operation.name));
        if page.next_page_token.is_empty() {
            break;
        }
        token = page.next_page_token;
    }
    assert_eq!(found, begun);
    let page = client.list_operations(list("metadata.kind = \"Fail\" AND done = true", 0, "")).await.expect("a page");
    assert_eq!(page.into_inner().operations[0].name, failed);
    let page = client.list_operations(list("", 1, "")).await.expect("a page").into_inner();
    let foreign = ground.client(TenantId::new(), ALL).list_operations(list("", 1, &page.next_page_token)).await;
    assert_eq!(reason(foreign), "INVALID_PAGE_TOKEN");
    let other = client.list_operations(list("done = true", 1, &page.next_page_token)).await;
    assert_eq!(reason(other), "INVALID_PAGE_TOKEN");
    assert_eq!(reason(client.list_operations(list("name = 1", 1, "")).await), "INVALID_CONDITION");
    assert_eq!(reason(client.list_operations(list("", -1, "")).await), "INVALID_FIELD");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_read_looks_and_whoever_may_write_ends(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    let tenant = TenantId::new();
    let name = ground.begin(tenant, "Count", 1).await;
    let mut reader = ground.client(tenant, &["profiles:read", "metrics:admin"]);
    get(&mut reader, &name).await.expect("it may");
    reader.list_operations(list("", 0, "")).await.expect("it may");
    reader.wait_operation(wait(&name, Some(1))).await.expect("it may");
    for refused in
        [reader.cancel_operation(cancel(&name)).await.map(drop), reader.delete_operation(delete(&name)).await.map(drop)]
    {
        assert_eq!(reason(refused), "MISSING_SCOPE");
    }
    let mut stranger = ground.client(tenant, &["metrics:admin", "feedback:admin"]);
    for refused in [
        get(&mut stranger, &name).await.map(drop),
        stranger.list_operations(list("", 0, "")).await.map(drop),
        stranger.wait_operation(wait(&name, Some(1))).await.map(drop),
        stranger.cancel_operation(cancel(&name)).await.map(drop),
        stranger.delete_operation(delete(&name)).await.map(drop),
    ] {
        assert_eq!(reason(refused), "MISSING_SCOPE");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_are_none_or_of_another_service_are_refused() {
    let ground = Ground::new(Engine::Sqlite).await;
    let mut client = ground.client(TenantId::new(), ALL);
    let id = OperationId::new();
    for wrong in [String::new(), "profiles".to_owned(), format!("operations/{id}"), "profiles/operations/7".to_owned()]
    {
        assert_eq!(reason(get(&mut client, &wrong).await), "INVALID_FIELD", "{wrong}");
    }
    for absent in [format!("feedback/operations/{id}"), format!("profiles/operations/{id}")] {
        assert_eq!(reason(get(&mut client, &absent).await), "RESOURCE_NOT_FOUND", "{absent}");
    }
    let elsewhere = ListOperationsRequest { name: "feedback".to_owned(), ..list("", 0, "") };
    assert_eq!(reason(client.list_operations(elsewhere).await), "RESOURCE_NOT_FOUND");
    let nowhere = ListOperationsRequest { name: String::new(), ..list("", 0, "") };
    assert_eq!(reason(client.list_operations(nowhere).await), "INVALID_FIELD");
    let partial = ListOperationsRequest { return_partial_success: true, ..list("", 0, "") };
    assert_eq!(reason(client.list_operations(partial).await), "INVALID_FIELD");
    let request = GetOperationRequest { name: "profiles/operations/\0".to_owned() };
    assert_eq!(reason(client.get_operation(request).await), "INVALID_FIELD");
}
