//! The catalogue: entries of every kind, what it refuses and what it counts, and how well sources tell.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use rapport_api::common::v1::{Value, value::Kind};
use rapport_api::convert::timestamp;
use rapport_api::events::v1::event::Payload;
use rapport_api::google::r#type::Money;
use rapport_api::profiles::v1::catalogue_entry::Details;
use rapport_api::profiles::v1::record_interactions_request::Item;
use rapport_api::profiles::v1::{
    AttributeSchema, CatalogueEntry, CatalogueKind, CatalogueSettings, Channel, CreateCatalogueEntryRequest,
    CreateTraitDefinitionRequest, DeleteCatalogueEntryRequest, Enforcement, EventType, GetCatalogueEntryRequest,
    GetCatalogueSettingsRequest, GetDataQualityRequest, Interaction, InteractionDeletion, ListCatalogueEntriesRequest,
    Product, RecordInteractionRequest, RecordInteractionsRequest, Source, SourceKind, SourceQuality, Stage,
    Survivorship, Touchpoint, TraitDefinition, TraitType, UpdateCatalogueEntryRequest, UpdateCatalogueSettingsRequest,
    UpdateInteractionRequest,
};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, TenantId};
use rstest::rstest;
use tonic::{Response, Status};

use crate::ground::*;

fn entry(name: &str, details: Details) -> CatalogueEntry {
    CatalogueEntry { name: name.to_owned(), details: Some(details), ..CatalogueEntry::default() }
}

fn stage(name: &str, position: i32) -> CatalogueEntry {
    entry(name, Details::Stage(Stage { position }))
}

fn touchpoint(name: &str, channel: &str, stage: &str) -> CatalogueEntry {
    entry(name, Details::Touchpoint(Touchpoint { channel: channel.to_owned(), stage: stage.to_owned() }))
}

fn event_type(name: &str, attributes: &[(&str, TraitType, bool)], enforcement: Enforcement) -> CatalogueEntry {
    let attribute = |(name, of, required): &(&str, TraitType, bool)| {
        let schema = AttributeSchema { r#type: (*of).into(), required: *required, ..AttributeSchema::default() };
        ((*name).to_owned(), schema)
    };
    let attributes = attributes.iter().map(attribute).collect();
    entry(name, Details::EventType(EventType { attributes, enforcement: enforcement.into() }))
}

async fn create(ground: &Ground, tenant: TenantId, entry: CatalogueEntry) -> Result<CatalogueEntry, Status> {
    let request = CreateCatalogueEntryRequest { request_id: String::new(), entry: Some(entry) };
    ground.catalogue(tenant).create_catalogue_entry(request).await.map(Response::into_inner)
}

async fn update(ground: &Ground, tenant: TenantId, entry: CatalogueEntry) -> Result<CatalogueEntry, Status> {
    let request = UpdateCatalogueEntryRequest { request_id: String::new(), entry: Some(entry) };
    ground.catalogue(tenant).update_catalogue_entry(request).await.map(Response::into_inner)
}

async fn get(ground: &Ground, tenant: TenantId, kind: CatalogueKind, name: &str) -> Result<CatalogueEntry, Status> {
    let request = GetCatalogueEntryRequest { kind: kind.into(), name: name.to_owned() };
    ground.catalogue(tenant).get_catalogue_entry(request).await.map(Response::into_inner)
}

async fn delete(ground: &Ground, tenant: TenantId, kind: CatalogueKind, name: &str) -> Result<(), Status> {
    let (kind, name) = (kind.into(), name.to_owned());
    let request = DeleteCatalogueEntryRequest { kind, name, ..DeleteCatalogueEntryRequest::default() };
    ground.catalogue(tenant).delete_catalogue_entry(request).await.map(|_| ())
}

async fn names(ground: &Ground, tenant: TenantId, kind: CatalogueKind, page_size: i32) -> Vec<String> {
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListCatalogueEntriesRequest { kind: kind.into(), page_size, page_token };
        let page = ground.catalogue(tenant).list_catalogue_entries(request).await.expect("a page").into_inner();
        assert!(page.entries.len() <= usize::try_from(page_size).expect("positive"));
        found.extend(page.entries.into_iter().map(|entry| entry.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return found;
        }
    }
}

fn happens(kind: &str, attributes: &[(&str, Value)]) -> Interaction {
    Interaction {
        customer: Some(by_identifier("email", "one@example.com")),
        source: "shop".to_owned(),
        external_id: format!("{kind}-{}", attributes.len()),
        version: 1,
        r#type: kind.to_owned(),
        occurred_at: Some(at(0)),
        attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        ..Interaction::default()
    }
}

async fn record(ground: &Ground, tenant: TenantId, interaction: Interaction) -> Result<Interaction, Status> {
    let request = RecordInteractionRequest { interaction: Some(interaction), ..RecordInteractionRequest::default() };
    let answer = ground.interactions(tenant).record_interaction(request).await?;
    Ok(answer.into_inner().interaction.expect("it stands"))
}

async fn quality(ground: &Ground, tenant: TenantId, source: &str) -> Vec<SourceQuality> {
    let request = GetDataQualityRequest { source: source.to_owned(), ..GetDataQualityRequest::default() };
    ground.catalogue(tenant).get_data_quality(request).await.expect("told").into_inner().sources
}

fn number(value: f64) -> Value {
    Value { kind: Some(Kind::NumberValue(value)) }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_every_kind_are_kept_as_they_are_said(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let price = Some(Money { currency_code: "EUR".to_owned(), units: 12, nanos: 500_000_000 });
    let said = [
        (
            CatalogueKind::Source,
            entry("shop", Details::Source(Source { kind: SourceKind::Commerce.into(), trust: Some(0) })),
        ),
        (CatalogueKind::Channel, entry("branch", Details::Channel(Channel { staffed: true }))),
        (CatalogueKind::Stage, stage("use", 3)),
        (CatalogueKind::Touchpoint, touchpoint("counter", "branch", "use")),
        (
            CatalogueKind::EventType,
            event_type(
                "purchase",
                &[("size", TraitType::Number, true), ("tags", TraitType::List, false)],
                Enforcement::Strict,
            ),
        ),
        (
            CatalogueKind::Product,
            entry("Ärmel 1/2", Details::Product(Product { category: "shirts".to_owned(), price })),
        ),
    ];
    for (kind, said) in &said {
        let made = create(&ground, tenant, said.clone()).await.expect("made");
        let expected = CatalogueEntry {
            etag: made.etag.clone(),
            create_time: made.create_time,
            update_time: made.update_time,
            ..said.clone()
        };
        assert!(made == expected && made.create_time.is_some(), "{}", said.name);
        assert!(get(&ground, tenant, *kind, &said.name).await.expect("there") == made);
        assert_eq!(reason(create(&ground, tenant, said.clone()).await), "RESOURCE_EXISTS");
        assert_eq!(reason(get(&ground, TenantId::new(), *kind, &said.name).await), "RESOURCE_NOT_FOUND");
        let changed =
            update(&ground, tenant, CatalogueEntry { description: "x".to_owned(), ..made.clone() }).await.expect("new");
        assert!(changed.etag != made.etag && changed.description == "x" && changed.create_time == made.create_time);
        assert_eq!(reason(update(&ground, tenant, made).await), "STALE_ETAG");
    }
    assert_eq!(reason(update(&ground, tenant, stage("none", 1)).await), "RESOURCE_NOT_FOUND");
    // What others name stays.
    assert_eq!(reason(delete(&ground, tenant, CatalogueKind::Channel, "branch").await), "INVALID_STATE");
    assert_eq!(reason(delete(&ground, tenant, CatalogueKind::Stage, "use").await), "INVALID_STATE");
    for (kind, said) in said.iter().filter(|(kind, _)| *kind == CatalogueKind::Touchpoint).chain(&said[1..3]) {
        delete(&ground, tenant, *kind, &said.name).await.expect("deleted");
        assert_eq!(reason(get(&ground, tenant, *kind, &said.name).await), "RESOURCE_NOT_FOUND");
        assert_eq!(reason(delete(&ground, tenant, *kind, &said.name).await), "RESOURCE_NOT_FOUND");
    }
    let unknown = violations(create(&ground, tenant, touchpoint("door", "branch", "nowhere")).await);
    let fields: Vec<&str> = unknown.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["entry.touchpoint.channel", "entry.touchpoint.stage"]);
    let named = violations(create(&ground, tenant, stage("In Use", -1)).await);
    let fields: Vec<&str> = named.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["entry.stage.position", "entry.name"]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_are_listed_in_their_order_with_the_channels_that_everybody_has(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    for (name, position) in [("late", 9), ("b", 5), ("a", 5), ("early", 0)] {
        create(&ground, tenant, stage(name, position)).await.expect("made");
    }
    assert_eq!(names(&ground, tenant, CatalogueKind::Stage, 2).await, ["early", "a", "b", "late"]);
    let built_in = names(&ground, tenant, CatalogueKind::Channel, 5).await;
    assert!(built_in.is_sorted() && built_in.contains(&"web".to_owned()) && built_in.len() == 12);
    create(&ground, tenant, entry("branch", Details::Channel(Channel::default()))).await.expect("made");
    let web = get(&ground, tenant, CatalogueKind::Channel, "web").await.expect("built in");
    assert!(web.built_in && web.create_time.is_none());
    let renamed = update(&ground, tenant, CatalogueEntry { display_name: "Our site".to_owned(), ..web }).await;
    assert!(renamed.expect("it can be changed").built_in);
    assert_eq!(
        reason(create(&ground, tenant, entry("sms", Details::Channel(Channel::default()))).await),
        "RESOURCE_EXISTS"
    );
    assert_eq!(reason(delete(&ground, tenant, CatalogueKind::Channel, "web").await), "INVALID_STATE");
    assert_eq!(names(&ground, tenant, CatalogueKind::Channel, 4).await.len(), 13);
    let mut products = Vec::new();
    for n in 0..25 {
        products.push(format!("p{n:02}"));
        create(&ground, tenant, entry(&products[n], Details::Product(Product::default()))).await.expect("made");
    }
    delete(&ground, tenant, CatalogueKind::Product, "p13").await.expect("deleted");
    products.remove(13);
    assert_eq!(names(&ground, tenant, CatalogueKind::Product, 7).await, products);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strict_type_refuses_other_attributes_and_names_each(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let schema = [("size", TraitType::Number, true), ("note", TraitType::Text, false), ("at", TraitType::Time, true)];
    let made = create(&ground, tenant, event_type("fitting", &schema, Enforcement::Strict)).await.expect("made");
    let sound = [("size", number(4.0)), ("at", Value { kind: Some(Kind::TimeValue(at(1))) })];
    let held = record(&ground, tenant, happens("fitting", &sound)).await.expect("it keeps to the schema");
    let wrong = happens("fitting", &[("size", text("large")), ("colour", text("red")), ("note", text("fine"))]);
    let named: BTreeMap<String, String> =
        violations(record(&ground, tenant, wrong.clone()).await).into_iter().collect();
    let fields: Vec<&str> = named.keys().map(String::as_str).collect();
    let expected = ["attributes[\"at\"]", "attributes[\"colour\"]", "attributes[\"size\"]"];
    assert_eq!(fields, expected.map(|field| format!("interaction.{field}")));
    assert!(!named.values().any(|text| text.contains("large") || text.contains("red")), "{named:?}");
    // A correction is held to it as well: here it takes away what is required.
    let corrected = UpdateInteractionRequest {
        interaction: Some(Interaction { attributes: BTreeMap::new(), ..held }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["attributes.size".to_owned()] }),
        ..UpdateInteractionRequest::default()
    };
    let refused = violations(ground.interactions(tenant).update_interaction(corrected).await);
    assert_eq!(refused[0].0, "interaction.attributes[\"size\"]");
    // In bulk it is the item's error. Another type, and another tenant, do as they like.
    let items = stream::iter(
        [wrong.clone(), happens("visit", &[("colour", text("red"))])].map(RecordInteractionsRequest::from),
    );
    let acks = ground.interactions(tenant).record_interactions(items).await.expect("a stream").into_inner();
    let acks: Vec<_> = acks.map(|ack| ack.expect("it goes on").ack.expect("an acknowledgement")).collect().await;
    assert_eq!(acks.iter().fold((0, 0), |(taken, not), ack| (taken + ack.accepted, not + ack.rejected)), (1, 1));
    record(&ground, TenantId::new(), wrong.clone()).await.expect("not this tenant's schema");
    // Lenient, it takes and counts what it refused.
    let mut lenient = made;
    if let Some(Details::EventType(of)) = &mut lenient.details {
        of.set_enforcement(Enforcement::Lenient);
    }
    update(&ground, tenant, lenient).await.expect("changed");
    record(&ground, tenant, wrong).await.expect("taken");
    let told = quality(&ground, tenant, "shop").await.pop().expect("it told");
    assert_eq!((told.rejected, told.rejects_by_rule["catalogue.attribute"]), (3, 7));
    let unmapped: BTreeMap<(&str, &str), i64> =
        told.unmapped.iter().map(|of| ((of.kind.as_str(), of.name.as_str()), of.count)).collect();
    for name in ["fitting/size", "fitting/colour", "fitting/at"] {
        assert_eq!(unmapped[&("attribute", name)], 1, "{unmapped:?}");
    }
    assert_eq!((unmapped[&("event_type", "visit")], unmapped[&("source", "shop")]), (1, 3));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_the_catalogue_lacks_are_refused_only_where_the_tenant_says_so(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let unknown = Interaction {
        channel: "fax".to_owned(),
        touchpoint: "desk".to_owned(),
        stage: "dream".to_owned(),
        ..happens("visit", &[])
    };
    record(&ground, tenant, unknown.clone()).await.expect("lenient at first");
    let now = ground.catalogue(tenant).get_catalogue_settings(GetCatalogueSettingsRequest {}).await.expect("told");
    let strict = Enforcement::Strict.into();
    let settings = CatalogueSettings {
        sources: strict,
        channels: strict,
        touchpoints: strict,
        stages: strict,
        event_types: strict,
        ..now.into_inner()
    };
    let request = UpdateCatalogueSettingsRequest { settings: Some(settings.clone()), ..Default::default() };
    let kept = ground.catalogue(tenant).update_catalogue_settings(request.clone()).await.expect("kept").into_inner();
    assert!(kept.channels == strict && kept.etag != settings.etag);
    assert_eq!(reason(ground.catalogue(tenant).update_catalogue_settings(request).await), "STALE_ETAG");
    let refused = violations(record(&ground, tenant, unknown.clone()).await);
    let fields: Vec<&str> = refused.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(
        fields,
        ["source", "channel", "touchpoint", "stage", "type"].map(|field| format!("interaction.{field}"))
    );
    let stated = ground.profiles(tenant).identify(says("1", &[])).await;
    assert_eq!(violations(stated)[0].0, "source");
    // An empty name is none; a built-in channel is known; a deletion is of what was let in before.
    for said in [
        entry("shop", Details::Source(Source::default())),
        event_type("visit", &[], Enforcement::Lenient),
        stage("dream", 1),
        touchpoint("desk", "web", "dream"),
    ] {
        create(&ground, tenant, said).await.expect("made");
    }
    let known = Interaction { channel: "web".to_owned(), version: 2, ..unknown.clone() };
    record(&ground, tenant, known).await.expect("all is known");
    record(&ground, tenant, happens("visit", &[("any", number(1.0))])).await.expect("nothing is said but its type");
    let deletion = InteractionDeletion { source: "gone".to_owned(), external_id: "1".to_owned(), version: 1 };
    let deletion = RecordInteractionsRequest { item: Some(Item::Deletion(deletion)) };
    let acks = ground.interactions(tenant).record_interactions(stream::iter([deletion])).await.expect("a stream");
    let acks: Vec<_> = acks.into_inner().map(|ack| ack.expect("it goes on").ack.expect("one").accepted).collect().await;
    assert_eq!(acks, [1]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_told_how_well_each_source_tells(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    create(&ground, tenant, entry("till", Details::Source(Source::default()))).await.expect("made");
    create(&ground, tenant, event_type("sale", &[], Enforcement::Lenient)).await.expect("made");
    let now = ground.clock.now();
    let sale = |n: u64, ago: u64| Interaction {
        source: "till".to_owned(),
        external_id: n.to_string(),
        channel: "shop".to_owned(),
        occurred_at: Some(timestamp(now.minus(std::time::Duration::from_secs(ago)))),
        ..happens("sale", &[])
    };
    // A hundred: ninety a minute late, ten an hour late. Then some twice, some newer, one deleted, some wrong.
    let mut items: Vec<RecordInteractionsRequest> =
        (0..100).map(|n| sale(n, if n < 90 { 60 } else { 3_600 }).into()).collect();
    items.extend((0..7).map(|n| sale(n, 60).into()));
    items.extend((0..3).map(|n| Interaction { version: 2, ..sale(n, 30) }.into()));
    let deletion = InteractionDeletion { source: "till".to_owned(), external_id: "50".to_owned(), version: 1 };
    items.push(RecordInteractionsRequest { item: Some(Item::Deletion(deletion)) });
    items.extend((0..4).map(|_| Interaction { external_id: String::new(), ..sale(0, 60) }.into()));
    items.push(Interaction { customer: Some(by_id(&TenantId::new().to_string())), ..sale(999, 60) }.into());
    items.push(Interaction { source: "Not A Name".to_owned(), ..sale(998, 60) }.into());
    let acks = ground.interactions(tenant).record_interactions(stream::iter(items)).await.expect("a stream");
    acks.into_inner().for_each(async |ack| assert!(ack.is_ok())).await;
    ground.record(tenant, "1", &[("device_id", "d-1")]).await;
    ground.record(tenant, "2", &[("email", "two@example.com")]).await;
    let all = quality(&ground, tenant, "").await;
    let sources: Vec<&str> = all.iter().map(|of| of.source.as_str()).collect();
    assert_eq!(sources, ["", "crm", "till"]);
    assert_eq!((all[0].rejected, all[0].accepted, all[0].rejects_by_rule["string.pattern"]), (1, 0, 1));
    assert_eq!((all[1].records, all[1].records_without_strong_identifier, all[1].in_catalogue), (2, 1, false));
    let till = &all[2];
    assert!(till.in_catalogue && till.unmapped.is_empty());
    assert_eq!((till.accepted, till.created, till.deleted, till.duplicates), (104, 100, 1, 7));
    assert_eq!((till.rejected, till.rejects_by_rule["string.min_len"]), (5, 4));
    assert_eq!(till.rejects_by_rule["RESOURCE_NOT_FOUND"], 1);
    assert_eq!(till.last_observed_time, Some(timestamp(now.minus(std::time::Duration::from_secs(30)))));
    assert_eq!(till.last_recorded_time, Some(timestamp(now)));
    let near = |lag: &Option<prost_types::Duration>, seconds: f64| {
        let lag = lag.expect("there are some");
        ((lag.seconds as f64 + f64::from(lag.nanos) / 1e9) / seconds - 1.0).abs() < 0.1
    };
    assert!(near(&till.lag_p50, 60.0) && near(&till.lag_p95, 3_600.0));
    // A day later it is of yesterday; what is told of one day is of that day.
    ground.wait(86_400);
    assert_eq!(quality(&ground, tenant, "till").await[0].accepted, 104);
    let today = Some(timestamp(ground.clock.now()));
    let request = GetDataQualityRequest { start_time: today, ..GetDataQualityRequest::default() };
    let none = ground.catalogue(tenant).get_data_quality(request).await.expect("told").into_inner();
    assert!(none.sources.is_empty());
    let backwards = GetDataQualityRequest { start_time: today, end_time: Some(at(0)), ..Default::default() };
    assert_eq!(violations(ground.catalogue(tenant).get_data_quality(backwards).await)[0].0, "end_time");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_hear_of_entries_and_a_replay_tells_them_again(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut reader = ground.reader();
    let made = event_type("sale", &[("size", TraitType::Number, true)], Enforcement::Strict);
    create(&ground, tenant, made).await.expect("made");
    create(&ground, tenant, stage("use", 3)).await.expect("made");
    delete(&ground, tenant, CatalogueKind::Stage, "use").await.expect("deleted");
    create(&ground, tenant, stage("use", 4)).await.expect("made again");
    create(&ground, tenant, stage("gone", 1)).await.expect("made");
    delete(&ground, tenant, CatalogueKind::Stage, "gone").await.expect("deleted");
    let told = |events: Vec<rapport_api::events::v1::Event>| {
        let mut told = Vec::new();
        for event in events {
            if let Some(Payload::CatalogueEntryChanged(changed)) = event.payload {
                assert_eq!(event.subject_id, tenant.to_string());
                let what = (changed.position, changed.attributes.get("size").cloned(), changed.strict, changed.deleted);
                told.push((event.aggregate_id, event.revision, what));
            }
        }
        told.sort();
        told
    };
    let sale = ("event_type/sale".to_owned(), 1, (0, Some("number".to_owned()), true, false));
    let line = |name: &str, revision, position, deleted| {
        (format!("stage/{name}"), revision, (position, None::<String>, false, deleted))
    };
    let all = told(reader.next(6).await);
    let expected = [
        sale.clone(),
        line("gone", 1, 1, false),
        line("gone", 2, 0, true),
        line("use", 1, 3, false),
        line("use", 2, 0, true),
        line("use", 3, 4, false),
    ];
    assert_eq!(all, expected);
    ground.replay().await;
    assert_eq!(told(reader.next(3).await), [sale, line("gone", 2, 0, true), line("use", 3, 4, false)]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trust_in_a_source_decides_what_survives_by_trust(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let definition = TraitDefinition {
        name: "city".to_owned(),
        r#type: TraitType::Text.into(),
        survivorship: Survivorship::MostTrusted.into(),
        ..TraitDefinition::default()
    };
    let request = CreateTraitDefinitionRequest { trait_definition: Some(definition), ..Default::default() };
    ground.traits(tenant).create_trait_definition(request).await.expect("declared");
    let mut id = String::new();
    for (source, city, seconds) in [("crm", "Riga", 1), ("erp", "Oslo", 2)] {
        let identifiers = says("", &[("email", "one@example.com")]).identifiers;
        let mut request = states("1", &[("city", city)], seconds);
        (request.source, request.identifiers) = (source.to_owned(), identifiers);
        id = customer(&ground.identify(tenant, request).await);
    }
    let city = async || {
        let profile = ground.get(tenant, by_id(&id)).await.expect("there");
        profile.traits["city"].value.clone()
    };
    assert_eq!(city().await, Some(text("Oslo")), "both are trusted alike: the later one");
    let source = |trust| entry("crm", Details::Source(Source { trust: Some(trust), ..Source::default() }));
    // The second record was linked a moment after the first.
    ground.wait(1);
    let mut told = vec![(ground.clock.now(), "Oslo")];
    ground.wait(5);
    create(&ground, tenant, source(900)).await.expect("made");
    assert_eq!(city().await, Some(text("Riga")));
    told.push((ground.clock.now(), "Riga"));
    ground.wait(5);
    update(&ground, tenant, source(100)).await.expect("changed");
    assert_eq!(city().await, Some(text("Oslo")));
    told.push((ground.clock.now(), "Oslo"));
    ground.wait(5);
    update(&ground, tenant, source(800)).await.expect("changed");
    told.push((ground.clock.now(), "Riga"));
    ground.wait(5);
    let mut catalogue = ground.catalogue(tenant);
    let request = DeleteCatalogueEntryRequest {
        kind: CatalogueKind::Source.into(),
        name: "crm".to_owned(),
        ..Default::default()
    };
    catalogue.delete_catalogue_entry(request).await.expect("deleted");
    assert_eq!(city().await, Some(text("Oslo")));
    told.push((ground.clock.now(), "Oslo"));
    ground.wait(5);
    // What was known at each instant was known by the trust of then.
    for (at, expected) in told {
        let past = ground.get_as_of(tenant, by_id(&id), at).await;
        assert_eq!(past.traits["city"].value, Some(text(expected)));
    }
}
