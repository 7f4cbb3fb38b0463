//! The rounds: each measures everything once, every figure beside its baseline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rapport_suite::settings::Role;
use tonic::transport::Channel;

use crate::load::{IN_FLIGHT, Until};
use crate::raw::Raw;
use crate::report::{Figure, Report, Target, Unit};
use crate::scale::{Part, Scale};
use crate::suite::{Client, Suite};
use crate::{Outcome, decisions, heard, import, limit, merges, people, reads, visibility};

const CALLS: Unit = Unit::PerSecond("calls");
const ROWS: Unit = Unit::PerSecond("rows");

const EMPTY: Figure = figure("empty tonic call, 64 in flight (the limit)", CALLS, Target::None);
const EMPTY_SINGLE: Figure = figure("empty tonic call, one at a time (the limit)", Unit::Micros, Target::None);
const SAME: Figure = figure("bare tonic, answering a profile like GetProfile's : empty call", CALLS, Target::None);
const HOT: Figure = figure("GetProfile, hot : empty call", CALLS, Target::Ratio(0.6));
const HOT_SINGLE: Figure = figure("GetProfile, hot, one at a time : empty call", Unit::Micros, Target::None);
const COLD: Figure = figure("GetProfile, cold : empty call", CALLS, Target::None);
const GATEWAY: Figure = figure("GetProfile, hot, by the gateway : at the service", CALLS, Target::None);
const GATEWAY_SINGLE: Figure = figure("the same, one at a time", Unit::Micros, Target::None);
const DECIDE_FEW: Figure = figure("Decide, 10 actions, committed : empty call", CALLS, Target::None);
const DECIDE_MANY: Figure = figure("Decide, 100 actions, committed : empty call", CALLS, Target::Ratio(0.25));
const DECIDE_SINGLE: Figure = figure("Decide, 100 actions, one at a time : empty call", Unit::Micros, Target::None);
const IDENTIFY_NEW: Figure = figure("Identify, a new customer : empty call", CALLS, Target::None);
const IDENTIFY_KNOWN: Figure = figure("Identify, a known customer's trait : empty call", CALLS, Target::None);
const SUBMIT: Figure = figure("SubmitResponse, a score and a comment : empty call", CALLS, Target::None);
const PUSH: Figure = figure("PushTickets, of known customers, acknowledged : bare insert", ROWS, Target::None);
const IMPORT: Figure = figure("import, known customers, acknowledged : bare insert", ROWS, Target::Ratio(0.35));
const IMPORT_NEW: Figure = figure("import, new customers, acknowledged : bare insert", ROWS, Target::None);
const COUNTED: Figure = figure("import, known customers, counted in metrics : bare insert", ROWS, Target::None);
const MERGE_HALF: Figure = figure("MergeProfiles, 1,000 interactions each, p50", Unit::Millis, Target::None);
const MERGE: Figure = figure("MergeProfiles, 1,000 interactions each, p99", Unit::Millis, Target::AtMost(10.0));
const SPLIT_HALF: Figure = figure("SplitProfile, 1,000 interactions each, p50", Unit::Millis, Target::None);
const SPLIT: Figure = figure("SplitProfile, 1,000 interactions each, p99", Unit::Millis, Target::None);
const WRITTEN: Figure = figure("RecordInteraction at 500/s, acknowledged, p50", Unit::Millis, Target::None);
const VISIBLE_HALF: Figure = figure("acknowledged to visible in metrics at 500/s, p50", Unit::Millis, Target::None);
const VISIBLE: Figure = figure("acknowledged to visible in metrics at 500/s, p99", Unit::Millis, Target::AtMost(50.0));

const FEW: u32 = 10;
const MANY: u32 = 100;
/// Customers that are read over and over.
const HOT_CUSTOMERS: usize = 64;
/// Customers that are told of again and again.
const KNOWN: u32 = 500;
/// Longer than profiles holds what it read.
const COOLING: Duration = Duration::from_millis(1_100);

const fn figure(name: &'static str, unit: Unit, target: Target) -> Figure {
    Figure { name, unit, target }
}

/// Measures everything on a suite: a round to warm up, then those that count.
pub async fn measure(suite: &Suite, scale: &Scale, report: &mut Report) -> Outcome<()> {
    let started = Instant::now();
    let mut bench = Bench::prepare(suite, scale).await?;
    bench.round(0, &scale.warm_up(), &mut Report::default()).await?;
    for round in 1..=scale.rounds {
        bench.round(round, scale, report).await?;
        let each = started.elapsed() / (round + 1);
        eprintln!("bench: {}: round {round} of {} after {:.0?}", suite.engine.name(), scale.rounds, started.elapsed());
        if started.elapsed() + each > scale.budget {
            break;
        }
    }
    Ok(())
}

/// Connections and customers that all rounds use.
struct Bench<'a> {
    suite: &'a Suite,
    limit: Vec<Channel>,
    reading: Reading,
    few: Deciding,
    many: Deciding,
    importing: Importing,
    telling: Telling,
    merging: (Client, merges::Pairs),
    hearing: heard::Hearing,
    steady: Steady,
}

struct Reading {
    direct: Vec<Client>,
    by_gateway: Vec<Client>,
    hot: Arc<Vec<String>>,
    cold: Arc<Vec<String>>,
    /// When the cold ones were last read.
    last: Instant,
}

struct Deciding {
    clients: Vec<Client>,
    customers: Arc<Vec<String>>,
}

struct Importing {
    profiles: Client,
    metrics: Client,
    raw: Raw,
    /// Rows sent so far.
    sent: i64,
    /// The first customer that no import has named.
    next_customer: u32,
}

/// Who tells of customers, and how many are known.
struct Telling {
    clients: Vec<Client>,
    known: u32,
}

struct Steady {
    writers: Vec<Client>,
    reader: Client,
    customers: Vec<String>,
}

impl<'a> Bench<'a> {
    async fn prepare(suite: &'a Suite, scale: &Scale) -> Outcome<Self> {
        let (few, many) = (deciding(suite, "few", FEW, scale).await?, deciding(suite, "many", MANY, scale).await?);
        let (reading, importing) = (reading(suite, scale).await?, importing(suite).await?);
        let (steady, telling) = (steady(suite).await?, telling(suite).await?);
        let merging = merging(suite, if scale.has(Part::Merges) { scale.merges } else { 0 }).await?;
        let (hearing, limit) = (heard::prepare(suite).await?, suite.limit().await?);
        suite.rest().await?;
        Ok(Self { suite, limit, reading, few, many, importing, telling, merging, hearing, steady })
    }

    async fn round(&mut self, round: u32, scale: &Scale, report: &mut Report) -> Outcome<()> {
        let (many, one) = (Until::Time(scale.window), Until::Time(scale.single));
        let engine = self.suite.engine;
        let empty = limit::measure(&self.limit, IN_FLIGHT, many).await?.per_second;
        let empty_single = limit::measure(&self.limit, 1, one).await?.p50;
        report.note(engine, &EMPTY, empty, None);
        report.note(engine, &EMPTY_SINGLE, empty_single, None);
        if scale.has(Part::Reads) {
            self.reads(scale, report, empty, empty_single).await?;
        }
        if scale.has(Part::Decisions) {
            self.decisions(scale, report, empty, empty_single).await?;
        }
        if scale.has(Part::Identify) {
            self.identify(scale, report, empty).await?;
            self.suite.rest().await?;
        }
        if scale.has(Part::Merges) {
            self.merge(report).await?;
            self.suite.rest().await?;
        }
        if scale.has(Part::Imports) {
            self.imports(round, scale, report).await?;
            self.suite.rest().await?;
        }
        if scale.has(Part::Heard) {
            let submitted = self.hearing.submit(many).await?;
            report.note(engine, &SUBMIT, submitted.per_second, Some(empty));
            self.suite.rest().await?;
            let (pushed, bare) = self.hearing.push(round, scale.rows).await?;
            report.note(engine, &PUSH, pushed, Some(bare));
            self.suite.rest().await?;
        }
        if scale.has(Part::Visibility) {
            self.visible(round, scale, report).await?;
            self.suite.rest().await?;
        }
        Ok(())
    }

    async fn decisions(&self, scale: &Scale, report: &mut Report, empty: f64, empty_single: f64) -> Outcome<()> {
        let (many, one, engine) = (Until::Time(scale.window), Until::Time(scale.single), self.suite.engine);
        let Deciding { clients, customers } = &self.few;
        let decided = decisions::decide(clients, customers, IN_FLIGHT, many).await?;
        report.note(engine, &DECIDE_FEW, decided.per_second, Some(empty));
        let Deciding { clients, customers } = &self.many;
        let decided = decisions::decide(clients, customers, IN_FLIGHT, many).await?;
        report.note(engine, &DECIDE_MANY, decided.per_second, Some(empty));
        let decided = decisions::decide(clients, customers, 1, one).await?;
        report.note(engine, &DECIDE_SINGLE, decided.p50, Some(empty_single));
        self.suite.rest().await
    }

    async fn reads(&mut self, scale: &Scale, report: &mut Report, empty: f64, empty_single: f64) -> Outcome<()> {
        let (many, one) = (Until::Time(scale.window), Until::Time(scale.single));
        let (engine, reading) = (self.suite.engine, &mut self.reading);
        let same = limit::measure_same(&self.limit, &reading.hot, many).await?.per_second;
        report.note(engine, &SAME, same, Some(empty));
        let hot = reads::hot(&reading.direct, &reading.hot, IN_FLIGHT, many).await?.per_second;
        report.note(engine, &HOT, hot, Some(empty));
        let hot_single = reads::hot(&reading.direct, &reading.hot, 1, one).await?.p50;
        report.note(engine, &HOT_SINGLE, hot_single, Some(empty_single));
        let by_gateway = reads::hot(&reading.by_gateway, &reading.hot, IN_FLIGHT, many).await?;
        report.note(engine, &GATEWAY, by_gateway.per_second, Some(hot));
        let by_gateway = reads::hot(&reading.by_gateway, &reading.hot, 1, one).await?;
        report.note(engine, &GATEWAY_SINGLE, by_gateway.p50, Some(hot_single));
        tokio::time::sleep(COOLING.saturating_sub(reading.last.elapsed())).await;
        let cold = reads::cold(&reading.direct, &reading.cold).await?;
        reading.last = Instant::now();
        report.note(engine, &COLD, cold.per_second, Some(empty));
        Ok(())
    }

    async fn identify(&mut self, scale: &Scale, report: &mut Report, empty: f64) -> Outcome<()> {
        let (until, engine) = (Until::Time(scale.window), self.suite.engine);
        let Telling { clients, known } = &mut self.telling;
        let new = merges::identify_new(clients, *known, until).await?;
        report.note(engine, &IDENTIFY_NEW, new.per_second, Some(empty));
        // A place may have gone beyond the last that was counted.
        *known += (new.per_second * scale.window.as_secs_f64() * 2.0) as u32 + 1_000;
        let told = merges::identify_known(clients, KNOWN, until).await?;
        report.note(engine, &IDENTIFY_KNOWN, told.per_second, Some(empty));
        Ok(())
    }

    async fn merge(&self, report: &mut Report) -> Outcome<()> {
        let (client, pairs) = &self.merging;
        let (took, engine) = (merges::measure(client, pairs).await?, self.suite.engine);
        report.note(engine, &MERGE_HALF, took.merge_p50, None);
        report.note(engine, &MERGE, took.merge_p99, None);
        report.note(engine, &SPLIT_HALF, took.split_p50, None);
        report.note(engine, &SPLIT, took.split_p99, None);
        Ok(())
    }

    async fn imports(&mut self, round: u32, scale: &Scale, report: &mut Report) -> Outcome<()> {
        let (engine, rows) = (self.suite.engine, f64::from(scale.rows));
        let first = self.importing.next_customer;
        let (new, bare, _) = self.importing.import(&format!("new-{round}"), first, scale.rows).await?;
        report.note(engine, &IMPORT_NEW, rows / new.as_secs_f64(), Some(rows / bare.as_secs_f64()));
        self.importing.next_customer += scale.rows;
        self.suite.rest().await?;
        let (known, bare, counted) = self.importing.import(&format!("known-{round}"), first, scale.rows).await?;
        let bare = Some(rows / bare.as_secs_f64());
        report.note(engine, &IMPORT, rows / known.as_secs_f64(), bare);
        report.note(engine, &COUNTED, rows / counted.as_secs_f64(), bare);
        Ok(())
    }

    async fn visible(&self, round: u32, scale: &Scale, report: &mut Report) -> Outcome<()> {
        let (engine, source) = (self.suite.engine, format!("steady-{round}"));
        let Steady { writers, reader, customers } = &self.steady;
        let delays = visibility::measure(writers, reader, customers, &source, scale.steady).await?;
        report.note(engine, &WRITTEN, delays.acknowledged_p50, None);
        report.note(engine, &VISIBLE_HALF, delays.visible_p50, None);
        report.note(engine, &VISIBLE, delays.visible_p99, None);
        Ok(())
    }
}

impl Importing {
    /// Imports, waits until all of it counts, and inserts the same rows bare: how long each took.
    async fn import(&mut self, source: &str, first: u32, rows: u32) -> Outcome<(Duration, Duration, Duration)> {
        let started = Instant::now();
        let acknowledged = import::send(&self.profiles, source, first, rows).await?;
        self.sent += i64::from(rows);
        import::counted(&self.metrics, self.sent).await?;
        let counted = started.elapsed();
        let stored = self.raw.rows(source).await?;
        Ok((acknowledged, self.raw.insert(&stored).await?, counted))
    }
}

async fn reading(suite: &Suite, scale: &Scale) -> Outcome<Reading> {
    let tenant = suite.tenant("reading").await?;
    let (direct, by_gateway) = (suite.direct(Role::Profiles, &tenant).await?, suite.by_gateway(&tenant).await?);
    let mut cold = people::introduce(&direct, scale.cold).await?;
    let hot = Arc::new(cold.split_off(cold.len().saturating_sub(HOT_CUSTOMERS)));
    Ok(Reading { direct, by_gateway, hot, cold: Arc::new(cold), last: Instant::now() })
}

async fn deciding(suite: &Suite, name: &str, actions: u32, scale: &Scale) -> Outcome<Deciding> {
    let tenant = suite.tenant(name).await?;
    let clients = suite.direct(Role::Personalisation, &tenant).await?;
    decisions::prepare(&clients, actions).await?;
    let customers = people::introduce(&suite.direct(Role::Profiles, &tenant).await?, scale.deciding).await?;
    Ok(Deciding { clients, customers: Arc::new(customers) })
}

async fn importing(suite: &Suite) -> Outcome<Importing> {
    let tenant = suite.tenant("importing").await?;
    let profiles = suite.direct(Role::Profiles, &tenant).await?.swap_remove(0);
    let metrics = suite.direct(Role::Metrics, &tenant).await?.swap_remove(0);
    Ok(Importing { profiles, metrics, raw: suite.raw_interactions().await?, sent: 0, next_customer: 0 })
}

async fn telling(suite: &Suite) -> Outcome<Telling> {
    let tenant = suite.tenant("telling").await?;
    let clients = suite.direct(Role::Profiles, &tenant).await?;
    people::introduce(&clients, KNOWN).await?;
    Ok(Telling { clients, known: KNOWN })
}

async fn merging(suite: &Suite, pairs: u32) -> Outcome<(Client, merges::Pairs)> {
    let tenant = suite.tenant("merging").await?;
    let client = suite.direct(Role::Profiles, &tenant).await?.swap_remove(0);
    let pairs = merges::prepare(&client, pairs).await?;
    Ok((client, pairs))
}

async fn steady(suite: &Suite) -> Outcome<Steady> {
    let tenant = suite.tenant("steady").await?;
    let writers = suite.direct(Role::Profiles, &tenant).await?;
    let reader = suite.direct(Role::Metrics, &tenant).await?.swap_remove(0);
    let customers = people::introduce(&writers, 200).await?;
    Ok(Steady { writers, reader, customers })
}
