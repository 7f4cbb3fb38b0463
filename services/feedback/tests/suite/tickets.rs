//! Tickets as sources tell of them: in any order, by any call, and what is held and published of them.

use std::time::Duration;

use rapport_api::common::v1::{CustomerRef, Identifier, Party, customer_ref::Ref};
use rapport_api::feedback::v1::push_tickets_request::Item;
use rapport_api::feedback::v1::{
    DeleteTicketRequest, FirstContactResolution, GetTicketRequest, ListTicketMessagesRequest, MergeTicketsRequest,
    PushOutcome, PushTicketRequest, Ticket, TicketAttachment, TicketAuthor, TicketDeletionReason, TicketKind,
    TicketMessage, TicketPriority, TicketStatus,
};
use rapport_data::Engine;
use rapport_kernel::{RequestId, TenantId};
use rstest::rstest;

use crate::desk::{Told, bulk, by_id, get, go_to, item, key, message, minutes, push, pushed, say, ticket, tickets};
use crate::ground::{Ground, fields, reason};

fn unknown() -> CustomerRef {
    let identifier = Identifier { namespace: "email".to_owned(), value: "nobody@example.com".to_owned() };
    CustomerRef { r#ref: Some(Ref::Identifier(identifier)) }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_is_held_as_it_was_told_and_its_event_carries_the_whole_state_but_no_free_text(
    #[case] engine: Engine,
) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    go_to(&ground, 100);
    let (customer, subject) = ground.profiles.customer(tenant);
    let told = Ticket {
        customer: Some(customer),
        kind: TicketKind::Complaint.into(),
        priority: TicketPriority::Urgent.into(),
        channel: "email".to_owned(),
        product: "tea".to_owned(),
        topic: "delivery".to_owned(),
        title: "Anna's parcel never came".to_owned(),
        agent: "boris".to_owned(),
        team: "north".to_owned(),
        language: "ru".to_owned(),
        tags: vec!["vip".to_owned(), "fragile".to_owned()],
        create_time: Some(minutes(&ground, 5)),
        ..ticket(&ground, "T-1", 3, 10, TicketStatus::Open)
    };
    let held = pushed(&ground, tenant, told).await;
    assert_eq!((held.subject_id.as_str(), held.revision, held.version), (subject.to_string().as_str(), 1, 3));
    assert_eq!(
        (held.kind(), held.priority(), held.status()),
        (TicketKind::Complaint, TicketPriority::Urgent, TicketStatus::Open)
    );
    assert_eq!(held.tags, ["fragile", "vip"]);
    assert_eq!((held.contacts, held.contact_times.clone()), (1, vec![minutes(&ground, 5)]));
    assert_eq!(held.issue_id, held.ticket_id, "it is an issue of its own");
    assert_eq!(held.first_contact_resolution(), FirstContactResolution::Immature);
    let read = GetTicketRequest { ticket: Some(by_id(&held)) };
    assert!(tickets(&ground, tenant).get_ticket(read).await.expect("it is there").into_inner() == held);
    let elsewhere = GetTicketRequest { ticket: Some(by_id(&held)) };
    assert_eq!(reason(tickets(&ground, TenantId::new()).get_ticket(elsewhere).await), "RESOURCE_NOT_FOUND");

    let mut events = Told::of(&ground);
    events.until("the ticket", |told| told.state(&held).is_some()).await;
    let (event, state) = &events.states[&held.ticket_id];
    assert_eq!((event.aggregate_type.as_str(), event.subject_id.as_str()), ("ticket", held.subject_id.as_str()));
    assert_eq!((event.revision, event.occurred_at), (1, Some(minutes(&ground, 5))));
    assert_eq!((state.kind.as_str(), state.status.as_str(), state.priority.as_str()), ("complaint", "open", "urgent"));
    assert_eq!((state.agent.as_str(), state.team.as_str(), state.language.as_str()), ("boris", "north", "ru"));
    assert_eq!(state.dimensions.get("region").map(String::as_str), Some("north"));
    assert_eq!((state.party(), state.asked, state.answered), (Party::Partner, 1, 0));
    let bytes = prost::Message::encode_to_vec(state);
    assert!(!bytes.windows(4).any(|window| window == b"Anna"), "free text does not leave the service by events");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_and_duplicate_pushes_are_harmless_and_the_history_is_whole(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    go_to(&ground, 1_000);
    let states = [(3, 30, TicketStatus::Solved), (1, 10, TicketStatus::New), (4, 40, TicketStatus::Open)];
    let states = [&states[..], &[(2, 20, TicketStatus::Pending), (5, 50, TicketStatus::Solved)]].concat();
    for (version, minute, status) in &states {
        pushed(&ground, tenant, ticket(&ground, "T-1", *version, *minute, *status)).await;
    }
    let late = ticket(&ground, "T-1", 3, 30, TicketStatus::Solved);
    let again = tickets(&ground, tenant).push_ticket(push(late)).await.expect("taken").into_inner();
    assert_eq!(again.outcome(), PushOutcome::Unchanged);
    let held = get(&ground, tenant, "T-1").await;
    let history: Vec<_> = held.status_history.iter().map(|change| (change.status(), change.time)).collect();
    let expected = [
        (TicketStatus::New, 10),
        (TicketStatus::Pending, 20),
        (TicketStatus::Solved, 30),
        (TicketStatus::Open, 40),
        (TicketStatus::Solved, 50),
    ];
    assert_eq!(history, expected.map(|(status, minute)| (status, Some(minutes(&ground, minute)))));
    assert_eq!((held.reopens, held.solve_times.len(), held.status()), (1, 2, TicketStatus::Solved));
    assert_eq!((held.version, held.revision), (5, 5));
    assert_eq!(held.first_contact_resolution(), FirstContactResolution::Not, "it was opened again");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_push_leaves_out_stays_and_what_it_unsets_goes(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let full = Ticket { topic: "billing".to_owned(), ..ticket(&ground, "T-1", 1, 0, TicketStatus::Open) };
    let full = Ticket { agent: "anna".to_owned(), team: "west".to_owned(), ..full };
    pushed(&ground, tenant, full).await;
    let status = ticket(&ground, "T-1", 2, 0, TicketStatus::Pending);
    let held = pushed(&ground, tenant, status.clone()).await;
    assert_eq!((held.topic.as_str(), held.agent.as_str(), held.team.as_str()), ("billing", "anna", "west"));
    let unset = PushTicketRequest {
        unset_fields: vec!["agent".to_owned(), "topic".to_owned()],
        ..push(ticket(&ground, "T-1", 3, 0, TicketStatus::Pending))
    };
    let held = tickets(&ground, tenant).push_ticket(unset).await.expect("taken").into_inner().ticket.expect("held");
    assert_eq!((held.topic.as_str(), held.agent.as_str(), held.team.as_str()), ("", "", "west"));
    let wrong = PushTicketRequest { unset_fields: vec!["status".to_owned()], ..push(status) };
    assert_eq!(fields(tickets(&ground, tenant).push_ticket(wrong).await), ["unset_fields[0]"]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_become_contacts_and_answers_and_are_told_of_once(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    go_to(&ground, 1_000);
    let mut desk = tickets(&ground, tenant);
    let first = TicketMessage {
        attachments: vec![TicketAttachment {
            url: "https://files.example/1".to_owned(),
            name: "receipt.pdf".to_owned(),
            media_type: "application/pdf".to_owned(),
            size_bytes: 12,
        }],
        ..message(&ground, "m1", 1, TicketAuthor::Customer)
    };
    let begun = desk.add_ticket_message(say(key("T-1"), first.clone())).await.expect("taken").into_inner();
    assert_eq!(begun.outcome(), PushOutcome::Created, "a message may come before its ticket");
    let held = begun.message.expect("it is held");
    assert_eq!((&held.text, &held.attachments), (&first.text, &first.attachments));
    let opened = Ticket { create_time: Some(minutes(&ground, 0)), ..ticket(&ground, "T-1", 1, 0, TicketStatus::Open) };
    pushed(&ground, tenant, opened).await;
    let said = [("m2", 60, TicketAuthor::Agent), ("m3", 90, TicketAuthor::Customer), ("m4", 120, TicketAuthor::Agent)];
    for (name, minute, author) in said {
        desk.add_ticket_message(say(key("T-1"), message(&ground, name, minute, author))).await.expect("taken");
    }
    let note = TicketMessage { internal: true, ..message(&ground, "m5", 130, TicketAuthor::Agent) };
    let again = desk.add_ticket_message(say(key("T-1"), note.clone())).await.expect("taken").into_inner();
    let ticket = again.ticket.expect("it is held");
    assert_eq!((ticket.contacts, ticket.asked, ticket.answered, ticket.message_count), (2, 2, 2, 5));
    assert_eq!(ticket.first_response_time, Some(minutes(&ground, 60)));
    assert_eq!(ticket.first_contact_resolution(), FirstContactResolution::Not);
    let same = desk.add_ticket_message(say(key("T-1"), note)).await.expect("taken").into_inner();
    assert_eq!(
        (same.outcome(), same.message.map(|held| held.message_id)),
        (PushOutcome::Unchanged, again.message.map(|held| held.message_id))
    );
    let corrected =
        TicketMessage { version: 1, text: "milder".to_owned(), ..message(&ground, "m2", 60, TicketAuthor::Agent) };
    desk.add_ticket_message(say(key("T-1"), corrected)).await.expect("taken");

    let mut listed = Vec::new();
    let mut list =
        ListTicketMessagesRequest { ticket: Some(key("T-1")), page_size: 2, ..ListTicketMessagesRequest::default() };
    loop {
        let page = desk.list_ticket_messages(list.clone()).await.expect("a page").into_inner();
        listed.extend(page.messages.into_iter().map(|message| (message.external_id, message.text)));
        list.page_token = page.next_page_token;
        if list.page_token.is_empty() {
            break;
        }
    }
    let names: Vec<_> = listed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["m1", "m2", "m3", "m4", "m5"]);
    assert_eq!(listed[1].1, "milder");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_without_a_customer_stands_by_itself_until_a_push_names_one(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let nobody = Ticket { customer: Some(unknown()), ..ticket(&ground, "T-1", 1, 0, TicketStatus::New) };
    assert_eq!(reason(tickets(&ground, tenant).push_ticket(push(nobody)).await), "RESOURCE_NOT_FOUND");
    let held = pushed(&ground, tenant, ticket(&ground, "T-1", 1, 0, TicketStatus::New)).await;
    assert_eq!((held.subject_id.as_str(), &held.customer), ("", &None));
    let (customer, subject) = ground.profiles.customer(tenant);
    let claim = Ticket { customer: Some(customer.clone()), ..ticket(&ground, "T-1", 2, 0, TicketStatus::New) };
    let claimed = pushed(&ground, tenant, claim).await;
    assert_eq!((claimed.subject_id, claimed.customer), (subject.to_string(), Some(customer)));
    let (other, _) = ground.profiles.customer(tenant);
    let late = Ticket { customer: Some(other), ..ticket(&ground, "T-1", 1, 0, TicketStatus::New) };
    assert_eq!(pushed(&ground, tenant, late).await.subject_id, subject.to_string(), "the highest word holds");
    let mut events = Told::of(&ground);
    events
        .until("the claim", |told| {
            told.states.get(&held.ticket_id).is_some_and(|(event, _)| event.subject_id == subject.to_string())
        })
        .await;
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_push_takes_pushes_messages_and_deletions_and_names_what_it_refuses(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut items = Vec::new();
    for n in 0..40 {
        items.push(item(Item::Push(Box::new(push(ticket(&ground, &format!("T-{n}"), 1, 0, TicketStatus::Open))))));
    }
    let nobody = Ticket { customer: Some(unknown()), ..ticket(&ground, "T-0", 2, 0, TicketStatus::New) };
    items.push(item(Item::Push(Box::new(push(nobody)))));
    items.push(item(Item::Push(Box::new(push(Ticket { source: "NO".to_owned(), ..Ticket::default() })))));
    items.push(item(Item::Message(Box::new(say(key("T-1"), message(&ground, "", 0, TicketAuthor::Agent))))));
    items.push(item(Item::Message(Box::new(say(key("T-1"), message(&ground, "m", 0, TicketAuthor::Agent))))));
    let spam = DeleteTicketRequest {
        ticket: Some(key("T-2")),
        reason: TicketDeletionReason::Spam.into(),
        ..DeleteTicketRequest::default()
    };
    items.push(item(Item::Deletion(spam.clone())));
    items.push(item(Item::Push(Box::new(push(ticket(&ground, "T-2", 9, 0, TicketStatus::Open))))));
    items.push(item(Item::Deletion(DeleteTicketRequest { ticket: Some(key("T-never")), ..spam })));
    let count = i64::try_from(items.len()).expect("few");
    let acks = bulk(&ground, tenant, items).await;
    assert_eq!(acks.last().map(|ack| ack.through_index), Some(count - 1));
    assert_eq!(acks.iter().map(|ack| ack.accepted).sum::<i64>(), count - 3);
    let errors: Vec<_> =
        acks.iter().flat_map(|ack| &ack.errors).map(|error| (error.index, error.reason.as_str())).collect();
    assert_eq!(errors, [(40, "RESOURCE_NOT_FOUND"), (41, "INVALID_FIELD"), (42, "INVALID_FIELD")]);
    assert_eq!(get(&ground, tenant, "T-1").await.message_count, 1);
    let gone = GetTicketRequest { ticket: Some(key("T-2")) };
    assert_eq!(reason(tickets(&ground, tenant).get_ticket(gone).await), "RESOURCE_NOT_FOUND");
    let never = push(ticket(&ground, "T-never", 1, 0, TicketStatus::New));
    let never = tickets(&ground, tenant).push_ticket(never).await.expect("passed over").into_inner();
    assert_eq!(never.outcome(), PushOutcome::Deleted);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_is_for_ever_and_is_told_of(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut desk = tickets(&ground, tenant);
    let held = pushed(&ground, tenant, ticket(&ground, "T-1", 1, 0, TicketStatus::New)).await;
    let delete = DeleteTicketRequest {
        ticket: Some(by_id(&held)),
        reason: TicketDeletionReason::Spam.into(),
        ..DeleteTicketRequest::default()
    };
    let stale = DeleteTicketRequest { etag: "r9".to_owned(), ..delete.clone() };
    assert_eq!(reason(desk.delete_ticket(stale).await), "STALE_ETAG");
    let request_id = RequestId::new().to_string();
    let once = DeleteTicketRequest { etag: held.etag.clone(), request_id, ..delete.clone() };
    for _ in 0..2 {
        desk.delete_ticket(once.clone()).await.expect("deleted, and a retry is harmless");
    }
    assert_eq!(reason(desk.delete_ticket(delete).await), "RESOURCE_NOT_FOUND");
    let late = desk.push_ticket(push(ticket(&ground, "T-1", 7, 1, TicketStatus::Open))).await.expect("passed over");
    assert_eq!((late.get_ref().outcome(), late.get_ref().ticket.is_none()), (PushOutcome::Deleted, true));
    let said = say(key("T-1"), message(&ground, "m", 1, TicketAuthor::Customer));
    assert_eq!(desk.add_ticket_message(said).await.expect("passed over").get_ref().outcome(), PushOutcome::Deleted);
    let mut events = Told::of(&ground);
    events.until("the deletion", |told| told.state(&held).is_some_and(|state| state.deleted)).await;
    assert_eq!(events.states[&held.ticket_id].0.revision, 2);
    let unknown = DeleteTicketRequest {
        ticket: Some(key("T-none")),
        reason: TicketDeletionReason::Mistake.into(),
        ..DeleteTicketRequest::default()
    };
    assert_eq!(reason(desk.delete_ticket(unknown).await), "RESOURCE_NOT_FOUND");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merged_tickets_are_one_to_which_what_is_told_of_each_is_added(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    go_to(&ground, 1_000);
    let mut desk = tickets(&ground, tenant);
    let mut held = Vec::new();
    for (n, name) in ["T-1", "T-2", "T-3"].into_iter().enumerate() {
        let minute = i64::try_from(n).expect("few") * 10;
        held.push(pushed(&ground, tenant, ticket(&ground, name, 1, minute, TicketStatus::Open)).await);
    }
    let merge = |target, merged: &[&str]| MergeTicketsRequest {
        target: Some(key(target)),
        merged: merged.iter().map(|name| key(name)).collect(),
        ..MergeTicketsRequest::default()
    };
    desk.merge_tickets(merge("T-2", &["T-3"])).await.expect("merged");
    let one = desk.merge_tickets(merge("T-1", &["T-2"])).await.expect("merged").into_inner();
    assert_eq!((one.contacts, one.merged_ticket_ids.len()), (3, 2), "what went into it before comes along");
    let stale = MergeTicketsRequest { etag: "r1".to_owned(), ..merge("T-1", &["T-2"]) };
    assert_eq!(reason(desk.merge_tickets(stale).await), "STALE_ETAG");
    desk.merge_tickets(merge("T-1", &["T-2"])).await.expect("again is harmless");
    assert_eq!(reason(desk.merge_tickets(merge("T-2", &["T-1"])).await), "INVALID_STATE");
    assert_eq!(fields(desk.merge_tickets(merge("T-1", &["T-1"])).await), ["merged"]);
    desk.add_ticket_message(say(key("T-3"), message(&ground, "late", 50, TicketAuthor::Agent))).await.expect("taken");
    let closed = pushed(&ground, tenant, ticket(&ground, "T-3", 2, 60, TicketStatus::Closed)).await;
    assert_eq!(closed.merged_into_ticket_id, held[0].ticket_id);
    let one = get(&ground, tenant, "T-1").await;
    assert_eq!((one.status(), one.message_count), (TicketStatus::Open, 1));
    assert_eq!(one.first_response_time, Some(minutes(&ground, 50)));
    let messages = ListTicketMessagesRequest { ticket: Some(key("T-1")), ..ListTicketMessagesRequest::default() };
    assert_eq!(desk.list_ticket_messages(messages).await.expect("a page").into_inner().messages.len(), 1);
    let mut events = Told::of(&ground);
    events
        .until("the answer", |told| {
            let gone = |at: usize| told.state(&held[at]).is_some_and(|state| state.deleted);
            gone(1) && gone(2) && told.state(&held[0]).is_some_and(|state| state.first_response_time.is_some())
        })
        .await;
    let delete = DeleteTicketRequest {
        ticket: Some(key("T-1")),
        reason: TicketDeletionReason::ErasedAtSource.into(),
        ..DeleteTicketRequest::default()
    };
    desk.delete_ticket(delete).await.expect("deleted");
    for name in ["T-1", "T-2", "T-3"] {
        let gone = GetTicketRequest { ticket: Some(key(name)) };
        assert_eq!(reason(desk.get_ticket(gone).await), "RESOURCE_NOT_FOUND", "{name} goes with it");
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeated_contacts_on_one_matter_are_one_issue_in_whatever_order_they_come(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    let day = 24 * 60;
    go_to(&ground, 60 * day);
    // The third is within the window of the second, the fourth of none; the fifth says that it is about the first.
    let said = [
        ("T-1", 0, "billing"),
        ("T-2", 5, "billing"),
        ("T-3", 11, "billing"),
        ("T-4", 30, "billing"),
        ("T-5", 50, "app"),
    ];
    for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]] {
        let tenant = TenantId::new();
        let (customer, _) = ground.profiles.customer(tenant);
        for at in order {
            let (name, days, topic) = said[at];
            let solved = ticket(&ground, name, 1, days * day, TicketStatus::Solved);
            let issue = if at == 0 || at == 4 { "INC-7".to_owned() } else { String::new() };
            let follow_up_of = if at == 1 { "T-1".to_owned() } else { String::new() };
            let customer = Some(customer.clone());
            pushed(&ground, tenant, Ticket { customer, topic: topic.to_owned(), issue, follow_up_of, ..solved }).await;
        }
        let mut issues = Vec::new();
        for (name, ..) in said {
            issues.push(get(&ground, tenant, name).await.issue_id);
        }
        let first = get(&ground, tenant, "T-1").await.ticket_id;
        assert_eq!([&issues[0], &issues[1], &issues[2], &issues[4]], [&first; 4], "{order:?}");
        assert_ne!(issues[3], first, "{order:?}");
        let mut events = Told::of(&ground);
        let ids: Vec<String> = issues.clone();
        events
            .until("the issues", |told| {
                let told: Vec<_> =
                    told.states.values().filter(|(event, _)| event.tenant == tenant.to_string()).collect();
                told.len() == 5
                    && told.iter().all(|(_, state)| ids.contains(&state.issue_id))
                    && told.iter().filter(|(_, state)| state.issue_id == first).count() == 4
            })
            .await;
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_contact_that_sufficed_ripens_after_seven_days(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    pushed(&ground, tenant, ticket(&ground, "T-1", 1, 0, TicketStatus::Solved)).await;
    let state = |ticket: Ticket| ticket.first_contact_resolution();
    ground.clock.advance(Duration::from_secs(7 * 86_400 - 1));
    assert_eq!(state(get(&ground, tenant, "T-1").await), FirstContactResolution::Immature);
    ground.clock.advance(Duration::from_secs(1));
    assert_eq!(state(get(&ground, tenant, "T-1").await), FirstContactResolution::FirstContact);
}
