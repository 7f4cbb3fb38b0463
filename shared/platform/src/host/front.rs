//! The front of a host: limits a request's metadata, answers health and reflection, hands on the rest.

use std::net::SocketAddr;
use std::time::Duration;

use http::{HeaderMap, Request};
use rapport_kernel::{Fault, Reason};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use crate::module::Readiness;
use crate::platform::Platform;
use crate::routes::Routes;
use crate::stack::{Answer, Stacked, outer_until, refuse};

/// How often health asks whether the service is ready.
const ASKED_EVERY: Duration = Duration::from_millis(200);

/// Where a request came from, in its extensions.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Whether this process serves: gRPC health, and what the admin port says.
#[derive(Clone)]
pub(super) struct Health {
    name: &'static str,
    reporter: HealthReporter,
    readiness: Readiness,
    leaving: CancellationToken,
}

impl Health {
    pub(super) fn new(name: &'static str, readiness: Readiness) -> Self {
        Self { name, reporter: HealthReporter::new(), readiness, leaving: CancellationToken::new() }
    }

    /// Keeps gRPC health what readiness is.
    pub(super) async fn watch(self, stop: CancellationToken) {
        let mut last = None;
        loop {
            let ready = self.is_ready();
            if last != Some(ready) {
                last = Some(ready);
                self.say(ready).await;
            }
            tokio::select! {
                () = tokio::time::sleep(ASKED_EVERY) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Says NOT_SERVING from now on.
    pub(super) async fn leave(&self) {
        self.leaving.cancel();
        self.say(false).await;
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.leaving.is_cancelled() && self.readiness.is_ready()
    }

    /// What is missing, in words for the operator.
    pub(super) fn missing(&self) -> Vec<(&'static str, String)> {
        let mut missing = self.readiness.missing();
        if self.leaving.is_cancelled() {
            missing.push(("process", "is stopping".to_owned()));
        }
        missing
    }

    async fn say(&self, ready: bool) {
        let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        for name in ["", self.name] {
            self.reporter.set_service_status(name, status).await;
        }
    }
}

/// What every connection's requests go through first. Cheap to clone.
#[derive(Clone)]
pub(super) struct Front {
    service: Stacked,
    open: Stacked,
    metadata_bytes: usize,
}

impl Front {
    pub(super) fn new(
        service: Stacked,
        platform: &Platform,
        health: &Health,
        ending: CancellationToken,
        metadata_bytes: usize,
    ) -> Result<Self, Fault> {
        let reflection = || {
            let sets = platform.contract.descriptors().iter();
            sets.fold(tonic_reflection::server::Builder::configure(), |builder, set| {
                builder.register_encoded_file_descriptor_set(set)
            })
        };
        let health = HealthServer::new(HealthService::from_health_reporter(health.reporter.clone()));
        let routes = Routes::new(health)
            .add_service(reflection().build_v1().map_err(Fault::internal)?)
            .add_service(reflection().build_v1alpha().map_err(Fault::internal)?);
        let open = Stacked::new(outer_until(routes, platform, ending));
        Ok(Self { service, open, metadata_bytes })
    }

    /// Answers a request.
    pub(super) fn answer(&self, request: Request<Body>) -> Answer {
        if size(request.headers()) > self.metadata_bytes {
            let text = format!("the call's metadata is larger than {} bytes", self.metadata_bytes);
            let fault = Fault::new(Reason::MessageTooLarge, text).with("limit", self.metadata_bytes);
            return Box::pin(async { Ok(refuse(fault)) });
        }
        let path = request.uri().path();
        let open = path.starts_with("/grpc.health.v1.Health/") || path.starts_with("/grpc.reflection.");
        if open { self.open.answer(request) } else { self.service.answer(request) }
    }
}

/// As HTTP/2 counts it, but for its 32 bytes for each.
fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}
