//! Responses in parts: begun, gone on with, completed; and the same record told twice.

use rapport_api::feedback::v1::{
    CloseSurveyRequest, Question, QuestionType, ResponseState, SubmitResponseRequest, Survey, SurveyKind, answer::Value,
};
use rapport_data::Engine;
use rapport_kernel::{SubjectId, TenantId};
use rstest::rstest;

use crate::ground::{Ground, answer, fields, reason};
use crate::questions::{answers, question, to};

fn asked() -> Survey {
    let required = |id: &str, kind| Question { required: true, ..question(id, kind) };
    let questions = vec![required("nps", QuestionType::Scale), required("why", QuestionType::Text)];
    Survey { name: "s".to_owned(), kind: SurveyKind::Nps.into(), questions, ..Survey::default() }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partial_response_is_gone_on_with_and_what_is_required_is_asked_at_its_end(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open_of(tenant, asked()).await;
    let (customer, subject) = ground.profiles.customer(tenant);
    let mut responses = ground.responses(tenant);
    let begun = SubmitResponseRequest {
        partial: true,
        customer: Some(customer.clone()),
        channel: "web".to_owned(),
        ..answers(&survey, Vec::new())
    };
    let begun = responses.submit_response(begun).await.expect("nothing is required yet").into_inner();
    assert_eq!((begun.state(), begun.score, begun.started_at), (ResponseState::Partial, None, begun.answered_at));
    let on = |given: SubmitResponseRequest| SubmitResponseRequest { response_id: begun.response_id.clone(), ..given };
    let halfway = on(SubmitResponseRequest { partial: true, ..answer(&survey, 3) });
    let halfway = responses.submit_response(halfway).await.expect("gone on with").into_inner();
    assert_eq!((halfway.score, halfway.revision, halfway.channel.as_str()), (Some(3), 2, "web"));
    assert_eq!(fields(responses.submit_response(on(answers(&survey, Vec::new()))).await), ["answers[\"why\"]"]);
    let (stranger, _) = ground.profiles.customer(tenant);
    let theirs = on(SubmitResponseRequest { customer: Some(stranger), ..answer(&survey, 9) });
    assert_eq!(fields(responses.submit_response(theirs).await), ["customer"]);
    let end = on(answers(&survey, vec![to("why", Value::Text("late".to_owned())), to("nps", Value::Number(4))]));
    let end = responses.submit_response(end).await.expect("complete").into_inner();
    assert_eq!((end.state(), end.score, end.comment.as_str()), (ResponseState::Complete, Some(4), "late"));
    assert_eq!((end.subject_id, end.complete_time.is_some()), (subject.to_string(), true));
    assert_eq!(reason(responses.submit_response(on(answer(&survey, 1))).await), "INVALID_STATE");
    let nobody = SubmitResponseRequest { response_id: SubjectId::new().to_string(), ..answer(&survey, 1) };
    assert_eq!(reason(responses.submit_response(nobody).await), "RESOURCE_NOT_FOUND");

    let told: Vec<_> = ground
        .reader()
        .next(3)
        .await
        .into_iter()
        .map(|(event, state)| (event.revision, state.complete, state.score))
        .collect();
    assert_eq!(told, [(1, false, None), (2, false, Some(3)), (3, true, Some(4))]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_survey_lets_nobody_go_on(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open_of(tenant, asked()).await;
    let begun = SubmitResponseRequest { partial: true, ..answer(&survey, 2) };
    let begun = ground.responses(tenant).submit_response(begun).await.expect("begun").into_inner();
    let close = CloseSurveyRequest { survey_id: survey.survey_id.clone(), ..CloseSurveyRequest::default() };
    ground.surveys(tenant).close_survey(close).await.expect("closed");
    let on = SubmitResponseRequest { response_id: begun.response_id, comment: "more".to_owned(), ..answer(&survey, 2) };
    assert_eq!(reason(ground.responses(tenant).submit_response(on).await), "SURVEY_NOT_OPEN");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_record_told_by_many_at_once_is_one_response(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    let of = |id: &str, score: i32| SubmitResponseRequest {
        source: "crm".to_owned(),
        external_id: id.to_owned(),
        ..answer(&survey, score)
    };
    let calls = (0..20).map(|score| {
        let (mut responses, request) = (ground.responses(tenant), of("a", score % 11));
        async move { responses.submit_response(request).await.expect("each is answered").into_inner() }
    });
    let all = futures::future::join_all(calls).await;
    assert!(all.iter().all(|one| *one == all[0]), "the first is what is held");
    let mut responses = ground.responses(tenant);
    let other = responses.submit_response(of("b", 1)).await.expect("another record").into_inner();
    assert_ne!(other.response_id, all[0].response_id);
    let begun = SubmitResponseRequest { partial: true, ..of("c", 1) };
    let begun = responses.submit_response(begun).await.expect("begun").into_inner();
    let end = responses.submit_response(of("c", 2)).await.expect("gone on with").into_inner();
    assert_eq!((end.score, end.state()), (Some(2), ResponseState::Complete));
    assert_eq!(end.response_id, begun.response_id);
    let delete =
        rapport_api::feedback::v1::DeleteResponseRequest { response_id: other.response_id, ..Default::default() };
    responses.delete_response(delete).await.expect("deleted");
    assert_eq!(
        reason(responses.submit_response(of("b", 1)).await),
        "RESOURCE_EXISTS",
        "a late copy does not bring it back"
    );
    assert_eq!(
        fields(responses.submit_response(SubmitResponseRequest { source: String::new(), ..of("d", 1) }).await),
        ["source"]
    );
}
