//! WatchProfiles: every change once, in order, from now or from a token on.

use std::time::Duration;

use rapport_api::common::v1::EraseSubjectsRequest;
use rapport_api::profiles::v1::{ProfileChange, ProfileChangeKind, WatchProfilesRequest, WatchProfilesResponse};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;
use tonic::Streaming;

use crate::ground::*;
use crate::merges::merge;

async fn watch(ground: &Ground, tenant: TenantId, token: &str, filter: &str) -> Streaming<WatchProfilesResponse> {
    let request = WatchProfilesRequest {
        resume_token: token.to_owned(),
        filter: filter.to_owned(),
        ..WatchProfilesRequest::default()
    };
    ground.profiles(tenant).watch_profiles(request).await.expect("a watch").into_inner()
}

/// The next changes, each with the token after it.
async fn changes(stream: &mut Streaming<WatchProfilesResponse>, count: usize) -> Vec<(ProfileChange, String)> {
    let mut found = Vec::new();
    while found.len() < count {
        let message = tokio::time::timeout(Duration::from_secs(20), stream.message()).await.expect("it comes");
        let message = message.expect("it goes on").expect("it has no end");
        assert!(!message.resume_token.is_empty());
        found.extend(message.change.map(|change| (change, message.resume_token)));
    }
    found
}

fn told(changes: &[(ProfileChange, String)]) -> Vec<(String, u64, ProfileChangeKind)> {
    changes.iter().map(|(change, _)| (change.customer_id.clone(), change.revision, change.kind())).collect()
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_change_is_told_once_and_a_token_goes_on_after_it(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut stream = watch(&ground, tenant, "", "").await;
    let first = stream.message().await.expect("up").expect("a message");
    assert!(first.change.is_none() && !first.resume_token.is_empty(), "the first message says where it begins");
    ground.identify(TenantId::new(), states("9", &[], 0)).await;
    let before = customer(&ground.identify(tenant, states("0", &[("city", "Riga")], 0)).await);
    let one = customer(&ground.identify(tenant, states("1", &[("city", "Riga")], 0)).await);
    ground.identify(tenant, states("1", &[("city", "Oslo")], 1)).await;
    ground.profiles(tenant).merge_profiles(merge(&one, &[&before])).await.expect("merged");
    let erase = EraseSubjectsRequest {
        erasure_id: uuid::Uuid::now_v7().to_string(),
        subject_ids: vec![one.clone()],
        requested_at: Some(at(0)),
    };
    let seen = changes(&mut stream, 5).await;
    let mut sorted = told(&seen);
    sorted.sort_by_key(|(id, revision, _)| (*id == one, *revision));
    use ProfileChangeKind::{Changed, Erased, Merged};
    let kinds =
        [(&before, 1, Changed), (&before, 3, Merged), (&one, 1, Changed), (&one, 2, Changed), (&one, 3, Changed)];
    assert_eq!(sorted, kinds.map(|(id, revision, kind)| (id.clone(), revision, kind)));
    let held = ground.get(tenant, by_id(&one)).await.expect("there");
    let last = seen.iter().find(|(change, _)| change.revision == 3 && change.customer_id == one).expect("told");
    assert!(last.0.profile.as_ref() == Some(&held));
    // From the first token on, all of it again; from each later one, the rest of it.
    let mut again = watch(&ground, tenant, &first.resume_token, "").await;
    let all = changes(&mut again, 5).await;
    let merged = all.iter().find(|(change, _)| change.kind() == Merged).expect("told");
    assert_eq!((merged.0.customer_id.as_str(), merged.0.merged_into_customer_id.as_str()), (&*before, &*one));
    let mut rest = watch(&ground, tenant, &all[1].1, "").await;
    assert_eq!(told(&changes(&mut rest, 3).await), told(&all[2..]));
    // What is erased vanishes from what is told again; that it was erased is told.
    ground.erasures(tenant).erase_subjects(erase).await.expect("erased");
    let mut late = watch(&ground, tenant, &first.resume_token, "").await;
    // What remains: of the other id its making and its merging, the erasure, and the customer that is left.
    let after = told(&changes(&mut late, 4).await);
    assert!(after.contains(&(one.clone(), 0, Erased)), "{after:?}");
    assert!(!after.contains(&(one, 1, Changed)), "{after:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_tells_of_those_alone_who_match_and_a_token_of_elsewhere_is_refused() {
    let (ground, tenant) = (Ground::new(Engine::Sqlite).await, TenantId::new());
    let mut stream = watch(&ground, tenant, "", "traits.city == 'Oslo'").await;
    let first = stream.message().await.expect("up").expect("a message");
    ground.identify(tenant, states("1", &[("city", "Riga")], 0)).await;
    let oslo = customer(&ground.identify(tenant, states("2", &[("city", "Oslo")], 0)).await);
    let seen = changes(&mut stream, 1).await;
    assert_eq!(told(&seen), [(oslo, 1, ProfileChangeKind::Changed)]);
    for (tenant, token) in [(TenantId::new(), first.resume_token.as_str()), (tenant, "abc")] {
        let request = WatchProfilesRequest { resume_token: token.to_owned(), ..WatchProfilesRequest::default() };
        let fields = violations(ground.profiles(tenant).watch_profiles(request).await);
        assert_eq!(fields[0].0, "resume_token");
    }
    let request = WatchProfilesRequest { filter: "traits.".to_owned(), ..WatchProfilesRequest::default() };
    assert_eq!(reason(ground.profiles(tenant).watch_profiles(request).await), "INVALID_CONDITION");
}
