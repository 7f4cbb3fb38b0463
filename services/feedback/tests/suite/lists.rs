//! Lists of responses: order, ties, filters, the size of a page.

use std::time::Duration;

use rapport_api::common::v1::CustomerRef;
use rapport_api::convert::timestamp;
use rapport_api::feedback::v1::{ListResponsesRequest, Response, SubmitResponseRequest, Survey};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, SubjectId, TenantId};
use rstest::rstest;

use crate::ground::{Ground, Known, answer, by_id, reason};

async fn all(ground: &Ground, tenant: TenantId, mut request: ListResponsesRequest) -> (Vec<Response>, usize) {
    let (mut listed, mut pages) = (Vec::new(), 0);
    loop {
        let page = ground.responses(tenant).list_responses(request.clone()).await.expect("a page").into_inner();
        listed.extend(page.responses);
        pages += 1;
        if page.next_page_token.is_empty() {
            return (listed, pages);
        }
        request.page_token = page.next_page_token;
    }
}

fn list(survey: &Survey, customer: Option<CustomerRef>, page_size: i32) -> ListResponsesRequest {
    let survey_id = survey.survey_id.clone();
    ListResponsesRequest { survey_id, customer, page_size, ..ListResponsesRequest::default() }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_newest_first_and_lose_nothing_where_many_were_answered_at_one_instant(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    for n in 0..12_u64 {
        let at = ground.clock.now().minus(Duration::from_secs(n / 4));
        let request = SubmitResponseRequest { answered_at: Some(timestamp(at)), ..answer(&survey, 7) };
        ground.responses(tenant).submit_response(request).await.expect("taken");
    }
    let (listed, pages) = all(&ground, tenant, list(&survey, None, 5)).await;
    assert_eq!((listed.len(), pages), (12, 3));
    let keys: Vec<_> = listed
        .iter()
        .map(|response| (response.answered_at.expect("a time").seconds, response.response_id.clone()))
        .collect();
    assert!(keys.windows(2).all(|pair| pair[0] > pair[1]), "strictly descending, so each once");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customers_responses_are_those_of_all_its_subjects(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    let (one, first) = ground.profiles.customer(tenant);
    let (two, second) = ground.profiles.customer(tenant);
    let (other, _) = ground.profiles.customer(tenant);
    for (customer, score) in [(&one, 1), (&two, 2), (&other, 3)] {
        let request = SubmitResponseRequest { customer: Some(customer.clone()), ..answer(&survey, score) };
        ground.responses(tenant).submit_response(request).await.expect("taken");
    }
    // The two are merged: both ids now name a customer of two subjects.
    for (reference, subject) in [(&one, first), (&two, second)] {
        let subjects = vec![first, second];
        ground.profiles.tell(tenant, reference, Known { subject, subjects, ..Known::default() });
    }
    for customer in [one, two] {
        let (listed, _) = all(&ground, tenant, list(&survey, Some(customer), 1)).await;
        let mut scores: Vec<_> = listed.iter().map(|response| response.score).collect();
        scores.sort_unstable();
        assert_eq!(scores, [Some(1), Some(2)]);
    }
    let nobody = list(&survey, Some(by_id(SubjectId::new())), 0);
    assert_eq!(reason(ground.responses(tenant).list_responses(nobody).await), "RESOURCE_NOT_FOUND");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_ends_before_it_grows_too_large_and_its_token_is_bound_to_its_list(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    let (customer, _) = ground.profiles.customer(tenant);
    // Four bytes a character: 32 KiB each.
    let comment = "🙂".repeat(8_192);
    for _ in 0..70 {
        let request =
            SubmitResponseRequest { comment: comment.clone(), customer: Some(customer.clone()), ..answer(&survey, 7) };
        ground.responses(tenant).submit_response(request).await.expect("taken");
    }
    let (listed, pages) = all(&ground, tenant, list(&survey, None, 1_000)).await;
    // What is said stands in the answers and as the comment.
    assert_eq!((listed.len(), pages), (70, 3));

    let page = ground.responses(tenant).list_responses(list(&survey, None, 1)).await.expect("a page").into_inner();
    let other_filter = ListResponsesRequest { page_token: page.next_page_token, ..list(&survey, Some(customer), 1) };
    assert_eq!(reason(ground.responses(tenant).list_responses(other_filter).await), "INVALID_PAGE_TOKEN");
}
