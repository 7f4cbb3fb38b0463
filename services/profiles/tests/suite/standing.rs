//! Objections, flags and preferences: the most restrictive holds, a split gives each record its own back, a flag ends by
//! itself, and what was said of consents and preferences is listed with its proof.

use rapport_api::common::v1::{CustomerRef, Processing, QuietHours, Tone};
use rapport_api::convert::timestamp;
use rapport_api::events::v1::event::Payload;
use rapport_api::events::v1::{CustomerContext, Event};
use rapport_api::profiles::v1::{
    Consent, ConsentState, Flag, GetContextRequest, GetProfileRequest, ListConsentHistoryRequest,
    ListPreferenceHistoryRequest, PreferenceBasis, Preferences, PreviewMergeRequest, Profile,
    RestrictProcessingRequest, SetConsentRequest, SetFlagsRequest, SetPreferencesRequest,
};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, TenantId};
use rstest::rstest;
use std::time::Duration;

use crate::ground::*;
use crate::merges::{merge, split};

pub fn objects(customer: CustomerRef, processing: &[Processing], withdraw: bool) -> RestrictProcessingRequest {
    RestrictProcessingRequest {
        customer: Some(customer),
        processing: processing.iter().map(|kind| i32::from(*kind)).collect(),
        withdraw,
        source: "preference_centre".to_owned(),
        proof: "letter-7".to_owned(),
        ..RestrictProcessingRequest::default()
    }
}

fn restrictions(profile: &Profile) -> Vec<Processing> {
    profile.restrictions.iter().map(|held| held.processing()).collect()
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_objection_on_any_record_holds_for_the_customer_and_is_withdrawn_on_its_own(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let first = customer(&ground.record(tenant, "1", &[]).await);
    let second = customer(&ground.record(tenant, "2", &[]).await);
    let mut profiles = ground.profiles(tenant);
    let both = objects(by_id(&second), &[Processing::Profiling, Processing::Marketing], false);
    let profile = profiles.restrict_processing(both).await.expect("heard").into_inner();
    assert_eq!(restrictions(&profile), [Processing::Marketing, Processing::Profiling]);
    let held = &profile.restrictions[0];
    assert_eq!((held.source.as_str(), held.proof.as_str()), ("preference_centre", "letter-7"));
    assert_eq!(held.subject_id, second);
    let request = PreviewMergeRequest { target: Some(by_id(&first)), sources: vec![by_id(&second)] };
    let preview = profiles.preview_merge(request).await.expect("a preview").into_inner();
    let changes: Vec<_> =
        preview.restriction_changes.iter().map(|it| (it.customer_id.clone(), it.processing())).collect();
    assert_eq!(changes, [(first.clone(), Processing::Marketing), (first.clone(), Processing::Profiling)]);
    let one = profiles.merge_profiles(merge(&first, &[&second])).await.expect("merged").into_inner();
    assert_eq!(restrictions(&one.profile.expect("one")).len(), 2);
    let other = objects(by_id(&first), &[Processing::Marketing], true);
    let still = profiles.restrict_processing(other).await.expect("heard").into_inner();
    assert_eq!(restrictions(&still).len(), 2, "it was not said on this record");
    ground.wait(1);
    let own = objects(by_id(&second), &[Processing::Marketing], true);
    let left = profiles.restrict_processing(own).await.expect("heard").into_inner();
    assert_eq!(restrictions(&left), [Processing::Profiling]);
    let context = GetContextRequest { customer: Some(by_id(&first)), ..GetContextRequest::default() };
    let context = ground.contexts(tenant).get_context(context).await.expect("there").into_inner().context;
    assert_eq!(context.expect("a context").restrictions, [i32::from(Processing::Profiling)]);
    profiles.split_profile(split(&first, &["2"])).await.expect("parted");
    assert_eq!(restrictions(&ground.get(tenant, by_id(&first)).await.expect("there")), []);
    assert_eq!(restrictions(&ground.get(tenant, by_id(&second)).await.expect("there")), [Processing::Profiling]);
    let nothing = objects(by_id(&first), &[], false);
    assert_eq!(violations(profiles.restrict_processing(nothing).await)[0].0, "processing");
}

fn flags(customer: CustomerRef, flags: Vec<Flag>, cleared: &[&str]) -> SetFlagsRequest {
    SetFlagsRequest {
        customer: Some(customer),
        flags,
        cleared_flags: cleared.iter().map(|name| (*name).to_owned()).collect(),
        source: "contact_centre".to_owned(),
        ..SetFlagsRequest::default()
    }
}

fn names_of(profile: &Profile) -> Vec<&str> {
    profile.flags.iter().map(|flag| flag.name.as_str()).collect()
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flag_ends_by_itself_at_its_instant_and_that_is_told(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let id = customer(&ground.record(tenant, "1", &[]).await);
    let mut reader = ground.reader();
    let began = ground.clock.now();
    let end = began.plus(Duration::from_secs(60));
    let set = vec![
        Flag { name: "bereaved".to_owned(), expire_time: Some(timestamp(end)), ..Flag::default() },
        Flag { name: "vulnerable".to_owned(), ..Flag::default() },
    ];
    let profile = ground.profiles(tenant).set_flags(flags(by_id(&id), set, &[])).await.expect("set").into_inner();
    assert_eq!(names_of(&profile), ["bereaved", "vulnerable"]);
    assert_eq!(profile.flags[0].source, "contact_centre");
    let context = |event: &Event| match event.payload.clone().expect("a payload") {
        Payload::ProfileChanged(changed) => *changed.context.expect("a context"),
        _ => CustomerContext::default(),
    };
    let told = loop {
        let events = reader.next(1).await;
        if let Some(event) = events.iter().find(|event| event.aggregate_id == id && event.revision == 2) {
            break context(event);
        }
    };
    assert_eq!((told.valid_until, told.flags.len()), (Some(timestamp(end)), 2));
    ground.clock.set(end);
    let now = ground.get(tenant, by_id(&id)).await.expect("there");
    assert_eq!(names_of(&now), ["vulnerable"], "from that instant on");
    let told = loop {
        if let Some(event) = reader.next(1).await.iter().find(|event| event.revision == 3) {
            break context(event);
        }
    };
    assert_eq!((told.valid_until, told.flags.len(), told.revision), (None, 1, 3));
    let past = ground.get_as_of(tenant, by_id(&id), began.plus(Duration::from_secs(59))).await;
    assert_eq!((names_of(&past), past.revision), (vec!["bereaved", "vulnerable"], 2));
    let past = ground.get_as_of(tenant, by_id(&id), end).await;
    assert_eq!((names_of(&past), past.revision), (vec!["vulnerable"], 3));
    let cleared = ground.profiles(tenant).set_flags(flags(by_id(&id), vec![], &["vulnerable"])).await;
    assert!(cleared.expect("cleared").into_inner().flags.is_empty());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_flag_on_two_records_the_one_that_ends_last_holds(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let first = customer(&ground.record(tenant, "1", &[]).await);
    let second = customer(&ground.record(tenant, "2", &[]).await);
    let mut profiles = ground.profiles(tenant);
    let until = |seconds| {
        let end = timestamp(ground.clock.now().plus(Duration::from_secs(seconds)));
        vec![Flag { name: "vulnerable".to_owned(), expire_time: Some(end), ..Flag::default() }]
    };
    profiles.set_flags(flags(by_id(&first), until(600), &[])).await.expect("set");
    profiles.set_flags(flags(by_id(&second), until(60), &[])).await.expect("set");
    profiles.merge_profiles(merge(&second, &[&first])).await.expect("merged");
    ground.wait(1);
    let one = profiles.set_flags(flags(by_id(&second), vec![], &["vulnerable"])).await.expect("cleared").into_inner();
    assert_eq!((one.flags.len(), one.flags[0].subject_id.as_str()), (1, first.as_str()), "the other record bears it");
    profiles.split_profile(split(&second, &["1"])).await.expect("parted");
    assert!(ground.get(tenant, by_id(&second)).await.expect("there").flags.is_empty());
    ground.wait(601);
    assert!(ground.get(tenant, by_id(&first)).await.expect("there").flags.is_empty());
    // What the client called with is over by now.
    let mut profiles = ground.profiles(tenant);
    let twice = [until(1), until(2)].concat();
    let refused = profiles.set_flags(flags(by_id(&first), twice, &["vulnerable"])).await;
    let fields: Vec<String> = violations(refused).into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["flags[1].name", "cleared_flags[0]"]);
    let over = vec![Flag { name: "x".to_owned(), expire_time: Some(at(1)), ..Flag::default() }];
    assert_eq!(violations(profiles.set_flags(flags(by_id(&first), over, &[])).await)[0].0, "flags[0].expire_time");
}

fn prefers(customer: CustomerRef, preferences: Preferences, mask: &[&str]) -> SetPreferencesRequest {
    let paths: Vec<String> = mask.iter().map(|path| (*path).to_owned()).collect();
    SetPreferencesRequest {
        customer: Some(customer),
        preferences: Some(preferences),
        update_mask: (!paths.is_empty()).then_some(prost_types::FieldMask { paths }),
        source: "app".to_owned(),
        ..SetPreferencesRequest::default()
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preferences_are_the_latest_field_by_field_and_their_drift_is_listed(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let first = customer(&ground.record(tenant, "1", &[]).await);
    let second = customer(&ground.record(tenant, "2", &[]).await);
    let mut profiles = ground.profiles(tenant);
    let all = Preferences {
        language: "lv".to_owned(),
        zone: "Europe/Riga".to_owned(),
        preferred_channels: vec!["email".to_owned(), "app".to_owned()],
        quiet_hours: Some(QuietHours { start: "22:00".to_owned(), end: "07:30".to_owned() }),
        tone: Tone::Formal.into(),
        accessibility_needs: vec!["large_print".to_owned()],
        ..Preferences::default()
    };
    let set = profiles.set_preferences(prefers(by_id(&first), all.clone(), &[])).await.expect("set").into_inner();
    let mut held = set.preferences.expect("they are there");
    assert_eq!(held.provenance.len(), 6);
    assert_eq!(
        (held.provenance["zone"].source.as_str(), held.provenance["zone"].subject_id.as_str()),
        ("app", &*first)
    );
    held.provenance.clear();
    assert!(held == all);
    ground.wait(10);
    let russian = Preferences { language: "ru".to_owned(), ..Preferences::default() };
    profiles.set_preferences(prefers(by_id(&second), russian.clone(), &[])).await.expect("set");
    let mut seen = prefers(by_id(&second), Preferences { language: "de".to_owned(), ..Preferences::default() }, &[]);
    seen.basis = PreferenceBasis::Observed.into();
    ground.wait(10);
    let observed = profiles.set_preferences(seen).await.expect("set").into_inner().preferences.expect("there");
    assert_eq!(observed.language, "ru", "what it said outranks what was seen");
    let one = profiles.merge_profiles(merge(&first, &[&second])).await.expect("merged").into_inner();
    let one = one.profile.and_then(|profile| profile.preferences).expect("there");
    assert_eq!((one.language.as_str(), one.zone.as_str(), one.tone()), ("ru", "Europe/Riga", Tone::Formal));
    ground.wait(10);
    let cleared = prefers(by_id(&first), Preferences::default(), &["language", "tone"]);
    let cleared = profiles.set_preferences(cleared).await.expect("cleared").into_inner().preferences.expect("there");
    assert_eq!((cleared.language.as_str(), cleared.tone()), ("de", Tone::Unspecified), "what was seen is left");
    assert_eq!(cleared.provenance["language"].basis(), PreferenceBasis::Observed);
    let mut history = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListPreferenceHistoryRequest {
            customer: Some(by_id(&first)),
            field: "language".to_owned(),
            page_size: 1,
            page_token,
        };
        let page = profiles.list_preference_history(request).await.expect("a page").into_inner();
        history.extend(page.changes);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let languages: Vec<_> = history
        .iter()
        .map(|change| (change.preferences.clone().unwrap_or_default().language, change.basis(), &*change.subject_id))
        .collect();
    let (given, seen) = (PreferenceBasis::Given, PreferenceBasis::Observed);
    let expected = [
        (String::new(), given, &*first),
        ("de".to_owned(), seen, &*second),
        ("ru".to_owned(), given, &*second),
        ("lv".to_owned(), given, &*first),
    ];
    assert_eq!(languages, expected);
    let all = ListPreferenceHistoryRequest { customer: Some(by_id(&first)), ..Default::default() };
    assert_eq!(profiles.list_preference_history(all).await.expect("a page").into_inner().changes.len(), 10);
    profiles.split_profile(split(&first, &["2"])).await.expect("parted");
    let apart = ground.get(tenant, by_id(&second)).await.expect("there").preferences.expect("there");
    assert_eq!((apart.language.as_str(), apart.zone.as_str()), ("ru", ""));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preferences_that_are_none_are_refused_all_at_once(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let id = customer(&ground.record(tenant, "1", &[]).await);
    let wrong = Preferences {
        language: "l".to_owned(),
        zone: "Europe/Rigga".to_owned(),
        preferred_channels: vec!["email".to_owned(), "email".to_owned()],
        quiet_hours: Some(QuietHours { start: "24:00".to_owned(), end: "7:30".to_owned() }),
        ..Preferences::default()
    };
    let refused = ground.profiles(tenant).set_preferences(prefers(by_id(&id), wrong, &["lingo"])).await;
    let mut fields: Vec<String> = violations(refused).into_iter().map(|(field, _)| field).collect();
    fields.sort();
    let expected = [
        "preferences.language",
        "preferences.preferred_channels[1]",
        "preferences.quiet_hours.end",
        "preferences.quiet_hours.start",
        "preferences.zone",
        "update_mask.paths[0]",
    ];
    assert!(expected.iter().all(|field| fields.contains(&(*field).to_owned())), "{fields:?}");
    let nothing = ground.profiles(tenant).set_preferences(prefers(by_id(&id), Preferences::default(), &[])).await;
    assert_eq!(violations(nothing)[0].0, "preferences");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_consent_is_listed_with_its_proof_page_by_page(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let id = customer(&ground.record(tenant, "1", &[]).await);
    let mut profiles = ground.profiles(tenant);
    let consent = |purpose: &str, state: ConsentState, proof: &str| Consent {
        purpose: purpose.to_owned(),
        channel: "email".to_owned(),
        state: state.into(),
        wording_version: "v2".to_owned(),
        language: "lv".to_owned(),
        proof: proof.to_owned(),
        ..Consent::default()
    };
    let told = [
        ("marketing", ConsentState::Granted, "form-1"),
        ("research", ConsentState::Granted, "form-2"),
        ("marketing", ConsentState::Denied, "call-3"),
        ("marketing", ConsentState::Granted, "form-4"),
    ];
    for (purpose, state, proof) in told {
        let request = SetConsentRequest {
            customer: Some(by_id(&id)),
            consent: Some(consent(purpose, state, proof)),
            source: "site".to_owned(),
            ..SetConsentRequest::default()
        };
        profiles.set_consent(request).await.expect("heard");
        ground.wait(1);
    }
    // A statement of many: pages may cut through it.
    let many = (0..5).map(|at| consent(&format!("p{at}"), ConsentState::Granted, &format!("bulk-{at}"))).collect();
    ground.identify(tenant, rapport_api::profiles::v1::IdentifyRequest { consents: many, ..says("1", &[]) }).await;
    let list = async |purpose: &str, page_size: i32| {
        let (mut found, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListConsentHistoryRequest {
                customer: Some(by_id(&id)),
                purpose: purpose.to_owned(),
                page_size,
                page_token,
            };
            let page = ground.profiles(tenant).list_consent_history(request).await.expect("a page").into_inner();
            assert!(page.statements.len() <= usize::try_from(page_size).expect("small"));
            found.extend(page.statements);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return found.into_iter().map(|it| it.consent.expect("a consent").proof).collect::<Vec<_>>();
            }
        }
    };
    assert_eq!(list("marketing", 2).await, ["form-4", "call-3", "form-1"]);
    let all = list("", 2).await;
    assert_eq!(all, ["bulk-0", "bulk-1", "bulk-2", "bulk-3", "bulk-4", "form-4", "call-3", "form-2", "form-1"]);
    assert_eq!(list("", 100).await, all);
    let foreign = ListConsentHistoryRequest { customer: Some(by_id(&id)), ..Default::default() };
    let refused = ground.profiles(TenantId::new()).list_consent_history(foreign).await;
    assert_eq!(reason(refused), "RESOURCE_NOT_FOUND");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_mask_answers_just_what_it_names(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let told = ground.identify(tenant, states("1", &[("city", "Riga"), ("tier", "gold")], 1)).await;
    let id = customer(&told);
    let ask = async |paths: &[&str]| {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        let request = GetProfileRequest {
            customer: Some(by_id(&id)),
            read_mask: Some(prost_types::FieldMask { paths }),
            ..GetProfileRequest::default()
        };
        ground.profiles(tenant).get_profile(request).await.map(tonic::Response::into_inner)
    };
    let some = ask(&["customer_id", "traits.city"]).await.expect("there");
    assert_eq!((some.customer_id.as_str(), some.traits.len()), (id.as_str(), 1));
    assert!(some.records.is_empty() && some.revision == 0 && some.create_time.is_none());
    assert!(&ask(&[]).await.expect("there") == profile(&told));
    assert_eq!(ask(&["traits"]).await.expect("there").traits.len(), 2);
    assert_eq!(violations(ask(&["records", "trait"]).await)[0].0, "read_mask.paths[1]");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_channel_a_customer_is_met_on_is_inferred_of_all_its_records(#[case] engine: Engine) {
    use rapport_api::profiles::v1::{InferredChannel, Interaction, RecordInteractionRequest};

    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let first = customer(&ground.record(tenant, "1", &[]).await);
    let second = customer(&ground.record(tenant, "2", &[]).await);
    let meet = async |id: &str, channel: &str, times: usize| {
        for at in 0..times {
            let interaction = Interaction {
                customer: Some(by_id(id)),
                source: "shop".to_owned(),
                external_id: format!("{id}/{channel}/{at}"),
                version: 1,
                r#type: "visit".to_owned(),
                channel: channel.to_owned(),
                occurred_at: Some(timestamp(ground.clock.now())),
                ..Interaction::default()
            };
            let request = RecordInteractionRequest { interaction: Some(interaction), ..Default::default() };
            ground.interactions(tenant).record_interaction(request).await.expect("recorded");
        }
    };
    // Each interaction is followed by itself: fewer of them tell the same with less confidence.
    let inferred = async |id: &str, channels: &[&str], confidence: f64| {
        for _ in 0..1_600 {
            ground.wait(1);
            let profile = ground.get(tenant, by_id(id)).await.expect("there");
            let found = profile.preferences.unwrap_or_default().inferred_channels;
            let are = found.iter().map(|it| it.channel.as_str()).eq(channels.iter().copied());
            if are && found[0].confidence > confidence {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{channels:?} are inferred");
    };
    meet(&first, "web", 3).await;
    meet(&second, "email", 12).await;
    let found: Vec<InferredChannel> = inferred(&second, &["email"], 0.6).await;
    assert!((found[0].share - 1.0).abs() < 1e-9);
    assert!(ground.get(tenant, by_id(&first)).await.expect("there").preferences.is_none(), "too few tell nothing");
    meet(&first, "web", 6).await;
    meet(&first, "app", 3).await;
    inferred(&first, &["web", "app"], 0.0).await;
    ground.profiles(tenant).merge_profiles(merge(&first, &[&second])).await.expect("merged");
    inferred(&first, &["email", "web", "app"], 0.0).await;
    ground.profiles(tenant).split_profile(split(&first, &["2"])).await.expect("parted");
    inferred(&first, &["web", "app"], 0.0).await;
    inferred(&second, &["email"], 0.0).await;
    let request = ListPreferenceHistoryRequest {
        customer: Some(by_id(&second)),
        field: "inferred_channels".to_owned(),
        ..ListPreferenceHistoryRequest::default()
    };
    let history = ground.profiles(tenant).list_preference_history(request).await.expect("a page").into_inner();
    let last = history.changes.first().expect("it was seen");
    assert_eq!((last.basis(), last.source.as_str()), (PreferenceBasis::Observed, "interactions"));
    assert_eq!(last.preferences.clone().unwrap_or_default().inferred_channels[0].channel, "email");
}
