//! Anonymous surveys: nothing that they hold leads back to anybody.

use std::time::Duration;

use rapport_api::convert::timestamp;
use rapport_api::feedback::v1::{
    Asking, AssignFollowUpRequest, CreateSurveyRequest, FollowUpEventType, FollowUpRule, HiddenField,
    ListFollowUpHistoryRequest, SubmitResponseRequest, Survey, SurveyKind,
};
use rapport_data::Engine;
use rapport_kernel::{Clock as _, RequestId, SubjectId, TenantId, Timestamp};
use rstest::rstest;
use uuid::Uuid;

use crate::asking::asks;
use crate::ground::{Ground, answer, fields};
use crate::loops::{HOUR, Told, follow_ups, make, rule, step, until};
use crate::poison::rows_of;

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

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_anonymous_answer_brings_about_tells_no_more_of_its_time(#[case] engine: Engine) {
    let (ground, tenant) = (Ground::new(engine).await, TenantId::new());
    let survey = Survey { anonymous: true, party: 4, ..asks(Asking::default()) };
    let survey = ground.open_of(tenant, survey).await;
    let escalations = vec![step(600, "boss")];
    let made = FollowUpRule { escalations, ..rule("Detractors", "response.kind == 'nps' && response.score <= 6") };
    let made = make(&ground, tenant, made).await;
    // An instant at which nothing else happens, and which no clock of this machine tells.
    ground.clock.advance(Duration::from_micros(1_234_567_891));
    let answered = ground.clock.now();
    let request = SubmitResponseRequest { request_id: RequestId::new().to_string(), ..answer(&survey, 2) };
    let request_id = request.request_id.clone();
    let taken = ground.responses(tenant).submit_response(request).await.expect("taken").into_inner();
    let opened = until(&ground, tenant, "it is followed up", |found| found.len() == 1).await.remove(0);
    let hour = answered.micros() / 3_600_000_000 * 3_600;
    let told = |at: Option<prost_types::Timestamp>| at.map(|at| (at.seconds - hour, at.nanos)).expect("a time");
    for at in [opened.open_time, opened.create_time, opened.update_time] {
        assert_eq!(told(at), (0, 0), "in which hour");
    }
    assert_eq!(told(opened.due_time), (2 * HOUR, 0), "an hour, counted from the end of that one");
    let version = |id: &str| id.as_bytes()[14];
    assert_eq!((version(&opened.follow_up_id), version(&opened.subject_id)), (b'4', b'4'), "ids of no time");
    let mut reader = Told::of(&ground);
    let event = reader.as_of("follow_up", &opened.follow_up_id, 1).await;
    assert_eq!((version(&event.event_id), told(event.recorded_at), told(event.occurred_at)), (b'4', (0, 0), (0, 0)));
    let history = || ListFollowUpHistoryRequest { follow_up_id: opened.follow_up_id.clone(), ..Default::default() };
    let lines = follow_ups(&ground, tenant).list_follow_up_history(history()).await.expect("told").into_inner().events;
    assert_eq!((lines.len(), told(lines[0].time)), (1, (0, 0)));

    // No row that is of it holds the instant, nor an id that was made then.
    let known = [&tenant.to_string(), &survey.survey_id, &made.rule_id, &request_id];
    if engine == Engine::Postgres {
        for row in rows_of(&ground) {
            let theirs = [&taken.response_id, &opened.subject_id, &opened.follow_up_id];
            if theirs.iter().any(|id| row.contains(id.as_str())) {
                assert!(!row.contains(&answered.micros().to_string()), "{row}");
                let ids = row.split('"').filter_map(|word| Uuid::parse_str(word).ok());
                let timed = |id: &Uuid| id.get_version_num() == 7 && !known.contains(&&id.to_string());
                assert_eq!(ids.filter(timed).count(), 0, "{row}");
            }
        }
    }
    assert_eq!(ground.count(&format!("receipt WHERE recorded_at = {}", answered.micros())).await, 0);

    // Whatever is done to it later is told as it is, and in order; the clock's own work hangs on the hour.
    let assign = AssignFollowUpRequest {
        follow_up_id: opened.follow_up_id.clone(),
        owner: Some("anna".to_owned()),
        ..AssignFollowUpRequest::default()
    };
    let assigned = follow_ups(&ground, tenant).assign_follow_up(assign).await.expect("assigned").into_inner();
    assert_eq!(assigned.update_time, Some(timestamp(answered)));
    ground.clock.set(Timestamp::from_column((hour + 2 * HOUR + 600) * 1_000_000));
    let late = until(&ground, tenant, "it is escalated", |found| found[0].escalations == 1).await.remove(0);
    assert!(late.overdue && late.owner == "boss");
    let lines = follow_ups(&ground, tenant).list_follow_up_history(history()).await.expect("told").into_inner().events;
    let types: Vec<_> = lines.iter().map(|line| line.r#type()).collect();
    let expected = [
        FollowUpEventType::Opened,
        FollowUpEventType::Assigned,
        FollowUpEventType::Overdue,
        FollowUpEventType::Escalated,
    ];
    assert_eq!(types, expected);
    assert_eq!((told(lines[2].time), told(lines[3].time)), ((2 * HOUR, 0), (2 * HOUR + 600, 0)));
}
