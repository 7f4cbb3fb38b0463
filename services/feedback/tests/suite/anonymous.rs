//! Anonymous surveys: nothing that they hold leads back to anybody.

use std::time::Duration;

use rapport_api::convert::timestamp;
use rapport_api::feedback::v1::{CreateSurveyRequest, HiddenField, SubmitResponseRequest, Survey, SurveyKind};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, SubjectId, TenantId};
use rstest::rstest;

use crate::ground::{Ground, answer, fields};

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_anonymous_survey_takes_nothing_that_leads_back_and_keeps_no_exact_time(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let field = |values: &[&str]| HiddenField {
        name: "shop".to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    let made = |hidden: HiddenField| Survey {
        name: "s".to_owned(),
        kind: SurveyKind::Nps.into(),
        question: "How likely?".to_owned(),
        anonymous: true,
        party: 4,
        hidden_fields: vec![hidden],
        ..Survey::default()
    };
    let open_field = CreateSurveyRequest { survey: Some(made(field(&[]))), ..CreateSurveyRequest::default() };
    assert_eq!(fields(ground.surveys(tenant).create_survey(open_field).await), ["survey.hidden_fields[0].values"]);
    let survey = ground.open_of(tenant, made(field(&["12", "13"]))).await;
    let (customer, _) = ground.profiles.customer(tenant);
    let leads = SubmitResponseRequest {
        customer: Some(customer),
        ticket_id: SubjectId::new().to_string(),
        interaction_id: SubjectId::new().to_string(),
        source: "crm".to_owned(),
        external_id: "7".to_owned(),
        hidden: [("shop".to_owned(), "14".to_owned())].into(),
        ..answer(&survey, 3)
    };
    let mut refused = fields(ground.responses(tenant).submit_response(leads).await);
    refused.sort_unstable();
    assert_eq!(refused, ["customer", "external_id", "hidden[\"shop\"]", "interaction_id", "ticket_id"]);

    let at = ground.clock.now().minus(Duration::from_secs(90));
    let request = SubmitResponseRequest {
        hidden: [("shop".to_owned(), "12".to_owned())].into(),
        answered_at: Some(timestamp(at)),
        started_at: Some(timestamp(at.minus(Duration::from_secs(60)))),
        ..answer(&survey, 3)
    };
    let taken = ground.responses(tenant).submit_response(request).await.expect("taken").into_inner();
    assert!(
        taken.anonymous && taken.subject_id.is_empty() && taken.started_at.is_none() && taken.complete_time.is_none()
    );
    for time in [taken.answered_at, taken.create_time, taken.update_time] {
        assert_eq!(time.expect("a time").seconds % 3_600, 0, "to the hour");
    }
    let version = |id: &str| id.as_bytes()[14];
    assert_eq!(version(&taken.response_id), b'4', "an id that holds no time");
    let (event, state) = ground.reader().next(1).await.remove(0);
    assert_eq!((version(&event.subject_id), event.occurred_at.expect("a time").seconds % 3_600), (b'4', 0));
    assert!(state.anonymous && state.dimensions.is_empty() && state.party == 4);
    let recorded = event.recorded_at.expect("a time");
    assert_eq!((version(&event.event_id), recorded.seconds % 3_600, recorded.nanos), (b'4', 0, 0), "nor do events");
    assert_eq!(Some(recorded), taken.update_time, "it is when it was told, to the hour");
}
