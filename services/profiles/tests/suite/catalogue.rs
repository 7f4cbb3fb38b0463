//! Namespaces and declared traits.

use rapport_api::common::v1::{Value, value::Kind};
use rapport_api::events::v1::{Event, event::Payload};
use rapport_api::profiles::v1::{
    CreateTraitDefinitionRequest, GetContextRequest, GetTraitDefinitionRequest, ListNamespacesRequest,
    ListTraitDefinitionsRequest, TraitDefinition, TraitType,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::ground::*;

pub fn declares(name: &str, kind: TraitType, metric_dimension: bool) -> CreateTraitDefinitionRequest {
    let definition = TraitDefinition {
        name: name.to_owned(),
        r#type: kind.into(),
        metric_dimension,
        description: "for tests".to_owned(),
        ..TraitDefinition::default()
    };
    CreateTraitDefinitionRequest { request_id: String::new(), trait_definition: Some(definition) }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_namespaces_are_told_in_rank_order(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let told = ground.identity(tenant).list_namespaces(ListNamespacesRequest {}).await.expect("told").into_inner();
    let names: Vec<&str> = told.namespaces.iter().map(|namespace| namespace.name.as_str()).collect();
    assert_eq!(names, ["customer_number", "user_id", "loyalty_card", "email", "phone", "device_id", "anonymous_id"]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declared_trait_takes_values_of_its_type_only_and_is_declared_once(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut traits = ground.traits(tenant);
    let made =
        traits.create_trait_definition(declares("age", TraitType::Number, false)).await.expect("made").into_inner();
    assert!(made.create_time.is_some());
    let read = traits.get_trait_definition(GetTraitDefinitionRequest { name: "age".to_owned() }).await.expect("there");
    assert!(read.into_inner() == made);
    let twice = traits.create_trait_definition(declares("age", TraitType::Text, false)).await;
    assert_eq!(reason(twice), "RESOURCE_EXISTS");
    let wrong = ground.profiles(tenant).identify(states("1", &[("age", "forty")], 1)).await;
    let [(field, text)] = &violations(wrong)[..] else { panic!("one rule is broken") };
    assert!(field == "traits[\"age\"]" && text.contains("number") && !text.contains("forty"));
    ground.identify(TenantId::new(), states("1", &[("age", "forty")], 1)).await;
    let none = traits.get_trait_definition(GetTraitDefinitionRequest { name: "height".to_owned() }).await;
    assert_eq!(reason(none), "RESOURCE_NOT_FOUND");
    let number = traits.create_trait_definition(declares("sum", TraitType::Number, true)).await;
    assert_eq!(violations(number)[0].0, "trait_definition.metric_dimension");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn declared_traits_are_listed_page_by_page(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut traits = ground.traits(tenant);
    for name in ["d", "b", "a", "e", "c"] {
        traits.create_trait_definition(declares(name, TraitType::Text, false)).await.expect("made");
    }
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListTraitDefinitionsRequest { page_size: 2, page_token };
        let page = traits.list_trait_definitions(request).await.expect("a page").into_inner();
        listed.extend(page.trait_definitions.into_iter().map(|definition| definition.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
        let foreign = ListTraitDefinitionsRequest { page_size: 2, page_token: page_token.clone() };
        let refused = ground.traits(TenantId::new()).list_trait_definitions(foreign).await;
        assert_eq!(reason(refused), "INVALID_PAGE_TOKEN");
    }
    assert_eq!(listed, ["a", "b", "c", "d", "e"]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traits_that_are_dimensions_come_with_the_context(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    for (name, kind, dimension) in
        [("region", TraitType::Text, true), ("vip", TraitType::Bool, true), ("city", TraitType::Text, false)]
    {
        ground.traits(tenant).create_trait_definition(declares(name, kind, dimension)).await.expect("made");
    }
    let mut request = states("1", &[("region", "north"), ("city", "Riga"), ("other", "x")], 1);
    request.traits.insert("vip".to_owned(), Value { kind: Some(Kind::BoolValue(true)) });
    let id = customer(&ground.identify(tenant, request).await);
    let request = GetContextRequest { customer: Some(by_id(&id)), ..GetContextRequest::default() };
    let answer = ground.contexts(tenant).get_context(request).await.expect("there").into_inner();
    let dimensions: Vec<_> = answer.dimensions.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(dimensions, [("region", "north"), ("vip", "true")]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declared_trait_is_told_once(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut reader = ground.reader();
    let city = declares("city", TraitType::Text, true);
    ground.traits(tenant).create_trait_definition(city.clone()).await.expect("declared");
    assert_eq!(reason(ground.traits(tenant).create_trait_definition(city).await), "RESOURCE_EXISTS");
    ground.traits(tenant).create_trait_definition(declares("age", TraitType::Number, false)).await.expect("declared");
    let told = |event: Event| match event.payload {
        Some(Payload::TraitDefinitionChanged(changed)) => {
            assert_eq!((event.subject_id, event.revision), (tenant.to_string(), 1));
            (event.aggregate_id, changed.metric_dimension)
        }
        _ => panic!("nothing else happened"),
    };
    let told: Vec<_> = reader.next(2).await.into_iter().map(told).collect();
    assert_eq!(told, [("city".to_owned(), true), ("age".to_owned(), false)]);
}
