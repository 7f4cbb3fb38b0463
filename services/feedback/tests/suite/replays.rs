//! A replay: who knows nothing, or has lost what was known, is told all that stands.

use std::time::Duration;

use rapport_api::convert::timestamp;
use rapport_api::events::v1::event::Payload;
use rapport_api::feedback::v1::resolve_promise_request::Which;
use rapport_api::feedback::v1::{
    CreateImprovementRequest, DeleteTicketRequest, GetTicketRequest, Improvement, PromiseKey, PromiseResolution,
    ResolvePromiseRequest, TicketDeletionReason, TicketStatus,
};
use rapport_data::{DatabaseConfig, Engine};
use rapport_kernel::{Clock as _, TenantId};
use rapport_platform::config::Address;
use rstest::rstest;

use crate::desk::{key, minutes, pushed, ticket, tickets};
use crate::ground::{Ground, reason};
use crate::loops::{Told, expectations, follow_ups, improvements, make, promise, resolve, rule, submit, until};

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follow_ups_promises_improvements_and_tickets_are_told_again_as_they_stand(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut told = Told::of(&ground);
    let survey = ground.open(tenant).await;
    make(&ground, tenant, rule("Detractors", "response.kind == 'nps' && response.score <= 6")).await;
    let ((one, _), (two, _)) = (ground.profiles.customer(tenant), ground.profiles.customer(tenant));
    submit(&ground, tenant, &survey, &one, 1).await;
    until(&ground, tenant, "one is opened", |found| found.len() == 1).await;
    ground.clock.advance(Duration::from_secs(1));
    submit(&ground, tenant, &survey, &two, 2).await;
    let opened = until(&ground, tenant, "two are opened", |found| found.len() == 2).await;
    let resolved = follow_ups(&ground, tenant).resolve_follow_up(resolve(&opened[0], "late delivery")).await;
    let resolved = resolved.expect("resolved").into_inner();

    let mut promises = expectations(&ground, tenant);
    let open = promises.record_promise(promise(&ground, &one, "open", Some(600))).await.expect("given").into_inner();
    let due = promises.record_promise(promise(&ground, &two, "due", Some(60))).await.expect("given").into_inner();
    promises.record_promise(promise(&ground, &two, "kept", Some(60))).await.expect("given");
    let keep = ResolvePromiseRequest {
        resolution: PromiseResolution::Kept.into(),
        which: Some(Which::Key(PromiseKey { source: "desk".to_owned(), external_id: "kept".to_owned() })),
        ..ResolvePromiseRequest::default()
    };
    let kept = promises.resolve_promise(keep).await.expect("told").into_inner();
    ground.clock.advance(Duration::from_secs(61));
    let stands = |status: &'static str| move |payload: &Payload| matches!(payload, Payload::PromiseChanged(state) if state.status == status);
    told.until("promise", &due.promise_id, stands("broken")).await;

    let improvement = Improvement {
        title: "Two shifts".to_owned(),
        cause: "late delivery".to_owned(),
        department: "Logistics".to_owned(),
        target_metric: "nps".to_owned(),
        start_time: Some(timestamp(ground.clock.now())),
        ..Improvement::default()
    };
    let request = CreateImprovementRequest { improvement: Some(improvement), ..CreateImprovementRequest::default() };
    let made = improvements(&ground, tenant).create_improvement(request).await.expect("made").into_inner();

    let mut solved = ticket(&ground, "T-1", 1, 1, TicketStatus::Solved);
    (solved.customer, solved.topic) = (Some(one.clone()), "billing".to_owned());
    solved.create_time = Some(minutes(&ground, 0));
    let solved = pushed(&ground, tenant, solved).await;
    let mut again = ticket(&ground, "T-2", 1, 1, TicketStatus::Open);
    (again.customer, again.topic) = (Some(one), "billing".to_owned());
    let again = pushed(&ground, tenant, again).await;
    assert_eq!(again.issue_id, solved.issue_id);
    let spam = pushed(&ground, tenant, ticket(&ground, "T-3", 1, 1, TicketStatus::Open)).await;
    let delete = DeleteTicketRequest {
        ticket: Some(key("T-3")),
        reason: TicketDeletionReason::Spam.into(),
        ..DeleteTicketRequest::default()
    };
    tickets(&ground, tenant).delete_ticket(delete).await.expect("deleted");

    let newest: [(&str, &str, u64); 9] = [
        ("follow_up", &resolved.follow_up_id, resolved.revision),
        ("follow_up", &opened[1].follow_up_id, opened[1].revision),
        ("promise", &open.promise_id, open.revision),
        ("promise", &due.promise_id, due.revision + 1),
        ("promise", &kept.promise_id, kept.revision),
        ("improvement", &made.improvement_id, made.revision),
        ("ticket", &solved.ticket_id, solved.revision),
        ("ticket", &again.ticket_id, again.revision),
        ("ticket", &spam.ticket_id, spam.revision + 1),
    ];
    let mut before = Vec::new();
    for (kind, id, revision) in newest {
        before.push(told.as_of(kind, id, revision).await);
    }

    told.newest.clear();
    let database = DatabaseConfig {
        url: (engine == Engine::Postgres).then(|| Address::new(ground.url.clone())),
        folder: ground.folder.path().to_owned(),
        ..DatabaseConfig::default()
    };
    let count = rapport_feedback::replay(&ground.platform, rapport_feedback::Config { database }).await;
    assert_eq!(count.expect("it is told again"), 9 + 2, "and two responses");
    for (known, (kind, id, revision)) in before.iter().zip(newest) {
        let event = told.as_of(kind, id, revision).await;
        assert_eq!((&event.subject_id, &event.occurred_at), (&known.subject_id, &known.occurred_at), "{kind}");
        assert!(event.payload == known.payload, "{kind} {id}");
    }
    let get = GetTicketRequest { ticket: Some(key("T-3")) };
    assert_eq!(reason(tickets(&ground, tenant).get_ticket(get).await), "RESOURCE_NOT_FOUND");
}
