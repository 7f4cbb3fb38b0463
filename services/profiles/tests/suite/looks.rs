//! What holds of matching whatever else happens: the order in which records come, a training meanwhile, an objection to
//! being profiled, a deletion.

use rapport_api::common::v1::Processing;
use rapport_api::profiles::v1::{
    DeleteSourceRecordRequest, IdentifyRequest, ListMatchCandidatesRequest, MatchReason, Profile,
    RestrictProcessingRequest, TrainMatcherRequest,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::erasure::erase;
use crate::ground::*;
use crate::identity::{candidates, finished, open, switch};
use crate::matching::{Row, identify_all, people, quality, read, stated, train};
use crate::merges::{merge, split};

/// The other record of a row's person.
fn twin(row: &Row) -> String {
    format!("{}org", row.0.trim_end_matches("dup-0"))
}

async fn whole(ground: &Ground, tenant: TenantId, subject: &str) -> Profile {
    ground.get(tenant, by_id(subject)).await.expect("there")
}

async fn object(ground: &Ground, tenant: TenantId, subject: &str, withdraw: bool, seconds: i64) {
    let request = RestrictProcessingRequest {
        customer: Some(by_id(subject)),
        source: "crm".to_owned(),
        processing: vec![Processing::Profiling.into()],
        withdraw,
        observed_at: Some(at(seconds)),
        ..RestrictProcessingRequest::default()
    };
    ground.profiles(tenant).restrict_processing(request).await.expect("heard");
}

/// How many pairs that look alike are up for review with a record.
async fn asked(ground: &Ground, tenant: TenantId, subject: &str) -> usize {
    let mine = ListMatchCandidatesRequest { customer: Some(by_id(subject)), ..open() };
    candidates(ground, tenant, mine).await.iter().filter(|it| it.reason() == MatchReason::Probability).count()
}

/// Whether two records are up for review as a pair that looks alike.
async fn up(ground: &Ground, tenant: TenantId, one: &str, other: &str) -> bool {
    let mine = ListMatchCandidatesRequest { customer: Some(by_id(one)), ..open() };
    let held = candidates(ground, tenant, mine).await;
    held.iter().any(|it| it.reason() == MatchReason::Probability && it.customer_ids.iter().any(|id| id == other))
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_heard_while_the_matcher_is_trained_is_matched_all_the_same(#[case] engine: Engine) {
    let (ground, tenant, later, mut subjects) = people(engine).await;
    let rows = read("dataset1.csv");
    let known: Vec<&Row> = rows.iter().filter(|row| subjects.contains_key(&row.0)).collect();
    let request = TrainMatcherRequest::default();
    let operation = ground.identity(tenant).train_matcher(request).await.expect("begun").into_inner();
    let hear = async {
        for (at, some) in later.chunks(4).cycle().take(40).enumerate() {
            // New ones, and known ones who have other traits in every round, so that they have other keys.
            let again = known.iter().cycle().skip(at * 12).take(12).map(|row| {
                let mut said = stated(row);
                let (number, seconds) = (format!("{at}"), i64::try_from(at).expect("few") + 2);
                said.traits.insert("street_number".to_owned(), text(&number));
                said.observed_at = Some(crate::ground::at(seconds));
                said
            });
            let told: Vec<IdentifyRequest> = some.iter().map(stated).chain(again).collect();
            let heard = told.into_iter().map(|said| ground.identify(tenant, said));
            futures::future::join_all(heard).await;
        }
    };
    futures::join!(hear, finished(&ground, tenant, &operation.name));
    subjects.extend(identify_all(&ground, tenant, &later).await);
    let met = quality(&ground, tenant, &subjects).await;
    // What a training finds that nobody disturbs.
    train(&ground, tenant, 0.0, 0.0).await;
    let undisturbed = quality(&ground, tenant, &subjects).await;
    assert!(met >= undisturbed - 0.01 && met >= 0.95, "{met} {undisturbed}");
}

/// A record of a John Smith who differs from all others of the name.
fn john(number: usize) -> IdentifyRequest {
    let date = format!("{}{:02}{:02}", 1900 + number % 90, 1 + number * 7 % 12, 1 + number * 11 % 28);
    let (street, suburb) = (format!("q{number}w{} lane", number * 31 % 97), format!("v{}x{number}", number * 17 % 89));
    let (house, code) = (number.to_string(), format!("{:04}", 1_000 + number * 37 % 8_999));
    let state = ["nsw", "vic", "qld", "wa", "tas"][number % 5];
    let traits = [
        ("given_name", "johnathan"),
        ("surname", "smithson"),
        ("date_of_birth", date.as_str()),
        ("street_number", house.as_str()),
        ("address_1", street.as_str()),
        ("suburb", suburb.as_str()),
        ("postcode", code.as_str()),
        ("state", state),
    ];
    states(&format!("john-{number}"), &traits, 1)
}

/// Two who share nothing but blocks of their names, and differ by a digit of the date of birth.
fn alike(name: &str, born: &str) -> IdentifyRequest {
    let traits = [("given_name", "johnathan"), ("surname", "smithson"), ("date_of_birth", born), ("state", "act")];
    states(name, &traits, 1)
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_looks_like_whom_is_the_same_in_whatever_order_they_come(#[case] engine: Engine) {
    let (ground, tenant, ..) = people(engine).await;
    train(&ground, tenant, 1.0, 0.5).await;
    let tell = async |from: usize, to: usize| {
        let mut told = Vec::new();
        for some in (from..to).collect::<Vec<_>>().chunks(33) {
            told.extend(futures::future::join_all(some.iter().map(|at| ground.identify(tenant, john(*at)))).await);
        }
        told
    };
    let first = ground.identify(tenant, alike("first", "19500307")).await.subject_id;
    let second = ground.identify(tenant, alike("second", "19500317")).await.subject_id;
    assert!(up(&ground, tenant, &first, &second).await, "they look alike");
    // Two hundred of one name are few enough to be compared, one more is not: whoever came first.
    tell(0, 198).await;
    assert!(up(&ground, tenant, &first, &second).await);
    let last = tell(198, 199).await;
    assert!(!up(&ground, tenant, &first, &second).await);
    // One is erased, one takes another name, one is deleted: each time there are few enough, and then one more again.
    erase(&ground, tenant, &[&last[0].subject_id]).await;
    assert!(up(&ground, tenant, &first, &second).await);
    tell(199, 200).await;
    assert!(!up(&ground, tenant, &first, &second).await);
    let other = [("given_name", "zebedee"), ("surname", "quartermain")];
    ground.identify(tenant, states("john-199", &other, 5)).await;
    assert!(up(&ground, tenant, &first, &second).await);
    tell(200, 201).await;
    assert!(!up(&ground, tenant, &first, &second).await);
    let gone = DeleteSourceRecordRequest {
        source: "crm".to_owned(),
        external_id: "john-200".to_owned(),
        observed_at: Some(at(9)),
        ..DeleteSourceRecordRequest::default()
    };
    ground.profiles(tenant).delete_source_record(gone).await.expect("deleted");
    assert!(up(&ground, tenant, &first, &second).await);
    // A training that weighs all anew finds what was found one by one.
    tell(201, 202).await;
    train(&ground, tenant, 1.0, 0.5).await;
    assert!(!up(&ground, tenant, &first, &second).await);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_objection_keeps_every_record_of_the_customer_out_of_matching(#[case] engine: Engine) {
    let (ground, tenant, later, subjects) = people(engine).await;
    let number = [("customer_number", "K-77")];
    // By a number: the objection is said on another record than that which the newcomer looks like.
    let own = &subjects[&twin(&later[0])];
    ground.record(tenant, &twin(&later[0]), &number).await;
    let home = ground.record(tenant, "number only", &number).await;
    assert_eq!(whole(&ground, tenant, own).await.records.len(), 2);
    object(&ground, tenant, &home.subject_id, false, 3).await;
    let heard = ground.identify(tenant, stated(&later[0])).await;
    assert_eq!(profile(&heard).records.len(), 1);
    assert_eq!(asked(&ground, tenant, &heard.subject_id).await, 0);
    // By looks, before: they stay together, also when the matcher is trained anew, and meet nobody else.
    let pair = ground.identify(tenant, stated(&later[1])).await;
    assert_eq!(profile(&pair).records.len(), 2);
    object(&ground, tenant, &subjects[&twin(&later[1])], false, 3).await;
    train(&ground, tenant, 0.0, 0.0).await;
    assert_eq!(whole(&ground, tenant, &pair.subject_id).await.records.len(), 2);
    let mut third = stated(&later[1]);
    third.external_id = "a third one".to_owned();
    let third = ground.identify(tenant, third).await;
    assert_eq!(profile(&third).records.len(), 1);
    assert_eq!(asked(&ground, tenant, &third.subject_id).await, 0);
    // Whoever comes to be one with somebody who objected is compared no more either.
    let newcomer = ground.record(tenant, "objects", &[("customer_number", "K-78")]).await;
    object(&ground, tenant, &newcomer.subject_id, false, 3).await;
    let mine = &subjects[&twin(&later[2])];
    ground.profiles(tenant).merge_profiles(merge(&newcomer.subject_id, &[mine])).await.expect("merged");
    let heard = ground.identify(tenant, stated(&later[2])).await;
    assert_eq!(profile(&heard).records.len(), 1);
    // A record that brings the customer's number and somebody else's looks brings nobody else along.
    let mut both = stated(&later[3]);
    both.identifiers = says("", &[("customer_number", "K-78")]).identifiers;
    let both = ground.identify(tenant, both).await;
    assert_eq!(profile(&both).records.len(), 3, "its own, the one that objects and the one merged with it");
    assert_eq!(asked(&ground, tenant, &both.subject_id).await, 0);
    assert_eq!(whole(&ground, tenant, &subjects[&twin(&later[3])]).await.records.len(), 1);
    // Withdrawn, they are found at once.
    object(&ground, tenant, &home.subject_id, true, 4).await;
    assert_eq!(whole(&ground, tenant, own).await.records.len(), 3);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_its_source_deleted_is_met_no_more(#[case] engine: Engine) {
    let (ground, tenant, later, _) = people(engine).await;
    let request = DeleteSourceRecordRequest {
        source: "crm".to_owned(),
        external_id: twin(&later[0]),
        observed_at: Some(at(5)),
        ..DeleteSourceRecordRequest::default()
    };
    ground.profiles(tenant).delete_source_record(request).await.expect("deleted");
    let heard = ground.identify(tenant, stated(&later[0])).await;
    assert_eq!(profile(&heard).records.len(), 1);
    assert_eq!(asked(&ground, tenant, &heard.subject_id).await, 0);
    // Told again, it is there again.
    let rows = read("dataset1.csv");
    let row = rows.iter().find(|row| row.0 == twin(&later[0])).expect("its row");
    let mut again = stated(row);
    again.observed_at = Some(at(7));
    assert_eq!(profile(&ground.identify(tenant, again).await).records.len(), 2);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_a_split_sets_free_meets_its_look_alikes_at_once(#[case] engine: Engine) {
    let (ground, tenant, later, subjects) = people(engine).await;
    // Of one who objects to being profiled: neither is compared with anybody until they are told apart.
    let objects = ground.record(tenant, "objects", &[("customer_number", "K-1")]).await;
    object(&ground, tenant, &objects.subject_id, false, 3).await;
    let mine = &subjects[&twin(&later[0])];
    ground.profiles(tenant).merge_profiles(merge(&objects.subject_id, &[mine])).await.expect("merged");
    let heard = ground.identify(tenant, stated(&later[0])).await;
    assert_eq!(profile(&heard).records.len(), 1);
    let request = split(&objects.subject_id, &[&twin(&later[0])]);
    let answer = ground.profiles(tenant).split_profile(request).await.expect("split").into_inner();
    let both = vec![later[0].0.clone(), twin(&later[0])];
    assert_eq!(answer.separated.iter().map(names).collect::<Vec<_>>(), std::slice::from_ref(&both));
    assert_eq!(names(&whole(&ground, tenant, &heard.subject_id).await), both, "they look alike");
    assert_eq!(names(&whole(&ground, tenant, &objects.subject_id).await), ["objects"]);
    // From here on hardly anything is certain enough: it is put up for somebody to decide.
    train(&ground, tenant, 1.0, 0.5).await;
    let mut alike_ones = Vec::new();
    for (name, born) in [("first", "19500307"), ("second", "19500317"), ("third", "19500327")] {
        alike_ones.push(ground.identify(tenant, alike(name, born)).await.subject_id);
    }
    let [first, second, third] = &alike_ones[..] else { panic!("there are three") };
    ground.profiles(tenant).merge_profiles(merge(first, &[second])).await.expect("merged");
    assert!(up(&ground, tenant, first, third).await, "each pair of records is asked about by itself");
    assert_eq!(asked(&ground, tenant, third).await, 2);
    ground.profiles(tenant).split_profile(split(first, &["second"])).await.expect("split");
    assert!(up(&ground, tenant, first, third).await && up(&ground, tenant, second, third).await);
    assert!(!up(&ground, tenant, first, second).await, "somebody has decided on these two");
    assert_eq!(asked(&ground, tenant, third).await, 2);
    // The same of what a change of an objection leaves: nothing is asked about who is compared with nobody.
    ground.profiles(tenant).merge_profiles(merge(&objects.subject_id, &[second])).await.expect("merged");
    assert!(!up(&ground, tenant, &objects.subject_id, third).await, "it is compared with nobody");
    ground.profiles(tenant).split_profile(split(&objects.subject_id, &["second"])).await.expect("split");
    assert!(up(&ground, tenant, second, third).await && !up(&ground, tenant, first, second).await);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_split_asks_of_both_sides_what_no_one_may_join_unasked(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    switch(&ground, tenant, false).await;
    let email = [("email", "a@example.com")];
    let mut three = Vec::new();
    for name in ["1", "2", "3"] {
        three.push(ground.record(tenant, name, &email).await.subject_id);
    }
    ground.profiles(tenant).merge_profiles(merge(&three[0], &[&three[1]])).await.expect("merged");
    assert_eq!(candidates(&ground, tenant, open()).await.len(), 2);
    ground.profiles(tenant).split_profile(split(&three[0], &["2"])).await.expect("split");
    let mut pairs: Vec<Vec<String>> =
        candidates(&ground, tenant, open()).await.into_iter().map(|it| it.customer_ids).collect();
    pairs.iter_mut().for_each(|pair| pair.sort());
    pairs.sort();
    let mut expected = vec![vec![three[0].clone(), three[2].clone()], vec![three[1].clone(), three[2].clone()]];
    expected.iter_mut().for_each(|pair| pair.sort());
    expected.sort();
    assert_eq!(pairs, expected);
}
