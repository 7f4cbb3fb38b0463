//! The spec's own examples, and what it says of times and names.

use super::*;
use serde_json::json;

fn one(call: Json) -> Result<Vec<Item>, Wrong> {
    items(call.as_object().expect("an object"), "web")
}

fn profile(call: Json) -> IdentifyRequest {
    match one(call).expect("sound").pop() {
        Some(Item::Profile(profile)) => profile,
        _ => panic!("it is a statement"),
    }
}

fn interaction(call: Json) -> Interaction {
    match one(call).expect("sound").pop() {
        Some(Item::Interaction(interaction)) => *interaction,
        _ => panic!("it is an interaction"),
    }
}

fn said(values: &BTreeMap<String, Value>, name: &str) -> String {
    match values.get(name).and_then(|value| value.kind.clone()) {
        Some(Kind::TextValue(text)) => text,
        Some(Kind::NumberValue(number)) => number.to_string(),
        Some(Kind::TimeValue(at)) => format!("@{}", at.seconds),
        Some(Kind::BoolValue(value)) => value.to_string(),
        Some(Kind::ListValue(list)) => list.values.join("|"),
        None => String::new(),
    }
}

fn carried(profile: &IdentifyRequest) -> Vec<String> {
    profile.identifiers.iter().map(|it| format!("{}={}", it.namespace, it.value)).collect()
}

#[test]
fn identify_carries_its_ids_and_the_reserved_traits() {
    let found = profile(json!({
        "type": "identify",
        "traits": {
            "name": "Peter Gibbons", "firstName": "Peter", "email": "peter@example.com", "plan": "premium", "logins": 5,
            "phone": "+1 555 0100 200", "createdAt": "2024-05-01T12:00:00Z", "title": null,
            "address": {"street": "6th St", "city": "San Francisco", "postalCode": "94103"},
            "company": {"name": "Initech", "employee_count": 200}, "tags": ["a", "b"]
        },
        "context": {"ip": "8.8.8.8", "traits": {"plan": "basic", "vip": true}},
        "userId": "97980cfea0067", "anonymousId": "anon-1", "messageId": "022bb90c", "timestamp": "2024-05-02T00:00:00Z"
    }));
    assert_eq!((found.source.as_str(), found.external_id.as_str()), ("web", "user_id:97980cfea0067"));
    let ids = ["user_id=97980cfea0067", "anonymous_id=anon-1", "email=peter@example.com", "phone=+1 555 0100 200"];
    assert_eq!(carried(&found), ids);
    for (name, wanted) in [
        ("first_name", "Peter"),
        ("plan", "premium"),
        ("logins", "5"),
        ("created_at", "@1714564800"),
        ("address_city", "San Francisco"),
        ("address_postal_code", "94103"),
        ("company_name", "Initech"),
        ("company_employee_count", "200"),
        ("tags", "a|b"),
        ("vip", "true"),
    ] {
        assert_eq!(said(&found.traits, name), wanted, "{name}");
    }
    assert_eq!(found.unset_traits, ["title"]);
    assert_eq!(found.observed_at.map(|at| at.seconds), Some(1_714_608_000));
}

#[test]
fn track_is_an_interaction_with_its_worth() {
    let found = interaction(json!({
        "type": "track", "event": "Order Completed", "userId": "u-1", "messageId": "m-1", "timestamp": "2024-05-01T12:00:00Z",
        "properties": {"order_id": "50314b8e", "revenue": 25.5, "currency": "EUR", "product_id": "p-7", "coupon": "hasbros"},
        "context": {"page": {"path": "/cart", "url": "https://shop.example/cart"}, "campaign": {"source": "mail", "name": "spring"},
            "device": {"type": "ios"}, "locale": "de-DE", "ip": "8.8.8.8", "userAgent": "Mozilla",
            "library": {"name": "analytics.js"}}
    }));
    assert_eq!((found.r#type.as_str(), found.external_id.as_str(), found.channel.as_str()), ("purchase", "m-1", "web"));
    let context = found.context.clone().expect("circumstances");
    assert_eq!((context.campaign.as_str(), context.device.as_str()), ("spring", "ios"));
    assert_eq!(context.url, "https://shop.example/cart");
    let value = found.value.clone().expect("a value");
    assert_eq!((value.currency_code.as_str(), value.units, value.nanos), ("EUR", 25, 500_000_000));
    assert_eq!(found.product, "p-7");
    for (name, wanted) in [
        ("event", "Order Completed"),
        ("order_id", "50314b8e"),
        ("page_path", "/cart"),
        ("campaign_source", "mail"),
        ("device_type", "ios"),
        ("locale", "de-DE"),
    ] {
        assert_eq!(said(&found.attributes, name), wanted, "{name}");
    }
    assert!(
        !format!("{:?}", found.attributes).contains("8.8.8.8")
            && !format!("{:?}", found.attributes).contains("Mozilla")
    );
}

#[test]
fn pages_and_screens_are_interactions_of_their_channel() {
    let page = interaction(json!({
        "type": "page", "name": "Home", "category": "Docs", "anonymousId": "a-1", "messageId": "m", "sentAt": "2024-05-01T12:00:00Z",
        "properties": {"title": "Welcome | Initech", "url": "https://initech.example"}
    }));
    assert_eq!(
        (page.r#type.as_str(), page.channel.as_str(), said(&page.attributes, "page_name").as_str()),
        ("page", "web", "Home")
    );
    assert_eq!(said(&page.attributes, "page_category"), "Docs");
    assert_eq!(page.context.as_ref().map(|context| context.url.as_str()), Some("https://initech.example"));
    assert!(
        matches!(page.customer.and_then(|it| it.r#ref), Some(Ref::Identifier(it)) if it.namespace == "anonymous_id")
    );
    let screen = json!({"type": "screen", "name": "Home", "userId": "u", "timestamp": "2024-05-01T12:00:00Z"});
    let (first, again) = (interaction(screen.clone()), interaction(screen));
    assert_eq!((first.r#type.as_str(), first.channel.as_str()), ("screen", "app"));
    assert!(
        first.external_id.starts_with("call:") && first.external_id == again.external_id,
        "the same call, the same id"
    );
}

#[test]
fn group_is_an_account_and_a_member() {
    let call = json!({
        "type": "group", "groupId": "0e8c78ea9d97a7b8185e8632", "userId": "u-1", "timestamp": "2024-05-01T12:00:00Z",
        "traits": {"name": "Initech", "industry": "Technology", "employees": 329, "plan": "enterprise"}
    });
    let Some(Item::Account(account, Some(member))) = one(call).expect("sound").pop() else { panic!("an account") };
    assert_eq!((account.external_id.as_str(), account.name.as_str()), ("0e8c78ea9d97a7b8185e8632", "Initech"));
    assert_eq!((account.kind(), account.version), (AccountKind::Company, 1_714_564_800_000_000));
    assert_eq!(account.traits.keys().map(String::as_str).collect::<Vec<_>>(), ["employees", "industry", "plan"]);
    assert_eq!(member.observed_at.map(|at| at.seconds), Some(1_714_564_800));
}

#[test]
fn alias_puts_both_ids_on_one_record() {
    let found = profile(json!({
        "type": "alias", "previousId": "jen@example.com", "userId": "507f191e810c19729de860ea",
        "timestamp": "2024-05-01T12:00:00Z"
    }));
    assert_eq!(found.external_id, "user_id:507f191e810c19729de860ea");
    let both = ["user_id=507f191e810c19729de860ea", "anonymous_id=jen@example.com", "user_id=jen@example.com"];
    assert_eq!(carried(&found), both);
}

#[test]
fn a_trackers_clock_is_corrected_by_when_it_was_received() {
    let at = |mut call: Json| {
        call["type"] = json!("track");
        call["event"] = json!("e");
        call["userId"] = json!("u");
        one(call).map(|mut items| match items.pop() {
            Some(Item::Interaction(found)) => found.occurred_at.map(|at| at.seconds).unwrap_or_default(),
            _ => panic!("an interaction"),
        })
    };
    let noon = 1_714_564_800;
    // Its clock is an hour ahead; it was sent ten seconds after it happened.
    let ahead = json!({"timestamp": "2024-05-01T13:00:00Z", "sentAt": "2024-05-01T13:00:10Z", "receivedAt": "2024-05-01T12:00:10Z"});
    assert_eq!(at(ahead), Ok(noon));
    let corrected = json!({"timestamp": "2024-05-01T12:00:00Z", "originalTimestamp": "2024-05-01T13:00:00Z",
        "sentAt": "2024-05-01T13:00:10Z", "receivedAt": "2024-05-01T12:00:10Z"});
    assert_eq!(at(corrected), Ok(noon));
    let original = json!({"originalTimestamp": "2024-05-01T13:00:00Z", "sentAt": "2024-05-01T13:00:10Z", "receivedAt": "2024-05-01T12:00:10Z"});
    assert_eq!(at(original), Ok(noon));
    assert_eq!(at(json!({"receivedAt": "2024-05-01T12:00:00.000Z"})), Ok(noon));
    assert_eq!(at(json!({})).expect_err("no time").0[0].0, "timestamp");
    assert_eq!(at(json!({"timestamp": "yesterday"})).expect_err("no time").0[0].0, "timestamp");
}

#[test]
fn what_is_missing_is_named() {
    let field = |call: Json| one(call).err().map(|wrong| wrong.0[0].0.clone());
    assert_eq!(field(json!({"type": "delete"})).as_deref(), Some("type"));
    assert_eq!(field(json!({"type": "track", "event": "e", "timestamp": 1})).as_deref(), Some("userId"));
    assert_eq!(field(json!({"type": "track", "userId": "u", "timestamp": 1})).as_deref(), Some("event"));
    assert_eq!(field(json!({"type": "group", "userId": "u", "timestamp": 1})).as_deref(), Some("groupId"));
    assert_eq!(field(json!({"type": "alias", "userId": "u", "timestamp": 1})).as_deref(), Some("previousId"));
}

#[test]
fn a_batch_is_its_calls_with_what_it_says_for_all_of_them() {
    let batch = json!({
        "sentAt": "2024-05-01T12:00:10Z", "receivedAt": "2024-05-01T12:01:10Z",
        "context": {"campaign": {"name": "spring"}, "page": {"url": "https://batch.example/"}},
        "batch": [
            {"type": "identify", "userId": "u", "timestamp": "2024-05-01T12:00:00Z"},
            {"type": "track", "userId": "u"},
            5,
            {"type": "track", "userId": "u", "event": "Seen", "messageId": "m", "timestamp": "2024-05-01T12:00:00Z",
             "receivedAt": "2024-05-01T12:00:30Z", "context": {"page": {"url": "https://own.example/"}}},
            {"batch": []}
        ]
    });
    let (found, wrong) = line(batch.as_object().cloned().expect("an object"), "web");
    let places: Vec<_> = found.iter().map(|(within, _)| *within).collect();
    assert_eq!(places, [Some(0), Some(3)]);
    let fields: Vec<&str> = wrong.0.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["batch[1].event", "batch[2]", "batch[4].type"]);
    let [(_, Item::Profile(profile)), (_, Item::Interaction(seen))] = found.as_slice() else { panic!("two") };
    let second = |at: Option<Timestamp>| at.map(|at| at.seconds % 86_400 - 43_200);
    // By the clock of whoever received it: ten seconds before it was sent.
    assert_eq!((second(profile.observed_at), second(seen.occurred_at)), (Some(60), Some(20)));
    let context = seen.context.clone().expect("circumstances");
    assert_eq!((context.campaign.as_str(), context.url.as_str()), ("spring", "https://own.example/"));
    let said = |json: Json| line(json.as_object().cloned().expect("an object"), "web").1;
    assert_eq!(said(json!({"batch": {}})), Wrong::one("batch", "must be a list of calls"));
    assert_eq!(said(json!({"batch": []})), Wrong::default());
}
