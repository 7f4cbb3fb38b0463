//! Many at once: one effect, one customer, nothing half done.

use std::collections::BTreeSet;

use futures::future::join_all;
use rapport_api::convert::timestamp;
use rapport_api::profiles::v1::{GetProfileRequest, IdentifyRequest, Interaction, RecordInteractionRequest};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, TenantId};
use rstest::rstest;

use crate::erasure::erase;
use crate::ground::*;
use crate::imports::Dice;
use crate::merges::{merge, split};
use crate::segments::{members, segments, wants};

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_calls_with_one_request_id_have_one_effect(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let request =
        IdentifyRequest { request_id: uuid::Uuid::new_v4().to_string(), ..says("1", &[("email", "a@example.com")]) };
    let answers = join_all((0..50).map(|_| ground.identify(tenant, request.clone()))).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(profile(&answers[0]).revision, 1);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_new_records_that_share_an_identifier_become_one_customer(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let request = |number: usize| says(&format!("{number}"), &[("email", "a@example.com")]);
    join_all((0..50).map(|number| ground.identify(tenant, request(number)))).await;
    let one = ground.get(tenant, by_identifier("email", "a@example.com")).await.expect("there");
    assert_eq!(one.records.len(), 50);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merges_in_a_circle_end_in_one_customer(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    for round in 0..5 {
        let mut ids = Vec::new();
        for name in ["a", "b", "c", "d"] {
            ids.push(customer(&ground.record(tenant, &format!("{round}{name}"), &[]).await));
        }
        let circle = (0..ids.len()).map(|at| merge(&ids[at], &[&ids[(at + 1) % ids.len()]]));
        let circle = circle.map(|request| {
            let mut profiles = ground.profiles(tenant);
            async move { profiles.merge_profiles(request).await }
        });
        for result in join_all(circle).await {
            result.expect("every one of them is done");
        }
        let mut customers = BTreeSet::new();
        for id in &ids {
            let profile = ground.get(tenant, by_id(id)).await.expect("every id works");
            assert_eq!(profile.records.len(), 4);
            customers.insert(profile.customer_id);
        }
        assert_eq!(customers.len(), 1);
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_and_merges_at_once_lose_nothing(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let first = customer(&ground.record(tenant, "0", &[]).await);
    let mut others = Vec::new();
    for number in 1..6 {
        others.push(customer(&ground.record(tenant, &number.to_string(), &[]).await));
    }
    let statements =
        (0..30).map(|at| ground.identify(tenant, states(&format!("{}", at % 6), &[(&format!("t{at}"), "x")], at)));
    let merges = others.iter().map(|other| {
        let (mut profiles, request) = (ground.profiles(tenant), merge(&first, &[other]));
        async move { profiles.merge_profiles(request).await.expect("merged") }
    });
    tokio::join!(join_all(statements), join_all(merges));
    let one = ground.get(tenant, by_id(&first)).await.expect("there");
    assert_eq!((one.records.len(), one.traits.len()), (6, 30));
}

/// A unit may begin before another that is committed while it waits, and clocks of two instances differ.
#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test]
async fn what_is_declared_last_counts_though_its_clock_is_behind(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(customer(&ground.record(tenant, name, &[]).await));
    }
    let mut profiles = ground.profiles(tenant);
    profiles.merge_profiles(merge(&ids[0], &[&ids[1]])).await.expect("merged");
    let now = ground.clock.now();
    ground.clock.set(now.minus(std::time::Duration::from_secs(5)));
    let merged = profiles.merge_profiles(merge(&ids[2], &[&ids[0]])).await.expect("merged").into_inner();
    let merged = merged.profile.expect("a profile");
    assert_eq!((merged.customer_id.as_str(), merged.records.len()), (ids[2].as_str(), 3), "the last target survives");
    ground.clock.set(now.plus(std::time::Duration::from_secs(1)));
    for id in &ids {
        assert_eq!(ground.get(tenant, by_id(id)).await.expect("every id works").customer_id, ids[2]);
        let request = GetProfileRequest {
            customer: Some(by_id(id)),
            as_of: Some(timestamp(ground.clock.now())),
            ..GetProfileRequest::default()
        };
        let past = profiles.get_profile(request).await.expect("it was known").into_inner();
        assert_eq!(past.records.len(), 3, "the links' times do not go back");
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_merged_into_the_other_at_once_is_one_customer_and_no_circle(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    for round in 0..10 {
        let one = customer(&ground.record(tenant, &format!("{round}a"), &[]).await);
        let other = customer(&ground.record(tenant, &format!("{round}b"), &[]).await);
        let (mut there, mut back) = (ground.profiles(tenant), ground.profiles(tenant));
        let there = there.merge_profiles(merge(&one, &[&other]));
        let back = back.merge_profiles(merge(&other, &[&one]));
        let (there, back) = tokio::join!(there, back);
        there.expect("done");
        back.expect("done");
        let profile = ground.get(tenant, by_id(&one)).await.expect("every id works");
        assert!(profile == ground.get(tenant, by_id(&other)).await.expect("every id works"));
        assert_eq!(names(&profile), [format!("{round}a"), format!("{round}b")]);
        ground.profiles(tenant).split_profile(split(&one, &[&format!("{round}a")])).await.expect("parted");
        for id in [&one, &other] {
            assert_eq!(&ground.get(tenant, by_id(id)).await.expect("there").customer_id, id);
        }
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_while_one_of_them_is_erased_leaves_nothing_of_it(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    for round in 0..8 {
        let stays = ground.identify(tenant, states(&format!("{round}s"), &[("city", "Riga")], 1)).await;
        let goes = ground.identify(tenant, states(&format!("{round}g"), &[("nick", "canary")], 2)).await;
        let (stays, goes) = (customer(&stays), customer(&goes));
        let target_goes = round % 2 == 0;
        let request = if target_goes { merge(&goes, &[&stays]) } else { merge(&stays, &[&goes]) };
        let mut profiles = ground.profiles(tenant);
        let gone = [goes.as_str()];
        let (merged, _) = tokio::join!(profiles.merge_profiles(request), erase(&ground, tenant, &gone));
        if let Err(status) = merged {
            assert_eq!(reason::<()>(Err(status)), "RESOURCE_NOT_FOUND", "the erasure came first");
        }
        let left = ground.get(tenant, by_id(&stays)).await.expect("what others said stays");
        assert_eq!(names(&left), [format!("{round}s")]);
        assert_eq!((trait_text(&left, "city").as_deref(), trait_text(&left, "nick")), (Some("Riga"), None));
        assert_eq!(reason(ground.get(tenant, by_id(&goes)).await), "RESOURCE_NOT_FOUND");
        let again = ground.identify(tenant, states(&format!("{round}s"), &[("city", "Oslo")], 3)).await;
        assert_eq!(trait_text(profile(&again), "city").as_deref(), Some("Oslo"), "and lives on");
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_split_after_three_merges_gives_every_record_just_what_it_had(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut ids = Vec::new();
    for (at, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let seconds = i64::try_from(at).expect("small");
        let email = format!("{name}@example.com");
        let request = IdentifyRequest {
            identifiers: says(name, &[("email", &email)]).identifiers,
            ..states(name, &[("city", name), (name, "own")], 10 - seconds)
        };
        ids.push(customer(&ground.identify(tenant, request).await));
    }
    let mut own = Vec::new();
    for id in &ids {
        own.push(ground.get(tenant, by_id(id)).await.expect("there"));
    }
    // One into the other, that into a third, that into the last.
    for pair in ids.windows(2) {
        ground.profiles(tenant).merge_profiles(merge(&pair[1], &[&pair[0]])).await.expect("merged");
    }
    let one = ground.get(tenant, by_id(&ids[0])).await.expect("there");
    assert_eq!((one.customer_id.as_str(), one.records.len()), (ids[3].as_str(), 4));
    // A record from the middle leaves: the others stay one, though it was by it that two of them came together.
    let parted = ground.profiles(tenant).split_profile(split(&ids[3], &["b"])).await.expect("parted").into_inner();
    let [separated] = parted.separated.as_slice() else { panic!("one leaves") };
    let of = |profile: &rapport_api::profiles::v1::Profile| (profile.traits.clone(), profile.identifiers.clone());
    assert!(of(separated) == of(&own[1]) && separated.customer_id == ids[1]);
    let mut left: Vec<String> = names(&parted.remaining.expect("one remains"));
    left.sort();
    assert_eq!(left, ["a", "c", "d"]);
    for name in ["a", "c"] {
        ground.profiles(tenant).split_profile(split(&ids[3], &[name])).await.expect("parted");
    }
    for (id, own) in ids.iter().zip(&own) {
        let now = ground.get(tenant, by_id(id)).await.expect("there");
        assert!(of(&now) == of(own) && now.customer_id == *id);
    }
}

/// What happens while its customers become one, or two again, counts for whom it belongs to in the end.
#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_while_customers_are_merged_and_split_is_in_their_segments(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let request = wants("Twice", "events.purchase.size() >= 2");
    let made = segments(&ground, tenant).create_segment(request).await.expect("made").into_inner();
    let buys = async |customer: &str, id: String| {
        let interaction = Interaction {
            customer: Some(by_id(customer)),
            source: "shop".to_owned(),
            external_id: id,
            r#type: "purchase".to_owned(),
            occurred_at: Some(at(0)),
            ..Interaction::default()
        };
        let request =
            RecordInteractionRequest { interaction: Some(interaction), ..RecordInteractionRequest::default() };
        ground.interactions(tenant).record_interaction(request).await.expect("recorded");
    };
    for round in 0..25 {
        let (one, other) = (format!("{round}a"), format!("{round}b"));
        let one = customer(&ground.record(tenant, &one, &[]).await);
        let name = other.clone();
        let other = customer(&ground.record(tenant, &other, &[]).await);
        buys(&one, format!("{round}-1")).await;
        let (mut profiles, mut apart) = (ground.profiles(tenant), ground.profiles(tenant));
        // Neither of the two is in it by itself: both together are.
        let (merged, ()) =
            tokio::join!(profiles.merge_profiles(merge(&one, &[&other])), buys(&other, format!("{round}-2")));
        merged.expect("merged");
        members_become(&ground, tenant, &made.segment_id, &one, true).await;
        // The one that leaves takes its own with it, and what happens to it meanwhile makes two.
        let (split, ()) = tokio::join!(apart.split_profile(split(&one, &[&name])), buys(&other, format!("{round}-3")));
        split.expect("split");
        members_become(&ground, tenant, &made.segment_id, &other, true).await;
        members_become(&ground, tenant, &made.segment_id, &one, false).await;
    }
}

async fn members_become(ground: &Ground, tenant: TenantId, segment: &str, customer: &str, inside: bool) {
    for _ in 0..2_000 {
        if members(ground, tenant, segment).await.contains(customer) == inside {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("it is not followed whether it is a member");
}

/// Many at once do all that there is to the same few records; nothing of it goes in a circle or gets lost.
#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn merges_splits_statements_and_erasures_at_once_leave_whole_customers(#[case] engine: Engine) {
    const RECORDS: u64 = 8;
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    for round in 0..3_u64 {
        let name = |record: u64| format!("{round}-{record}");
        let mut subjects = Vec::new();
        for record in 0..RECORDS {
            subjects
                .push(ground.identify(tenant, states(&name(record), &[("own", &name(record))], 1)).await.subject_id);
        }
        let works = (0..8_u64).map(|worker| {
            let (subjects, mut dice) = (&subjects, Dice(round * 100 + worker));
            let (ground, name) = (&ground, &name);
            async move {
                for turn in 0..12 {
                    let (one, other) = (dice.below(RECORDS), dice.below(RECORDS));
                    let id = |record: u64| subjects[usize::try_from(record).expect("small")].as_str();
                    let mut profiles = ground.profiles(tenant);
                    let done = match dice.below(4) {
                        0 | 1 => profiles.merge_profiles(merge(id(one), &[id(other)])).await.map(drop),
                        2 => profiles.split_profile(split(id(one), &[&name(other)])).await.map(drop),
                        _ => {
                            let (own, said) = (name(one), format!("{worker}-{turn}"));
                            let request = states(&own, &[("own", &own), (&format!("t{worker}"), &said)], 2 + turn);
                            profiles.identify(request).await.map(drop)
                        }
                    };
                    // A record that is another's by then cannot be split off; who was erased is not found; and who
                    // meets too many others at once is told to try again.
                    if let Err(status) = done {
                        let reason = reason::<()>(Err(status));
                        assert!(
                            ["IDENTITY_CONFLICT", "RESOURCE_NOT_FOUND", "CONTENTION"].contains(&&*reason),
                            "{reason}"
                        );
                    }
                }
            }
        });
        let goes = subjects[0].clone();
        let erasing = async {
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            erase(&ground, tenant, &[&goes]).await;
        };
        tokio::join!(join_all(works), erasing);
        // Whoever was erased may have been told of again since: then it is a record that begins anew.
        let mut found = std::collections::BTreeMap::<String, BTreeSet<String>>::new();
        for (record, subject) in (1..RECORDS).zip(&subjects[1..]) {
            let profile = ground.get(tenant, by_id(subject)).await.expect("every id works");
            let again = ground.get(tenant, by_id(&profile.customer_id)).await.expect("a customer is its own");
            assert!(again == profile, "no id leads in a circle, nor on to a third");
            assert!(names(&profile).contains(&name(record)), "it is of the customer that holds it");
            assert!(profile.records.iter().all(|held| held.subject_id != goes), "who was erased is nowhere");
            let held = found.entry(profile.customer_id.clone()).or_default();
            assert!(held.is_empty() || *held == names(&profile).into_iter().collect());
            held.extend(names(&profile));
        }
        let each: usize = found.values().map(BTreeSet::len).sum();
        let all: BTreeSet<&String> = found.values().flatten().collect();
        assert_eq!(each, all.len(), "no record is of two customers");
    }
}
