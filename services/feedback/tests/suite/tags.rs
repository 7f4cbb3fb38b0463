//! Tags, tests and weights, and finding responses by what they are.

use std::time::Duration;

use rapport_api::convert::timestamp;
use rapport_api::feedback::v1::{
    DeleteResponseRequest, ListResponsesRequest, ResponseState, SubmitResponseRequest, TagResponseRequest,
    UpdateResponseRequest,
};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, SubjectId, TenantId};
use rstest::rstest;

use crate::ground::{Ground, answer, fields, reason};

fn tag(response_id: &str, add: &[&str], remove: &[&str]) -> TagResponseRequest {
    let own = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect();
    let (add_tags, remove_tags) = (own(add), own(remove));
    TagResponseRequest { response_id: response_id.to_owned(), add_tags, remove_tags, ..TagResponseRequest::default() }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_are_added_taken_and_found_by(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    let mut responses = ground.responses(tenant);
    let first = SubmitResponseRequest { tags: vec!["vip".to_owned()], ..answer(&survey, 1) };
    let first = responses.submit_response(first).await.expect("taken").into_inner();
    let second = responses.submit_response(answer(&survey, 2)).await.expect("taken").into_inner();
    let tagged = responses.tag_response(tag(&first.response_id, &["loud", "vip"], &["none"])).await.expect("tagged");
    let tagged = tagged.into_inner();
    assert_eq!((tagged.tags.as_slice(), tagged.revision), (["loud".to_owned(), "vip".to_owned()].as_slice(), 2));
    let same = responses.tag_response(tag(&first.response_id, &["vip"], &[])).await.expect("as it is").into_inner();
    assert!(same == tagged, "what changes nothing is no change");
    responses.tag_response(tag(&second.response_id, &["vip"], &[])).await.expect("tagged");
    let found = async |tags: &[&str]| {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let request = ListResponsesRequest { tags, ..ListResponsesRequest::default() };
        let page = ground.responses(tenant).list_responses(request).await.expect("a page").into_inner();
        page.responses.into_iter().filter_map(|response| response.score).collect::<Vec<_>>()
    };
    assert_eq!(
        (found(&["vip"]).await, found(&["vip", "loud"]).await, found(&["no"]).await),
        (vec![2, 1], vec![1], vec![])
    );
    let mut stale = tag(&first.response_id, &["x"], &["vip"]);
    stale.etag.clone_from(&first.etag);
    assert_eq!(reason(responses.tag_response(stale.clone()).await), "STALE_ETAG");
    responses.tag_response(TagResponseRequest { etag: tagged.etag, ..stale }).await.expect("the newest");
    assert_eq!((found(&["vip"]).await, found(&["x"]).await), (vec![2], vec![1]));
    let many: Vec<String> = (0..50).map(|n| format!("t{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(fields(responses.tag_response(tag(&first.response_id, &many, &[])).await), ["add_tags"]);
    assert_eq!(fields(responses.tag_response(tag(&first.response_id, &["a"], &["a"])).await), ["remove_tags[0]"]);
    assert_eq!(fields(responses.tag_response(tag(&first.response_id, &["A b"], &[])).await), ["add_tags[0]"]);
    let delete = DeleteResponseRequest { response_id: first.response_id, ..DeleteResponseRequest::default() };
    responses.delete_response(delete).await.expect("deleted");
    assert!(found(&["x"]).await.is_empty());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn responses_are_found_by_what_they_are_and_tests_only_when_asked_for(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let (survey, other) = (ground.open(tenant).await, ground.open(tenant).await);
    let ticket = SubjectId::new().to_string();
    let at = |minutes: u64| Some(timestamp(ground.clock.now().minus(Duration::from_secs(60 * minutes))));
    let base = |score: i32| SubmitResponseRequest {
        answered_at: at(u64::from(score.unsigned_abs())),
        ..answer(&survey, score)
    };
    let told = [
        SubmitResponseRequest { channel: "web".to_owned(), agent: "Ann".to_owned(), ..base(1) },
        SubmitResponseRequest { partial: true, stage: "use".to_owned(), team: "west".to_owned(), ..base(2) },
        SubmitResponseRequest { ticket_id: ticket.clone(), language: "fa".to_owned(), ..base(3) },
        SubmitResponseRequest { is_test: true, weight: Some(2.5), campaign: "may".to_owned(), ..base(4) },
        SubmitResponseRequest { survey_id: other.survey_id.clone(), product: "tea".to_owned(), ..base(5) },
    ];
    for request in told {
        ground.responses(tenant).submit_response(request).await.expect("taken");
    }
    let found = async |request: ListResponsesRequest| {
        let page = ground.responses(tenant).list_responses(request).await.expect("a page").into_inner();
        page.responses.into_iter().filter_map(|response| response.score).collect::<Vec<_>>()
    };
    let all = ListResponsesRequest::default;
    assert_eq!(found(all()).await, [1, 2, 3, 5], "newest first, without tests");
    assert_eq!(found(ListResponsesRequest { include_tests: true, ..all() }).await, [1, 2, 3, 4, 5]);
    assert_eq!(found(ListResponsesRequest { order_by: "answered_at".to_owned(), ..all() }).await, [5, 3, 2, 1]);
    assert_eq!(found(ListResponsesRequest { survey_id: survey.survey_id.clone(), ..all() }).await, [1, 2, 3]);
    assert_eq!(found(ListResponsesRequest { channel: "web".to_owned(), ..all() }).await, [1]);
    assert_eq!(found(ListResponsesRequest { agent: "Ann".to_owned(), ..all() }).await, [1]);
    assert_eq!(found(ListResponsesRequest { team: "west".to_owned(), stage: "use".to_owned(), ..all() }).await, [2]);
    assert_eq!(found(ListResponsesRequest { state: ResponseState::Partial.into(), ..all() }).await, [2]);
    assert_eq!(found(ListResponsesRequest { ticket_id: ticket, ..all() }).await, [3]);
    assert_eq!(found(ListResponsesRequest { language: "fa".to_owned(), ..all() }).await, [3]);
    assert_eq!(found(ListResponsesRequest { product: "tea".to_owned(), ..all() }).await, [5]);
    assert_eq!(found(ListResponsesRequest { min_score: Some(2), max_score: Some(3), ..all() }).await, [2, 3]);
    assert_eq!(found(ListResponsesRequest { start_time: at(3), end_time: at(1), ..all() }).await, [2, 3]);
    assert_eq!(found(ListResponsesRequest { kind: 3, ..all() }).await, Vec::<i32>::new());
    let wrong = ListResponsesRequest { order_by: "score".to_owned(), ..all() };
    assert_eq!(fields(ground.responses(tenant).list_responses(wrong).await), ["order_by"]);
    // Pages go on in either order, and a token is bound to what it was made for.
    for order_by in ["", "answered_at"] {
        let mut request = ListResponsesRequest { page_size: 1, order_by: order_by.to_owned(), ..all() };
        let mut listed = Vec::new();
        loop {
            let page = ground.responses(tenant).list_responses(request.clone()).await.expect("a page").into_inner();
            listed.extend(page.responses.into_iter().filter_map(|response| response.score));
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
            let other = ListResponsesRequest { channel: "web".to_owned(), ..request.clone() };
            assert_eq!(reason(ground.responses(tenant).list_responses(other).await), "INVALID_PAGE_TOKEN");
        }
        assert_eq!(listed, if order_by.is_empty() { [1, 2, 3, 5] } else { [5, 3, 2, 1] });
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mask_says_what_is_corrected(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    let request = SubmitResponseRequest {
        channel: "web".to_owned(),
        comment: "fine".to_owned(),
        agent: "Ann".to_owned(),
        weight: Some(2.0),
        ..answer(&survey, 9)
    };
    let mut responses = ground.responses(tenant);
    let taken = responses.submit_response(request).await.expect("taken").into_inner();
    let masked = |paths: &[&str]| UpdateResponseRequest {
        response_id: taken.response_id.clone(),
        update_mask: Some(prost_types::FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
        ..UpdateResponseRequest::default()
    };
    let right = UpdateResponseRequest { score: Some(1), ..masked(&["channel", "comment", "weight", "is_test"]) };
    let right = responses.update_response(right).await.expect("corrected").into_inner();
    assert_eq!((right.channel.as_str(), right.comment.as_str(), right.weight), ("", "", 1.0));
    assert_eq!(
        (right.score, right.agent.as_str(), right.answers.len()),
        (Some(9), "Ann", 1),
        "what is not named stays"
    );
    let unmasked = UpdateResponseRequest { agent: "Bob".to_owned(), is_test: true, ..masked(&[]) };
    let unmasked = responses.update_response(unmasked).await.expect("corrected").into_inner();
    assert_eq!((unmasked.agent.as_str(), unmasked.is_test, unmasked.score), ("Bob", true, Some(9)));
    let mut refused = fields(responses.update_response(masked(&["score", "nothing"])).await);
    refused.sort_unstable();
    assert_eq!(refused, ["score", "update_mask.paths[1]"]);
    let events = ground.reader().next(3).await;
    let told: Vec<_> = events.iter().map(|(_, state)| (state.weight, state.is_test, state.agent.as_str())).collect();
    assert_eq!(told, [(2.0, false, "Ann"), (1.0, false, "Ann"), (1.0, true, "Bob")]);
}
