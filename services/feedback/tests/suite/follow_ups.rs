//! Follow-ups: rules open them, people work on them, the clock escalates them.

use std::collections::BTreeSet;
use std::time::Duration;

use rapport_api::common::v1::EraseSubjectsRequest;
use rapport_api::convert::timestamp;
use rapport_api::events::v1::event::Payload;
use rapport_api::feedback::v1::{
    AssignFollowUpRequest, CancelFollowUpRequest, CommentFollowUpRequest, CreateFollowUpRequest,
    CreateFollowUpRuleRequest, DeleteFollowUpRuleRequest, DeleteResponseRequest, FollowUpAssignment,
    FollowUpCancellation, FollowUpEventType, FollowUpHelp, FollowUpKind, FollowUpOutcome, FollowUpPriority,
    FollowUpStatus, ListFollowUpsRequest, PushTicketRequest, ReopenFollowUpRequest, StartFollowUpRequest,
    SubmitResponseRequest, Ticket, TicketKind, TicketStatus, UpdateFollowUpRuleRequest, UpdateResponseRequest,
    WatchFollowUpsRequest,
};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, RequestId, SubjectId, TenantId};
use rstest::rstest;

use crate::desk::{get as ticket_of, pushed, ticket};
use crate::ground::{Ground, Known, answer, by_id, fields, reason};
use crate::loops::{
    HOUR, Told, follow_ups, get, history, length, list, make, promise, resolve, rule, step, submit, until,
};

const DETRACTOR: &str = "response.kind == 'nps' && response.score <= 6";

async fn correct(ground: &Ground, tenant: TenantId, response: &str, score: i32) {
    let response_id = response.to_owned();
    let request = UpdateResponseRequest { response_id, score: Some(score), ..UpdateResponseRequest::default() };
    ground.responses(tenant).update_response(request).await.expect("corrected");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_opens_one_follow_up_for_a_customer_and_what_follows_is_added_until_it_is_withdrawn(
    #[case] engine: Engine,
) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    let owners = vec!["anna".to_owned(), "ben".to_owned()];
    let assignments = vec![FollowUpAssignment { owners, team: "care".to_owned(), ..FollowUpAssignment::default() }];
    let made = make(&ground, tenant, rule("Detractors", DETRACTOR)).await;
    let update = UpdateFollowUpRuleRequest {
        rule: Some(rapport_api::feedback::v1::FollowUpRule { assignments, ..made.clone() }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["assignments".to_owned()] }),
        ..UpdateFollowUpRuleRequest::default()
    };
    follow_ups(&ground, tenant).update_follow_up_rule(update).await.expect("changed");
    let ((customer, subject), (other, _)) = (ground.profiles.customer(tenant), ground.profiles.customer(tenant));
    let first = submit(&ground, tenant, &survey, &customer, 2).await;
    let found = until(&ground, tenant, "one is opened", |found| found.len() == 1).await;
    let one = &found[0];
    assert_eq!((one.owner.as_str(), one.team.as_str()), ("anna", "care"));
    assert_eq!(
        (one.status(), one.kind(), one.subject_id.clone()),
        (FollowUpStatus::Open, FollowUpKind::Recovery, subject.to_string())
    );
    assert_eq!(one.score_before.as_ref().map(|score| (score.score, score.scale_max)), Some((2, 10)));
    assert_eq!(one.customer.as_ref(), Some(&customer));

    submit(&ground, tenant, &survey, &other, 9).await;
    let second = submit(&ground, tenant, &survey, &customer, 5).await;
    let found = until(&ground, tenant, "the second is added", |found| found[0].causes.len() == 2).await;
    assert_eq!(found.len(), 1, "a promoter is none, and a customer has one");
    submit(&ground, tenant, &survey, &other, 0).await;
    let found = until(&ground, tenant, "another customer's", |found| found.len() == 2).await;
    assert!(found.iter().any(|one| one.owner == "ben"), "they take turns");
    let theirs = ListFollowUpsRequest { customer: Some(customer.clone()), ..ListFollowUpsRequest::default() };
    assert_eq!(list(&ground, tenant, theirs).await.len(), 1);
    let of_cause = ListFollowUpsRequest { cause_id: second.clone(), ..ListFollowUpsRequest::default() };
    assert_eq!(list(&ground, tenant, of_cause).await[0].subject_id, subject.to_string());

    correct(&ground, tenant, &first, 8).await;
    until(&ground, tenant, "one cause is withdrawn", |found| {
        found.iter().any(|one| one.causes.len() == 1 && one.causes[0].cause_id == second)
    })
    .await;
    let delete = DeleteResponseRequest { response_id: second.clone(), ..DeleteResponseRequest::default() };
    ground.responses(tenant).delete_response(delete).await.expect("deleted");
    let found = until(&ground, tenant, "no cause is left", |found| {
        found.iter().any(|one| one.status() == FollowUpStatus::Cancelled)
    })
    .await;
    let over = found.iter().find(|one| one.status() == FollowUpStatus::Cancelled).expect("one");
    assert_eq!((over.cancellation(), over.causes.len()), (FollowUpCancellation::CauseWithdrawn, 0));
    correct(&ground, tenant, &first, 1).await;
    let found = until(&ground, tenant, "it is as bad as it was", |found| found.len() == 3).await;
    assert_eq!(found[2].causes[0].cause_id, first);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_worked_on_resolved_and_linked_to_the_next_score(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut told = Told::of(&ground);
    let survey = ground.open(tenant).await;
    make(&ground, tenant, rule("Detractors", DETRACTOR)).await;
    let (customer, _) = ground.profiles.customer(tenant);
    let mut calls = follow_ups(&ground, tenant);
    let mut watcher = follow_ups(&ground, tenant);
    let mut watch = watcher.watch_follow_ups(WatchFollowUpsRequest::default()).await.expect("watching").into_inner();
    submit(&ground, tenant, &survey, &customer, 3).await;
    let one = until(&ground, tenant, "it is opened", |found| found.len() == 1).await.remove(0);
    let seen = loop {
        let message = watch.message().await.expect("no error").expect("it goes on");
        if let Some(change) = message.change {
            break change;
        }
    };
    assert_eq!((&seen.follow_up_id, seen.revision), (&one.follow_up_id, 1));

    let assign = AssignFollowUpRequest {
        follow_up_id: one.follow_up_id.clone(),
        owner: Some("carl".to_owned()),
        priority: FollowUpPriority::High.into(),
        etag: one.etag.clone(),
        ..AssignFollowUpRequest::default()
    };
    let assigned = calls.assign_follow_up(assign.clone()).await.expect("assigned").into_inner();
    assert_eq!((assigned.owner.as_str(), assigned.priority()), ("carl", FollowUpPriority::High));
    assert_eq!(reason(calls.assign_follow_up(assign).await), "STALE_ETAG");
    let start = StartFollowUpRequest { follow_up_id: one.follow_up_id.clone(), ..StartFollowUpRequest::default() };
    let started = calls.start_follow_up(start).await.expect("begun").into_inner();
    assert_eq!(started.status(), FollowUpStatus::InProgress);
    let comment = CommentFollowUpRequest {
        request_id: RequestId::new().to_string(),
        follow_up_id: one.follow_up_id.clone(),
        text: "called, nobody there".to_owned(),
        ..CommentFollowUpRequest::default()
    };
    calls.comment_follow_up(comment.clone()).await.expect("said");
    let again = calls.comment_follow_up(comment).await.expect("said once").into_inner();
    assert_eq!(again.comments, 1);
    let resolved = calls.resolve_follow_up(resolve(&one, "Late delivery")).await.expect("resolved").into_inner();
    assert_eq!((resolved.status(), resolved.outcome()), (FollowUpStatus::Resolved, FollowUpOutcome::Recovered));
    assert_eq!(reason(calls.resolve_follow_up(resolve(&one, "")).await), "INVALID_STATE");

    ground.clock.advance(Duration::from_secs(60));
    let next = submit(&ground, tenant, &survey, &customer, 9).await;
    let scored = |value: Option<i32>| {
        move |found: &[rapport_api::feedback::v1::FollowUp]| {
            found[0].score_after.as_ref().map(|score| score.score) == value
        }
    };
    let found = until(&ground, tenant, "the next score is linked", scored(Some(9))).await;
    assert_eq!(found[0].help(), FollowUpHelp::Better);
    ground.clock.advance(Duration::from_secs(60));
    submit(&ground, tenant, &survey, &customer, 7).await;
    correct(&ground, tenant, &next, 8).await;
    until(&ground, tenant, "it is corrected, and stays the next", scored(Some(8))).await;
    let delete = DeleteResponseRequest { response_id: next, ..DeleteResponseRequest::default() };
    ground.responses(tenant).delete_response(delete).await.expect("deleted");
    until(&ground, tenant, "the one after it is the next now", scored(Some(7))).await;

    let event = told
        .until(
            "follow_up",
            &one.follow_up_id,
            |payload| matches!(payload, Payload::FollowUpChanged(state) if state.score_after == Some(7)),
        )
        .await;
    let Some(Payload::FollowUpChanged(state)) = event.payload else { panic!("a follow-up") };
    assert_eq!((state.status.as_str(), state.outcome.as_str()), ("resolved", "recovered"));
    assert_eq!(
        (state.root_cause.as_str(), state.owner.as_str(), state.score_before),
        ("Late delivery", "carl", Some(3))
    );
    assert_eq!(
        (state.cause_type.as_str(), state.dimensions.get("region").map(String::as_str)),
        ("response", Some("north"))
    );
    let kinds = history(&ground, tenant, &one).await;
    let first: Vec<i32> = [
        FollowUpEventType::Opened,
        FollowUpEventType::Assigned,
        FollowUpEventType::Started,
        FollowUpEventType::Commented,
        FollowUpEventType::Resolved,
        FollowUpEventType::Scored,
    ]
    .map(i32::from)
    .to_vec();
    assert_eq!(kinds[..6], first);
    // What calls are proved by has a time.
    let mut calls = follow_ups(&ground, tenant);
    let late = AssignFollowUpRequest {
        follow_up_id: one.follow_up_id.clone(),
        owner: Some(String::new()),
        ..AssignFollowUpRequest::default()
    };
    assert_eq!(reason(calls.assign_follow_up(late).await), "INVALID_STATE");
    let reopen = ReopenFollowUpRequest { follow_up_id: one.follow_up_id.clone(), ..ReopenFollowUpRequest::default() };
    let reopened = calls.reopen_follow_up(reopen).await.expect("open again").into_inner();
    assert_eq!((reopened.status(), reopened.reopens, reopened.score_after), (FollowUpStatus::Open, 1, None));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_resolves_is_escalated_at_its_instants(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    let mut with_chain = rule("Detractors", DETRACTOR);
    with_chain.escalations = vec![step(0, "lead"), step(2 * HOUR, "head")];
    make(&ground, tenant, with_chain).await;
    let (customer, _) = ground.profiles.customer(tenant);
    submit(&ground, tenant, &survey, &customer, 0).await;
    let one = until(&ground, tenant, "it is opened", |found| found.len() == 1).await.remove(0);
    assert_eq!((one.overdue, one.escalations, one.escalate_time), (false, 0, one.due_time));
    ground.clock.advance(Duration::from_secs(3_599));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(get(&ground, tenant, &one).await.revision, 1, "not yet");
    ground.clock.advance(Duration::from_secs(1));
    let late = until(&ground, tenant, "it is overdue", |found| found[0].overdue).await.remove(0);
    assert_eq!((late.escalations, late.owner.as_str()), (1, "lead"));
    ground.clock.advance(Duration::from_secs(7_200));
    let later = until(&ground, tenant, "the next step", |found| found[0].escalations == 2).await.remove(0);
    assert_eq!((later.owner.as_str(), later.escalate_time), ("head", None));
    let overdue = ListFollowUpsRequest { overdue: Some(true), ..ListFollowUpsRequest::default() };
    assert_eq!(list(&ground, tenant, overdue).await.len(), 1);
    let cancel = CancelFollowUpRequest {
        follow_up_id: one.follow_up_id.clone(),
        note: "a test".to_owned(),
        ..CancelFollowUpRequest::default()
    };
    let cancelled = follow_ups(&ground, tenant).cancel_follow_up(cancel).await.expect("cancelled").into_inner();
    assert_eq!(cancelled.cancellation(), FollowUpCancellation::ByHand);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_and_broken_promises_open_them_and_a_ticket_that_is_solved_withdraws_nothing(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    make(&ground, tenant, rule("Complaints", "ticket.kind == 'complaint' && ticket.status == 'open'")).await;
    let mut praise = rule("Promises", "promise.status == 'broken' && customer.traits.tier == 'gold'");
    praise.priority = FollowUpPriority::Urgent.into();
    make(&ground, tenant, praise).await;
    let customer = ground.profiles.customer_with(tenant, "tier", "gold");
    let complaint = Ticket {
        kind: TicketKind::Complaint.into(),
        customer: Some(customer.clone()),
        ..ticket(&ground, "1", 1, 0, TicketStatus::Open)
    };
    let held = pushed(&ground, tenant, complaint.clone()).await;
    let found = until(&ground, tenant, "a complaint", |found| found.len() == 1).await;
    assert_eq!(found[0].causes[0].cause_id, held.ticket_id);
    pushed(&ground, tenant, ticket(&ground, "1", 2, 0, TicketStatus::Solved)).await;
    assert_eq!(ticket_of(&ground, tenant, "1").await.status(), TicketStatus::Solved);

    let mut promises = crate::loops::expectations(&ground, tenant);
    let given = promises.record_promise(promise(&ground, &customer, "p", Some(60))).await.expect("given").into_inner();
    ground.clock.advance(Duration::from_secs(60));
    let found = until(&ground, tenant, "a broken promise", |found| found.len() == 2).await;
    assert_eq!(found[0].status(), FollowUpStatus::Open, "that it was solved is no correction");
    assert_eq!((found[1].priority(), &found[1].causes[0].cause_id), (FollowUpPriority::Urgent, &given.promise_id));

    let question = Ticket { kind: TicketKind::Question.into(), ..ticket(&ground, "1", 3, 1, TicketStatus::Solved) };
    let request = PushTicketRequest { ticket: Some(question), ..PushTicketRequest::default() };
    crate::desk::tickets(&ground, tenant).push_ticket(request).await.expect("corrected");
    until(&ground, tenant, "it was no complaint", |found| found[0].status() == FollowUpStatus::Cancelled).await;
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tests_partials_and_the_past_open_nothing_and_an_anonymous_one_stays_so(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    let (customer, _) = ground.profiles.customer(tenant);
    let customer = Some(customer);
    let bad = || SubmitResponseRequest { customer: customer.clone(), ..answer(&survey, 0) };
    let mut responses = ground.responses(tenant);
    responses.submit_response(bad()).await.expect("before there is a rule");
    ground.clock.advance(Duration::from_secs(1));
    make(&ground, tenant, rule("Detractors", DETRACTOR)).await;
    responses.submit_response(SubmitResponseRequest { is_test: true, ..bad() }).await.expect("a test");
    responses.submit_response(SubmitResponseRequest { partial: true, ..bad() }).await.expect("a partial one");
    let past = ground.clock.now().minus(Duration::from_secs(31 * 24 * 3_600));
    responses
        .submit_response(SubmitResponseRequest { answered_at: Some(timestamp(past)), ..bad() })
        .await
        .expect("of last month");
    responses.submit_response(answer(&survey, 1)).await.expect("nobody's");
    let found = until(&ground, tenant, "nobody's is opened", |found| !found.is_empty()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(list(&ground, tenant, ListFollowUpsRequest::default()).await.len(), 1);
    assert_eq!((found[0].customer.clone(), found[0].causes[0].score), (None, Some(1)));

    // Of an anonymous survey no more is kept than the hour: what is told in that of the rule, after it, is heard all the same.
    let survey = ground
        .open_of(tenant, rapport_api::feedback::v1::Survey { anonymous: true, survey_id: String::new(), ..survey })
        .await;
    responses.submit_response(answer(&survey, 2)).await.expect("an anonymous one");
    until(&ground, tenant, "it is heard within the hour", |found| found.len() == 2).await;
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_whatever_order_the_same_happens_the_same_is_followed_up(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    let mut all = Vec::new();
    for turn in 0..3_u32 {
        let tenant = TenantId::new();
        let survey = ground.open(tenant).await;
        make(&ground, tenant, rule("Low", "response.score <= 6")).await;
        make(&ground, tenant, rule("Lowest", "response.score <= 2 && customer.traits.tier == 'gold'")).await;
        let mut customers = Vec::new();
        for _ in 0..4 {
            // Two records each: what is said of either is said of the customer.
            let subjects = [SubjectId::new(), SubjectId::new()];
            let text = rapport_api::common::v1::value::Kind::TextValue("gold".to_owned());
            let gold = rapport_api::common::v1::Value { kind: Some(text) };
            let traits: std::collections::BTreeMap<_, _> = [("tier".to_owned(), gold)].into();
            for subject in subjects {
                let known = Known { subject, subjects: subjects.to_vec(), traits: traits.clone(), ..Known::default() };
                ground.profiles.tell(tenant, &by_id(subject), known);
            }
            customers.push(subjects);
        }
        let mut said: Vec<(usize, usize, i32)> = (0..4)
            .flat_map(|customer| [(customer, 0, 1), (customer, 1, 5), (customer, 0, 9), (customer, 1, 2)])
            .collect();
        let shift = 5 * usize::try_from(turn).expect("small");
        let places = said.len();
        said.rotate_left(shift % places);
        if turn % 2 == 1 {
            said.reverse();
        }
        for (customer, record, score) in &said {
            submit(&ground, tenant, &survey, &by_id(customers[*customer][*record]), *score).await;
        }
        // Of each customer one by each rule: with three causes, and with two.
        let found = until(&ground, tenant, "all is followed up", |found| {
            found.len() == 8 && found.iter().map(|one| one.causes.len()).sum::<usize>() == 20
        })
        .await;
        let mut shape: Vec<(usize, bool, Vec<i32>)> = found
            .iter()
            .map(|one| {
                let subject: SubjectId = one.subject_id.parse().expect("an id");
                let customer = customers.iter().position(|subjects| subjects.contains(&subject)).expect("theirs");
                let mut scores: Vec<i32> = one.causes.iter().filter_map(|cause| cause.score).collect();
                scores.sort_unstable();
                (customer, one.causes.len() == 2, scores)
            })
            .collect();
        shape.sort();
        all.push(shape);
    }
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 1);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_who_was_erased_is_followed_up(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    make(&ground, tenant, rule("Detractors", DETRACTOR)).await;
    let (customer, subject) = ground.profiles.customer(tenant);
    submit(&ground, tenant, &survey, &customer, 0).await;
    let one = until(&ground, tenant, "it is opened", |found| found.len() == 1).await.remove(0);
    let given = promise(&ground, &customer, "p", Some(60));
    crate::loops::expectations(&ground, tenant).record_promise(given.clone()).await.expect("given");
    let request = EraseSubjectsRequest {
        erasure_id: RequestId::new().to_string(),
        subject_ids: vec![subject.to_string()],
        requested_at: Some(timestamp(ground.clock.now())),
    };
    ground.erasures(tenant).erase_subjects(request).await.expect("forgotten");
    assert!(list(&ground, tenant, ListFollowUpsRequest::default()).await.is_empty());
    assert_eq!(reason(follow_ups(&ground, tenant).resolve_follow_up(resolve(&one, "")).await), "RESOURCE_NOT_FOUND");
    let late = crate::loops::expectations(&ground, tenant).record_promise(given).await;
    assert_eq!(reason(late), "ERASED");
    ground.clock.advance(Duration::from_secs(7_200));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(list(&ground, tenant, ListFollowUpsRequest::default()).await.is_empty());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_are_checked_when_they_are_saved_and_what_is_opened_by_hand_is_like_the_others(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut calls = follow_ups(&ground, tenant);
    let create = |rule| CreateFollowUpRuleRequest { rule: Some(rule), ..CreateFollowUpRuleRequest::default() };
    let mut wrong = rule(" ", "response.score <= 'x'");
    wrong.due_in = length(0);
    wrong.escalations = vec![step(5, "a"), step(4, "b")];
    wrong.assignments = vec![FollowUpAssignment { condition: "now".to_owned(), ..FollowUpAssignment::default() }];
    let named: BTreeSet<String> = fields(calls.create_follow_up_rule(create(wrong)).await).into_iter().collect();
    let expected =
        ["rule.name", "rule.condition", "rule.due_in", "rule.escalations[1].after", "rule.assignments[0].condition"];
    assert_eq!(named, expected.map(str::to_owned).into());
    let bad = calls.create_follow_up_rule(create(rule("x", "nothing.like.it"))).await;
    assert_eq!(reason(bad), "INVALID_CONDITION");
    let made = make(&ground, tenant, rule("one", "true")).await;
    assert_eq!(reason(calls.create_follow_up_rule(create(rule("one", "true"))).await), "RESOURCE_EXISTS");
    let lost =
        rapport_api::feedback::v1::FollowUpRule { calendar_id: RequestId::new().to_string(), ..rule("two", "true") };
    assert_eq!(reason(calls.create_follow_up_rule(create(lost)).await), "RESOURCE_NOT_FOUND");
    let delete = DeleteFollowUpRuleRequest { rule_id: made.rule_id, ..DeleteFollowUpRuleRequest::default() };
    calls.delete_follow_up_rule(delete).await.expect("deleted");

    let (customer, _) = ground.profiles.customer(tenant);
    let due = timestamp(ground.clock.now().plus(Duration::from_secs(90)));
    let manual = CreateFollowUpRequest {
        customer: Some(customer),
        kind: FollowUpKind::Praise.into(),
        title: "thank them".to_owned(),
        due_time: Some(due),
        ..CreateFollowUpRequest::default()
    };
    let opened = calls.create_follow_up(manual).await.expect("opened").into_inner();
    assert_eq!((opened.rule_id.as_str(), opened.kind(), opened.due_time), ("", FollowUpKind::Praise, Some(due)));
    ground.clock.advance(Duration::from_secs(90));
    until(&ground, tenant, "it is due", |found| found[0].overdue).await;
}
