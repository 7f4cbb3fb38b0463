//! Peers: the one place that asks "local or remote?". A service names a role and calls it; whether that role runs in
//! this process or behind a network is configuration.
//!
//! A linked peer is called straight, but through the same stack as over TCP: the same deadline, authentication and
//! trace. A remote one has its own set of endpoints, each with a circuit; what failed before it was sent, or only
//! reads, is tried once more, within a budget.

mod balance;
mod remote;
mod replay;

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderValue, Request, Response};
use rapport_kernel::{Caller, Clock, Fault};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tonic::body::Body;
use tower::Service;

use crate::call::Call;
use crate::config::{About, Describe};
use crate::contract::Contract;
use crate::metrics::RpcMetrics;
use crate::stack::{Answer, Passage, Stacked, code_in, deadline, refuse, request_id};
use crate::tasks::Tasks;
use crate::telemetry::context;
use crate::token::{self, TokenIssuer};

use remote::Remote;

/// How long a call to a peer waits where nobody waits for the caller: a background task's call ends as well.
const UNBOUNDED: Duration = Duration::from_secs(30);

/// Where the roles are that do not run in this process.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PeerConfig {
    /// Role → addresses, with commas between: `http://profiles:50051`.
    pub endpoints: BTreeMap<String, String>,
}

impl Describe for PeerConfig {
    fn describe(about: &mut About) {
        about
            .key("endpoints", "for each role that runs elsewhere its addresses, with commas between: http://host:port");
    }
}

#[derive(Clone)]
enum Target {
    Local(Stacked),
    Remote(Arc<Remote>),
}

/// The other services. Cheap to clone; clones share the links.
#[derive(Clone)]
pub struct Peers(Arc<Shared>);

struct Shared {
    targets: ArcSwap<HashMap<String, Target>>,
    issuer: TokenIssuer,
    clock: Arc<dyn Clock>,
    contract: Contract,
    metrics: RpcMetrics,
    tasks: Tasks,
}

impl Peers {
    pub(crate) fn new(
        issuer: TokenIssuer,
        clock: Arc<dyn Clock>,
        contract: Contract,
        metrics: RpcMetrics,
        tasks: Tasks,
    ) -> Self {
        Self(Arc::new(Shared { targets: ArcSwap::default(), issuer, clock, contract, metrics, tasks }))
    }

    /// Links a role that runs in this process: its routes within their stack.
    pub fn link(&self, role: &str, service: Stacked) {
        self.set(role, Target::Local(service));
    }

    /// Names the endpoints of a role that runs elsewhere. Connections are made when they are needed.
    ///
    /// # Errors
    /// INVALID_ARGUMENT where an endpoint is no `http://host:port`.
    pub fn connect(&self, role: &str, endpoints: Vec<String>) -> Result<(), Fault> {
        let (contract, metrics) = (self.0.contract.clone(), self.0.metrics.clone());
        let remote = Remote::new(role, &endpoints, contract, metrics)?;
        remote.keep_resolved(&self.0.tasks);
        self.set(role, Target::Remote(remote));
        Ok(())
    }

    /// A channel to a role, for the work of `call`: any generated client takes it. It calls in the name of the suite
    /// for the caller's tenant, under the same request id and trace, and passes on what remains of the deadline.
    #[must_use]
    pub fn channel(&self, role: &'static str, call: &Call) -> PeerChannel {
        let token = self.0.issuer.header(&Caller::internal(call.tenant()), self.0.clock.now()).ok();
        let request_id = call.request_id.header();
        PeerChannel { forward: self.forward(role), token, request_id, deadline: call.deadline }
    }

    /// The bare way to a role, which adds no credentials: for the gateway, which has its own.
    #[must_use]
    pub fn forward(&self, role: &'static str) -> Forward {
        Forward { peers: self.clone(), role }
    }

    /// Whether a role is linked or has endpoints.
    #[must_use]
    pub fn knows(&self, role: &str) -> bool {
        self.0.targets.load().contains_key(role)
    }

    /// Takes all links away.
    pub(crate) fn unlink(&self) {
        self.0.targets.store(Arc::default());
    }

    fn set(&self, role: &str, target: Target) {
        self.0.targets.rcu(|targets| {
            let mut targets = HashMap::clone(targets);
            targets.insert(role.to_owned(), target.clone());
            targets
        });
    }

    fn target(&self, role: &str) -> Option<Target> {
        self.0.targets.load().get(role).cloned()
    }
}

/// The bare way to a role. It passes on the trace, and what remains of the deadline that the stack noted.
#[derive(Clone)]
pub struct Forward {
    peers: Peers,
    role: &'static str,
}

impl Service<Request<Body>> for Forward {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Answer {
        if let Some(deadline) = Passage::of(&request).and_then(Passage::deadline) {
            pass_on(deadline, request.headers_mut());
        }
        context::inject(request.headers_mut());
        match self.peers.target(self.role) {
            Some(Target::Local(service)) => service.answer(request),
            Some(Target::Remote(remote)) => Box::pin(async move { Ok(remote.send(request).await) }),
            None => {
                let cause = format!("no service is linked, and no endpoint configured, for {}", self.role);
                Box::pin(async { Ok(refuse(Fault::unavailable("a service", cause))) })
            }
        }
    }
}

/// A channel to a role for one call's work: a service that any generated client takes.
#[derive(Clone)]
pub struct PeerChannel {
    forward: Forward,
    /// `None` where signing failed, which the peer then answers with UNAUTHENTICATED.
    token: Option<HeaderValue>,
    request_id: HeaderValue,
    deadline: Option<Instant>,
}

impl Service<Request<Body>> for PeerChannel {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Answer {
        let shared = &self.forward.peers.0;
        let method = shared.contract.find(request.uri().path()).cloned();
        let unary = method.as_ref().is_some_and(|method| method.is_unary());
        let since = Instant::now();
        let deadline = self.deadline.or_else(|| unary.then(|| since + UNBOUNDED));
        let headers = request.headers_mut();
        if let Some(token) = &self.token {
            headers.insert(token::NAME, token.clone());
        }
        headers.insert(request_id::HEADER, self.request_id.clone());
        if let Some(deadline) = deadline {
            pass_on(deadline, headers);
        }
        let metrics = shared.metrics.clone();
        let answer = self.forward.call(request);
        Box::pin(async move {
            let answer = match deadline {
                // A stream's answer begins at once; its end is the peer's own deadline layer's.
                Some(deadline) => tokio::time::timeout_at(deadline, answer).await,
                None => Ok(answer.await),
            };
            let answer = answer.unwrap_or_else(|_| Ok(refuse(Fault::deadline())))?;
            metrics.called(method.as_deref(), code_in(answer.headers()).unwrap_or(tonic::Code::Ok), since.elapsed());
            Ok(answer)
        })
    }
}

fn pass_on(until: Instant, headers: &mut HeaderMap) {
    let remaining = deadline::render(until.saturating_duration_since(Instant::now()));
    headers.insert(deadline::HEADER, HeaderValue::try_from(remaining).expect("digits and a letter"));
}
