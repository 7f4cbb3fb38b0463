//! Surveys: their life, their etags, their pages.

use rapport_api::feedback::v1::{
    CloseSurveyRequest, CreateSurveyRequest, GetSurveyRequest, ListSurveysRequest, PublishSurveyRequest, Survey,
    SurveyState,
};
use rapport_data::Engine;
use rapport_kernel::{RequestId, TenantId};
use rstest::rstest;

use crate::ground::{Ground, reason};

fn publish(survey: &Survey, etag: &str) -> PublishSurveyRequest {
    let (survey_id, etag) = (survey.survey_id.clone(), etag.to_owned());
    PublishSurveyRequest { survey_id, etag, ..PublishSurveyRequest::default() }
}

fn close(survey: &Survey, etag: &str) -> CloseSurveyRequest {
    let (survey_id, etag) = (survey.survey_id.clone(), etag.to_owned());
    CloseSurveyRequest { survey_id, etag, ..CloseSurveyRequest::default() }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_survey_is_made_opened_and_closed_and_read_back_as_it_was_answered(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut surveys = ground.surveys(tenant);
    let draft = ground.draft(tenant).await;
    assert_eq!((draft.state(), draft.publish_time.is_some()), (SurveyState::Draft, false));
    assert_eq!(reason(surveys.close_survey(close(&draft, "")).await), "INVALID_STATE");
    let open = surveys.publish_survey(publish(&draft, &draft.etag)).await.expect("a draft opens").into_inner();
    assert_eq!((open.state(), open.publish_time.is_some()), (SurveyState::Open, true));
    assert_eq!(reason(surveys.publish_survey(publish(&open, &open.etag)).await), "INVALID_STATE");
    assert_eq!(reason(surveys.close_survey(close(&open, &draft.etag)).await), "STALE_ETAG");
    let closed = surveys.close_survey(close(&open, &open.etag)).await.expect("it closes").into_inner();
    assert_eq!((closed.state(), closed.close_time.is_some()), (SurveyState::Closed, true));
    let read = surveys
        .get_survey(GetSurveyRequest { survey_id: draft.survey_id, ..GetSurveyRequest::default() })
        .await
        .expect("it is there");
    assert!(read.into_inner() == closed);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_survey_made_twice_under_one_request_id_is_one(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = Survey { name: "A".to_owned(), kind: 1, question: "?".to_owned(), ..Survey::default() };
    let request_id = RequestId::new().to_string();
    let mut request = CreateSurveyRequest { request_id, survey: Some(survey) };
    let first = ground.surveys(tenant).create_survey(request.clone()).await.expect("made").into_inner();
    let second = ground.surveys(tenant).create_survey(request.clone()).await.expect("the same").into_inner();
    assert!(first == second);
    request.survey.as_mut().expect("a survey").name = "B".to_owned();
    assert_eq!(reason(ground.surveys(tenant).create_survey(request).await), "IDEMPOTENCY_MISMATCH");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn surveys_are_listed_newest_first_and_each_once(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(ground.draft(tenant).await.survey_id);
    }
    made.reverse();
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListSurveysRequest { page_size: 2, page_token, ..ListSurveysRequest::default() };
        let page = ground.surveys(tenant).list_surveys(request).await.expect("a page").into_inner();
        listed.extend(page.surveys.into_iter().map(|survey| survey.survey_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
        let token = page_token.clone();
        let foreign = ListSurveysRequest { page_size: 2, page_token: token, ..ListSurveysRequest::default() };
        assert_eq!(reason(ground.surveys(TenantId::new()).list_surveys(foreign).await), "INVALID_PAGE_TOKEN");
    }
    assert_eq!(listed, made);
}
