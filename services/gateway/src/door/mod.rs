//! The door: every call from outside comes in here. It finds out who calls, refuses what that key may not do, and hands
//! the call on: to the gateway's own services, or, with its body undecoded, to the service of its path.
//!
//! Within the platform's outer stack, in this order: **metadata → who calls → which call → scope → quota → hand on**.
//! Whoever shows no key learns nothing, not even which calls exist; calls among the suite's own services are answered
//! as calls that do not exist. Of one contract, that of long work, the request's own name says which service is meant:
//! there the door looks into the body, which is small and one message.

mod answer;
mod keys;
mod metadata;
mod named;
mod open;
mod quota;
mod route;

use std::sync::Arc;

use http::{HeaderMap, Request, Response};
use rapport_kernel::{Caller, Clock, Fault, Private, Timestamp};
use rapport_platform::stack::{Inner, Passage};
use rapport_platform::{Call, Peers, Routes, Tasks, TokenIssuer, status, token, unknown_call};
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;
use tower::Service as _;
use tracing::Span;

pub use keys::{KeyConfig, Keys};
pub use quota::{Quota, QuotaConfig};

use crate::domain::{KeyHash, Secret};
use open::Opened;
use route::Route;

/// What the door is made of.
pub(crate) struct Parts {
    /// The gateway's own services.
    pub own: Routes,
    /// The keys it remembers.
    pub keys: Keys,
    /// The hash of the operator's key, where there is one.
    pub operator: Option<KeyHash>,
    /// How much each tenant may call.
    pub quota: Quota,
    /// How much metadata a call may bring.
    pub metadata_bytes: usize,
    /// Where the services are.
    pub peers: Peers,
    /// Signs who calls.
    pub issuer: TokenIssuer,
    /// Watches the keys of open streams.
    pub tasks: Tasks,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// The door.
pub struct Door {
    shared: Parts,
}

impl Door {
    pub(crate) fn new(parts: Parts) -> Self {
        Self { shared: parts }
    }

    async fn answered(&self, request: Request<Body>) -> Result<Response<Body>, Refused> {
        let shared = &self.shared;
        metadata::check(request.headers(), shared.metadata_bytes)?;
        let now = shared.clock.now();
        let (caller, opened) = shared.caller(request.headers(), deadline(&request)).await?;
        Span::current().record("tenant", tracing::field::display(caller.tenant));
        // Unknown calls, and those among the suite's own services, are alike.
        let (policy, route) = route::of(request.uri().path()).ok_or(Refused::Unknown)?;
        let (route, service, request) = match route {
            Route::Named => {
                let (role, request) = named::role(request).await?;
                (Route::Peer(role), role, request)
            }
            known => (known, policy.service, request),
        };
        caller.require(service, policy.verb)?;
        shared.quota.take(caller.tenant)?;
        // A unary call is over before its key's end could be seen.
        let opened = if policy.streaming { opened } else { Opened::lasting() };
        let request = opened.request(request);
        match route {
            Route::Named => Err(Refused::Unknown),
            Route::Own => {
                let call = call(&request, caller, now);
                let mut request = request;
                request.extensions_mut().insert(call);
                let (answer, ()) = shared.own.answer(request).await;
                Ok(opened.answer(answer))
            }
            Route::Peer(role) => {
                let request = shared.stamp(request, &caller, now)?;
                let Ok(answer) = shared.peers.forward(role).call(request).await;
                Ok(opened.answer(answer::keep_whole(answer)))
            }
        }
    }
}

impl Parts {
    /// Who calls, by the key that the request shows, and what lasts no longer than that key.
    async fn caller(&self, headers: &HeaderMap, deadline: Option<Instant>) -> Result<(Caller, Opened), Fault> {
        let shown = metadata::key(headers)?;
        if let Some(operator) = &self.operator
            && bool::from(KeyHash::of(shown.expose()).bytes().ct_eq(operator.bytes()))
        {
            return Ok((Caller::operator(), Opened::lasting()));
        }
        let secret = Secret::parse(shown.expose()).ok_or_else(metadata::unknown_key)?;
        let key = self.keys.find(secret.hash(), deadline).await?.ok_or_else(metadata::unknown_key)?;
        Ok((key.caller()?, Opened::with(&self.keys, secret.hash(), &self.tasks)))
    }

    /// The request as a service may see it: no credentials of the caller's, the gateway's word instead.
    fn stamp(&self, request: Request<Body>, caller: &Caller, now: Timestamp) -> Result<Request<Body>, Fault> {
        let token = self.issuer.header(caller, now)?;
        let (given, body) = request.into_parts();
        let mut request = Request::new(body);
        *request.method_mut() = given.method;
        *request.uri_mut() = given.uri;
        *request.version_mut() = given.version;
        *request.headers_mut() = metadata::allowed(&given.headers);
        request.headers_mut().insert(token::NAME, token);
        // The way to the service passes on what remains of it.
        if let Some(passage) = given.extensions.get::<Passage>() {
            request.extensions_mut().insert(passage.clone());
        }
        Ok(request)
    }
}

/// The call as the gateway's own handlers see it.
fn call(request: &Request<Body>, caller: Caller, now: Timestamp) -> Call {
    let request_id = Passage::of(request).and_then(Passage::request_id).cloned().unwrap_or_default();
    Call { caller: Arc::new(caller), request_id, deadline: deadline(request), now }
}

/// When the caller stops waiting, as the stack noted it.
fn deadline(request: &Request<Body>) -> Option<Instant> {
    Passage::of(request).and_then(Passage::deadline)
}

/// Why a call is not handed on.
enum Refused {
    /// There is no such call.
    Unknown,
    /// It may not be made.
    Fault(Fault),
    /// Its body broke off, or is more than may be taken in.
    Broken(Status),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Refused {
    fn answer(self) -> Response<Body> {
        match self {
            Self::Unknown => unknown_call().into_http(),
            Self::Fault(fault) => status(fault).into_http(),
            Self::Broken(status) => status.into_http(),
        }
    }
}

impl Inner for Door {
    type End = ();

    async fn answer(&self, request: Request<Body>) -> (Response<Body>, ()) {
        (self.answered(request).await.unwrap_or_else(Refused::answer), ())
    }
}

/// A key as a caller showed it.
type Shown = Private<String>;
