//! Segments, computed traits and stages: who is in them follows what is said, what happens, and the clock.

use std::collections::BTreeSet;
use std::time::Duration;

use rapport_api::convert::timestamp;
use rapport_api::google::r#type::Money;
use rapport_api::profiles::v1::computed_trait::Window;
use rapport_api::profiles::v1::segment_service_client::SegmentServiceClient;
use rapport_api::profiles::v1::*;
use rapport_data::Engine;
use rapport_kernel::{Clock as _, TenantId};
use rapport_platform::PeerChannel;
use rstest::rstest;

use crate::ground::*;
use crate::merges::{merge, split};

const DAY: u64 = 86_400;

pub fn segments(ground: &Ground, tenant: TenantId) -> SegmentServiceClient<PeerChannel> {
    SegmentServiceClient::new(ground.channel(tenant))
}

pub fn wants(name: &str, condition: &str) -> CreateSegmentRequest {
    let segment = Segment { name: name.to_owned(), condition: condition.to_owned(), ..Segment::default() };
    CreateSegmentRequest { request_id: String::new(), segment: Some(segment) }
}

pub async fn make(ground: &Ground, tenant: TenantId, name: &str, condition: &str) -> String {
    segments(ground, tenant).create_segment(wants(name, condition)).await.expect("made").into_inner().segment_id
}

/// A purchase of a customer, so many days before the tests' now (or after it, where negative).
pub async fn buys(ground: &Ground, tenant: TenantId, customer: &str, id: &str, days_ago: i64, euros: i64) {
    let now = ground.clock.now().micros() - days_ago * 86_400_000_000;
    let at = rapport_kernel::Timestamp::from_column(now);
    let interaction = Interaction {
        customer: Some(by_id(customer)),
        source: "shop".to_owned(),
        external_id: id.to_owned(),
        version: 1,
        r#type: "purchase".to_owned(),
        occurred_at: Some(timestamp(at)),
        value: Some(Money { currency_code: "EUR".to_owned(), units: euros, nanos: 0 }),
        ..Interaction::default()
    };
    let request = RecordInteractionRequest { interaction: Some(interaction), ..RecordInteractionRequest::default() };
    ground.interactions(tenant).record_interaction(request).await.expect("recorded");
}

pub async fn names_of(ground: &Ground, tenant: TenantId, customer: &str) -> Vec<String> {
    let profile = ground.get(tenant, by_id(customer)).await.expect("there");
    profile.segments.into_iter().map(|segment| segment.name).collect()
}

/// Waits until a customer is in exactly these segments.
pub async fn until(ground: &Ground, tenant: TenantId, customer: &str, expected: &[&str]) {
    let mut last = Vec::new();
    for _ in 0..4_000 {
        last = names_of(ground, tenant, customer).await;
        if last == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it is in {last:?}, not in {expected:?}");
}

pub async fn members(ground: &Ground, tenant: TenantId, segment: &str) -> BTreeSet<String> {
    let (mut found, mut token) = (BTreeSet::new(), String::new());
    loop {
        let request = ListSegmentMembersRequest {
            segment_id: segment.to_owned(),
            page_size: 2,
            page_token: token,
            ..ListSegmentMembersRequest::default()
        };
        let page = segments(ground, tenant).list_segment_members(request).await.expect("a page").into_inner();
        found.extend(page.members.into_iter().map(|member| member.customer_id));
        token = page.next_page_token;
        if token.is_empty() {
            return found;
        }
    }
}

pub async fn filled(ground: &Ground, tenant: TenantId, segment: &str) -> Segment {
    for _ in 0..4_000 {
        let request = GetSegmentRequest { segment_id: segment.to_owned() };
        let found = segments(ground, tenant).get_segment(request).await.expect("there").into_inner();
        if found.backfill.as_ref().is_some_and(|backfill| backfill.complete) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the back-fill ends");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn membership_follows_what_is_said_what_happens_and_the_clock(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    make(&ground, tenant, "Gold", "traits.tier == 'gold'").await;
    let buyers = make(&ground, tenant, "Buyers", "events.purchase.within(duration('720h')).size() >= 2").await;
    let gold = ground.identify(tenant, states("1", &[("tier", "gold")], 1)).await;
    let id = customer(&gold);
    let at_once: Vec<&str> = profile(&gold).segments.iter().map(|segment| segment.name.as_str()).collect();
    assert_eq!(at_once, ["Gold"], "what is said shows in the answer");
    buys(&ground, tenant, &id, "a", 10, 5).await;
    buys(&ground, tenant, &id, "b", 29, 5).await;
    until(&ground, tenant, &id, &["Buyers", "Gold"]).await;
    assert_eq!(members(&ground, tenant, &buyers).await, BTreeSet::from([id.clone()]));
    ground.identify(tenant, states("1", &[("tier", "silver")], 2)).await;
    until(&ground, tenant, &id, &["Buyers"]).await;
    ground.wait(DAY - 1);
    assert_eq!(names_of(&ground, tenant, &id).await, ["Buyers"], "the window is open for another second");
    ground.wait(1);
    assert!(names_of(&ground, tenant, &id).await.is_empty(), "a reader past the instant sees it pass");
    assert!(members(&ground, tenant, &buyers).await.is_empty());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_need_look_for_the_clock_to_be_followed(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let id = customer(&ground.record(tenant, "1", &[]).await);
    let segment = make(&ground, tenant, "Recent", "events.purchase.within(duration('48h')).size() > 0").await;
    buys(&ground, tenant, &id, "a", 1, 5).await;
    let is = async |expected: usize| {
        for _ in 0..4_000 {
            if members(&ground, tenant, &segment).await.len() == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("there are not {expected} members");
    };
    is(1).await;
    ground.wait(DAY);
    is(0).await;
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_there_is_a_founding_member_and_the_figures_add_up(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut ids = Vec::new();
    for name in 0..5 {
        let tier = if name < 3 { "gold" } else { "none" };
        ids.push(customer(&ground.identify(tenant, states(&name.to_string(), &[("tier", tier)], 1)).await));
    }
    ground.wait(60);
    let segment = make(&ground, tenant, "Gold", "traits.tier == 'gold'").await;
    let shown = filled(&ground, tenant, &segment).await;
    assert_eq!(shown.member_count, 3);
    assert_eq!(members(&ground, tenant, &segment).await, ids[..3].iter().cloned().collect());
    ground.wait(DAY);
    ground.identify(tenant, states("3", &[("tier", "gold")], 2)).await;
    ground.identify(tenant, states("0", &[("tier", "none")], 2)).await;
    ground.identify(tenant, states("new", &[("tier", "gold")], 2)).await;
    ground.wait(60);
    let request = GetSegmentDynamicsRequest::default();
    let mut found = segments(&ground, tenant).get_segment_dynamics(request).await.expect("figures").into_inner();
    let figures = found.segments.pop().expect("one segment");
    assert_eq!((figures.founding_members, figures.members_at_start), (3, 3));
    assert_eq!((figures.entries, figures.exits, figures.net_growth, figures.members_at_end), (2, 1, 1, 4));
    let sums = figures.periods.iter().map(|period| (period.entries, period.exits));
    assert_eq!(sums.fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)), (2, 1));
    assert_eq!(figures.periods.last().map(|period| period.members_at_end), Some(4));
    let then = ListSegmentMembersRequest {
        segment_id: segment.clone(),
        at: Some(timestamp(rapport_kernel::Timestamp::from_column(ground.clock.now().micros() - 3_600_000_000))),
        ..ListSegmentMembersRequest::default()
    };
    let then = segments(&ground, tenant).list_segment_members(then).await.expect("a page").into_inner().members;
    assert!(then.len() == 3 && then.iter().all(|member| member.founding));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_is_changed_renamed_and_deleted_with_all_that_follows(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let id = customer(&ground.identify(tenant, states("1", &[("tier", "gold")], 1)).await);
    let segment = make(&ground, tenant, "Tier", "traits.tier == 'silver'").await;
    let made = filled(&ground, tenant, &segment).await;
    assert_eq!(reason(segments(&ground, tenant).create_segment(wants("Tier", "true")).await), "RESOURCE_EXISTS");
    let broken = segments(&ground, tenant).create_segment(wants("", "traits.x == 1 && nonsense")).await;
    let fields: Vec<String> = violations(broken).into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["segment.name", "segment.condition"]);
    let broken = segments(&ground, tenant).create_segment(wants("X", "nonsense")).await;
    assert_eq!(reason(broken), "INVALID_CONDITION");
    let update = |etag: &str, name: &str, condition: &str, paths: &[&str]| UpdateSegmentRequest {
        segment: Some(Segment {
            segment_id: segment.clone(),
            etag: etag.to_owned(),
            name: name.to_owned(),
            condition: condition.to_owned(),
            ..Segment::default()
        }),
        update_mask: Some(prost_types::FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
        ..UpdateSegmentRequest::default()
    };
    let request = update(&made.etag, "", "traits.tier == 'gold'", &["condition"]);
    let changed = segments(&ground, tenant).update_segment(request.clone()).await.expect("changed").into_inner();
    assert_eq!(changed.name, "Tier");
    assert_eq!(reason(segments(&ground, tenant).update_segment(request).await), "STALE_ETAG");
    until(&ground, tenant, &id, &["Tier"]).await;
    let renamed = update("", "The best", "", &["name"]);
    segments(&ground, tenant).update_segment(renamed).await.expect("renamed");
    until(&ground, tenant, &id, &["The best"]).await;
    let foreign = GetSegmentRequest { segment_id: segment.clone() };
    assert_eq!(reason(segments(&ground, TenantId::new()).get_segment(foreign).await), "RESOURCE_NOT_FOUND");
    let delete = DeleteSegmentRequest { segment_id: segment.clone(), ..DeleteSegmentRequest::default() };
    segments(&ground, tenant).delete_segment(delete.clone()).await.expect("deleted");
    until(&ground, tenant, &id, &[]).await;
    assert_eq!(reason(segments(&ground, tenant).delete_segment(delete).await), "RESOURCE_NOT_FOUND");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_split_gives_back_the_segments_and_traits_of_before_a_merge(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    declare(&ground, tenant, "spent", ComputedAggregate::Sum, None).await;
    make(&ground, tenant, "Big", "has(traits.spent) && traits.spent >= 100.0").await;
    make(&ground, tenant, "Gold", "traits.tier == 'gold'").await;
    let one = customer(&ground.identify(tenant, states("1", &[("tier", "gold")], 2)).await);
    let two = customer(&ground.identify(tenant, states("2", &[("tier", "none")], 1)).await);
    buys(&ground, tenant, &one, "a", 3, 60).await;
    buys(&ground, tenant, &two, "b", 2, 50).await;
    spends(&ground, tenant, &one, 60.0).await;
    spends(&ground, tenant, &two, 50.0).await;
    let preview = PreviewMergeRequest { target: Some(by_id(&one)), sources: vec![by_id(&two)] };
    let preview = ground.profiles(tenant).preview_merge(preview).await.expect("shown").into_inner();
    let changes: BTreeSet<(String, String, bool)> =
        preview.segment_changes.into_iter().map(|change| (change.customer_id, change.name, change.entered)).collect();
    let change = |id: &str, name: &str, entered| (id.to_owned(), name.to_owned(), entered);
    let expected = [change(&one, "Big", true), change(&two, "Big", true), change(&two, "Gold", true)];
    assert_eq!(changes, BTreeSet::from(expected));
    let merged = ground.profiles(tenant).merge_profiles(merge(&one, &[&two])).await.expect("merged").into_inner();
    let in_both: Vec<String> =
        merged.profile.expect("a profile").segments.into_iter().map(|segment| segment.name).collect();
    assert_eq!(in_both, ["Big", "Gold"]);
    spends(&ground, tenant, &two, 110.0).await;
    ground.profiles(tenant).split_profile(split(&one, &["2"])).await.expect("split");
    assert_eq!(names_of(&ground, tenant, &one).await, ["Gold"]);
    assert!(names_of(&ground, tenant, &two).await.is_empty());
    spends(&ground, tenant, &one, 60.0).await;
    spends(&ground, tenant, &two, 50.0).await;
}

/// Who came to be a member after the segment was made is no founding member because it was merged and split since.
#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_split_makes_no_founding_members(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let one = customer(&ground.identify(tenant, states("1", &[("tier", "none")], 1)).await);
    let two = customer(&ground.identify(tenant, states("2", &[("tier", "none")], 1)).await);
    ground.wait(60);
    let segment = make(&ground, tenant, "Gold", "traits.tier == 'gold'").await;
    filled(&ground, tenant, &segment).await;
    ground.wait(60);
    ground.identify(tenant, states("2", &[("tier", "gold")], 2)).await;
    let entered = timestamp(ground.clock.now());
    ground.wait(60);
    ground.profiles(tenant).merge_profiles(merge(&one, &[&two])).await.expect("merged");
    ground.wait(60);
    ground.profiles(tenant).split_profile(split(&one, &["2"])).await.expect("split");
    let request = ListSegmentMembersRequest { segment_id: segment.clone(), ..ListSegmentMembersRequest::default() };
    let held = segments(&ground, tenant).list_segment_members(request).await.expect("a page").into_inner().members;
    let [member] = held.as_slice() else { panic!("one is gold") };
    assert_eq!((member.customer_id.as_str(), member.founding), (two.as_str(), false));
    assert_eq!(member.enter_time, Some(entered), "a split gives back since when it was there before the merge");
    let figures = GetSegmentDynamicsRequest::default();
    let figures = segments(&ground, tenant).get_segment_dynamics(figures).await.expect("figures").into_inner();
    assert_eq!(figures.segments[0].founding_members, 0);
}

pub async fn declare(
    ground: &Ground,
    tenant: TenantId,
    name: &str,
    aggregate: ComputedAggregate,
    window: Option<Window>,
) {
    let money = !matches!(aggregate, ComputedAggregate::Count);
    let computed = ComputedTrait {
        aggregate: aggregate.into(),
        interaction_type: "purchase".to_owned(),
        of: if money { "value".to_owned() } else { String::new() },
        currency: if money { "EUR".to_owned() } else { String::new() },
        window,
        ..ComputedTrait::default()
    };
    let definition = TraitDefinition {
        name: name.to_owned(),
        r#type: TraitType::Number.into(),
        computed: Some(computed),
        ..TraitDefinition::default()
    };
    let request = CreateTraitDefinitionRequest { request_id: String::new(), trait_definition: Some(definition) };
    ground.traits(tenant).create_trait_definition(request).await.expect("declared");
}

fn number(profile: &Profile, name: &str) -> Option<f64> {
    match profile.traits.get(name)?.value.as_ref()?.kind.as_ref()? {
        rapport_api::common::v1::value::Kind::NumberValue(number) => Some(*number),
        _ => None,
    }
}

/// Waits until the customer spent exactly so much.
pub async fn spends(ground: &Ground, tenant: TenantId, customer: &str, expected: f64) {
    let mut last = None;
    for _ in 0..4_000 {
        let profile = ground.get(tenant, by_id(customer)).await.expect("there");
        last = number(&profile, "spent");
        if last == Some(expected) {
            assert_eq!(profile.traits["spent"].source, "computed");
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{last:?} was spent, not {expected}");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_computed_trait_follows_events_their_correction_and_its_window(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let id = customer(&ground.record(tenant, "1", &[]).await);
    buys(&ground, tenant, &id, "a", 9, 20).await;
    let week = prost_types::Duration { seconds: 10 * 86_400, nanos: 0 };
    declare(&ground, tenant, "spent", ComputedAggregate::Sum, Some(Window::Sliding(week))).await;
    spends(&ground, tenant, &id, 20.0).await;
    buys(&ground, tenant, &id, "b", 1, 30).await;
    spends(&ground, tenant, &id, 50.0).await;
    let stated = ground.profiles(tenant).identify(states("1", &[("spent", "much")], 5)).await;
    let [(field, text)] = &violations(stated)[..] else { panic!("one rule is broken") };
    assert!(field == "traits[\"spent\"]" && text.contains("computed"));
    ground.wait(DAY);
    let profile = ground.get(tenant, by_id(&id)).await.expect("there");
    assert_eq!(number(&profile, "spent"), Some(30.0), "what left the window at this instant counts no more");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_is_the_first_that_holds_and_ages_by_itself(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let told = ground.record(tenant, "1", &[]).await;
    assert_eq!(profile(&told).lifecycle_stage, "prospect");
    let id = customer(&told);
    buys(&ground, tenant, &id, "a", 0, 5).await;
    let stage = async |expected: &str| {
        let mut last = String::new();
        for _ in 0..4_000 {
            last = ground.get(tenant, by_id(&id)).await.expect("there").lifecycle_stage;
            if last == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it is {last}, not {expected}");
    };
    stage("new").await;
    for (days, expected) in [(30, "active"), (60, "at_risk"), (90, "lapsed")] {
        ground.wait(days * DAY);
        stage(expected).await;
    }
    let mut client = segments(&ground, tenant);
    let held = client.get_lifecycle(GetLifecycleRequest {}).await.expect("told").into_inner();
    assert_eq!(held.stages.len(), 5);
    let all = LifecycleStage { name: "all".to_owned(), condition: "true".to_owned(), ..LifecycleStage::default() };
    let lifecycle = Lifecycle { stages: vec![all.clone()], etag: held.etag, ..Lifecycle::default() };
    let request = UpdateLifecycleRequest { lifecycle: Some(lifecycle), ..UpdateLifecycleRequest::default() };
    client.update_lifecycle(request.clone()).await.expect("changed");
    assert_eq!(reason(client.update_lifecycle(request).await), "STALE_ETAG");
    stage("all").await;
    let twice = Lifecycle { stages: vec![all.clone(), all], ..Lifecycle::default() };
    let request = UpdateLifecycleRequest { lifecycle: Some(twice), ..UpdateLifecycleRequest::default() };
    assert_eq!(violations(client.update_lifecycle(request).await)[0].0, "lifecycle.stages[1].name");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_counts_who_would_be_in_it(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    for name in 0..250 {
        let tier = if name % 5 == 0 { "gold" } else { "none" };
        ground.identify(tenant, states(&name.to_string(), &[("tier", tier)], 1)).await;
    }
    let id = customer(&ground.record(tenant, "shy", &[]).await);
    buys(&ground, tenant, &id, "a", 1, 5).await;
    let request = |condition: &str| PreviewSegmentRequest {
        condition: condition.to_owned(),
        sample_size: 3,
        ..PreviewSegmentRequest::default()
    };
    let mut client = segments(&ground, tenant);
    let found = client.preview_segment(request("traits.tier == 'gold'")).await.expect("found").into_inner();
    assert_eq!((found.count, found.examined, found.total, found.error_count), (50, 251, 251, 1));
    assert!(found.complete && found.estimated_count == 50 && found.sample_customer_ids.len() == 3);
    let found = client.preview_segment(request("events.purchase.size() > 0")).await.expect("found").into_inner();
    assert_eq!((found.count, found.sample_customer_ids), (1, vec![id]));
    let at = Some(timestamp(rapport_kernel::Timestamp::from_column(ground.clock.now().micros() + 864_000_000_000)));
    let later = PreviewSegmentRequest { at, ..request("events.purchase.within(duration('48h')).size() > 0") };
    assert_eq!(client.preview_segment(later).await.expect("found").into_inner().count, 0);
}

/// The next change that a watch tells of, and where to go on after it.
async fn change(stream: &mut tonic::Streaming<WatchSegmentResponse>) -> (SegmentChange, String) {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(20), stream.message()).await.expect("it is told in time");
        let told = next.expect("it goes on").expect("it does not end");
        if let Some(change) = told.change {
            return (change, told.resume_token);
        }
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_tells_each_entry_and_exit_once_and_goes_on_where_it_was_left(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let segment = make(&ground, tenant, "Gold", "traits.tier == 'gold'").await;
    let watch = |token: &str| WatchSegmentRequest { segment_id: segment.clone(), resume_token: token.to_owned() };
    let mut client = segments(&ground, tenant);
    let mut stream = client.watch_segment(watch("")).await.expect("a stream").into_inner();
    stream.message().await.expect("it begins").expect("with where it is");
    let (mut expected, mut told, mut token) = (Vec::new(), Vec::new(), String::new());
    for round in 0..6_i64 {
        let tier = if round % 2 == 0 { "gold" } else { "none" };
        let id = customer(&ground.identify(tenant, states("1", &[("tier", tier)], round)).await);
        let other = customer(&ground.identify(tenant, states(&format!("r{round}"), &[("tier", "gold")], 1)).await);
        expected.push((id, round % 2 == 0));
        expected.push((other, true));
        if round == 3 {
            // The stream breaks, and another goes on: with what came meanwhile.
            drop(stream);
            stream = client.watch_segment(watch(&token)).await.expect("a stream").into_inner();
        }
        if round != 2 {
            while told.len() < expected.len() {
                let (change, place) = change(&mut stream).await;
                told.push((change.customer_id.clone(), change.kind() == SegmentChangeKind::Entered));
                token = place;
            }
        }
    }
    let of = |all: &[(String, bool)], id: &str| -> Vec<bool> {
        all.iter().filter(|(customer, _)| customer == id).map(|(_, entered)| *entered).collect()
    };
    for (id, _) in &expected {
        assert_eq!(of(&told, id), of(&expected, id), "each customer's come once and in their order");
    }
    assert_eq!(told.len(), expected.len());
    let damaged = client.watch_segment(watch("nonsense")).await;
    assert_eq!(violations(damaged)[0].0, "resume_token");
    let foreign = segments(&ground, TenantId::new()).watch_segment(watch("")).await;
    assert_eq!(reason(foreign), "RESOURCE_NOT_FOUND");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scores_that_feedback_tells_of_are_part_of_the_profile_until_they_are_deleted(#[case] engine: Engine) {
    use rapport_api::events::v1::{Event, ResponseChanged, event::Payload};
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let made = ground.record(tenant, "1", &[]).await;
    make(&ground, tenant, "Unhappy", "has(scores.nps) && scores.nps <= 6.0").await;
    let response = |id: u128, score: i32, seconds: i64, revision: u64, deleted: bool| Event {
        event_id: uuid::Uuid::from_u128(1_000 * id + u128::from(revision)).to_string(),
        tenant: tenant.to_string(),
        subject_id: made.subject_id.clone(),
        aggregate_type: "response".to_owned(),
        aggregate_id: uuid::Uuid::from_u128(id).to_string(),
        revision,
        occurred_at: Some(at(seconds)),
        recorded_at: Some(at(seconds)),
        schema_version: 1,
        payload: Some(Payload::ResponseChanged(ResponseChanged {
            deleted,
            kind: "nps".to_owned(),
            score: Some(score),
            complete: true,
            ..ResponseChanged::default()
        })),
        ..Event::default()
    };
    let last = async |expected: &[i32]| {
        let mut found = Vec::new();
        for _ in 0..4_000 {
            let profile = ground.get(tenant, by_id(&customer(&made))).await.expect("there");
            found = profile.scores.unwrap_or_default().last_scores.iter().map(|last| last.score).collect();
            if found == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it scored {found:?}, not {expected:?}");
    };
    ground.tell("feedback", "derive", response(1, 9, 10, 1, false)).await;
    last(&[9]).await;
    ground.tell("feedback", "derive", response(2, 3, 20, 1, false)).await;
    last(&[3]).await;
    until(&ground, tenant, &customer(&made), &["Unhappy"]).await;
    ground.tell("feedback", "derive", response(2, 3, 20, 2, true)).await;
    ground.tell("feedback", "derive", response(2, 3, 20, 1, false)).await;
    last(&[9]).await;
    until(&ground, tenant, &customer(&made), &[]).await;
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_derived_of_who_was_erased_is_left(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let segment = make(&ground, tenant, "Recent", "events.purchase.within(duration('48h')).size() > 0").await;
    let made = ground.record(tenant, "1", &[]).await;
    buys(&ground, tenant, &customer(&made), "a", 1, 5).await;
    until(&ground, tenant, &customer(&made), &["Recent"]).await;
    crate::erasure::erase(&ground, tenant, &[&made.subject_id]).await;
    assert!(members(&ground, tenant, &segment).await.is_empty());
    let figures = GetSegmentDynamicsRequest::default();
    let figures = segments(&ground, tenant).get_segment_dynamics(figures).await.expect("figures").into_inner();
    assert_eq!((figures.segments[0].entries, figures.segments[0].exits), (0, 0));
    ground.wait(2 * DAY);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(reason(ground.get(tenant, by_id(&customer(&made))).await), "RESOURCE_NOT_FOUND");
}
