//! Which value survives where records state several; what a changed definition makes of profiles.

use std::time::Duration;

use rapport_api::common::v1::{TextList, Value, value::Kind};
use rapport_api::events::v1::event::Payload;
use rapport_api::profiles::v1::{
    CreateTraitDefinitionRequest, DeleteTraitDefinitionRequest, IdentifyRequest, PiiClass, Profile, Survivorship,
    TraitDefinition, TraitType, UpdateTraitDefinitionRequest,
};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, TenantId};
use rstest::rstest;

use crate::catalogue::declares;
use crate::ground::*;
use crate::merges::{merge, split};

fn surviving(
    name: &str,
    kind: TraitType,
    survivorship: Survivorship,
    trusted: &[&str],
) -> CreateTraitDefinitionRequest {
    let mut request = declares(name, kind, false);
    let definition = request.trait_definition.get_or_insert_default();
    definition.survivorship = survivorship.into();
    definition.trusted_sources = trusted.iter().map(|source| (*source).to_owned()).collect();
    request
}

fn number(value: f64) -> Value {
    Value { kind: Some(Kind::NumberValue(value)) }
}

fn list(values: &[&str]) -> Value {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Value { kind: Some(Kind::ListValue(TextList { values })) }
}

fn held(profile: &Profile, name: &str) -> Option<Value> {
    profile.traits.get(name)?.value.clone()
}

/// Changes the survivorship of a trait.
fn changes(name: &str, survivorship: Survivorship, etag: &str) -> UpdateTraitDefinitionRequest {
    let definition = TraitDefinition {
        name: name.to_owned(),
        survivorship: survivorship.into(),
        etag: etag.to_owned(),
        ..TraitDefinition::default()
    };
    UpdateTraitDefinitionRequest {
        trait_definition: Some(definition),
        update_mask: Some(prost_types::FieldMask { paths: vec!["survivorship".to_owned()] }),
        ..UpdateTraitDefinitionRequest::default()
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_rule_chooses_over_the_records_and_a_split_gives_each_its_own_back(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    for (name, kind, rule, trusted) in [
        ("latest", TraitType::Text, Survivorship::Latest, &[][..]),
        ("trusted", TraitType::Text, Survivorship::MostTrusted, &["erp", "crm"][..]),
        ("first", TraitType::Text, Survivorship::First, &[]),
        ("most", TraitType::Number, Survivorship::Max, &[]),
        ("least", TraitType::Number, Survivorship::Min, &[]),
        ("all", TraitType::List, Survivorship::Union, &[]),
        ("words", TraitType::Text, Survivorship::Union, &[]),
        ("usual", TraitType::Text, Survivorship::MostFrequent, &[]),
    ] {
        let request = surviving(name, kind, rule, trusted);
        ground.traits(tenant).create_trait_definition(request).await.expect("declared");
    }
    let says = |source: &str, name: &str, seconds: i64, word: &str, value: f64| {
        let mut request =
            states(name, &[("latest", word), ("trusted", word), ("first", word), ("usual", word)], seconds);
        request.traits.insert("words".to_owned(), text(word));
        request.traits.insert("most".to_owned(), number(value));
        request.traits.insert("least".to_owned(), number(value));
        request.traits.insert("all".to_owned(), list(&[word, "x"]));
        source.clone_into(&mut request.source);
        request
    };
    let said = [
        says("crm", "1", 10, "a", 3.0),
        says("erp", "2", 5, "b", 9.0),
        says("web", "3", 20, "c", 1.0),
        says("portal", "4", 15, "a", 4.0),
    ];
    let mut ids = Vec::new();
    for request in [&said[2], &said[0], &said[3], &said[1]] {
        ids.push(customer(&ground.identify(tenant, request.clone()).await));
    }
    let own: Vec<Profile> = {
        let mut own = Vec::new();
        for id in &ids {
            own.push(ground.get(tenant, by_id(id)).await.expect("there"));
        }
        own
    };
    let request = merge(&ids[0], &[&ids[1], &ids[2], &ids[3]]);
    let one = ground.profiles(tenant).merge_profiles(request).await.expect("merged").into_inner();
    let one = one.profile.expect("a profile");
    let texts = |name: &str| trait_text(&one, name).unwrap_or_default();
    assert_eq!((texts("latest"), texts("trusted"), texts("first")), ("c".into(), "b".into(), "b".into()));
    assert_eq!(texts("usual"), "a");
    assert!(held(&one, "most") == Some(number(9.0)) && held(&one, "least") == Some(number(1.0)));
    assert!(held(&one, "all") == Some(list(&["a", "b", "c", "x"])));
    assert!(held(&one, "words") == Some(list(&["a", "b", "c"])));
    let all = &one.traits["all"];
    let contributors: Vec<&str> = all.contributors.iter().map(|it| it.source.as_str()).collect();
    assert_eq!((all.source.as_str(), contributors), ("web", vec!["web", "portal", "crm", "erp"]));
    let usual: Vec<&str> = one.traits["usual"].contributors.iter().map(|it| it.source.as_str()).collect();
    assert_eq!(usual, ["portal", "crm"]);
    assert_eq!((one.traits["first"].source.as_str(), one.traits["first"].contributors.len()), ("erp", 0));
    let mut apart = split(&ids[0], &["1"]);
    apart.source_records.extend([("erp", "2"), ("portal", "4")].map(|(source, name)| {
        rapport_api::profiles::v1::SourceRecord { source: source.to_owned(), external_id: name.to_owned() }
    }));
    for record in apart.source_records {
        let mut one = split(&ids[0], &[]);
        one.source_records = vec![record];
        ground.profiles(tenant).split_profile(one).await.expect("parted");
    }
    for (id, own) in ids.iter().zip(own) {
        assert!(ground.get(tenant, by_id(id)).await.expect("there").traits == own.traits);
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_definition_counts_at_once_is_told_in_the_background_and_not_of_the_past(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut reader = ground.reader();
    let made = ground.traits(tenant).create_trait_definition(declares("tier", TraitType::Text, false)).await;
    let made = made.expect("declared").into_inner();
    ground.identify(tenant, with_email("1", "gold", 10)).await;
    let id = customer(&ground.identify(tenant, with_email("2", "blue", 20)).await);
    let other = customer(&ground.identify(tenant, states("9", &[("city", "Riga")], 1)).await);
    let before = ground.get(tenant, by_id(&id)).await.expect("there");
    assert_eq!(trait_text(&before, "tier").as_deref(), Some("blue"));
    reader.next(6).await;
    ground.wait(10);
    let then = ground.clock.now();
    ground.wait(10);
    let changed = ground.traits(tenant).update_trait_definition(changes("tier", Survivorship::First, &made.etag)).await;
    let changed = changed.expect("changed").into_inner();
    assert!(changed.etag != made.etag && changed.description == made.description);
    let after = ground.get(tenant, by_id(&id)).await.expect("there");
    assert_eq!(trait_text(&after, "tier").as_deref(), Some("gold"), "at once");
    ground.wait(3);
    let mut told = Vec::new();
    while told.is_empty() {
        for event in reader.next(1).await {
            match event.payload.expect("a payload") {
                Payload::ProfileChanged(changed) => told.push((event.aggregate_id, event.revision, changed)),
                Payload::TraitDefinitionChanged(_) => assert_eq!(event.revision, 2),
                _ => panic!("nothing else happened"),
            }
        }
    }
    let [(told_id, revision, changed)] = told.as_slice() else { panic!("one customer is concerned") };
    assert_eq!((told_id, *revision), (&id, before.revision + 1));
    let tier = changed.context.as_ref().and_then(|context| context.traits.get("tier").cloned());
    assert!(tier == Some(text("gold")));
    let now = ground.get(tenant, by_id(&id)).await.expect("there");
    assert_eq!(now.revision, before.revision + 1);
    assert_eq!(ground.get(tenant, by_id(&other)).await.expect("there").revision, 1, "it claims no tier");
    let past = ground.get_as_of(tenant, by_id(&id), then).await;
    assert_eq!((trait_text(&past, "tier").as_deref(), past.revision), (Some("blue"), before.revision));
    let past = ground.get_as_of(tenant, by_id(&id), ground.clock.now()).await;
    assert_eq!((trait_text(&past, "tier").as_deref(), past.revision), (Some("gold"), before.revision + 1));
    // Taken back, it is a trait like any other; declared again, its revision goes on.
    let delete = DeleteTraitDefinitionRequest { name: "tier".to_owned(), ..DeleteTraitDefinitionRequest::default() };
    ground.traits(tenant).delete_trait_definition(delete).await.expect("deleted");
    let now = ground.get(tenant, by_id(&id)).await.expect("there");
    assert_eq!(trait_text(&now, "tier").as_deref(), Some("blue"));
    let again = ground.traits(tenant).create_trait_definition(declares("tier", TraitType::Number, false)).await;
    assert_eq!(again.expect("another type, for it is another declaration").into_inner().etag, "4");
}

fn with_email(name: &str, tier: &str, seconds: i64) -> IdentifyRequest {
    let identifiers = says(name, &[("email", "a@example.com")]).identifiers;
    IdentifyRequest { identifiers, ..states(name, &[("tier", tier)], seconds) }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_definition_is_changed_by_its_mask_and_etag_and_what_does_not_fit_is_refused(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut traits = ground.traits(tenant);
    let mut request = declares("color", TraitType::Text, true);
    request.trait_definition.get_or_insert_default().pii_class = PiiClass::None.into();
    let made = traits.create_trait_definition(request).await.expect("declared").into_inner();
    assert_eq!(made.pii_class(), PiiClass::None);
    let dimension = traits.update_trait_definition(changes("color", Survivorship::Union, "")).await;
    assert_eq!(violations(dimension)[0].0, "trait_definition.metric_dimension", "a union is a list");
    let mut mask = changes("color", Survivorship::First, "");
    mask.update_mask = Some(prost_types::FieldMask { paths: vec!["colour".to_owned(), "description".to_owned()] });
    let refused = traits.update_trait_definition(mask.clone()).await;
    assert_eq!(violations(refused)[0].0, "update_mask.paths[0]");
    mask.update_mask = Some(prost_types::FieldMask { paths: vec!["description".to_owned()] });
    let changed = traits.update_trait_definition(mask).await.expect("changed").into_inner();
    assert_eq!((changed.description.as_str(), changed.survivorship()), ("", Survivorship::Latest));
    assert_eq!((changed.metric_dimension, changed.pii_class()), (true, PiiClass::None));
    let stale = traits.update_trait_definition(changes("color", Survivorship::First, &made.etag)).await;
    assert_eq!(reason(stale), "STALE_ETAG");
    let mut retyped = changes("color", Survivorship::First, "");
    retyped.trait_definition.get_or_insert_default().r#type = TraitType::Number.into();
    assert_eq!(violations(traits.update_trait_definition(retyped).await)[0].0, "trait_definition.type");
    let unknown = traits.update_trait_definition(changes("height", Survivorship::First, "")).await;
    assert_eq!(reason(unknown), "RESOURCE_NOT_FOUND");
    let delete = |etag: &str| DeleteTraitDefinitionRequest {
        request_id: uuid::Uuid::new_v4().to_string(),
        name: "color".to_owned(),
        etag: etag.to_owned(),
    };
    assert_eq!(reason(traits.delete_trait_definition(delete(&made.etag)).await), "STALE_ETAG");
    let request = delete(&changed.etag);
    traits.delete_trait_definition(request.clone()).await.expect("deleted");
    traits.delete_trait_definition(request).await.expect("a retry is harmless");
    assert_eq!(reason(traits.delete_trait_definition(delete("")).await), "RESOURCE_NOT_FOUND");
    for (kind, rule, trusted, field) in [
        (TraitType::List, Survivorship::Max, &[][..], "survivorship"),
        (TraitType::Number, Survivorship::Union, &[], "survivorship"),
        (TraitType::Text, Survivorship::Latest, &["crm"], "trusted_sources"),
        (TraitType::Text, Survivorship::MostTrusted, &["crm", "crm"], "trusted_sources[1]"),
        (TraitType::Unspecified, Survivorship::Latest, &[], "type"),
    ] {
        let refused = traits.create_trait_definition(surviving("x", kind, rule, trusted)).await;
        assert_eq!(violations(refused)[0].0, format!("trait_definition.{field}"));
    }
    let several = traits.create_trait_definition(surviving("x", TraitType::List, Survivorship::Max, &["crm"])).await;
    assert_eq!(violations(several).len(), 2, "each field that is wrong is named");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_customers_are_told_page_by_page(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut ids = Vec::new();
    for at in 0..230 {
        let request = states(&format!("{at}"), &[("nick", "x")], 1);
        ids.push(customer(&ground.identify(tenant, request).await));
    }
    let request = surviving("nick", TraitType::Text, Survivorship::Union, &[]);
    ground.traits(tenant).create_trait_definition(request).await.expect("declared");
    ground.wait(3);
    for id in ids {
        for tries in 0.. {
            ground.wait(2);
            if ground.get(tenant, by_id(&id)).await.expect("there").revision == 2 {
                break;
            }
            assert!(tries < 500, "every customer is told once");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let profile = ground.get(tenant, by_id(&id)).await.expect("there");
        assert!(held(&profile, "nick") == Some(list(&["x"])) && profile.revision == 2);
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_the_definition_does_not_name_is_trusted_as_the_catalogue_says(#[case] engine: Engine) {
    use rapport_api::profiles::v1::catalogue_entry::Details;
    use rapport_api::profiles::v1::{CatalogueEntry, CreateCatalogueEntryRequest, Source};

    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let request = surviving("tier", TraitType::Text, Survivorship::MostTrusted, &["erp"]);
    ground.traits(tenant).create_trait_definition(request).await.expect("declared");
    let mut id = String::new();
    for (source, tier, seconds) in [("web", "web", 20), ("shop", "shop", 10)] {
        let request = IdentifyRequest { source: source.to_owned(), ..with_email("1", tier, seconds) };
        id = customer(&ground.identify(tenant, request).await);
    }
    let tier = async || trait_text(&ground.get(tenant, by_id(&id)).await.expect("there"), "tier").unwrap_or_default();
    assert_eq!(tier().await, "web", "of equal trust the latest");
    let details = Details::Source(Source { trust: Some(900), ..Source::default() });
    let entry = CatalogueEntry { name: "shop".to_owned(), details: Some(details), ..CatalogueEntry::default() };
    let request = CreateCatalogueEntryRequest { entry: Some(entry), ..CreateCatalogueEntryRequest::default() };
    ground.catalogue(tenant).create_catalogue_entry(request).await.expect("added");
    assert_eq!(tier().await, "shop");
    let request = IdentifyRequest { source: "erp".to_owned(), ..with_email("1", "erp", 1) };
    ground.identify(tenant, request).await;
    assert_eq!(tier().await, "erp", "whom the definition names comes first");
}
