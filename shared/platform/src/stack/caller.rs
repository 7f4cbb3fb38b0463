//! Caller: only who came through the gateway goes on, and only with the scope the contract asks for.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::Either;
use http::{HeaderMap, Request};
use rapport_kernel::{Caller, Clock, Fault, Timestamp};
use tonic::body::Body;
use tower::Service;
use tracing::Span;

use super::body::refuse;
use super::{Deadline, Inner, RequestId};
use crate::call::Call;
use crate::contract::Contract;
use crate::platform::Platform;
use crate::rpc::not_through_gateway;
use crate::status::unknown_call;
use crate::token::{self, TokenVerifier};

/// The innermost layer of a service.
#[derive(Clone)]
pub struct CheckCaller<S> {
    inner: S,
    contract: Contract,
    verifier: TokenVerifier,
    clock: Arc<dyn Clock>,
}

impl<S> CheckCaller<S> {
    /// Around `inner`.
    pub fn new(inner: S, platform: &Platform) -> Self {
        let (contract, verifier) = (platform.contract.clone(), platform.verifier.clone());
        Self { inner, contract, verifier, clock: Arc::clone(&platform.clock) }
    }

    /// The call; `None` where there is no such call.
    fn check(&self, request: &Request<Body>) -> Result<Option<Call>, Fault> {
        let now = self.clock.now();
        let caller = caller(&self.verifier, request.headers(), now)?;
        Span::current().record("tenant", tracing::field::display(caller.tenant));
        let method = self.contract.find(request.uri().path());
        // What the contract does not name is not there; what it names without an access, nobody may call.
        let Some(access) = method.and_then(|method| method.access) else {
            return Ok(None);
        };
        caller.require(access.service, access.verb)?;
        let request_id = request.extensions().get::<RequestId>().map(|id| id.0.to_string()).unwrap_or_default();
        let deadline = request.extensions().get::<Deadline>().and_then(|deadline| deadline.0);
        Ok(Some(Call { caller, request_id, deadline, now }))
    }
}

fn caller(verifier: &TokenVerifier, headers: &HeaderMap, now: Timestamp) -> Result<Caller, Fault> {
    let token = headers.get(token::HEADER).and_then(|token| token.to_str().ok()).ok_or_else(not_through_gateway)?;
    verifier.verify(token, now)
}

impl<S: Inner> Service<Request<Body>> for CheckCaller<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<std::future::Ready<Result<S::Response, S::Error>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let refused = match self.check(&request) {
            Ok(Some(call)) => {
                request.extensions_mut().insert(call);
                return Either::Right(self.inner.call(request));
            }
            Ok(None) => unknown_call().into_http(),
            Err(fault) => refuse(fault),
        };
        Either::Left(std::future::ready(Ok(refused)))
    }
}
