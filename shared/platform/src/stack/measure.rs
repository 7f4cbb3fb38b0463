//! Metrics: how long each call took to its last byte, and how it ended.

use std::sync::Arc;
use std::time::Instant;

use http::{Request, Response};
use tonic::Code;
use tonic::body::Body;

use super::passage::method_of;
use super::{End, Inner};
use crate::contract::Method;
use crate::metrics::RpcMetrics;
use crate::platform::Platform;

/// The layer.
pub struct Measure<S> {
    inner: S,
    metrics: RpcMetrics,
}

impl<S> Measure<S> {
    /// Around `inner`.
    pub fn new(inner: S, platform: &Platform) -> Self {
        Self { inner, metrics: platform.rpc.clone() }
    }
}

/// Observes one call, once: also where its future is dropped (the caller left) or unwinds (it panicked).
pub struct Watch {
    metrics: RpcMetrics,
    method: Option<Arc<Method>>,
    since: Instant,
    told: bool,
}

impl End for Watch {
    fn tell(&mut self, code: Code) {
        if !self.told {
            self.told = true;
            self.metrics.served(self.method.as_deref(), code, self.since.elapsed());
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tell(if std::thread::panicking() { Code::Internal } else { Code::Cancelled });
    }
}

impl<S: Inner> Inner for Measure<S> {
    type End = (S::End, Watch);

    fn answer(&self, request: Request<Body>) -> impl Future<Output = (Response<Body>, Self::End)> + Send {
        let method = method_of(&request).cloned();
        let watch = Watch { metrics: self.metrics.clone(), method, since: Instant::now(), told: false };
        let answer = self.inner.answer(request);
        async move {
            let (answer, end) = answer.await;
            (answer, (end, watch))
        }
    }
}
