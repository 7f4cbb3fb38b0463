//! SearchProfiles: by condition and by text, in pages, against a look at every profile.

use std::collections::BTreeSet;

use prost_types::FieldMask;
use rapport_api::common::v1::{TextList, Value, value::Kind};
use rapport_api::profiles::v1::{
    Consent, ConsentState, CreateTraitDefinitionRequest, IdentifyRequest, Profile, SearchProfilesRequest,
    SplitProfileRequest, TraitDefinition, TraitType,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;
use tonic::Response;

use crate::ground::*;
use crate::imports::{Dice, import};
use crate::merges::merge;

async fn all(ground: &Ground, tenant: TenantId, request: SearchProfilesRequest) -> Vec<Profile> {
    let (mut found, mut request) = (Vec::new(), request);
    loop {
        let page = ground.profiles(tenant).search_profiles(request.clone()).await.expect("a page").into_inner();
        assert!(request.page_size == 0 || page.profiles.len() <= request.page_size as usize);
        found.extend(page.profiles);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return found;
        }
    }
}

fn filter(source: &str) -> SearchProfilesRequest {
    SearchProfilesRequest { filter: source.to_owned(), ..SearchProfilesRequest::default() }
}

fn query(text: &str) -> SearchProfilesRequest {
    SearchProfilesRequest { query: text.to_owned(), ..SearchProfilesRequest::default() }
}

fn ids(profiles: &[Profile]) -> Vec<String> {
    profiles.iter().map(|profile| profile.customer_id.clone()).collect()
}

fn number(profile: &Profile, name: &str) -> Option<f64> {
    match profile.traits.get(name)?.value.as_ref()?.kind.as_ref()? {
        Kind::NumberValue(number) => Some(*number),
        _ => None,
    }
}

fn person(dice: &mut Dice, n: u32) -> IdentifyRequest {
    let mut request = states(&n.to_string(), &[], 0);
    if dice.below(3) > 0 {
        request.traits.insert("plan".to_owned(), text(["gold", "silver", "Gold", ""][dice.below(4) as usize]));
    }
    let age = Value { kind: Some(Kind::NumberValue(dice.below(60) as f64 / 2.0)) };
    match dice.below(4) {
        0 => {}
        1 => drop(request.traits.insert("age".to_owned(), text("unknown"))),
        _ => drop(request.traits.insert("age".to_owned(), age)),
    }
    if dice.below(2) == 0 {
        request.identifiers = says("", &[("email", &format!("p{}@example.com", dice.below(50)))]).identifiers;
    }
    if dice.below(3) == 0 {
        let state = [ConsentState::Granted, ConsentState::Denied][dice.below(2) as usize];
        let channel = ["", "email"][dice.below(2) as usize].to_owned();
        let consent = Consent { purpose: "marketing".to_owned(), channel, state: state.into(), ..Consent::default() };
        request.consents.push(consent);
    }
    request
}

type Holds = fn(&Profile) -> bool;

fn consented(profile: &Profile, channel: &str) -> Option<bool> {
    let of = |channel: &str| profile.consents.iter().find(|it| it.purpose == "marketing" && it.channel == channel);
    of(channel).or_else(|| of("")).map(|consent| consent.state() == ConsentState::Granted)
}

const CONDITIONS: &[(&str, Holds)] = &[
    ("traits.plan == 'gold'", |it| trait_text(it, "plan").as_deref() == Some("gold")),
    ("customer.traits.plan == 'gold'", |it| trait_text(it, "plan").as_deref() == Some("gold")),
    ("traits.plan in ['silver', 'Gold']", |it| {
        trait_text(it, "plan").is_some_and(|plan| plan == "silver" || plan == "Gold")
    }),
    ("!has(traits.plan)", |it| !it.traits.contains_key("plan")),
    ("traits.age >= 18 && traits.age < 25.5", |it| number(it, "age").is_some_and(|age| (18.0..25.5).contains(&age))),
    ("!(traits.age > 10)", |it| number(it, "age").is_some_and(|age| age <= 10.0)),
    ("traits.age == 7 || traits.plan == ''", |it| {
        number(it, "age") == Some(7.0) || trait_text(it, "plan").as_deref() == Some("")
    }),
    ("'email' in identifiers", |it| it.identifiers.iter().any(|it| it.namespace == "email")),
    ("identifiers.email.exists(it, it.startsWith('p1'))", |it| {
        it.identifiers.iter().any(|it| it.value.starts_with("p1"))
    }),
    ("consents['marketing']", |it| consented(it, "") == Some(true)),
    ("consents['marketing/email']", |it| consented(it, "email") == Some(true)),
    ("party == 'lead'", |_| false),
    ("'crm' in sources && create_time <= now && size(traits) > 1", |it| it.traits.len() > 1),
    ("true", |_| true),
];

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_finds_exactly_whom_a_look_at_everybody_finds(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut dice = Dice(7);
    let people: Vec<_> = (0..300).map(|n| person(&mut dice, n)).collect();
    import(&ground, TenantId::new(), people[..20].to_vec()).await;
    for some in people.chunks(60) {
        import(&ground, tenant, some.to_vec()).await;
        ground.wait(1);
    }
    let everybody: BTreeSet<String> = {
        let mut found = BTreeSet::new();
        for item in &people {
            found.insert(customer(&ground.identify(tenant, states(&item.external_id, &[], 0)).await));
        }
        found
    };
    let mut looked = Vec::new();
    for id in &everybody {
        looked.push(ground.get(tenant, by_id(id)).await.expect("there"));
    }
    for (source, holds) in CONDITIONS {
        let expected: Vec<String> = ids(&looked.iter().filter(|it| holds(it)).cloned().collect::<Vec<_>>());
        for size in [0, 1 + dice.below(40) as i32, 1_000] {
            let found = all(&ground, tenant, SearchProfilesRequest { page_size: size, ..filter(source) }).await;
            assert_eq!(ids(&found), expected, "{source} in pages of {size}");
            assert!(found.iter().all(|found| looked.contains(found)), "whole, as GetProfile has them");
        }
    }
    for (order, key) in [
        ("update_time", (|it| (it.update_time.map(|at| (at.seconds, at.nanos)), it.customer_id.clone())) as Key),
        ("create_time desc", |it| (it.create_time.map(|at| (at.seconds, at.nanos)), it.customer_id.clone())),
        ("customer_id desc", |it| (None, it.customer_id.clone())),
    ] {
        let request = SearchProfilesRequest { order_by: order.to_owned(), page_size: 7, ..filter("has(traits.age)") };
        let found = all(&ground, tenant, request).await;
        let mut expected: Vec<_> = looked.iter().filter(|it| it.traits.contains_key("age")).map(key).collect();
        expected.sort();
        if order.ends_with("desc") {
            expected.reverse();
        }
        assert_eq!(found.iter().map(key).collect::<Vec<_>>(), expected, "{order}");
    }
}

type Key = fn(&Profile) -> (Option<(i64, i32)>, String);

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_identifiers_are_found_however_they_are_written(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut anna = says("1", &[("email", "anna.mueller@example.com"), ("phone", "030 123456")]);
    anna.traits.insert("first_name".to_owned(), text("Anna-Lena"));
    anna.traits.insert("last_name".to_owned(), text("Müller"));
    anna.traits.insert("nickname".to_owned(), text("Änni"));
    let mut ivan = says("2", &[("customer_number", "K-0042")]);
    ivan.traits.insert("name".to_owned(), text("Иван Иванов"));
    let (anna, ivan) = (customer(&ground.identify(tenant, anna).await), customer(&ground.identify(tenant, ivan).await));
    let found = async |text: &str| ids(&all(&ground, tenant, query(text)).await);
    for text in ["muller", "MÜLL", "lena", "müller anna", "anna.mueller@ex", "030 123456", "+4930", "mueller"] {
        assert_eq!(found(text).await, [anna.as_str()], "{text}");
    }
    for text in ["ivanov", "Иванов", "ivan iva", "K-0042", "k-00"] {
        assert_eq!(found(text).await, [ivan.as_str()], "{text}");
    }
    for text in ["muller ivan", "uller", "anni", "nobody"] {
        assert!(found(text).await.is_empty(), "{text}");
    }
    assert_eq!(found(" - ").await.len(), 2, "no words: everybody");
    assert_eq!(all(&ground, tenant, SearchProfilesRequest { filter: "false".to_owned(), ..query("anna") }).await, []);
    // A trait that is declared as a text is searched, also of those who had it before.
    ground.wait(5);
    let definition =
        TraitDefinition { name: "nickname".to_owned(), r#type: TraitType::Text.into(), ..TraitDefinition::default() };
    let request = CreateTraitDefinitionRequest { request_id: String::new(), trait_definition: Some(definition) };
    ground.traits(tenant).create_trait_definition(request).await.expect("declared");
    assert_eq!(found("anni").await, [anna.as_str()]);
    let mut other = says("3", &[]);
    other.traits.insert("nickname".to_owned(), text("Annika"));
    let other = customer(&ground.identify(tenant, other).await);
    assert_eq!(found("anni").await, [anna.clone(), other.clone()]);
    // What a merge takes together is found as one, and what a split takes apart is found apart.
    ground.profiles(tenant).merge_profiles(merge(&anna, &[&ivan])).await.expect("merged");
    assert_eq!(found("muller ivan").await, [anna.as_str()]);
    assert_eq!(found("ivanov").await, [anna.as_str()]);
    let split = SplitProfileRequest {
        customer: Some(by_id(&anna)),
        source_records: vec![named("2")],
        ..SplitProfileRequest::default()
    };
    ground.profiles(tenant).split_profile(split).await.expect("split");
    assert_eq!((found("ivanov").await, found("muller").await), (vec![ivan.clone()], vec![anna.clone()]));
    // What changes is found by what it is now.
    let mut renamed = states("2", &[("name", "Petra")], 1_000_000_000);
    renamed.observed_at = None;
    ground.identify(tenant, renamed).await;
    assert_eq!((found("ivanov").await.len(), found("petra").await), (0, vec![ivan.clone()]));
    // Who was erased is not found.
    let erase = rapport_api::common::v1::EraseSubjectsRequest {
        erasure_id: uuid::Uuid::now_v7().to_string(),
        subject_ids: vec![ivan],
        requested_at: Some(at(0)),
    };
    ground.erasures(tenant).erase_subjects(erase).await.expect("erased");
    assert!(found("petra").await.is_empty());
}

#[tokio::test]
async fn what_cannot_be_searched_for_is_refused_with_every_reason() {
    let (ground, tenant) = (Ground::new(Engine::Sqlite).await, TenantId::new());
    let search = async |request| ground.profiles(tenant).search_profiles(request).await.map(Response::into_inner);
    assert_eq!(reason(search(filter("traits.plan ==")).await), "INVALID_CONDITION");
    assert_eq!(reason(search(filter("nobody == 1")).await), "INVALID_CONDITION");
    let wrong = SearchProfilesRequest {
        order_by: "name".to_owned(),
        read_mask: Some(FieldMask { paths: vec!["revision".to_owned(), "secret".to_owned()] }),
        page_size: -1,
        ..filter("party")
    };
    let fields: Vec<_> = violations(search(wrong).await).into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["page_size", "filter", "read_mask.paths[1]", "order_by"]);
    let token = SearchProfilesRequest { page_token: "x".to_owned(), ..query("") };
    assert_eq!(reason(search(token).await), "INVALID_PAGE_TOKEN");
    for n in 0..3 {
        ground.identify(tenant, states(&n.to_string(), &[("plan", "gold"), ("city", "Riga")], 0)).await;
    }
    let mask = Some(FieldMask { paths: vec!["customer_id".to_owned(), "traits.plan".to_owned()] });
    let request = SearchProfilesRequest { page_size: 2, read_mask: mask, ..filter("") };
    let page = search(request.clone()).await.expect("a page");
    assert!(page.profiles.iter().all(|it| it.traits.len() == 1 && it.records.is_empty() && it.revision == 0));
    let other = SearchProfilesRequest { page_token: page.next_page_token, filter: "true".to_owned(), ..request };
    assert_eq!(reason(search(other).await), "INVALID_PAGE_TOKEN");
}

/// The number that each of many tells of itself.
fn told_number(profile: &Profile) -> u64 {
    profile.records[0].record.as_ref().expect("a name").external_id.parse().expect("a number")
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test]
async fn of_many_the_same_are_found_however_they_are_sought_and_in_whatever_order(#[case] engine: Engine) {
    const MANY: u64 = 3_300;
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let value = |kind| Value { kind: Some(kind) };
    let one = |n: u64| {
        let mut request = states(&n.to_string(), &[("region", ["east", "west", "north", "south"][n as usize % 4])], 0);
        let tags = TextList { values: vec![format!("t{}", n % 3), format!("u{}", n % 900)] };
        request.traits.extend([
            ("orders".to_owned(), value(Kind::NumberValue((n % 7) as f64))),
            ("member".to_owned(), value(Kind::BoolValue(n.is_multiple_of(2)))),
            ("tags".to_owned(), value(Kind::ListValue(tags))),
            ("name".to_owned(), text(&format!("Anna{} Smith", n % 50))),
        ]);
        if n.is_multiple_of(400) {
            request.traits.insert("rare".to_owned(), value(Kind::NumberValue((n % 3) as f64)));
        }
        request
    };
    for some in (0..MANY).collect::<Vec<_>>().chunks(600) {
        import(&ground, tenant, some.iter().copied().map(one).collect()).await;
        ground.wait(1);
    }
    type Which = fn(u64) -> bool;
    let cases: [(&str, &str, Which); 12] = [
        // Two values of which many are: the rarer is gone through.
        (r#"traits.region == "east" && traits.orders == 3.0"#, "", |n| n % 4 == 0 && n % 7 == 3),
        (r#"traits.member == true && traits.region == "west""#, "", |_| false),
        // Few.
        (r#"traits.rare == 1.0 && traits.region == "east""#, "", |n| n % 400 == 0 && n % 3 == 1),
        (r#"traits.rare == 1.0 || "u7" in traits.tags"#, "", |n| n % 400 == 0 && n % 3 == 1 || n % 900 == 7),
        ("has(traits.rare)", "", |n| n % 400 == 0),
        // Many, by nothing that is in order.
        (r#"traits.region == "east" || traits.member == true"#, "", |n| n % 2 == 0),
        ("traits.orders > 2.0 && traits.orders < 5.0", "", |n| (3..5).contains(&(n % 7))),
        (r#"traits.region != "east" && traits.orders in [1.0, 2.0]"#, "", |n| n % 4 != 0 && (1..3).contains(&(n % 7))),
        (r#""t2" in traits.tags"#, "", |n| n % 3 == 2),
        // By text.
        ("", "smith", |_| true),
        (r#"traits.region == "south""#, "anna3 smi", |n| n % 4 == 3 && (n % 50 == 3 || (n % 50) / 10 == 3)),
        ("traits.rare >= 0.0", "smith", |n| n % 400 == 0),
    ];
    for (filter, query, holds) in cases {
        let expected: BTreeSet<u64> = (0..MANY).filter(|n| holds(*n)).collect();
        for order in ["", "customer_id desc", "create_time", "update_time desc"] {
            let request = SearchProfilesRequest {
                filter: filter.to_owned(),
                query: query.to_owned(),
                order_by: order.to_owned(),
                page_size: 170,
                ..SearchProfilesRequest::default()
            };
            let found = all(&ground, tenant, request).await;
            let numbers: BTreeSet<u64> = found.iter().map(told_number).collect();
            assert_eq!(found.len(), numbers.len(), "{filter} {query} by {order}: none twice");
            assert_eq!(numbers, expected, "{filter} {query} by {order}");
            let place = |profile: &Profile| match order {
                "create_time" => profile.create_time.map(|at| (at.seconds, at.nanos)),
                "update_time desc" => profile.update_time.map(|at| (-at.seconds, -at.nanos)),
                _ => None,
            };
            assert!(found.is_sorted_by_key(place), "{filter} {query} by {order}");
            match order {
                "" => assert!(found.is_sorted_by_key(|profile| profile.customer_id.clone())),
                "customer_id desc" => assert!(found.iter().rev().is_sorted_by_key(|it| it.customer_id.clone())),
                _ => {}
            }
        }
    }
}
