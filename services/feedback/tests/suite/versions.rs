//! Versions: a published survey is changed without breaking what was answered before.

use rapport_api::feedback::v1::{
    CloseSurveyRequest, DeleteSurveyRequest, GetResponseRequest, GetSurveyDropOffRequest, GetSurveyRequest,
    ListResponsesRequest, ListSurveysRequest, Question, QuestionMeasure, QuestionType, Scale, SubmitResponseRequest,
    Survey, SurveyKind, SurveyState, UpdateResponseRequest, UpdateSurveyRequest, answer::Value,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::ground::{Ground, answer, fields, reason};
use crate::questions::{answers, choices, question, to};

fn update(survey: &Survey, mask: &[&str], change: impl FnOnce(&mut Survey)) -> UpdateSurveyRequest {
    let mut survey = survey.clone();
    change(&mut survey);
    let paths = mask.iter().map(|path| (*path).to_owned()).collect();
    let update_mask = Some(prost_types::FieldMask { paths });
    UpdateSurveyRequest { survey: Some(survey), update_mask, ..UpdateSurveyRequest::default() }
}

fn two() -> Survey {
    let reason = Question { choices: choices(&["price", "staff"]), ..question("reason", QuestionType::Single) };
    let questions = vec![question("nps", QuestionType::Scale), reason];
    Survey { name: "s".to_owned(), kind: SurveyKind::Nps.into(), questions, ..Survey::default() }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_an_open_survey_is_a_new_version_and_answers_keep_theirs(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let first = ground.open_of(tenant, two()).await;
    let (mut surveys, mut responses) = (ground.surveys(tenant), ground.responses(tenant));
    let old = SubmitResponseRequest {
        score: Some(3),
        ..answers(&first, vec![to("reason", Value::Choice("price".to_owned()))])
    };
    let old = responses.submit_response(old).await.expect("taken").into_inner();

    let renamed = surveys.update_survey(update(&first, &["name"], |survey| survey.name = "new".to_owned())).await;
    let renamed = renamed.expect("renamed").into_inner();
    assert_eq!((renamed.name.as_str(), renamed.version), ("new", 1), "its name is no part of what it asks");
    let changed = update(&renamed, &["questions"], |survey| {
        survey.questions.truncate(1);
        survey.questions.push(Question { required: true, ..question("why", QuestionType::Text) });
    });
    let second = surveys.update_survey(changed).await.expect("changed").into_inner();
    assert_eq!((second.version, second.state(), second.questions.len()), (2, SurveyState::Open, 2));
    assert_eq!(reason(surveys.update_survey(update(&first, &["name"], |_| {})).await), "STALE_ETAG");

    let read = GetSurveyRequest { survey_id: first.survey_id.clone(), version: 1, ..GetSurveyRequest::default() };
    let read = surveys.get_survey(read).await.expect("the old one").into_inner();
    assert_eq!((read.version, read.questions[1].question_id.as_str()), (1, "reason"));
    let none = GetSurveyRequest { survey_id: first.survey_id.clone(), version: 3, ..GetSurveyRequest::default() };
    assert_eq!(reason(surveys.get_survey(none).await), "RESOURCE_NOT_FOUND");

    // New answers are to the new version, unless the old one was shown; the old answer is corrected by its own.
    assert_eq!(fields(responses.submit_response(answer(&first, 3)).await), ["answers[\"why\"]"]);
    let gone = vec![to("reason", Value::Choice("price".to_owned())), to("why", Value::Text("w".to_owned()))];
    assert_eq!(fields(responses.submit_response(answers(&first, gone)).await), ["answers[0]"]);
    let shown = SubmitResponseRequest { survey_version: 1, ..answer(&first, 3) };
    assert_eq!(responses.submit_response(shown).await.expect("as shown").into_inner().survey_version, 1);
    let right = UpdateResponseRequest {
        response_id: old.response_id.clone(),
        answers: vec![to("reason", Value::Choice("staff".to_owned()))],
        ..UpdateResponseRequest::default()
    };
    let right = responses.update_response(right).await.expect("by version 1").into_inner();
    assert_eq!((right.survey_version, right.answers.len(), right.score), (1, 2, Some(3)));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_edit_breaks_what_was_published(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let mut made = two();
    made.questions.push(Question {
        scale: Some(Scale { min: 1, max: 5, ..Scale::default() }),
        measures: QuestionMeasure::Csat.into(),
        ..question("csat", QuestionType::Scale)
    });
    let first = ground.open_of(tenant, made).await;
    let mut surveys = ground.surveys(tenant);
    let broken = update(&first, &["questions", "kind", "anonymous", "party"], |survey| {
        survey.anonymous = true;
        survey.party = 4;
        survey.questions[1] = question("reason", QuestionType::Text);
        survey.questions[2].scale = Some(Scale { min: 1, max: 7, ..Scale::default() });
        survey.questions[2].top_box = 0;
    });
    let refused = surveys.update_survey(broken).await.expect_err("it would break answers");
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
    let mut named = fields::<()>(Err(refused.clone()));
    named.sort_unstable();
    let expected = ["survey.anonymous", "survey.party", "survey.questions[1].type", "survey.questions[2].scale"];
    assert_eq!(named, expected);
    assert_eq!(reason::<()>(Err(refused)), "INVALID_STATE");

    // Also where what is wanted would not be sound by itself.
    let otherwise = update(&first, &["kind", "anonymous", "party"], |survey| {
        (survey.kind, survey.anonymous, survey.party) = (SurveyKind::Tnps.into(), true, 4);
    });
    let rescaled = update(&first, &["questions"], |survey| {
        survey.questions[0].scale = Some(Scale { min: 1, max: 10, ..Scale::default() });
        survey.questions[1] = question("reason", QuestionType::Single);
        survey.questions[2].r#type = QuestionType::Text.into();
    });
    let scaled =
        update(&first, &["scale"], |survey| survey.scale = Some(Scale { min: 1, max: 10, ..Scale::default() }));
    for (broken, expected) in [
        (otherwise, vec!["survey.anonymous", "survey.kind", "survey.party"]),
        (rescaled, vec!["survey.questions[0].scale", "survey.questions[2].type"]),
        (scaled, vec!["survey.questions[0].scale"]),
    ] {
        let refused = surveys.update_survey(broken).await.expect_err("it would break answers");
        let mut named = fields::<()>(Err(refused.clone()));
        named.sort_unstable();
        assert_eq!(
            (refused.code(), named),
            (tonic::Code::FailedPrecondition, expected.iter().map(|it| (*it).to_owned()).collect())
        );
        assert_eq!(reason::<()>(Err(refused)), "INVALID_STATE");
    }

    // Also one that was left out meanwhile.
    let without = update(&first, &["questions"], |survey| survey.questions.truncate(1));
    let without = surveys.update_survey(without).await.expect("a question may go").into_inner();
    let back = update(&without, &["questions"], |survey| survey.questions.push(question("reason", QuestionType::Date)));
    assert_eq!(fields(surveys.update_survey(back).await), ["survey.questions[1].type"]);
    let read = GetSurveyRequest { survey_id: first.survey_id.clone(), ..GetSurveyRequest::default() };
    assert_eq!(surveys.get_survey(read).await.expect("there").into_inner().version, 2, "what was refused left nothing");

    let close = CloseSurveyRequest { survey_id: first.survey_id.clone(), ..CloseSurveyRequest::default() };
    let closed = surveys.close_survey(close).await.expect("closed").into_inner();
    let late = update(&closed, &["questions"], |survey| survey.questions.push(question("why", QuestionType::Text)));
    assert_eq!(reason(surveys.update_survey(late).await), "INVALID_STATE");
    let renamed = update(&closed, &["name"], |survey| survey.name = "kept".to_owned());
    assert_eq!(surveys.update_survey(renamed).await.expect("renamed").into_inner().name, "kept");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_changes_in_every_way_and_what_was_read_can_be_written_back(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let draft = ground.draft(tenant).await;
    let mut surveys = ground.surveys(tenant);
    let same = surveys.update_survey(update(&draft, &[], |_| {})).await.expect("as it is").into_inner();
    assert!(same.questions == draft.questions && same.version == 1 && same.etag != draft.etag);
    let other = update(&same, &["kind", "questions", "question", "scale"], |survey| {
        survey.kind = SurveyKind::Csat.into();
        survey.questions.clear();
        survey.question = "How content?".to_owned();
        survey.scale = Some(Scale { min: 1, max: 7, ..Scale::default() });
    });
    let other = surveys.update_survey(other).await.expect("a draft").into_inner();
    assert_eq!((other.kind(), other.version, other.question.as_str()), (SurveyKind::Csat, 1, "How content?"));
    assert_eq!(other.questions[0].top_box, 6);
    let asked = update(&other, &["question"], |survey| survey.question = "How happy?".to_owned());
    assert_eq!(surveys.update_survey(asked).await.expect("a draft").into_inner().questions[0].text, "How happy?");
    let wrong = update(&other, &["state", "kind"], |survey| survey.kind = 0);
    let mut refused = fields(surveys.update_survey(wrong).await);
    refused.sort_unstable();
    assert_eq!(refused, ["survey.kind", "update_mask.paths[0]"]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_survey_takes_its_responses_with_it_and_each_is_told_of(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open(tenant).await;
    let kept = ground.open(tenant).await;
    for _ in 0..3 {
        ground.responses(tenant).submit_response(answer(&survey, 4)).await.expect("taken");
    }
    ground.responses(tenant).submit_response(answer(&kept, 9)).await.expect("taken");
    let mut surveys = ground.surveys(tenant);
    let request_id = rapport_kernel::RequestId::new().to_string();
    let delete =
        DeleteSurveyRequest { request_id, survey_id: survey.survey_id.clone(), ..DeleteSurveyRequest::default() };
    assert_eq!(reason(surveys.delete_survey(delete.clone()).await), "INVALID_STATE", "it is open");
    let close = CloseSurveyRequest { survey_id: survey.survey_id.clone(), ..CloseSurveyRequest::default() };
    surveys.close_survey(close).await.expect("closed");
    let gone = surveys.delete_survey(delete.clone()).await.expect("deleted").into_inner();
    assert_eq!(gone.deleted_responses, 3);
    assert_eq!(surveys.delete_survey(delete).await.expect("the same request").into_inner(), gone);
    let get = GetSurveyRequest { survey_id: survey.survey_id.clone(), ..GetSurveyRequest::default() };
    assert_eq!(reason(surveys.get_survey(get).await), "RESOURCE_NOT_FOUND");
    let drop_off =
        GetSurveyDropOffRequest { survey_id: survey.survey_id.clone(), ..GetSurveyDropOffRequest::default() };
    assert_eq!(reason(surveys.get_survey_drop_off(drop_off).await), "RESOURCE_NOT_FOUND");
    let left =
        ground.responses(tenant).list_responses(ListResponsesRequest::default()).await.expect("a list").into_inner();
    assert_eq!(left.responses.len(), 1);
    let events = ground.reader().next(7).await;
    assert_eq!(events.iter().filter(|(event, state)| state.deleted && event.revision == 2).count(), 3);
    let read = GetResponseRequest { response_id: left.responses[0].response_id.clone() };
    assert!(ground.responses(tenant).get_response(read).await.is_ok());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn surveys_are_listed_by_kind_state_and_party(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    ground.draft(tenant).await;
    let open = ground.open(tenant).await;
    let staff = ground.open_of(tenant, Survey { party: 4, ..two() }).await;
    let list = async |request| {
        let page = ground.surveys(tenant).list_surveys(request).await.expect("a page").into_inner();
        page.surveys.into_iter().map(|survey| survey.survey_id).collect::<Vec<_>>()
    };
    let of = |state: SurveyState, kind: SurveyKind, party: i32| ListSurveysRequest {
        state: state.into(),
        kind: kind.into(),
        party,
        ..ListSurveysRequest::default()
    };
    let any = SurveyKind::Unspecified;
    assert_eq!(list(of(SurveyState::Open, any, 0)).await, [staff.survey_id.clone(), open.survey_id]);
    assert_eq!(list(of(SurveyState::Open, SurveyKind::Nps, 4)).await, [staff.survey_id]);
    assert_eq!(list(of(SurveyState::Draft, any, 0)).await.len(), 1);
    assert!(list(of(SurveyState::Unspecified, SurveyKind::Ces, 0)).await.is_empty());
}
