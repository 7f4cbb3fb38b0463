//! The over-merge firewall: blocked values, limits and their candidates, quarantine, visitors, automatic merging.

use rapport_api::google::longrunning::operations_client::OperationsClient;
use rapport_api::google::longrunning::{WaitOperationRequest, operation};
use rapport_api::profiles::v1::{
    GetIdentityHealthRequest, IdentifyRequest, IdentityHealth, IdentitySettings, IgnoredReason,
    ListMatchCandidatesRequest, ListNamespacesRequest, MatchCandidate, MatchReason, MatchResolution, MatchState,
    Namespace, Normaliser, ReleaseQuarantinedValueRequest, ResolveMatchCandidateRequest, UpdateIdentitySettingsRequest,
    UpdateNamespaceRequest,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::erasure::erase;
use crate::ground::*;
use crate::merges::{merge, split};

pub async fn candidates(ground: &Ground, tenant: TenantId, request: ListMatchCandidatesRequest) -> Vec<MatchCandidate> {
    let answer = ground.identity(tenant).list_match_candidates(request).await.expect("listed").into_inner();
    answer.match_candidates
}

pub fn open() -> ListMatchCandidatesRequest {
    ListMatchCandidatesRequest { state: MatchState::Open.into(), ..ListMatchCandidatesRequest::default() }
}

fn resolve(candidate: &MatchCandidate, resolution: MatchResolution) -> ResolveMatchCandidateRequest {
    ResolveMatchCandidateRequest {
        candidate_id: candidate.candidate_id.clone(),
        etag: candidate.etag.clone(),
        resolution: resolution.into(),
        reason: "called them".to_owned(),
        ..ResolveMatchCandidateRequest::default()
    }
}

async fn health(ground: &Ground, tenant: TenantId) -> IdentityHealth {
    let request = GetIdentityHealthRequest::default();
    ground.identity(tenant).get_identity_health(request).await.expect("told").into_inner()
}

pub async fn switch(ground: &Ground, tenant: TenantId, automatic_merging: bool) {
    let settings = IdentitySettings { automatic_merging, ..IdentitySettings::default() };
    let request = UpdateIdentitySettingsRequest { request_id: String::new(), identity_settings: Some(settings) };
    ground.identity(tenant).update_identity_settings(request).await.expect("switched");
}

/// Two who carry different numbers and share a telephone.
async fn two(ground: &Ground, tenant: TenantId) -> (String, String) {
    let first = ground.record(tenant, "1", &[("customer_number", "K-1"), ("phone", "+4930123456")]).await;
    let second = ground.record(tenant, "2", &[("customer_number", "K-2"), ("phone", "+4930123456")]).await;
    (customer(&first), customer(&second))
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_stands_for_none_is_ignored_and_finds_and_joins_nobody(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let values = [
        ("email", "test@example.com"),
        ("phone", "000000000"),
        ("user_id", "NULL"),
        ("customer_number", "n/a"),
        ("loyalty_card", "00000000-0000-0000-0000-000000000000"),
        ("email", "unknown"),
        ("device_id", "undefined"),
    ];
    let first = ground.record(tenant, "1", &values).await;
    let second = ground.record(tenant, "2", &values).await;
    assert_ne!(customer(&first), customer(&second));
    assert_eq!(second.outcome().as_str_name(), "IDENTIFY_OUTCOME_CREATED");
    assert_eq!(second.ignored_identifiers.len(), values.len());
    assert!(second.ignored_identifiers.iter().all(|it| it.reason() == IgnoredReason::Blocked));
    assert!(profile(&second).identifiers.is_empty());
    for (namespace, value) in values {
        assert_eq!(reason(ground.get(tenant, by_identifier(namespace, value)).await), "RESOURCE_NOT_FOUND");
    }
    let real = ground.record(tenant, "3", &[("email", "anna@example.com")]).await;
    assert!(real.ignored_identifiers.is_empty());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_opens_a_candidate_that_somebody_accepts(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let (first, second) = two(&ground, tenant).await;
    assert_ne!(first, second);
    let held = candidates(&ground, tenant, open()).await;
    let [held] = &held[..] else { panic!("one candidate, not {}", held.len()) };
    assert_eq!(held.reason(), MatchReason::Limit);
    assert_eq!((held.namespace.as_str(), held.limit_namespace.as_str()), ("phone", "customer_number"));
    let mut customers = held.customer_ids.clone();
    customers.sort();
    let mut expected = vec![first.clone(), second.clone()];
    expected.sort();
    assert_eq!(customers, expected);
    // Heard again, it is not put up again.
    two(&ground, tenant).await;
    assert_eq!(candidates(&ground, tenant, open()).await.len(), 1);
    let stale = ResolveMatchCandidateRequest { etag: "77".to_owned(), ..resolve(held, MatchResolution::Accept) };
    assert_eq!(reason(ground.identity(tenant).resolve_match_candidate(stale).await), "STALE_ETAG");
    let foreign = resolve(held, MatchResolution::Accept);
    let foreign = ground.identity(TenantId::new()).resolve_match_candidate(foreign).await;
    assert_eq!(reason(foreign), "RESOURCE_NOT_FOUND");
    let decision = resolve(held, MatchResolution::Accept);
    let decided =
        ground.identity(tenant).resolve_match_candidate(decision.clone()).await.expect("decided").into_inner();
    assert_eq!(decided.merged_customer_ids, std::slice::from_ref(&second));
    let after = decided.match_candidate.expect("told");
    assert_eq!(after.state(), MatchState::Accepted);
    assert!(after.decided_by.starts_with("key:") && after.decision_reason == "called them");
    assert_eq!(ground.get(tenant, by_id(&second)).await.expect("there").customer_id, first);
    assert!(candidates(&ground, tenant, open()).await.is_empty());
    let again = ResolveMatchCandidateRequest { etag: String::new(), ..decision };
    assert_eq!(reason(ground.identity(tenant).resolve_match_candidate(again).await), "INVALID_STATE");
    let mine = ListMatchCandidatesRequest { customer: Some(by_id(&first)), ..ListMatchCandidatesRequest::default() };
    assert_eq!(candidates(&ground, tenant, mine).await.len(), 1, "what was decided is kept");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_pair_is_kept_apart_whatever_it_comes_to_share(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let (first, second) = two(&ground, tenant).await;
    let held = candidates(&ground, tenant, open()).await;
    let decided = ground.identity(tenant).resolve_match_candidate(resolve(&held[0], MatchResolution::Reject)).await;
    assert!(decided.expect("decided").into_inner().merged_customer_ids.is_empty());
    for name in ["1", "2"] {
        let told = ground.record(tenant, name, &[("email", "both@example.com"), ("user_id", "u-9")]).await;
        assert_eq!(customer(&told), if name == "1" { first.clone() } else { second.clone() });
    }
    assert!(candidates(&ground, tenant, open()).await.is_empty());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_goes_when_its_customers_become_one_or_one_is_erased(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let (first, second) = two(&ground, tenant).await;
    let third = ground.record(tenant, "3", &[("customer_number", "K-3"), ("phone", "+4930123456")]).await;
    assert_eq!(candidates(&ground, tenant, open()).await.len(), 3);
    let apart = ground.record(tenant, "4", &[]).await;
    let request = merge(&first, &[&customer(&apart)]);
    ground.profiles(tenant).merge_profiles(request).await.expect("merged");
    assert_eq!(candidates(&ground, tenant, open()).await.len(), 3, "a merge with somebody else changes nothing");
    erase(&ground, tenant, &[&third.subject_id]).await;
    let left = candidates(&ground, tenant, open()).await;
    assert_eq!(left.len(), 1);
    assert!(left[0].customer_ids.contains(&first) && left[0].customer_ids.contains(&second));
    // One that joins both makes them one: their own numbers must not stand in the way.
    let (fifth, sixth) = (
        ground.record(tenant, "5", &[("loyalty_card", "L-5"), ("user_id", "a"), ("user_id", "b")]).await,
        ground.record(tenant, "6", &[("loyalty_card", "L-6"), ("user_id", "c"), ("user_id", "d")]).await,
    );
    ground.record(tenant, "5", &[("email", "x@example.com")]).await;
    ground.record(tenant, "6", &[("email", "x@example.com")]).await;
    let both = ListMatchCandidatesRequest { customer: Some(by_id(&customer(&fifth))), ..open() };
    assert_eq!(candidates(&ground, tenant, both.clone()).await.len(), 1, "four user ids are one too many");
    let one = ListMatchCandidatesRequest { customer: Some(by_id(&customer(&sixth))), ..open() };
    assert_eq!(candidates(&ground, tenant, one).await, candidates(&ground, tenant, both).await);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_joins_whoever_it_turns_out_to_be(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let visitor = ground.record(tenant, "web-1", &[("anonymous_id", "a-1")]).await;
    let phone = ground.record(tenant, "app-1", &[("anonymous_id", "a-1"), ("device_id", "d-1")]).await;
    assert_ne!(customer(&visitor), customer(&phone), "nobody knows yet who they are");
    let login = ground.record(tenant, "crm-1", &[("email", "anna@example.com"), ("anonymous_id", "a-1")]).await;
    assert_eq!(login.outcome().as_str_name(), "IDENTIFY_OUTCOME_MERGED");
    assert_eq!(names(profile(&login)), ["app-1", "crm-1", "web-1"]);
    // Somebody else at the same device stays somebody else, and so do later visits of the first.
    let other = ground.record(tenant, "crm-2", &[("email", "ben@example.com"), ("anonymous_id", "a-1")]).await;
    assert_eq!(names(profile(&other)), ["crm-2"]);
    let later = ground.record(tenant, "web-2", &[("anonymous_id", "a-1")]).await;
    assert_eq!(customer(&later), customer(&login));
    assert!(candidates(&ground, tenant, open()).await.is_empty(), "a shared device asks nobody");
    // A visitor who becomes known by itself takes its visits along.
    ground.record(tenant, "web-3", &[("anonymous_id", "a-3")]).await;
    ground.record(tenant, "web-4", &[("anonymous_id", "a-3")]).await;
    let known = ground.record(tenant, "web-3", &[("user_id", "u-3")]).await;
    assert_eq!(names(profile(&known)), ["web-3", "web-4"]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn visits_come_out_the_same_in_whatever_order_they_are_told(#[case] engine: Engine) {
    let ground = Ground::new(engine).await;
    let told = |name: &str, seconds: i64, identifiers: &[(&str, &str)]| IdentifyRequest {
        observed_at: Some(at(seconds)),
        ..says(name, identifiers)
    };
    let all = [
        told("v1", 1, &[("anonymous_id", "a")]),
        told("v2", 2, &[("anonymous_id", "a"), ("device_id", "d")]),
        told("k1", 5, &[("anonymous_id", "a"), ("email", "one@example.com")]),
        told("k2", 3, &[("device_id", "d"), ("email", "two@example.com")]),
        told("k3", 4, &[("anonymous_id", "a"), ("user_id", "three")]),
    ];
    let mut seen = None;
    for rotation in 0..all.len() {
        let tenant = TenantId::new();
        let mut subjects = Vec::new();
        for at in 0..all.len() {
            subjects.push(ground.identify(tenant, all[(at + rotation) % all.len()].clone()).await.subject_id);
        }
        let mut groups = std::collections::BTreeSet::new();
        for subject in &subjects {
            groups.insert(names(&ground.get(tenant, by_id(subject)).await.expect("there")));
        }
        assert!(seen.get_or_insert_with(|| groups.clone()) == &groups, "{rotation}: {groups:?}");
    }
    let groups = seen.expect("told");
    assert!(groups.iter().any(|group| group.contains(&"v1".to_owned()) && group.contains(&"k3".to_owned())));
    assert_eq!(groups.len(), 3, "three are known");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quarantined_value_is_counted_put_up_for_review_and_can_be_released(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    for number in 0..100 {
        ground.record(tenant, &format!("{number:03}"), &[("phone", "+4930123456")]).await;
    }
    assert!(health(&ground, tenant).await.quarantined.is_empty());
    let one_more = ground.record(tenant, "100", &[("phone", "+4930123456")]).await;
    assert_eq!(one_more.ignored_identifiers[0].reason(), IgnoredReason::Quarantined);
    let reasons = ListMatchCandidatesRequest { reason: MatchReason::Quarantine.into(), page_size: 500, ..open() };
    assert_eq!(candidates(&ground, tenant, reasons.clone()).await.len(), 99, "each was one with the first");
    let told = health(&ground, tenant).await;
    assert_eq!((told.quarantined[0].namespace.as_str(), told.quarantined[0].values), ("phone", 1));
    assert_eq!(told.open_candidates[0].candidates, 99);
    assert!(!format!("{told:?}").contains("123456"), "the value is not told");
    assert_eq!((told.new_records, told.joined_records), (101, 0), "all came apart again");
    let handle = told.quarantined_values[0].handle.clone();
    let release = |records_per_value| ReleaseQuarantinedValueRequest {
        request_id: String::new(),
        handle: handle.clone(),
        records_per_value,
    };
    assert_eq!(reason(ground.identity(tenant).release_quarantined_value(release(100)).await), "INVALID_STATE");
    let released =
        ground.identity(tenant).release_quarantined_value(release(102)).await.expect("released").into_inner();
    assert_eq!(released.merged_customer_ids.len(), 100);
    assert!(candidates(&ground, tenant, reasons).await.is_empty());
    assert!(health(&ground, tenant).await.quarantined.is_empty());
    let joined = ground.record(tenant, "101", &[("phone", "+4930123456")]).await;
    assert_eq!(profile(&joined).records.len(), 102);
    let again = ground.record(tenant, "102", &[("phone", "+4930123456")]).await;
    assert_eq!(profile(&again).records.len(), 1, "one more than was allowed");
    assert_eq!(health(&ground, tenant).await.quarantined[0].values, 1);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_automatic_merging_off_nothing_new_links_but_is_put_up(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    ground.record(tenant, "1", &[("email", "a@example.com")]).await;
    let first = ground.record(tenant, "2", &[("email", "a@example.com")]).await;
    switch(&ground, tenant, false).await;
    let third = ground.record(tenant, "3", &[("email", "a@example.com")]).await;
    assert_eq!(third.outcome().as_str_name(), "IDENTIFY_OUTCOME_CONFLICT");
    assert_eq!(names(profile(&third)), ["3"]);
    let told = ground.record(tenant, "2", &[("user_id", "u-2")]).await;
    assert_eq!(names(profile(&told)), ["1", "2"], "what is linked stays linked");
    let held = candidates(&ground, tenant, open()).await;
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].reason(), MatchReason::AutomaticMergingOff);
    assert!(!health(&ground, tenant).await.automatic_merging);
    // A person may still merge, and split again.
    let decision = resolve(&held[0], MatchResolution::Accept);
    ground.identity(tenant).resolve_match_candidate(decision).await.expect("decided");
    assert_eq!(ground.get(tenant, by_id(&third.subject_id)).await.expect("there").records.len(), 3);
    ground.profiles(tenant).split_profile(split(&customer(&first), &["3"])).await.expect("split");
    assert_eq!(ground.get(tenant, by_id(&third.subject_id)).await.expect("there").records.len(), 1);
    switch(&ground, tenant, false).await;
    let waiting = [
        ground.record(tenant, "6", &[("email", "c@example.com")]).await,
        ground.record(tenant, "7", &[("email", "c@example.com")]).await,
    ];
    assert_ne!(customer(&waiting[0]), customer(&waiting[1]));
    switch(&ground, tenant, true).await;
    // What waited is linked as it is next heard of, though it says nothing new; what somebody split stays so.
    let heard = ground.record(tenant, "7", &[]).await;
    assert_eq!((customer(&heard), heard.outcome().as_str_name()), (customer(&waiting[0]), "IDENTIFY_OUTCOME_MERGED"));
    assert!(candidates(&ground, tenant, open()).await.is_empty());
    assert_eq!(ground.record(tenant, "3", &[]).await.merged_customer_ids.len(), 0);
    ground.record(tenant, "4", &[("email", "b@example.com")]).await;
    assert_eq!(ground.record(tenant, "5", &[("email", "b@example.com")]).await.merged_customer_ids.len(), 0);
    assert_eq!(names(&ground.get(tenant, by_identifier("email", "b@example.com")).await.expect("there")), ["4", "5"]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn candidates_are_listed_page_by_page(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    for number in 0..4 {
        let (name, number) = (format!("{number}"), format!("K-{number}"));
        ground.record(tenant, &name, &[("customer_number", &number), ("phone", "+4930123456")]).await;
    }
    let all = candidates(&ground, tenant, open()).await;
    assert_eq!(all.len(), 6);
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListMatchCandidatesRequest { page_size: 4, page_token: page_token.clone(), ..open() };
        let page = ground.identity(tenant).list_match_candidates(request).await.expect("a page").into_inner();
        listed.extend(page.match_candidates);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
        let other =
            ListMatchCandidatesRequest { page_token: page_token.clone(), ..ListMatchCandidatesRequest::default() };
        assert_eq!(reason(ground.identity(tenant).list_match_candidates(other).await), "INVALID_PAGE_TOKEN");
    }
    assert!(listed == all);
}

/// Changes a namespace, and waits until all that was said before is gone through.
pub async fn update(ground: &Ground, tenant: TenantId, namespace: Namespace) -> Namespace {
    let request = UpdateNamespaceRequest { request_id: String::new(), namespace: Some(namespace) };
    let answer = ground.identity(tenant).update_namespace(request).await.expect("changed").into_inner();
    if let Some(operation) = &answer.operation {
        finished(ground, tenant, &operation.name).await;
    }
    answer.namespace.expect("as it is now")
}

/// Waits for an operation; answers its response.
pub async fn finished(ground: &Ground, tenant: TenantId, name: &str) -> prost_types::Any {
    let mut operations = OperationsClient::new(ground.channel(tenant));
    for _ in 0..300 {
        let timeout = Some(prost_types::Duration { seconds: 2, nanos: 0 });
        let request = WaitOperationRequest { name: name.to_owned(), timeout };
        let operation = operations.wait_operation(request).await.expect("it is known").into_inner();
        match operation.result {
            Some(operation::Result::Response(response)) => return response,
            Some(operation::Result::Error(error)) => panic!("it failed: {}", error.message),
            None => {}
        }
    }
    panic!("it takes too long");
}

async fn namespace(ground: &Ground, tenant: TenantId, name: &str) -> Namespace {
    let all = ground.identity(tenant).list_namespaces(ListNamespacesRequest {}).await.expect("told").into_inner();
    all.namespaces.into_iter().find(|namespace| namespace.name == name).expect("it is there")
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_namespace_counts_for_what_was_said_before_and_can_be_changed_back(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let first = ground.record(tenant, "1", &[("user_id", "Anna")]).await;
    let second = ground.record(tenant, "2", &[("user_id", "anna")]).await;
    assert_ne!(customer(&first), customer(&second));
    let before = namespace(&ground, tenant, "user_id").await;
    let lower = Namespace { normaliser: Normaliser::Lower.into(), ..before.clone() };
    let after = update(&ground, tenant, lower).await;
    assert_ne!(after.etag, before.etag);
    let held = ground.get(tenant, by_identifier("user_id", "ANNA")).await.expect("there");
    assert_eq!(names(&held), ["1", "2"]);
    assert_eq!(held.identifiers.len(), 1);
    let stale = UpdateNamespaceRequest { request_id: String::new(), namespace: Some(before.clone()) };
    assert_eq!(reason(ground.identity(tenant).update_namespace(stale).await), "STALE_ETAG");
    update(&ground, tenant, Namespace { etag: after.etag, ..before }).await;
    for (name, value) in [("1", "Anna"), ("2", "anna")] {
        assert_eq!(names(&ground.get(tenant, by_identifier("user_id", value)).await.expect("there")), [name]);
    }
    assert_eq!(ground.record(TenantId::new(), "1", &[("user_id", "Anna")]).await.ignored_identifiers.len(), 0);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_blocks_values_weakens_namespaces_and_adds_its_own(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    for name in ["1", "2", "3"] {
        ground.record(tenant, name, &[("email", "info@shop.example"), ("loyalty_card", "L-1")]).await;
    }
    let email = namespace(&ground, tenant, "email").await;
    let blocked = Namespace { blocked_values: vec![" INFO@shop.example".to_owned()], ..email };
    assert_eq!(update(&ground, tenant, blocked).await.blocked_values, ["info@shop.example"]);
    let by_mail = || ground.get(tenant, by_identifier("email", "info@shop.example"));
    assert_eq!(reason(by_mail().await), "RESOURCE_NOT_FOUND");
    let held = ground.get(tenant, by_identifier("loyalty_card", "L-1")).await.expect("there");
    assert_eq!((names(&held).len(), held.identifiers.len()), (3, 1), "the card still links them");
    let card = namespace(&ground, tenant, "loyalty_card").await;
    update(&ground, tenant, Namespace { strong: false, ..card }).await;
    assert_eq!(ground.get(tenant, by_id(&held.customer_id)).await.expect("there").records.len(), 1);
    let email = namespace(&ground, tenant, "email").await;
    update(&ground, tenant, Namespace { blocked_values: Vec::new(), ..email }).await;
    assert_eq!(by_mail().await.expect("there").records.len(), 3, "a record keeps what it said");
    let own = Namespace {
        name: "vat_id".to_owned(),
        normaliser: Normaliser::Digits.into(),
        strong: true,
        rank: 5,
        records_per_value: 10,
        unique: true,
        ..Namespace::default()
    };
    update(&ground, tenant, own.clone()).await;
    let first = ground.record(tenant, "9", &[("vat_id", "DE 811.907-980"), ("customer_number", "K-1")]).await;
    assert_eq!(profile(&first).identifiers[0].value, "811907980");
    let refused = says("10", &[("vat_id", "811907980"), ("customer_number", "K-2")]);
    assert_eq!(reason(ground.profiles(tenant).identify(refused).await), "IDENTITY_CONFLICT", "it is unique");
    let wrong = Namespace { strong: false, name: "Vat".to_owned(), records_per_value: 0, ..own };
    let wrong = UpdateNamespaceRequest { request_id: String::new(), namespace: Some(wrong) };
    let broken = violations(ground.identity(tenant).update_namespace(wrong).await);
    let fields: Vec<&str> = broken.iter().map(|(field, _)| field.as_str()).collect();
    for field in ["namespace.name", "namespace.records_per_value", "namespace.unique"] {
        assert!(fields.contains(&field), "{field} of {fields:?}");
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lower_limit_quarantines_what_was_linked(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut subjects = Vec::new();
    for name in ["1", "2", "3"] {
        subjects.push(ground.record(tenant, name, &[("phone", "+4930123456")]).await.subject_id);
    }
    let phone = namespace(&ground, tenant, "phone").await;
    let phone = update(&ground, tenant, Namespace { records_per_value: 2, ..phone }).await;
    for subject in &subjects {
        assert_eq!(ground.get(tenant, by_id(subject)).await.expect("there").records.len(), 1);
    }
    assert_eq!(health(&ground, tenant).await.quarantined[0].values, 1);
    assert_eq!(candidates(&ground, tenant, open()).await.len(), 2, "what came apart is put up for review");
    update(&ground, tenant, Namespace { records_per_value: 3, ..phone }).await;
    assert_eq!(ground.get(tenant, by_id(&subjects[0])).await.expect("there").records.len(), 3);
    assert!(health(&ground, tenant).await.quarantined.is_empty());
}
