//! Forgetting.

use std::collections::BTreeMap;

use rapport_api::common::v1::{EraseSubjectsRequest, EraseSubjectsResponse};
use rapport_api::personalisation::v1::{DecideRequest, Decision, GetDecisionRequest, ReplayDecisionRequest};
use rapport_harness::{Statements, scans};
use rapport_kernel::SubjectId;
use tonic::Code;

use crate::world::{World, ask, capped, refusal, request_id};

async fn erase(world: &World, subjects: &[SubjectId]) -> EraseSubjectsResponse {
    let request = EraseSubjectsRequest {
        erasure_id: request_id(),
        subject_ids: subjects.iter().map(ToString::to_string).collect(),
        requested_at: Some(rapport_api::convert::timestamp(world.platform.clock.now())),
    };
    world.erasures().erase_subjects(request).await.expect("erased").into_inner()
}

async fn decide(world: &World, request: DecideRequest) -> Decision {
    world.decisions().decide(request).await.expect("a decision").into_inner()
}

async fn is_erased(world: &World, decision: &Decision) -> bool {
    let decision_id = decision.decision_id.clone();
    let mut calls = world.decisions();
    let got = calls.get_decision(GetDecisionRequest { decision_id: decision_id.clone() }).await;
    let replayed = calls.replay_decision(ReplayDecisionRequest { decision_id }).await;
    match (got, replayed) {
        (Ok(got), Ok(replayed)) => {
            assert!(replayed.into_inner().identical && got.into_inner() == *decision);
            false
        }
        (got, replayed) => {
            for refused in [refusal(got), refusal(replayed)] {
                assert_eq!((refused.0, &*refused.1), (Code::FailedPrecondition, "ERASED"));
            }
            true
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_erasure_nothing_is_left_but_that_there_was_something() {
    for world in World::both().await {
        world.create(capped("twice", 2)).await;
        let (customer, other) = (world.customers.add(&[]), world.customers.add(&[]));
        let request = DecideRequest { request_id: request_id(), ..ask(customer) };
        let (with, without) = (decide(&world, request.clone()).await, decide(&world, ask(customer)).await);
        let (nothing, others) = (decide(&world, ask(customer)).await, decide(&world, ask(other)).await);
        assert!(nothing.actions.is_empty());

        let erased = erase(&world, &[customer]).await;
        // Three decisions and two ledger entries.
        assert_eq!(erased.deleted_rows, 5);
        // The bus lets go of what the relay has settled: whoever asks, asks until it has.
        let mut clear = erased.bus_clear;
        for _ in 0..800 {
            if clear {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            clear = erase(&world, &[customer]).await.bus_clear;
        }
        assert!(clear, "the bus lets go of it");
        for decision in [&with, &without, &nothing] {
            assert!(is_erased(&world, decision).await);
        }
        assert!(!is_erased(&world, &others).await);
        // Profiles' answer may still be a second old: no decision is made from it.
        for late in [ask(customer), request, DecideRequest { dry_run: true, ..ask(customer) }] {
            let (code, reason, _) = refusal(world.decisions().decide(late).await);
            assert_eq!((code, &*reason), (Code::FailedPrecondition, "ERASED"));
        }
        assert_eq!(erase(&world, &[customer]).await.deleted_rows, 0, "harmless when repeated");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_made_from_the_data_of_an_erased_subject_goes_too() {
    for world in World::both().await {
        world.create(capped("often", 9)).await;
        let (first, second) = (world.customers.add(&[]), world.customers.add(&[]));
        let before = decide(&world, ask(first)).await;
        world.customers.put(first, 2, &[first, second], BTreeMap::new());
        let together = decide(&world, DecideRequest { min_revision: 2, ..ask(first) }).await;
        world.customers.put(first, 3, &[first], BTreeMap::new());
        world.customers.put(second, 3, &[second], BTreeMap::new());

        erase(&world, &[second]).await;
        assert!(is_erased(&world, &together).await, "it holds what was known of both");
        assert!(!is_erased(&world, &before).await);
        let after = decide(&world, DecideRequest { min_revision: 3, ..ask(first) }).await;
        assert!(after.actions[0].reasons[2].starts_with("the customer had it 2 times"), "its own ledger stays");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_among_decisions_leaves_none_behind() {
    for world in World::both().await {
        world.create(capped("once", 1)).await;
        let customer = world.customers.add(&[]);
        let calls = (0..40).map(|at| {
            let mut calls = world.decisions();
            let request =
                if at % 2 == 0 { ask(customer) } else { DecideRequest { channel: "tv".to_owned(), ..ask(customer) } };
            tokio::spawn(async move { calls.decide(request).await.map(tonic::Response::into_inner) })
        });
        let calls: Vec<_> = calls.collect();
        erase(&world, &[customer]).await;
        for call in calls {
            match call.await.expect("no panic") {
                Ok(decision) => assert!(is_erased(&world, &decision).await),
                Err(refused) => assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}"),
            }
        }
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_let_go_of_when_its_time_is_over_and_what_a_cap_counts_is_not() {
    for world in World::forgetful().await {
        world.create(capped("once", 1)).await;
        let customer = world.customers.add(&[]);
        let decision = decide(&world, ask(customer)).await;
        assert_eq!(decision.actions.len(), 1);
        let mut gone = false;
        for _ in 0..400 {
            let request = GetDecisionRequest { decision_id: decision.decision_id.clone() };
            gone = world.decisions().get_decision(request).await.is_err_and(|status| status.code() == Code::NotFound);
            if gone {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert!(gone, "it is swept");
        assert!(decide(&world, ask(customer)).await.actions.is_empty(), "its cap of an hour still counts");
    }
}

#[tokio::test]
async fn an_erasure_reads_no_whole_table() {
    let world = World::on_sqlite().await;
    world.create(capped("twice", 2)).await;
    let customer = world.customers.add(&[]);
    decide(&world, ask(customer)).await;
    let said = Statements::listen();
    erase(&world, &[customer]).await;
    let erasing = said.take();
    assert!(erasing.iter().any(|text| text.starts_with("DELETE FROM ledger")), "{erasing:#?}");
    let folder = world.folder.clone().expect("on SQLite");
    let small = ["relay", "lease", "known_tenant", "outbox_pending", "batch", "numbered", "oldest", "json_each"];
    let found = scans(&folder.path().join("personalisation.db"), &erasing, &small).await;
    assert!(found.is_empty(), "{found:#?}");
}
