//! Responses: taken, corrected, withdrawn; and what is published of each.

use std::time::Duration;

use rapport_api::common::v1::Party;
use rapport_api::convert::timestamp;
use rapport_api::feedback::v1::{
    CloseSurveyRequest, DeleteResponseRequest, GetResponseRequest, Response, SubmitResponseRequest,
    UpdateResponseRequest,
};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, RequestId, TenantId};
use rstest::rstest;
use tonic_types::StatusExt as _;

use crate::ground::{Ground, answer, reason};

fn correct(response: &Response, score: i32, etag: &str) -> UpdateResponseRequest {
    let (response_id, etag) = (response.response_id.clone(), etag.to_owned());
    UpdateResponseRequest { response_id, etag, score: Some(score), ..UpdateResponseRequest::default() }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_hangs_on_its_subject_and_its_event_carries_the_whole_state_but_no_free_text(
    #[case] engine: Engine,
) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    let (customer, subject) = ground.profiles.customer(tenant);
    let answered_at = ground.clock.now().minus(Duration::from_secs(3_600));
    let request = SubmitResponseRequest {
        customer: Some(customer),
        comment: "Anna at the desk was lovely".to_owned(),
        channel: "web".to_owned(),
        product: "tea".to_owned(),
        answered_at: Some(timestamp(answered_at)),
        ..answer(&survey, 9)
    };
    let taken = ground.responses(tenant).submit_response(request).await.expect("it is open").into_inner();
    assert_eq!((taken.subject_id.as_str(), taken.revision), (subject.to_string().as_str(), 1));
    let get = GetResponseRequest { response_id: taken.response_id.clone() };
    assert!(ground.responses(tenant).get_response(get).await.expect("it is there").into_inner() == taken);

    let (event, state) = ground.reader().next(1).await.remove(0);
    assert_eq!((event.aggregate_type.as_str(), &event.aggregate_id), ("response", &taken.response_id));
    assert_eq!((&event.subject_id, event.revision, &event.tenant), (&taken.subject_id, 1, &tenant.to_string()));
    assert_eq!(event.occurred_at, Some(timestamp(answered_at)));
    assert_eq!((state.kind.as_str(), state.score, state.channel.as_str()), ("nps", Some(9), "web"));
    assert_eq!(state.dimensions.get("region").map(String::as_str), Some("north"));
    assert!(!state.anonymous && !state.deleted);
    assert_eq!(state.party(), Party::Partner, "what the party was then");
    let bytes = prost::Message::encode_to_vec(&state);
    assert!(!bytes.windows(4).any(|window| window == b"Anna"), "free text does not leave the service by events");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anonymous_responses_have_subjects_of_their_own_that_nobody_sees(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    for score in [2, 3] {
        let taken = ground.responses(tenant).submit_response(answer(&survey, score)).await.expect("it is open");
        assert_eq!(taken.into_inner().subject_id, "");
    }
    let events = ground.reader().next(2).await;
    assert!(events.iter().all(|(_, state)| state.anonymous && state.dimensions.is_empty()));
    assert_ne!(events[0].0.subject_id, events[1].0.subject_id);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_open_survey_takes_responses_and_corrections_are_taken_for_ever(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut responses = ground.responses(tenant);
    let draft = ground.draft(tenant).await;
    let refused = responses.submit_response(answer(&draft, 5)).await.expect_err("a draft");
    let failure = refused.get_error_details().precondition_failure().cloned().expect("what must hold");
    assert_eq!(failure.violations[0].r#type, "SURVEY_OPEN");
    assert_eq!(failure.violations[0].subject, draft.survey_id);
    assert_eq!(reason::<()>(Err(refused)), "SURVEY_NOT_OPEN");

    let survey = ground.open(tenant).await;
    let taken = responses.submit_response(answer(&survey, 5)).await.expect("it is open").into_inner();
    let close = CloseSurveyRequest { survey_id: survey.survey_id.clone(), ..CloseSurveyRequest::default() };
    ground.surveys(tenant).close_survey(close).await.expect("it closes");
    assert_eq!(reason(responses.submit_response(answer(&survey, 5)).await), "SURVEY_NOT_OPEN");

    ground.clock.advance(Duration::from_secs(60));
    let corrected = responses.update_response(correct(&taken, 8, &taken.etag)).await.expect("corrected").into_inner();
    assert_eq!((corrected.score, corrected.revision), (Some(8), 2));
    assert_eq!((&corrected.create_time, &corrected.answered_at), (&taken.create_time, &taken.answered_at));
    assert_eq!(corrected.update_time, Some(timestamp(ground.clock.now())));
    assert_eq!(reason(responses.update_response(correct(&taken, 1, &taken.etag)).await), "STALE_ETAG");
    let delete = DeleteResponseRequest { response_id: taken.response_id.clone(), ..DeleteResponseRequest::default() };
    responses.delete_response(delete.clone()).await.expect("deleted");
    assert_eq!(reason(responses.delete_response(delete).await), "RESOURCE_NOT_FOUND");

    let events = ground.reader().next(3).await;
    let told: Vec<_> = events.iter().map(|(event, state)| (event.revision, state.score, state.deleted)).collect();
    assert_eq!(
        told,
        [(1, Some(5), false), (2, Some(8), false), (3, None, true)],
        "the tombstone outranks every state before it"
    );
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_submissions_at_once_under_one_request_id_are_one_response(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    let (customer, _) = ground.profiles.customer(tenant);
    let request_id = RequestId::new().to_string();
    let request = SubmitResponseRequest { request_id, customer: Some(customer), ..answer(&survey, 10) };
    let calls = (0..50).map(|_| {
        let (mut responses, request) = (ground.responses(tenant), request.clone());
        async move { responses.submit_response(request).await.expect("each is answered").into_inner() }
    });
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(ground.reader().next(1).await.len(), 1);
    let other = SubmitResponseRequest { score: Some(0), ..request };
    assert_eq!(reason(ground.responses(tenant).submit_response(other).await), "IDEMPOTENCY_MISMATCH");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_corrections_at_once_with_one_etag_one_wins_and_without_etags_none_is_lost(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    let taken = ground.responses(tenant).submit_response(answer(&survey, 0)).await.expect("taken").into_inner();
    let correct_all = |etag: String| {
        let ground = &ground;
        let calls = (1..=10).map(|score| {
            let (mut responses, request) = (ground.responses(tenant), correct(&taken, score, &etag));
            async move { responses.update_response(request).await }
        });
        futures::future::join_all(calls.collect::<Vec<_>>())
    };
    let with_etag = correct_all(taken.etag.clone()).await;
    assert_eq!(with_etag.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(with_etag.into_iter().filter(Result::is_err).all(|refused| reason(refused) == "STALE_ETAG"));
    let without = correct_all(String::new()).await;
    let mut revisions: Vec<_> = without.into_iter().map(|done| done.expect("no etag").into_inner().revision).collect();
    revisions.sort_unstable();
    revisions.dedup();
    // One of the ten may repeat the score that won before, and then changes nothing.
    assert!(revisions.len() >= 9, "{revisions:?}");
}
