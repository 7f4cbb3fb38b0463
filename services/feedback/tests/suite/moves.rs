//! Customers are merged and split: what is derived of a customer follows at once, and a split undoes what a merge did.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use prost::Message as _;
use rapport_api::convert::timestamp;
use rapport_api::events::v1::event::Payload;
use rapport_api::events::v1::{Event, SubjectLinked};
use rapport_api::feedback::v1::{
    CommentFollowUpRequest, FollowUp, FollowUpOutcome, FollowUpStatus, ListFollowUpsRequest, ListTicketsRequest,
    ReopenFollowUpRequest, StartFollowUpRequest, Ticket, TicketStatus, UpdateResponseRequest,
};
use rapport_bus::Entry;
use rapport_data::{Engine, PARTITIONS};
use rapport_kernel::{Clock as _, SubjectId, TenantId};
use rstest::rstest;

use crate::desk::{Told as Desk, get, pushed, ticket, tickets};
use crate::ground::{Ground, Known, by_id, reason};
use crate::loops::{Told, follow_ups, list, make, resolve, rule, submit};

/// Tells of moves, as profiles does.
#[derive(Default)]
struct Teller {
    positions: BTreeMap<u16, u64>,
    revision: u64,
}

impl Teller {
    /// Subjects belong to another customer, whose first subject names it; profiles knows it too.
    async fn moved(
        &mut self,
        ground: &Ground,
        tenant: TenantId,
        customers: &[&[SubjectId]],
        moves: &[(SubjectId, SubjectId)],
    ) {
        know(ground, tenant, customers);
        self.told(ground, tenant, customers, moves).await;
    }

    /// The same, as far as events tell of it.
    async fn told(
        &mut self,
        ground: &Ground,
        tenant: TenantId,
        customers: &[&[SubjectId]],
        moves: &[(SubjectId, SubjectId)],
    ) {
        self.revision += 1;
        for (subject, from) in moves {
            let to = customers.iter().find(|subjects| subjects.contains(subject)).expect("somebody's")[0];
            self.tell(ground, tenant, *subject, (Some(*from), to), self.revision).await;
        }
    }

    async fn tell(
        &mut self,
        ground: &Ground,
        tenant: TenantId,
        subject: SubjectId,
        (from, to): (Option<SubjectId>, SubjectId),
        revision: u64,
    ) {
        let now = Some(timestamp(ground.clock.now()));
        let event = Event {
            event_id: uuid::Uuid::now_v7().to_string(),
            tenant: tenant.to_string(),
            subject_id: subject.to_string(),
            aggregate_type: "link".to_owned(),
            aggregate_id: subject.to_string(),
            revision,
            occurred_at: now,
            recorded_at: now,
            payload: Some(Payload::SubjectLinked(SubjectLinked {
                from_customer_id: from.map(|from| from.to_string()).unwrap_or_default(),
                to_customer_id: to.to_string(),
                to_customer_revision: revision,
            })),
            ..Event::default()
        };
        let (lane, partition) = (rapport_data::lane("profiles", "asking"), subject.partition(PARTITIONS));
        let position = self.positions.entry(partition).or_default();
        *position += 1;
        let entry = Entry { position: *position, body: event.encode_to_vec().into() };
        let epoch = ground.bus.epoch(&lane, partition).await.expect("an epoch");
        ground.bus.publish(&lane, partition, &epoch, vec![entry]).await.expect("the bus is up");
    }
}

/// Profiles knows these customers, under the id of each of their subjects.
fn know(ground: &Ground, tenant: TenantId, customers: &[&[SubjectId]]) {
    for subjects in customers {
        for subject in *subjects {
            let known = Known { subject: *subject, subjects: subjects.to_vec(), ..Known::default() };
            ground.profiles.tell(tenant, &by_id(*subject), known);
        }
    }
}

/// A ticket of a customer about a topic, opened and solved in a minute.
fn about(ground: &Ground, external_id: &str, customer: SubjectId, (topic, minute): (&str, i64)) -> Ticket {
    Ticket {
        customer: Some(by_id(customer)),
        topic: topic.to_owned(),
        create_time: Some(crate::desk::minutes(ground, minute)),
        ..ticket(ground, external_id, 1, minute, TicketStatus::Solved)
    }
}

/// A ticket, without what counts its changes.
fn bare(ticket: Ticket) -> Ticket {
    Ticket { revision: 0, etag: String::new(), change_time: None, ..ticket }
}

/// A ticket, once something holds of it.
async fn once(
    ground: &Ground,
    tenant: TenantId,
    external_id: &str,
    what: &str,
    holds: impl Fn(&Ticket) -> bool,
) -> Ticket {
    for _ in 0..2_000 {
        let held = get(ground, tenant, external_id).await;
        if holds(&held) {
            return held;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not so: {what}");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_of_merged_customers_are_one_issue_at_once_and_a_split_undoes_it(#[case] engine: Engine) {
    let (ground, tenant, mut teller) = (Ground::new(engine).await, TenantId::new(), Teller::default());
    let mut desk = Desk::of(&ground);
    let (one, two) = (SubjectId::new(), SubjectId::new());
    know(&ground, tenant, &[&[one], &[two]]);
    pushed(&ground, tenant, about(&ground, "T-1", one, ("billing", 0))).await;
    pushed(&ground, tenant, about(&ground, "T-2", two, ("billing", 60))).await;
    pushed(&ground, tenant, about(&ground, "T-3", two, ("app", 70))).await;
    pushed(&ground, tenant, about(&ground, "T-4", two, ("billing", 90))).await;
    let before =
        [get(&ground, tenant, "T-1").await, get(&ground, tenant, "T-2").await, get(&ground, tenant, "T-3").await];
    let (first, second) = (before[0].issue_id.clone(), before[1].issue_id.clone());
    assert!(first != second && get(&ground, tenant, "T-4").await.issue_id == second);

    teller.moved(&ground, tenant, &[&[one, two]], &[(two, two)]).await;
    let merged = once(&ground, tenant, "T-2", "it repeats T-1", |held| held.issue_id == first).await;
    assert_eq!(merged.customer, Some(by_id(one)));
    assert_eq!(
        (get(&ground, tenant, "T-4").await.issue_id, get(&ground, tenant, "T-1").await),
        (first.clone(), before[0].clone())
    );
    let other = get(&ground, tenant, "T-3").await;
    assert_eq!((other.issue_id, other.customer), (before[2].issue_id.clone(), Some(by_id(one))));
    desk.until("it is another issue", |told| told.state(&before[1]).is_some_and(|state| state.issue_id == first)).await;
    let of_issue = ListTicketsRequest { issue_id: first.clone(), ..ListTicketsRequest::default() };
    let listed = tickets(&ground, tenant).list_tickets(of_issue).await.expect("a list").into_inner().tickets;
    assert_eq!(listed.len(), 3);

    teller.moved(&ground, tenant, &[&[one], &[two]], &[(two, one)]).await;
    once(&ground, tenant, "T-2", "it stands by itself", |held| held.issue_id == second).await;
    for held in &before {
        let now =
            once(&ground, tenant, &held.external_id, "it is as it was", |now| bare(now.clone()) == bare(held.clone()))
                .await;
        assert!(now.revision >= held.revision);
    }
    assert_eq!(get(&ground, tenant, "T-4").await.issue_id, second);
    desk.until("so it is told", |told| told.state(&before[1]).is_some_and(|state| state.issue_id == second)).await;

    // What was told before is told once more, and late: nothing comes of it.
    let revision = get(&ground, tenant, "T-2").await.revision;
    teller.tell(&ground, tenant, two, (Some(two), one), 1).await;
    teller.tell(&ground, tenant, two, (None, two), 2).await;
    // Who is behind when a ticket is pushed learns of it all the same.
    teller.told(&ground, tenant, &[&[one, two]], &[(two, two)]).await;
    once(&ground, tenant, "T-2", "merged again", |held| held.issue_id == first).await;
    assert_eq!(get(&ground, tenant, "T-2").await.revision, revision + 1);
    let late = pushed(&ground, tenant, about(&ground, "T-5", two, ("billing", 95))).await;
    assert_eq!((late.issue_id, late.customer), (first, Some(by_id(one))));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_merged_and_split_tickets_are_linked_as_if_customers_had_always_been_as_they_are(
    #[case] engine: Engine,
) {
    let mut seed = 0x0dd_ba11_u64;
    let mut dice = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((seed >> 33) % below).expect("small")
    };
    let ground = Ground::new(engine).await;
    for _ in 0..3 {
        let (tenant, fresh, mut teller) = (TenantId::new(), TenantId::new(), Teller::default());
        let subjects: Vec<SubjectId> = (0..4).map(|_| SubjectId::new()).collect();
        let mut customers: Vec<Vec<SubjectId>> = subjects.iter().map(|subject| vec![*subject]).collect();
        know(&ground, tenant, &customers.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let told: Vec<(String, SubjectId, (&str, i64))> = (0..10)
            .map(|n| {
                let topic = ["billing", "app", ""][dice(3)];
                (format!("T-{n}"), subjects[dice(4)], (topic, i64::try_from(dice(30_000)).expect("small")))
            })
            .collect();
        for (at, (id, subject, said)) in told.iter().enumerate() {
            pushed(&ground, tenant, about(&ground, id, *subject, *said)).await;
            if at % 2 == 0 {
                continue;
            }
            // Somebody moves to somebody else, or is alone again.
            let subject = subjects[dice(4)];
            let from = customers.iter().position(|some| some.contains(&subject)).expect("somebody's");
            let held = customers[from][0];
            let before = customers.clone();
            customers[from].retain(|one| *one != subject);
            let to = dice(customers.len() as u64 + 1);
            if to < customers.len() && to != from {
                customers[to].push(subject);
            } else {
                customers.push(vec![subject]);
            }
            customers.retain(|some| !some.is_empty());
            // A customer is named by its first subject: whoever remains may be named anew.
            let name = |customers: &[Vec<SubjectId>], subject: &SubjectId| {
                customers.iter().find(|some| some.contains(subject)).expect("somebody's")[0]
            };
            let moves: Vec<(SubjectId, SubjectId)> = subjects
                .iter()
                .filter(|one| name(&before, one) != name(&customers, one))
                .map(|one| (*one, name(&before, one)))
                .collect();
            assert!(moves.iter().all(|(one, from)| *one != subject || *from == held));
            let slices: Vec<&[SubjectId]> = customers.iter().map(Vec::as_slice).collect();
            teller.moved(&ground, tenant, &slices, &moves).await;
        }
        know(&ground, fresh, &customers.iter().map(Vec::as_slice).collect::<Vec<_>>());
        for (id, subject, said) in &told {
            pushed(&ground, fresh, about(&ground, id, *subject, *said)).await;
        }
        let meant = groups(&ground, fresh).await;
        let mut held = BTreeSet::new();
        for _ in 0..2_000 {
            held = groups(&ground, tenant).await;
            if held == meant {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(held, meant);
    }
}

/// Which tickets are of one customer and about one issue.
async fn groups(ground: &Ground, tenant: TenantId) -> BTreeSet<(String, BTreeSet<String>)> {
    let mut groups: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
    let listed =
        tickets(ground, tenant).list_tickets(ListTicketsRequest::default()).await.expect("a list").into_inner();
    for ticket in listed.tickets {
        let customer = format!("{:?}", ticket.customer);
        let group = groups.entry(ticket.issue_id).or_insert((customer.clone(), BTreeSet::new()));
        // While they are being moved an issue may be of two.
        group.0 = customer.min(std::mem::take(&mut group.0));
        group.1.insert(ticket.external_id);
    }
    groups.into_values().collect()
}

/// All follow-ups, joined ones too, once something holds of them.
async fn all(ground: &Ground, tenant: TenantId, what: &str, holds: impl Fn(&[FollowUp]) -> bool) -> Vec<FollowUp> {
    let mut found = Vec::new();
    for _ in 0..2_000 {
        found =
            list(ground, tenant, ListFollowUpsRequest { show_joined: true, ..ListFollowUpsRequest::default() }).await;
        if holds(&found) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not so: {what}: {found:?}");
}

/// Follow-ups, without what counts their changes.
fn plain(follow_ups: &[FollowUp]) -> Vec<FollowUp> {
    let plain = |one: &FollowUp| FollowUp { revision: 0, etag: String::new(), update_time: None, ..one.clone() };
    follow_ups.iter().map(plain).collect()
}

const DETRACTOR: &str = "response.kind == 'nps' && response.score <= 6";

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_merged_customers_one_follow_up_of_a_rule_leads_until_they_are_split(#[case] engine: Engine) {
    let (ground, tenant, mut teller) = (Ground::new(engine).await, TenantId::new(), Teller::default());
    let mut told = Told::of(&ground);
    let survey = ground.open(tenant).await;
    make(&ground, tenant, rule("Detractors", DETRACTOR)).await;
    let (one, two) = (SubjectId::new(), SubjectId::new());
    know(&ground, tenant, &[&[one], &[two]]);
    let first_response = submit(&ground, tenant, &survey, &by_id(one), 2).await;
    all(&ground, tenant, "one is opened", |found| found.len() == 1).await;
    ground.clock.advance(Duration::from_secs(1));
    submit(&ground, tenant, &survey, &by_id(two), 3).await;
    let before = all(&ground, tenant, "another one is opened", |found| found.len() == 2).await;
    let (lead, joined) = (&before[0], &before[1]);
    let of_two = [one, two];
    let (merged, split): ([&[SubjectId]; 1], [&[SubjectId]; 2]) = ([&of_two], [&[one], &[two]]);

    teller.moved(&ground, tenant, &merged, &[(two, two)]).await;
    let is_joined = |found: &[FollowUp]| found[1].joined_to_follow_up_id == lead.follow_up_id;
    let found = all(&ground, tenant, "the later one is joined", is_joined).await;
    assert_eq!(plain(&found[..1]), plain(&before[..1]));
    assert_eq!(
        (found[1].status(), found[1].causes.clone(), found[1].escalate_time),
        (FollowUpStatus::Open, joined.causes.clone(), None)
    );
    let to_do =
        list(&ground, tenant, ListFollowUpsRequest { customer: Some(by_id(two)), ..ListFollowUpsRequest::default() })
            .await;
    assert_eq!(to_do.iter().map(|one| &one.follow_up_id).collect::<Vec<_>>(), [&lead.follow_up_id]);
    told.until(
        "follow_up",
        &joined.follow_up_id,
        |told| matches!(told, Payload::FollowUpChanged(state) if state.deleted),
    )
    .await;
    let mut calls = follow_ups(&ground, tenant);
    let start = StartFollowUpRequest { follow_up_id: joined.follow_up_id.clone(), ..StartFollowUpRequest::default() };
    assert_eq!(reason(calls.start_follow_up(start.clone()).await), "INVALID_STATE");
    assert_eq!(reason(calls.resolve_follow_up(resolve(joined, "")).await), "INVALID_STATE");

    teller.moved(&ground, tenant, &split, &[(two, one)]).await;
    let found =
        all(&ground, tenant, "it stands by itself again", |found| found[1].joined_to_follow_up_id.is_empty()).await;
    assert_eq!(plain(&found), plain(&before));
    told.until(
        "follow_up",
        &joined.follow_up_id,
        |told| matches!(told, Payload::FollowUpChanged(state) if state.status == "open"),
    )
    .await;
    calls.start_follow_up(start).await.expect("it is worked on");

    // The first is withdrawn while they are merged: the other one stands for both.
    teller.moved(&ground, tenant, &merged, &[(two, two)]).await;
    all(&ground, tenant, "joined once more", is_joined).await;
    let mend = |score| UpdateResponseRequest {
        response_id: first_response.clone(),
        score: Some(score),
        ..UpdateResponseRequest::default()
    };
    ground.responses(tenant).update_response(mend(10)).await.expect("corrected");
    let found = all(&ground, tenant, "it leads now", |found| {
        found[0].status() == FollowUpStatus::Cancelled && found[1].joined_to_follow_up_id.is_empty()
    })
    .await;
    assert_eq!(found[1].status(), FollowUpStatus::InProgress);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_joined_is_never_late_and_ends_as_what_it_is_joined_to(#[case] engine: Engine) {
    let (ground, tenant, mut teller) = (Ground::new(engine).await, TenantId::new(), Teller::default());
    let survey = ground.open(tenant).await;
    make(&ground, tenant, rule("Detractors", DETRACTOR)).await;
    let (one, two) = (SubjectId::new(), SubjectId::new());
    let of_two = [one, two];
    know(&ground, tenant, &[&[one], &[two]]);
    submit(&ground, tenant, &survey, &by_id(one), 2).await;
    all(&ground, tenant, "one is opened", |found| found.len() == 1).await;
    ground.clock.advance(Duration::from_secs(1));
    submit(&ground, tenant, &survey, &by_id(two), 3).await;
    let before = all(&ground, tenant, "another one is opened", |found| found.len() == 2).await;
    teller.moved(&ground, tenant, &[&of_two], &[(two, two)]).await;
    all(&ground, tenant, "it is joined", |found| found[1].joined_to_follow_up_id == found[0].follow_up_id).await;
    // What happens next is added to the one that leads.
    submit(&ground, tenant, &survey, &by_id(two), 0).await;
    all(&ground, tenant, "it is added", |found| found[0].causes.len() == 2 && found[1].causes.len() == 1).await;

    ground.clock.advance(Duration::from_secs(7_200));
    let found = all(&ground, tenant, "the one that leads is overdue", |found| found[0].overdue).await;
    assert!(!found[1].overdue);
    let mut calls = follow_ups(&ground, tenant);
    let comment = CommentFollowUpRequest {
        follow_up_id: before[1].follow_up_id.clone(),
        text: "both at once".to_owned(),
        ..CommentFollowUpRequest::default()
    };
    calls.comment_follow_up(comment).await.expect("noted");
    calls.resolve_follow_up(resolve(&before[0], "late delivery")).await.expect("resolved");
    let found = all(&ground, tenant, "both are resolved", |found| found[1].status() == FollowUpStatus::Resolved).await;
    assert_eq!((found[1].outcome(), found[1].root_cause.as_str()), (FollowUpOutcome::Recovered, "late delivery"));
    assert_eq!(found[1].resolve_time, found[0].resolve_time);
    teller.moved(&ground, tenant, &[&[one], &[two]], &[(two, one)]).await;
    submit(&ground, tenant, &survey, &by_id(two), 1).await;
    let found = all(&ground, tenant, "what is over stays so", |found| found.len() == 3).await;
    assert_eq!(found[1].status(), FollowUpStatus::Resolved);
    assert_eq!((found[2].subject_id.clone(), found[2].joined_to_follow_up_id.as_str()), (two.to_string(), ""));
    let reopen = |one: &FollowUp| ReopenFollowUpRequest {
        follow_up_id: one.follow_up_id.clone(),
        ..ReopenFollowUpRequest::default()
    };
    assert_eq!(reason(calls.reopen_follow_up(reopen(&found[1])).await), "INVALID_STATE");
    calls.resolve_follow_up(resolve(&found[2], "")).await.expect("resolved");
    let again = calls.reopen_follow_up(reopen(&found[1])).await.expect("open").into_inner();
    assert_eq!((again.status(), again.joined_to_follow_up_id.as_str()), (FollowUpStatus::Open, ""));
}
