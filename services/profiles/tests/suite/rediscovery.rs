//! Personas found again: who is still in the same company keeps its persona, and the past keeps its own.

use std::collections::{BTreeMap, BTreeSet};

use rapport_api::events::v1::event::Payload;
use rapport_api::profiles::v1::{
    DiscoverPersonasRequest, GetPersonaRequest, GetPersonaSetRequest, IdentifyRequest, Persona, PersonaSet, Profile,
    UpdatePersonaRequest,
};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, TenantId};
use rstest::rstest;

use crate::ground::*;
use crate::personas::{by_traits, discover, number, persona_of, planted, population};

fn ids(set: &PersonaSet) -> BTreeSet<String> {
    set.personas.iter().map(|persona| persona.persona_id.clone()).collect()
}

/// The persona and the revision of each customer.
async fn held(
    ground: &Ground,
    tenant: TenantId,
    customers: &BTreeMap<String, usize>,
) -> BTreeMap<String, (String, u64)> {
    let mut held = BTreeMap::new();
    for id in customers.keys() {
        let profile = ground.get(tenant, by_id(id)).await.expect("there");
        held.insert(id.clone(), (persona_of(&profile), profile.revision));
    }
    held
}

async fn renamed(ground: &Ground, tenant: TenantId, persona: &Persona, name: &str, description: &str) -> Persona {
    let persona =
        Persona { name: name.to_owned(), description: description.to_owned(), etag: String::new(), ..persona.clone() };
    let request = UpdatePersonaRequest { request_id: String::new(), persona: Some(persona) };
    ground.personas(tenant).update_persona(request).await.expect("described").into_inner()
}

async fn persona(ground: &Ground, tenant: TenantId, id: &str) -> Persona {
    let request = GetPersonaRequest { persona_id: id.to_owned() };
    ground.personas(tenant).get_persona(request).await.expect("there").into_inner()
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stays_in_the_same_company_keeps_its_persona_with_what_people_said_of_it(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut planted_in = population(&ground, tenant).await;
    let first = discover(&ground, tenant, by_traits()).await;
    let named = renamed(&ground, tenant, &first.personas[0], "The thrifty", "looks twice").await;
    let described = &first.personas[1];
    let described = renamed(&ground, tenant, described, &described.name, "comes often").await;
    let before = held(&ground, tenant, &planted_in).await;
    // More of all come, some change group; it is looked for by fewer traits, and from another seed.
    for (group, at) in (0..3).flat_map(|group| (200..215).map(move |at| (group, at))) {
        planted_in.insert(customer(&ground.identify(tenant, planted(group, at)).await), group);
    }
    let moves = IdentifyRequest { external_id: "c1-3".to_owned(), observed_at: Some(at(30)), ..planted(2, 3) };
    let moved = customer(&ground.identify(tenant, moves).await);
    let traits = ["revenue", "visits", "vip"].map(str::to_owned).to_vec();
    let request = DiscoverPersonasRequest { name: "autumn".to_owned(), traits, seed: 99, ..by_traits() };
    ground.wait(60);
    let second = discover(&ground, tenant, request).await;
    assert_eq!(ids(&second), ids(&first));
    assert_ne!(second.persona_set_id, first.persona_set_id);
    let again = persona(&ground, tenant, &named.persona_id).await;
    assert_eq!((again.name.as_str(), again.description.as_str()), ("The thrifty", "looks twice"));
    assert_eq!((again.persona_set_id.as_str(), again.retire_time), (second.persona_set_id.as_str(), None));
    assert_eq!(again.create_time, named.create_time, "when it was first found");
    assert!(again.sample_customers > named.sample_customers && again.etag != named.etag);
    let other = persona(&ground, tenant, &described.persona_id).await;
    assert_eq!(other.description, "comes often");
    assert!(!other.name.contains("city="), "a name that nobody gave tells of the traits of now: {}", other.name);
    // Nobody flips, so nobody is told anything, but who changed by itself; and all see the set of now.
    for (id, (has, revision)) in &before {
        let profile = ground.get(tenant, by_id(id)).await.expect("there");
        let membership = profile.persona.expect("it has one");
        assert_eq!(membership.persona_set_id, second.persona_set_id);
        if *id != moved {
            assert_eq!((&membership.persona_id, profile.revision), (has, *revision));
        }
    }
    let counted: i64 = second.personas.iter().map(|persona| persona.customers).sum();
    assert_eq!(counted, 90 + 45);
    // The old set is as it was found, and has nobody.
    let request = GetPersonaSetRequest { persona_set_id: first.persona_set_id.clone() };
    let old = ground.personas(tenant).get_persona_set(request).await.expect("there").into_inner();
    assert!(old.personas.iter().all(|persona| persona.customers == 0 && persona.retire_time.is_none()));
    let features = |set: &PersonaSet| set.personas.iter().map(|it| it.features.clone()).collect::<Vec<_>>();
    assert_eq!(features(&old), features(&first));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_found_again_retires_and_what_is_new_has_an_id_of_its_own(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let planted_in = population(&ground, tenant).await;
    let first = discover(&ground, tenant, by_traits()).await;
    let before = held(&ground, tenant, &planted_in).await;
    let rich = planted_in.iter().find(|(_, group)| **group == 0).map(|(id, _)| before[id].0.clone()).expect("there");
    // The rich are not looked at, and others appear of a kind that was not there: fewer than the frequent, as whom they
    // count until then.
    let mut strangers = BTreeSet::new();
    for at in 300..320 {
        let mut request = planted(2, at);
        request.traits.insert("visits".to_owned(), number(400.0 + at as f64 / 10.0));
        request.traits.insert("city".to_owned(), text("Bergen"));
        strangers.insert(customer(&ground.identify(tenant, request).await));
    }
    let filter = "customer.traits.revenue < 2000.0".to_owned();
    let second = discover(&ground, tenant, DiscoverPersonasRequest { filter, ..by_traits() }).await;
    assert_eq!(second.personas.len(), 3);
    assert!(!ids(&second).contains(&rich));
    assert_eq!(ids(&second).intersection(&ids(&first)).count(), 2, "the frequent and the poor go on");
    let retired = persona(&ground, tenant, &rich).await;
    assert_eq!((retired.customers, retired.persona_set_id.as_str()), (0, first.persona_set_id.as_str()));
    assert!(retired.retire_time.is_some());
    let now = held(&ground, tenant, &planted_in).await;
    for (id, (has, _)) in &now {
        let expected = if planted_in[id] == 0 { "" } else { before[id].0.as_str() };
        assert_eq!(has, expected);
    }
    for id in &strangers {
        let has = persona_of(&ground.get(tenant, by_id(id)).await.expect("there"));
        assert!(!ids(&first).contains(&has) && ids(&second).contains(&has));
    }
    // Told once each: three that are, one that is no more.
    let told: BTreeMap<String, bool> = personas_told(&mut ground.reader()).await.into_iter().collect();
    assert_eq!(told.len(), 4);
    assert!(told[&rich] && told.values().filter(|retired| **retired).count() == 1);
}

/// The personas that were told of, in order, and whether each is retired.
async fn personas_told(reader: &mut Reader) -> Vec<(String, bool)> {
    // Each record and its customer; what the first discovery found, and for whom; the same of the second.
    let events = reader.next(2 * (90 + 20) + (3 + 90) + (4 + 20 + 20)).await;
    let of = |event: rapport_api::events::v1::Event| match event.payload {
        Some(Payload::PersonaChanged(changed)) => Some((event.aggregate_id, changed.retired)),
        _ => None,
    };
    events.into_iter().filter_map(of).collect()
}

/// What is known of a customer. That its persona was told gave it a revision which nobody's statement did.
fn known(profile: Profile) -> Profile {
    Profile { revision: 0, etag: String::new(), update_time: None, ..profile }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_shows_the_persona_of_then(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let planted_in = population(&ground, tenant).await;
    ground.wait(10);
    let nothing = ground.clock.now();
    ground.wait(10);
    let first = discover(&ground, tenant, by_traits()).await;
    let id = planted_in.iter().find(|(_, group)| **group == 1).expect("there").0.clone();
    let then = ground.get(tenant, by_id(&id)).await.expect("there");
    let at_first = ground.clock.now();
    ground.wait(10);
    // It becomes another; then the sets change so that it has none.
    let name = then.records[0].record.clone().expect("named").external_id;
    let changed = IdentifyRequest { external_id: name, observed_at: Some(at(40)), ..planted(2, 50) };
    let changed = profile(&ground.identify(tenant, changed).await).clone();
    assert_ne!(persona_of(&changed), persona_of(&then));
    let at_change = ground.clock.now();
    ground.wait(10);
    let filter = "customer.traits.revenue > 300.0".to_owned();
    let second = discover(&ground, tenant, DiscoverPersonasRequest { filter, ..by_traits() }).await;
    assert_ne!(second.persona_set_id, first.persona_set_id);
    let now = ground.get(tenant, by_id(&id)).await.expect("there");
    assert!(now.persona.is_none());
    let past = async |at| ground.get_as_of(tenant, by_id(&id), at).await;
    assert!(past(nothing).await.persona.is_none());
    assert_eq!(past(at_first).await.persona, then.persona);
    assert_eq!(past(at_change).await.persona, changed.persona);
    assert_eq!(known(past(ground.clock.now()).await), known(now), "the past of now is now");
    let rich = planted_in.iter().find(|(_, group)| **group == 0).expect("there").0;
    let profile = ground.get(tenant, by_id(rich)).await.expect("there");
    assert_eq!(profile.persona.as_ref().map(|has| &has.persona_set_id), Some(&second.persona_set_id));
    assert_eq!(known(ground.get_as_of(tenant, by_id(rich), ground.clock.now()).await), known(profile));
    let before = ground.get_as_of(tenant, by_id(rich), at_first).await.persona.expect("it had one");
    assert_eq!(before.persona_set_id, first.persona_set_id);
}
