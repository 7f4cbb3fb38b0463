//! Deciding, showing and making again.

use std::collections::BTreeMap;
use std::time::Duration;

use rapport_api::personalisation::v1::{
    Action, DecideRequest, Decision, DeleteActionRequest, FunnelTier, GetDecisionRequest, ReplayDecisionRequest,
    UpdateActionRequest,
};
use rapport_kernel::{SubjectId, TenantId};
use tonic::Code;

use crate::world::{World, action, ask, ask_by_email, capped, micros, refusal, request_id, text};

async fn decide(world: &World, request: DecideRequest) -> Decision {
    world.decisions().decide(request).await.expect("a decision").into_inner()
}

fn get(decision: &Decision) -> GetDecisionRequest {
    GetDecisionRequest { decision_id: decision.decision_id.clone() }
}

fn replay(decision: &Decision) -> ReplayDecisionRequest {
    ReplayDecisionRequest { decision_id: decision.decision_id.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_goes_through_the_funnel_and_says_why() {
    for world in World::both().await {
        let customer = world.customers.add(&[("plan", text("gold"))]);
        let gold = Action { eligibility: "customer.traits.plan == 'gold'".to_owned(), ..capped("gold", 1) };
        let gold = world.create(gold).await;
        let silver = Action { eligibility: "customer.traits.plan == 'silver'".to_owned(), ..action("silver") };
        world.create(silver).await;
        world.create(Action { channels: vec!["email".to_owned()], ..action("mail") }).await;
        world.create(Action { eligibility: "context.basket > 100".to_owned(), ..action("basket") }).await;

        let request = DecideRequest { explain: true, placement: "home".to_owned(), ..ask(customer) };
        let first = decide(&world, request.clone()).await;
        assert_eq!(first.actions.len(), 1);
        let chosen = &first.actions[0];
        assert_eq!((&chosen.action_id, &*chosen.name), (&gold.action_id, "gold"));
        assert_eq!((chosen.propensity, chosen.value, chosen.priority, chosen.probability), (0.5, 10.0, 5.0, 1.0));
        assert_eq!(chosen.reasons.len(), 4);
        assert_eq!((first.candidates, first.policy_version, first.profile_revision), (4, 4, 1));
        assert_eq!((&first.customer_id, &first.subject_id), (&customer.to_string(), &customer.to_string()));
        let tier = |decision: &Decision, name: &str| {
            decision.left_out.iter().find(|left| left.name == name).map(|left| left.tier)
        };
        assert_eq!(tier(&first, "silver"), Some(FunnelTier::Eligibility.into()));
        assert_eq!(tier(&first, "mail"), Some(FunnelTier::Placement.into()));
        assert_eq!(tier(&first, "basket"), Some(FunnelTier::Eligibility.into()));

        let second = decide(&world, request).await;
        assert!(second.actions.is_empty(), "the cap holds");
        assert_eq!(tier(&second, "gold"), Some(FunnelTier::Cap.into()));
        for decision in [first, second] {
            assert_eq!(world.decisions().get_decision(get(&decision)).await.expect("kept").into_inner(), decision);
        }
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_comes_out_the_same_to_the_byte_after_everything_changed() {
    for world in World::both().await {
        let customer = world.customers.add(&[("plan", text("gold"))]);
        let mut actions = Vec::new();
        for at in 0..8 {
            let eligibility = if at % 2 == 0 { "customer.traits.plan == 'gold'" } else { "context.page == 'home'" };
            let eligibility = eligibility.to_owned();
            let made = Action { value: f64::from(at) + 0.1, eligibility, ..capped(&format!("action {at}"), 2) };
            actions.push(world.create(made).await);
        }
        let context = BTreeMap::from([("page".to_owned(), text("home"))]);
        let mut decisions = Vec::new();
        for count in 1..=6 {
            let explain = count % 2 == 0;
            let request = DecideRequest { count, explain, context: context.clone(), ..ask(customer) };
            decisions.push(decide(&world, request).await);
        }
        assert!(decisions.iter().any(|decision| !decision.actions.is_empty()));

        world.customers.put(customer, 2, &[customer], BTreeMap::new());
        for (at, action) in actions.into_iter().enumerate() {
            if at % 2 == 0 {
                let changed = Action { value: 1_000.0, eligibility: "false".to_owned(), cap: None, ..action };
                let update = UpdateActionRequest { action: Some(changed), ..UpdateActionRequest::default() };
                world.actions().update_action(update).await.expect("changed");
            } else {
                let delete = DeleteActionRequest { action_id: action.action_id, ..DeleteActionRequest::default() };
                world.actions().delete_action(delete).await.expect("deleted");
            }
        }
        for decision in decisions {
            let again = world.decisions().replay_decision(replay(&decision)).await.expect("made again").into_inner();
            assert!(again.identical);
            let explained = again.decision.expect("it is told");
            assert_eq!(explained.actions, decision.actions);
            assert_eq!(explained.actions.len() + explained.left_out.len(), 8);
        }
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_calls_with_one_request_id_are_one_decision() {
    for world in World::both().await {
        let customer = world.customers.add(&[]);
        world.create(capped("thrice", 3)).await;
        let request = DecideRequest { request_id: request_id(), ..ask(customer) };
        let calls = (0..50).map(|_| {
            let (mut calls, request) = (world.decisions(), request.clone());
            tokio::spawn(async move { calls.decide(request).await })
        });
        let mut answers = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            answers.push(call.await.expect("no panic").expect("the decision").into_inner());
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        let left = DecideRequest { explain: true, dry_run: true, ..ask(customer) };
        assert!(decide(&world, left).await.actions[0].reasons[2].starts_with("the customer had it 1 times"));
        let other = DecideRequest { channel: "email".to_owned(), ..request };
        assert_eq!(refusal(world.decisions().decide(other).await).1, "IDEMPOTENCY_MISMATCH");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_leaves_no_trace_and_can_look_at_another_time() {
    for world in World::both().await {
        let customer = world.customers.add(&[]);
        let made = world.create(capped("once", 1)).await;
        let dry = DecideRequest { dry_run: true, ..ask(customer) };
        for _ in 0..3 {
            let decision = decide(&world, dry.clone()).await;
            assert!(decision.dry_run);
            assert_eq!(decision.actions.len(), 1);
            assert_eq!(refusal(world.decisions().get_decision(get(&decision)).await).0, Code::NotFound);
        }
        let committed = decide(&world, ask(customer)).await;
        assert_eq!(committed.actions.len(), 1);
        assert!(decide(&world, dry.clone()).await.actions.is_empty());
        // An hour after it was had it may be had again; before it was made it could not be.
        let at = |micros: i64| {
            let seconds = micros.div_euclid(1_000_000);
            let nanos = i32::try_from(micros.rem_euclid(1_000_000)).expect("small") * 1_000;
            DecideRequest { at: Some(prost_types::Timestamp { seconds, nanos }), ..dry.clone() }
        };
        let had = micros(committed.decided_at.as_ref());
        let hour = 3_600_000_000;
        assert_eq!(decide(&world, at(had + hour)).await.actions.len(), 1);
        assert!(decide(&world, at(had + hour - 1)).await.actions.is_empty());
        assert!(decide(&world, at(micros(made.create_time.as_ref()) - 1)).await.actions.is_empty());
        assert_eq!(decide(&world, at(had - 1)).await.actions.len(), 1, "it had not been had by then");

        let live = DecideRequest { dry_run: false, ..at(had) };
        assert_eq!(refusal(world.decisions().decide(live).await).2[0].0, "at");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_filed_under_the_subject_by_which_the_customer_was_named() {
    for world in World::both().await {
        world.create(action("a")).await;
        let (home, merged) = (SubjectId::new(), SubjectId::new());
        world.customers.put(home, 3, &[home, merged], BTreeMap::new());
        world.customers.carries("anna@example.com", merged);
        for (request, filed) in [(ask(home), home), (ask(merged), merged), (ask_by_email("anna@example.com"), merged)] {
            let decision = decide(&world, request).await;
            assert_eq!((decision.customer_id, decision.subject_id), (home.to_string(), filed.to_string()));
            assert_eq!(decision.profile_revision, 3);
        }
        let unknown = refusal(world.decisions().decide(ask(SubjectId::new())).await);
        assert_eq!((unknown.0, &*unknown.1), (Code::NotFound, "RESOURCE_NOT_FOUND"));
        let later = DecideRequest { min_revision: 4, ..ask(home) };
        assert_eq!(refusal(world.decisions().decide(later).await).1, "REVISION_NOT_REACHED");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_context_is_not_asked_for_again_within_a_second_unless_it_is_too_old() {
    let world = World::on_sqlite().await;
    world.create(action("a")).await;
    let customer = world.customers.add(&[]);
    for _ in 0..5 {
        decide(&world, ask(customer)).await;
    }
    assert!(world.customers.asked() < 5, "asked {} times", world.customers.asked());
    world.customers.put(customer, 2, &[customer], BTreeMap::new());
    let newer = decide(&world, DecideRequest { min_revision: 2, ..ask(customer) }).await;
    assert_eq!(newer.profile_revision, 2);
    world.customers.put(customer, 3, &[customer], BTreeMap::new());
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    assert_eq!(decide(&world, ask(customer)).await.profile_revision, 3);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_an_action_is_used_at_once_here_and_within_a_second_elsewhere() {
    let world = World::on_postgres().await;
    let other = world.beside().await;
    let customer = world.customers.add(&[]);
    assert!(decide(&other, ask(customer)).await.actions.is_empty());
    world.create(action("new")).await;
    assert_eq!(decide(&world, ask(customer)).await.actions.len(), 1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(decide(&other, ask(customer)).await.actions.len(), 1);
    other.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenant_sees_neither_actions_nor_decisions() {
    for mut world in World::both().await {
        world.create(action("a")).await;
        let customer = world.customers.add(&[]);
        let decision = decide(&world, ask(customer)).await;
        world.tenant = TenantId::new();
        assert_eq!(refusal(world.decisions().get_decision(get(&decision)).await).0, Code::NotFound);
        assert_eq!(refusal(world.decisions().replay_decision(replay(&decision)).await).0, Code::NotFound);
        assert_eq!(decide(&world, ask(customer)).await.candidates, 0);
        world.stop().await;
    }
}
