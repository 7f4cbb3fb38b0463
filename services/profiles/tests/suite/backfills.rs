//! What a change of what is derived makes of customers: by an operation that can be followed and cancelled; by what
//! reads what, as if all were looked at; and with regard to those who object to being profiled.

use std::collections::BTreeSet;
use std::time::Duration;

use prost::Message as _;
use rapport_api::common::v1::{OperationProgress, OperationState, Processing};
use rapport_api::convert::timestamp;
use rapport_api::google::longrunning::{CancelOperationRequest, GetOperationRequest, Operation, operation};
use rapport_api::profiles::v1::*;
use rapport_data::Engine;
use rapport_kernel::{Clock as _, TenantId};
use rstest::rstest;

use crate::ground::*;
use crate::segments::*;
use crate::standing::objects;

fn named(name: &str) -> Operation {
    Operation { name: name.to_owned(), ..Operation::default() }
}

fn progress(operation: &Operation) -> OperationProgress {
    let metadata = operation.metadata.as_ref().expect("it says how far it is");
    OperationProgress::decode(metadata.value.as_slice()).expect("as the contract has it")
}

/// How many customers a back-fill looked at.
fn looked_at(operation: &Operation) -> i64 {
    let Some(operation::Result::Response(response)) = &operation.result else { panic!("{:?}", operation.result) };
    BackfillResult::decode(response.value.as_slice()).expect("as the contract has it").customers
}

async fn get(ground: &Ground, tenant: TenantId, segment: &str) -> Segment {
    let request = GetSegmentRequest { segment_id: segment.to_owned() };
    segments(ground, tenant).get_segment(request).await.expect("there").into_inner()
}

async fn people(ground: &Ground, tenant: TenantId, count: usize, gold: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for name in 0..count {
        let tier = if name < gold { "gold" } else { "none" };
        ids.push(customer(&ground.identify(tenant, states(&name.to_string(), &[("tier", tier)], 1)).await));
    }
    ids
}

/// Asks that a segment be changed in nothing.
fn same(segment: &Segment) -> UpdateSegmentRequest {
    UpdateSegmentRequest { segment: Some(segment.clone()), ..UpdateSegmentRequest::default() }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_changes_what_is_derived_names_the_operation_that_brings_it_to_customers(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    people(&ground, tenant, 5, 2).await;
    let mut client = segments(&ground, tenant);
    let made = client.create_segment(wants("Gold", "traits.tier == 'gold'")).await.expect("made").into_inner();
    let ended = ground.ended(tenant, named(&made.operation)).await;
    assert_eq!(looked_at(&ended), 5);
    let told = progress(&ended);
    assert_eq!((told.kind.as_str(), told.unit.as_str(), told.done, told.total), ("Backfill", "customers", 5, 5));
    let shown = get(&ground, tenant, &made.segment_id).await;
    assert_eq!((shown.operation.as_str(), shown.member_count), (made.operation.as_str(), 2));
    assert!(shown.backfill.expect("told").complete);
    // What customers cannot show of it is no work.
    let described = Segment { description: "Our best".to_owned(), ..made.clone() };
    let described = client.update_segment(same(&described)).await.expect("changed").into_inner();
    assert_eq!(described.operation, made.operation);
    let changed = Segment { condition: "traits.tier == 'none'".to_owned(), etag: String::new(), ..described };
    let changed = client.update_segment(same(&changed)).await.expect("changed").into_inner();
    assert_ne!(changed.operation, made.operation);
    assert_eq!(looked_at(&ground.ended(tenant, named(&changed.operation)).await), 5);
    assert_eq!(get(&ground, tenant, &made.segment_id).await.member_count, 3);
    declare(&ground, tenant, "spent", ComputedAggregate::Sum, None).await;
    let request = GetTraitDefinitionRequest { name: "spent".to_owned() };
    let spent = ground.traits(tenant).get_trait_definition(request).await.expect("told").into_inner();
    assert_eq!(looked_at(&ground.ended(tenant, named(&spent.operation)).await), 5);
    let stage = LifecycleStage { name: "all".to_owned(), condition: "true".to_owned(), ..LifecycleStage::default() };
    let lifecycle = Some(Lifecycle { stages: vec![stage], ..Lifecycle::default() });
    let request = UpdateLifecycleRequest { lifecycle, ..UpdateLifecycleRequest::default() };
    let lifecycle = client.update_lifecycle(request).await.expect("changed").into_inner();
    assert_eq!(looked_at(&ground.ended(tenant, named(&lifecycle.operation)).await), 5);
    let delete = DeleteSegmentRequest { segment_id: made.segment_id, ..DeleteSegmentRequest::default() };
    let deleted = client.delete_segment(delete).await.expect("deleted").into_inner();
    assert_eq!(looked_at(&ground.ended(tenant, named(&deleted.operation)).await), 5);
    let definition = TraitDefinition {
        name: "tier".to_owned(),
        r#type: TraitType::Text.into(),
        survivorship: Survivorship::First.into(),
        ..TraitDefinition::default()
    };
    let request = CreateTraitDefinitionRequest { trait_definition: Some(definition), ..Default::default() };
    let declared = ground.traits(tenant).create_trait_definition(request).await.expect("declared").into_inner();
    assert_eq!(looked_at(&ground.ended(tenant, named(&declared.operation)).await), 5);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_back_fill_leaves_the_definition_and_is_begun_again_on_demand(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let ids = people(&ground, tenant, 700, 3).await;
    let mut client = segments(&ground, tenant);
    let first = client.create_segment(wants("All", "true")).await.expect("made").into_inner();
    // One goes through all customers at a time: the next waits while this one is at it.
    while get(&ground, tenant, &first.segment_id).await.member_count == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let request = GetOperationRequest { name: first.operation.clone() };
    let under_way = ground.operations(tenant).get_operation(request).await.expect("there").into_inner();
    assert_eq!(progress(&under_way).state(), OperationState::Running, "it takes a while");
    let gold = client.create_segment(wants("Gold", "traits.tier == 'gold'")).await.expect("made").into_inner();
    assert_ne!(gold.operation, first.operation);
    let cancel = CancelOperationRequest { name: gold.operation.clone() };
    ground.operations(tenant).cancel_operation(cancel).await.expect("cancelled");
    let cancelled = ground.ended(tenant, named(&gold.operation)).await;
    assert_eq!(progress(&cancelled).state(), OperationState::Cancelled);
    assert_eq!(looked_at(&ground.ended(tenant, named(&first.operation)).await), 700);
    assert_eq!(get(&ground, tenant, &first.segment_id).await.member_count, 700);
    let left = get(&ground, tenant, &gold.segment_id).await.backfill.expect("told");
    assert!(!left.complete && left.remaining > 0, "{left:?}");
    // Whoever changes is derived by it all the same.
    ground.identify(tenant, states("500", &[("tier", "gold")], 2)).await;
    assert!(names_of(&ground, tenant, &ids[500]).await.contains(&"Gold".to_owned()));
    let again = client.update_segment(same(&gold)).await.expect("nothing changes").into_inner();
    assert!(again.operation != gold.operation && again.etag == gold.etag);
    let rest = looked_at(&ground.ended(tenant, named(&again.operation)).await);
    assert!(rest > 0 && rest <= left.remaining, "{rest} of {}", left.remaining);
    let shown = filled(&ground, tenant, &gold.segment_id).await;
    assert_eq!((shown.member_count, shown.operation), (4, again.operation.clone()));
    // Once it is done there is nothing to begin again.
    assert_eq!(client.update_segment(same(&gold)).await.expect("same").into_inner().operation, again.operation);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_objects_to_being_profiled_is_in_operational_segments_alone(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let ids = people(&ground, tenant, 2, 2).await;
    let gold = make(&ground, tenant, "Gold", "traits.tier == 'gold'").await;
    let mut recall = wants("Recall", "traits.tier == 'gold'");
    if let Some(segment) = &mut recall.segment {
        segment.purpose = SegmentPurpose::Operational.into();
    }
    let recall = segments(&ground, tenant).create_segment(recall).await.expect("made").into_inner();
    assert_eq!(recall.purpose(), SegmentPurpose::Operational);
    assert_eq!(get(&ground, tenant, &gold).await.purpose(), SegmentPurpose::Profiling);
    filled(&ground, tenant, &recall.segment_id).await;
    let restrict = async |withdraw: bool| {
        ground.wait(1);
        let request = objects(by_id(&ids[0]), &[Processing::Profiling], withdraw);
        let profile = ground.profiles(tenant).restrict_processing(request).await.expect("heard").into_inner();
        let names: Vec<String> = profile.segments.into_iter().map(|segment| segment.name).collect();
        (names, profile.lifecycle_stage)
    };
    let all = ["Gold".to_owned(), "Recall".to_owned()];
    assert_eq!(names_of(&ground, tenant, &ids[0]).await, all);
    assert_eq!(restrict(false).await, (vec!["Recall".to_owned()], String::new()));
    assert_eq!(members(&ground, tenant, &gold).await, BTreeSet::from([ids[1].clone()]));
    // Neither what happens, nor a new segment, nor another statement of its brings it in.
    make(&ground, tenant, "Late", "true").await;
    until(&ground, tenant, &ids[1], &["Gold", "Late", "Recall"]).await;
    buys(&ground, tenant, &ids[0], "a", 1, 5).await;
    ground.identify(tenant, states("0", &[("tier", "gold"), ("x", "y")], 3)).await;
    assert_eq!(names_of(&ground, tenant, &ids[0]).await, ["Recall"]);
    let preview = async |purpose: SegmentPurpose| {
        let condition = "traits.tier == 'gold'".to_owned();
        let request = PreviewSegmentRequest { condition, purpose: purpose.into(), ..PreviewSegmentRequest::default() };
        let found = segments(&ground, tenant).preview_segment(request).await.expect("found").into_inner();
        (found.count, found.objecting_count)
    };
    assert_eq!(preview(SegmentPurpose::Unspecified).await, (1, 1));
    assert_eq!(preview(SegmentPurpose::Operational).await, (2, 0));
    let (names, stage) = restrict(true).await;
    assert_eq!((names, stage.as_str()), (vec!["Gold".to_owned(), "Late".to_owned(), "Recall".to_owned()], "new"));
    assert_eq!(members(&ground, tenant, &gold).await, ids.iter().cloned().collect());
    // A segment that no longer profiles takes in whoever objects.
    restrict(false).await;
    let open = Segment { purpose: SegmentPurpose::Operational.into(), ..get(&ground, tenant, &gold).await };
    let open = segments(&ground, tenant).update_segment(same(&open)).await.expect("changed").into_inner();
    ground.ended(tenant, named(&open.operation)).await;
    until(&ground, tenant, &ids[0], &["Gold", "Recall"]).await;
}

/// What segments may read, and pairs of them that must hold the same customers.
const CONDITIONS: [&str; 14] = [
    "has(traits.spent) && traits.spent >= 20.0",
    "events.purchase.map(event, event.money.EUR).sum() >= 20.0",
    "has(traits.tier) && traits.tier == 'gold'",
    "has(customer.traits.tier) && customer.traits.tier == 'gold'",
    "events.purchase.within(duration('240h')).size() >= 2",
    "events.purchase.size() > 0 && now - events.purchase.last().at > duration('240h')",
    "timeline.size() == 1",
    "events.purchase.size() == 1",
    "lifecycle_stage == 'new'",
    "lifecycle_stage == 'active' && has(traits.tier)",
    "lifecycle_stage == 'active' && customer.traits.exists(name, name == 'tier')",
    "'marketing' in restrictions",
    "has(traits.tier) && traits.tier == 'silver' && events.purchase.size() > 1",
    "events.visit.size() == 0",
];
const PAIRS: [(usize, usize); 3] = [(2, 3), (6, 7), (9, 10)];

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_were_followed_are_those_that_a_fresh_look_finds(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    declare(&ground, tenant, "spent", ComputedAggregate::Sum, None).await;
    let mut ids = people(&ground, tenant, 6, 2).await;
    let mut made = Vec::new();
    for (number, condition) in CONDITIONS.iter().enumerate() {
        made.push(make(&ground, tenant, &format!("{number}"), condition).await);
    }
    filled(&ground, tenant, made.last().expect("some")).await;
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut roll = |sides: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % sides
    };
    for round in 0..60_u64 {
        let who = usize::try_from(roll(6)).expect("small");
        match roll(8) {
            0..=2 => {
                let days = i64::try_from(roll(12)).expect("small");
                buys(&ground, tenant, &ids[who], &format!("p{round}"), days, 8).await;
            }
            3 | 4 => {
                let tier = ["gold", "silver", "none"][usize::try_from(roll(3)).expect("small")];
                let seconds = 10 + i64::try_from(round).expect("small");
                ground.identify(tenant, states(&who.to_string(), &[("tier", tier)], seconds)).await;
            }
            5 => {
                let request = objects(by_id(&ids[who]), &[Processing::Marketing], roll(2) == 0);
                ground.profiles(tenant).restrict_processing(request).await.expect("heard");
            }
            6 => {
                let (source, external_id) = ("shop".to_owned(), format!("p{}", roll(round.max(1))));
                let request = DeleteInteractionRequest { source, external_id, ..DeleteInteractionRequest::default() };
                // There may be none of that number.
                drop(ground.interactions(tenant).delete_interaction(request).await);
            }
            _ => ground.wait(86_400 * (1 + roll(9))),
        }
        if round % 6 == 5 {
            agree(&ground, tenant, &made).await;
        }
    }
    ids.sort();
    assert!(members(&ground, tenant, &made[13]).await.iter().eq(&ids), "nobody was here");
    for (left, right) in PAIRS {
        let (left, right) = (members(&ground, tenant, &made[left]).await, members(&ground, tenant, &made[right]).await);
        assert_eq!(left, right);
    }
}

/// Waits until the members of each segment are those whom its condition finds when all are looked at.
async fn agree(ground: &Ground, tenant: TenantId, made: &[String]) {
    for (segment, condition) in made.iter().zip(CONDITIONS) {
        let (mut held, mut found) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..4_000 {
            let at = Some(timestamp(ground.clock.now()));
            let condition = condition.to_owned();
            let request = PreviewSegmentRequest { condition, at, sample_size: 100, ..PreviewSegmentRequest::default() };
            let shown = segments(ground, tenant).preview_segment(request).await.expect("found").into_inner();
            held = members(ground, tenant, segment).await;
            found = shown.sample_customer_ids.into_iter().collect();
            if held == found {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(held, found, "of {condition}");
    }
}
