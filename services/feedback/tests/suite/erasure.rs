//! Erasure: what subjects said is gone, for good.

use std::time::Duration;

use rapport_api::common::v1::EraseSubjectsRequest;
use rapport_api::convert::timestamp;
use rapport_api::feedback::v1::{
    DeleteResponseRequest, GetResponseRequest, SubmitResponseRequest, UpdateResponseRequest,
};
use rapport_data::Engine;
use rapport_harness::{Statements, scans, shared_postgres};
use rapport_kernel::{Clock as _, RequestId, SubjectId, TenantId};
use rstest::rstest;

use crate::ground::{Ground, answer, reason};

fn erase(ground: &Ground, subject: SubjectId) -> EraseSubjectsRequest {
    let requested_at = Some(timestamp(ground.clock.now()));
    let erasure_id = RequestId::new().to_string();
    EraseSubjectsRequest { erasure_id, subject_ids: vec![subject.to_string()], requested_at }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_subject_said_is_gone_and_nothing_new_is_taken_of_it(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    let ((customer, subject), (neighbour, _)) = (ground.profiles.customer(tenant), ground.profiles.customer(tenant));
    let submit = |customer| {
        let request_id = RequestId::new().to_string();
        SubmitResponseRequest { request_id, customer: Some(customer), ..answer(&survey, 4) }
    };
    let (mut responses, mut reader) = (ground.responses(tenant), ground.reader());
    let first = submit(customer.clone());
    let gone = responses.submit_response(first.clone()).await.expect("taken").into_inner();
    responses.submit_response(submit(customer.clone())).await.expect("taken");
    let kept = responses.submit_response(submit(neighbour)).await.expect("taken").into_inner();
    // They are on the bus, and nobody has read them yet: the bus is not clear.
    let mut erasures = ground.erasures(tenant);
    tokio::time::sleep(Duration::from_millis(400)).await;
    let erased = erasures.erase_subjects(erase(&ground, subject)).await.expect("erased").into_inner();
    assert_eq!((erased.deleted_rows, erased.bus_clear), (2, false));
    assert_eq!(reason(responses.submit_response(submit(customer.clone())).await), "ERASED");
    assert_eq!(reason(responses.submit_response(first).await), "ERASED", "the stored answer is gone as well");
    let get = |response_id| GetResponseRequest { response_id };
    assert_eq!(reason(responses.get_response(get(gone.response_id)).await), "RESOURCE_NOT_FOUND");
    assert!(responses.get_response(get(kept.response_id)).await.is_ok());

    reader.next(3).await;
    let mut last = None;
    for _ in 0..400 {
        last = Some(erasures.erase_subjects(erase(&ground, subject)).await.expect("harmless").into_inner());
        if last.as_ref().is_some_and(|last| last.bus_clear) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let last = last.expect("it was asked");
    assert_eq!((last.deleted_rows, last.bus_clear), (0, true), "all groups have read on, so the bus let go");
}

#[tokio::test]
async fn an_erasure_reads_no_whole_table() {
    let (ground, tenant) = (Ground::new(Engine::Sqlite).await, TenantId::new());
    let survey = ground.open(tenant).await;
    let (customer, subject) = ground.profiles.customer(tenant);
    let taken = SubmitResponseRequest { customer: Some(customer), ..answer(&survey, 4) };
    ground.responses(tenant).submit_response(taken).await.expect("taken");
    let said = Statements::listen();
    ground.erasures(tenant).erase_subjects(erase(&ground, subject)).await.expect("erased");
    let said = said.take();
    assert!(said.iter().any(|text| text.contains("response")), "{said:#?}");
    let small = [
        "relay",
        "lease",
        "known_tenant",
        "outbox_pending",
        "batch",
        "numbered",
        "oldest",
        "json_each",
        "sla_version",
        "follow_up_version",
        "follow_up_rule",
        "follow_up_resolved",
        "topic_version",
        "operation",
    ];
    let found = scans(&ground.folder.path().join("feedback.db"), &said, &small).await;
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_corrected_or_withdrawn_while_it_is_erased_leaves_no_event() {
    let (ground, tenant) = (Ground::new(Engine::Postgres).await, TenantId::new());
    let survey = ground.open(tenant).await;
    for _ in 0..10 {
        let (customer, subject) = ground.profiles.customer(tenant);
        let mut changes = Vec::new();
        for n in 0..10 {
            let taken = SubmitResponseRequest { customer: Some(customer.clone()), ..answer(&survey, 4) };
            let taken = ground.responses(tenant).submit_response(taken).await.expect("taken").into_inner();
            let (mut responses, response_id) = (ground.responses(tenant), taken.response_id);
            changes.push(async move {
                if n % 2 == 0 {
                    let delete = DeleteResponseRequest { response_id, ..DeleteResponseRequest::default() };
                    responses.delete_response(delete).await.map(drop)
                } else {
                    let update =
                        UpdateResponseRequest { response_id, score: Some(9), ..UpdateResponseRequest::default() };
                    responses.update_response(update).await.map(drop)
                }
            });
        }
        let mut erasures = ground.erasures(tenant);
        let (changed, erased) =
            tokio::join!(futures::future::join_all(changes), erasures.erase_subjects(erase(&ground, subject)));
        erased.expect("erased");
        for refused in changed.into_iter().filter_map(Result::err) {
            assert_eq!(refused.code(), tonic::Code::NotFound, "{refused:?}");
        }
        for table in ["response", "outbox"] {
            let left = format!("SELECT count(*) FROM {table} WHERE subject_id = '{subject}'");
            assert_eq!(shared_postgres().execute(&ground.url, &left), "0", "{table}");
        }
    }
}
