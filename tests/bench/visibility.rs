//! From acknowledged to visible: interactions come at a steady pace, each a call of its own, while somebody asks the
//! metrics again and again. Each write bears one of fifty labels, so that a count that grew says which write it shows.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use rapport_api::metrics::v1::QueryMetricRequest;
use rapport_api::metrics::v1::metric_service_client::MetricServiceClient;
use rapport_api::profiles::v1::RecordInteractionRequest;
use rapport_api::profiles::v1::interaction_service_client::InteractionServiceClient;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::load::{IN_FLIGHT, quantile};
use crate::people::{by_id, purchase};
use crate::suite::Client;

const PER_SECOND: u32 = 500;
const LABELS: u32 = 50;
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(20);

/// What was measured, in milliseconds.
pub struct Delays {
    /// From sent to acknowledged, for half of the writes at most.
    pub acknowledged_p50: f64,
    /// From acknowledged to visible, for half of the writes at most.
    pub visible_p50: f64,
    /// The same for 99 of 100.
    pub visible_p99: f64,
}

/// When the writes of each label were acknowledged, and how long that took.
#[derive(Default)]
struct Acknowledged {
    at: BTreeMap<u32, Vec<Instant>>,
    took: Vec<Duration>,
}

/// Writes about customers for some time, under a source's name of its own.
pub async fn measure(
    writers: &[Client],
    reader: &Client,
    customers: &[String],
    source: &str,
    lasting: Duration,
) -> Outcome<Delays> {
    let writes = (lasting.as_secs_f64() * f64::from(PER_SECOND)) as u32;
    let mut metrics = MetricServiceClient::new(reader.clone());
    let before = counts(&mut metrics).await?;
    let (acknowledged, visible) = tokio::try_join!(
        write(writers, customers, source, writes),
        watch(&mut metrics, &before, writes as usize, lasting + PATIENCE)
    )?;
    let Acknowledged { at: mut acknowledged, mut took } = acknowledged;
    let mut delays = Vec::new();
    for (label, shown) in visible {
        let written = acknowledged.get_mut(&label).ok_or("what is visible was written")?;
        written.sort_unstable();
        // A write may be visible before the writer hears of it.
        delays.extend(shown.iter().zip(written).map(|(shown, written)| shown.saturating_duration_since(*written)));
    }
    let millis = |of: &mut [Duration], share| quantile(of, share).as_secs_f64() * 1e3;
    Ok(Delays {
        acknowledged_p50: millis(&mut took, 0.5),
        visible_p50: millis(&mut delays, 0.5),
        visible_p99: millis(&mut delays, 0.99),
    })
}

/// Sends a write every two milliseconds, whether or not those before it were answered.
async fn write(writers: &[Client], customers: &[String], source: &str, writes: u32) -> Outcome<Acknowledged> {
    let started = tokio::time::Instant::now();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let mut places = JoinSet::new();
    for place in 0..u32::try_from(IN_FLIGHT)? {
        let mut service = InteractionServiceClient::new(writers[place as usize % writers.len()].clone());
        let mine: Vec<_> = (place..writes)
            .step_by(IN_FLIGHT)
            .map(|number| {
                let customer = by_id(&customers[number as usize % customers.len()]);
                let label = format!("label-{}", number % LABELS);
                (number, purchase(customer, source, number, now.cast_signed(), label))
            })
            .collect();
        places.spawn(async move {
            let mut acknowledged = Vec::new();
            for (number, interaction) in mine {
                tokio::time::sleep_until(started + Duration::from_secs(1) / PER_SECOND * number).await;
                let sent = Instant::now();
                let interaction = Some(interaction);
                let request = RecordInteractionRequest { request_id: String::new(), interaction };
                service.record_interaction(request).await?;
                acknowledged.push((number % LABELS, sent, Instant::now()));
            }
            Ok::<_, tonic::Status>(acknowledged)
        });
    }
    let mut all = Acknowledged::default();
    while let Some(place) = places.join_next().await {
        for (label, sent, at) in place?? {
            all.at.entry(label).or_default().push(at);
            all.took.push(at - sent);
        }
    }
    Ok(all)
}

/// Notes for each label when each of its counts showed first, until all writes have.
async fn watch(
    metrics: &mut MetricServiceClient<Client>,
    before: &BTreeMap<u32, usize>,
    writes: usize,
    patience: Duration,
) -> Outcome<BTreeMap<u32, Vec<Instant>>> {
    let started = Instant::now();
    let (mut shown, mut total) = (BTreeMap::<u32, Vec<Instant>>::new(), 0);
    while total < writes {
        if started.elapsed() > patience {
            return Err(format!("{total} of {writes} writes became visible").into());
        }
        let counts = counts(metrics).await?;
        let now = Instant::now();
        total = 0;
        for (label, count) in counts {
            let since = count - before.get(&label).copied().unwrap_or_default();
            shown.entry(label).or_default().resize(since, now);
            total += since;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(shown)
}

/// How many interactions count under each label.
async fn counts(metrics: &mut MetricServiceClient<Client>) -> Outcome<BTreeMap<u32, usize>> {
    let group_by = vec!["touchpoint".to_owned()];
    let query = QueryMetricRequest { metric: "interactions".to_owned(), group_by, ..QueryMetricRequest::default() };
    let points = metrics.query_metric(query).await?.into_inner().points;
    let labelled = points.iter().filter_map(|point| {
        let label = point.group.get("touchpoint")?.strip_prefix("label-")?.parse().ok()?;
        Some((label, usize::try_from(point.n).ok()?))
    });
    Ok(labelled.collect())
}
