//! Real input: the 69,659 purchases of CDNOW through the bulk call, and the figures against those computed here from the
//! file alone.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream;
use rapport_api::google::r#type::Money;
use rapport_api::metrics::v1::{Counting, QueryMetricRequest};
use rapport_api::profiles::v1::interaction_service_client::InteractionServiceClient;
use rapport_api::profiles::v1::{Interaction, ListInteractionsRequest, RecordInteractionsRequest};
use rapport_tests::{Client, Shape, Suite};

use super::{by, query, total, until};

const FILE: &str = include_str!("../real/cdnow/CDNOW_master.txt");

struct Line {
    number: usize,
    customer: &'static str,
    day: &'static str,
    cents: i64,
}

fn lines() -> Vec<Line> {
    let parse = |(number, text): (usize, &'static str)| {
        let columns: Vec<_> = text.split_whitespace().collect();
        let dollars: f64 = columns[3].parse().expect("dollars");
        #[expect(clippy::cast_possible_truncation, reason = "amounts of a CD shop")]
        let cents = (dollars * 100.0).round() as i64;
        Line { number, customer: columns[0], day: columns[1], cents }
    };
    FILE.lines().skip(1).enumerate().filter(|(_, text)| !text.trim().is_empty()).map(parse).collect()
}

fn interaction(line: &Line) -> Interaction {
    let day: i64 = line.day.parse().expect("a day");
    let date = chrono::NaiveDate::from_ymd_opt((day / 10_000) as i32, (day / 100 % 100) as u32, (day % 100) as u32);
    let seconds = date.and_then(|date| date.and_hms_opt(9, 0, 0)).expect("a date").and_utc().timestamp();
    Interaction {
        customer: Some(by("customer_number", line.customer)),
        source: "cdnow".into(),
        external_id: format!("row-{}", line.number),
        version: 1,
        r#type: "purchase".into(),
        channel: "web".into(),
        occurred_at: Some(prost_types::Timestamp { seconds, nanos: 0 }),
        value: Some(Money {
            currency_code: "USD".into(),
            units: line.cents / 100,
            nanos: (line.cents % 100 * 10_000_000) as i32,
        }),
        ..Interaction::default()
    }
}

async fn import(client: &Client, lines: &[Line]) -> i64 {
    let items: Vec<_> = lines.iter().map(|line| RecordInteractionsRequest::from(interaction(line))).collect();
    let mut service = InteractionServiceClient::new(client.clone());
    let mut acks = service.record_interactions(stream::iter(items)).await.expect("a stream").into_inner();
    let (mut accepted, mut through) = (0, -1);
    while let Some(answer) = acks.message().await.expect("an acknowledgement") {
        let ack = answer.ack.expect("an acknowledgement");
        assert!(ack.errors.is_empty(), "no line is refused: {}", ack.errors[0].message);
        assert!(ack.through_index > through, "acknowledgements go forward");
        through = ack.through_index;
        accepted += ack.accepted;
    }
    assert_eq!(through + 1, i64::try_from(lines.len()).expect("it fits"), "every line is decided");
    accepted
}

async fn the_figures_equal_those_of_the_file(shape: Shape) {
    let suite = Suite::start(shape);
    let client = suite.client().await;
    let lines = lines();
    assert_eq!(lines.len(), 69_659);
    assert_eq!(import(&client, &lines).await, 69_659);

    until("all purchases are counted", || async { total(&client, "interactions").await.0 == Some(69_659.0) }).await;

    let mut by_customer: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
    for line in &lines {
        by_customer.entry(line.customer).or_default().push(line);
    }
    assert_eq!(total(&client, "customers").await.0, Some(by_customer.len() as f64));
    let cents: i64 = lines.iter().map(|line| line.cents).sum();
    let revenue = total(&client, "revenue").await.0.expect("a sum");
    assert!((revenue - cents as f64 / 100.0).abs() < 1e-6, "revenue {revenue} is not {cents} cents");

    let share = |repeats: usize| repeats as f64 / by_customer.len() as f64;
    let by_rows = share(by_customer.values().filter(|lines| lines.len() > 1).count());
    let days = |lines: &[&Line]| lines.iter().map(|line| line.day).collect::<BTreeSet<_>>().len();
    let by_days = share(by_customer.values().filter(|lines| days(lines) > 1).count());
    for (counting, expected) in [(Counting::Purchases, by_rows), (Counting::PurchaseDays, by_days)] {
        let metric = "repeat_customer_share".to_owned();
        let point =
            query(&client, QueryMetricRequest { metric, counting: counting.into(), ..Default::default() }).await;
        let value = point[0].value.expect("a share");
        assert!((value - expected).abs() < 1e-12, "{counting:?}: {value} is not {expected}");
        assert_eq!(point[0].n, 23_570);
    }

    let mut interactions = InteractionServiceClient::new(client.clone());
    for (customer, lines) in by_customer.iter().step_by(300) {
        let request = ListInteractionsRequest {
            customer: Some(by("customer_number", customer)),
            page_size: 1_000,
            ..ListInteractionsRequest::default()
        };
        let listed = interactions.list_interactions(request).await.expect("a page").into_inner().interactions;
        let value = |interaction: &Interaction| {
            interaction.value.clone().map_or(0, |value| value.units * 100 + i64::from(value.nanos / 10_000_000))
        };
        assert_eq!(
            listed.iter().map(value).sum::<i64>(),
            lines.iter().map(|line| line.cents).sum::<i64>(),
            "{customer}"
        );
        assert_eq!(listed.len(), lines.len());
        assert!(listed.is_sorted_by_key(|interaction| std::cmp::Reverse(interaction.occurred_at.map(|at| at.seconds))));
    }

    // The same import again is held already: accepted, and nothing changes.
    import(&client, &lines[..2_000]).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(total(&client, "interactions").await.0, Some(69_659.0));
}

#[tokio::test]
async fn the_figures_equal_those_of_the_file_embedded() {
    the_figures_equal_those_of_the_file(Shape::Embedded).await;
}

#[tokio::test]
async fn the_figures_equal_those_of_the_file_in_production() {
    the_figures_equal_those_of_the_file(Shape::Production).await;
}
