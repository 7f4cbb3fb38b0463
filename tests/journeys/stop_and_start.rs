//! Stopping and starting keeps everything, loading the demo twice changes nothing, and a stop is clean.

use std::time::Duration;

use rapport_api::feedback::v1::response_service_client::ResponseServiceClient;
use rapport_api::feedback::v1::survey_service_client::SurveyServiceClient;
use rapport_api::feedback::v1::{ListResponsesRequest, ListSurveysRequest};
use rapport_api::metrics::v1::QueryMetricRequest;
use rapport_tests::{Client, Shape, Suite};

use super::{query, total, until};

#[tokio::test]
async fn the_demo_is_loaded_once_however_often_it_is_asked_for() {
    let mut suite = Suite::start(Shape::Embedded);
    assert_eq!(
        total(&suite.client().await, "interactions").await.0.unwrap_or(0.0),
        0.0,
        "`up` without --demo starts empty"
    );
    let mut held = Vec::new();
    for round in 0..2 {
        suite.stop("up");
        suite.start_again_with("up", &["--demo"]);
        let client = suite.client().await;
        until("the demo is counted", || async { total(&client, "interactions").await.0 == Some(69_659.0) }).await;
        let answers = responses(&client).await;
        assert!(answers > 1_400, "{answers} answers");
        until("the answers are counted", || async { total(&client, "nps").await.1 == answers }).await;
        let regions =
            QueryMetricRequest { metric: "nps".into(), group_by: vec!["trait.region".into()], ..Default::default() };
        let regions = query(&client, regions).await;
        assert_eq!(regions.len(), 4, "the demo's regions");
        let request = ListSurveysRequest::default();
        let surveys =
            SurveyServiceClient::new(client.clone()).list_surveys(request).await.expect("a list").into_inner().surveys;
        held.push((total(&client, "nps").await, total(&client, "customers").await, surveys.len()));
        assert_eq!(held[0], held[round], "round {round} changed something");
    }
}

/// How many responses feedback holds: what its figures come to once every event has arrived.
async fn responses(client: &Client) -> i64 {
    let surveys = SurveyServiceClient::new(client.clone()).list_surveys(ListSurveysRequest::default()).await;
    let mut found = 0;
    for survey in surveys.expect("a list").into_inner().surveys {
        let mut page_token = String::new();
        loop {
            let survey_id = survey.survey_id.clone();
            let request = ListResponsesRequest { survey_id, page_size: 1_000, page_token, ..Default::default() };
            let page = ResponseServiceClient::new(client.clone()).list_responses(request).await;
            let page = page.expect("a page").into_inner();
            found += page.responses.len();
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
    }
    i64::try_from(found).expect("a count")
}

#[tokio::test]
async fn a_stop_is_clean_and_within_ten_seconds() {
    let mut suite = Suite::start(Shape::Embedded);
    let took = suite.stop("up");
    assert!(took < Duration::from_secs(10), "{took:?}");
}
