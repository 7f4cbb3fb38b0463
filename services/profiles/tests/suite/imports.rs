//! Importing profiles: as Identify of each, in whatever order and in whatever batches they come.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};
use rapport_api::common::v1::BulkAck;
use rapport_api::profiles::v1::{Consent, ConsentState, IdentifyRequest, ImportProfilesRequest, Profile};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::ground::*;

pub async fn import(ground: &Ground, tenant: TenantId, items: Vec<IdentifyRequest>) -> Vec<BulkAck> {
    let items = stream::iter(items.into_iter().map(|item| ImportProfilesRequest { profile: Some(item) }));
    let acks = ground.profiles(tenant).import_profiles(items).await.expect("a stream").into_inner();
    acks.map(|ack| ack.expect("it goes on").ack.expect("an acknowledgement")).collect().await
}

/// Numbers that look random, the same at every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, usize::try_from(self.below(at as u64 + 1)).expect("small"));
        }
    }

    /// A statement over few names, values and instants: shared identifiers, ties and repetitions are frequent.
    fn statement(&mut self) -> IdentifyRequest {
        let mut request = states(&format!("r{}", self.below(14)), &[], i64::try_from(self.below(6)).expect("small"));
        for _ in 0..self.below(3) {
            let namespace = ["email", "user_id", "customer_number", "device_id"][self.below(4) as usize];
            let value = format!("{}@example.com", self.below(7));
            request.identifiers.extend(says("", &[(namespace, &value)]).identifiers);
        }
        for _ in 0..self.below(3) {
            let name = ["city", "tier", "name"][self.below(3) as usize];
            request.traits.insert(name.to_owned(), text(&self.below(3).to_string()));
        }
        if self.below(4) == 0 && !request.traits.contains_key("city") {
            request.unset_traits.push("city".to_owned());
        }
        if self.below(4) == 0 {
            let state = [ConsentState::Granted, ConsentState::Denied][self.below(2) as usize];
            let consent = Consent { purpose: "marketing".to_owned(), state: state.into(), ..Consent::default() };
            request.consents.push(consent);
        }
        request
    }
}

/// What a profile says, without the ids that were minted for it and the count of its changes.
fn told(profile: &Profile) -> String {
    let traits: BTreeMap<_, _> =
        profile.traits.iter().map(|(name, held)| (name, (&held.value, &held.source, &held.observed_at))).collect();
    let identifiers: Vec<_> = profile.identifiers.iter().map(|it| (&it.namespace, &it.value)).collect();
    format!("{:?} {:?} {traits:?} {identifiers:?} {:?}", names(profile), profile.party, profile.consents)
}

async fn everybody(ground: &Ground, tenant: TenantId, items: &[IdentifyRequest]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for name in items.iter().map(|item| &item.external_id).collect::<BTreeSet<_>>() {
        // A statement that says nothing, told again: it answers the record's customer.
        let answer = ground.identify(tenant, states(name, &[], 0)).await;
        found.insert(told(profile(&answer)));
    }
    found
}

#[rstest]
#[case(Engine::Sqlite, 12)]
#[case(Engine::Postgres, 6)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_in_any_order_and_any_batches_is_identify_one_by_one(#[case] engine: Engine, #[case] rounds: u64) {
    let ground = Ground::new(engine).await;
    for round in 0..rounds {
        let mut dice = Dice(round);
        let mut items: Vec<IdentifyRequest> = (0..60).map(|_| dice.statement()).collect();
        let one_by_one = TenantId::new();
        for item in &items {
            ground.identify(one_by_one, item.clone()).await;
        }
        let expected = everybody(&ground, one_by_one, &items).await;
        for size in [1, 1 + dice.below(9), 100] {
            let tenant = TenantId::new();
            dice.shuffle(&mut items);
            // Some were there before.
            for item in items.iter().take(dice.below(10) as usize) {
                ground.identify(tenant, item.clone()).await;
            }
            for some in items.chunks(usize::try_from(size).expect("small")) {
                let acks = import(&ground, tenant, some.to_vec()).await;
                assert!(acks.iter().all(|ack| ack.rejected == 0), "{acks:?}");
                assert_eq!(acks.iter().map(|ack| ack.accepted).sum::<i64>(), some.len() as i64);
            }
            let before = everybody(&ground, tenant, &items).await;
            assert!(before == expected, "round {round}, batches of {size}");
            import(&ground, tenant, items.clone()).await;
            assert!(everybody(&ground, tenant, &items).await == expected, "told again, nothing changes");
        }
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_too_many_carry_links_nobody_though_they_come_in_one_batch(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let items = |range: std::ops::Range<u32>| {
        range.map(|n| says(&format!("{n}"), &[("email", "info@example.com")])).collect::<Vec<_>>()
    };
    import(&ground, tenant, items(0..90)).await;
    let one = ground.get(tenant, by_identifier("email", "info@example.com")).await.expect("there");
    assert_eq!(one.records.len(), 90);
    import(&ground, tenant, items(90..300)).await;
    for n in ["0", "89", "90", "101", "299"] {
        let answer = ground.identify(tenant, says(n, &[])).await;
        assert_eq!(names(profile(&answer)), [n], "it is alone");
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_changes_nothing_and_is_named_and_the_rest_is_kept(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let heavy = |name: &str, prefix: &str| {
        let mut request = says(name, &[("email", "a@example.com")]);
        request.traits = (0..50).map(|at| (format!("{prefix}_{at}"), text(&"x".repeat(4_000)))).collect();
        request
    };
    // Alone each may be; together the first four are too much for one customer.
    let mut items: Vec<_> = [("1", "a"), ("2", "b"), ("0", "c"), ("3", "d")].map(|(name, of)| heavy(name, of)).into();
    items.push(says("4", &[("email", "a@example.com")]));
    items.push(IdentifyRequest { request_id: uuid::Uuid::new_v4().to_string(), ..says("5", &[]) });
    items.push(says("6", &[("email", "no address")]));
    items.push(says("7", &[("email", "b@example.com")]));
    // Of one record: what it says second is too much.
    items.push(heavy("8", "a"));
    items.push(heavy("8", "b"));
    for item in &mut items[8..] {
        item.identifiers.clear();
    }
    let acks = import(&ground, tenant, items).await;
    let errors: Vec<_> = acks.iter().flat_map(|ack| &ack.errors).collect();
    let named: Vec<_> = errors.iter().map(|error| (error.index, error.reason.as_str())).collect();
    assert_eq!(named, [(3, "IDENTITY_CONFLICT"), (5, "INVALID_FIELD"), (6, "INVALID_FIELD"), (9, "INVALID_STATE")]);
    assert_eq!(errors[1].violations[0].field, "profile.request_id");
    assert_eq!(errors[2].violations[0].field, "profile.identifiers[0].value");
    assert!(!format!("{errors:?}").contains("no address"), "a value is never told");
    assert_eq!(acks.iter().map(|ack| ack.accepted).sum::<i64>(), 6);
    let one = ground.get(tenant, by_identifier("email", "a@example.com")).await.expect("there");
    assert_eq!((names(&one).len(), one.traits.len()), (4, 150));
    let alone = ground.identify(tenant, says("3", &[])).await;
    assert_eq!((alone.outcome().as_str_name(), profile(&alone).traits.len()), ("IDENTIFY_OUTCOME_CREATED", 0));
    assert_eq!(profile(&ground.identify(tenant, says("8", &[])).await).traits.len(), 50);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imports_at_once_lose_nothing(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let items = |source: &str| {
        let of =
            |n: u32| IdentifyRequest { source: source.to_owned(), ..states(&n.to_string(), &[("city", source)], 0) };
        let mut items: Vec<_> = (0..200).map(of).collect();
        for (n, item) in items.iter_mut().enumerate() {
            item.identifiers = says("", &[("email", &format!("{n}@example.com"))]).identifiers;
        }
        items
    };
    let (mut first, mut second, third) = (items("shop"), items("app"), items("till"));
    first.reverse();
    second.rotate_left(77);
    let all =
        futures::join!(import(&ground, tenant, first), import(&ground, tenant, second), import(&ground, tenant, third));
    assert!([all.0, all.1, all.2].iter().flatten().all(|ack| ack.rejected == 0));
    for n in [0, 76, 77, 199] {
        let one = ground.get(tenant, by_identifier("email", &format!("{n}@example.com"))).await.expect("there");
        assert_eq!(one.records.len(), 3);
    }
}
