//! Wrong requests: each is refused with a reason that says what to do, and leaves nothing behind.

use std::time::Duration;

use rapport_api::convert::timestamp;
use rapport_api::feedback::v1::{
    CloseSurveyRequest, DeleteResponseRequest, GetResponseRequest, GetSurveyRequest, ListResponsesRequest,
    PublishSurveyRequest, SubmitResponseRequest, UpdateResponseRequest,
};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, SubjectId, TenantId};
use rstest::rstest;

use crate::ground::{Ground, answer, by_id, fields, reason};

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_broken_rule_is_named_in_one_answer(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    let far = ground.clock.now().plus(Duration::from_secs(301));
    let request = SubmitResponseRequest {
        channel: "Web site".to_owned(),
        answered_at: Some(timestamp(far)),
        request_id: "7".to_owned(),
        ..answer(&survey, 11)
    };
    let mut broken = fields(ground.responses(tenant).submit_response(request).await);
    broken.sort_unstable();
    assert_eq!(broken, ["answered_at", "channel", "request_id", "score"]);
    let none = SubmitResponseRequest { score: None, ..answer(&survey, 0) };
    assert_eq!(
        fields(ground.responses(tenant).submit_response(none).await),
        ["score"],
        "0 is an answer, nothing is not"
    );
    let soon = timestamp(ground.clock.now().plus(Duration::from_secs(299)));
    let soon = SubmitResponseRequest { answered_at: Some(soon), ..answer(&survey, 0) };
    assert!(ground.responses(tenant).submit_response(soon).await.is_ok(), "clocks differ a little");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_another_tenants_is_not_there(#[case] engine: Engine) {
    let (ground, tenant, foreign) = (Ground::new(engine).await, TenantId::new(), TenantId::new());
    let survey = ground.open(tenant).await;
    let (customer, _) = ground.profiles.customer(tenant);
    let request = SubmitResponseRequest { customer: Some(customer.clone()), ..answer(&survey, 3) };
    let taken = ground.responses(tenant).submit_response(request.clone()).await.expect("taken").into_inner();
    let (survey_id, response_id) = (survey.survey_id.clone(), taken.response_id);
    let (mut surveys, mut responses) = (ground.surveys(foreign), ground.responses(foreign));
    let own = ground.open(foreign).await;

    let publish = PublishSurveyRequest { survey_id: survey_id.clone(), ..PublishSurveyRequest::default() };
    let close = CloseSurveyRequest { survey_id: survey_id.clone(), ..CloseSurveyRequest::default() };
    let list = ListResponsesRequest { survey_id: survey_id.clone(), ..ListResponsesRequest::default() };
    let update = UpdateResponseRequest { response_id: response_id.clone(), ..UpdateResponseRequest::default() };
    let delete = DeleteResponseRequest { response_id: response_id.clone(), ..DeleteResponseRequest::default() };
    let of_their_customer = SubmitResponseRequest { customer: Some(customer), ..answer(&own, 3) };
    let refused = [
        reason(surveys.get_survey(GetSurveyRequest { survey_id, ..GetSurveyRequest::default() }).await),
        reason(surveys.publish_survey(publish).await),
        reason(surveys.close_survey(close).await),
        reason(responses.submit_response(answer(&survey, 3)).await),
        reason(responses.submit_response(of_their_customer).await),
        reason(responses.list_responses(list).await),
        reason(responses.update_response(update).await),
        reason(responses.delete_response(delete).await),
        reason(responses.get_response(GetResponseRequest { response_id }).await),
    ];
    assert!(refused.iter().all(|reason| reason == "RESOURCE_NOT_FOUND"), "{refused:?}");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_customer_and_profiles_away_are_told_apart(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    let request = SubmitResponseRequest { customer: Some(by_id(SubjectId::new())), ..answer(&survey, 3) };
    assert_eq!(reason(ground.responses(tenant).submit_response(request.clone()).await), "RESOURCE_NOT_FOUND");
    ground.platform.peers.connect("profiles", vec!["http://127.0.0.1:1".to_owned()]).expect("an endpoint");
    assert_eq!(reason(ground.responses(tenant).submit_response(request).await), "DEPENDENCY_UNAVAILABLE");
    assert!(ground.responses(tenant).submit_response(answer(&survey, 3)).await.is_ok(), "anonymous needs nobody");
}
