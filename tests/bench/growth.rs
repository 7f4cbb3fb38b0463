//! Growth: what a call costs when there are more customers, up to a million of them. One tenant grows by import; at each
//! size the same calls are measured, each with as many in flight as the limit has. The baseline of a figure is what the
//! call cost at the smallest size, corrected by what an empty call cost then and costs now: so that a machine that became
//! slower meanwhile is not taken for a store that did.

use std::collections::BTreeMap;
use std::time::Instant;

use futures::stream;
use rapport_api::common::v1::{Value, value::Kind};
use rapport_api::profiles::v1::interaction_service_client::InteractionServiceClient;
use rapport_api::profiles::v1::profile_service_client::ProfileServiceClient;
use rapport_api::profiles::v1::{
    GetProfileRequest, ImportProfilesRequest, RecordInteractionRequest, SearchProfilesRequest,
};
use rapport_suite::settings::Role;
use tonic::Status;
use tonic::transport::Channel;

use crate::load::{IN_FLIGHT, Until, drive};
use crate::people::{by_number, identify, long_ago, purchase};
use crate::report::{Figure, Report, Target, Unit, thousands};
use crate::scale::Scale;
use crate::suite::{Client, Suite, Tenant};
use crate::{Outcome, limit};

/// A call may cost half as much again as at the smallest size, and no more.
const LEAST: f64 = 0.67;

const fn figure(name: &'static str, unit: Unit, target: Target) -> Figure {
    Figure { name, unit, target }
}

/// What is measured of one size.
struct Size {
    customers: u32,
    import: Figure,
    /// One for each of [`Call::ALL`].
    calls: [Figure; 5],
    memory: Figure,
    store: Figure,
}

/// The sizes, the smallest first: what the others are measured against.
const SIZES: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];

impl Size {
    /// Of so many customers. The report keeps figures to the end of the run, so that they are never freed.
    fn of(customers: u32, target: Target) -> &'static Self {
        let name =
            |what: &str| -> &'static str { format!("{what}, {} customers", thousands(f64::from(customers))).leak() };
        let call = |what| figure(name(what), Unit::Micros, target);
        Box::leak(Box::new(Self {
            customers,
            import: figure(name("ImportProfiles, on the way to"), Unit::PerSecond("rows"), Target::None),
            calls: [
                call("GetProfile by an identifier"),
                call("Identify, a known one of"),
                call("Identify, a new one beside"),
                call("RecordInteraction"),
                call("SearchProfiles by two traits, a page of 20 of"),
            ],
            memory: figure(name("memory of suite and client"), Unit::Mebibytes, Target::None),
            store: figure(name("profiles' store"), Unit::Mebibytes, Target::None),
        }))
    }
}

/// What is called.
#[derive(Clone, Copy)]
enum Call {
    Get,
    Known,
    New,
    Record,
    Search,
}

impl Call {
    const ALL: [Self; 5] = [Self::Get, Self::Known, Self::New, Self::Record, Self::Search];
}

/// Measures every size from the smallest that is asked for to the largest.
pub async fn measure(suite: &Suite, scale: &Scale, report: &mut Report) -> Outcome<()> {
    let (smallest, largest) = scale.grown;
    let tenant = suite.tenant("growing").await?;
    let empty = suite.limit().await?;
    let mut growing = Growing { suite, tenant, empty, there: 0, told: 0, first: None };
    for customers in SIZES.into_iter().filter(|size| (smallest..=largest).contains(size)) {
        let target = if customers == smallest { Target::None } else { Target::Ratio(LEAST) };
        growing.measure(Size::of(customers, target), scale, report).await?;
    }
    Ok(())
}

/// A tenant that grows.
struct Growing<'a> {
    suite: &'a Suite,
    tenant: Tenant,
    empty: Vec<Channel>,
    /// Customers so far.
    there: u32,
    /// Calls so far: no two tell the same.
    told: u32,
    /// What an empty call and the others cost at the smallest size.
    first: Option<(f64, [f64; 5])>,
}

impl Growing<'_> {
    async fn measure(&mut self, size: &'static Size, scale: &Scale, report: &mut Report) -> Outcome<()> {
        let clients = self.suite.direct(Role::Profiles, &self.tenant).await?;
        let (engine, rows) = (self.suite.engine, size.customers.saturating_sub(self.there));
        let started = Instant::now();
        import(&clients[0], self.there, rows).await?;
        report.note(engine, &size.import, f64::from(rows) / started.elapsed().as_secs_f64(), None);
        self.there += rows;
        self.suite.rest().await?;
        eprintln!("bench: {}: {} customers after {:.0?}", engine.name(), size.customers, started.elapsed());
        // What grew is cold no longer before anything counts.
        self.round(&clients, size.customers, Until::Time(scale.window / 2)).await?;
        let mut rounds = Vec::new();
        for _ in 0..scale.rounds.max(3) {
            rounds.push(self.round(&clients, size.customers, Until::Time(scale.window)).await?);
        }
        let empty = middle(rounds.iter().map(|(empty, _)| *empty));
        let costs: Vec<f64> =
            (0..size.calls.len()).map(|at| middle(rounds.iter().map(|(_, costs)| costs[at]))).collect();
        let costs: [f64; 5] = costs.try_into().map_err(|_| "a cost for each call")?;
        let (before, first) = *self.first.get_or_insert((empty, costs));
        for ((figure, cost), first) in size.calls.iter().zip(costs).zip(first) {
            report.note(engine, figure, cost, Some(first * empty / before));
        }
        report.note(engine, &size.memory, memory()?, None);
        report.note(engine, &size.store, self.suite.store_mebibytes().await?, None);
        Ok(())
    }

    /// What an empty call costs, and each of the others, in microseconds.
    async fn round(&mut self, clients: &[Client], customers: u32, until: Until) -> Outcome<(f64, [f64; 5])> {
        let empty = 1e6 / limit::measure(&self.empty, IN_FLIGHT, until).await?.per_second;
        let mut costs = [0.0; 5];
        for (cost, call) in costs.iter_mut().zip(Call::ALL) {
            let first = self.told;
            let measured = drive(clients, IN_FLIGHT, until, move |client, number| {
                let number = first.wrapping_add(u32::try_from(number).unwrap_or(u32::MAX));
                make(call, client, customers, number)
            });
            let measured = measured.await?;
            *cost = 1e6 / measured.per_second;
            // A place may have gone beyond the last that was counted.
            self.told += (measured.per_second * 10.0) as u32 + 1_000;
            self.suite.rest().await?;
        }
        Ok((empty, costs))
    }
}

async fn make(call: Call, client: Client, customers: u32, number: u32) -> Result<(), Status> {
    // Spread over all that are there, so that nothing that was just used helps.
    let one = spread(number) % customers;
    match call {
        Call::Get => {
            let request = GetProfileRequest { customer: Some(by_number(one)), ..GetProfileRequest::default() };
            ProfileServiceClient::new(client).get_profile(request).await.map(drop)
        }
        Call::Known => {
            let mut request = identify(one);
            let visits = Value { kind: Some(Kind::NumberValue(f64::from(number))) };
            request.traits = BTreeMap::from([("visits".to_owned(), visits)]);
            ProfileServiceClient::new(client).identify(request).await.map(drop)
        }
        // Beyond all that are imported ever.
        Call::New => ProfileServiceClient::new(client).identify(identify(10_000_000 + number)).await.map(drop),
        Call::Record => {
            let interaction = purchase(by_number(one), "growing", number, long_ago(number), String::new());
            let request =
                RecordInteractionRequest { interaction: Some(interaction), ..RecordInteractionRequest::default() };
            InteractionServiceClient::new(client).record_interaction(request).await.map(drop)
        }
        Call::Search => {
            let filter = format!("traits.region == \"east\" && traits.orders == {}.0", number % 50);
            let request = SearchProfilesRequest { filter, page_size: 20, ..SearchProfilesRequest::default() };
            ProfileServiceClient::new(client).search_profiles(request).await.map(drop)
        }
    }
}

const fn spread(number: u32) -> u32 {
    number.wrapping_mul(0x9e37_79b9) ^ (number >> 16)
}

async fn import(client: &Client, first: u32, rows: u32) -> Outcome<()> {
    let item = |number: u32| ImportProfilesRequest { profile: Some(identify(number)) };
    let mut service = ProfileServiceClient::new(client.clone());
    let mut acks = service.import_profiles(stream::iter((first..first + rows).map(item))).await?.into_inner();
    let mut accepted = 0;
    while let Some(answer) = acks.message().await? {
        accepted += answer.ack.map_or(0, |ack| ack.accepted);
    }
    if accepted == i64::from(rows) { Ok(()) } else { Err(format!("{accepted} of {rows} customers were taken").into()) }
}

fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// What this process holds in memory, in mebibytes.
fn memory() -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let held = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    Ok(held.ok_or("the kernel tells no memory")?.trim().parse::<f64>()? / 1_024.0)
}
