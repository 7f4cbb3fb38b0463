//! What respondents do, who have no key and no script: they answer by a link, go on later, want to be asked no more, and erase
//! what they said without a name.

use std::time::Duration;

use rapport_api::common::v1::Identifier;
use rapport_api::feedback::v1::answer::Value;
use rapport_api::feedback::v1::response_service_client::ResponseServiceClient;
use rapport_api::feedback::v1::survey_service_client::SurveyServiceClient;
use rapport_api::feedback::v1::{
    Asking, CheckEligibilityRequest, GetSurveyDropOffRequest, Invitation, InviteCustomerRequest, ListResponsesRequest,
    NotInvitedReason, Question, QuestionType, Response, ResponseState, Survey, SurveyKind,
};
use rapport_api::profiles::v1::IdentifyRequest;
use rapport_api::profiles::v1::profile_service_client::ProfileServiceClient;
use rapport_harness::Browser;
use rapport_tests::{Client, Shape, Suite};

use super::{by, opened, total, until};

fn question(id: &str, kind: QuestionType, text: &str, persian: &str) -> Question {
    Question {
        question_id: id.to_owned(),
        r#type: kind.into(),
        text: text.to_owned(),
        translations: [("fa".to_owned(), persian.to_owned())].into(),
        ..Question::default()
    }
}

/// An open survey: a figure, and, where it is low, why.
async fn survey(client: &Client, anonymous: bool) -> String {
    let survey = Survey {
        name: "asked".to_owned(),
        kind: SurveyKind::Nps.into(),
        anonymous,
        questions: vec![
            Question {
                required: true, ..question("nps", QuestionType::Scale, "How likely?", "چقدر احتمال دارد؟")
            },
            Question {
                required: true,
                show_if: "answers.nps <= 6".to_owned(),
                ..question("why", QuestionType::Text, "Why?", "چرا؟")
            },
        ],
        asking: Some(Asking { channels: vec!["email".to_owned()], ..Asking::default() }),
        ..Survey::default()
    };
    opened(client, survey).await
}

async fn invited(client: &Client, survey_id: &str, email: &str) -> Invitation {
    let request = IdentifyRequest {
        source: "crm".into(),
        external_id: email.into(),
        identifiers: vec![Identifier { namespace: "email".into(), value: email.into() }],
        ..IdentifyRequest::default()
    };
    ProfileServiceClient::new(client.clone()).identify(request).await.expect("identified");
    let request = InviteCustomerRequest {
        survey_id: survey_id.to_owned(),
        customer: Some(by("email", email)),
        ..InviteCustomerRequest::default()
    };
    let answer = SurveyServiceClient::new(client.clone()).invite_customer(request).await.expect("judged").into_inner();
    answer.invitation.unwrap_or_else(|| panic!("not invited: {}", answer.reason))
}

async fn responses(client: &Client, survey_id: &str) -> Vec<Response> {
    let request = ListResponsesRequest { survey_id: survey_id.to_owned(), ..ListResponsesRequest::default() };
    ResponseServiceClient::new(client.clone()).list_responses(request).await.expect("listed").into_inner().responses
}

/// All is logged, so that what must not be in the log is looked for in all of it; and one answer is not withheld.
const SETTINGS: [(&str, &str); 2] =
    [("telemetry.filter", "info,rapport=trace"), ("metrics.suppression_threshold", "0")];

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_answers_by_a_link_and_then_wants_to_be_asked_no_more() {
    answers_and_leaves(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_answers_by_a_link_and_then_wants_to_be_asked_no_more_in_production() {
    answers_and_leaves(Shape::Production).await;
}

async fn answers_and_leaves(shape: Shape) {
    let suite = Suite::start_with(shape, &SETTINGS);
    let client = suite.client().await;
    let survey_id = survey(&client, false).await;
    let token = invited(&client, &survey_id, "anna@example.com").await.token;
    let (browser, at) = (Browser::at(&suite.address, "fa-IR,fa;q=0.9"), format!("/survey/{token}"));
    let page = browser.get(&at);
    assert!(page.says("<html lang=\"fa\" dir=\"rtl\">") && page.says("چقدر احتمال دارد؟"), "{}", page.body);
    tokio::time::sleep(Duration::from_millis(5)).await;
    let page = browser.fill(&at, &page, &[("go", "next"), ("q-nps", "۴")]);
    assert!(page.says("چرا؟"), "{}", page.body);
    let held = responses(&client, &survey_id).await;
    assert_eq!((held.len(), held[0].state(), held[0].score), (1, ResponseState::Partial, Some(4)));
    // Later, on another machine: the answer is gone on with, in its own language.
    let browser = Browser::at(&suite.address, "en");
    let page = browser.get(&at);
    assert!(page.says("چرا؟"), "{}", page.body);
    tokio::time::sleep(Duration::from_millis(5)).await;
    let page = browser.fill(&at, &page, &[("go", "next"), ("q-why", "گران بود")]);
    assert_eq!(page.status, 200, "{}", page.body);
    let held = responses(&client, &survey_id).await;
    assert_eq!((held.len(), held[0].state(), held[0].language.as_str()), (1, ResponseState::Complete, "fa"));
    assert_eq!(held[0].comment, "گران بود");
    assert!(held[0].answers.iter().any(|answer| answer.value == Some(Value::Number(4))));
    until("the answer counts", || async { total(&client, "nps").await == (Some(-100.0), 1) }).await;
    assert_eq!(browser.get(&at).status, 410, "it was used");
    // Each question stood alone on its page, so that the page knows how long it took.
    let request = GetSurveyDropOffRequest { survey_id: survey_id.clone(), ..GetSurveyDropOffRequest::default() };
    let told =
        SurveyServiceClient::new(client.clone()).get_survey_drop_off(request).await.expect("counted").into_inner();
    assert!(told.questions.iter().all(|it| it.timed == 1 && it.median_milliseconds > Some(0)), "{told:?}");

    let at = format!("{at}/unsubscribe");
    assert!(browser.get(&at).says("Do not ask me again"));
    let of_form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(browser.send("POST", &at, &of_form, "List-Unsubscribe=One-Click").status, 200);
    let other = survey(&client, false).await;
    until("nobody asks again", || async {
        let request = CheckEligibilityRequest {
            survey_id: other.clone(),
            customer: Some(by("email", "anna@example.com")),
            ..CheckEligibilityRequest::default()
        };
        let answer = SurveyServiceClient::new(client.clone()).check_eligibility(request).await.expect("checked");
        answer.into_inner().reason() == NotInvitedReason::NoConsent
    })
    .await;
    let logs = suite.logs();
    assert!(!logs.contains(&token) && !logs.contains("گران") && !logs.contains("anna@"), "it is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_without_a_name_is_erased_by_its_code_alone() {
    says_and_erases(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_without_a_name_is_erased_by_its_code_alone_in_production() {
    says_and_erases(Shape::Production).await;
}

async fn says_and_erases(shape: Shape) {
    let suite = Suite::start_with(shape, &SETTINGS);
    let client = suite.client().await;
    let survey_id = survey(&client, true).await;
    let token = invited(&client, &survey_id, "boris@example.com").await.token;
    let (browser, at) = (Browser::at(&suite.address, "en"), format!("/survey/{token}"));
    let page = browser.fill(&at, &browser.get(&at), &[("go", "next"), ("q-nps", "2")]);
    assert!(page.says("Why?"), "{}", page.body);
    assert!(browser.get(&at).says("How likely?"), "the link tells nothing of what was answered");
    let sent = [("go", "next"), ("q-why", "because")];
    let done = browser.fill(&at, &page, &sent);
    let code = done.hidden().into_iter().find(|(name, _)| name == "code").expect("a code").1;
    let held = responses(&client, &survey_id).await;
    assert_eq!((held.len(), held[0].state(), held[0].subject_id.as_str()), (1, ResponseState::Complete, ""));
    let again = browser.fill(&at, &page, &sent);
    assert_eq!((again.status, &again.body), (200, &done.body), "sent twice it is answered alike");
    // By the link nobody finds out that it was used: it asks again, and what is said then is thanked for and not kept.
    let page = browser.get(&at);
    assert!(page.says("How likely?") && page.says("This link counts once"), "{}", page.body);
    let page = browser.fill(&at, &page, &[("go", "next"), ("q-nps", "1")]);
    let other = browser.fill(&at, &page, &[("go", "next"), ("q-why", "another")]);
    assert!(other.says("Thank you"), "{}", other.body);
    let held = responses(&client, &survey_id).await;
    assert_eq!((held.len(), held[0].comment.as_str()), (1, "because"));
    assert!(browser.post("/erase", &[("code", &token)]).says("Your answers are erased"), "it says so of anything");
    assert_eq!(responses(&client, &survey_id).await.len(), 1);
    assert!(browser.fill("/erase", &browser.get("/erase"), &[("code", &code)]).says("Your answers are erased"));
    assert_eq!(responses(&client, &survey_id).await.len(), 0);
    let logs = suite.logs();
    assert!(!logs.contains(&token) && !logs.contains(&code) && !logs.contains("because"), "it is in the log");
}
