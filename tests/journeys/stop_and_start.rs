//! Stopping and starting keeps everything, loading the demo twice changes nothing, and a stop is clean.

use std::time::Duration;

use rapport_api::feedback::v1::ListSurveysRequest;
use rapport_api::feedback::v1::survey_service_client::SurveyServiceClient;
use rapport_api::metrics::v1::QueryMetricRequest;
use rapport_tests::{Shape, Suite};

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
        until("the answers are counted", || async { total(&client, "nps").await.1 > 1_400 }).await;
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

#[tokio::test]
async fn a_stop_is_clean_and_within_ten_seconds() {
    let mut suite = Suite::start(Shape::Embedded);
    let took = suite.stop("up");
    assert!(took < Duration::from_secs(10), "{took:?}");
}
