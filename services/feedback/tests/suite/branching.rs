//! Branching and skipping: what is shown depends on answers, hidden fields and what is known of the customer, and what is not
//! shown is neither required nor taken.

use rapport_api::feedback::v1::{
    Answer, Branch, GetQuestionnaireRequest, HiddenField, Question, QuestionType, SubmitResponseRequest, Survey,
    SurveyKind, UpdateResponseRequest, answer::Value,
};
use rapport_data::Engine;
use rapport_kernel::TenantId;
use rstest::rstest;

use crate::ground::{Ground, answer, fields};
use crate::questions::{answers, choices, custom, question, to};

fn words(id: &str) -> Answer {
    to(id, Value::Text("words".to_owned()))
}

/// Detractors are asked what went wrong, promoters what was good; who does not care goes to the end.
fn forked() -> Survey {
    let branch = |condition: &str, go_to: &str| Branch { condition: condition.to_owned(), go_to: go_to.to_owned() };
    let asked = |id: &str, show_if: &str| Question {
        required: true,
        show_if: show_if.to_owned(),
        ..question(id, QuestionType::Text)
    };
    let nps = Question {
        required: true,
        branches: vec![branch("answers.nps == 5", ""), branch("answers.nps >= 9", "good")],
        ..question("nps", QuestionType::Scale)
    };
    let bad = Question { show_if: "answers.nps <= 6".to_owned(), ..asked("bad", "") };
    let gold = asked("gold", "customer.traits.plan == 'gold'");
    let shop = asked("shop", "hidden.shop == '12' && touch.channel == 'web'");
    let after = asked("after", "has(answers.bad)");
    let questions = vec![nps, bad, after, asked("good", "answers.nps >= 9"), gold, shop];
    let hidden_fields = vec![HiddenField { name: "shop".to_owned(), values: Vec::new() }];
    Survey { name: "s".to_owned(), kind: SurveyKind::Nps.into(), questions, hidden_fields, ..Survey::default() }
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_shown_is_required_and_what_is_skipped_is_refused(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open_of(tenant, forked()).await;
    let refused =
        async |request: SubmitResponseRequest| fields(ground.responses(tenant).submit_response(request).await);
    let with = |score: i32, given: &[&str]| {
        let given = given.iter().map(|id| words(id)).collect();
        SubmitResponseRequest { score: Some(score), ..answers(&survey, given) }
    };
    assert_eq!(refused(with(3, &[])).await, ["answers[\"bad\"]"]);
    assert_eq!(refused(with(3, &["bad"])).await, ["answers[\"after\"]"]);
    assert_eq!(refused(with(3, &["bad", "good", "after", "shop"])).await, ["answers[1]", "answers[3]"]);
    assert_eq!(refused(with(9, &["bad", "good"])).await, ["answers[0]"], "the jump passes it over");
    assert_eq!(refused(with(5, &["good"])).await, ["answers[0]"], "the branch goes to the end");
    let taken = async |request| ground.responses(tenant).submit_response(request).await.expect("taken").into_inner();
    taken(with(3, &["bad", "after"])).await;
    taken(with(9, &["good"])).await;
    taken(with(5, &[])).await;
    taken(with(7, &[])).await;

    let hidden: std::collections::BTreeMap<_, _> = [("shop".to_owned(), "12".to_owned())].into();
    let of_shop = SubmitResponseRequest { channel: "web".to_owned(), hidden: hidden.clone(), ..with(7, &[]) };
    assert_eq!(refused(of_shop.clone()).await, ["answers[\"shop\"]"]);
    taken(SubmitResponseRequest { answers: vec![words("shop")], ..of_shop }).await;
    let unknown = SubmitResponseRequest { hidden: [("till".to_owned(), "1".to_owned())].into(), ..with(7, &[]) };
    assert_eq!(refused(unknown).await, ["hidden[\"till\"]"]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_known_of_the_customer_counts_as_it_was_when_the_response_began(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open_of(tenant, forked()).await;
    let (gold, tin) =
        (ground.profiles.customer_with(tenant, "plan", "gold"), ground.profiles.customer_with(tenant, "plan", "tin"));
    let of = |customer, score| SubmitResponseRequest { customer: Some(customer), ..answer(&survey, score) };
    let mut responses = ground.responses(tenant);
    assert_eq!(fields(responses.submit_response(of(gold.clone(), 7)).await), ["answers[\"gold\"]"]);
    responses.submit_response(of(tin, 7)).await.expect("nothing is asked of tin");
    let taken = SubmitResponseRequest { answers: vec![words("gold")], ..of(gold, 7) };
    let taken = responses.submit_response(taken).await.expect("taken").into_inner();
    // A correction is judged by what was known then: the answer stays in its place.
    let right =
        UpdateResponseRequest { response_id: taken.response_id, score: Some(8), ..UpdateResponseRequest::default() };
    let right = responses.update_response(right).await.expect("corrected").into_inner();
    assert_eq!((right.score, right.answers.len()), (Some(8), 2));
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_correction_takes_the_answers_with_it_that_the_branching_then_skips(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = ground.open_of(tenant, forked()).await;
    let request = SubmitResponseRequest { score: Some(2), ..answers(&survey, vec![words("bad"), words("after")]) };
    let mut responses = ground.responses(tenant);
    let taken = responses.submit_response(request).await.expect("taken").into_inner();
    let right = |score: i32, given: Vec<Answer>| UpdateResponseRequest {
        response_id: taken.response_id.clone(),
        score: Some(score),
        answers: given,
        ..UpdateResponseRequest::default()
    };
    assert_eq!(fields(responses.update_response(right(10, Vec::new())).await), ["answers[\"good\"]"]);
    let corrected = responses.update_response(right(10, vec![words("good")])).await.expect("corrected").into_inner();
    let held: Vec<_> = corrected.answers.iter().map(|answer| answer.question_id.as_str()).collect();
    assert_eq!(held, ["nps", "good"]);
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_orders_are_another_for_each_response_and_the_same_for_one(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut list = choices(&names);
    list.last_mut().expect("six").fixed = true;
    let pick = Question { choices: list, randomised: true, ..question("pick", QuestionType::Single) };
    let of_group = |id: &str| Question { shuffle_group: "g".to_owned(), ..question(id, QuestionType::Text) };
    let grouped = ["q1", "q2", "q3", "q4"].map(of_group);
    let survey = ground
        .open_of(tenant, custom([vec![pick], grouped.into(), vec![question("end", QuestionType::Text)]].concat()))
        .await;
    let mut responses = ground.responses(tenant);
    let mut orders = std::collections::BTreeSet::new();
    for _ in 0..12 {
        let begun = SubmitResponseRequest { partial: true, ..answers(&survey, Vec::new()) };
        let response_id = responses.submit_response(begun).await.expect("begun").into_inner().response_id;
        let asked = GetQuestionnaireRequest { response_id, ..GetQuestionnaireRequest::default() };
        let first = responses.get_questionnaire(asked.clone()).await.expect("asked").into_inner();
        assert!(responses.get_questionnaire(asked).await.expect("asked").into_inner() == first);
        let told = first.survey.expect("the survey");
        let shown: Vec<_> = told.questions[0].choices.iter().map(|choice| choice.choice_id.clone()).collect();
        let questions: Vec<_> = told.questions.iter().map(|question| question.question_id.clone()).collect();
        assert_eq!((shown[5].as_str(), questions[0].as_str(), questions[5].as_str()), ("f", "pick", "end"));
        assert_eq!(questions, first.shown);
        let mut sorted = shown.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, names);
        orders.insert((shown, questions));
    }
    assert!(orders.len() > 6, "twelve of 5! × 4! orders: {}", orders.len());
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_named_beside_what_is_wrong_unless_that_decides_whether_it_is_asked(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let required = |id: &str, kind| Question { required: true, ..question(id, kind) };
    let single = Question { choices: choices(&["a", "b"]), ..required("ch", QuestionType::Single) };
    let aside = Question { show_if: "answers.ch == 'a'".to_owned(), ..required("rests", QuestionType::Text) };
    let more = Question { show_if: "has(answers.rests)".to_owned(), ..required("more", QuestionType::Text) };
    let shop = Question { show_if: "hidden.shop == '12'".to_owned(), ..required("shop", QuestionType::Text) };
    let jumps = Question {
        branches: vec![Branch { condition: "answers.jumps == 1".to_owned(), go_to: "last".to_owned() }],
        scale: Some(rapport_api::feedback::v1::Scale { min: 1, max: 5, ..Default::default() }),
        measures: rapport_api::feedback::v1::QuestionMeasure::Scale.into(),
        ..question("jumps", QuestionType::Scale)
    };
    let (over, last) = (required("over", QuestionType::Text), required("last", QuestionType::Text));
    let questions = vec![required("first", QuestionType::Text), single, aside, more, shop, jumps, over, last];
    let hidden_fields = vec![HiddenField { name: "shop".to_owned(), values: vec!["12".to_owned(), "13".to_owned()] }];
    let survey = ground.open_of(tenant, Survey { hidden_fields, ..custom(questions) }).await;
    let refused = async |shop: &str, given: Vec<Answer>| {
        let hidden = [("shop".to_owned(), shop.to_owned())].into();
        let request = SubmitResponseRequest { hidden, ..answers(&survey, given) };
        let mut named = fields(ground.responses(tenant).submit_response(request).await);
        named.sort_unstable();
        named
    };
    let chosen = |choice: &str| to("ch", Value::Choice(choice.to_owned()));
    let missing = |names: &[&str]| names.iter().map(|name| format!("answers[\"{name}\"]")).collect::<Vec<_>>();
    assert_eq!(refused("13", vec![]).await, missing(&["ch", "first", "last", "over"]));
    // What is shown by an answer that is wrong is not known; all else is.
    let all = |wrong: &[&str], names: &[&str]| {
        let wrong = wrong.iter().map(|field| (*field).to_owned());
        let mut all: Vec<_> = wrong.chain(missing(names)).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(refused("13", vec![chosen("z")]).await, all(&["answers[0]"], &["first", "last", "over"]));
    assert_eq!(refused("12", vec![chosen("z")]).await, all(&["answers[0]"], &["first", "last", "over", "shop"]));
    let shop = refused("14", vec![chosen("a")]).await;
    assert_eq!(shop, all(&["hidden[\"shop\"]"], &["first", "last", "over", "rests"]));
    let jumped = refused("13", vec![chosen("b"), to("jumps", Value::Number(9))]).await;
    assert_eq!(jumped, all(&["answers[1]"], &["first", "last"]));
    let unknown = refused("13", vec![words("nothing"), words("first"), words("first")]).await;
    assert_eq!(unknown, all(&["answers[0]", "answers[2]"], &["ch", "last", "over"]));
}
