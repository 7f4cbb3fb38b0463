//! The drop-off of a survey: how many reached each question, answered it and left at it, after any history of the responses.

use std::time::Duration;

use rapport_api::feedback::v1::{
    Answer, DeleteResponseRequest, GetSurveyDropOffRequest, Question, QuestionType, SubmitResponseRequest, Survey,
    SurveyDropOff, UpdateResponseRequest, answer::Value,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::ground::{Ground, fields};
use crate::questions::{answers, custom, question, to};

async fn drop_off(ground: &Ground, tenant: TenantId, survey: &Survey) -> SurveyDropOff {
    let request = GetSurveyDropOffRequest { survey_id: survey.survey_id.clone(), ..GetSurveyDropOffRequest::default() };
    ground.surveys(tenant).get_survey_drop_off(request).await.expect("counted").into_inner()
}

fn counted(of: &SurveyDropOff) -> Vec<(&str, i64, i64, i64)> {
    of.questions.iter().map(|step| (step.question_id.as_str(), step.reached, step.answered, step.left)).collect()
}

fn words(ids: &[&str]) -> Vec<Answer> {
    ids.iter().map(|id| to(id, Value::Text((*id).to_owned()))).collect()
}

fn times(of: &[(&str, i64)]) -> std::collections::BTreeMap<String, prost_types::Duration> {
    let time = |millis: i64| prost_types::Duration {
        seconds: millis / 1_000,
        nanos: i32::try_from(millis % 1_000).expect("small") * 1_000_000,
    };
    of.iter().map(|(id, millis)| ((*id).to_owned(), time(*millis))).collect()
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_far_respondents_came_is_exact_after_corrections_and_deletions(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let skipped = Question { show_if: "has(answers.a)".to_owned(), ..question("b", QuestionType::Text) };
    let asked = vec![
        question("a", QuestionType::Text),
        skipped,
        question("c", QuestionType::Text),
        question("d", QuestionType::Text),
    ];
    let survey = ground.open_of(tenant, custom(asked)).await;
    let mut responses = ground.responses(tenant);
    let partial = |ids: &[&str]| SubmitResponseRequest { partial: true, ..answers(&survey, words(ids)) };
    let whole =
        SubmitResponseRequest { times: times(&[("a", 1_000), ("c", 500)]), ..answers(&survey, words(&["a", "c"])) };
    let whole = responses.submit_response(whole).await.expect("taken").into_inner();
    let begun = responses.submit_response(partial(&[])).await.expect("begun").into_inner();
    let two = SubmitResponseRequest { times: times(&[("a", 3_000)]), ..partial(&["a", "b"]) };
    responses.submit_response(two).await.expect("begun");
    let looked = SubmitResponseRequest { times: times(&[("d", 2_000)]), ..partial(&["c"]) };
    responses.submit_response(looked).await.expect("begun");
    let test = SubmitResponseRequest { is_test: true, ..partial(&["a"]) };
    responses.submit_response(test).await.expect("begun");

    let first = drop_off(&ground, tenant, &survey).await;
    assert_eq!((first.started, first.completed, first.median_milliseconds), (4, 1, None));
    assert_eq!(counted(&first), [("a", 4, 2, 1), ("b", 2, 1, 0), ("c", 3, 2, 1), ("d", 2, 0, 1)]);
    let medians: Vec<_> = first.questions.iter().map(|step| (step.median_milliseconds, step.timed)).collect();
    assert_eq!(medians, [(Some(2_000), 2), (None, 0), (Some(500), 1), (Some(2_000), 1)]);

    ground.clock.advance(Duration::from_secs(30));
    let on = SubmitResponseRequest { response_id: begun.response_id, ..answers(&survey, words(&["c"])) };
    responses.submit_response(on).await.expect("completed");
    let right = UpdateResponseRequest {
        response_id: whole.response_id.clone(),
        answers: vec![Answer { question_id: "a".to_owned(), ..Answer::default() }],
        ..UpdateResponseRequest::default()
    };
    responses.update_response(right).await.expect("taken back");
    let second = drop_off(&ground, tenant, &survey).await;
    assert_eq!((second.started, second.completed, second.median_milliseconds), (4, 2, Some(30_000)));
    assert_eq!(counted(&second), [("a", 4, 1, 0), ("b", 1, 1, 0), ("c", 4, 3, 1), ("d", 3, 0, 1)]);
    let delete = DeleteResponseRequest { response_id: whole.response_id, ..DeleteResponseRequest::default() };
    responses.delete_response(delete).await.expect("deleted");
    let third = drop_off(&ground, tenant, &survey).await;
    assert_eq!(counted(&third), [("a", 3, 1, 0), ("b", 1, 1, 0), ("c", 3, 2, 1), ("d", 2, 0, 1)]);
    let backwards = |start_time, end_time| GetSurveyDropOffRequest {
        survey_id: survey.survey_id.clone(),
        start_time: Some(prost_types::Timestamp { seconds: start_time, nanos: 0 }),
        end_time: Some(prost_types::Timestamp { seconds: end_time, nanos: 0 }),
        ..GetSurveyDropOffRequest::default()
    };
    assert_eq!(fields(ground.surveys(tenant).get_survey_drop_off(backwards(10, 9)).await), ["end_time"]);
    let none = ground.surveys(tenant).get_survey_drop_off(backwards(10, 10)).await.expect("counted").into_inner();
    assert_eq!(none.started, 0);
    let wrong = SubmitResponseRequest { times: times(&[("x", 1), ("a", 86_400_001)]), ..partial(&[]) };
    let mut refused = fields(responses.submit_response(wrong).await);
    refused.sort_unstable();
    assert_eq!(refused, ["times[\"a\"]", "times[\"x\"]"]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_of_a_question_is_told_by_quartiles_and_of_nobody_to_the_second(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    for anonymous in [false, true] {
        let asked = vec![question("a", QuestionType::Text), question("b", QuestionType::Text)];
        let survey = ground.open_of(tenant, Survey { anonymous, ..custom(asked) }).await;
        let mut responses = ground.responses(tenant);
        let mut held = Vec::new();
        for millis in [40_100, 9_700, 29_600, 20_400] {
            let begun = SubmitResponseRequest {
                partial: true,
                times: times(&[("a", millis)]),
                ..answers(&survey, words(&["a"]))
            };
            let begun = responses.submit_response(begun).await.expect("begun").into_inner();
            // What is told more of a question adds to it; none of another is none.
            let on = SubmitResponseRequest {
                response_id: begun.response_id,
                times: times(&[("a", 200), ("b", 0)]),
                ..answers(&survey, Vec::new())
            };
            held.push(responses.submit_response(on).await.expect("taken").into_inner().times["a"]);
        }
        let time = |time: &prost_types::Duration| time.seconds * 1_000 + i64::from(time.nanos) / 1_000_000;
        let held: Vec<i64> = held.iter().map(time).collect();
        let told = drop_off(&ground, tenant, &survey).await;
        let quartiles = |at: usize| {
            let step = &told.questions[at];
            let [lower, upper] = [step.lower_quartile_milliseconds, step.upper_quartile_milliseconds];
            (lower, step.median_milliseconds, upper, step.timed)
        };
        if anonymous {
            assert_eq!(held, [40_000, 10_000, 30_000, 20_000], "whole seconds");
            assert_eq!(quartiles(0), (Some(17_500), Some(25_000), Some(32_500), 4));
        } else {
            assert_eq!(held, [40_300, 9_900, 29_800, 20_600]);
            assert_eq!(quartiles(0), (Some(17_925), Some(25_200), Some(32_425), 4));
        }
        assert_eq!(quartiles(1), (None, None, None, 0));
        let short = SubmitResponseRequest { times: times(&[("b", 3)]), ..answers(&survey, Vec::new()) };
        let short = responses.submit_response(short).await.expect("taken").into_inner();
        assert_eq!(time(&short.times["b"]), if anonymous { 1_000 } else { 3 }, "no time is not the same as none known");
        // However often it is told, nobody spent more than a day on one.
        let mut last = None;
        for _ in 0..3 {
            let begun = SubmitResponseRequest {
                partial: true,
                response_id: last.clone().unwrap_or_default(),
                times: times(&[("b", 86_400_000)]),
                ..answers(&survey, Vec::new())
            };
            let begun = responses.submit_response(begun).await.expect("begun").into_inner();
            assert_eq!(time(&begun.times["b"]), 86_400_000);
            last = Some(begun.response_id);
        }
    }
}
