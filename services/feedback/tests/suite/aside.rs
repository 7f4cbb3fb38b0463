//! What is said by a token to an anonymous survey counts as often as the token has uses, however it is said; and what does not count
//! cannot be told by its id from what does.

use rapport_api::feedback::v1::{
    Asking, CloseSurveyRequest, DeleteResponseRequest, DeleteSurveyRequest, EraseByCodeRequest,
    GetQuestionnaireRequest, GetResponseRequest, GetSurveyDropOffRequest, IssueInvitationTokenRequest,
    ListResponsesRequest, Response, ResponseState, SearchResponsesRequest, SubmitResponseRequest, Survey,
    TagResponseRequest, UpdateResponseRequest, respondent_service_client::RespondentServiceClient,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;
use tonic::Code;
use uuid::Uuid;

use crate::asking::{asks, invited};
use crate::ground::{Ground, fields, reason};

fn by_token(survey: &Survey, token: &str, score: i32) -> SubmitResponseRequest {
    SubmitResponseRequest {
        request_id: Uuid::now_v7().to_string(),
        survey_id: survey.survey_id.clone(),
        invitation_token: token.to_owned(),
        score: Some(score),
        ..SubmitResponseRequest::default()
    }
}

async fn submit(ground: &Ground, tenant: TenantId, request: SubmitResponseRequest) -> Response {
    ground.responses(tenant).submit_response(request).await.expect("taken").into_inner()
}

async fn token(ground: &Ground, tenant: TenantId, survey: &Survey) -> String {
    let who = ground.profiles.customer(tenant).1;
    invited(ground, tenant, survey, who).await.invitation.expect("invited").token
}

/// How many there are, complete or not, in the lists; and how many began, in the figures.
async fn counted(ground: &Ground, tenant: TenantId, survey: &Survey) -> (usize, i64) {
    let list = ListResponsesRequest { survey_id: survey.survey_id.clone(), ..ListResponsesRequest::default() };
    let listed = ground.responses(tenant).list_responses(list).await.expect("listed").into_inner().responses;
    let figures = GetSurveyDropOffRequest { survey_id: survey.survey_id.clone(), ..GetSurveyDropOffRequest::default() };
    let figures = ground.surveys(tenant).get_survey_drop_off(figures).await.expect("counted").into_inner();
    assert_eq!(figures.started, figures.completed);
    (listed.len(), figures.started)
}

#[rstest]
#[case(Engine::Sqlite, 1)]
#[case(Engine::Sqlite, 3)]
#[case(Engine::Postgres, 1)]
#[case(Engine::Postgres, 3)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_token_never_counts_more_often_than_it_has_uses_however_often_it_begins(
    #[case] engine: Engine,
    #[case] uses: usize,
) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let asking = Asking { max_uses: i32::try_from(uses).expect("few"), ..Asking::default() };
    let survey = ground.open_of(tenant, Survey { anonymous: true, ..asks(asking) }).await;
    let token = token(&ground, tenant, &survey).await;
    let part = || SubmitResponseRequest { partial: true, ..by_token(&survey, &token, 0) };
    let mut begun = Vec::new();
    for _ in 0..8 {
        let taken = submit(&ground, tenant, part()).await;
        assert_eq!((taken.state(), taken.erasure_code.as_str()), (ResponseState::Partial, ""));
        begun.push(taken.response_id);
    }
    assert_eq!(counted(&ground, tenant, &survey).await, (0, 0), "nothing of it is an answer yet");
    // Whoever knows the id goes on with it, but ends it by a token alone.
    let on = |id: &str, token: &str| SubmitResponseRequest {
        response_id: id.to_owned(),
        comment: "quite slow".to_owned(),
        ..by_token(&survey, token, 2)
    };
    let more = SubmitResponseRequest { partial: true, ..on(&begun[0], "") };
    assert_eq!(submit(&ground, tenant, more).await.comment, "quite slow");
    assert_eq!(fields(ground.responses(tenant).submit_response(on(&begun[0], "")).await), ["invitation_token"]);
    assert_eq!(counted(&ground, tenant, &survey).await, (0, 0));
    for (place, id) in begun.iter().enumerate() {
        let done = submit(&ground, tenant, on(id, &token)).await;
        assert_eq!((&done.response_id, done.state(), done.score), (id, ResponseState::Complete, Some(2)));
        assert!(done.erasure_code.len() > 60);
        let kept = (place + 1).min(uses);
        assert_eq!(counted(&ground, tenant, &survey).await, (kept, i64::try_from(kept).expect("few")));
        assert_eq!(reason(ground.responses(tenant).submit_response(on(id, &token)).await), "INVALID_STATE");
    }
    // And so on after it was spent.
    let late = submit(&ground, tenant, part()).await;
    submit(&ground, tenant, on(&late.response_id, &token)).await;
    submit(&ground, tenant, by_token(&survey, &token, 9)).await;
    assert_eq!(counted(&ground, tenant, &survey).await, (uses, i64::try_from(uses).expect("few")));
    let search = SearchResponsesRequest { query: "slow".to_owned(), ..SearchResponsesRequest::default() };
    let hits = ground.responses(tenant).search_responses(search).await.expect("found").into_inner().hits;
    assert_eq!(hits.len(), uses);
    let told = ground.reader().all().await;
    assert!(told.len() == uses && told.iter().all(|(_, state)| state.complete && state.score == Some(2)), "{told:?}");

    let close = CloseSurveyRequest { survey_id: survey.survey_id.clone(), ..CloseSurveyRequest::default() };
    ground.surveys(tenant).close_survey(close).await.expect("closed");
    let delete = DeleteSurveyRequest { survey_id: survey.survey_id.clone(), ..DeleteSurveyRequest::default() };
    let gone = ground.surveys(tenant).delete_survey(delete).await.expect("deleted").into_inner();
    assert_eq!(gone.deleted_responses, i64::try_from(uses).expect("few"));
    for table in ["response", "erasure_code", "invitation_use"] {
        assert_eq!(ground.count(table).await, 0, "{table}");
    }
}

/// A response but for what tells any two apart.
fn bare(it: Response) -> Response {
    assert!(it.anonymous && !it.response_id.is_empty());
    Response { response_id: String::new(), erasure_code: String::new(), ..it }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_another_token_told_and_tries_it_learns_nothing_by_the_id_that_comes_back(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open_of(tenant, Survey { anonymous: true, ..asks(Asking::default()) }).await;
    let mut seen = Vec::new();
    for answered in [true, false] {
        let who = ground.profiles.customer(tenant).1;
        let it = invited(&ground, tenant, &survey, who).await.invitation.expect("invited");
        if answered {
            submit(&ground, tenant, by_token(&survey, &it.token, 2)).await;
        }
        let issue = IssueInvitationTokenRequest { invitation_id: it.invitation_id };
        let token = ground.surveys(tenant).issue_invitation_token(issue).await.expect("told").into_inner().token;
        let mut calls = ground.responses(tenant);
        let mut found = Vec::new();
        let begun = submit(&ground, tenant, SubmitResponseRequest { partial: true, ..by_token(&survey, &token, 4) });
        let begun = begun.await.response_id;
        for request in
            [SubmitResponseRequest { response_id: begun, ..by_token(&survey, &token, 5) }, by_token(&survey, &token, 5)]
        {
            let probe = SubmitResponseRequest { comment: "was it me".to_owned(), ..request };
            let taken = submit(&ground, tenant, probe).await;
            let (response_id, code) = (taken.response_id.clone(), taken.erasure_code.clone());
            found.push(bare(taken));
            let get = || GetResponseRequest { response_id: response_id.clone() };
            found.push(bare(calls.get_response(get()).await.expect("there").into_inner()));
            let asked = GetQuestionnaireRequest { response_id: response_id.clone(), ..Default::default() };
            assert!(!calls.get_questionnaire(asked).await.expect("told").into_inner().shown.is_empty());
            let add_tags = vec!["seen".to_owned()];
            let tag = TagResponseRequest { response_id: response_id.clone(), add_tags, ..Default::default() };
            found.push(bare(calls.tag_response(tag).await.expect("tagged").into_inner()));
            let update =
                UpdateResponseRequest { response_id: response_id.clone(), score: Some(7), ..Default::default() };
            found.push(bare(calls.update_response(update).await.expect("corrected").into_inner()));
            let code = EraseByCodeRequest { code };
            RespondentServiceClient::new(ground.channel(tenant)).erase_by_code(code).await.expect("erased");
            assert_eq!(calls.get_response(get()).await.expect_err("it is gone").code(), Code::NotFound);
        }
        let last = submit(&ground, tenant, by_token(&survey, &token, 6)).await;
        let delete = DeleteResponseRequest { response_id: last.response_id, ..DeleteResponseRequest::default() };
        calls.delete_response(delete.clone()).await.expect("deleted");
        assert_eq!(reason(calls.delete_response(delete).await), "RESOURCE_NOT_FOUND");
        seen.push(found);
    }
    assert_eq!(seen[0], seen[1]);
}
