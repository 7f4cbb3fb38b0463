//! Promises are broken by the clock and mended by word; improvements are linked to the follow-ups that name their cause.

use std::time::Duration;

use rapport_api::convert::timestamp;
use rapport_api::events::v1::event::Payload;
use rapport_api::feedback::v1::resolve_promise_request::Which;
use rapport_api::feedback::v1::{
    CreateImprovementRequest, DeleteImprovementRequest, DeletePromiseRequest, GetImprovementRequest, GetPromiseRequest,
    Improvement, ImprovementStatus, ListFollowUpsRequest, ListImprovementsRequest, ListPromisesRequest, PromiseKey,
    PromiseResolution, PromiseStatus, RecordPromiseRequest, ResolvePromiseRequest, UpdateImprovementRequest,
};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, RequestId, TenantId};
use rstest::rstest;

use crate::ground::{Ground, fields, reason};
use crate::loops::{Told, expectations, follow_ups, improvements, list, make, promise, resolve, rule, submit, until};

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promise_is_broken_when_its_due_passes_and_mended_by_word_of_its_having_been_kept(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut told = Told::of(&ground);
    let (customer, subject) = ground.profiles.customer(tenant);
    let mut calls = expectations(&ground, tenant);
    let begun = ground.clock.now();
    let card = promise(&ground, &customer, "card", None);
    let card = RecordPromiseRequest { what: "refund to 4111 1111 1111 1111".to_owned(), ..card };
    let masked = calls.record_promise(card).await.expect("given").into_inner();
    assert_eq!(masked.what, "refund to [card]");
    let delete = DeletePromiseRequest { promise_id: masked.promise_id, ..DeletePromiseRequest::default() };
    calls.delete_promise(delete).await.expect("deleted");
    let record = RecordPromiseRequest { version: 2, ..promise(&ground, &customer, "p1", Some(600)) };
    let given = calls.record_promise(record.clone()).await.expect("given").into_inner();
    assert_eq!((given.status(), given.subject_id.clone()), (PromiseStatus::Open, subject.to_string()));
    let again = calls.record_promise(record.clone()).await.expect("known").into_inner();
    assert_eq!(again, given, "one record is one promise");
    let older = RecordPromiseRequest { version: 1, what: "something else".to_owned(), ..record };
    assert_eq!(calls.record_promise(older).await.expect("known").into_inner(), given);

    ground.clock.advance(Duration::from_secs(600));
    let id = given.promise_id.clone();
    let stands = |status: &'static str| move |payload: &Payload| matches!(payload, Payload::PromiseChanged(state) if state.status == status);
    let event = told.until("promise", &id, stands("broken")).await;
    assert_eq!((event.subject_id.clone(), event.revision), (subject.to_string(), 2));
    ground.clock.advance(Duration::from_secs(600));
    // What calls are proved by has a time.
    let mut calls = expectations(&ground, tenant);
    let kept = |seconds: u64| ResolvePromiseRequest {
        resolution: PromiseResolution::Kept.into(),
        resolve_time: Some(timestamp(begun.plus(Duration::from_secs(seconds)))),
        which: Some(Which::Key(PromiseKey { source: "desk".to_owned(), external_id: "p1".to_owned() })),
        ..ResolvePromiseRequest::default()
    };
    let late = calls.resolve_promise(kept(601)).await.expect("told").into_inner();
    assert_eq!(late.status(), PromiseStatus::Broken);
    let in_time = calls.resolve_promise(kept(600)).await.expect("told").into_inner();
    assert_eq!(in_time.status(), PromiseStatus::Kept);
    told.until("promise", &id, stands("kept")).await;
    let open = ListPromisesRequest { statuses: vec![PromiseStatus::Open.into()], ..ListPromisesRequest::default() };
    assert!(calls.list_promises(open).await.expect("a list").into_inner().promises.is_empty());
    let theirs = ListPromisesRequest { customer: Some(customer.clone()), ..ListPromisesRequest::default() };
    assert_eq!(calls.list_promises(theirs).await.expect("a list").into_inner().promises, [in_time]);

    let delete = DeletePromiseRequest { promise_id: id.clone(), ..DeletePromiseRequest::default() };
    calls.delete_promise(delete).await.expect("deleted");
    told.until("promise", &id, |payload| matches!(payload, Payload::PromiseChanged(state) if state.deleted)).await;
    assert_eq!(reason(calls.get_promise(GetPromiseRequest { promise_id: id }).await), "RESOURCE_NOT_FOUND");
    let again = calls.record_promise(promise(&ground, &customer, "p1", None)).await;
    assert_eq!(reason(again), "RESOURCE_EXISTS");
    let wrong = RecordPromiseRequest {
        promise_time: Some(timestamp(ground.clock.now())),
        due: Some(timestamp(begun)),
        what: " ".to_owned(),
        source: "No Such".to_owned(),
        ..promise(&ground, &customer, "", None)
    };
    let mut named = fields(calls.record_promise(wrong).await);
    named.sort();
    assert_eq!(named, ["due", "source", "what"]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_improvement_knows_the_follow_ups_that_named_its_cause(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut told = Told::of(&ground);
    let survey = ground.open(tenant).await;
    make(&ground, tenant, rule("Low", "response.score <= 6")).await;
    for _ in 0..3 {
        let (customer, _) = ground.profiles.customer(tenant);
        submit(&ground, tenant, &survey, &customer, 1).await;
    }
    let found = until(&ground, tenant, "three", |found| found.len() == 3).await;
    for (one, cause) in found.iter().zip(["Late delivery", " LATE DELIVERY", "price"]) {
        follow_ups(&ground, tenant).resolve_follow_up(resolve(one, cause)).await.expect("resolved");
        ground.clock.advance(Duration::from_secs(100));
    }
    let mut calls = improvements(&ground, tenant);
    let improvement = Improvement {
        title: "Two shifts".to_owned(),
        cause: "late delivery".to_owned(),
        department: "Logistics".to_owned(),
        target_metric: "nps".to_owned(),
        start_time: Some(timestamp(ground.clock.now().minus(Duration::from_secs(250)))),
        ..Improvement::default()
    };
    let request_id = RequestId::new().to_string();
    let request = CreateImprovementRequest { request_id, improvement: Some(improvement) };
    let made = calls.create_improvement(request.clone()).await.expect("made").into_inner();
    assert_eq!(calls.create_improvement(request).await.expect("made once").into_inner(), made);
    assert_eq!((made.status(), made.follow_ups, made.follow_ups_after_start), (ImprovementStatus::Proposed, 2, 1));
    let improvement_id = made.improvement_id.clone();
    let of = ListFollowUpsRequest { improvement_id: improvement_id.clone(), ..ListFollowUpsRequest::default() };
    assert_eq!(list(&ground, tenant, of).await.len(), 2);

    let change = Improvement {
        improvement_id: improvement_id.clone(),
        etag: made.etag.clone(),
        status: ImprovementStatus::Done.into(),
        ..Improvement::default()
    };
    let request = UpdateImprovementRequest {
        improvement: Some(change),
        update_mask: Some(prost_types::FieldMask { paths: vec!["status".to_owned()] }),
        ..UpdateImprovementRequest::default()
    };
    let done = calls.update_improvement(request.clone()).await.expect("changed").into_inner();
    assert_eq!((done.status(), done.title.as_str(), done.revision), (ImprovementStatus::Done, "Two shifts", 2));
    assert_eq!(reason(calls.update_improvement(request).await), "STALE_ETAG");
    let event = told
        .until(
            "improvement",
            &improvement_id,
            |payload| matches!(payload, Payload::ImprovementChanged(state) if state.status == "done"),
        )
        .await;
    assert_eq!(event.subject_id, tenant.to_string(), "it is about nobody");
    let of_department = |department: &str| ListImprovementsRequest {
        department: department.to_owned(),
        ..ListImprovementsRequest::default()
    };
    let listed = calls.list_improvements(of_department("Logistics")).await.expect("a list").into_inner();
    assert_eq!(listed.improvements, [done]);
    assert!(
        calls.list_improvements(of_department("Sales")).await.expect("a list").into_inner().improvements.is_empty()
    );
    let delete =
        DeleteImprovementRequest { improvement_id: improvement_id.clone(), ..DeleteImprovementRequest::default() };
    calls.delete_improvement(delete).await.expect("deleted");
    let gone = calls.get_improvement(GetImprovementRequest { improvement_id }).await;
    assert_eq!(reason(gone), "RESOURCE_NOT_FOUND");
}
