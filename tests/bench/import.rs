//! The streamed import: from the first row sent to the last acknowledgement received, and on until every row counts in
//! the metrics.

use std::time::{Duration, Instant};

use futures::stream;
use rapport_api::common::v1::CustomerRef;
use rapport_api::metrics::v1::QueryMetricRequest;
use rapport_api::metrics::v1::metric_service_client::MetricServiceClient;
use rapport_api::profiles::v1::RecordInteractionsRequest;
use rapport_api::profiles::v1::interaction_service_client::InteractionServiceClient;

use crate::Outcome;
use crate::people::{by_number, long_ago, purchase};
use crate::suite::Client;

/// Purchases of one customer in an import: about as many as in CDNOW.
const PER_CUSTOMER: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends so many purchases under a source's name, of the customers from a number on; answers how long it took until
/// the last was acknowledged.
pub async fn send(client: &Client, source: &str, first_customer: u32, rows: u32) -> Outcome<Duration> {
    send_of(client, source, rows, |number| by_number(first_customer + number)).await
}

/// As [`send`], of the customers that `of` names by their place.
pub async fn send_of(client: &Client, source: &str, rows: u32, of: impl Fn(u32) -> CustomerRef) -> Outcome<Duration> {
    // Made before the clock starts: the baseline's rows lie ready, too.
    let items: Vec<_> = (0..rows)
        .map(|number| {
            let customer = of(number / PER_CUSTOMER);
            let interaction = purchase(customer, source, number, long_ago(number), String::new());
            RecordInteractionsRequest::from(interaction)
        })
        .collect();
    let mut service = InteractionServiceClient::new(client.clone());
    let started = Instant::now();
    let mut acks = service.record_interactions(stream::iter(items)).await?.into_inner();
    let mut accepted = 0;
    while let Some(answer) = acks.message().await? {
        accepted += answer.ack.map_or(0, |ack| ack.accepted);
    }
    let took = started.elapsed();
    if accepted == i64::from(rows) { Ok(took) } else { Err(format!("{accepted} of {rows} rows were taken").into()) }
}

/// Waits until the tenant's metrics count so many interactions.
pub async fn counted(client: &Client, interactions: i64) -> Outcome<()> {
    let mut service = MetricServiceClient::new(client.clone());
    let started = Instant::now();
    loop {
        let query = QueryMetricRequest { metric: "interactions".to_owned(), ..QueryMetricRequest::default() };
        let n: i64 = service.query_metric(query).await?.into_inner().points.iter().map(|point| point.n).sum();
        if n >= interactions {
            return Ok(());
        }
        if started.elapsed() > PATIENCE {
            return Err(format!("metrics count {n} of {interactions} interactions").into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
