//! Searching responses: what is found, where it stands, and that it follows every change.

use std::time::Duration;

use rapport_api::common::v1::{CustomerRef, EraseSubjectsRequest};
use rapport_api::convert::timestamp;
use rapport_api::feedback::v1::{
    CloseSurveyRequest, DeleteResponseRequest, DeleteSurveyRequest, Response, ResponseHit, SearchResponsesRequest,
    SubmitResponseRequest, Survey, TagResponseRequest, UpdateResponseRequest,
};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, RequestId, SubjectId, TenantId};
use rstest::rstest;

use crate::ground::{Ground, Known, answer, fields, reason};

fn search(query: &str) -> SearchResponsesRequest {
    SearchResponsesRequest { query: query.to_owned(), ..SearchResponsesRequest::default() }
}

async fn found(ground: &Ground, tenant: TenantId, request: SearchResponsesRequest) -> Vec<ResponseHit> {
    ground.responses(tenant).search_responses(request).await.expect("a page").into_inner().hits
}

/// What was said in the responses that are found.
async fn comments(ground: &Ground, tenant: TenantId, request: SearchResponsesRequest) -> Vec<String> {
    let hits = found(ground, tenant, request).await;
    hits.into_iter().map(|hit| hit.response.expect("a response").comment).collect()
}

async fn say(ground: &Ground, tenant: TenantId, request: SubmitResponseRequest, comment: &str) -> Response {
    let request = SubmitResponseRequest { comment: comment.to_owned(), ..request };
    ground.responses(tenant).submit_response(request).await.expect("taken").into_inner()
}

fn erase(ground: &Ground, subjects: &[SubjectId]) -> EraseSubjectsRequest {
    let requested_at = Some(timestamp(ground.clock.now()));
    let (erasure_id, subject_ids) = (RequestId::new().to_string(), subjects.iter().map(SubjectId::to_string).collect());
    EraseSubjectsRequest { erasure_id, subject_ids, requested_at }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_is_found_in_four_languages_and_shown_where_it_stands(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    let said = [
        "The couriers were late again, and nobody called.",
        "Ещё одна ужасная доставка: ёлка сломана",
        "کيفيت كتاب‌ها خوب بود",
        "Şedinţa a fost lungă, dar mulţumesc pentru comenzile rapide",
        "Fast courier, thank you!",
    ];
    for (minute, text) in said.into_iter().enumerate() {
        let at = ground.clock.now().minus(Duration::from_secs(60 * minute as u64));
        say(&ground, tenant, SubmitResponseRequest { answered_at: Some(timestamp(at)), ..answer(&survey, 7) }, text)
            .await;
    }
    for (query, expected) in [
        ("courier", vec![said[0], said[4]]),
        ("late courier", vec![said[0]]),
        ("\"courier late\"", vec![]),
        ("\"nobody called\"", vec![said[0]]),
        ("courier -late", vec![said[4]]),
        ("доставку", vec![said[1]]),
        ("елка", vec![said[1]]),
        ("کیفیت کتاب", vec![said[2]]),
        ("ședință", vec![said[3]]),
        ("comanda OR fast", vec![said[4]]),
        ("comenzi OR fast", vec![said[3], said[4]]),
        ("multumesc", vec![said[3]]),
        ("cour* (late | fast)", vec![said[0], said[4]]),
        ("-courier -доставка", vec![said[2], said[3]]),
    ] {
        assert_eq!(comments(&ground, tenant, search(query)).await, expected, "{query}");
    }
    let hits = found(&ground, tenant, search("late \"nobody called\"")).await;
    let snippet = &hits[0].snippets[0];
    let letters: Vec<char> = snippet.text.chars().collect();
    let shown = |start: i32, end: i32| letters[start as usize..end as usize].iter().collect::<String>();
    let words: Vec<_> = snippet.spans.iter().map(|span| shown(span.start, span.end)).collect();
    assert_eq!(words, ["late", "nobody", "called"]);
    assert_eq!(snippet.question_id, hits[0].response.as_ref().expect("a response").answers[1].question_id);
    let other = TenantId::new();
    assert!(found(&ground, other, search("courier")).await.is_empty(), "another tenant's");

    let oldest = SearchResponsesRequest { order_by: "answered_at".to_owned(), page_size: 1, ..search("courier") };
    let page = ground.responses(tenant).search_responses(oldest.clone()).await.expect("a page").into_inner();
    assert_eq!(page.hits[0].response.as_ref().expect("a response").comment, said[4]);
    let next = SearchResponsesRequest { page_token: page.next_page_token.clone(), ..oldest.clone() };
    let last = ground.responses(tenant).search_responses(next).await.expect("a page").into_inner();
    assert_eq!((last.hits.len(), last.next_page_token.as_str()), (1, ""));
    assert_eq!(last.hits[0].response.as_ref().expect("a response").comment, said[0]);
    let foreign = SearchResponsesRequest { page_token: page.next_page_token, query: "late".to_owned(), ..oldest };
    assert_eq!(reason(ground.responses(tenant).search_responses(foreign).await), "INVALID_PAGE_TOKEN");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_is_found_by_what_it_says_now(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey: Survey = ground.open(tenant).await;
    let first =
        say(&ground, tenant, SubmitResponseRequest { partial: true, ..answer(&survey, 3) }, "Slow parcel").await;
    say(&ground, tenant, answer(&survey, 9), "Slow website").await;
    let id = first.response_id.clone();
    let rest = SubmitResponseRequest { response_id: id.clone(), tags: vec!["vip".to_owned()], ..answer(&survey, 3) };
    say(&ground, tenant, rest, "Slow refund").await;
    assert!(comments(&ground, tenant, search("parcel")).await.is_empty());
    assert_eq!(comments(&ground, tenant, search("refund")).await, ["Slow refund"]);
    let tagged = SearchResponsesRequest { tags: vec!["vip".to_owned()], ..search("slow") };
    assert_eq!(comments(&ground, tenant, tagged.clone()).await, ["Slow refund"]);

    let mut responses = ground.responses(tenant);
    let correct = UpdateResponseRequest {
        response_id: id.clone(),
        comment: Some("Quick refund".to_owned()),
        ..UpdateResponseRequest::default()
    };
    responses.update_response(correct).await.expect("corrected");
    let tag = TagResponseRequest {
        response_id: id.clone(),
        add_tags: vec!["new".to_owned()],
        remove_tags: vec!["vip".to_owned()],
        ..TagResponseRequest::default()
    };
    responses.tag_response(tag).await.expect("tagged");
    assert_eq!(comments(&ground, tenant, search("slow")).await, ["Slow website"]);
    assert_eq!(comments(&ground, tenant, search("quick")).await, ["Quick refund"]);
    assert!(comments(&ground, tenant, tagged).await.is_empty());
    let low = SearchResponsesRequest { max_score: Some(6), ..search("refund OR website") };
    assert_eq!(comments(&ground, tenant, low).await, ["Quick refund"]);

    let earlier = timestamp(ground.clock.now().minus(Duration::from_secs(86_400)));
    let move_back = UpdateResponseRequest {
        response_id: id.clone(),
        answered_at: Some(earlier),
        ..UpdateResponseRequest::default()
    };
    responses.update_response(move_back).await.expect("corrected");
    assert_eq!(comments(&ground, tenant, search("refund OR website")).await, ["Slow website", "Quick refund"]);
    let today = timestamp(ground.clock.now().minus(Duration::from_secs(3_600)));
    let since = SearchResponsesRequest { start_time: Some(today), ..search("refund OR website") };
    assert_eq!(comments(&ground, tenant, since).await, ["Slow website"]);
    let before = SearchResponsesRequest { end_time: Some(today), ..search("refund OR website") };
    assert_eq!(comments(&ground, tenant, before).await, ["Quick refund"]);

    let delete = DeleteResponseRequest { response_id: id, ..DeleteResponseRequest::default() };
    responses.delete_response(delete).await.expect("deleted");
    assert!(comments(&ground, tenant, search("quick")).await.is_empty());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customers_words_are_found_under_each_of_its_subjects_until_they_are_erased(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    let (one, first) = ground.profiles.customer(tenant);
    let (two, second) = ground.profiles.customer(tenant);
    let said =
        |customer: &CustomerRef| SubmitResponseRequest { customer: Some(customer.clone()), ..answer(&survey, 5) };
    say(&ground, tenant, said(&one), "xylophonist arrived").await;
    say(&ground, tenant, said(&two), "Another xylophonist").await;
    say(&ground, tenant, answer(&survey, 5), "A stranger's xylophonist").await;
    for (reference, subject) in [(&one, first), (&two, second)] {
        let subjects = vec![first, second];
        ground.profiles.tell(tenant, reference, Known { subject, subjects, ..Known::default() });
    }
    let of = |customer| SearchResponsesRequest { customer: Some(customer), page_size: 1, ..search("xylophonist") };
    let page = ground.responses(tenant).search_responses(of(one.clone())).await.expect("a page").into_inner();
    assert_eq!(page.hits[0].response.as_ref().expect("a response").comment, "Another xylophonist");
    let next = SearchResponsesRequest { page_token: page.next_page_token, ..of(one.clone()) };
    assert_eq!(comments(&ground, tenant, next).await, ["xylophonist arrived"]);

    ground.erasures(tenant).erase_subjects(erase(&ground, &[first, second])).await.expect("erased");
    assert_eq!(comments(&ground, tenant, search("xylophonist")).await, ["A stranger's xylophonist"]);
    assert!(comments(&ground, tenant, search("arrived")).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_erased_is_in_no_file_of_sqlite() {
    let (ground, tenant) = (Ground::new(Engine::Sqlite).await, TenantId::new());
    let survey = ground.open(tenant).await;
    let (customer, subject) = ground.profiles.customer(tenant);
    let said = SubmitResponseRequest { customer: Some(customer), ..answer(&survey, 5) };
    say(&ground, tenant, said, "the qwyjibowski canary sang").await;
    for n in 0..20 {
        say(&ground, tenant, answer(&survey, 5), &format!("other words {n}")).await;
    }
    // The stem of the word, as the index holds it: its first letters may be shared with the word before.
    let is_there = || {
        let files = std::fs::read_dir(ground.folder.path()).expect("a folder").flatten();
        files.filter(|file| file.path().is_file()).any(|file| {
            let bytes = std::fs::read(file.path()).expect("a file");
            bytes.windows(8).any(|part| part == b"yjibowsk")
        })
    };
    assert!(is_there());
    ground.erasures(tenant).erase_subjects(erase(&ground, &[subject])).await.expect("erased");
    for _ in 0..400 {
        if !is_there() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the word is still in a file");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_that_cannot_be_is_refused_with_all_that_is_wrong_with_it(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut responses = ground.responses(tenant);
    for query in ["", " :) ", "a*", &"word ".repeat(60), &format!("{}a", "(".repeat(20)), &"x".repeat(501)] {
        assert_eq!(fields(responses.search_responses(search(query)).await), ["query"], "{query}");
    }
    let wrong = SearchResponsesRequest {
        survey_id: "none".to_owned(),
        page_size: -1,
        order_by: "score".to_owned(),
        ..search("a*")
    };
    let mut named = fields(responses.search_responses(wrong).await);
    named.sort();
    assert_eq!(named, ["order_by", "page_size", "query", "survey_id"]);
    // What the engines' own languages would read is only words here.
    for query in ["' OR 1=1 --", "a:b & !c <-> d", "NEAR(a b)", "x AND NOT y", "\\ ' \" * ^ x", "column:word{2}"] {
        responses.search_responses(search(query)).await.expect("an answer");
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_with_its_survey_is_found_no_longer(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let (survey, other) = (ground.open(tenant).await, ground.open(tenant).await);
    say(&ground, tenant, answer(&survey, 7), "A marvellous thing").await;
    say(&ground, tenant, answer(&other, 7), "A marvellous other thing").await;
    let of = SearchResponsesRequest { survey_id: other.survey_id.clone(), ..search("marvellous") };
    assert_eq!(comments(&ground, tenant, of).await, ["A marvellous other thing"]);
    let close = CloseSurveyRequest { survey_id: survey.survey_id.clone(), ..CloseSurveyRequest::default() };
    ground.surveys(tenant).close_survey(close).await.expect("closed");
    let delete = DeleteSurveyRequest { survey_id: survey.survey_id, ..DeleteSurveyRequest::default() };
    ground.surveys(tenant).delete_survey(delete).await.expect("deleted");
    assert_eq!(comments(&ground, tenant, search("marvellous")).await, ["A marvellous other thing"]);
}
