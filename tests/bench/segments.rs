//! Segments: how long it takes from a cause, or from an instant, until membership has followed it, with as many segments
//! as a tenant may have; and what a new segment's back-fill takes from writes that come at half of saturation.
//!
//! A quarter of the segments read what happens here, as many read traits, and the rest read other things.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use rapport_api::profiles::v1::interaction_service_client::InteractionServiceClient;
use rapport_api::profiles::v1::profile_service_client::ProfileServiceClient;
use rapport_api::profiles::v1::segment_service_client::SegmentServiceClient;
use rapport_api::profiles::v1::{
    CreateSegmentRequest, GetSegmentRequest, RecordInteractionRequest, Segment, SegmentChangeKind, WatchSegmentRequest,
};
use rapport_suite::settings::Role;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::Status;

use crate::load::{IN_FLIGHT, Until, quantile};
use crate::report::{Figure, Report, Target, Unit};
use crate::suite::{Client, Suite};
use crate::{Outcome, merges, people};

const fn millis(name: &'static str, target: Target) -> Figure {
    Figure { name, unit: Unit::Millis, target }
}

/// What is measured with so many segments.
struct Count {
    segments: u32,
    cause_half: Figure,
    cause_most: Figure,
    clock_half: Figure,
    clock_most: Figure,
}

/// What is promised: a quarter of a second for 99 of 100.
const FOLLOWED: Target = Target::AtMost(250.0);

static COUNTS: [Count; 3] = [
    Count {
        segments: 10,
        cause_half: millis("acknowledged to membership, 10 segments, p50", Target::None),
        cause_most: millis("acknowledged to membership, 10 segments, p99", FOLLOWED),
        clock_half: millis("instant to membership, 10 segments, p50", Target::None),
        clock_most: millis("instant to membership, 10 segments, p99", FOLLOWED),
    },
    Count {
        segments: 100,
        cause_half: millis("acknowledged to membership, 100 segments, p50", Target::None),
        cause_most: millis("acknowledged to membership, 100 segments, p99", FOLLOWED),
        clock_half: millis("instant to membership, 100 segments, p50", Target::None),
        clock_most: millis("instant to membership, 100 segments, p99", FOLLOWED),
    },
    Count {
        segments: 1_000,
        cause_half: millis("acknowledged to membership, 1,000 segments, p50", Target::None),
        cause_most: millis("acknowledged to membership, 1,000 segments, p99", FOLLOWED),
        clock_half: millis("instant to membership, 1,000 segments, p50", Target::None),
        clock_most: millis("instant to membership, 1,000 segments, p99", FOLLOWED),
    },
];

/// What is measured of a back-fill over so many customers.
struct Size {
    customers: u32,
    rate: Figure,
    most: Figure,
    half: Figure,
}

const fn rate(name: &'static str, unit: Unit) -> Figure {
    Figure { name, unit, target: Target::None }
}

const WRITES: Unit = Unit::PerSecond("calls");
const LOOKED: Unit = Unit::PerSecond("customers");
/// A back-fill may take a fifth of what writes have without it.
const SPARED: Target = Target::Ratio(0.8);

static SIZES: [Size; 3] = [
    Size {
        customers: 10_000,
        rate: rate("back-fill of 10,000 customers beside writes", LOOKED),
        most: Figure { name: "most writes during it : without (10,000)", unit: WRITES, target: SPARED },
        half: Figure { name: "a write at half of that, p50 : without (10,000)", unit: Unit::Millis, target: SPARED },
    },
    Size {
        customers: 100_000,
        rate: rate("back-fill of 100,000 customers beside writes", LOOKED),
        most: Figure { name: "most writes during it : without (100,000)", unit: WRITES, target: SPARED },
        half: Figure { name: "a write at half of that, p50 : without (100,000)", unit: Unit::Millis, target: SPARED },
    },
    Size {
        customers: 1_000_000,
        rate: rate("back-fill of 1,000,000 customers beside writes", LOOKED),
        most: Figure { name: "most writes during it : without (1,000,000)", unit: WRITES, target: SPARED },
        half: Figure { name: "a write at half of that, p50 : without (1,000,000)", unit: Unit::Millis, target: SPARED },
    },
];

/// Customers that enter and leave.
const CUSTOMERS: u32 = 300;
/// Purchases in a second.
const PER_SECOND: u32 = 100;
/// How long a purchase counts as recent.
const RECENT: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(30);
/// Customers that are told of again and again while others are looked at.
const KNOWN: u32 = 500;

/// Measures membership with every count of segments, and back-fills of every size up to the largest.
pub async fn measure(suite: &Suite, largest: u32, window: Duration, report: &mut Report) -> Outcome<()> {
    for count in &COUNTS {
        follow(suite, count, report).await?;
        suite.rest().await?;
    }
    for size in SIZES.iter().filter(|size| size.customers <= largest.max(SIZES[0].customers)) {
        fill(suite, size, window, report).await?;
        suite.rest().await?;
    }
    Ok(())
}

/// Lets customers buy, each once, and watches them enter by that and leave by the clock.
async fn follow(suite: &Suite, count: &'static Count, report: &mut Report) -> Outcome<()> {
    let tenant = suite.tenant(&format!("segments-{}", count.segments)).await?;
    let clients = suite.direct(Role::Profiles, &tenant).await?;
    let customers = people::introduce(&clients, CUSTOMERS).await?;
    let condition_of_recent = format!("events.purchase.within(duration('{}s')).size() > 0", RECENT.as_secs());
    let recent = create(&clients[0], "Recent", &condition_of_recent).await?;
    let others = stream::iter(1..count.segments).map(|number| {
        let client = clients[number as usize % clients.len()].clone();
        async move { create(&client, &format!("Segment {number}"), &condition(number)).await }
    });
    let last = others.buffered(8).try_collect::<Vec<_>>().await?.pop().unwrap_or_else(|| recent.clone());
    filled(&clients[0], &last).await?;
    filled(&clients[0], &recent).await?;
    suite.rest().await?;
    let request = WatchSegmentRequest { segment_id: recent, ..WatchSegmentRequest::default() };
    let mut told = SegmentServiceClient::new(clients[1].clone()).watch_segment(request).await?.into_inner();
    // The first message says from where on it tells.
    told.message().await?.ok_or("the watch begins")?;
    let (sender, mut changes) = mpsc::unbounded_channel();
    let mut watching = JoinSet::new();
    watching.spawn(async move {
        while let Ok(Some(message)) = told.message().await {
            let Some(change) = message.change else { continue };
            let kind = change.kind();
            if sender.send((change.customer_id, kind, Instant::now())).is_err() {
                return;
            }
        }
    });
    let bought = buy(&clients, &customers).await?;
    let (mut by_cause, mut by_clock) = (Vec::new(), Vec::new());
    let until = tokio::time::Instant::now() + RECENT + PATIENCE;
    while by_cause.len() < bought.len() || by_clock.len() < bought.len() {
        let (customer, kind, at) = tokio::time::timeout_at(until, changes.recv())
            .await
            .map_err(|_| "not everybody entered and left")?
            .ok_or("the watch ended")?;
        let Some((acknowledged, leaves)) = bought.get(&customer) else { continue };
        match kind {
            SegmentChangeKind::Entered => by_cause.push(at.saturating_duration_since(*acknowledged)),
            SegmentChangeKind::Left => by_clock.push(at.saturating_duration_since(*leaves)),
            SegmentChangeKind::Unspecified => {}
        }
    }
    let figure = |of: &mut [Duration], share| quantile(of, share).as_secs_f64() * 1e3;
    report.note(suite.engine, &count.cause_half, figure(&mut by_cause, 0.5), None);
    report.note(suite.engine, &count.cause_most, figure(&mut by_cause, 0.99), None);
    report.note(suite.engine, &count.clock_half, figure(&mut by_clock, 0.5), None);
    report.note(suite.engine, &count.clock_most, figure(&mut by_clock, 0.99), None);
    Ok(())
}

/// Lets each buy once, at a steady pace; answers when that was acknowledged, and when it is recent no more.
async fn buy(clients: &[Client], customers: &[String]) -> Outcome<BTreeMap<String, (Instant, Instant)>> {
    let started = tokio::time::Instant::now();
    let mut places = JoinSet::new();
    for (number, customer) in (0..).zip(customers.iter().cloned()) {
        let mut service = InteractionServiceClient::new(clients[number as usize % clients.len()].clone());
        places.spawn(async move {
            tokio::time::sleep_until(started + Duration::from_secs(1) / PER_SECOND * number).await;
            let (now, at) = (SystemTime::now().duration_since(SystemTime::UNIX_EPOCH), Instant::now());
            let now = now.map_err(|why| Status::internal(why.to_string()))?;
            let named = people::by_id(&customer);
            let mut interaction = people::purchase(named, "shop", number, 0, "label".to_owned());
            // To the microsecond: by that it is recent no more.
            let (seconds, nanos) = (now.as_secs().cast_signed(), now.subsec_micros().cast_signed() * 1_000);
            interaction.occurred_at = Some(prost_types::Timestamp { seconds, nanos });
            let interaction = Some(interaction);
            service.record_interaction(RecordInteractionRequest { request_id: String::new(), interaction }).await?;
            Ok::<_, Status>((customer, (Instant::now(), at + RECENT)))
        });
    }
    let mut bought = BTreeMap::new();
    while let Some(place) = places.join_next().await {
        let (customer, instants) = place??;
        bought.insert(customer, instants);
    }
    Ok(bought)
}

/// What the others are: of four kinds.
fn condition(number: u32) -> String {
    let (some, few) = (number % 50, 2 + number % 5);
    match number % 4 {
        0 => format!("events.purchase.within(duration('{}h')).size() >= {few}", 24 + some),
        1 => format!("has(traits.orders) && traits.orders > {some}.0"),
        2 => format!("events.type_{some}.within(duration('720h')).size() >= {few}"),
        _ => format!("has(traits.region) && traits.region == 'north' && events.visit_{some}.size() >= {few}"),
    }
}

async fn create(client: &Client, name: &str, condition: &str) -> Outcome<String> {
    let segment = Segment { name: name.to_owned(), condition: condition.to_owned(), ..Segment::default() };
    let request = CreateSegmentRequest { request_id: String::new(), segment: Some(segment) };
    Ok(SegmentServiceClient::new(client.clone()).create_segment(request).await?.into_inner().segment_id)
}

async fn filled(client: &Client, segment_id: &str) -> Outcome<()> {
    let mut segments = SegmentServiceClient::new(client.clone());
    loop {
        let request = GetSegmentRequest { segment_id: segment_id.to_owned() };
        let backfill = segments.get_segment(request).await?.into_inner().backfill;
        if backfill.is_some_and(|backfill| backfill.complete) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Adds a segment that a tenth of the customers meet, while others are told of: as many as can be, and half as many.
async fn fill(suite: &Suite, size: &'static Size, window: Duration, report: &mut Report) -> Outcome<()> {
    let tenant = suite.tenant(&format!("filled-{}", size.customers)).await?;
    let clients = suite.direct(Role::Profiles, &tenant).await?;
    let told = stream::iter(0..size.customers).map(|number| {
        let mut profiles = ProfileServiceClient::new(clients[number as usize % clients.len()].clone());
        async move { profiles.identify(people::identify(number)).await.map(drop) }
    });
    told.buffer_unordered(IN_FLIGHT).try_collect::<()>().await?;
    suite.rest().await?;
    // A round to warm up.
    merges::identify_known(&clients, KNOWN, Until::Time(window)).await?;
    let most = merges::identify_known(&clients, KNOWN, Until::Time(window)).await?.per_second;
    suite.rest().await?;
    let alone = paced(&clients, most / 2.0, |since| since > window).await?;
    let condition = "traits.orders >= 45.0 && events.purchase.size() == 0";
    let started = Instant::now();
    let segment = create(&clients[0], "Filled", condition).await?;
    let is_filled = Arc::new(AtomicBool::new(false));
    let (done, client) = (Arc::clone(&is_filled), clients[0].clone());
    let mut filling = JoinSet::new();
    filling.spawn(async move {
        let filled = filled(&client, &segment).await;
        done.store(true, Ordering::Relaxed);
        filled.map(|()| started.elapsed())
    });
    // Half as many first; where it goes on, then as many as can be, again without anything else and with it.
    let beside = paced(&clients, most / 2.0, |since| since > 2 * window || is_filled.load(Ordering::Relaxed)).await?;
    if !is_filled.load(Ordering::Relaxed) {
        let during = merges::identify_known(&clients, KNOWN, Until::Time(window)).await?.per_second;
        report.note(suite.engine, &size.most, during, Some(most));
    }
    report.note(suite.engine, &size.half, beside, Some(alone));
    let took = filling.join_next().await.ok_or("it is waited for")???;
    report.note(suite.engine, &size.rate, f64::from(size.customers) / took.as_secs_f64(), None);
    Ok(())
}

/// Tells of known customers at a steady pace until it is over; answers how long half of the calls took at most, in
/// milliseconds, from when they were due.
async fn paced(clients: &[Client], per_second: f64, over: impl Fn(Duration) -> bool) -> Outcome<f64> {
    let (started, mut calls, mut took) = (tokio::time::Instant::now(), JoinSet::new(), Vec::new());
    for number in 0_u32.. {
        let due = started + Duration::from_secs_f64(f64::from(number) / per_second);
        tokio::time::sleep_until(due).await;
        if over(started.elapsed()) {
            break;
        }
        let mut profiles = ProfileServiceClient::new(clients[number as usize % clients.len()].clone());
        let request = merges::changed(number % KNOWN, number);
        calls.spawn(async move { profiles.identify(request).await.map(|_| due.elapsed()) });
        while let Some(call) = calls.try_join_next() {
            took.push(call??);
        }
    }
    while let Some(call) = calls.join_next().await {
        took.push(call??);
    }
    Ok(quantile(&mut took, 0.5).as_secs_f64() * 1e3)
}
