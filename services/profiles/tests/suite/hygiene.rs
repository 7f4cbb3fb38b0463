//! What is erased is nowhere, no statement reads all of a tenant, nobody grows past what can be read, and recording and
//! erasing at once leave nothing behind.

use std::path::PathBuf;
use std::time::Duration;

use futures::future::join_all;
use rapport_api::common::v1::{CustomerRef, EraseSubjectsRequest};
use rapport_api::convert::timestamp;
use rapport_api::profiles::v1::{
    GetContextRequest, IdentifyRequest, Interaction, RecordInteractionRequest, SplitProfileRequest,
};
use rapport_data::Engine;
use rapport_harness::{Statements, scans, shared_postgres};
use rapport_kernel::{Clock as _, TenantId};
use rstest::rstest;
use tonic::Code;

use crate::erasure::erase;
use crate::ground::*;
use crate::merges::merge;

fn happens(ground: &Ground, customer: CustomerRef, id: &str) -> RecordInteractionRequest {
    let interaction = Interaction {
        customer: Some(customer),
        source: "shop".to_owned(),
        external_id: id.to_owned(),
        r#type: "visit".to_owned(),
        channel: "web".to_owned(),
        occurred_at: Some(timestamp(ground.clock.now())),
        ..Interaction::default()
    };
    RecordInteractionRequest { interaction: Some(interaction), ..RecordInteractionRequest::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_file_holds_a_word_of_an_erased_customer() {
    let (ground, tenant) = (Ground::new(Engine::Sqlite).await, TenantId::new());
    let mut reader = ground.reader();
    let mut erased = Vec::new();
    for n in 0..60 {
        let address = format!("canary-{n}@example.com");
        let mut request = states(&format!("canary-{n}"), &[("city", "canary-ville")], 5);
        request.identifiers = says("", &[("email", &address)]).identifiers;
        let made = ground.identify(tenant, request).await;
        let event = happens(&ground, by_identifier("email", &address), &format!("canary-{n}"));
        ground.interactions(tenant).record_interaction(event).await.expect("recorded");
        ground.record(tenant, &format!("other {n}"), &[("email", &format!("{n}@example.com"))]).await;
        erased.push(made.subject_id);
    }
    let subjects: Vec<&str> = erased.iter().map(String::as_str).collect();
    let is_clear = async || {
        for some in subjects.chunks(20) {
            if !erase(&ground, tenant, some).await.bus_clear {
                return false;
            }
        }
        true
    };
    for _ in 0..800 {
        if is_clear().await {
            break;
        }
        reader.next(0).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The log is emptied in the background.
    let held = || {
        let files = std::fs::read_dir(ground.folder.path()).expect("a folder").map(|file| file.expect("a file").path());
        let holds =
            |path: &PathBuf| std::fs::read(path).is_ok_and(|bytes| bytes.windows(7).any(|part| part == b"canary-"));
        files.filter(holds).collect::<Vec<_>>()
    };
    for _ in 0..100 {
        if held().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    panic!("it is still in {:?}", held());
}

#[tokio::test]
async fn neither_erasing_nor_merging_nor_splitting_reads_all_of_a_tenant() {
    let (ground, tenant) = (Ground::new(Engine::Sqlite).await, TenantId::new());
    let mut ids = Vec::new();
    for name in ["1", "2", "3"] {
        let made = ground.record(tenant, name, &[("email", &format!("{name}@example.com"))]).await;
        let event = happens(&ground, by_id(&customer(&made)), name);
        ground.interactions(tenant).record_interaction(event).await.expect("recorded");
        ids.push(made.subject_id);
    }
    let said = Statements::listen();
    ground.profiles(tenant).merge_profiles(merge(&ids[0], &[&ids[1], &ids[2]])).await.expect("merged");
    let split = SplitProfileRequest {
        customer: Some(by_id(&ids[0])),
        source_records: vec![named("2")],
        reason: "another person".to_owned(),
        ..SplitProfileRequest::default()
    };
    ground.profiles(tenant).split_profile(split).await.expect("split");
    ground.record(tenant, "4", &[("email", "1@example.com")]).await;
    erase(&ground, tenant, &[&ids[0], &ids[2]]).await;
    let said = said.take();
    assert!(said.iter().any(|text| text.contains("interaction_key")), "{said:#?}");
    // `newest` and `counted` are what another part of the statement found by an index.
    let small = [
        "relay",
        "lease",
        "known_tenant",
        "outbox_pending",
        "batch",
        "numbered",
        "oldest",
        "asked",
        "derivation",
        "newest",
        "counted",
    ];
    let found = scans(&ground.folder.path().join("profiles.db"), &said, &small).await;
    assert!(found.is_empty(), "{found:#?}");
}

/// Many bytes of new traits.
fn heavy(record: &str, round: usize) -> IdentifyRequest {
    let traits: Vec<(String, String)> = (0..100).map(|n| (format!("t{round}_{n}"), "x".repeat(2_000))).collect();
    let traits: Vec<(&str, &str)> = traits.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    states(record, &traits, 1)
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_never_grows_past_what_can_be_read_and_erased(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let made = ground.identify(tenant, heavy("1", 0)).await;
    let mut refused = None;
    for round in 1..13 {
        if let Err(status) = ground.profiles(tenant).identify(heavy("1", round)).await {
            refused = Some(status);
            break;
        }
    }
    let refused = refused.expect("a record does not grow for ever");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(reason::<()>(Err(refused)), "INVALID_STATE");
    let before = ground.get(tenant, by_id(&customer(&made))).await.expect("it can be read");
    // Two that are as large as may be cannot be one, whoever says so.
    for record in ["2", "3"] {
        ground.identify(tenant, heavy(record, 20)).await;
    }
    let mut others = Vec::new();
    for record in ["4", "5", "6", "7"] {
        others.push(customer(&ground.identify(tenant, heavy(record, record.parse().expect("a number"))).await));
    }
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    let merged = ground.profiles(tenant).merge_profiles(merge(&before.customer_id, &others)).await;
    assert_eq!(reason(merged), "IDENTITY_CONFLICT");
    for record in ["1", "4", "5", "6", "7"] {
        let linked = ground.profiles(tenant).identify(says(record, &[("email", "one@example.com")])).await;
        if record == "7" {
            assert_eq!(reason(linked), "IDENTITY_CONFLICT");
        }
    }
    let request = GetContextRequest { customer: Some(by_id(&before.customer_id)), ids_only: true, min_revision: 0 };
    let context = ground.contexts(tenant).get_context(request).await.expect("there").into_inner().context;
    let context = context.expect("a context");
    assert!(context.traits.is_empty() && context.subject_ids.contains(&made.subject_id));
    let subjects: Vec<&str> = context.subject_ids.iter().map(String::as_str).collect();
    erase(&ground, tenant, &subjects).await;
    assert_eq!(reason(ground.get(tenant, by_id(&before.customer_id)).await), "RESOURCE_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_recorded_while_its_customer_is_erased_is_gone_or_was_refused() {
    let (ground, tenant) = (Ground::new(Engine::Postgres).await, TenantId::new());
    for round in 0..10 {
        let made = ground.record(tenant, &format!("{round}"), &[]).await;
        let records = (0..20).map(|n| {
            let request = happens(&ground, by_id(&made.subject_id), &format!("{round}/{n}"));
            let mut interactions = ground.interactions(tenant);
            async move { interactions.record_interaction(request).await }
        });
        let subjects = [made.subject_id.as_str()];
        let (recorded, _) = tokio::join!(join_all(records), erase(&ground, tenant, &subjects));
        for refused in recorded.into_iter().filter_map(Result::err) {
            assert_eq!(refused.code(), Code::NotFound, "{refused:?}");
        }
        for table in ["interaction", "interaction_key", "subject", "observation", "link", "identifier"] {
            let left = shared_postgres().execute(
                &ground.url,
                &format!("SELECT count(*) FROM {table} WHERE subject_id = '{}'", made.subject_id),
            );
            assert_eq!(left, "0", "{table}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn erasures_of_one_tenant_at_once_do_not_wait_in_a_circle() {
    let (ground, tenant) = (Ground::new(Engine::Postgres).await, TenantId::new());
    let mut subjects = Vec::new();
    for n in 0..30 {
        subjects.push(ground.record(tenant, &format!("{n}"), &[("email", &format!("{}@example.com", n / 3))]).await);
    }
    let erasures = subjects.iter().map(|made| async {
        let request = EraseSubjectsRequest {
            erasure_id: uuid::Uuid::now_v7().to_string(),
            subject_ids: vec![made.subject_id.clone()],
            requested_at: Some(timestamp(ground.clock.now())),
        };
        let mut erasures = ground.erasures(tenant);
        erasures.erase_subjects(request).await.expect("erased");
    });
    join_all(erasures).await;
    // Its figures come a little late.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let circles = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(shared_postgres().execute(&ground.url, circles), "0");
}
