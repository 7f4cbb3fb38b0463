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
use crate::windows;

/// How often names are resolved again.
const RESOLVE_EVERY: Duration = Duration::from_secs(5);

/// How often one call is attempted at most, where nothing of it was sent.
const MOST_ATTEMPTS: usize = 3;

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
    /// The caller's time ran out. (tonic's channel keeps the deadline it finds in the headers as well.)
    late: bool,
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

    /// Sends a request, and again where that can do no harm: what only reads, or never left.
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
        let mut tried = Vec::new();
        loop {
            let outcome = self.attempt(&parts, &mut payload, &mut tried).await;
            let harmless = match &outcome {
                // Alive, but not able: one more instance is asked, not all of them.
                Ok(answer) => reads && tried.len() < 2 && code_in(answer.headers()) == Some(Code::Unavailable),
                Err(failure) => !failure.late && (failure.unsent || reads) && tried.len() < MOST_ATTEMPTS,
            };
            let again = harmless && payload.is_whole() && self.another(&tried) && self.retries.allows_retry();
            if !again {
                return outcome.unwrap_or_else(|failure| self.unreachable(failure));
            }
            self.metrics.retried(&self.role);
        }
    }

    /// Whether a further attempt has somewhere to go: another endpoint, or the only one, which is asked twice.
    fn another(&self, tried: &[String]) -> bool {
        let endpoints = self.endpoints.load();
        endpoints.iter().any(|endpoint| !tried.contains(&endpoint.address))
            || (endpoints.len() == 1 && tried.len() == 1)
    }

    /// One attempt; notes the address it went to.
    async fn attempt(
        &self,
        parts: &request::Parts,
        payload: &mut Payload,
        tried: &mut Vec<String>,
    ) -> Result<Response<Body>, Failure> {
        let unsent = |cause: &str| Failure { cause: cause.to_owned(), unsent: true, late: false };
        let picked = {
            let endpoints = self.endpoints.load();
            pick(&endpoints, if endpoints.len() == 1 { &[] } else { tried })
        };
        let picked = picked.ok_or_else(|| unsent("every endpoint's circuit is open"))?;
        let request = payload.request(parts).ok_or_else(|| unsent("the request cannot be sent again"))?;
        let Picked(endpoint) = &picked;
        tried.push(endpoint.address.clone());
        let mut channel = endpoint.channel.clone();
        let answer = match channel.ready().await {
            Ok(channel) => channel.call(request).await,
            Err(why) => Err(why),
        };
        match answer {
            Ok(answer) => {
                endpoint.circuit.succeeded();
                Ok(answer)
            }
            Err(why) => {
                let failure = failure(&why);
                // A caller's short deadline says nothing about the endpoint.
                if !failure.late {
                    endpoint.circuit.failed(Instant::now());
                }
                Err(failure)
            }
        }
    }

    fn unreachable(&self, failure: Failure) -> Response<Body> {
        if failure.late {
            return refuse(Fault::deadline());
        }
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
        .initial_stream_window_size(windows::STREAM)
        .initial_connection_window_size(windows::CONNECTION)
        .connect_lazy()
}

fn failure(why: &transport::Error) -> Failure {
    let mut cause = why.to_string();
    let (mut unsent, mut late) = (false, false);
    let mut at: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(why);
    while let Some(source) = at {
        cause = format!("{cause}: {source}");
        // The connection was never made, or was gone before the request was put on it.
        unsent |= source.is::<tonic::ConnectError>();
        unsent |= source.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled);
        late |= source.is::<tonic::TimeoutExpired>();
        at = source.source();
    }
    Failure { cause, unsent, late }
}
