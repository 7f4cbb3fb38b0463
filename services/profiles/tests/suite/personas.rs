//! Personas: planted groups are found again, everybody has its persona whatever happens to it, and people describe them.

use std::collections::{BTreeMap, BTreeSet};

use rapport_api::common::v1::{Value, value::Kind};
use rapport_api::events::v1::event::Payload;
use rapport_api::google::longrunning::operation::Result as End;
use rapport_api::profiles::v1::{
    DiscoverPersonasRequest, GetContextRequest, GetPersonaRequest, GetPersonaSetRequest, GetProfileRequest,
    IdentifyRequest, ListPersonaSetsRequest, ListPersonasRequest, Persona, PersonaSet, PersonaSetState, Profile,
    UnusedTraitReason, UpdatePersonaRequest,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;
use uuid::Uuid;

use crate::erasure::erase;
use crate::ground::*;
use crate::merges::{merge, split};

/// A number in [-1, 1], the same in every run.
pub fn noise(at: usize) -> f64 {
    let word = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    f64::from(u32::try_from(word >> 32).expect("half a word")) / f64::from(u32::MAX) * 2.0 - 1.0
}

pub fn number(value: f64) -> Value {
    Value { kind: Some(Kind::NumberValue(value)) }
}

/// A customer of one of three planted groups: those who spend and come seldom, those who come often, those who do neither.
pub fn planted(group: usize, at: usize) -> IdentifyRequest {
    let (revenue, visits, city, vip) =
        [(5_000.0, 4.0, "Oslo", true), (400.0, 40.0, "Berlin", false), (50.0, 2.0, "Riga", false)][group];
    let mut request = states(&format!("c{group}-{at}"), &[("city", city)], 1);
    request.traits.insert("revenue".to_owned(), number(revenue * (1.0 + 0.3 * noise(at * 3 + group))));
    request.traits.insert("visits".to_owned(), number(visits * (1.0 + 0.3 * noise(at * 7 + group + 500))));
    request.traits.insert("vip".to_owned(), Value { kind: Some(Kind::BoolValue(vip)) });
    request
}

/// Twenty, thirty and forty customers of the planted groups, with the group of each.
pub async fn population(ground: &Ground, tenant: TenantId) -> BTreeMap<String, usize> {
    let mut planted_in = BTreeMap::new();
    for (group, size) in [20, 30, 40].into_iter().enumerate() {
        for at in 0..size {
            planted_in.insert(customer(&ground.identify(tenant, planted(group, at)).await), group);
        }
    }
    planted_in
}

pub fn by_traits() -> DiscoverPersonasRequest {
    let traits = ["revenue", "visits", "city", "vip"].map(str::to_owned).to_vec();
    DiscoverPersonasRequest { name: "spring".to_owned(), traits, seed: 7, ..DiscoverPersonasRequest::default() }
}

/// The set that a discovery finds.
pub async fn discover(ground: &Ground, tenant: TenantId, request: DiscoverPersonasRequest) -> PersonaSet {
    let begun = ground.personas(tenant).discover_personas(request).await.expect("it begins").into_inner();
    match ground.ended(tenant, begun).await.result {
        Some(End::Response(set)) => set.to_msg().expect("a persona set"),
        other => panic!("it fails: {other:?}"),
    }
}

pub fn persona_of(profile: &Profile) -> String {
    profile.persona.as_ref().map(|has| has.persona_id.clone()).unwrap_or_default()
}

/// How many customers each persona has, by the calls.
async fn counts(ground: &Ground, tenant: TenantId) -> BTreeMap<String, i64> {
    let listed = ground.personas(tenant).list_personas(ListPersonasRequest::default()).await.expect("listed");
    listed.into_inner().personas.into_iter().map(|persona| (persona.persona_id, persona.customers)).collect()
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planted_groups_are_found_described_and_told(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let planted_in = population(&ground, tenant).await;
    let request = DiscoverPersonasRequest {
        traits: ["revenue", "visits", "city", "vip", "shoe_size"].map(str::to_owned).to_vec(),
        ..by_traits()
    };
    let set = discover(&ground, tenant, request).await;
    assert_eq!(set.state(), PersonaSetState::InForce);
    assert_eq!(set.personas.iter().map(|persona| persona.customers).collect::<Vec<_>>(), [40, 30, 20]);
    assert_eq!((set.sample_size, set.name.as_str()), (90, "spring"));
    let counts: Vec<i32> = set.trials.iter().map(|trial| trial.personas).collect();
    assert_eq!(counts, (2..=12).collect::<Vec<_>>());
    let chosen = set.trials.iter().find(|trial| trial.personas == 3).expect("it was tried");
    assert!(set.trials.iter().all(|trial| trial.silhouette <= chosen.silhouette + 0.02));
    assert_eq!(set.silhouette, chosen.silhouette);
    let unused: Vec<_> = set.unused_traits.iter().map(|unused| (unused.r#trait.as_str(), unused.reason())).collect();
    assert_eq!(unused, [("shoe_size", UnusedTraitReason::Missing)]);
    let mut groups = BTreeMap::<String, BTreeSet<usize>>::new();
    for (id, group) in &planted_in {
        let profile = ground.get(tenant, by_id(id)).await.expect("there");
        groups.entry(persona_of(&profile)).or_default().insert(*group);
    }
    assert_eq!(groups.len(), 3);
    assert!(groups.values().all(|planted| planted.len() == 1), "each persona is one planted group: {groups:?}");
    let rich = set.personas.iter().find(|persona| groups[&persona.persona_id].contains(&0)).expect("there");
    let revenue = rich.features.iter().find(|feature| feature.r#trait == "revenue").expect("told");
    let value = revenue.value.expect("all have it");
    assert!((3_500.0..6_500.0).contains(&value) && revenue.overall < value && revenue.difference > 1.0);
    let oslo = rich.features.iter().find(|feature| feature.category.as_deref() == Some("Oslo")).expect("told");
    assert_eq!((oslo.value, oslo.known_share), (Some(1.0), 1.0));
    assert!(rich.name.contains("mostly vip") || rich.name.contains("city=Oslo") || rich.name.contains("high revenue"));
    let names: BTreeSet<&str> = set.personas.iter().map(|persona| persona.name.as_str()).collect();
    assert_eq!(names.len(), 3);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persona_follows_its_customer_through_changes_merges_splits_and_erasure(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let planted_in = population(&ground, tenant).await;
    let before: BTreeMap<String, u64> = {
        let mut revisions = BTreeMap::new();
        for id in planted_in.keys() {
            revisions.insert(id.clone(), ground.get(tenant, by_id(id)).await.expect("there").revision);
        }
        revisions
    };
    let mut reader = ground.reader();
    discover(&ground, tenant, by_traits()).await;
    // Everybody was told: a new revision, and the persona in the context.
    let mut personas = BTreeMap::new();
    for (id, revision) in &before {
        let profile = ground.get(tenant, by_id(id)).await.expect("there");
        assert_eq!(profile.revision, revision + 1);
        personas.entry(planted_in[id]).or_insert_with(|| persona_of(&profile));
    }
    let events = reader.next(3 + 3 * 90).await;
    let told = events.iter().filter_map(|event| match event.payload.as_ref()? {
        Payload::ProfileChanged(changed) => changed.context.as_ref().filter(|context| !context.persona.is_empty()),
        _ => None,
    });
    let told: BTreeMap<String, String> =
        told.map(|context| (context.customer_id.clone(), context.persona.clone())).collect();
    assert_eq!(told.len(), 90);
    assert!(told.iter().all(|(id, persona)| personas[&planted_in[id]] == *persona));
    let named = events.iter().filter(|event| matches!(event.payload, Some(Payload::PersonaChanged(_)))).count();
    assert_eq!(named, 3);
    // A newcomer has its persona with its first answer; one of whom nothing is known has none.
    let newcomer = ground.identify(tenant, planted(0, 77)).await;
    assert_eq!(persona_of(profile(&newcomer)), personas[&0]);
    assert!(profile(&ground.record(tenant, "unknown", &[]).await).persona.is_none());
    let context = GetContextRequest { customer: Some(by_id(&customer(&newcomer))), ..GetContextRequest::default() };
    let context = ground.contexts(tenant).get_context(context).await.expect("there").into_inner();
    assert_eq!(context.context.expect("one").persona, personas[&0]);
    assert_eq!(counts(&ground, tenant).await[&personas[&0]], 21);
    // It changes, and changes group.
    let changed = IdentifyRequest { external_id: "c0-77".to_owned(), observed_at: Some(at(9)), ..planted(2, 77) };
    assert_eq!(persona_of(profile(&ground.identify(tenant, changed).await)), personas[&2]);
    let told = counts(&ground, tenant).await;
    assert_eq!((told[&personas[&0]], told[&personas[&2]]), (20, 41));
    // Merged, two are one of one group; split, each is again of its own.
    let [rich, poor] = [planted(0, 78), planted(2, 79)];
    let rich = ground.identify(tenant, rich).await;
    let poor = ground.identify(tenant, IdentifyRequest { observed_at: Some(at(5)), ..poor }).await;
    let merging = merge(&customer(&rich), &[&customer(&poor)]);
    ground.profiles(tenant).merge_profiles(merging).await.expect("merged");
    let one = ground.get(tenant, by_id(&customer(&rich))).await.expect("there");
    assert_eq!(persona_of(&one), personas[&2], "the later statements hold");
    let told = counts(&ground, tenant).await;
    assert_eq!((told[&personas[&0]], told[&personas[&2]]), (20, 42));
    ground.profiles(tenant).split_profile(split(&customer(&rich), &["c2-79"])).await.expect("split");
    for (made, group) in [(&rich, 0), (&poor, 2)] {
        let profile = ground.get(tenant, by_id(&customer(made))).await.expect("there");
        assert_eq!(persona_of(&profile), personas[&group]);
    }
    let told = counts(&ground, tenant).await;
    assert_eq!((told[&personas[&0]], told[&personas[&2]]), (21, 42));
    // Erased, it counts no more.
    erase(&ground, tenant, &[&rich.subject_id]).await;
    assert_eq!(counts(&ground, tenant).await[&personas[&0]], 20);
    // The set came in force at this very instant, which has not passed yet.
    let past = GetProfileRequest {
        customer: Some(by_id(&customer(&poor))),
        as_of: Some(at(10_000_000)),
        ..GetProfileRequest::default()
    };
    let past = ground.profiles(tenant).get_profile(past).await.expect("known").into_inner();
    assert_eq!(persona_of(&past), personas[&2]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seed_finds_the_same_again_and_a_new_set_takes_the_place_of_the_old_one(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    population(&ground, tenant).await;
    let first = discover(&ground, tenant, by_traits()).await;
    let second = discover(&ground, tenant, by_traits()).await;
    assert_ne!(first.persona_set_id, second.persona_set_id);
    assert_eq!(first.trials, second.trials);
    let shape = |set: &PersonaSet| {
        let shape = |persona: &Persona| (persona.name.clone(), persona.sample_customers, persona.features.clone());
        set.personas.iter().map(shape).collect::<Vec<_>>()
    };
    assert_eq!(shape(&first), shape(&second));
    assert_eq!(second.personas.iter().map(|persona| persona.customers).sum::<i64>(), 90);
    let request = GetPersonaSetRequest { persona_set_id: first.persona_set_id.clone() };
    let old = ground.personas(tenant).get_persona_set(request).await.expect("there").into_inner();
    assert_eq!(old.state(), PersonaSetState::Superseded);
    assert!(old.personas.iter().all(|persona| persona.customers == 0));
    let current = ground.personas(tenant).get_persona_set(GetPersonaSetRequest::default()).await.expect("there");
    assert_eq!(current.into_inner().persona_set_id, second.persona_set_id);
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListPersonaSetsRequest { page_size: 1, page_token };
        let page = ground.personas(tenant).list_persona_sets(request).await.expect("a page").into_inner();
        listed.extend(page.persona_sets.into_iter().map(|set| set.persona_set_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, [second.persona_set_id, first.persona_set_id]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_those_the_filter_admits_are_grouped_and_the_sample_is_as_large_as_asked(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let planted_in = population(&ground, tenant).await;
    for at in 100..160 {
        ground.identify(tenant, planted(2, at)).await;
    }
    let filter = "customer.party == 'customer' && customer.traits.revenue < 2000.0".to_owned();
    let request = DiscoverPersonasRequest { filter, sample_size: 100, ..by_traits() };
    let set = discover(&ground, tenant, request).await;
    assert_eq!(set.sample_size, 100);
    assert_eq!(set.personas.iter().map(|persona| persona.customers).collect::<Vec<_>>(), [100, 30]);
    for (id, group) in &planted_in {
        let profile = ground.get(tenant, by_id(id)).await.expect("there");
        assert_eq!(profile.persona.is_none(), *group == 0);
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_are_no_groups_the_operation_says_so_and_the_set_before_stays(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    population(&ground, tenant).await;
    let good = discover(&ground, tenant, by_traits()).await;
    let request = DiscoverPersonasRequest { traits: vec!["shoe_size".to_owned()], ..by_traits() };
    let begun = ground.personas(tenant).discover_personas(request).await.expect("it begins").into_inner();
    let Some(End::Error(status)) = ground.ended(tenant, begun).await.result else { panic!("it cannot be done") };
    assert_eq!(status.code, i32::from(tonic::Code::FailedPrecondition));
    let current = ground.personas(tenant).get_persona_set(GetPersonaSetRequest::default()).await.expect("there");
    assert_eq!(current.into_inner().persona_set_id, good.persona_set_id);
    let sets = ground.personas(tenant).list_persona_sets(ListPersonaSetsRequest::default()).await.expect("listed");
    assert_eq!(sets.into_inner().persona_sets[0].state(), PersonaSetState::Failed);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persona_is_described_by_people_and_seen_by_its_tenant_alone(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let planted_in = population(&ground, tenant).await;
    let set = discover(&ground, tenant, by_traits()).await;
    let found = set.personas[0].clone();
    let update = |name: &str, etag: &str| UpdatePersonaRequest {
        request_id: String::new(),
        persona: Some(Persona {
            persona_id: found.persona_id.clone(),
            name: name.to_owned(),
            description: "who looks twice at a price".to_owned(),
            etag: etag.to_owned(),
            ..Persona::default()
        }),
    };
    let mut personas = ground.personas(tenant);
    let request_id = Uuid::now_v7().to_string();
    let request = UpdatePersonaRequest { request_id, ..update("The thrifty", &found.etag) };
    let named = personas.update_persona(request.clone()).await.expect("named").into_inner();
    assert_eq!((named.name.as_str(), named.customers), ("The thrifty", 40));
    assert_eq!(named.features, found.features);
    assert!(personas.update_persona(request).await.expect("the same answer").into_inner() == named);
    assert_eq!(reason(personas.update_persona(update("Others", &found.etag)).await), "STALE_ETAG");
    let read = personas.get_persona(GetPersonaRequest { persona_id: found.persona_id.clone() }).await.expect("there");
    assert!(read.into_inner() == named);
    let thrifty = planted_in.iter().find(|(_, group)| **group == 2).expect("there").0;
    // Profiles that this process holds show the new name within a second.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let profile = ground.get(tenant, by_id(thrifty)).await.expect("there");
    assert_eq!(profile.persona.expect("it has one").name, "The thrifty");
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListPersonasRequest { page_size: 2, page_token, ..ListPersonasRequest::default() };
        let page = personas.list_personas(request).await.expect("a page").into_inner();
        listed.extend(page.personas.into_iter().map(|persona| persona.customers));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, [40, 30, 20]);
    let mut stranger = ground.personas(TenantId::new());
    let foreign = GetPersonaRequest { persona_id: found.persona_id.clone() };
    assert_eq!(reason(stranger.get_persona(foreign).await), "RESOURCE_NOT_FOUND");
    assert_eq!(reason(stranger.update_persona(update("Mine", "")).await), "RESOURCE_NOT_FOUND");
    let foreign = GetPersonaSetRequest { persona_set_id: set.persona_set_id.clone() };
    assert_eq!(reason(stranger.get_persona_set(foreign).await), "RESOURCE_NOT_FOUND");
    let none = stranger.list_personas(ListPersonasRequest::default()).await.expect("an empty page").into_inner();
    assert!(none.personas.is_empty());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_discovery_that_cannot_be_is_refused_with_all_that_is_wrong_and_a_retry_begins_no_second_one(
    #[case] engine: Engine,
) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut personas = ground.personas(tenant);
    let wrong = DiscoverPersonasRequest {
        traits: vec!["City".to_owned()],
        filter: "customer.height > 2 && now > timestamp('2020-01-01T00:00:00Z')".to_owned(),
        min_personas: 5,
        max_personas: 3,
        sample_size: 7,
        smallest_share: Some(0.9),
        ..DiscoverPersonasRequest::default()
    };
    let fields: BTreeSet<String> =
        violations(personas.discover_personas(wrong).await).into_iter().map(|(field, _)| field).collect();
    let expected = ["filter", "max_personas", "sample_size", "smallest_share", "traits[0]"].map(str::to_owned);
    assert_eq!(fields, expected.into());
    let filter = DiscoverPersonasRequest { filter: "customer.height".to_owned(), ..by_traits() };
    assert_eq!(reason(personas.discover_personas(filter).await), "INVALID_CONDITION");
    let one = DiscoverPersonasRequest { min_personas: 1, ..by_traits() };
    assert_eq!(violations(personas.discover_personas(one).await)[0].0, "min_personas");
    let request = DiscoverPersonasRequest { request_id: Uuid::now_v7().to_string(), ..by_traits() };
    let begun = personas.discover_personas(request.clone()).await.expect("it begins").into_inner();
    let again = personas.discover_personas(request).await.expect("the same answer").into_inner();
    assert_eq!(begun.name, again.name);
    let sets = personas.list_persona_sets(ListPersonaSetsRequest::default()).await.expect("listed").into_inner();
    assert_eq!(sets.persona_sets.len(), 1);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_tells_personas_again_and_who_has_them(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    population(&ground, tenant).await;
    let set = discover(&ground, tenant, by_traits()).await;
    let mut reader = ground.reader();
    let first = reader.next(3 + 3 * 90).await.len();
    let told = rapport_profiles::replay(&ground.platform, ground.config.clone()).await.expect("told again");
    assert_eq!(told, 3 + 2 * 90, "each persona, link and profile");
    let again = reader.next(usize::try_from(told).expect("few")).await;
    assert_eq!(first, 273);
    let names: BTreeSet<String> = again
        .iter()
        .filter_map(|event| match event.payload.as_ref()? {
            Payload::PersonaChanged(changed) => Some(changed.name.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(names, set.personas.iter().map(|persona| persona.name.clone()).collect());
    let placed = again.iter().filter(|event| match event.payload.as_ref() {
        Some(Payload::ProfileChanged(changed)) => {
            changed.context.as_ref().is_some_and(|context| !context.persona.is_empty())
        }
        _ => false,
    });
    assert_eq!(placed.count(), 90);
}
