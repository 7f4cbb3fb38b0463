//! Matching, on records that nobody here made (`tests/real/febrl`), through the calls: without labels and without the
//! number of the social security.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use prost::Message as _;
use rapport_api::common::v1::Processing;
use rapport_api::google::longrunning::operation;
use rapport_api::profiles::v1::match_side::Side;
use rapport_api::profiles::v1::{
    ExplainMatchRequest, ExplainMatchResponse, GetMatcherRequest, IdentifyRequest, ListMatchCandidatesRequest,
    MatchField, MatchKind, MatchReason, MatchSide, RestrictProcessingRequest, TrainMatcherRequest, TrainMatcherResult,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::erasure::erase;
use crate::ground::*;
use crate::identity::{candidates, finished, open, switch};
use crate::merges::{merge, split};

/// A row: the record's id, and what it states.
pub type Row = (String, Vec<(String, String)>);

/// The rows of a file. An id tells who it is: `rec-7-org` and `rec-7-dup-0` are one person.
pub fn read(file: &str) -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/real/febrl").join(file);
    let text = std::fs::read_to_string(path).expect("the file is there");
    let mut lines = text.lines().map(|line| line.split(',').map(|value| value.trim().to_owned()).collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    let row = |values: Vec<String>| {
        let stated =
            header.iter().zip(&values).skip(1).filter(|(name, value)| *name != "soc_sec_id" && !value.is_empty());
        (values[0].clone(), stated.map(|(name, value)| (name.clone(), value.clone())).collect())
    };
    lines.map(row).collect()
}

fn person(id: &str) -> u32 {
    id.split('-').nth(1).and_then(|number| number.parse().ok()).expect("rec-NUMBER-...")
}

pub fn stated((id, traits): &Row) -> IdentifyRequest {
    let traits: Vec<(&str, &str)> = traits.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    states(id, &traits, 1)
}

/// Identifies rows, some at a time; answers the subject of each.
pub async fn identify_all(ground: &Ground, tenant: TenantId, rows: &[Row]) -> BTreeMap<String, String> {
    let mut subjects = BTreeMap::new();
    for some in rows.chunks(32) {
        let heard =
            some.iter().map(|row| async { (row.0.clone(), ground.identify(tenant, stated(row)).await.subject_id) });
        subjects.extend(futures::future::join_all(heard).await);
    }
    subjects
}

pub async fn train(
    ground: &Ground,
    tenant: TenantId,
    link_threshold: f64,
    review_threshold: f64,
) -> TrainMatcherResult {
    let request = TrainMatcherRequest { link_threshold, review_threshold, ..TrainMatcherRequest::default() };
    let operation = ground.identity(tenant).train_matcher(request).await.expect("begun").into_inner();
    let response = finished(ground, tenant, &operation.name).await;
    TrainMatcherResult::decode(response.value.as_slice()).expect("a result")
}

/// How well the customers are the people: F1 over pairs of records.
pub async fn quality(ground: &Ground, tenant: TenantId, subjects: &BTreeMap<String, String>) -> f64 {
    let mut customers = BTreeMap::<String, Vec<u32>>::new();
    for (id, subject) in subjects {
        let customer = ground.get(tenant, by_id(subject)).await.expect("there").customer_id;
        customers.entry(customer).or_default().push(person(id));
    }
    let pairs = |count: usize| (count * count.saturating_sub(1) / 2) as f64;
    let by_person = |people: &[u32]| {
        let mut counts = BTreeMap::<u32, usize>::new();
        people.iter().for_each(|person| *counts.entry(*person).or_default() += 1);
        counts.into_values().map(pairs).sum::<f64>()
    };
    let found: f64 = customers.values().map(|people| pairs(people.len())).sum();
    let right: f64 = customers.values().map(|people| by_person(people)).sum();
    let all = by_person(&subjects.keys().map(|id| person(id)).collect::<Vec<_>>());
    println!("precision {:.4} recall {:.4}", right / found, right / all);
    2.0 * right / (found + all)
}

async fn explain(ground: &Ground, tenant: TenantId, one: &str, other: &str) -> ExplainMatchResponse {
    let side = |name: &str| Some(MatchSide { side: Some(Side::SourceRecord(named(name))) });
    let request = ExplainMatchRequest { left: side(one), right: side(other) };
    ground.identity(tenant).explain_match(request).await.expect("explained").into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_records_become_two_thousand_people() {
    let (ground, tenant) = (Ground::new(Engine::Sqlite).await, TenantId::new());
    let rows = read("dataset3.csv");
    let subjects = identify_all(&ground, tenant, &rows).await;
    let result = train(&ground, tenant, 0.0, 0.0).await;
    let matcher = result.matcher.expect("it is told");
    assert_eq!((matcher.version, matcher.records, matcher.sampled_records), (1, 5_000, 5_000));
    assert_eq!((matcher.link_threshold, matcher.review_threshold), (0.99, 0.5));
    let certain = quality(&ground, tenant, &subjects).await;
    assert!(certain >= 0.95, "{certain}");
    assert_eq!(train(&ground, tenant, 0.5, 0.5).await.matcher.expect("told").version, 2);
    let likely = quality(&ground, tenant, &subjects).await;
    assert!(likely >= 0.976, "{likely}");
}

/// Some people of FEBRL's first set, trained; the file has two records of each.
pub async fn people(engine: Engine) -> (Ground, TenantId, Vec<Row>, BTreeMap<String, String>) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut rows = read("dataset1.csv");
    rows.retain(|(id, _)| person(id).is_multiple_of(2));
    // One record of each of the last of them is told later.
    let (later, rows): (Vec<Row>, Vec<Row>) =
        rows.into_iter().partition(|(id, _)| person(id) >= 450 && id.ends_with("dup-0"));
    let subjects = identify_all(&ground, tenant, &rows).await;
    train(&ground, tenant, 0.0, 0.0).await;
    (ground, tenant, later, subjects)
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_look_alike_are_one_customer_s_and_new_ones_meet_them(#[case] engine: Engine) {
    let (ground, tenant, later, mut subjects) = people(engine).await;
    assert!(quality(&ground, tenant, &subjects).await >= 0.97);
    let mut met = 0;
    for row in &later {
        let heard = ground.identify(tenant, stated(row)).await;
        met += usize::from(profile(&heard).records.len() == 2);
        subjects.insert(row.0.clone(), heard.subject_id);
    }
    assert!(met * 10 >= later.len() * 9, "{met} of {}", later.len());
    let together = quality(&ground, tenant, &subjects).await;
    assert!(together >= 0.97, "{together}");
    // In another order, by the same model: nobody is linked otherwise. A training weighs all anew.
    let matcher = ground.identity(tenant).get_matcher(GetMatcherRequest {}).await.expect("trained").into_inner();
    let names: Vec<&str> = matcher.fields.iter().map(|field| field.name.as_str()).collect();
    assert!(names.contains(&"given_name") && names.contains(&"date_of_birth") && matcher.converged);
    assert!(matcher.fields.iter().all(|field| field.levels.iter().all(|level| level.m > 0.0 && level.u > 0.0)));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_match_is_explained_field_by_field_and_adds_up(#[case] engine: Engine) {
    let (ground, tenant, ..) = people(engine).await;
    let same = explain(&ground, tenant, "rec-2-org", "rec-2-dup-0").await;
    let parts: f64 = same.contributions.iter().map(|it| it.bits + it.rarity_bits).sum();
    let whole = same.prior_weight + parts + same.neighbourhood_bits + same.household_bits;
    assert!((whole - same.weight).abs() < 1e-6 && (same.probability - 1.0 / (1.0 + (-whole).exp2())).abs() < 1e-9);
    assert!(same.probability > 0.99 && same.prior_weight < 0.0, "{}", same.probability);
    let other = explain(&ground, tenant, "rec-2-org", "rec-4-org").await;
    assert!(other.probability < 0.01);
    let back = explain(&ground, tenant, "rec-2-dup-0", "rec-2-org").await;
    assert!((back.weight - same.weight).abs() < 1e-9, "alike from both sides");
    let text = format!("{same:?}");
    for (_, value) in
        read("dataset1.csv").iter().find(|(id, _)| id == "rec-2-org").map(|row| row.1.clone()).unwrap_or_default()
    {
        assert!(value.len() < 4 || !text.contains(&value), "values are not told");
    }
    let customers = ExplainMatchRequest {
        left: Some(MatchSide { side: Some(Side::SourceRecord(named("rec-2-org"))) }),
        right: Some(MatchSide { side: Some(Side::SourceRecord(named("rec-2-org"))) }),
    };
    assert_eq!(violations(ground.identity(tenant).explain_match(customers).await)[0].0, "right");
    let none = ExplainMatchRequest {
        left: Some(MatchSide { side: Some(Side::SourceRecord(named("rec-2-org"))) }),
        right: Some(MatchSide { side: Some(Side::SourceRecord(named("nobody"))) }),
    };
    assert_eq!(reason(ground.identity(tenant).explain_match(none).await), "RESOURCE_NOT_FOUND");
    assert_eq!(reason(ground.identity(TenantId::new()).get_matcher(GetMatcherRequest {}).await), "RESOURCE_NOT_FOUND");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_match_obeys_limits_decisions_changes_and_erasure(#[case] engine: Engine) {
    let (ground, tenant, later, _) = people(engine).await;
    let twin = |row: &Row| format!("{}org", row.0.trim_end_matches("dup-0"));
    let at_most = |name: &str| ground.get(tenant, by_id(name));
    // A limit: both carry a number of their own.
    let first = &later[0];
    let theirs = ground.record(tenant, &twin(first), &[("customer_number", "K-1")]).await;
    let mut told = stated(first);
    told.identifiers = says("", &[("customer_number", "K-2")]).identifiers;
    let heard = ground.identify(tenant, told).await;
    assert_ne!(customer(&heard), customer(&theirs));
    let mine = ListMatchCandidatesRequest { customer: Some(by_id(&customer(&heard))), ..open() };
    let held = candidates(&ground, tenant, mine.clone()).await;
    assert_eq!(held[0].reason(), MatchReason::Limit);
    assert!(held[0].probability.is_some_and(|probability| probability >= 0.99) && held[0].model_version == 1);
    // A split outranks looks, and a merge outranks that.
    let second = &later[1];
    let heard = ground.identify(tenant, stated(second)).await;
    assert_eq!(profile(&heard).records.len(), 2, "they look alike");
    ground.profiles(tenant).split_profile(split(&customer(&heard), &[&second.0])).await.expect("split");
    let mut again = stated(second);
    again.traits.insert("state".to_owned(), text("act"));
    again.observed_at = Some(at(9));
    assert_eq!(profile(&ground.identify(tenant, again).await).records.len(), 1);
    // Nothing links while automatic merging is off.
    switch(&ground, tenant, false).await;
    let third = &later[2];
    let heard = ground.identify(tenant, stated(third)).await;
    assert_eq!(profile(&heard).records.len(), 1);
    let mine = ListMatchCandidatesRequest { customer: Some(by_id(&customer(&heard))), ..open() };
    assert_eq!(candidates(&ground, tenant, mine).await[0].reason(), MatchReason::AutomaticMergingOff);
    switch(&ground, tenant, true).await;
    // Whoever turns out to be somebody else leaves; whoever is erased is met no more.
    let fourth = &later[3];
    let heard = ground.identify(tenant, stated(fourth)).await;
    assert_eq!(profile(&heard).records.len(), 2);
    let other: Vec<(&str, &str)> = vec![
        ("given_name", "zebedee"),
        ("surname", "quartermain"),
        ("date_of_birth", "20010101"),
        ("address_1", "nowhere"),
        ("address_2", "else"),
        ("suburb", "elsewhere"),
        ("postcode", "9999"),
        ("street_number", "4711"),
        ("state", "tas"),
    ];
    let changed = ground.identify(tenant, states(&fourth.0, &other, 50)).await;
    assert_eq!(names(profile(&changed)), std::slice::from_ref(&fourth.0), "it no longer looks alike");
    let fifth = &later[4];
    let org = ground.get(tenant, by_id(&ground.identify(tenant, says(&twin(fifth), &[])).await.subject_id)).await;
    let org = org.expect("there");
    let deleted = erase(&ground, tenant, &[&org.customer_id]).await.deleted_rows;
    assert!(deleted > 10, "its keys are deleted as well: {deleted}");
    assert_eq!(reason(at_most(&org.customer_id).await), "RESOURCE_NOT_FOUND");
    assert_eq!(profile(&ground.identify(tenant, stated(fifth)).await).records.len(), 1);
    let sixth = &later[5];
    let apart = ground.record(tenant, "apart", &[]).await;
    let heard = ground.identify(tenant, stated(sixth)).await;
    ground.profiles(tenant).merge_profiles(merge(&customer(&heard), &[&customer(&apart)])).await.expect("merged");
    assert_eq!(ground.get(tenant, by_id(&apart.subject_id)).await.expect("there").records.len(), 3);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_best_are_put_up_for_review_once_for_each_pair(#[case] engine: Engine) {
    let (ground, tenant, _, subjects) = people(engine).await;
    // From the start on hardly anything is certain enough.
    let result = train(&ground, tenant, 1.0, 0.2).await;
    assert_eq!(result.matcher.expect("told").version, 2);
    let request = ListMatchCandidatesRequest { page_size: 1_000, min_probability: 0.2, ..open() };
    let held = candidates(&ground, tenant, request.clone()).await;
    assert!(held.len() > 100, "{}", held.len());
    assert!(held.iter().all(|it| it.reason() == MatchReason::Probability && it.model_version == 2));
    let mut pairs = BTreeSet::new();
    for it in &held {
        let mut pair = it.customer_ids.clone();
        pair.sort();
        assert!(pair.len() == 2 && pairs.insert(pair), "each pair is asked for once");
    }
    let mut probabilities: Vec<f64> = held.iter().filter_map(|it| it.probability).collect();
    probabilities.sort_by(f64::total_cmp);
    let least = probabilities[held.len() / 2];
    let expected = probabilities.iter().filter(|it| **it >= least).count();
    let likelier = ListMatchCandidatesRequest { min_probability: least, ..request };
    assert_eq!(candidates(&ground, tenant, likelier).await.len(), expected);
    // Linked after all, they are asked for no more.
    train(&ground, tenant, 0.2, 0.2).await;
    assert!(quality(&ground, tenant, &subjects).await > 0.95);
    let left = candidates(&ground, tenant, open()).await;
    assert!(left.iter().all(|it| it.reason() != MatchReason::Probability), "{}", left.len());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_trained_is_refused(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let field = |name: &str| MatchField { name: name.to_owned(), kind: MatchKind::Surname.into() };
    let wrong = TrainMatcherRequest {
        fields: vec![field("surname"), field("surname"), MatchField::default()],
        link_threshold: 0.4,
        review_threshold: 0.6,
        ..TrainMatcherRequest::default()
    };
    let broken = violations(ground.identity(tenant).train_matcher(wrong).await);
    let fields: Vec<&str> = broken.iter().map(|(field, _)| field.as_str()).collect();
    for field in ["fields[1].name", "fields[2].name", "fields[2].kind", "review_threshold"] {
        assert!(fields.contains(&field), "{field} of {fields:?}");
    }
    assert!(untrainable(&ground, tenant).await.contains("customary name"), "there is nobody");
    ground.identify(tenant, states("0", &[("surname", "Berzins")], 1)).await;
    assert!(untrainable(&ground, tenant).await.contains("fewer than two records"));
    ground.identify(tenant, states("1", &[("surname", "Kalnins"), ("date_of_birth", "19800307")], 1)).await;
    assert!(untrainable(&ground, tenant).await.contains("no two records agree"));
}

/// What a training says that can learn nothing.
async fn untrainable(ground: &Ground, tenant: TenantId) -> String {
    let request = TrainMatcherRequest::default();
    let operation = ground.identity(tenant).train_matcher(request).await.expect("begun").into_inner();
    let Some(operation::Result::Error(error)) = ground.ended(tenant, operation).await.result else {
        panic!("there is nothing to learn from")
    };
    assert_eq!(error.code, tonic::Code::FailedPrecondition as i32);
    error.message
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_are_all_alike_teach_nothing_and_the_training_says_why(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let traits = [("given_name", "anna"), ("surname", "berzina"), ("date_of_birth", "19800307"), ("postcode", "1010")];
    let all = (0..201).map(|number| states(&number.to_string(), &traits, 1)).collect();
    assert!(crate::imports::import(&ground, tenant, all).await.iter().all(|ack| ack.errors.is_empty()));
    let said = untrainable(&ground, tenant).await;
    assert!(said.contains("up to 201 records agree") && said.contains("more than 200"), "{said}");
    // What is learnt from those who differ holds for the rest.
    let rows = read("dataset1.csv");
    identify_all(&ground, tenant, &rows[..300]).await;
    train(&ground, tenant, 0.0, 0.0).await;
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_objects_to_being_profiled_is_compared_with_nobody(#[case] engine: Engine) {
    let (ground, tenant, later, subjects) = people(engine).await;
    let twin = format!("{}org", later[0].0.trim_end_matches("dup-0"));
    let request = RestrictProcessingRequest {
        customer: Some(by_id(&subjects[&twin])),
        source: "crm".to_owned(),
        processing: vec![Processing::Profiling.into()],
        ..RestrictProcessingRequest::default()
    };
    ground.profiles(tenant).restrict_processing(request).await.expect("heard");
    let heard = ground.identify(tenant, stated(&later[0])).await;
    assert_eq!(profile(&heard).records.len(), 1);
    let mine = ListMatchCandidatesRequest { customer: Some(by_id(&customer(&heard))), ..open() };
    assert!(candidates(&ground, tenant, mine).await.is_empty());
}
