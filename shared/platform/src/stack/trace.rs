//! Trace: one span per call, child of the caller's (W3C trace context), with the request's id and the code.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::Status;
use tonic::body::Body;
use tower::Service;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::body::Told;
use super::{Answer, Inner, RequestId};
use crate::contract::Contract;
use crate::metrics::code_name;
use crate::platform::Platform;
use crate::telemetry::context;

/// The layer.
#[derive(Clone)]
pub struct Trace<S> {
    inner: S,
    contract: Contract,
}

impl<S> Trace<S> {
    /// Around `inner`.
    pub fn new(inner: S, platform: &Platform) -> Self {
        Self { inner, contract: platform.contract.clone() }
    }
}

impl<S: Inner> Service<Request<Body>> for Trace<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = self.contract.find(request.uri().path());
        let name = method.map_or("_OTHER", |method| &*method.name);
        let id = request.extensions().get::<RequestId>().map_or("", |id| &*id.0);
        // At level ERROR, so that no filter takes the request's id off an error's line. Few fields: each is rendered
        // for each call. What only an exported span shows is set as an attribute, which costs nothing without one.
        let span =
            tracing::error_span!("call", otel.name = name, otel.kind = "server", request_id = id, tenant = Empty);
        span.set_attribute("rpc.system.name", "grpc");
        if let Some(method) = method {
            span.set_attribute("rpc.method", Arc::clone(&method.name));
        }
        let context = context::enter(&span, request.headers());
        let answer = {
            let _attached = context.clone().attach();
            span.in_scope(|| self.inner.call(request))
        };
        let ended = span.clone();
        let answer = async move {
            let answer = answer.await?;
            Ok(Told::around(answer, move |code| tell(&ended, code)))
        };
        Box::pin(answer.instrument(span).with_context(context))
    }
}

fn tell(span: &Span, code: tonic::Code) {
    span.set_attribute("rpc.response.status_code", code_name(code));
    if matches!(code, tonic::Code::Internal | tonic::Code::Unknown | tonic::Code::DataLoss) {
        span.set_status(Status::error(code_name(code)));
    }
    tracing::debug!(parent: span, code = code_name(code), "a call ended");
}
