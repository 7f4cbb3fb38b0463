//! What an operator sees of a database: how full commit groups are, what waits in the outbox, what could not be
//! applied, how long work ended.

use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use rapport_kernel::Fault;

use crate::engine::Engine;

/// Seconds: OpenTelemetry's buckets for database clients, with one below.
const BUCKETS: [f64; 10] = [0.0002, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

#[derive(Clone)]
pub(crate) struct Metrics {
    operations: HistogramVec,
    groups: Histogram,
    unsettled: IntGauge,
    dead_letters: IntCounter,
    consumed: IntCounter,
    ended: IntCounterVec,
}

impl Metrics {
    /// Registers the figures of a service's database; of a database that is opened twice, the first ones show.
    pub(crate) fn new(registry: &Registry, service: &str) -> Result<Self, Fault> {
        let options = |name: &str, help: &str| Opts::new(name, help).const_label("service", service);
        let groups = HistogramOpts::new("rapport_database_group_units", "Units of work in one commit (SQLite).");
        let groups = groups.const_label("service", service).buckets(vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]);
        let groups = Histogram::with_opts(groups).map_err(Fault::internal)?;
        // Named after OpenTelemetry's `db.client.operation.duration`.
        let help = "How long reads and units of work took, waiting included.";
        let operations = HistogramOpts::new("db_client_operation_duration_seconds", help).buckets(BUCKETS.to_vec());
        let operations = operations.const_label("service", service);
        let operations = HistogramVec::new(operations, &["db_system_name", "db_operation_name", "error_type"]);
        let operations = operations.map_err(Fault::internal)?;
        let unsettled = options("rapport_outbox_unsettled", "Published events that not every group has committed.");
        let unsettled = IntGauge::with_opts(unsettled).map_err(Fault::internal)?;
        let dead = options("rapport_dead_letters_total", "Events that could not be applied and were set aside.");
        let dead_letters = IntCounter::with_opts(dead).map_err(Fault::internal)?;
        let consumed = options("rapport_events_consumed_total", "Events that consumers of this database applied.");
        let consumed = IntCounter::with_opts(consumed).map_err(Fault::internal)?;
        let ended = options("rapport_operations_ended_total", "Operations (long work) that ended.");
        let ended = IntCounterVec::new(ended, &["kind", "state"]).map_err(Fault::internal)?;
        let all: [Box<dyn prometheus::core::Collector>; 6] = [
            Box::new(operations.clone()),
            Box::new(groups.clone()),
            Box::new(unsettled.clone()),
            Box::new(dead_letters.clone()),
            Box::new(consumed.clone()),
            Box::new(ended.clone()),
        ];
        for one in all {
            match registry.register(one) {
                Ok(()) | Err(prometheus::Error::AlreadyReg) => {}
                Err(error) => return Err(Fault::internal(error)),
            }
        }
        Ok(Self { operations, groups, unsettled, dead_letters, consumed, ended })
    }

    pub(crate) fn operation<T>(&self, engine: Engine, name: &str, took: Duration, result: &Result<T, Fault>) {
        let engine = match engine {
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgresql",
        };
        let error = result.as_ref().err().map_or("", |fault| fault.reason.name());
        self.operations.with_label_values(&[engine, name, error]).observe(took.as_secs_f64());
    }
    pub(crate) fn operation_ended(&self, kind: &str, state: &str) {
        self.ended.with_label_values(&[kind, state]).inc();
    }
    pub(crate) fn group(&self, units: usize) {
        self.groups.observe(f64::from(u32::try_from(units).unwrap_or(u32::MAX)));
    }
    pub(crate) fn unsettled(&self, events: u64) {
        self.unsettled.set(i64::try_from(events).unwrap_or(i64::MAX));
    }
    pub(crate) fn dead_letter(&self) {
        self.dead_letters.inc();
    }
    pub(crate) fn consumed(&self, events: usize) {
        self.consumed.inc_by(u64::try_from(events).unwrap_or(0));
    }
}
