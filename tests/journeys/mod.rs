//! Journeys: what users do with the suite, from end to end, in both shapes.

mod closed_loop;
mod life_of_a_customer;
mod real_input;
mod respondents;
mod stop_and_start;
mod strangers;
mod undone;

use std::future::Future;
use std::time::{Duration, Instant};

use rapport_api::common::v1::{CustomerRef, Identifier, customer_ref};
use rapport_api::feedback::v1::survey_service_client::SurveyServiceClient;
use rapport_api::feedback::v1::{CreateSurveyRequest, PublishSurveyRequest, Survey};
use rapport_api::metrics::v1::metric_service_client::MetricServiceClient;
use rapport_api::metrics::v1::{MetricPoint, QueryMetricRequest};
use rapport_tests::Client;

/// Names a customer by an identifier.
pub fn by(namespace: &str, value: &str) -> CustomerRef {
    let identifier = Identifier { namespace: namespace.to_owned(), value: value.to_owned() };
    CustomerRef { r#ref: Some(customer_ref::Ref::Identifier(identifier)) }
}

/// Names a customer by its id.
pub fn id(customer_id: &str) -> CustomerRef {
    CustomerRef { r#ref: Some(customer_ref::Ref::CustomerId(customer_id.to_owned())) }
}

/// Makes a survey and opens it; answers its id.
pub async fn opened(client: &Client, survey: Survey) -> String {
    let mut surveys = SurveyServiceClient::new(client.clone());
    let request = CreateSurveyRequest { request_id: String::new(), survey: Some(survey) };
    let survey_id = surveys.create_survey(request).await.expect("created").into_inner().survey_id;
    let request = PublishSurveyRequest { survey_id: survey_id.clone(), ..PublishSurveyRequest::default() };
    surveys.publish_survey(request).await.expect("published");
    survey_id
}

/// Asks a metric.
pub async fn query(client: &Client, request: QueryMetricRequest) -> Vec<MetricPoint> {
    let answer = MetricServiceClient::new(client.clone()).query_metric(request).await.expect("an answer");
    answer.into_inner().points
}

/// The one point of a metric over all time, without groups: its value and its n.
pub async fn total(client: &Client, metric: &str) -> (Option<f64>, i64) {
    let points = query(client, QueryMetricRequest { metric: metric.to_owned(), ..QueryMetricRequest::default() }).await;
    points.first().map_or((None, 0), |point| (point.value, point.n))
}

/// Waits until what is asked answers true: figures follow the facts, they do not come with them.
pub async fn until<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) {
    let end = Instant::now() + Duration::from_secs(300);
    while !ask().await {
        assert!(Instant::now() < end, "not within five minutes: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
