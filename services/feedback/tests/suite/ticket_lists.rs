//! Lists and watches of tickets; what an erasure leaves of them; telling them again.

use std::collections::BTreeSet;

use rapport_api::common::v1::EraseSubjectsRequest;
use rapport_api::convert::timestamp;
use rapport_api::feedback::v1::{
    DeleteTicketRequest, GetTicketRequest, ListTicketsRequest, MergeTicketsRequest, PushOutcome, Ticket, TicketAuthor,
    TicketDeletionReason, TicketKind, TicketStatus, WatchTicketsRequest,
};
use rapport_data::{DatabaseConfig, Engine};
use rapport_harness::{Statements, scans};
use rapport_kernel::{Clock as _, RequestId, SubjectId, TenantId};
use rapport_platform::config::Address;
use rstest::rstest;

use crate::desk::{Told, go_to, key, message, minutes, push, pushed, say, ticket, tickets};
use crate::ground::{Ground, Known, by_id, fields, reason};

async fn names(ground: &Ground, tenant: TenantId, mut request: ListTicketsRequest) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let page = tickets(ground, tenant).list_tickets(request.clone()).await.expect("a page").into_inner();
        names.extend(page.tickets.into_iter().map(|ticket| ticket.external_id));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return names;
        }
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_keep_their_order_over_pages_and_let_through_what_is_asked_for(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    go_to(&ground, 1_000);
    let (one, subject) = ground.profiles.customer(tenant);
    for n in 0..7 {
        let status = if n % 2 == 0 { TicketStatus::Open } else { TicketStatus::Solved };
        let told = ticket(&ground, &format!("T-{n}"), 1, n / 3, status);
        let kind = if n == 4 { TicketKind::Complaint } else { TicketKind::Question };
        let agent = if n < 3 { "anna".to_owned() } else { String::new() };
        let customer = (n == 5).then(|| one.clone());
        pushed(&ground, tenant, Ticket { kind: kind.into(), agent, customer, ..told }).await;
    }
    let all = |order_by: &str| ListTicketsRequest {
        order_by: order_by.to_owned(),
        page_size: 2,
        ..ListTicketsRequest::default()
    };
    let newest = names(&ground, tenant, all("")).await;
    assert_eq!((newest[0].as_str(), newest.len()), ("T-6", 7));
    let mut oldest = names(&ground, tenant, all("create_time")).await;
    oldest.reverse();
    assert_eq!(newest, oldest, "ties included");
    assert_eq!(names(&ground, tenant, all("change_time")).await.len(), 7);
    assert!(names(&ground, tenant, all("due_time")).await.is_empty(), "nothing is due");
    assert_eq!(fields(tickets(&ground, tenant).list_tickets(all("priority")).await), ["order_by"]);
    let by = ListTicketsRequest::default;
    let solved = ListTicketsRequest { statuses: vec![TicketStatus::Solved.into()], ..by() };
    assert_eq!(names(&ground, tenant, solved).await, ["T-5", "T-3", "T-1"]);
    let complaints = ListTicketsRequest { kinds: vec![TicketKind::Complaint.into()], ..by() };
    assert_eq!(names(&ground, tenant, complaints).await, ["T-4"]);
    let anna = ListTicketsRequest { agent: "anna".to_owned(), ..by() };
    assert_eq!(names(&ground, tenant, anna).await.len(), 3);
    let span =
        ListTicketsRequest { start_time: Some(minutes(&ground, 1)), end_time: Some(minutes(&ground, 2)), ..by() };
    assert_eq!(names(&ground, tenant, span).await, ["T-5", "T-4", "T-3"]);
    let condition = "kind == 'question' && status == 'open' && contacts == 1 && !breached".to_owned();
    let filter = ListTicketsRequest { filter: condition, page_size: 1, ..by() };
    assert_eq!(names(&ground, tenant, filter).await, ["T-6", "T-2", "T-0"]);
    let bad = ListTicketsRequest { filter: "colour == 'red'".to_owned(), ..by() };
    assert_eq!(reason(tickets(&ground, tenant).list_tickets(bad).await), "INVALID_CONDITION");
    // A customer's tickets are those of all its subjects.
    let other = SubjectId::new();
    let known = Known { subject: other, subjects: vec![other, subject], ..Known::default() };
    ground.profiles.tell(tenant, &by_id(other), known);
    pushed(&ground, tenant, Ticket { customer: Some(by_id(other)), ..ticket(&ground, "T-8", 1, 9, TicketStatus::New) })
        .await;
    let of = ListTicketsRequest { customer: Some(by_id(other)), ..by() };
    assert_eq!(names(&ground, tenant, of).await, ["T-8", "T-5"]);
    let page = tickets(&ground, tenant).list_tickets(all("")).await.expect("a page").into_inner();
    let stolen = ListTicketsRequest { page_token: page.next_page_token, ..all("create_time") };
    assert_eq!(reason(tickets(&ground, tenant).list_tickets(stolen).await), "INVALID_PAGE_TOKEN");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_tells_of_changes_and_goes_on_where_it_was_left(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let watch = |resume_token: String| WatchTicketsRequest { resume_token, filter: "kind == 'claim'".to_owned() };
    let mut told = tickets(&ground, tenant).watch_tickets(watch(String::new())).await.expect("a watch").into_inner();
    let began = told.message().await.expect("it goes on").expect("first of all its place");
    assert!(began.change.is_none() && !began.resume_token.is_empty());
    pushed(&ground, tenant, ticket(&ground, "T-0", 1, 0, TicketStatus::New)).await;
    let claim = Ticket { kind: TicketKind::Claim.into(), ..ticket(&ground, "T-1", 1, 0, TicketStatus::New) };
    let claim = pushed(&ground, tenant, claim).await;
    let token = loop {
        let next = told.message().await.expect("it goes on").expect("it does not end");
        if let Some(change) = next.change {
            assert_eq!((&change.ticket_id, change.revision, change.deleted), (&claim.ticket_id, 1, false));
            assert_eq!(change.ticket.expect("as it is").external_id, "T-1");
            break next.resume_token;
        }
    };
    drop(told);
    let spam = DeleteTicketRequest {
        ticket: Some(key("T-1")),
        reason: TicketDeletionReason::Spam.into(),
        ..DeleteTicketRequest::default()
    };
    tickets(&ground, tenant).delete_ticket(spam).await.expect("deleted");
    let mut told = tickets(&ground, tenant).watch_tickets(watch(token)).await.expect("a watch").into_inner();
    loop {
        let next = told.message().await.expect("it goes on").expect("it does not end");
        if let Some(change) = next.change {
            assert_eq!((&change.ticket_id, change.revision, change.deleted), (&claim.ticket_id, 2, true));
            break;
        }
    }
    assert_eq!(reason(tickets(&ground, tenant).watch_tickets(watch("x".to_owned())).await), "INVALID_PAGE_TOKEN");
}

fn erase(ground: &Ground, subject: SubjectId) -> EraseSubjectsRequest {
    EraseSubjectsRequest {
        erasure_id: RequestId::new().to_string(),
        subject_ids: vec![subject.to_string()],
        requested_at: Some(timestamp(ground.clock.now())),
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_forgets_tickets_and_messages_and_what_is_told_of_them_later(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    go_to(&ground, 100);
    let mut desk = tickets(&ground, tenant);
    let (customer, subject) = ground.profiles.customer(tenant);
    let of =
        |name: &str, n| Ticket { customer: Some(customer.clone()), ..ticket(&ground, name, 1, n, TicketStatus::Open) };
    for name in ["T-1", "T-2"] {
        pushed(&ground, tenant, of(name, 1)).await;
    }
    desk.add_ticket_message(say(key("T-1"), message(&ground, "m", 2, TicketAuthor::Customer))).await.expect("taken");
    let keeper = pushed(&ground, tenant, ticket(&ground, "T-3", 1, 0, TicketStatus::Open)).await;
    for (target, merged) in [("T-3", "T-2"), ("T-1", "T-4")] {
        pushed(&ground, tenant, ticket(&ground, "T-4", 1, 5, TicketStatus::Open)).await;
        let request = MergeTicketsRequest {
            target: Some(key(target)),
            merged: vec![key(merged)],
            ..MergeTicketsRequest::default()
        };
        desk.merge_tickets(request).await.expect("merged");
    }
    let erased = ground.erasures(tenant).erase_subjects(erase(&ground, subject)).await.expect("erased").into_inner();
    assert!(erased.deleted_rows >= 3, "two tickets and a message: {}", erased.deleted_rows);
    for name in ["T-1", "T-2"] {
        let gone = GetTicketRequest { ticket: Some(key(name)) };
        assert_eq!(reason(desk.get_ticket(gone).await), "RESOURCE_NOT_FOUND");
        let late = desk.push_ticket(push(ticket(&ground, name, 9, 50, TicketStatus::Open))).await.expect("passed over");
        assert_eq!(late.into_inner().outcome(), PushOutcome::Deleted);
    }
    assert_eq!(reason(desk.push_ticket(push(of("T-9", 1))).await), "ERASED");
    let left = crate::desk::get(&ground, tenant, "T-3").await;
    assert_eq!((left.contacts, left.merged_ticket_ids.len()), (1, 0), "what was merged into it is gone from it");
    let freed = crate::desk::get(&ground, tenant, "T-4").await;
    assert_eq!(freed.merged_into_ticket_id, "", "what was of others stands by itself again");
    let again = ground.erasures(tenant).erase_subjects(erase(&ground, subject)).await.expect("erased").into_inner();
    assert_eq!(again.deleted_rows, 0);
    let mut events = Told::of(&ground);
    events.until("what is left", |told| told.state(&keeper).is_some_and(|state| state.contact_times.len() == 1)).await;
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_tells_every_ticket_again_and_of_those_that_are_gone(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut held = Vec::new();
    for n in 0..4 {
        held.push(pushed(&ground, tenant, ticket(&ground, &format!("T-{n}"), 1, 0, TicketStatus::Open)).await);
    }
    let mistake = DeleteTicketRequest {
        ticket: Some(key("T-1")),
        reason: TicketDeletionReason::Mistake.into(),
        ..DeleteTicketRequest::default()
    };
    tickets(&ground, tenant).delete_ticket(mistake).await.expect("deleted");
    let merge =
        MergeTicketsRequest { target: Some(key("T-0")), merged: vec![key("T-2")], ..MergeTicketsRequest::default() };
    tickets(&ground, tenant).merge_tickets(merge).await.expect("merged");
    let mut events = Told::of(&ground);
    events
        .until("all of it", |told| {
            let gone = |at: usize| told.state(&held[at]).is_some_and(|state| state.deleted);
            gone(1) && gone(2) && told.states.len() == 4
        })
        .await;
    // What the merge made of its target is told in a partition of its own.
    events.quiet().await;
    let (before, told) = (events.states.clone(), events.all.len());
    let database = DatabaseConfig {
        url: (engine == Engine::Postgres).then(|| Address::new(ground.url.clone())),
        folder: ground.folder.path().to_owned(),
        ..DatabaseConfig::default()
    };
    let count = rapport_feedback::replay(&ground.platform, rapport_feedback::Config { database }).await;
    assert_eq!(count.expect("it is told again"), 4);
    events.until("all of it again", |events| events.all.len() == told + 4).await;
    let again: BTreeSet<String> = events.all[told..].iter().map(|(event, _)| event.aggregate_id.clone()).collect();
    assert_eq!(again.len(), 4);
    for (event, state) in &events.all[told..] {
        let (known, before) = &before[&event.aggregate_id];
        assert_eq!((event.revision, &event.subject_id), (known.revision, &known.subject_id));
        assert!(state == before, "{}", event.aggregate_id);
    }
}

#[tokio::test]
async fn tickets_are_taken_merged_and_erased_without_reading_whole_tables() {
    let (ground, tenant) = (Ground::new(Engine::Sqlite).await, TenantId::new());
    go_to(&ground, 100);
    let (customer, subject) = ground.profiles.customer(tenant);
    let said = Statements::listen();
    for name in ["T-1", "T-2", "T-3"] {
        let told = ticket(&ground, name, 1, 0, TicketStatus::Open);
        pushed(&ground, tenant, Ticket { customer: Some(customer.clone()), ..told }).await;
    }
    let mut desk = tickets(&ground, tenant);
    desk.add_ticket_message(say(key("T-1"), message(&ground, "m", 2, TicketAuthor::Customer))).await.expect("taken");
    let merge =
        MergeTicketsRequest { target: Some(key("T-1")), merged: vec![key("T-2")], ..MergeTicketsRequest::default() };
    desk.merge_tickets(merge).await.expect("merged");
    let of = ListTicketsRequest { customer: Some(customer), ..ListTicketsRequest::default() };
    assert_eq!(names(&ground, tenant, of).await.len(), 2);
    ground.erasures(tenant).erase_subjects(erase(&ground, subject)).await.expect("erased");
    let said = said.take();
    assert!(said.iter().any(|text| text.contains("ticket_message")), "{said:#?}");
    // Of follow-ups: a tenant's few rules, and whether there is any in an index that holds those alone.
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
