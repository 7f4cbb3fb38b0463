//! Matching: what it costs to train the matcher, and to meet one record with all of a tenant's, as many as there are.
//! The people are made up: names of syllables, common and rare, and every tenth is recorded twice, with a slip.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::stream;
use prost::Message as _;
use rapport_api::common::v1::{OperationProgress, Value, value::Kind};
use rapport_api::google::longrunning::operations_client::OperationsClient;
use rapport_api::google::longrunning::{CancelOperationRequest, WaitOperationRequest, operation};
use rapport_api::profiles::v1::identity_service_client::IdentityServiceClient;
use rapport_api::profiles::v1::profile_service_client::ProfileServiceClient;
use rapport_api::profiles::v1::{IdentifyRequest, ImportProfilesRequest, TrainMatcherRequest};
use rapport_suite::settings::Role;

use crate::Outcome;
use crate::load::quantile;
use crate::report::{Figure, Report, Target, Unit};
use crate::suite::{Client, Suite};

const fn figure(name: &'static str, target: Target) -> Figure {
    Figure { name, unit: Unit::Millis, target }
}

/// What is measured of one size.
struct Size {
    records: u32,
    trained: Figure,
    before: Figure,
    half: Figure,
    most: Figure,
}

/// The sizes, the smallest first.
const SIZES: [Size; 5] = [
    Size {
        records: 1_000,
        trained: figure("TrainMatcher, 1,000 records, to the last link", Target::None),
        before: figure("Identify, no matcher, 1,000 records, p99", Target::None),
        half: figure("Identify, matched against 1,000 records, p50", Target::None),
        most: figure("Identify, matched against 1,000 records, p99", Target::AtMost(10.0)),
    },
    Size {
        records: 5_000,
        trained: figure("TrainMatcher, 5,000 records, to the last link", Target::AtMost(5_000.0)),
        before: figure("Identify, no matcher, 5,000 records, p99", Target::None),
        half: figure("Identify, matched against 5,000 records, p50", Target::None),
        most: figure("Identify, matched against 5,000 records, p99", Target::AtMost(10.0)),
    },
    Size {
        records: 10_000,
        trained: figure("TrainMatcher, 10,000 records, to the last link", Target::None),
        before: figure("Identify, no matcher, 10,000 records, p99", Target::None),
        half: figure("Identify, matched against 10,000 records, p50", Target::None),
        most: figure("Identify, matched against 10,000 records, p99", Target::AtMost(10.0)),
    },
    Size {
        records: 100_000,
        trained: figure("TrainMatcher, 100,000 records, to the last link", Target::None),
        before: figure("Identify, no matcher, 100,000 records, p99", Target::None),
        half: figure("Identify, matched against 100,000 records, p50", Target::None),
        most: figure("Identify, matched against 100,000 records, p99", Target::AtMost(10.0)),
    },
    Size {
        records: 1_000_000,
        trained: figure("TrainMatcher, 1,000,000 records, until each can be met", Target::None),
        before: figure("Identify, no matcher, 1,000,000 records, p99", Target::None),
        half: figure("Identify, matched against 1,000,000 records, p50", Target::None),
        most: figure("Identify, matched against 1,000,000 records, p99", Target::AtMost(10.0)),
    },
];
/// Records that are heard one at a time: twenty of them lie beyond the 99th percentile.
const HEARD: u32 = 2_000;
/// Of so many a training is called off once every record can be met by a new one: to weigh all with all takes an hour, and
/// does not change what it takes to meet them.
const LARGE: u32 = 1_000_000;
/// Records that are heard before, to warm up.
const WARM_UP: u32 = 200;
const SYLLABLES: [&str; 24] = [
    "ka", "lo", "mi", "ren", "sa", "tor", "vel", "wen", "bar", "des", "fin", "gol", "han", "jo", "lin", "mar", "nor",
    "pet", "ros", "sten", "tal", "ul", "vin", "zar",
];

/// Measures every size up to the largest.
pub async fn measure(suite: &Suite, largest: u32, report: &mut Report) -> Outcome<()> {
    for size in SIZES.iter().filter(|size| size.records <= largest) {
        let tenant = suite.tenant(&format!("matching-{}", size.records)).await?;
        let clients = suite.direct(Role::Profiles, &tenant).await?;
        introduce(&clients, size.records).await?;
        let mut before = hear(&clients[0], size.records).await?;
        let started = Instant::now();
        train(&clients[0], size.records < LARGE).await?;
        let trained = started.elapsed();
        let mut after = hear(&clients[0], size.records + WARM_UP + HEARD).await?;
        let millis = |of: Duration| of.as_secs_f64() * 1e3;
        report.note(suite.engine, &size.before, millis(quantile(&mut before, 0.99)), None);
        report.note(suite.engine, &size.trained, millis(trained), None);
        report.note(suite.engine, &size.half, millis(quantile(&mut after, 0.5)), None);
        report.note(suite.engine, &size.most, millis(quantile(&mut after, 0.99)), None);
    }
    Ok(())
}

/// Imports records, over all connections at once.
async fn introduce(clients: &[Client], count: u32) -> Outcome<()> {
    let lanes = clients.len() as u32;
    let told = clients.iter().zip(0..lanes).map(|(client, lane)| async move {
        let mine = (lane..count).step_by(lanes as usize);
        let expected = mine.clone().count() as i64;
        let items = mine.map(|number| ImportProfilesRequest { profile: Some(record(number)) });
        let mut service = ProfileServiceClient::new(client.clone());
        let mut acks = service.import_profiles(stream::iter(items)).await?.into_inner();
        let mut accepted = 0;
        while let Some(answer) = acks.message().await? {
            accepted += answer.ack.map_or(0, |ack| ack.accepted);
        }
        if accepted == expected { Ok(()) } else { Err(format!("{accepted} of {expected} records were taken").into()) }
    });
    futures::future::try_join_all(told).await.map(drop)
}

/// Hears new records one at a time; answers how long each took.
async fn hear(client: &Client, first: u32) -> Outcome<Vec<Duration>> {
    let mut profiles = ProfileServiceClient::new(client.clone());
    let mut took = Vec::new();
    for number in first..first + WARM_UP + HEARD {
        let sent = Instant::now();
        profiles.identify(record(number)).await?;
        if number >= first + WARM_UP {
            took.push(sent.elapsed());
        }
    }
    Ok(took)
}

async fn train(client: &Client, whole: bool) -> Outcome<()> {
    let request = TrainMatcherRequest::default();
    let operation = IdentityServiceClient::new(client.clone()).train_matcher(request).await?.into_inner();
    let mut operations = OperationsClient::new(client.clone());
    let mut called_off = false;
    loop {
        let timeout = Some(prost_types::Duration { seconds: if whole { 10 } else { 1 }, nanos: 0 });
        let request = WaitOperationRequest { name: operation.name.clone(), timeout };
        let held = operations.wait_operation(request).await?.into_inner();
        match held.result {
            Some(operation::Result::Response(_)) => return Ok(()),
            Some(operation::Result::Error(_)) if called_off => return Ok(()),
            Some(operation::Result::Error(error)) => return Err(error.message.into()),
            None => {}
        }
        // It goes through all customers three times; they are made ready first.
        let progress = held.metadata.map(|any| OperationProgress::decode(any.value.as_slice())).transpose()?;
        let is_ready = progress.is_some_and(|it| it.total > 0 && it.done * 3 >= it.total);
        if !whole && !called_off && is_ready {
            operations.cancel_operation(CancelOperationRequest { name: operation.name.clone() }).await?;
            called_off = true;
        }
    }
}

/// A record; every tenth is another of the person before it, with a slip in the surname.
fn record(number: u32) -> IdentifyRequest {
    let again = number % 10 == 9;
    let person = if again { number - 1 } else { number };
    let mut state = u64::from(person).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d;
    let mut roll = |sides: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % sides
    };
    // The square of a roll: low numbers are common, high ones rare, as names are.
    let mut name = |syllables: u32| {
        let parts = (0..syllables).map(|_| {
            let (a, b) = (roll(24), roll(24));
            SYLLABLES[(a * b / 24) as usize]
        });
        parts.collect::<String>()
    };
    let (given, mut surname, street) = (name(2), name(3), name(3));
    let (born, place, house) = (roll(20_000), roll(2_000), roll(200));
    if again {
        surname.pop();
    }
    let text = |text: String| Value { kind: Some(Kind::TextValue(text)) };
    let (year, month, day) = (1_940 + born / 360, 1 + born / 30 % 12, 1 + born % 28);
    let traits = BTreeMap::from([
        ("given_name".to_owned(), text(given)),
        ("surname".to_owned(), text(surname)),
        ("street".to_owned(), text(format!("{street} street"))),
        ("house_number".to_owned(), text(house.to_string())),
        ("postcode".to_owned(), text(format!("{:05}", 10_000 + place))),
        ("date_of_birth".to_owned(), text(format!("{year}-{month:02}-{day:02}"))),
    ]);
    let (source, external_id) = ("bench_people".to_owned(), number.to_string());
    let observed_at = Some(prost_types::Timestamp { seconds: 1_735_689_600 + i64::from(number), nanos: 0 });
    IdentifyRequest { source, external_id, traits, observed_at, ..IdentifyRequest::default() }
}
