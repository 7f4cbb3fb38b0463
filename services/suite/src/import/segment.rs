//! A tracker's calls, by Segment's spec (identify, track, page, screen, group, alias), as statements, interactions and
//! accounts. Pure.
//!
//! | call | becomes |
//! | --- | --- |
//! | identify | a statement of the record `user_id:<userId>` (or `anonymous_id:<anonymousId>`): both ids, `email` and a `phone` that begins with `+` as identifiers, each trait by its name in lower case (`firstName` is `first_name`, `address.city` is `address_city`), null unsets |
//! | track, page, screen | an interaction: the event's name as its type ("Product Viewed" is `product_viewed`; "Order Completed", the spec's name for a sale, is `purchase`, by which lifecycle, potential and figures know one), properties as attributes, `revenue` or else `value` in `currency` (USD where there is none) as its value; of the context the campaign's name, the device's model, the page's address and the city as its circumstances, page, campaign, device and locale whole as attributes; IP address and user agent are left out |
//! | group | an account by `groupId` (a company, or what the trait `kind` says), and the user as its member |
//! | alias | a statement of the user's record that carries the previous id as well |
//! | batch | the calls in it, in their order: what is wrong with one keeps none of the others out; the batch's own `context` (key by key), `sentAt` and `receivedAt` are those of each call that does not say them itself |
//!
//! A record is named as one is that an interaction begins for its identifier: so it does not matter what comes first.
//! When a call happened: `timestamp`, corrected by the tracker's clock (`receivedAt - (sentAt - timestamp)`) unless
//! `originalTimestamp` stands beside it, which says that it was corrected already.

use std::collections::BTreeMap;

use prost_types::Timestamp;
use rapport_api::common::v1::{CustomerRef, Identifier, TextList, Value, customer_ref::Ref, value::Kind};
use rapport_api::profiles::v1::{
    AccountKey, AccountKind, AccountRef, AddMemberRequest, IdentifyRequest, Interaction, InteractionContext, TraitType,
    UpsertAccountRequest, account_ref,
};
use serde_json::{Map, Value as Json};

use super::send::Item;
use super::{Wrong, json};

/// Attributes of one interaction at most.
const ATTRIBUTES: usize = 50;
/// Traits of one statement at most.
const TRAITS: usize = 100;
/// Characters of a text at most.
const TEXT: usize = 4_096;

/// What a line becomes: a call, or a batch of them as trackers send it, each with its place there; and what is wrong with it.
pub fn line(mut line: Map<String, Json>, source: &str) -> (Vec<(Option<usize>, Item)>, Wrong) {
    let Some(batch) = line.remove("batch") else {
        return match items(&line, source) {
            Ok(items) => (items.into_iter().map(|item| (None, item)).collect(), Wrong::default()),
            Err(wrong) => (Vec::new(), wrong),
        };
    };
    let Json::Array(calls) = batch else { return (Vec::new(), Wrong::one("batch", "must be a list of calls")) };
    let (mut found, mut wrong) = (Vec::new(), Wrong::default());
    for (at, call) in calls.into_iter().enumerate() {
        let call = match call {
            Json::Object(call) => items(&with_defaults(call, &line), source),
            _ => Err(Wrong::one("line", "must be an object of JSON")),
        };
        match call {
            Ok(items) => found.extend(items.into_iter().map(|item| (Some(at), item))),
            Err(why) => wrong.0.extend(why.within(at).0),
        }
    }
    (found, wrong)
}

/// A call of a batch, with what the batch says for all of its calls.
fn with_defaults(mut call: Map<String, Json>, batch: &Map<String, Json>) -> Map<String, Json> {
    let missing = |call: &Map<String, Json>, name: &str| call.get(name).is_none_or(Json::is_null);
    for name in ["sentAt", "receivedAt"] {
        if let Some(json) = batch.get(name).filter(|_| missing(&call, name)) {
            call.insert(name.to_owned(), json.clone());
        }
    }
    if let Some(context) = object(batch, "context") {
        let mut merged = context.clone();
        merged.extend(object(&call, "context").cloned().unwrap_or_default());
        call.insert("context".to_owned(), Json::Object(merged));
    }
    call
}

/// What a call becomes.
///
/// # Errors
/// What is missing or wrong, never its value.
fn items(call: &Map<String, Json>, source: &str) -> Result<Vec<Item>, Wrong> {
    let call = Call { call, source };
    match text(call.call, "type").unwrap_or_default().to_ascii_lowercase().as_str() {
        "identify" => Ok(vec![Item::Profile(call.identify()?)]),
        "track" | "page" | "screen" => Ok(vec![Item::Interaction(Box::new(call.interaction()?))]),
        "group" => call.group(),
        "alias" => Ok(vec![Item::Profile(call.alias()?)]),
        _ => Err(Wrong::one("type", "must be identify, track, page, screen, group or alias")),
    }
}

struct Call<'a> {
    call: &'a Map<String, Json>,
    source: &'a str,
}

fn text(object: &Map<String, Json>, name: &str) -> Option<String> {
    object.get(name).and_then(json::text).filter(|text| !text.is_empty())
}

fn object<'a>(object: &'a Map<String, Json>, name: &str) -> Option<&'a Map<String, Json>> {
    object.get(name).and_then(Json::as_object)
}

fn identifier(namespace: &str, value: String) -> Identifier {
    Identifier { namespace: namespace.to_owned(), value }
}

/// The id of the record that is begun for an identifier.
fn record(identifier: &Identifier) -> Result<String, Wrong> {
    let name = format!("{}:{}", identifier.namespace, identifier.value);
    if name.chars().count() <= 256 {
        return Ok(name);
    }
    let field = if identifier.namespace == "user_id" { "userId" } else { "anonymousId" };
    Err(Wrong::one(field, "must be at most 240 characters"))
}

impl Call<'_> {
    /// By whom: the user, or the anonymous visitor.
    fn who(&self) -> Result<Identifier, Wrong> {
        let user = text(self.call, "userId").map(|id| identifier("user_id", id));
        let anonymous = || text(self.call, "anonymousId").map(|id| identifier("anonymous_id", id));
        user.or_else(anonymous).ok_or_else(|| Wrong::one("userId", "must be there, or anonymousId must"))
    }

    /// When, by the clock of whoever received it.
    fn at(&self) -> Result<Timestamp, Wrong> {
        let part = |name: &str| match self.call.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(json) => json::instant(json)
                .map(Some)
                .ok_or_else(|| Wrong::one(name, "must be an instant, as 2024-05-01T12:00:00Z")),
        };
        let (told, sent, received) = (part("timestamp")?, part("sentAt")?, part("receivedAt")?);
        let original = part("originalTimestamp")?;
        let corrected = |told: Timestamp| match (sent, received) {
            (Some(sent), Some(received)) => plus(received, micros(told) - micros(sent)),
            _ => told,
        };
        let at = match (told, original) {
            // It says both: what the tracker said, and what became of it.
            (Some(told), Some(_)) => Some(told),
            (Some(told), None) => Some(corrected(told)),
            (None, Some(original)) => Some(corrected(original)),
            (None, None) => received.or(sent),
        };
        at.ok_or_else(|| Wrong::one("timestamp", "must be there, or receivedAt or sentAt must"))
    }

    fn identify(&self) -> Result<IdentifyRequest, Wrong> {
        let mut request = self.statement(self.who()?)?;
        let of_context = object(self.call, "context").and_then(|context| object(context, "traits"));
        for traits in of_context.into_iter().chain(object(self.call, "traits")) {
            for (name, json) in traits {
                add_trait(&mut request, &json::name(name), json);
            }
        }
        let known = |name: &str| match request.traits.get(name)?.kind.as_ref()? {
            Kind::TextValue(text) => Some(text.trim().to_owned()),
            _ => None,
        };
        let email = known("email").filter(|email| email.contains('@') && !email.contains(char::is_whitespace));
        let phone = known("phone").filter(|phone| phone.starts_with('+') && phone.len() > 7);
        request.identifiers.extend(email.map(|email| identifier("email", email)));
        request.identifiers.extend(phone.map(|phone| identifier("phone", phone)));
        request.unset_traits.retain(|name| !request.traits.contains_key(name));
        Ok(request)
    }

    /// A statement of a record that says no more than its ids.
    fn statement(&self, who: Identifier) -> Result<IdentifyRequest, Wrong> {
        let mut request = IdentifyRequest {
            source: self.source.to_owned(),
            external_id: record(&who)?,
            observed_at: Some(self.at()?),
            ..IdentifyRequest::default()
        };
        let is_user = who.namespace == "user_id";
        request.identifiers.push(who);
        if is_user {
            request.identifiers.extend(text(self.call, "anonymousId").map(|id| identifier("anonymous_id", id)));
        }
        Ok(request)
    }

    fn alias(&self) -> Result<IdentifyRequest, Wrong> {
        let user = text(self.call, "userId").ok_or_else(|| Wrong::one("userId", "must be there"))?;
        let previous = text(self.call, "previousId").ok_or_else(|| Wrong::one("previousId", "must be there"))?;
        let mut request = self.statement(identifier("user_id", user))?;
        // It may have been a user's id or an anonymous visitor's: nothing tells which.
        for namespace in ["anonymous_id", "user_id"] {
            let previous = identifier(namespace, previous.clone());
            if !request.identifiers.contains(&previous) {
                request.identifiers.push(previous);
            }
        }
        Ok(request)
    }

    fn interaction(&self) -> Result<Interaction, Wrong> {
        let who = self.who()?;
        let kind = text(self.call, "type").unwrap_or_default().to_ascii_lowercase();
        let empty = Map::new();
        let properties = object(self.call, "properties").unwrap_or(&empty);
        let mut attributes = BTreeMap::new();
        let event = text(self.call, "event");
        if let Some(event) = event.clone().filter(|_| kind == "track") {
            add(&mut attributes, &Some("event".to_owned()), &Json::String(event), ATTRIBUTES);
        }
        let title = text(self.call, "name").map(Json::String);
        let category = text(self.call, "category").map(Json::String);
        for (name, json) in [("name", title), ("category", category)] {
            if let Some(json) = json.filter(|_| kind != "track") {
                add(&mut attributes, &Some(format!("{kind}_{name}")), &json, ATTRIBUTES);
            }
        }
        for (name, json) in properties {
            add(&mut attributes, &json::name(name), json, ATTRIBUTES);
        }
        if let Some(context) = object(self.call, "context") {
            for part in ["page", "campaign", "device", "locale", "timezone"] {
                if let Some(json) = context.get(part) {
                    add(&mut attributes, &Some(part.to_owned()), json, ATTRIBUTES);
                }
            }
        }
        let event = match kind.as_str() {
            "track" => {
                let event = event.ok_or_else(|| Wrong::one("event", "must be there"))?;
                // A name without a Latin letter or a digit is known by its attribute alone.
                let name = json::name(&event).unwrap_or_else(|| kind.clone());
                if name == "order_completed" { "purchase".to_owned() } else { name }
            }
            _ => kind.clone(),
        };
        let currency = text(properties, "currency").unwrap_or_else(|| "USD".to_owned());
        let worth = ["revenue", "value"].iter().find_map(|name| properties.get(*name));
        let product = ["product_id", "productId", "sku"].iter().find_map(|name| text(properties, name));
        Ok(Interaction {
            customer: Some(CustomerRef { r#ref: Some(Ref::Identifier(who)) }),
            source: self.source.to_owned(),
            external_id: text(self.call, "messageId").unwrap_or_else(|| self.digest()),
            r#type: event,
            channel: self.channel(&kind).to_owned(),
            product: product.unwrap_or_default().chars().take(128).collect(),
            occurred_at: Some(self.at()?),
            value: worth.and_then(|worth| json::money(worth, &currency)),
            attributes,
            context: self.circumstances(properties),
            ..Interaction::default()
        })
    }

    /// By which campaign, on which device, where: as far as the context says.
    fn circumstances(&self, properties: &Map<String, Json>) -> Option<InteractionContext> {
        let context = object(self.call, "context");
        let part = |of: &str, names: &[&str], most: usize| {
            let found =
                context.and_then(|it| object(it, of)).and_then(|it| names.iter().find_map(|name| text(it, name)));
            found.unwrap_or_default().chars().take(most).collect::<String>()
        };
        let url = text(properties, "url").filter(|url| url.chars().count() <= 2_048);
        let found = InteractionContext {
            device: part("device", &["model", "type", "name"], 128),
            place: part("location", &["city", "region", "country"], 256),
            campaign: part("campaign", &["name"], 128),
            referrer: None,
            url: url.unwrap_or_else(|| part("page", &["url"], 2_048)),
        };
        (found != InteractionContext::default()).then_some(found)
    }

    /// By which channel: as the call says, or as its kind and its library tell.
    fn channel(&self, kind: &str) -> &'static str {
        let context = object(self.call, "context");
        let library = context.and_then(|it| object(it, "library")).and_then(|it| text(it, "name")).unwrap_or_default();
        let said = text(self.call, "channel").or_else(|| context.and_then(|context| text(context, "channel")));
        match (said.unwrap_or_default().as_str(), kind) {
            ("browser" | "web", _) | ("", "page") => "web",
            ("mobile", _) | ("", "screen") => "app",
            ("", _) if library.contains("analytics.js") => "web",
            ("", _) if ["android", "ios", "swift", "kotlin", "react-native"].iter().any(|it| library.contains(it)) => {
                "app"
            }
            _ => "",
        }
    }

    /// An id of a call that has none: the same for the same call.
    fn digest(&self) -> String {
        let text = Json::Object(self.call.clone()).to_string();
        let fnv =
            |seed: u64| text.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        format!("call:{:016x}{:016x}", fnv(0xcbf2_9ce4_8422_2325), fnv(0x8422_2325_cbf2_9ce4))
    }

    fn group(&self) -> Result<Vec<Item>, Wrong> {
        let group = text(self.call, "groupId").ok_or_else(|| Wrong::one("groupId", "must be there"))?;
        let at = self.at()?;
        let empty = Map::new();
        let traits = object(self.call, "traits").unwrap_or(&empty);
        let mut set = BTreeMap::new();
        for (name, json) in traits {
            add(&mut set, &json::name(name), json, TRAITS);
        }
        set.remove("name");
        let kind = ["kind", "type"].iter().find_map(|name| text(traits, name)).unwrap_or_default();
        let kind = match kind.to_ascii_lowercase().as_str() {
            "household" | "family" => AccountKind::Household,
            "team" => AccountKind::Team,
            _ => AccountKind::Company,
        };
        let account = UpsertAccountRequest {
            source: self.source.to_owned(),
            external_id: group.clone(),
            version: micros(at).max(0),
            kind: kind.into(),
            name: text(traits, "name").unwrap_or_default().chars().take(256).collect(),
            traits: set,
            ..UpsertAccountRequest::default()
        };
        let key = AccountKey { source: self.source.to_owned(), external_id: group, version: 0 };
        let member = self.who().ok().map(|who| {
            Box::new(AddMemberRequest {
                account: Some(AccountRef { r#ref: Some(account_ref::Ref::Key(key)) }),
                customer: Some(CustomerRef { r#ref: Some(Ref::Identifier(who)) }),
                observed_at: Some(at),
                source: self.source.to_owned(),
                ..AddMemberRequest::default()
            })
        });
        Ok(vec![Item::Account(Box::new(account), member)])
    }
}

/// Adds a trait; null takes it away, an object becomes several.
fn add_trait(request: &mut IdentifyRequest, name: &Option<String>, json: &Json) {
    match (name, json) {
        (Some(name), Json::Null) if request.unset_traits.len() < TRAITS => request.unset_traits.push(name.clone()),
        _ => add(&mut request.traits, name, json, TRAITS),
    }
}

/// Adds a value under a name, while there is room; an object becomes one for each of its parts.
fn add(values: &mut BTreeMap<String, Value>, name: &Option<String>, json: &Json, room: usize) {
    let Some(name) = name else { return };
    if let Json::Object(parts) = json {
        for (part, json) in parts {
            // Where somebody is, in a network: nothing that a profile needs.
            if !["ip", "userAgent"].contains(&part.as_str()) {
                add(values, &json::name(&format!("{name}_{part}")), json, room);
            }
        }
        return;
    }
    let full = values.len() >= room && !values.contains_key(name);
    if let Some(value) = plain(name, json).filter(|_| !full) {
        values.insert(name.clone(), value);
    }
}

/// A plain value. A text that is an instant is one where the spec says so: `createdAt`, `birthday` and the like.
fn plain(name: &str, json: &Json) -> Option<Value> {
    let cut = |text: &String| text.chars().take(TEXT).collect::<String>();
    let kind = match json {
        Json::Null | Json::Object(_) => return None,
        Json::String(text) if name.ends_with("_at") || name == "birthday" => match json::instant(json) {
            Some(at) => Kind::TimeValue(at),
            None => Kind::TextValue(cut(text)),
        },
        Json::String(text) => Kind::TextValue(cut(text)),
        Json::Array(items) => {
            let texts = items.iter().take(100).map(|item| json::text(item).unwrap_or_else(|| item.to_string()));
            Kind::ListValue(TextList { values: texts.map(|text| text.chars().take(1_024).collect()).collect() })
        }
        Json::Bool(_) | Json::Number(_) => return json::value(json, None::<TraitType>).ok(),
    };
    Some(Value { kind: Some(kind) })
}

fn micros(at: Timestamp) -> i64 {
    at.seconds.saturating_mul(1_000_000).saturating_add(i64::from(at.nanos) / 1_000)
}

fn plus(at: Timestamp, by: i64) -> Timestamp {
    let sum = micros(at).saturating_add(by);
    let nanos = i32::try_from(sum.rem_euclid(1_000_000) * 1_000).unwrap_or(0);
    Timestamp { seconds: sum.div_euclid(1_000_000), nanos }
}

#[cfg(test)]
mod tests;
