//! Merges and splits: what they change, what undoes them, what they refuse.

use rapport_api::profiles::v1::interaction_service_client::InteractionServiceClient;
use rapport_api::profiles::v1::{
    GetLineageRequest, Interaction, LinkCause, MergeProfilesRequest, PreviewMergeRequest, RecordInteractionRequest,
    SplitProfileRequest,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::ground::*;

pub fn merge(target: &str, sources: &[&str]) -> MergeProfilesRequest {
    MergeProfilesRequest {
        target: Some(by_id(target)),
        sources: sources.iter().map(|source| by_id(source)).collect(),
        reason: "the same person".to_owned(),
        ..MergeProfilesRequest::default()
    }
}

pub fn split(customer: &str, records: &[&str]) -> SplitProfileRequest {
    SplitProfileRequest {
        customer: Some(by_id(customer)),
        source_records: records.iter().map(|record| named(record)).collect(),
        reason: "two people".to_owned(),
        ..SplitProfileRequest::default()
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_does_what_its_preview_said_and_a_split_undoes_it(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let old = ground.identify(tenant, states("1", &[("city", "Riga"), ("tier", "gold")], 10)).await;
    let new = ground.identify(tenant, states("2", &[("city", "Oslo")], 20)).await;
    let (old, new) = (profile(&old).clone(), profile(&new).clone());
    let (target, source) = (new.customer_id.as_str(), old.customer_id.as_str());
    let request = PreviewMergeRequest { target: Some(by_id(target)), sources: vec![by_id(source)] };
    let preview = ground.profiles(tenant).preview_merge(request).await.expect("a preview").into_inner();
    assert_eq!(preview.merged_customer_ids, [source]);
    let [conflict] = preview.trait_conflicts.as_slice() else { panic!("one trait differs") };
    assert_eq!((conflict.r#trait.as_str(), conflict.values.len()), ("city", 2));
    assert!(ground.get(tenant, by_id(target)).await.expect("there") == new, "a preview changes nothing");

    let merged = ground.profiles(tenant).merge_profiles(merge(target, &[source])).await.expect("merged").into_inner();
    let one = merged.profile.expect("a profile");
    assert_eq!((one.customer_id.as_str(), merged.merged_customer_ids), (target, vec![source.to_owned()]));
    assert_eq!(trait_text(&one, "city").as_deref(), Some("Oslo"));
    assert_eq!(trait_text(&one, "tier").as_deref(), Some("gold"));
    assert_eq!(one.revision, 2);
    let mut previewed = preview.profile.expect("a profile");
    (previewed.revision, previewed.etag, previewed.update_time) = (one.revision, one.etag.clone(), one.update_time);
    assert!(previewed == one);
    assert!(ground.get(tenant, by_id(source)).await.expect("a merged-away id works") == one);
    let again = ground.profiles(tenant).merge_profiles(merge(target, &[source])).await.expect("again").into_inner();
    assert!(again.profile == Some(one) && again.merged_customer_ids.is_empty(), "it changes nothing");

    let parted = ground.profiles(tenant).split_profile(split(target, &["1"])).await.expect("parted").into_inner();
    let remaining = parted.remaining.expect("one remains");
    let [separated] = parted.separated.as_slice() else { panic!("one leaves") };
    assert_eq!((remaining.customer_id.as_str(), separated.customer_id.as_str()), (target, source));
    assert!(remaining.traits == new.traits && separated.traits == old.traits, "each has its own back");
    assert!(remaining.revision == 3 && separated.revision == 3);
    for id in [target, source] {
        assert_eq!(ground.get(tenant, by_id(id)).await.expect("there").customer_id, id, "each id is itself again");
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_statement_does_not_undo_a_split_and_a_merge_after_it_does(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let first = ground.record(tenant, "1", &[("email", "a@example.com")]).await;
    let second = ground.record(tenant, "2", &[("email", "a@example.com")]).await;
    let home = customer(&first);
    assert_eq!(customer(&second), home);
    ground.profiles(tenant).split_profile(split(&home, &["2"])).await.expect("parted");
    let told = ground.record(tenant, "2", &[("email", "a@example.com"), ("user_id", "u-2")]).await;
    assert_eq!(
        (told.outcome().as_str_name(), customer(&told)),
        ("IDENTIFY_OUTCOME_CONFLICT", second.subject_id.clone())
    );
    // A newcomer goes to one side, and does not bring the two together.
    let third = ground.record(tenant, "3", &[("email", "a@example.com"), ("user_id", "u-2")]).await;
    assert_eq!(third.outcome().as_str_name(), "IDENTIFY_OUTCOME_CONFLICT");
    assert_eq!(customer(&third), second.subject_id, "the stronger identifier decides");
    let request = merge(&second.subject_id, &[&home]);
    let merged = ground.profiles(tenant).merge_profiles(request).await.expect("merged").into_inner();
    assert_eq!(names(&merged.profile.expect("a profile")), ["1", "2", "3"]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_nothing_but_one_that_leaves_held_together_come_apart(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    ground.record(tenant, "1", &[("email", "a@example.com")]).await;
    ground.record(tenant, "2", &[("user_id", "u-2")]).await;
    let bridge = ground.record(tenant, "3", &[("email", "a@example.com"), ("user_id", "u-2")]).await;
    let parted = ground.profiles(tenant).split_profile(split(&customer(&bridge), &["3"])).await.expect("parted");
    let parted = parted.into_inner();
    assert_eq!(names(&parted.remaining.expect("one remains")), ["1"]);
    let mut separated: Vec<_> = parted.separated.iter().map(names).collect();
    separated.sort();
    assert_eq!(separated, [["2"], ["3"]]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_merge_or_split_may_do_is_refused_and_changes_nothing(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let first = ground.record(tenant, "1", &[("customer_number", "1")]).await;
    let second = ground.record(tenant, "2", &[("customer_number", "2")]).await;
    let foreign = ground.record(TenantId::new(), "3", &[]).await;
    let (first, second, foreign) = (customer(&first), customer(&second), customer(&foreign));
    let mut profiles = ground.profiles(tenant);
    let refused = reason(profiles.merge_profiles(merge(&first, &[&second])).await);
    assert_eq!(refused, "IDENTITY_CONFLICT", "together they would carry two customer numbers");
    assert_eq!(reason(profiles.merge_profiles(merge(&first, &[&foreign])).await), "RESOURCE_NOT_FOUND");
    assert_eq!(reason(profiles.merge_profiles(merge(&foreign, &[&first])).await), "RESOURCE_NOT_FOUND");
    assert_eq!(reason(profiles.split_profile(split(&first, &["1"])).await), "IDENTITY_CONFLICT", "none would stay");
    assert_eq!(reason(profiles.split_profile(split(&first, &["2"])).await), "IDENTITY_CONFLICT", "another's record");
    let stale = MergeProfilesRequest { etag: "7".to_owned(), ..merge(&first, &[&second]) };
    assert_eq!(reason(profiles.merge_profiles(stale).await), "STALE_ETAG");
    let stale = SplitProfileRequest { etag: "0".to_owned(), ..split(&first, &["1"]) };
    assert_eq!(reason(profiles.split_profile(stale).await), "STALE_ETAG");
    let nobody = violations(profiles.merge_profiles(MergeProfilesRequest::default()).await);
    let fields: Vec<&str> = nobody.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["target", "sources"]);
    for id in [first, second] {
        assert_eq!(ground.get(tenant, by_id(&id)).await.expect("there").revision, 1);
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lineage_tells_every_link_and_its_cause(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let first = ground.record(tenant, "1", &[("email", "a@example.com")]).await;
    ground.wait(1);
    let second = ground.record(tenant, "2", &[("email", "a@example.com")]).await;
    ground.wait(1);
    let third = ground.record(tenant, "3", &[]).await;
    ground.wait(1);
    let (home, other) = (customer(&first), customer(&third));
    ground.profiles(tenant).merge_profiles(merge(&home, &[&other])).await.expect("merged");
    ground.wait(1);
    ground.profiles(tenant).split_profile(split(&home, &["2"])).await.expect("parted");
    let request = GetLineageRequest { customer: Some(by_id(&other)) };
    let lineage = ground.profiles(tenant).get_lineage(request).await.expect("a lineage").into_inner();
    assert_eq!(
        (lineage.customer_id.as_str(), lineage.merged_customer_ids.as_slice()),
        (home.as_str(), [other.clone()].as_slice())
    );
    let link = |subject: &str, customer: &str, cause: LinkCause, namespace: &str, ended: bool| {
        (subject.to_owned(), customer.to_owned(), cause.as_str_name(), namespace.to_owned(), ended)
    };
    let told: Vec<_> = lineage
        .links
        .iter()
        .map(|it| link(&it.subject_id, &it.customer_id, it.cause(), &it.namespace, it.end_time.is_some()))
        .collect();
    let expected = [
        link(&first.subject_id, &home, LinkCause::Origin, "", false),
        link(&second.subject_id, &home, LinkCause::Identifier, "email", true),
        link(&third.subject_id, &other, LinkCause::Origin, "", true),
        link(&third.subject_id, &home, LinkCause::Merge, "", false),
        link(&second.subject_id, &second.subject_id, LinkCause::Split, "", false),
    ];
    assert_eq!(told, expected);
    let said: Vec<_> = lineage.assertions.iter().map(|it| (it.same, it.reason.as_str())).collect();
    assert_eq!(said, [(true, "the same person"), (false, "two people")]);
    assert_eq!(lineage.records.len(), 2);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_sources_that_a_split_kept_apart_can_be_merged_at_once(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let first = customer(&ground.record(tenant, "1", &[("email", "a@example.com")]).await);
    let second = ground.record(tenant, "2", &[("email", "a@example.com")]).await.subject_id;
    let third = customer(&ground.record(tenant, "3", &[]).await);
    ground.profiles(tenant).split_profile(split(&first, &["2"])).await.expect("parted");
    let merged = ground.profiles(tenant).merge_profiles(merge(&third, &[&first, &second])).await.expect("merged");
    let one = merged.into_inner().profile.expect("a profile");
    assert_eq!(
        (one.customer_id.as_str(), names(&one)),
        (third.as_str(), vec!["1".to_owned(), "2".to_owned(), "3".to_owned()])
    );
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_begun_for_a_long_identifier_has_a_name_that_every_call_takes(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let long = "u".repeat(300);
    let interaction = Interaction {
        customer: Some(by_identifier("user_id", &long)),
        source: "shop".to_owned(),
        external_id: "1".to_owned(),
        r#type: "purchase".to_owned(),
        occurred_at: Some(at(0)),
        ..Interaction::default()
    };
    let request = RecordInteractionRequest { interaction: Some(interaction), ..RecordInteractionRequest::default() };
    let mut interactions = InteractionServiceClient::new(ground.channel(tenant));
    interactions.record_interaction(request).await.expect("recorded");
    let begun = ground.get(tenant, by_identifier("user_id", &long)).await.expect("there");
    let record = begun.records[0].record.clone().expect("a name");
    assert!(record.external_id.starts_with("user_id:sha256:") && record.external_id.len() == 79);
    let target = customer(&ground.record(tenant, "x", &[]).await);
    ground.profiles(tenant).merge_profiles(merge(&target, &[&begun.customer_id])).await.expect("merged");
    let request = SplitProfileRequest {
        customer: Some(by_id(&target)),
        source_records: vec![record],
        ..SplitProfileRequest::default()
    };
    let split = ground.profiles(tenant).split_profile(request).await.expect("split").into_inner();
    assert_eq!(split.separated.len(), 1);
}
