//! SearchProfiles against a look at everybody: random filters over random people, whatever definitions change meanwhile
//! and whoever writes, on either engine, in every order and in pages of any size.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering as Atomic};

use rapport_api::common::v1::{TextList, Value, value::Kind};
use rapport_api::convert::timestamp;
use rapport_api::profiles::v1::{
    Consent, ConsentState, IdentifyRequest, Profile, SearchProfilesRequest, Survivorship, TraitDefinition, TraitType,
    UpdateTraitDefinitionRequest,
};
use rapport_data::Engine;
use rapport_kernel::{TenantId, Timestamp};
use rstest::rstest;

use crate::catalogue::declares;
use crate::ground::*;
use crate::imports::{Dice, import};
use crate::lives::{index, number, seeds};
use crate::merges::{merge, split};

const TEXTS: [&str; 9] =
    ["", "a", "A", "ab", "gold", "Gold", "ä", "яблоко", "🙂 long long long long long long long long"];
const NUMBERS: [f64; 8] = [-3.5, -0.0, 0.0, 0.1, 7.0, 10.0, 25.5, 1e15];
const SECONDS: [i64; 4] = [-86_400, 0, 1, 1_000_000];
const NAMES: [&str; 5] = ["plan", "size", "since", "vip", "tags"];

fn of<T: Copy>(dice: &mut Dice, from: &[T]) -> T {
    from[index(dice, from.len())]
}

fn kind(kind: Kind) -> Value {
    Value { kind: Some(kind) }
}

/// A value that fits its trait's name, now and then another one.
fn value(dice: &mut Dice, name: &str) -> Value {
    let name = if dice.below(8) == 0 { of(dice, &NAMES) } else { name };
    match name {
        "size" => number(of(dice, &NUMBERS)),
        "since" => kind(Kind::TimeValue(at(of(dice, &SECONDS)))),
        "vip" => kind(Kind::BoolValue(dice.below(2) == 0)),
        "tags" => {
            let values = (0..dice.below(3)).map(|_| of(dice, &TEXTS).to_owned()).collect();
            kind(Kind::ListValue(TextList { values }))
        }
        _ => text(of(dice, &TEXTS)),
    }
}

fn person(dice: &mut Dice, number: usize) -> IdentifyRequest {
    let mut request = states(&number.to_string(), &[], dice.below(30).cast_signed());
    request.source = of(dice, &["crm", "erp", "web"]).to_owned();
    for name in NAMES {
        if dice.below(3) > 0 {
            request.traits.insert(name.to_owned(), value(dice, name));
        }
    }
    // Every third shares an address with others: they are one customer.
    let shared = if dice.below(3) == 0 { dice.below(30) } else { 1_000 + number as u64 };
    request.identifiers = says("", &[("email", &format!("p{shared}@example.com"))]).identifiers;
    if dice.below(3) == 0 {
        let state = of(dice, &[ConsentState::Granted, ConsentState::Denied]).into();
        let channel = of(dice, &["", "email"]).to_owned();
        request.consents.push(Consent { purpose: "marketing".to_owned(), channel, state, ..Consent::default() });
    }
    request
}

const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

enum Filter {
    Compare(&'static str, &'static str, Constant),
    In(&'static str, Vec<Constant>),
    Has(&'static str),
    Tagged(&'static str),
    Consent(&'static str),
    Source(&'static str),
    Created(&'static str, i64),
    Email(&'static str),
    Not(Box<Filter>),
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
}

#[derive(Clone, Copy)]
enum Constant {
    Text(&'static str),
    Number(f64),
    Time(i64),
    Bool(bool),
}

impl Constant {
    fn random(dice: &mut Dice, name: &str) -> Self {
        match name {
            "size" => Self::Number(of(dice, &NUMBERS)),
            "since" => Self::Time(of(dice, &SECONDS)),
            "vip" => Self::Bool(dice.below(2) == 0),
            _ => Self::Text(of(dice, &TEXTS)),
        }
    }

    fn source(self) -> String {
        match self {
            Self::Text(text) => format!("'{text}'"),
            Self::Number(number) => format!("{number:?}"),
            Self::Time(seconds) => instant(seconds),
            Self::Bool(value) => value.to_string(),
        }
    }

    /// How a value compares with it; `None`: they are not of one type.
    fn order(self, value: &Value) -> Option<Ordering> {
        match (value.kind.as_ref()?, self) {
            (Kind::TextValue(value), Self::Text(text)) => Some(value.chars().cmp(text.chars())),
            (Kind::NumberValue(value), Self::Number(number)) => value.partial_cmp(&number),
            (Kind::TimeValue(value), Self::Time(seconds)) => {
                Some((value.seconds, value.nanos).cmp(&(at(seconds).seconds, 0)))
            }
            (Kind::BoolValue(value), Self::Bool(other)) => Some(value.cmp(&other)),
            _ => None,
        }
    }
}

fn instant(seconds: i64) -> String {
    let at = chrono::DateTime::from_timestamp(at(seconds).seconds, 0).expect("in range");
    format!("timestamp('{}')", at.format("%Y-%m-%dT%H:%M:%SZ"))
}

fn compares(order: Ordering, comparison: &str) -> bool {
    match comparison {
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    }
}

impl Filter {
    fn random(dice: &mut Dice, depth: u64) -> Self {
        if depth > 0 && dice.below(3) > 0 {
            let mut part = || Box::new(Self::random(dice, depth - 1));
            let (left, right) = (part(), part());
            return match dice.below(5) {
                0 => Self::Not(left),
                1 | 2 => Self::And(left, right),
                _ => Self::Or(left, right),
            };
        }
        let name = of(dice, &NAMES);
        match dice.below(12) {
            0..=4 => {
                let name = if name == "tags" { "plan" } else { name };
                let comparison = if name == "vip" { of(dice, &["==", "!="]) } else { of(dice, &COMPARISONS) };
                Self::Compare(name, comparison, Constant::random(dice, name))
            }
            5 => Self::In("plan", (0..dice.below(3)).map(|_| Constant::random(dice, "plan")).collect()),
            6 => Self::In("size", (0..1 + dice.below(3)).map(|_| Constant::random(dice, "size")).collect()),
            7 => Self::Has(name),
            8 => Self::Tagged(of(dice, &TEXTS)),
            9 => Self::Consent(of(dice, &["marketing", "marketing/email"])),
            10 => Self::Source(of(dice, &["crm", "erp", "web"])),
            _ => match dice.below(2) {
                0 => Self::Email(of(dice, &["p1", "p10", "p2", "q"])),
                _ => Self::Created(of(dice, &COMPARISONS), dice.below(6).cast_signed()),
            },
        }
    }

    fn source(&self) -> String {
        match self {
            Self::Compare(name, comparison, constant) => format!("traits.{name} {comparison} {}", constant.source()),
            Self::In(name, constants) => {
                let constants: Vec<String> = constants.iter().map(|constant| constant.source()).collect();
                format!("traits.{name} in [{}]", constants.join(", "))
            }
            Self::Has(name) => format!("has(customer.traits.{name})"),
            Self::Tagged(tag) => format!("has(traits.tags) && '{tag}' in traits.tags"),
            Self::Consent(key) => format!("consents['{key}']"),
            Self::Source(source) => format!("'{source}' in sources"),
            Self::Created(comparison, round) => format!("create_time {comparison} {}", began(*round)),
            Self::Email(start) => format!("identifiers.email.exists(it, it.startsWith('{start}'))"),
            Self::Not(part) => format!("!({})", part.source()),
            Self::And(left, right) => format!("({}) && ({})", left.source(), right.source()),
            Self::Or(left, right) => format!("({}) || ({})", left.source(), right.source()),
        }
    }

    /// What it says of a profile; `None`: it cannot be said, which is no match.
    fn says(&self, profile: &Profile) -> Option<bool> {
        let held = |name: &str| profile.traits.get(name).and_then(|held| held.value.as_ref());
        Some(match self {
            Self::Compare(name, comparison, constant) => match (constant.order(held(name)?), *comparison) {
                (Some(order), comparison) => compares(order, comparison),
                // Values of two types are never equal; which is less cannot be said.
                (None, "==") => false,
                (None, "!=") => true,
                (None, _) => return None,
            },
            Self::In(name, constants) => {
                let held = held(name)?;
                constants.iter().any(|constant| constant.order(held).is_some_and(Ordering::is_eq))
            }
            Self::Has(name) => held(name).is_some(),
            Self::Tagged(tag) => match held("tags").and_then(|held| held.kind.as_ref()) {
                None => false,
                Some(Kind::ListValue(texts)) => texts.values.iter().any(|text| text == tag),
                Some(_) => return None,
            },
            Self::Consent(key) => {
                let of = |channel: &str| {
                    profile.consents.iter().find(|held| held.purpose == "marketing" && held.channel == channel)
                };
                let channel = key.split_once('/').map_or("", |(_, channel)| channel);
                of(channel).or_else(|| of(""))?.state() == ConsentState::Granted
            }
            Self::Source(source) => {
                profile.records.iter().any(|it| it.record.as_ref().is_some_and(|it| it.source == *source))
            }
            Self::Created(comparison, round) => {
                let made = profile.create_time.as_ref()?;
                compares(micros(made).cmp(&(NOW + round * 1_000_000)), comparison)
            }
            Self::Email(start) => {
                profile.identifiers.iter().any(|it| it.namespace == "email" && it.value.starts_with(start))
            }
            Self::Not(part) => !part.says(profile)?,
            Self::And(left, right) => match (left.says(profile), right.says(profile)) {
                (Some(false), _) | (_, Some(false)) => false,
                (left, right) => left? && right?,
            },
            Self::Or(left, right) => match (left.says(profile), right.says(profile)) {
                (Some(true), _) | (_, Some(true)) => true,
                (left, right) => left? || right?,
            },
        })
    }
}

/// The tests' first instant.
const NOW: i64 = 1_750_000_000_000_000;

fn began(round: i64) -> String {
    let at = chrono::DateTime::from_timestamp_micros(NOW + round * 1_000_000).expect("in range");
    format!("timestamp('{}')", at.format("%Y-%m-%dT%H:%M:%SZ"))
}

fn micros(at: &prost_types::Timestamp) -> i64 {
    at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000
}

async fn search(ground: &Ground, tenant: TenantId, filter: &str, order: &str, size: i32) -> Vec<String> {
    let mut request = SearchProfilesRequest {
        filter: filter.to_owned(),
        order_by: order.to_owned(),
        page_size: size,
        ..SearchProfilesRequest::default()
    };
    let mut found = Vec::new();
    loop {
        let page = ground.profiles(tenant).search_profiles(request.clone()).await;
        let page = page.unwrap_or_else(|status| panic!("{filter}: {status}")).into_inner();
        found.extend(page.profiles.into_iter().map(|profile| profile.customer_id));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return found;
        }
    }
}

/// Everybody, by a look at each record's customer.
async fn everybody(ground: &Ground, tenant: TenantId, subjects: &[String]) -> Vec<Profile> {
    let mut found = BTreeMap::new();
    for subject in subjects {
        let profile = ground.get(tenant, by_id(subject)).await.expect("there");
        found.insert(profile.customer_id.clone(), profile);
    }
    found.into_values().collect()
}

async fn subjects(ground: &Ground, tenant: TenantId, people: &[IdentifyRequest]) -> Vec<String> {
    let mut found = Vec::new();
    for person in people {
        // What is known of it already: nothing changes.
        found.push(ground.identify(tenant, person.clone()).await.subject_id);
    }
    found
}

async fn compared(ground: &Ground, tenant: TenantId, subjects: &[String], dice: &mut Dice, when: &str) {
    let moving = matches!(when, "declared" | "defined anew" | "folded anew");
    let mut everybody = self::everybody(ground, tenant, subjects).await;
    for _ in 0..25 {
        let filter = Filter::random(dice, 3);
        let matching: Vec<&Profile> = everybody.iter().filter(|it| filter.says(it) == Some(true)).collect();
        type Key = fn(&Profile) -> i64;
        let created: Key = |it| it.create_time.as_ref().map_or(0, micros);
        let updated: Key = |it| it.update_time.as_ref().map_or(0, micros);
        let orders = [("customer_id", (|_| 0) as Key), ("create_time", created), ("update_time", updated)];
        // Whoever is written anew while pages are turned moves in the order of the last change.
        let (by, key) = orders[index(dice, if moving { 2 } else { 3 })];
        let mut expected: Vec<(i64, String)> = matching.iter().map(|it| (key(it), it.customer_id.clone())).collect();
        expected.sort();
        let descending = dice.below(2) == 0;
        if descending {
            expected.reverse();
        }
        let order = if descending { format!("{by} desc") } else { by.to_owned() };
        let size = [0, 1_000, 1, 7][index(dice, 4)];
        let found = search(ground, tenant, &filter.source(), &order, size).await;
        let expected: Vec<String> = expected.into_iter().map(|(_, id)| id).collect();
        if by == "update_time" {
            // What was declared before may still be brought to somebody, whose place is then another.
            let now = self::everybody(ground, tenant, subjects).await;
            if now != everybody {
                everybody = now;
                continue;
            }
        }
        assert_eq!(found, expected, "{when}: {} by {order} in pages of {size}", filter.source());
    }
}

fn survives(name: &str, survivorship: Survivorship) -> UpdateTraitDefinitionRequest {
    let definition =
        TraitDefinition { name: name.to_owned(), survivorship: survivorship.into(), ..TraitDefinition::default() };
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
async fn random_filters_find_whom_a_look_at_everybody_finds_also_while_definitions_change(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    for seed in seeds(1) {
        let (tenant, mut dice) = (TenantId::new(), Dice(seed * 15_485_863 + 3));
        ground.clock.set(Timestamp::from_column(NOW));
        let people: Vec<IdentifyRequest> = (0..150).map(|number| person(&mut dice, number)).collect();
        for some in people.chunks(25) {
            import(&ground, tenant, some.to_vec()).await;
            ground.wait(1);
        }
        let subjects = subjects(&ground, tenant, &people).await;
        compared(&ground, tenant, &subjects, &mut dice, "at first").await;
        for (name, kind) in [("plan", TraitType::Text), ("size", TraitType::Number), ("since", TraitType::Time)] {
            ground.traits(tenant).create_trait_definition(declares(name, kind, false)).await.expect("declared");
        }
        compared(&ground, tenant, &subjects, &mut dice, "declared").await;
        ground.wait(3);
        for _ in 0..25 {
            let (one, other) = (&subjects[index(&mut dice, 150)], &subjects[index(&mut dice, 150)]);
            let merged = ground.profiles(tenant).merge_profiles(merge(one, &[other])).await;
            if let Err(status) = merged {
                assert_eq!(reason::<()>(Err(status)), "IDENTITY_CONFLICT");
            }
        }
        compared(&ground, tenant, &subjects, &mut dice, "merged").await;
        for _ in 0..25 {
            let held = ground.get(tenant, by_id(&subjects[index(&mut dice, 150)])).await.expect("there");
            if let [first, _, ..] = names(&held).as_slice() {
                let mut request = split(&held.customer_id, &[]);
                let of = |it: &&rapport_api::profiles::v1::SourceRecord| it.external_id == *first;
                request.source_records =
                    held.records.iter().filter_map(|it| it.record.as_ref()).filter(of).cloned().collect();
                ground.profiles(tenant).split_profile(request).await.expect("split");
            }
        }
        compared(&ground, tenant, &subjects, &mut dice, "split").await;
        for (name, rule) in [("plan", Survivorship::First), ("size", Survivorship::Max), ("plan", Survivorship::Union)]
        {
            ground.traits(tenant).update_trait_definition(survives(name, rule)).await.expect("changed");
            // It counts at once; profiles are told of in the background, when two seconds have passed.
            compared(&ground, tenant, &subjects, &mut dice, "defined anew").await;
            ground.wait(3);
            let before = everybody(&ground, tenant, &subjects).await;
            while_folded(&ground, tenant, &before, &mut dice).await;
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            compared(&ground, tenant, &subjects, &mut dice, "folded anew").await;
        }
    }
}

/// Who is found does not change by being folded anew, however far that is.
async fn while_folded(ground: &Ground, tenant: TenantId, before: &[Profile], dice: &mut Dice) {
    for _ in 0..15 {
        let filter = Filter::random(dice, 2);
        let matching = before.iter().filter(|it| filter.says(it) == Some(true));
        let expected: Vec<String> = matching.map(|it| it.customer_id.clone()).collect();
        let found = search(ground, tenant, &filter.source(), "", 20).await;
        assert_eq!(found, expected, "while it is folded anew: {}", filter.source());
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_miss_and_repeat_nobody_who_stays_as_he_is_while_others_are_written(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let (mut still, mut busy) = (BTreeSet::new(), Vec::new());
    for number in 0..60 {
        let request = states(&number.to_string(), &[("plan", "gold")], 0);
        let id = customer(&ground.identify(tenant, request).await);
        ground.wait(1);
        if number % 2 == 0 {
            still.insert(id);
        } else {
            busy.push((number, id));
        }
    }
    let done = AtomicBool::new(false);
    let writing = async {
        let mut round = 0_usize;
        while !done.load(Atomic::Relaxed) {
            let (number, id) = &busy[round % busy.len()];
            let plan = ["none", "gold"][round / busy.len() % 2];
            ground.wait(1);
            let request = IdentifyRequest {
                observed_at: Some(timestamp(rapport_kernel::Clock::now(&*ground.clock))),
                ..states(&number.to_string(), &[("plan", plan)], 0)
            };
            ground.identify(tenant, request).await;
            match round % 7 {
                // Newcomers, and some who become one and two again.
                0 => drop(ground.identify(tenant, states(&format!("new{round}"), &[("plan", "gold")], 0)).await),
                3 => {
                    let (other, into) = &busy[(round + 1) % busy.len()];
                    ground.profiles(tenant).merge_profiles(merge(id, &[into])).await.expect("merged");
                    ground.profiles(tenant).split_profile(split(id, &[&other.to_string()])).await.expect("split");
                }
                _ => {}
            }
            round += 1;
        }
    };
    let paging = async {
        for order in ["", "customer_id desc", "create_time", "create_time desc", "update_time", "update_time desc"] {
            for size in [3, 11] {
                let found = search(&ground, tenant, "traits.plan == 'gold'", order, size).await;
                let unmoved: Vec<&String> = found.iter().filter(|id| still.contains(*id)).collect();
                let each: BTreeSet<&String> = unmoved.iter().copied().collect();
                assert_eq!((unmoved.len(), each.len()), (still.len(), still.len()), "by {order:?} in pages of {size}");
                if !order.starts_with("update_time") {
                    let all: BTreeSet<&String> = found.iter().collect();
                    assert_eq!(all.len(), found.len(), "nobody's place changes by {order:?}, so nobody comes twice");
                }
            }
        }
        done.store(true, Atomic::Relaxed);
    };
    tokio::join!(writing, paging);
}
