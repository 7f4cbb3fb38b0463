//! The law of tickets: in whatever order, however often and by whichever call the same is told, the same is held.

use std::collections::BTreeMap;

use rapport_api::common::v1::CustomerRef;
use rapport_api::feedback::v1::push_tickets_request::Item;
use rapport_api::feedback::v1::{
    ListTicketsRequest, PushTicketRequest, PushTicketsRequest, Ticket, TicketAuthor, TicketKind, TicketPriority,
    TicketStatus, TicketStatusChange,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::desk::{bulk, go_to, item, key, message, minutes, push, say, ticket, tickets};
use crate::ground::{Ground, Known, by_id};

/// A small generator: what it gives is as its seed, so that a failure can be told again.
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.next(all.len() as u64) as usize]
    }
}

const STATUSES: [TicketStatus; 7] = [
    TicketStatus::Unspecified,
    TicketStatus::New,
    TicketStatus::Open,
    TicketStatus::Pending,
    TicketStatus::OnHold,
    TicketStatus::Solved,
    TicketStatus::Closed,
];

/// What is told of four tickets of two customers.
fn story(ground: &Ground, dice: &mut Dice, customers: &[CustomerRef]) -> Vec<PushTicketsRequest> {
    let mut told = Vec::new();
    for _ in 0..24 {
        let name = dice.of(&["T-1", "T-2", "T-3", "T-4"]);
        let (version, minute) = (dice.next(5) as i64, dice.next(20_000) as i64);
        if dice.next(4) == 0 {
            let author = dice.of(&[TicketAuthor::Customer, TicketAuthor::Agent, TicketAuthor::Automation]);
            let said = message(ground, dice.of(&["m1", "m2", "m3"]), minute, author);
            told.push(item(Item::Message(Box::new(say(key(name), said)))));
            continue;
        }
        let mut one = ticket(ground, name, version, minute, dice.of(&STATUSES));
        one.kind = dice.of(&[TicketKind::Unspecified, TicketKind::Claim, TicketKind::Complaint]).into();
        one.priority = dice.of(&[TicketPriority::Unspecified, TicketPriority::Low, TicketPriority::Urgent]).into();
        one.topic = dice.of(&["", "billing", "app"]).to_owned();
        one.agent = dice.of(&["", "anna", "boris"]).to_owned();
        one.issue = dice.of(&["", "", "", "INC-1", "INC-2"]).to_owned();
        one.follow_up_of = dice.of(&["", "", "T-1", "T-3"]).to_owned();
        if dice.next(3) > 0 {
            one.customer = Some(customers[dice.next(2) as usize].clone());
        }
        if dice.next(4) == 0 {
            one.contact_times = vec![minutes(ground, dice.next(20_000) as i64)];
        }
        if dice.next(5) == 0 {
            let change = |status: TicketStatus, minute| TicketStatusChange {
                status: status.into(),
                time: Some(minutes(ground, minute)),
                ..TicketStatusChange::default()
            };
            one.status_history =
                vec![change(TicketStatus::New, minute - 90), change(dice.of(&STATUSES[1..]), minute - 9)];
        }
        if dice.next(6) == 0 {
            one.create_time = Some(minutes(ground, dice.next(100) as i64));
        }
        let messages = (0..dice.next(2)).map(|_| message(ground, "m1", minute, TicketAuthor::Agent)).collect();
        let unset_fields =
            if dice.next(6) == 0 && one.topic.is_empty() { vec!["topic".to_owned()] } else { Vec::new() };
        told.push(item(Item::Push(Box::new(PushTicketRequest { messages, unset_fields, ..push(one) }))));
    }
    told
}

/// What is held, without what no two tenants can share: ids that were made here, and times of ours.
async fn held(ground: &Ground, tenant: TenantId) -> BTreeMap<String, Ticket> {
    let list = tickets(ground, tenant).list_tickets(ListTicketsRequest::default()).await.expect("a page").into_inner();
    let names: BTreeMap<String, String> =
        list.tickets.iter().map(|ticket| (ticket.ticket_id.clone(), ticket.external_id.clone())).collect();
    let bare = |ticket: Ticket| {
        let issue_id = names[&ticket.issue_id].clone();
        let (ticket_id, etag) = (String::new(), String::new());
        let bare = Ticket { ticket_id, issue_id, etag, revision: 0, record_time: None, change_time: None, ..ticket };
        (bare.external_id.clone(), bare)
    };
    list.tickets.into_iter().map(bare).collect()
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_is_held_in_whatever_order_the_same_is_told(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    go_to(&ground, 30_000);
    let subjects = [rapport_kernel::SubjectId::new(), rapport_kernel::SubjectId::new()];
    for seed in 0..8 {
        let mut dice = Dice(seed);
        let customers = subjects.map(by_id);
        let told = story(&ground, &mut dice, &customers);
        let mut first: Option<BTreeMap<String, Ticket>> = None;
        for round in 0..4_u64 {
            let tenant = TenantId::new();
            for subject in subjects {
                let known = Known { subject, subjects: vec![subject], dimensions: BTreeMap::new() };
                ground.profiles.tell(tenant, &by_id(subject), known);
            }
            let mut order = told.clone();
            let mut dice = Dice(seed * 100 + round);
            for at in (1..order.len()).rev().filter(|_| round > 0) {
                order.swap(at, dice.next(at as u64 + 1) as usize);
            }
            for _ in 0..dice.next(8) {
                order.push(told[dice.next(told.len() as u64) as usize].clone());
            }
            // In bulk, in two streams at once, or one by one.
            match round {
                0 => drop(bulk(&ground, tenant, order).await),
                1 => {
                    let half = order.split_off(order.len() / 2);
                    tokio::join!(bulk(&ground, tenant, order), bulk(&ground, tenant, half));
                }
                _ => one_by_one(&ground, tenant, order).await,
            }
            let held = held(&ground, tenant).await;
            assert_eq!(first.get_or_insert_with(|| held.clone()).len(), held.len());
            for (name, ticket) in first.iter().flatten() {
                assert!(held[name] == *ticket, "{name} of seed {seed}, round {round}");
            }
        }
    }
}

async fn one_by_one(ground: &Ground, tenant: TenantId, order: Vec<PushTicketsRequest>) {
    let mut desk = tickets(ground, tenant);
    for told in order {
        match told.item.expect("something is told") {
            Item::Push(push) => desk.push_ticket(*push).await.map(drop).expect("taken"),
            Item::Message(message) => desk.add_ticket_message(*message).await.map(drop).expect("taken"),
            Item::Deletion(deletion) => desk.delete_ticket(deletion).await.map(drop).expect("deleted"),
        }
    }
}
