//! Caller: only who came through the gateway goes on, and only with the scope the contract asks for.

use std::sync::Arc;

use http::{HeaderMap, Request, Response};
use rapport_api::policy::BY_NAME;
use rapport_kernel::{Caller, Clock, Fault, Timestamp};
use tonic::body::Body;
use tracing::Span;

use super::body::refuse;
use super::{Inner, Passage};
use crate::call::Call;
use crate::platform::Platform;
use crate::rpc::not_through_gateway;
use crate::status::unknown_call;
use crate::token::{self, TokenVerifier};

/// The innermost layer of a service.
pub struct CheckCaller<S> {
    inner: S,
    verifier: TokenVerifier,
    clock: Arc<dyn Clock>,
}

impl<S> CheckCaller<S> {
    /// Around `inner`.
    pub fn new(inner: S, platform: &Platform) -> Self {
        Self { inner, verifier: platform.verifier.clone(), clock: Arc::clone(&platform.clock) }
    }

    /// The call; `None` where there is no such call.
    fn check(&self, request: &Request<Body>) -> Result<Option<Call>, Fault> {
        let now = self.clock.now();
        let caller = caller(&self.verifier, request.headers(), now)?;
        Span::current().record("tenant", tracing::field::display(caller.tenant));
        let passage = Passage::of(request);
        // What the contract does not name is not there; what it names without an access, nobody may call.
        let Some(access) = passage.and_then(|passage| passage.method()?.access) else {
            return Ok(None);
        };
        // Where the request's own name says the service, whoever reads that name asks for the scope.
        if access.service != BY_NAME {
            caller.require(access.service, access.verb)?;
        }
        let request_id = passage.and_then(Passage::request_id).cloned().unwrap_or_default();
        Ok(Some(Call { caller, request_id, deadline: passage.and_then(Passage::deadline), now }))
    }
}

fn caller(verifier: &TokenVerifier, headers: &HeaderMap, now: Timestamp) -> Result<Arc<Caller>, Fault> {
    let token = headers.get(token::NAME).and_then(|token| token.to_str().ok()).ok_or_else(not_through_gateway)?;
    verifier.verify(token, now)
}

impl<S: Inner> Inner for CheckCaller<S> {
    type End = Option<S::End>;

    fn answer(&self, mut request: Request<Body>) -> impl Future<Output = (Response<Body>, Self::End)> + Send {
        let begun = match self.check(&request) {
            Ok(Some(call)) => {
                request.extensions_mut().insert(call);
                Ok(self.inner.answer(request))
            }
            Ok(None) => Err(unknown_call().into_http()),
            Err(fault) => Err(refuse(fault)),
        };
        async move {
            match begun {
                Ok(answer) => {
                    let (answer, end) = answer.await;
                    (answer, Some(end))
                }
                Err(refused) => (refused, None),
            }
        }
    }
}
