//! Trace: one span per call, child of the caller's (W3C trace context), with the request's id and the code.

use std::sync::Arc;

use http::{Request, Response};
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::Status;
use tonic::body::Body;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{End, Inner, Passage};
use crate::contract::Contract;
use crate::metrics::code_name;
use crate::platform::Platform;
use crate::telemetry::context;

/// The layer. It also finds out which call of the contract a request makes, for the layers within.
pub struct Trace<S> {
    inner: S,
    contract: Contract,
}

impl<S> Trace<S> {
    /// Around `inner`.
    pub fn new(inner: S, platform: &Platform) -> Self {
        Self { inner, contract: platform.contract.clone() }
    }

    fn span(&self, request: &Request<Body>) -> Span {
        let passage = Passage::of(request);
        let method = self.contract.find(request.uri().path());
        if let Some(passage) = passage {
            passage.calls(method);
        }
        let name = method.map_or("_OTHER", |method| &*method.name);
        let id = passage.and_then(Passage::request_id).map_or("", |id| id.as_str());
        // At level ERROR, so that no filter takes the request's id off an error's line. Few fields: each is rendered
        // for each call. What only an exported span shows is set as an attribute, which costs nothing without one.
        let span =
            tracing::error_span!("call", otel.name = name, otel.kind = "server", request_id = id, tenant = Empty);
        span.set_attribute("rpc.system.name", "grpc");
        if let Some(method) = method {
            span.set_attribute("rpc.method", Arc::clone(&method.name));
        }
        span
    }
}

impl<S: Inner> Inner for Trace<S> {
    type End = (S::End, Told);

    fn answer(&self, request: Request<Body>) -> impl Future<Output = (Response<Body>, Self::End)> + Send {
        let span = self.span(&request);
        let context = context::enter(&span, request.headers());
        let told = Told(span.clone());
        // The layers within are called when this is polled: within the span, and within the trace.
        let answer = async move {
            let (answer, end) = self.inner.answer(request).await;
            (answer, (end, told))
        };
        answer.instrument(span).with_context(context)
    }
}

/// Notes on the call's span how it ended.
pub struct Told(Span);

impl End for Told {
    fn tell(&mut self, code: tonic::Code) {
        let Self(span) = self;
        span.set_attribute("rpc.response.status_code", code_name(code));
        if matches!(code, tonic::Code::Internal | tonic::Code::Unknown | tonic::Code::DataLoss) {
            span.set_status(Status::error(code_name(code)));
        }
        tracing::debug!(parent: &*span, code = code_name(code), "a call ended");
    }
}
