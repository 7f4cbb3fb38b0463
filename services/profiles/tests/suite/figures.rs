//! Figures that people watch are true: how well sources tell, how records come together, how segments grow.

use rapport_api::convert::timestamp;
use rapport_api::profiles::v1::{
    DeleteSourceRecordRequest, GetDataQualityRequest, GetIdentityHealthRequest, GetSegmentDynamicsRequest,
    IdentityHealth, ListSegmentMembersRequest, SegmentDynamics, SourceQuality,
};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, TenantId};
use rstest::rstest;

use crate::ground::*;
use crate::imports::import;
use crate::matching::people;
use crate::merges::{merge, split};
use crate::segments::{filled, make, segments};

const DAY: u64 = 86_400;

async fn quality(ground: &Ground, tenant: TenantId) -> SourceQuality {
    let request = GetDataQualityRequest { source: "crm".to_owned(), ..GetDataQualityRequest::default() };
    let answer = ground.catalogue(tenant).get_data_quality(request).await.expect("told").into_inner();
    answer.sources.into_iter().next().expect("it told of something")
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_that_were_made_before_are_duplicates_and_no_records(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let items: Vec<_> = (0..5).map(|at| states(&at.to_string(), &[("city", "Riga")], 1)).collect();
    import(&ground, tenant, items.clone()).await;
    let told = quality(&ground, tenant).await;
    assert_eq!((told.records, told.duplicates, told.records_without_strong_identifier), (5, 0, 5));
    import(&ground, tenant, items.clone()).await;
    ground.identify(tenant, items[0].clone()).await;
    // Said together, once more, of another time, and with a strong identifier: once each.
    let carries = |name: &str, seconds| states(name, &[("city", "Riga")], seconds);
    let mut with = carries("6", 1);
    with.identifiers = says("6", &[("email", "six@example.com")]).identifiers;
    import(&ground, tenant, vec![carries("0", 2), carries("0", 2), with.clone(), with]).await;
    let told = quality(&ground, tenant).await;
    assert_eq!((told.records, told.duplicates, told.records_without_strong_identifier), (7, 8, 6));
    assert_eq!((told.accepted, told.rejected), (0, 0));
}

async fn health(ground: &Ground, tenant: TenantId) -> IdentityHealth {
    let request = GetIdentityHealthRequest::default();
    ground.identity(tenant).get_identity_health(request).await.expect("told").into_inner()
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_merge_rate_tells_what_is_joined_by_now_whenever_it_was(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    assert_eq!(health(&ground, tenant).await.merge_rate, 0.0);
    let first = customer(&ground.record(tenant, "1", &[("email", "a@example.com")]).await);
    ground.record(tenant, "2", &[("email", "a@example.com")]).await;
    let third = customer(&ground.record(tenant, "3", &[("user_id", "u-3")]).await);
    let fourth = customer(&ground.record(tenant, "4", &[]).await);
    let told = async || {
        let told = health(&ground, tenant).await;
        (told.new_records, told.joined_records, told.merge_rate)
    };
    assert_eq!(told().await, (4, 1, 0.25));
    ground.profiles(tenant).merge_profiles(merge(&first, &[&third, &fourth])).await.expect("merged");
    assert_eq!(told().await, (4, 3, 0.75), "joined later by a person");
    ground.profiles(tenant).split_profile(split(&first, &["3"])).await.expect("parted");
    assert_eq!(told().await, (4, 2, 0.5), "it came apart again");
    ground.record(tenant, "3", &[("customer_number", "K-1")]).await;
    assert_eq!(told().await, (4, 2, 0.5), "told of again, it is not new");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_merge_rate_counts_what_the_matcher_joined(#[case] engine: Engine) {
    let (ground, tenant, _, subjects) = people(engine).await;
    let mut customers = std::collections::BTreeSet::new();
    for subject in subjects.values() {
        customers.insert(ground.get(tenant, by_id(subject)).await.expect("there").customer_id);
    }
    let told = health(&ground, tenant).await;
    let (records, customers) = (subjects.len(), customers.len());
    assert!(customers * 10 < records * 6, "most are two records");
    assert_eq!(usize::try_from(told.new_records).expect("few"), records);
    assert_eq!(usize::try_from(told.joined_records).expect("few"), records - customers);
    assert!((told.merge_rate - (records - customers) as f64 / records as f64).abs() < 1e-9);
}

async fn dynamics(ground: &Ground, tenant: TenantId, request: GetSegmentDynamicsRequest) -> Vec<SegmentDynamics> {
    let answer = segments(ground, tenant).get_segment_dynamics(request).await.expect("figures").into_inner();
    let mut found = answer.segments;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_that_was_split_again_is_in_no_figure_of_the_time_of_both(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let founder = customer(&ground.identify(tenant, states("f", &[("tier", "gold"), ("rank", "9")], 1)).await);
    ground.wait(60);
    let gold = make(&ground, tenant, "1 gold", "traits.tier == 'gold'").await;
    // Whoever has both: only a merge makes such.
    make(&ground, tenant, "2 both", "traits.tier == 'gold' && traits.city == 'Riga'").await;
    filled(&ground, tenant, &gold).await;
    ground.wait(DAY);
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(customer(&ground.identify(tenant, states(name, &[("tier", "gold")], 2)).await));
    }
    let city = customer(&ground.identify(tenant, states("d", &[("city", "Riga")], 2)).await);
    ground.wait(60);
    let all = GetSegmentDynamicsRequest::default;
    let before = dynamics(&ground, tenant, all()).await;
    let line = |of: &SegmentDynamics| {
        (of.founding_members, of.members_at_start, of.entries, of.exits, of.members_at_end, of.net_growth)
    };
    assert_eq!(before.iter().map(line).collect::<Vec<_>>(), [(1, 1, 3, 0, 4, 3), (0, 0, 0, 0, 0, 0)]);
    let turn = async |name: &str| {
        ground.wait(2 * DAY);
        let merged = merge(&city, &[&ids[0], &ids[1], &founder]);
        ground.profiles(tenant).merge_profiles(merged).await.expect("merged");
        // Figures go to before now.
        ground.wait(60);
        let between = ground.clock.now();
        let held = dynamics(&ground, tenant, all()).await;
        assert_eq!((held[0].members_at_end, held[1].members_at_end), (2, 1), "{name}: they are one for now");
        ground.wait(2 * DAY);
        ground.profiles(tenant).split_profile(split(&city, &["a"])).await.expect("parted");
        ground.profiles(tenant).split_profile(split(&city, &["b"])).await.expect("parted");
        ground.profiles(tenant).split_profile(split(&city, &["f"])).await.expect("parted");
        ground.wait(60);
        between
    };
    turn("once").await;
    let between = turn("again").await;
    let after = dynamics(&ground, tenant, all()).await;
    assert_eq!(after.iter().map(line).collect::<Vec<_>>(), before.iter().map(line).collect::<Vec<_>>());
    for of in &after {
        let (entries, exits) = of.periods.iter().fold((0, 0), |sum, it| (sum.0 + it.entries, sum.1 + it.exits));
        assert_eq!((entries, exits), (of.entries, of.exits));
        assert!(of.periods.iter().all(|period| period.entries >= 0 && period.exits >= 0));
        assert_eq!(of.periods.last().map(|period| period.members_at_end), Some(of.members_at_end));
    }
    // Members are what was known then, and figures from then on add up to what there is.
    let request = ListSegmentMembersRequest {
        segment_id: gold.clone(),
        at: Some(timestamp(between)),
        ..ListSegmentMembersRequest::default()
    };
    let then = segments(&ground, tenant).list_segment_members(request.clone()).await.expect("a page").into_inner();
    assert_eq!(then.members.len(), 2);
    let later = GetSegmentDynamicsRequest { start_time: Some(timestamp(between)), ..all() };
    let later = dynamics(&ground, tenant, later).await;
    assert_eq!(line(&later[0]), (1, 2, 3, 1, 4, 2), "three came back into sight; the merged one went");
    let now = ListSegmentMembersRequest { at: None, ..request };
    let now = segments(&ground, tenant).list_segment_members(now).await.expect("a page").into_inner().members;
    let founding: Vec<_> = now.iter().filter(|it| it.founding).map(|it| it.customer_id.clone()).collect();
    assert_eq!((now.len(), founding), (4, vec![founder]));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_late_of_a_deleted_record_is_heard_and_shows_nowhere(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let tells = |city: &str, seconds: i64, identifiers: &[(&str, &str)]| {
        let mut request = states("1", &[("city", city)], seconds);
        request.identifiers = says("1", identifiers).identifiers;
        request
    };
    let first = ground.identify(tenant, tells("Riga", 10, &[("user_id", "u-1"), ("device_id", "d-1")])).await;
    let deletion = DeleteSourceRecordRequest {
        source: "crm".to_owned(),
        external_id: "1".to_owned(),
        observed_at: Some(at(20)),
        ..DeleteSourceRecordRequest::default()
    };
    let gone = ground.profiles(tenant).delete_source_record(deletion).await.expect("heard").into_inner();
    let id = customer(&first);
    for late in [
        tells("Oslo", 5, &[("user_id", "u-1")]),
        tells("Bern", 4, &[("device_id", "d-1")]),
        tells("Rome", 15, &[("user_id", "u-2")]),
        tells("Cork", 15, &[("device_id", "d-2")]),
        tells("Faro", 16, &[]),
    ] {
        ground.wait(10);
        let heard = ground.identify(tenant, late).await;
        assert!(*profile(&heard) == gone, "it is what it was, its revision and its time too");
        assert!(ground.get(tenant, by_id(&id)).await.expect("there") == gone);
    }
    let now = ground.get_as_of(tenant, by_id(&id), ground.clock.now()).await;
    assert!(now == gone, "the past of now is now");
    // It was heard all the same: it still names the customer, and what comes later finds it.
    assert_eq!(ground.get(tenant, by_identifier("user_id", "u-2")).await.expect("there").customer_id, id);
    ground.wait(10);
    let back = ground.identify(tenant, tells("Kyiv", 30, &[("user_id", "u-2"), ("user_id", "u-1")])).await;
    assert_eq!(
        (profile(&back).revision, trait_text(profile(&back), "city").as_deref()),
        (gone.revision + 1, Some("Kyiv"))
    );
    assert_eq!(profile(&back).identifiers.len(), 2);
    let now = ground.get_as_of(tenant, by_id(&id), ground.clock.now()).await;
    assert!(now == *profile(&back), "the past of now is now");
}
