//! The host: serves one stacked service on a listener of our own, with health, reflection and the admin port, and
//! stops cleanly.
//!
//! Stopping: health says NOT_SERVING first; for a moment calls are still taken, until whoever routes to us has
//! noticed; then connections are told to go (GOAWAY) and calls in flight are waited for; streams that do not end
//! are ended; what is left is cut.

mod admin;
mod connection;
mod front;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use rapport_kernel::{Fault, Reason};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

pub use front::Peer;

use crate::config::{About, Describe, Period};
use crate::module::Readiness;
use crate::platform::Platform;
use crate::stack::Stacked;
use connection::{Acceptor, Closing};
use front::Front;

/// A listener and its limits.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HostConfig {
    /// Where gRPC is served.
    pub listen: String,
    /// Where /healthz, /readyz and /metrics are served (plain HTTP); nowhere where it is not set.
    pub admin: Option<String>,
    /// Whether HTTP/1.1 is taken besides HTTP/2.
    pub http1: bool,
    /// Connections in total.
    pub connections: usize,
    /// Connections of one address.
    pub connections_per_peer: usize,
    /// Streams of one connection at once.
    pub streams_per_connection: u32,
    /// Metadata of one request.
    pub metadata_bytes: usize,
    /// By when a connection must have brought the first of a first request.
    pub handshake: Period,
    /// How long a connection may be without a call.
    pub idle: Period,
    /// How long a connection lives before it is asked to be made anew (so that load spreads over new instances).
    pub age: Period,
    /// How often a silent connection is asked whether it is alive.
    pub keepalive: Period,
    /// How long its answer may take.
    pub keepalive_timeout: Period,
    /// How long calls are still taken after health says NOT_SERVING.
    pub notice: Period,
    /// How long calls in flight are waited for after that.
    pub drain: Period,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:50051".to_owned(),
            admin: None,
            http1: false,
            connections: 4_096,
            connections_per_peer: 512,
            streams_per_connection: 256,
            metadata_bytes: 12 * 1024,
            handshake: Period::secs(10),
            idle: Period::secs(300),
            age: Period::secs(1_800),
            keepalive: Period::secs(20),
            keepalive_timeout: Period::secs(10),
            notice: Period::millis(500),
            drain: Period::secs(4),
        }
    }
}

impl Describe for HostConfig {
    fn describe(about: &mut About) {
        about
            .key("listen", "where gRPC is served")
            .key("admin", "where /healthz, /readyz and /metrics are served (plain HTTP); nowhere if not set")
            .key("http1", "whether HTTP/1.1 is taken besides HTTP/2")
            .key("connections", "connections in total")
            .key("connections_per_peer", "connections of one address")
            .key("streams_per_connection", "calls of one connection at once")
            .key("metadata_bytes", "metadata of one call, names and values")
            .key("handshake", "by when a connection must have brought the first bytes of a first call's message")
            .key("idle", "how long a connection may be without a call")
            .key("age", "how long a connection lives before its client is asked to make a new one")
            .key("keepalive", "how often a silent connection is asked whether it is alive")
            .key("keepalive_timeout", "how long its answer may take")
            .key("notice", "how long calls are still taken after health says NOT_SERVING")
            .key("drain", "how long calls in flight are waited for after that");
    }
}

/// A bound listener, not yet serving.
pub struct Host {
    config: HostConfig,
    platform: Platform,
    listener: TcpListener,
    admin: Option<TcpListener>,
}

impl Host {
    /// Binds the addresses of the configuration.
    ///
    /// # Errors
    /// INVALID_ARGUMENT where an address cannot be bound.
    pub async fn bind(config: &HostConfig, platform: &Platform) -> Result<Self, Fault> {
        let listener = bind(&config.listen).await?;
        let admin = match &config.admin {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        Ok(Self { config: config.clone(), platform: platform.clone(), listener, admin })
    }

    /// Where gRPC is served: the port that was found where port 0 was asked for.
    ///
    /// # Errors
    /// INTERNAL where the system does not tell.
    pub fn address(&self) -> Result<SocketAddr, Fault> {
        self.listener.local_addr().map_err(Fault::internal)
    }

    /// Where the admin port is.
    ///
    /// # Errors
    /// INTERNAL where the system does not tell.
    pub fn admin_address(&self) -> Result<Option<SocketAddr>, Fault> {
        self.admin.as_ref().map(TcpListener::local_addr).transpose().map_err(Fault::internal)
    }

    /// Serves until `stop` ends or a task that the process needs fails; then drains. Tasks go on: the caller ends
    /// them by [`Platform::stop`] when every host has drained.
    ///
    /// # Errors
    /// INTERNAL where a needed task failed.
    pub async fn serve(
        self,
        name: &'static str,
        service: Stacked,
        readiness: Readiness,
        stop: impl Future<Output = ()>,
    ) -> Result<(), Fault> {
        let closing = Closing::default();
        // Where the caller drops this future, nothing of it goes on.
        let _cut = closing.cut.clone().drop_guard();
        let health = front::Health::new(name, readiness);
        let front = Front::new(service, &self.platform, &health, closing.told.clone(), self.config.metadata_bytes)?;
        let tracker = TaskTracker::new();
        let stop_watching = CancellationToken::new();
        tracker.spawn(health.clone().watch(stop_watching.clone()));
        if let Some(admin) = self.admin {
            let admin = admin::serve(admin, self.platform.clone(), health.clone(), closing.cut.clone());
            tracker.spawn(admin.instrument(tracing::error_span!("admin")));
        }
        let acceptor = Acceptor::new(&self.config, front, closing.clone(), self.platform.rpc.clone());
        let connections = acceptor.connections();
        let accepting = tracker.spawn(acceptor.run(self.listener));
        let failed = tokio::select! {
            () = stop => false,
            () = self.platform.tasks.failure() => true,
        };
        tracing::info!(name, failed, "stopping");
        self.platform.drain.start();
        health.leave().await;
        tokio::time::sleep(self.config.notice.get()).await;
        closing.told.cancel();
        drop(accepting.await);
        drain(&connections, &self.platform, &closing, self.config.drain).await;
        stop_watching.cancel();
        closing.cut.cancel();
        tracker.close();
        tracker.wait().await;
        if failed { Err(Fault::internal("a background task that the process needs failed")) } else { Ok(()) }
    }
}

/// Waits for the calls in flight, then for streams told to end, then no longer.
async fn drain(connections: &Arc<TaskTracker>, platform: &Platform, closing: &Closing, within: Period) {
    connections.close();
    let last = std::time::Duration::from_secs(1);
    if tokio::time::timeout(within.get(), connections.wait()).await.is_err() {
        tracing::warn!("calls still run; their streams are ended");
        platform.drain.end();
        if tokio::time::timeout(last, connections.wait()).await.is_err() {
            tracing::warn!(connections = connections.len(), "calls still run; their connections are cut");
            closing.cut.cancel();
            connections.wait().await;
        }
    }
}

async fn bind(address: &str) -> Result<TcpListener, Fault> {
    let wrong = |why| Fault::new(Reason::InvalidField, format!("cannot listen on {address}: {why}"));
    TcpListener::bind(address).await.map_err(wrong)
}

/// Ends when the process is asked to stop: SIGTERM, or SIGINT (Ctrl-C).
///
/// # Errors
/// INTERNAL where the system does not let us listen for signals.
pub async fn asked_to_stop() -> Result<(), Fault> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(Fault::internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Fault::internal)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
