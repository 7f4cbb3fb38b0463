//! Asking: whether a customer may be asked, of a tenant with a hundred open surveys, each with a condition, a cool-down and a
//! quota; by one of them, and by all. The contact policy has its say through personalisation, the customer comes from profiles.

use std::time::{Duration, Instant};

use rapport_api::feedback::v1::survey_service_client::SurveyServiceClient;
use rapport_api::feedback::v1::{
    Asking, CheckEligibilityRequest, CreateSurveyRequest, PublishSurveyRequest, Survey, SurveyKind,
};
use rapport_suite::settings::Role;

use crate::Outcome;
use crate::load::quantile;
use crate::people::{by_id, introduce};
use crate::report::{Figure, Report, Target, Unit};
use crate::suite::{Client, Suite};

/// The surveys of the tenant.
const SURVEYS: usize = 100;
/// Its customers.
const CUSTOMERS: u32 = 500;
/// Checks that are timed, and before them those that are not.
const CHECKS: usize = 2_000;
const WARM_UP: usize = 200;

const fn millis(name: &'static str, target: Target) -> Figure {
    Figure { name, unit: Unit::Millis, target }
}

static ONE: [Figure; 2] = [
    millis("CheckEligibility, one of 100 surveys, p50", Target::None),
    millis("CheckEligibility, one of 100 surveys, p99", Target::AtMost(2.0)),
];
static ALL: [Figure; 2] = [
    millis("CheckEligibility, all of 100 surveys, p50", Target::None),
    millis("CheckEligibility, all of 100 surveys, p99", Target::None),
];

/// Measures both.
pub async fn measure(suite: &Suite, report: &mut Report) -> Outcome<()> {
    let tenant = suite.tenant("asking").await?;
    let customers = introduce(&suite.direct(Role::Profiles, &tenant).await?, CUSTOMERS).await?;
    let clients = suite.direct(Role::Feedback, &tenant).await?;
    let mut surveys = Vec::with_capacity(SURVEYS);
    for number in 0..SURVEYS {
        surveys.push(survey(&clients[0], number).await?);
    }
    suite.rest().await?;
    for (figures, all) in [(&ONE, false), (&ALL, true)] {
        let mut took = check(&clients[0], &surveys, &customers, all).await?;
        for (figure, share) in figures.iter().zip([0.5, 0.99]) {
            report.note(suite.engine, figure, quantile(&mut took, share).as_secs_f64() * 1e3, None);
        }
    }
    Ok(())
}

async fn survey(client: &Client, number: usize) -> Outcome<String> {
    let mut service = SurveyServiceClient::new(client.clone());
    let day = |days: i64| Some(prost_types::Duration { seconds: days * 86_400, nanos: 0 });
    let asking = Asking {
        targeting: "customer.party == 'customer' && !('vip' in customer.segments)".to_owned(),
        sampling_rate: Some(0.9),
        quota: 1_000_000,
        cool_down: day(90),
        overall_cool_down: day(7),
        channels: vec!["web".to_owned()],
        ..Asking::default()
    };
    let survey = Survey {
        name: format!("survey {number}"),
        kind: SurveyKind::Nps.into(),
        question: "How likely are you to recommend us?".to_owned(),
        asking: Some(asking),
        ..Survey::default()
    };
    let request = CreateSurveyRequest { survey: Some(survey), ..CreateSurveyRequest::default() };
    let survey_id = service.create_survey(request).await?.into_inner().survey_id;
    let request = PublishSurveyRequest { survey_id, ..PublishSurveyRequest::default() };
    Ok(service.publish_survey(request).await?.into_inner().survey_id)
}

async fn check(client: &Client, surveys: &[String], customers: &[String], all: bool) -> Outcome<Vec<Duration>> {
    let mut service = SurveyServiceClient::new(client.clone());
    let mut took = Vec::with_capacity(CHECKS);
    for number in 0..WARM_UP + CHECKS {
        let request = CheckEligibilityRequest {
            survey_id: if all { String::new() } else { surveys[number % surveys.len()].clone() },
            customer: Some(by_id(&customers[number % customers.len()])),
            ..CheckEligibilityRequest::default()
        };
        let started = Instant::now();
        let answer = service.check_eligibility(request).await?.into_inner();
        if answer.surveys.len() != if all { SURVEYS } else { 1 } {
            return Err("not all surveys were checked".into());
        }
        if number >= WARM_UP {
            took.push(started.elapsed());
        }
    }
    Ok(took)
}
