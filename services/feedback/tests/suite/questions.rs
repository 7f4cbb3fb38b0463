//! What surveys may ask: the usual questions of each kind, every type of question, and every broken rule named.

use rapport_api::feedback::v1::{
    Answer, Asking, Choice, ChoiceList, CreateSurveyRequest, GetSurveyRequest, HiddenField, ListStatementsRequest,
    MatrixAnswer, Question, QuestionMeasure, QuestionType, Scale, SubmitResponseRequest, Survey, SurveyKind,
    UpdateSurveyRequest, answer::Value,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::ground::{Ground, answer, fields, reason};

/// A question of a type.
pub fn question(id: &str, kind: QuestionType) -> Question {
    Question { question_id: id.to_owned(), r#type: kind.into(), text: format!("{id}?"), ..Question::default() }
}

/// Choices of these names.
pub fn choices(names: &[&str]) -> Vec<Choice> {
    let choice = |name: &&str| Choice { choice_id: (*name).to_owned(), text: (*name).to_owned(), ..Choice::default() };
    names.iter().map(choice).collect()
}

/// A survey of its own questions.
pub fn custom(questions: Vec<Question>) -> Survey {
    Survey { name: "Own".to_owned(), kind: SurveyKind::Custom.into(), questions, ..Survey::default() }
}

/// An answer.
pub fn to(id: &str, value: Value) -> Answer {
    Answer { question_id: id.to_owned(), value: Some(value), ..Answer::default() }
}

/// Answers to a survey.
pub fn answers(survey: &Survey, answers: Vec<Answer>) -> SubmitResponseRequest {
    SubmitResponseRequest { survey_id: survey.survey_id.clone(), answers, ..SubmitResponseRequest::default() }
}

fn several(names: &[&str]) -> Value {
    Value::Choices(ChoiceList { choices: names.iter().map(|name| (*name).to_owned()).collect() })
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_has_its_usual_questions_scale_and_direction(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let points = |max: i32| Some(Scale { min: 1, max, ..Scale::default() });
    let usual = [
        (SurveyKind::Nps, None, ("nps", 0, 10, false, 0)),
        (SurveyKind::Tnps, None, ("tnps", 0, 10, false, 0)),
        (SurveyKind::Csat, None, ("csat", 1, 5, false, 4)),
        (SurveyKind::Csat, points(3), ("csat", 1, 3, false, 3)),
        (SurveyKind::Csat, points(4), ("csat", 1, 4, false, 3)),
        (SurveyKind::Csat, points(7), ("csat", 1, 7, false, 6)),
        (SurveyKind::Csat, points(10), ("csat", 1, 10, false, 8)),
        (SurveyKind::Ces, None, ("ces", 1, 7, false, 0)),
        (SurveyKind::Ces, points(5), ("ces", 1, 5, true, 0)),
        (
            SurveyKind::Ces,
            Some(Scale { min: 1, max: 5, reversed: Some(true), ..Scale::default() }),
            ("ces", 1, 5, true, 0),
        ),
        (SurveyKind::Csi, None, ("csi", 1, 10, false, 0)),
    ];
    for (kind, scale, (name, min, max, reversed, top_box)) in usual {
        let survey =
            Survey { name: "s".to_owned(), kind: kind.into(), question: "How?".to_owned(), scale, ..Survey::default() };
        let survey = ground.open_of(tenant, survey).await;
        assert_eq!((survey.question.as_str(), survey.version), ("How?", 1));
        let request = SubmitResponseRequest { comment: "Because".to_owned(), ..answer(&survey, max) };
        let request = if kind == SurveyKind::Csi {
            let rest = ["expectations", "ideal"].map(|id| to(id, Value::Number(8)));
            SubmitResponseRequest { answers: rest.into(), ..request }
        } else {
            request
        };
        let taken = ground.responses(tenant).submit_response(request).await.expect("taken").into_inner();
        assert_eq!((taken.score, taken.comment.as_str(), taken.kind()), (Some(max), "Because", kind));
        let first = &taken.measures[0];
        let found = (first.kind.as_str(), first.scale_min, first.scale_max, first.reversed, first.top_box);
        assert_eq!(found, (name, min, max, reversed, top_box));
        if kind == SurveyKind::Csi {
            let weights: Vec<_> = taken.measures.iter().map(|measure| measure.weight).collect();
            assert_eq!(weights, [1.0 / 3.0; 3]);
        }
        for wrong in [min - 1, max + 1].into_iter().filter(|wrong| (0..=10).contains(wrong)) {
            let refused = fields(ground.responses(tenant).submit_response(answer(&survey, wrong)).await);
            assert!(refused.contains(&"score".to_owned()), "{kind:?} {wrong}: {refused:?}");
        }
    }
}

/// A survey with a question of each type.
fn of_all_types() -> Survey {
    let scale = |min, max| Some(Scale { min, max, ..Scale::default() });
    let with = |id: &str, kind, names: &[&str]| Question { choices: choices(names), ..question(id, kind) };
    let mut solved = question("solved", QuestionType::Single);
    solved.measures = QuestionMeasure::Fcr.into();
    let mut expected = question("expected", QuestionType::Single);
    expected.measures = QuestionMeasure::Expectation.into();
    let mut found = question("found", QuestionType::Statement);
    (found.statement, found.text) = ("answer_not_understood".to_owned(), String::new());
    custom(vec![
        Question { scale: scale(-3, 3), ..question("mood", QuestionType::Scale) },
        Question { other: true, ..with("reason", QuestionType::Single, &["price", "staff"]) },
        Question { min_choices: 2, max_choices: 3, ..with("topics", QuestionType::Multiple, &["a", "b", "c", "d"]) },
        Question { max_length: 10, ..question("why", QuestionType::Text) },
        Question { rows: choices(&["shop", "site"]), ..with("seen", QuestionType::Matrix, &["often", "never"]) },
        Question { rows: choices(&["shop", "site"]), scale: scale(1, 5), ..question("rated", QuestionType::Matrix) },
        with("order", QuestionType::Ranking, &["x", "y", "z"]),
        question("day", QuestionType::Date),
        found,
        solved,
        expected,
    ])
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_of_question_is_answered_in_its_own_way_and_measured(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open_of(tenant, of_all_types()).await;
    let rows = |pairs: [(&str, &str); 2]| pairs.map(|(row, choice)| (row.to_owned(), choice.to_owned())).into();
    let other = Answer { other: "the weather".to_owned(), ..to("reason", Value::Choice("other".to_owned())) };
    let seen = MatrixAnswer { choices: rows([("shop", "often"), ("site", "never")]), ..MatrixAnswer::default() };
    let rated = MatrixAnswer { numbers: [("site".to_owned(), 2)].into(), ..MatrixAnswer::default() };
    let given = vec![
        to("mood", Value::Number(-3)),
        other,
        to("topics", several(&["d", "a"])),
        to("why", Value::Text("ten chars.".to_owned())),
        to("seen", Value::Matrix(seen)),
        to("rated", Value::Matrix(rated)),
        to("order", several(&["z", "x", "y"])),
        to("day", Value::Date("2024-02-29".to_owned())),
        to("found", Value::Number(4)),
        to("solved", Value::Choice("yes".to_owned())),
        to("expected", Value::Choice("worse".to_owned())),
    ];
    let taken =
        ground.responses(tenant).submit_response(answers(&survey, given.clone())).await.expect("sound").into_inner();
    let mut expected = given;
    expected[2] = to("topics", several(&["a", "d"]));
    assert!(taken.answers == expected, "as given, a set in the order of its question");
    let told: Vec<_> = taken.measures.iter().map(|of| (of.kind.as_str(), of.question.as_str(), of.value)).collect();
    let measured = [
        ("scale", "mood", -3),
        ("scale", "rated.site", 2),
        ("statement", "found", 4),
        ("fcr", "solved", 1),
        ("expectation", "expected", 1),
    ];
    assert_eq!(told, measured);
    let statement = &taken.measures[2];
    assert_eq!((statement.stage.as_str(), statement.statement.as_str()), ("service", "answer_not_understood"));
    assert!(statement.reversed, "agreeing with it is bad");
    assert_eq!((taken.score, taken.comment.as_str()), (None, "ten chars."));

    let wrong = vec![
        to("mood", Value::Number(4)),
        to("reason", Value::Choice("weather".to_owned())),
        to("topics", several(&["a"])),
        to("why", Value::Text("eleven char".to_owned())),
        to(
            "seen",
            Value::Matrix(MatrixAnswer {
                choices: rows([("shop", "often"), ("street", "never")]),
                ..MatrixAnswer::default()
            }),
        ),
        to(
            "rated",
            Value::Matrix(MatrixAnswer { numbers: [("site".to_owned(), 6)].into(), ..MatrixAnswer::default() }),
        ),
        to("order", several(&["z", "w"])),
        to("day", Value::Date("2023-02-29".to_owned())),
        to("found", Value::Choice("yes".to_owned())),
        Answer { other: "words".to_owned(), ..to("solved", Value::Choice("yes".to_owned())) },
        to("nothing", Value::Number(1)),
        to("mood", Value::Number(1)),
    ];
    let refused = fields(ground.responses(tenant).submit_response(answers(&survey, wrong)).await);
    let all: Vec<String> = (0..12).map(|place| format!("answers[{place}]")).collect();
    assert_eq!(refused, all, "each is named in one answer");
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_broken_rule_of_a_survey_is_named_in_one_answer(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let scale = |min, max| Some(Scale { min, max, ..Scale::default() });
    let mut late = question("late", QuestionType::Text);
    late.show_if = "answers.later == 1 || answers.nps > 'x'".to_owned();
    let mut back = question("back", QuestionType::Text);
    back.branches = vec![rapport_api::feedback::v1::Branch { condition: "true".to_owned(), go_to: "late".to_owned() }];
    let survey = Survey {
        kind: SurveyKind::Nps.into(),
        questions: vec![
            Question {
                scale: scale(1, 10),
                measures: QuestionMeasure::Nps.into(),
                ..question("nps", QuestionType::Scale)
            },
            question("single", QuestionType::Single),
            late,
            back,
            Question { scale: scale(1, 7), ..question("single", QuestionType::Scale) },
            Question { text: String::new(), ..question("own", QuestionType::Statement) },
            Question { choices: choices(&["other", "b"]), ..question("rank", QuestionType::Ranking) },
            question("matrix", QuestionType::Matrix),
        ],
        ..Survey::default()
    };
    let request = CreateSurveyRequest { survey: Some(survey), ..CreateSurveyRequest::default() };
    let mut refused = fields(ground.surveys(tenant).create_survey(request).await);
    refused.sort_unstable();
    refused.dedup();
    let at = |place: usize, field: &str| format!("survey.questions[{place}].{field}");
    let mut expected = vec![
        "survey.name".to_owned(),
        at(0, "scale"),
        at(1, "choices"),
        at(2, "show_if"),
        at(3, "branches[0].go_to"),
        at(4, "question_id"),
        at(5, "text"),
        at(6, "choices[0].choice_id"),
        at(7, "choices"),
        at(7, "rows"),
    ];
    expected.sort_unstable();
    assert_eq!(refused, expected);
    let empty = CreateSurveyRequest { survey: Some(custom(Vec::new())), ..CreateSurveyRequest::default() };
    assert_eq!(fields(ground.surveys(tenant).create_survey(empty).await), ["survey.questions"]);
    let none = Survey { name: "s".to_owned(), kind: SurveyKind::Csat.into(), ..Survey::default() };
    let none = CreateSurveyRequest { survey: Some(none), ..CreateSurveyRequest::default() };
    assert_eq!(fields(ground.surveys(tenant).create_survey(none).await), ["survey.question"]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_contract_and_what_the_survey_itself_forbids_is_named_at_once(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let asking = Asking {
        quota: -1,
        reminders: [3_600, 7_200].map(|seconds| prost_types::Duration { seconds, nanos: 0 }).to_vec(),
        expire_after: Some(prost_types::Duration { seconds: 7_200, nanos: 0 }),
        ..Asking::default()
    };
    let mut reads = question("reads", QuestionType::Text);
    reads.show_if = "answers.untyped <= 6".to_owned();
    let broken = Survey {
        name: "x".repeat(201),
        anonymous: true,
        hidden_fields: vec![HiddenField { name: "shop".to_owned(), values: Vec::new() }],
        questions: vec![
            Question { r#type: 0, choices: choices(&["only"]), ..question("untyped", QuestionType::Text) },
            reads,
            question("single", QuestionType::Single),
            Question { hint: "x".repeat(1_001), max_length: 9, ..question("date", QuestionType::Date) },
        ],
        asking: Some(asking),
        ..Survey::default()
    };
    let mut expected: Vec<String> = [
        "survey.asking.quota",
        "survey.asking.reminders[1]",
        "survey.hidden_fields[0].values",
        "survey.kind",
        "survey.name",
        "survey.questions[0].type",
        "survey.questions[2].choices",
        "survey.questions[3].hint",
        "survey.questions[3].max_length",
    ]
    .map(str::to_owned)
    .into();
    let request = CreateSurveyRequest { survey: Some(broken.clone()), ..CreateSurveyRequest::default() };
    let mut refused = fields(ground.surveys(tenant).create_survey(request).await);
    refused.sort_unstable();
    assert_eq!(refused, expected);
    // Where there are no questions, what else there is has its say.
    let none = Survey { name: "s".to_owned(), kind: SurveyKind::Csat.into(), questions: Vec::new(), ..broken.clone() };
    let request = CreateSurveyRequest { survey: Some(none), ..CreateSurveyRequest::default() };
    let mut refused = fields(ground.surveys(tenant).create_survey(request).await);
    refused.sort_unstable();
    let some = ["asking.quota", "asking.reminders[1]", "hidden_fields[0].values", "question"];
    assert_eq!(refused, some.map(|field| format!("survey.{field}")));

    // A change is judged by the survey it is of; where there is none, as far as it can be.
    let draft = ground.draft(tenant).await;
    let update_mask = ["name", "kind", "anonymous", "hidden_fields", "questions", "asking", "nothing"];
    let update_mask = prost_types::FieldMask { paths: update_mask.map(str::to_owned).into() };
    let update = |survey_id: &str| UpdateSurveyRequest {
        survey: Some(Survey { survey_id: survey_id.to_owned(), ..broken.clone() }),
        update_mask: Some(update_mask.clone()),
        ..UpdateSurveyRequest::default()
    };
    expected.push("update_mask.paths[6]".to_owned());
    let mut refused = fields(ground.surveys(tenant).update_survey(update(&draft.survey_id)).await);
    refused.sort_unstable();
    assert_eq!(refused, expected);
    let nowhere = fields(ground.surveys(tenant).update_survey(update(&TenantId::new().to_string())).await);
    assert!(nowhere.iter().all(|field| expected.contains(field)) && nowhere.len() >= 5, "{nowhere:?}");
    let request = GetSurveyRequest { survey_id: draft.survey_id.clone(), ..GetSurveyRequest::default() };
    assert_eq!(ground.surveys(tenant).get_survey(request).await.expect("there").into_inner(), draft);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_survey_is_told_in_the_language_asked_for_or_the_next_best(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let translated =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(tag, text)| ((*tag).to_owned(), (*text).to_owned())).collect();
    let mut asked = question("nps", QuestionType::Scale);
    asked.translations = translated(&[("fa", "چقدر؟"), ("ru", "Насколько?")]);
    let mut found = question("found", QuestionType::Statement);
    (found.statement, found.text) = ("found_information".to_owned(), String::new());
    let survey = Survey {
        name: "s".to_owned(),
        kind: SurveyKind::Nps.into(),
        questions: vec![asked, found],
        ..Survey::default()
    };
    let survey = ground.open_of(tenant, survey).await;
    assert_eq!(survey.languages, ["en", "fa", "ru"], "Romanian is only in the library");
    for (asked, told) in [("fa-IR", "fa"), ("RU", "ru"), ("ro", "en"), ("de-AT", "en"), ("en-GB", "en"), ("", "")] {
        let request = GetSurveyRequest {
            survey_id: survey.survey_id.clone(),
            language: asked.to_owned(),
            ..GetSurveyRequest::default()
        };
        let survey = ground.surveys(tenant).get_survey(request).await.expect("there").into_inner();
        assert_eq!(survey.language, told, "{asked}");
    }
    let told = async |language: &str| {
        let request = GetSurveyRequest {
            survey_id: survey.survey_id.clone(),
            language: language.to_owned(),
            ..GetSurveyRequest::default()
        };
        let told = ground.surveys(tenant).get_survey(request).await.expect("there").into_inner();
        assert!(told.questions.iter().all(|question| question.translations.is_empty()));
        (told.questions[0].text.clone(), told.questions[1].text.clone())
    };
    assert_eq!(told("fa-IR").await.0, "چقدر؟");
    assert_eq!(told("ru").await.1, "Легко нашел необходимую информацию. Все понятно и доступно");
    let (default, library) = told("ro").await;
    assert_eq!(default, "nps?", "what is not translated is told in the default language");
    assert!(library.starts_with("Am găsit ușor"));
    assert_eq!(told("de").await.0, "nps?");
}

#[tokio::test]
async fn the_library_of_statements_is_in_four_languages_with_stage_and_polarity() {
    let (ground, tenant) = (Ground::new(Engine::Sqlite).await, TenantId::new());
    let list =
        async |request| ground.surveys(tenant).list_statements(request).await.expect("a list").into_inner().statements;
    let all = list(ListStatementsRequest::default()).await;
    assert!(all.len() >= 10);
    assert!(all.iter().all(|one| ["en", "ru", "fa", "ro"].iter().all(|tag| !one.translations[*tag].is_empty())));
    assert!(all.iter().all(|one| !one.stage.is_empty() && !one.metrics.is_empty()));
    let negative: Vec<_> = all.iter().filter(|one| one.negative).map(|one| one.statement.as_str()).collect();
    assert!(negative.contains(&"answer_not_understood") && !negative.contains(&"fully_solved"));
    let service = list(ListStatementsRequest { stage: "service".to_owned(), language: "ru".to_owned() }).await;
    assert!(service.iter().any(|one| one.text == "Мой вопрос решен на 100%" && one.translations.is_empty()));
    assert!(service.iter().all(|one| one.stage == "service"));
    let unknown = GetSurveyRequest { survey_id: TenantId::new().to_string(), ..GetSurveyRequest::default() };
    assert_eq!(reason(ground.surveys(tenant).get_survey(unknown).await), "RESOURCE_NOT_FOUND");
}
