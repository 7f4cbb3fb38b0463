//! The trace context (W3C `traceparent`) across processes, services and events.
//!
//! It travels whether or not spans are exported: an operator who turns the export on in one service must not find
//! holes made by the others.

use std::future::Future;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::context::FutureExt as _;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::{SpanContext, TraceContextExt as _, TraceFlags, TraceState};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

const TRACEPARENT: &str = "traceparent";
const PARENT: HeaderName = HeaderName::from_static(TRACEPARENT);
const STATE: HeaderName = HeaderName::from_static("tracestate");

struct Headers<'a>(&'a HeaderMap);
impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }
    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct HeadersMut<'a>(&'a mut HeaderMap);
impl Injector for HeadersMut<'_> {
    fn set(&mut self, key: &str, value: String) {
        // The propagator writes these two; a state that holds nothing need not be sent.
        let name = if key == TRACEPARENT { PARENT } else { STATE };
        if value.is_empty() {
            self.0.remove(name);
        } else if let Ok(value) = HeaderValue::try_from(value) {
            self.0.insert(name, value);
        }
    }
}

struct One(String);
impl Extractor for One {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(&self.0)
    }
    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}
impl Injector for One {
    fn set(&mut self, key: &str, value: String) {
        if key == TRACEPARENT {
            self.0 = value;
        }
    }
}

/// The trace context of what runs now, as an event or a row keeps it; `None` outside of any trace.
#[must_use]
pub fn traceparent() -> Option<String> {
    let mut carrier = One(String::new());
    TraceContextPropagator::new().inject_context(&Context::current(), &mut carrier);
    (!carrier.0.is_empty()).then_some(carrier.0)
}

/// Runs a future within the trace that `traceparent` names: a consumer that goes on with what a request began.
pub async fn within<T>(traceparent: &str, name: &'static str, future: impl Future<Output = T>) -> T {
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &One(traceparent.to_owned()));
    let span = tracing::info_span!(parent: None, "event", otel.name = name);
    let context = adopt(&span, parent);
    future.instrument(span).with_context(context).await
}

/// Writes the trace context of what runs now into a request's headers.
pub(crate) fn inject(headers: &mut HeaderMap) {
    TraceContextPropagator::new().inject_context(&Context::current(), &mut HeadersMut(headers));
}

/// Makes the context found in a request's headers the parent of `span`, and answers the context to run within.
pub(crate) fn enter(span: &Span, headers: &HeaderMap) -> Context {
    if !headers.contains_key(PARENT) {
        return adopt(span, Context::new());
    }
    adopt(span, TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers)))
}

fn adopt(span: &Span, parent: Context) -> Context {
    let known = parent.span().span_context().is_valid();
    let exported = span.set_parent(parent.clone()).is_ok();
    // Without an exporter nobody makes ids: one is made here, so that logs, peers and events share a trace.
    if known || exported { parent } else { fresh() }
}

fn fresh() -> Context {
    let ids = RandomIdGenerator::default();
    let (trace, span) = (ids.new_trace_id(), ids.new_span_id());
    let context = SpanContext::new(trace, span, TraceFlags::NOT_SAMPLED, true, TraceState::NONE);
    Context::new().with_remote_span_context(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[tokio::test]
    async fn what_an_event_began_goes_on_under_its_trace() {
        let inside = within(GIVEN, "test", async { traceparent() }).await;
        assert_eq!(inside.as_deref(), Some(GIVEN));
        assert_eq!(traceparent(), None);
    }

    #[tokio::test]
    async fn without_a_parent_a_trace_begins() {
        let inside = within("rubbish", "test", async { traceparent() }).await.expect("a trace");
        assert_eq!(inside.len(), GIVEN.len());
    }

    #[test]
    fn headers_carry_the_context_in_and_out() {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::from_static(GIVEN));
        let context = enter(&Span::none(), &headers);
        let _guard = context.attach();
        let mut out = HeaderMap::new();
        inject(&mut out);
        assert_eq!(out.get(TRACEPARENT).map(HeaderValue::as_bytes), Some(GIVEN.as_bytes()));
    }
}
