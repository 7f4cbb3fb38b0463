//! What could be gained: the figures equal a recomputation from what was told to the service.

use std::collections::{BTreeMap, BTreeSet};

use rapport_api::common::v1::Processing;
use rapport_api::google::r#type::Money;
use rapport_api::profiles::v1::get_potential_request::Measure;
use rapport_api::profiles::v1::get_potential_response::Measure as Told;
use rapport_api::profiles::v1::{
    ComputedAggregate, Consent, ConsentState, CustomerPotential, GetPotentialRequest, GetPotentialResponse,
    IdentifyRequest, Interaction, RecordInteractionRequest, Survivorship, TraitType,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;
use uuid::Uuid;

use crate::catalogue::declares;
use crate::erasure::erase;
use crate::ground::*;
use crate::merges::merge;
use crate::personas::{by_traits, discover, noise, number, persona_of, planted, population};
use crate::segments::{declare, spends};
use crate::standing::objects;

/// A purchase of a product for so many hundredths.
async fn buys(ground: &Ground, tenant: TenantId, customer: &str, product: &str, cents: i64, currency: &str) {
    let value = Money {
        currency_code: currency.to_owned(),
        units: cents / 100,
        nanos: i32::try_from(cents % 100).expect("small") * 10_000_000,
    };
    let interaction = Interaction {
        customer: Some(by_id(customer)),
        source: "shop".to_owned(),
        external_id: Uuid::now_v7().to_string(),
        version: 1,
        r#type: "purchase".to_owned(),
        product: product.to_owned(),
        value: Some(value),
        occurred_at: Some(at(100)),
        ..Interaction::default()
    };
    let request = RecordInteractionRequest { interaction: Some(interaction), ..RecordInteractionRequest::default() };
    ground.interactions(tenant).record_interaction(request).await.expect("recorded");
}

async fn potential(ground: &Ground, tenant: TenantId, request: GetPotentialRequest) -> GetPotentialResponse {
    ground.personas(tenant).get_potential(request).await.expect("told").into_inner()
}

/// All customers that lack something, page by page.
async fn leads(ground: &Ground, tenant: TenantId, request: &GetPotentialRequest, size: i32) -> Vec<CustomerPotential> {
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = GetPotentialRequest { page_size: size, page_token, ..request.clone() };
        let page = potential(ground, tenant, request).await;
        found.extend(page.customers);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return found;
        }
    }
}

/// The upper quartile by its definition.
fn upper_quartile(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let place = 0.75 * (values.len() - 1) as f64;
    let below = place.floor() as usize;
    values[below] + place.fract() * (values.get(below + 1).unwrap_or(&values[below]) - values[below])
}

/// Compares what is told with a recomputation; `values` by customer, of those who have one.
async fn check(
    ground: &Ground,
    tenant: TenantId,
    request: &GetPotentialRequest,
    members: &BTreeMap<String, String>,
    values: &BTreeMap<String, f64>,
) {
    let told = potential(ground, tenant, request.clone()).await;
    let mut gaps = BTreeMap::new();
    for persona in &told.personas {
        let of: Vec<&String> =
            members.iter().filter(|(_, has)| **has == persona.persona_id).map(|(customer, _)| customer).collect();
        let worth: Vec<f64> = of.iter().filter_map(|customer| values.get(*customer).copied()).collect();
        assert_eq!(persona.customers, i64::try_from(of.len()).expect("few"));
        assert_eq!(persona.customers_with_value, i64::try_from(worth.len()).expect("few"));
        let quartile = upper_quartile(&worth);
        assert!((persona.upper_quartile.expect("there are values") - quartile).abs() < 1e-9);
        let sum: f64 = worth.iter().map(|value| (quartile - value).max(0.0)).sum();
        assert!((persona.potential - sum).abs() < 1e-6, "{} is not {sum}", persona.potential);
        let lacking = of.iter().filter_map(|customer| Some(((*customer).clone(), quartile - values.get(*customer)?)));
        gaps.extend(lacking.filter(|(_, gap)| *gap > 0.0));
    }
    let leads = leads(ground, tenant, request, 7).await;
    assert!(leads.windows(2).all(|pair| pair[0].gap >= pair[1].gap), "who lacks most comes first");
    assert_eq!(leads.len(), gaps.len());
    for lead in leads {
        assert!((lead.gap - gaps[&lead.customer_id]).abs() < 1e-9);
        assert_eq!(lead.persona_id, members[&lead.customer_id]);
        assert!((lead.value - values[&lead.customer_id]).abs() < 1e-9);
    }
}

/// The persona of each customer, and the personas by planted group.
async fn members(
    ground: &Ground,
    tenant: TenantId,
    planted_in: &BTreeMap<String, usize>,
) -> (BTreeMap<String, String>, BTreeMap<usize, String>) {
    let (mut members, mut groups) = (BTreeMap::new(), BTreeMap::new());
    for (id, group) in planted_in {
        let persona = persona_of(&ground.get(tenant, by_id(id)).await.expect("there"));
        groups.insert(*group, persona.clone());
        members.insert(id.clone(), persona);
    }
    (members, groups)
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_figures_of_a_trait_and_of_purchases_equal_a_recomputation(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let none = ground.personas(tenant).get_potential(GetPotentialRequest::default()).await;
    assert_eq!(reason(none), "INVALID_STATE");
    let mut planted_in = population(&ground, tenant).await;
    discover(&ground, tenant, by_traits()).await;
    let (mut members, groups) = members(&ground, tenant, &planted_in).await;
    let nothing = ground.personas(tenant).get_potential(GetPotentialRequest::default()).await;
    assert_eq!(reason(nothing), "INVALID_STATE", "nobody has a value yet");

    // Purchases in two currencies, never summed over them; some customers have none.
    let mut spent = BTreeMap::<String, f64>::new();
    for (at, id) in planted_in.keys().enumerate() {
        spent.insert(id.clone(), 0.0);
        for purchase in 0..at % 4 {
            let cents = 1_000 + (noise(at * 11 + purchase) * 900.0) as i64;
            buys(&ground, tenant, id, "tea", cents, "EUR").await;
            *spent.entry(id.clone()).or_default() += cents as f64 / 100.0;
        }
        if at % 5 == 0 {
            buys(&ground, tenant, id, "coffee", 99_900, "SEK").await;
        }
    }
    let default = GetPotentialRequest::default();
    assert_eq!(potential(&ground, tenant, default.clone()).await.measure, Some(Told::Currency("EUR".to_owned())));
    check(&ground, tenant, &default, &members, &spent).await;
    let kronor = GetPotentialRequest { measure: Some(Measure::Currency("SEK".to_owned())), ..default.clone() };
    let in_kronor: BTreeMap<String, f64> =
        planted_in.keys().enumerate().map(|(at, id)| (id.clone(), if at % 5 == 0 { 999.0 } else { 0.0 })).collect();
    check(&ground, tenant, &kronor, &members, &in_kronor).await;

    // A trait, which not everybody has; as soon as one is predicted something, that is the measure.
    let mut revenue = BTreeMap::new();
    for id in planted_in.keys() {
        let profile = ground.get(tenant, by_id(id)).await.expect("there");
        let Some(rapport_api::common::v1::value::Kind::NumberValue(value)) =
            profile.traits["revenue"].value.clone().and_then(|value| value.kind)
        else {
            panic!("a number")
        };
        revenue.insert(id.clone(), value);
    }
    let by_trait = GetPotentialRequest { measure: Some(Measure::ValueTrait("revenue".to_owned())), ..default.clone() };
    check(&ground, tenant, &by_trait, &members, &revenue).await;
    let mut predicted = BTreeMap::new();
    for at in 0..12_u32 {
        let mut request = states(&format!("c2-{at}"), &[], 50);
        request.traits.insert("predicted_value".to_owned(), number(f64::from(at * at)));
        predicted.insert(customer(&ground.identify(tenant, request).await), f64::from(at * at));
    }
    let only = GetPotentialRequest { persona_id: groups[&2].clone(), ..default.clone() };
    let told = potential(&ground, tenant, only.clone()).await;
    assert_eq!((told.measure, told.personas.len()), (Some(Told::ValueTrait("predicted_value".to_owned())), 1));
    check(&ground, tenant, &only, &members, &predicted).await;
    let others = potential(&ground, tenant, default).await;
    assert!(others.personas.iter().filter(|one| one.persona_id != groups[&2]).all(|one| one.upper_quartile.is_none()));

    // A merge adds what its customers spent; an erasure takes it away.
    let euros =
        GetPotentialRequest { measure: Some(Measure::Currency("EUR".to_owned())), ..GetPotentialRequest::default() };
    let of_group = |group: usize| planted_in.iter().filter(move |(_, of)| **of == group).map(|(id, _)| id.clone());
    let [target, source, erased] = of_group(1).take(3).collect::<Vec<_>>().try_into().expect("there are three");
    ground.profiles(tenant).merge_profiles(merge(&target, &[&source])).await.expect("merged");
    erase(&ground, tenant, &[&erased]).await;
    let moved = spent.remove(&source).expect("it was one");
    *spent.get_mut(&target).expect("it is one") += moved;
    spent.remove(&erased);
    for gone in [&source, &erased] {
        members.remove(gone);
        planted_in.remove(gone);
    }
    check(&ground, tenant, &euros, &members, &spent).await;
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trait_counts_as_profiles_show_it_computed_or_defined_anew_and_only_where_it_is_a_number(
    #[case] engine: Engine,
) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let planted_in = population(&ground, tenant).await;
    discover(&ground, tenant, by_traits()).await;
    let (members, _) = members(&ground, tenant, &planted_in).await;
    let by_trait = |name: &str| GetPotentialRequest {
        measure: Some(Measure::ValueTrait(name.to_owned())),
        ..GetPotentialRequest::default()
    };
    for no_number in ["city", "vip", "nobody_has_it"] {
        let told = potential(&ground, tenant, by_trait(no_number)).await;
        assert!(told.customers.is_empty());
        assert_eq!(told.personas.iter().map(|persona| persona.customers).sum::<i64>(), 90);
        assert!(told.personas.iter().all(|it| it.customers_with_value == 0 && it.upper_quartile.is_none()));
    }
    // Computed: whoever bought nothing spent nothing.
    declare(&ground, tenant, "spent", ComputedAggregate::Sum, None).await;
    let mut spent: BTreeMap<String, f64> = planted_in.keys().map(|id| (id.clone(), 0.0)).collect();
    for (at, id) in planted_in.keys().enumerate().filter(|(at, _)| at % 3 > 0) {
        let cents = 500 + (noise(at) * 400.0) as i64;
        buys(&ground, tenant, id, "tea", cents, "EUR").await;
        spent.insert(id.clone(), cents as f64 / 100.0);
    }
    for (id, amount) in &spent {
        spends(&ground, tenant, id, *amount).await;
    }
    check(&ground, tenant, &by_trait("spent"), &members, &spent).await;

    // Two sources state two numbers each; from one moment to the next another of them survives.
    let (mut latest, mut first) = (BTreeMap::new(), BTreeMap::new());
    for (at, (id, group)) in planted_in.iter().enumerate() {
        let name = ground.get(tenant, by_id(id)).await.expect("there").records[0].record.clone().expect("named");
        let identifiers = says(&name.external_id, &[("user_id", &format!("u-{at}"))]).identifiers;
        let joins = IdentifyRequest { identifiers: identifiers.clone(), ..says(&name.external_id, &[]) };
        ground.identify(tenant, joins).await;
        for (seconds, values) in [(70_u8, &mut first), (80, &mut latest)] {
            let value = 100.0 * noise(at * 5 + usize::from(seconds)) + *group as f64;
            let mut request = states(&name.external_id, &[], i64::from(seconds));
            (request.source, request.identifiers) = (format!("source-{seconds}"), identifiers.clone());
            request.traits.insert("points".to_owned(), number(value));
            let told = ground.identify(tenant, request).await;
            assert_eq!(customer(&told), *id);
            values.insert(id.clone(), value);
        }
    }
    check(&ground, tenant, &by_trait("points"), &members, &latest).await;
    let mut before = BTreeMap::new();
    for id in planted_in.keys() {
        before.insert(id, ground.get(tenant, by_id(id)).await.expect("there").revision);
    }
    let mut definition = declares("points", TraitType::Number, false);
    definition.trait_definition.get_or_insert_default().survivorship = Survivorship::First.into();
    ground.traits(tenant).create_trait_definition(definition).await.expect("declared");
    check(&ground, tenant, &by_trait("points"), &members, &first).await;
    // In the background everybody is written anew; then it is the same.
    ground.wait(5);
    for (id, revision) in before {
        let mut rounds = 0;
        while ground.get(tenant, by_id(id)).await.expect("there").revision == revision {
            rounds += 1;
            assert!(rounds < 2_000, "it is not told of its new value");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
    check(&ground, tenant, &by_trait("points"), &members, &first).await;
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lead_is_told_with_the_products_it_lacks_and_the_channels_that_reach_it(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let planted_in = population(&ground, tenant).await;
    discover(&ground, tenant, by_traits()).await;
    let (_, groups) = members(&ground, tenant, &planted_in).await;
    // Of the twenty who spend: all bought tea but two, five a kettle, two a samovar.
    let rich: Vec<&String> = planted_in.iter().filter(|(_, group)| **group == 0).map(|(id, _)| id).collect();
    for (at, id) in rich.iter().enumerate() {
        if at >= 2 {
            buys(&ground, tenant, id, "tea", 1_000, "EUR").await;
        }
        if at >= 15 {
            buys(&ground, tenant, id, "kettle", 5_000, "EUR").await;
        }
        if at >= 18 {
            buys(&ground, tenant, id, "samovar", 20_000, "EUR").await;
        }
    }
    let request = GetPotentialRequest { persona_id: groups[&0].clone(), ..GetPotentialRequest::default() };
    let told = potential(&ground, tenant, request.clone()).await;
    let products = |share: Option<f64>| {
        let request = GetPotentialRequest { product_share: share, ..request.clone() };
        let (ground, tenant) = (&ground, tenant);
        async move {
            let told = potential(ground, tenant, request).await;
            told.personas[0].products.iter().map(|held| (held.product.clone(), held.share)).collect::<Vec<_>>()
        }
    };
    let tea = ("tea".to_owned(), 0.9);
    assert_eq!(products(None).await, [tea.clone(), ("kettle".to_owned(), 0.25)]);
    assert_eq!(products(Some(0.5)).await, std::slice::from_ref(&tea));
    let all = [tea, ("kettle".to_owned(), 0.25), ("samovar".to_owned(), 0.1)];
    assert_eq!(products(Some(0.1)).await, all);
    let lead =
        |id: &str| told.customers.iter().find(|lead| lead.customer_id == id).expect("it lacks something").clone();
    let missing =
        |lead: &CustomerPotential| lead.missing_products.iter().map(|held| held.product.clone()).collect::<Vec<_>>();
    assert_eq!(missing(&lead(rich[0])), ["tea", "kettle"]);
    assert_eq!(missing(&lead(rich[5])), ["kettle"]);
    // One above the quartile is no lead, but can be asked for.
    assert!(told.customers.iter().all(|lead| lead.customer_id != *rich[19]));
    let asked = GetPotentialRequest { customer: Some(by_id(rich[19])), ..GetPotentialRequest::default() };
    let [lead] = potential(&ground, tenant, asked).await.customers.try_into().expect("one");
    assert_eq!((lead.gap, lead.value, missing(&lead).len()), (0.0, 260.0, 0));

    // Consents: by record, as sources tell them.
    type Said<'a> = &'a [(&'a str, ConsentState)];
    let cases: [(Said<'_>, &[&str]); 5] = [
        (&[], &[]),
        (&[("email", ConsentState::Granted), ("phone", ConsentState::Denied)], &["email"]),
        (&[("", ConsentState::Granted), ("phone", ConsentState::Denied)], &[""]),
        (&[("email", ConsentState::Granted), ("", ConsentState::Denied)], &[]),
        (&[("email", ConsentState::Denied)], &[]),
    ];
    for (at, (consents, channels)) in cases.into_iter().enumerate() {
        let consent = |(channel, state): &(&str, ConsentState)| Consent {
            purpose: "marketing".to_owned(),
            channel: (*channel).to_owned(),
            state: (*state).into(),
            ..Consent::default()
        };
        let consents = consents.iter().map(consent).collect();
        let name = planted(0, at).external_id;
        let request = IdentifyRequest { consents, observed_at: Some(crate::ground::at(60)), ..says(&name, &[]) };
        let id = customer(&ground.identify(tenant, request).await);
        let asked = GetPotentialRequest { customer: Some(by_id(&id)), ..GetPotentialRequest::default() };
        let [lead] = potential(&ground, tenant, asked.clone()).await.customers.try_into().expect("one");
        assert_eq!(
            (lead.reachable, lead.channels),
            (!channels.is_empty(), channels.iter().map(|&it| it.to_owned()).collect())
        );
        let other = GetPotentialRequest { purpose: "service".to_owned(), ..asked };
        let [lead] = potential(&ground, tenant, other).await.customers.try_into().expect("one");
        assert!(!lead.reachable, "consent for one purpose is none for another");
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_asked_is_refused(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut personas = ground.personas(tenant);
    let wrong = GetPotentialRequest {
        measure: Some(Measure::Currency("euro".to_owned())),
        persona_id: "x".to_owned(),
        product_share: Some(0.0),
        page_size: -1,
        ..GetPotentialRequest::default()
    };
    let fields: BTreeSet<String> =
        violations(personas.get_potential(wrong).await).into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["currency", "page_size", "persona_id", "product_share"].map(str::to_owned).into());
    let planted_in = population(&ground, tenant).await;
    discover(&ground, tenant, by_traits()).await;
    let unknown = GetPotentialRequest { persona_id: Uuid::now_v7().to_string(), ..GetPotentialRequest::default() };
    assert_eq!(reason(personas.get_potential(unknown).await), "RESOURCE_NOT_FOUND");
    let nobody = by_id(&Uuid::now_v7().to_string());
    let unknown = GetPotentialRequest { customer: Some(nobody), ..GetPotentialRequest::default() };
    assert_eq!(reason(personas.get_potential(unknown).await), "RESOURCE_NOT_FOUND");
    let by_trait = GetPotentialRequest {
        measure: Some(Measure::ValueTrait("revenue".to_owned())),
        page_size: 1,
        ..GetPotentialRequest::default()
    };
    let page = potential(&ground, tenant, by_trait.clone()).await;
    let other = GetPotentialRequest {
        measure: Some(Measure::ValueTrait("visits".to_owned())),
        page_token: page.next_page_token,
        ..by_trait
    };
    assert_eq!(reason(personas.get_potential(other).await), "INVALID_PAGE_TOKEN");
    assert_eq!(planted_in.len(), 90);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_objects_to_marketing_is_not_reached_and_who_objects_to_profiling_has_no_persona(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let planted_in = population(&ground, tenant).await;
    discover(&ground, tenant, by_traits()).await;
    let id = planted_in.keys().next().expect("there are some").clone();
    buys(&ground, tenant, &id, "tea", 100, "EUR").await;
    let consent =
        Consent { purpose: "marketing".to_owned(), state: ConsentState::Granted.into(), ..Consent::default() };
    let name = ground.get(tenant, by_id(&id)).await.expect("there").records[0].record.clone().expect("named");
    let consents = vec![consent];
    ground
        .identify(tenant, IdentifyRequest { consents, observed_at: Some(at(60)), ..says(&name.external_id, &[]) })
        .await;
    let asked = GetPotentialRequest { customer: Some(by_id(&id)), ..GetPotentialRequest::default() };
    let [lead] = potential(&ground, tenant, asked.clone()).await.customers.try_into().expect("one");
    assert!(lead.reachable);
    let objection = objects(by_id(&id), &[Processing::Marketing], false);
    ground.profiles(tenant).restrict_processing(objection).await.expect("heard");
    let [lead] = potential(&ground, tenant, asked.clone()).await.customers.try_into().expect("one");
    assert!(!lead.reachable && lead.channels.is_empty());
    let count = |told: GetPotentialResponse| told.personas.iter().map(|persona| persona.customers).sum::<i64>();
    assert_eq!(count(potential(&ground, tenant, GetPotentialRequest::default()).await), 90);
    let objection = objects(by_id(&id), &[Processing::Profiling], false);
    ground.profiles(tenant).restrict_processing(objection).await.expect("heard");
    assert!(ground.get(tenant, by_id(&id)).await.expect("there").persona.is_none());
    let euros = Some(Measure::Currency("EUR".to_owned()));
    let told = potential(&ground, tenant, GetPotentialRequest { measure: euros.clone(), ..asked }).await;
    assert!(told.customers.is_empty());
    assert_eq!(count(told), 89);
}
