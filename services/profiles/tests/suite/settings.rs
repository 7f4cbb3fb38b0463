//! A tenant's settings: what is changed, what follows, what is refused.

use rapport_api::events::v1::event::Payload;
use rapport_api::profiles::v1::{
    GetTenantSettingsRequest, SentimentWeights, TenantSettings, TraitType, UpdateTenantSettingsRequest, Weekday,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::catalogue::declares;
use crate::ground::*;

fn update(settings: TenantSettings, mask: &[&str]) -> UpdateTenantSettingsRequest {
    let paths: Vec<String> = mask.iter().map(|path| (*path).to_owned()).collect();
    UpdateTenantSettingsRequest {
        tenant_settings: Some(settings),
        update_mask: (!paths.is_empty()).then_some(prost_types::FieldMask { paths }),
        ..UpdateTenantSettingsRequest::default()
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_changed_by_mask_and_etag_and_told(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut reader = ground.reader();
    let mut settings = ground.settings(tenant);
    let before = settings.get_tenant_settings(GetTenantSettingsRequest {}).await.expect("there").into_inner();
    assert!(before == TenantSettings { etag: "0".to_owned(), ..TenantSettings::default() });
    let all = TenantSettings {
        zone: "Europe/Riga".to_owned(),
        phone_region: "LV".to_owned(),
        languages: vec!["lv".to_owned(), "ru".to_owned()],
        week_start: Weekday::Sunday.into(),
        currency: "EUR".to_owned(),
        suppression_threshold: 7,
        sentiment_weights: Some(SentimentWeights { mention: Some(0.25), chat: Some(0.0), ..Default::default() }),
        etag: before.etag.clone(),
        ..TenantSettings::default()
    };
    let set = settings.update_tenant_settings(update(all.clone(), &[])).await.expect("set").into_inner();
    assert!(set.update_time.is_some());
    assert!(TenantSettings { update_time: None, etag: "0".to_owned(), ..set.clone() } == all);
    let stale = settings.update_tenant_settings(update(all, &[])).await;
    assert_eq!(reason(stale), "STALE_ETAG");
    let zone = TenantSettings { zone: String::new(), ..TenantSettings::default() };
    let set = settings.update_tenant_settings(update(zone, &["zone"])).await.expect("set").into_inner();
    assert_eq!((set.zone.as_str(), set.currency.as_str()), ("", "EUR"), "what the mask does not name stays");
    let told: Vec<_> = reader.next(2).await.into_iter().map(|event| (event.revision, event.payload)).collect();
    let [(1, Some(Payload::TenantSettingsChanged(first))), (2, Some(Payload::TenantSettingsChanged(second)))] =
        &told[..]
    else {
        panic!("both changes are told")
    };
    assert_eq!((first.zone.as_str(), first.week_start, first.suppression_threshold), ("Europe/Riga", 7, 7));
    assert_eq!((second.zone.as_str(), second.suppression_threshold), ("", 7));
    let wrong = TenantSettings {
        zone: "Riga".to_owned(),
        phone_region: "XQ".to_owned(),
        languages: vec!["lv".to_owned(), "lv".to_owned(), "?".to_owned()],
        currency: "EURO".to_owned(),
        suppression_threshold: 1,
        sentiment_weights: Some(SentimentWeights {
            survey: Some(-1.0),
            ticket: Some(f64::NAN),
            mention: Some(0.005),
            chat: Some(11.0),
        }),
        ..TenantSettings::default()
    };
    let refused = settings.update_tenant_settings(update(wrong, &["colour"])).await;
    let fields: Vec<String> = violations(refused).into_iter().map(|(field, _)| field).collect();
    for field in ["zone", "phone_region", "languages[1]", "languages[2]", "currency", "suppression_threshold"] {
        assert!(fields.contains(&format!("tenant_settings.{field}")), "{field}: {fields:?}");
    }
    for source in ["survey", "ticket", "mention", "chat"] {
        assert!(fields.contains(&format!("tenant_settings.sentiment_weights.{source}")), "{source}: {fields:?}");
    }
    assert!(fields.contains(&"update_mask.paths[0]".to_owned()));
    let foreign = ground.settings(TenantId::new()).get_tenant_settings(GetTenantSettingsRequest {}).await;
    assert!(foreign.expect("there").into_inner() == before, "each tenant has its own");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_s_own_region_reads_its_telephone_numbers_and_strict_traits_are_declared_ones(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let own = TenantSettings { phone_region: "GB".to_owned(), strict_traits: true, ..TenantSettings::default() };
    ground.settings(tenant).update_tenant_settings(update(own, &[])).await.expect("set");
    let british = ground.record(tenant, "1", &[("phone", "020 7946 0958")]).await;
    assert_eq!(profile(&british).identifiers[0].value, "+442079460958");
    let german = ground.record(TenantId::new(), "1", &[("phone", "030 123456")]).await;
    assert_eq!(profile(&german).identifiers[0].value, "+4930123456", "as configured");
    let unknown = ground.profiles(tenant).identify(states("1", &[("city", "London")], 1)).await;
    let [(field, text)] = &violations(unknown)[..] else { panic!("one rule is broken") };
    assert!(field == "traits[\"city\"]" && text.contains("declared"));
    ground.traits(tenant).create_trait_definition(declares("city", TraitType::Text, false)).await.expect("declared");
    ground.identify(tenant, states("1", &[("city", "London")], 1)).await;
}
