//! A role behind a network: our own set of endpoints (a balanced channel of tonic's loses calls to a dead endpoint,
//! and hangs when it is empty), kept up to date by name resolution.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{HeaderValue, Request, Response, Uri, header, request};
use rapport_kernel::{Fault, Reason, Verb};
use tokio::time::Instant;
use tonic::Code;
use tonic::body::Body;
use tonic::transport::{self, Channel};
use tower::{Service as _, ServiceExt as _};

use super::balance::{Endpoint, Picked, RetryBudget, pick};
use super::replay::Payload;
use crate::contract::Contract;
use crate::metrics::RpcMetrics;
use crate::stack::{code_in, refuse};
use crate::tasks::{OnFailure, Tasks};

/// How often names are resolved again.
const RESOLVE_EVERY: Duration = Duration::from_secs(5);

/// One role elsewhere.
pub(super) struct Remote {
    role: String,
    named: Vec<Uri>,
    endpoints: ArcSwap<Vec<Arc<Endpoint>>>,
    retries: RetryBudget,
    contract: Contract,
    metrics: RpcMetrics,
}

/// How one attempt failed.
struct Failure {
    cause: String,
    /// Nothing of it reached a handler.
    unsent: bool,
}

impl Remote {
    pub(super) fn new(
        role: &str,
        addresses: &[String],
        contract: Contract,
        metrics: RpcMetrics,
    ) -> Result<Arc<Self>, Fault> {
        let parse = |address: &String| {
            let uri =
                address.parse::<Uri>().ok().filter(|uri| uri.scheme_str() == Some("http") && uri.host().is_some());
            let wrong =
                || Fault::new(Reason::InvalidField, format!("{address} is no endpoint: write http://host:port"));
            uri.ok_or_else(wrong)
        };
        let named: Vec<Uri> = addresses.iter().map(parse).collect::<Result<_, _>>()?;
        let endpoints = named.iter().map(|uri| Arc::new(Endpoint::new(uri.to_string(), channel(uri, uri)))).collect();
        let (role, endpoints) = (role.to_owned(), ArcSwap::from_pointee(endpoints));
        Ok(Arc::new(Self { role, named, endpoints, retries: RetryBudget::new(), contract, metrics }))
    }

    /// Sends a request, and once more where that can do no harm.
    pub(super) async fn send(&self, request: Request<Body>) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        parts.headers.insert(header::TE, HeaderValue::from_static("trailers"));
        let method = self.contract.find(parts.uri.path());
        let payload = match method.is_some_and(|method| method.is_unary()) {
            true => Payload::gather(body).await,
            false => Ok(Payload::Flowing(Some(body))),
        };
        let mut payload = match payload {
            Ok(payload) => payload,
            Err(status) => return status.into_http(),
        };
        let reads = method.and_then(|method| method.access).is_some_and(|access| access.verb == Verb::Read);
        self.retries.called();
        let (first, tried) = self.attempt(&parts, &mut payload, None).await;
        let harmless = match &first {
            Ok(answer) => reads && code_in(answer.headers()) == Some(Code::Unavailable),
            Err(failure) => reads || failure.unsent,
        };
        if !(harmless && payload.is_whole() && tried.is_some() && self.retries.allows_retry()) {
            return first.unwrap_or_else(|failure| self.unreachable(failure));
        }
        self.metrics.retried(&self.role);
        let (second, _) = self.attempt(&parts, &mut payload, tried.as_deref()).await;
        second.or(first).unwrap_or_else(|failure| self.unreachable(failure))
    }

    /// One attempt, and the address it went to.
    async fn attempt(
        &self,
        parts: &request::Parts,
        payload: &mut Payload,
        not: Option<&str>,
    ) -> (Result<Response<Body>, Failure>, Option<String>) {
        let unsent = |cause: &str| Failure { cause: cause.to_owned(), unsent: true };
        let Some(picked) = pick(&self.endpoints.load(), not) else {
            return (Err(unsent("every endpoint's circuit is open")), None);
        };
        let Some(request) = payload.request(parts) else {
            return (Err(unsent("the request cannot be sent again")), None);
        };
        let Picked(endpoint) = &picked;
        let mut channel = endpoint.channel.clone();
        let answer = match channel.ready().await {
            Ok(channel) => channel.call(request).await,
            Err(why) => Err(why),
        };
        let answer = match answer {
            Ok(answer) => {
                endpoint.circuit.succeeded();
                Ok(answer)
            }
            Err(why) => {
                endpoint.circuit.failed(Instant::now());
                Err(failure(&why))
            }
        };
        (answer, Some(endpoint.address.clone()))
    }

    fn unreachable(&self, failure: Failure) -> Response<Body> {
        refuse(Fault::unavailable("a service", format!("{}: {}", self.role, failure.cause)))
    }

    /// Starts the task that resolves names again and again, where there are names.
    pub(super) fn keep_resolved(self: &Arc<Self>, tasks: &Tasks) {
        let is_name = |uri: &Uri| uri.host().is_some_and(|host| host.parse::<IpAddr>().is_err());
        if !self.named.iter().any(is_name) {
            return;
        }
        let this = Arc::downgrade(self);
        tasks.spawn(&format!("peers.{}", self.role), OnFailure::Restart, move |stopping| {
            let this = this.clone();
            async move {
                while let Some(remote) = this.upgrade() {
                    remote.resolve().await;
                    drop(remote);
                    tokio::select! {
                        () = tokio::time::sleep(RESOLVE_EVERY) => {}
                        () = stopping.cancelled() => break,
                    }
                }
                Ok(())
            }
        });
    }

    async fn resolve(&self) {
        let old = self.endpoints.load_full();
        let mut new: Vec<Arc<Endpoint>> = Vec::new();
        for uri in &self.named {
            let (host, port) = (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(80));
            match tokio::net::lookup_host((host, port)).await {
                Ok(found) => {
                    for address in found {
                        let known = old.iter().find(|endpoint| endpoint.address == address.to_string());
                        new.push(known.cloned().unwrap_or_else(|| resolved(address, uri)));
                    }
                }
                // What was known may still answer; what was not has nothing to lose.
                Err(why) => {
                    tracing::warn!(role = self.role, cause = %why, "a peer's name could not be resolved");
                    return;
                }
            }
        }
        new.sort_by(|a, b| a.address.cmp(&b.address));
        new.dedup_by(|a, b| a.address == b.address);
        let addresses = |endpoints: &[Arc<Endpoint>]| -> Vec<String> {
            endpoints.iter().map(|endpoint| endpoint.address.clone()).collect()
        };
        if !new.is_empty() && addresses(&new) != addresses(&old) {
            tracing::info!(role = self.role, endpoints = ?addresses(&new), "a peer's endpoints changed");
            self.endpoints.store(Arc::new(new));
        }
    }
}

fn resolved(address: SocketAddr, named: &Uri) -> Arc<Endpoint> {
    let uri = Uri::builder().scheme("http").authority(address.to_string()).path_and_query("/").build();
    let uri = uri.expect("a socket's address is an authority");
    Arc::new(Endpoint::new(address.to_string(), channel(&uri, named)))
}

fn channel(to: &Uri, origin: &Uri) -> Channel {
    Channel::builder(to.clone())
        .origin(origin.clone())
        .connect_timeout(Duration::from_secs(1))
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024)
        .connect_lazy()
}

fn failure(why: &transport::Error) -> Failure {
    let mut cause = why.to_string();
    let mut unsent = false;
    let mut at: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(why);
    while let Some(source) = at {
        cause = format!("{cause}: {source}");
        // The connection was never made, or was gone before the request was put on it.
        unsent |= source.is::<tonic::ConnectError>();
        unsent |= source.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled);
        at = source.source();
    }
    Failure { cause, unsent }
}
