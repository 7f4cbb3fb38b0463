//! Watching responses: each change once, resumable, of one survey or of all.

use std::time::Duration;

use rapport_api::feedback::v1::{
    DeleteResponseRequest, ResponseChange, SubmitResponseRequest, UpdateResponseRequest, WatchResponsesRequest,
    WatchResponsesResponse,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;
use tonic::Streaming;

use crate::ground::{Ground, answer, fields};

async fn next(watch: &mut Streaming<WatchResponsesResponse>) -> WatchResponsesResponse {
    let told = tokio::time::timeout(Duration::from_secs(60), watch.message()).await.expect("it tells something");
    told.expect("no error").expect("it goes on")
}

async fn change(watch: &mut Streaming<WatchResponsesResponse>) -> (ResponseChange, String) {
    loop {
        let told = next(watch).await;
        if let Some(change) = told.change {
            return (change, told.resume_token);
        }
    }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_change_is_told_with_the_response_as_it_is_and_a_watch_goes_on_after_its_token(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let (survey, other) = (ground.open(tenant).await, ground.open(tenant).await);
    let (mut responses, mut watcher) = (ground.responses(tenant), ground.responses(tenant));
    let of_survey = WatchResponsesRequest { survey_id: survey.survey_id.clone(), ..WatchResponsesRequest::default() };
    let mut watch = watcher.watch_responses(of_survey.clone()).await.expect("watching").into_inner();
    assert!(next(&mut watch).await.change.is_none(), "first, from where on it watches");
    responses.submit_response(answer(&other, 1)).await.expect("of no interest");
    let test = SubmitResponseRequest { is_test: true, ..answer(&survey, 2) };
    responses.submit_response(test).await.expect("a test");
    let taken = responses.submit_response(answer(&survey, 3)).await.expect("taken").into_inner();
    let (first, token) = change(&mut watch).await;
    assert_eq!((&first.response_id, first.revision, first.deleted), (&taken.response_id, 1, false));
    assert!(first.response == Some(taken.clone()));
    drop(watch);

    let right = UpdateResponseRequest { response_id: taken.response_id.clone(), score: Some(9), ..Default::default() };
    responses.update_response(right).await.expect("corrected");
    let delete = DeleteResponseRequest { response_id: taken.response_id.clone(), ..Default::default() };
    responses.delete_response(delete).await.expect("deleted");
    let resumed = WatchResponsesRequest { resume_token: token.clone(), ..of_survey };
    let mut watch = watcher.watch_responses(resumed).await.expect("watching").into_inner();
    let (second, _) = change(&mut watch).await;
    assert_eq!((second.revision, second.response), (2, None), "it is gone by now");
    let (third, _) = change(&mut watch).await;
    assert_eq!((third.revision, third.deleted), (3, true));
    let foreign = WatchResponsesRequest { resume_token: token, ..WatchResponsesRequest::default() };
    assert_eq!(fields(ground.responses(TenantId::new()).watch_responses(foreign).await), ["resume_token"]);
}
