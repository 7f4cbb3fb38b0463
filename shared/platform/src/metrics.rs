//! Figures about calls, in Prometheus' form, named after OpenTelemetry's conventions for RPC.
//!
//! Labels name the contract's own methods and codes only: nothing a caller sends becomes a label.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry};
use rapport_kernel::Fault;
use tonic::Code;

use crate::contract::{Contract, Method};

/// Seconds: OpenTelemetry's buckets for RPC, with some below, as many calls take less than its first.
const BUCKETS: [f64; 17] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// How many codes there are.
const CODES: usize = 17;

/// The figures of all calls of a process. Cheap to clone; clones share them.
#[derive(Clone)]
pub struct RpcMetrics(Arc<Figures>);

struct Figures {
    server: PerCall,
    client: PerCall,
    shed: IntCounterVec,
    retries: IntCounterVec,
    bytes_in_flight: IntGauge,
    connections: IntGauge,
    connections_closed: IntCounterVec,
}

/// A histogram for each method and code. Found by number: looking one up by its labels hashes them at each call. Made
/// when it is first needed: what never happened is not listed.
struct PerCall {
    all: HistogramVec,
    found: Box<[OnceLock<Histogram>]>,
}

impl PerCall {
    /// For as many methods, and for what is none of them.
    fn new(all: HistogramVec, methods: usize) -> Self {
        Self { all, found: std::iter::repeat_with(OnceLock::new).take((methods + 1) * CODES).collect() }
    }

    fn observe(&self, method: Option<&Method>, code: Code, took: Duration) {
        let find = || {
            let name = method.map_or("_OTHER", |method| &*method.name);
            self.all.with_label_values(&[name, code_name(code)])
        };
        // What is no method comes first.
        let place = method.map_or(0, |method| method.number + 1) * CODES + code as usize;
        match self.found.get(place) {
            Some(found) => found.get_or_init(find).observe(took.as_secs_f64()),
            None => find().observe(took.as_secs_f64()),
        }
    }
}

impl RpcMetrics {
    /// The figures of the calls of `contract`, registered with `registry`.
    ///
    /// # Errors
    /// Where it holds metrics of these names already.
    pub fn new(registry: &Registry, contract: &Contract) -> Result<Self, Fault> {
        let labels = ["rpc_method", "rpc_response_status_code"];
        let histogram = |name: &str, help: &str| {
            let options = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
            let vec = HistogramVec::new(options, &labels).map_err(Fault::internal)?;
            registry.register(Box::new(vec.clone())).map_err(Fault::internal)?;
            Ok::<_, Fault>(PerCall::new(vec, contract.len()))
        };
        let counter = |name: &str, help: &str, label: &str| {
            let vec = IntCounterVec::new(Opts::new(name, help), &[label]).map_err(Fault::internal)?;
            registry.register(Box::new(vec.clone())).map_err(Fault::internal)?;
            Ok(vec)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help).map_err(Fault::internal)?;
            registry.register(Box::new(gauge.clone())).map_err(Fault::internal)?;
            Ok(gauge)
        };
        Ok(Self(Arc::new(Figures {
            server: histogram("rpc_server_call_duration_seconds", "How long calls took, to their last byte.")?,
            client: histogram("rpc_client_call_duration_seconds", "How long calls to peers took, to their answer.")?,
            shed: counter("rapport_calls_shed_total", "Calls refused because of load, by what ran out.", "limit")?,
            retries: counter("rapport_peer_retries_total", "Calls to peers that were made again.", "role")?,
            bytes_in_flight: gauge("rapport_request_bytes_in_flight", "Bytes of requests being worked on.")?,
            connections: gauge("rapport_connections", "Open connections.")?,
            connections_closed: counter(
                "rapport_connections_closed_total",
                "Connections closed or refused by us, by why.",
                "why",
            )?,
        })))
    }

    pub(crate) fn served(&self, method: Option<&Method>, code: Code, took: Duration) {
        self.0.server.observe(method, code, took);
    }
    pub(crate) fn called(&self, method: Option<&Method>, code: Code, took: Duration) {
        self.0.client.observe(method, code, took);
    }
    pub(crate) fn shed(&self, limit: &str) {
        self.0.shed.with_label_values(&[limit]).inc();
    }
    pub(crate) fn retried(&self, role: &str) {
        self.0.retries.with_label_values(&[role]).inc();
    }
    pub(crate) fn closed(&self, why: &str) {
        self.0.connections_closed.with_label_values(&[why]).inc();
    }
    pub(crate) fn bytes_in_flight(&self) -> &IntGauge {
        &self.0.bytes_in_flight
    }
    pub(crate) fn connections(&self) -> &IntGauge {
        &self.0.connections
    }
}

/// The code as OpenTelemetry writes it.
pub(crate) const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
