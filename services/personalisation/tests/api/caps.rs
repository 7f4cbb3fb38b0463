//! Caps: strict however many decide at once, over all subjects that are the customer.

use std::collections::BTreeMap;
use std::time::Duration;

use rapport_api::personalisation::v1::{DecideRequest, Decision};
use rapport_kernel::SubjectId;
use tonic::{Code, Status};

use crate::world::{World, ask, capped, refusal};

async fn at_once(worlds: &[&World], requests: impl Iterator<Item = DecideRequest>) -> Vec<Result<Decision, Status>> {
    let calls = requests.enumerate().map(|(at, request)| {
        let mut calls = worlds[at % worlds.len()].decisions();
        tokio::spawn(async move { calls.decide(request).await.map(tonic::Response::into_inner) })
    });
    let mut answers = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        answers.push(call.await.expect("no panic"));
    }
    answers
}

fn chosen(answers: &[Result<Decision, Status>]) -> usize {
    answers.iter().filter_map(|answer| answer.as_ref().ok()).map(|decision| decision.actions.len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_decisions_at_once_keep_to_the_cap_and_all_are_answered() {
    for world in World::both().await {
        let customer = world.customers.add(&[]);
        world.create(capped("seven times", 7)).await;
        let answers = at_once(&[&world], (0..100).map(|_| ask(customer))).await;
        assert!(answers.iter().all(Result::is_ok), "in one process they take turns");
        assert_eq!(chosen(&answers), 7);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_at_once_keep_to_the_cap() {
    let world = World::on_postgres().await;
    let other = world.beside().await;
    for _ in 0..3 {
        world.create(capped(&SubjectId::new().to_string(), 5)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let customer = world.customers.add(&[]);
    let requests = (0..100).map(|at| DecideRequest { count: 1 + at % 3, ..ask(customer) });
    let answers = at_once(&[&world, &other], requests).await;
    for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!(refused.code(), Code::Aborted, "the only way to lose: {refused:?}");
    }
    assert!(chosen(&answers) <= 15);
    // What was lost for contention can be had now; not one more than the caps allow.
    let more = at_once(&[&world, &other], (0..20).map(|_| DecideRequest { count: 3, ..ask(customer) })).await;
    assert_eq!(chosen(&answers) + chosen(&more), 15);
    other.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_unites_what_was_had_and_a_split_parts_it_again() {
    for world in World::both().await {
        world.create(capped("twice", 2)).await;
        let (first, second) = (world.customers.add(&[]), world.customers.add(&[]));
        let had = async |customer| {
            let request = DecideRequest { min_revision: 2, ..ask(customer) };
            world.decisions().decide(request).await.expect("a decision").into_inner().actions.len()
        };
        for customer in [first, second] {
            world.decisions().decide(ask(customer)).await.expect("a decision");
        }
        world.customers.put(first, 2, &[first, second], BTreeMap::new());
        assert_eq!((had(first).await, had(second).await), (0, 0), "together they had it twice");

        world.customers.put(first, 3, &[first], BTreeMap::new());
        world.customers.put(second, 3, &[second], BTreeMap::new());
        tokio::time::sleep(Duration::from_millis(1_050)).await;
        assert_eq!((had(first).await, had(second).await), (1, 1), "each had it once");
        assert_eq!((had(first).await, had(second).await), (0, 0));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_names_of_one_customer_share_one_cap() {
    for world in World::both().await {
        world.create(capped("four times", 4)).await;
        let subjects: Vec<SubjectId> = (0..5).map(|_| SubjectId::new()).collect();
        world.customers.put(subjects[0], 1, &subjects, BTreeMap::new());
        // Those of other names do not take turns with each other: only the ledger's versions hold them apart.
        let mut had = 0;
        for _ in 0..10 {
            let answers = at_once(&[&world], subjects.iter().map(|subject| ask(*subject))).await;
            had += chosen(&answers);
        }
        assert_eq!(had, 4);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_is_counted_as_a_short_one() {
    for world in World::both().await {
        let often = world.create(capped("often", 90)).await;
        world.create(capped("also often", 70)).await;
        let customer = world.customers.add(&[]);
        let mut had = 0;
        for _ in 0..100 {
            let request = DecideRequest { count: 2, ..ask(customer) };
            let decision = world.decisions().decide(request).await.expect("a decision").into_inner();
            had += decision.actions.iter().filter(|chosen| chosen.action_id == often.action_id).count();
        }
        assert_eq!(had, 90);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_count_and_more_than_twenty_are_refused() {
    let world = World::on_sqlite().await;
    let customer = world.customers.add(&[]);
    for count in [-1, 21] {
        let (code, _, fields) = refusal(world.decisions().decide(DecideRequest { count, ..ask(customer) }).await);
        assert_eq!((code, &*fields[0].0), (Code::InvalidArgument, "count"));
    }
    world.stop().await;
}
