//! Metrics: how long each call took to its last byte, and how it ended.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use http::Request;
use tonic::Code;
use tonic::body::Body;
use tower::Service;

use super::body::Told;
use super::{Answer, Inner};
use crate::contract::{Contract, Method};
use crate::metrics::RpcMetrics;
use crate::platform::Platform;

/// The layer.
#[derive(Clone)]
pub struct Measure<S> {
    inner: S,
    contract: Contract,
    metrics: RpcMetrics,
}

impl<S> Measure<S> {
    /// Around `inner`.
    pub fn new(inner: S, platform: &Platform) -> Self {
        Self { inner, contract: platform.contract.clone(), metrics: platform.rpc.clone() }
    }
}

/// Observes one call, once: also where its future is dropped (the caller left) or unwinds (it panicked).
struct Watch {
    metrics: RpcMetrics,
    method: Option<Arc<Method>>,
    since: Instant,
    told: bool,
}

impl Watch {
    fn tell(&mut self, code: Code) {
        if !self.told {
            self.told = true;
            let name = self.method.as_ref().map_or("_OTHER", |method| &*method.name);
            self.metrics.served(name, code, self.since.elapsed());
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tell(if std::thread::panicking() { Code::Internal } else { Code::Cancelled });
    }
}

impl<S: Inner> Service<Request<Body>> for Measure<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = self.contract.find(request.uri().path()).cloned();
        let mut watch = Watch { metrics: self.metrics.clone(), method, since: Instant::now(), told: false };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            Ok(Told::around(answer, move |code| watch.tell(code)))
        })
    }
}
