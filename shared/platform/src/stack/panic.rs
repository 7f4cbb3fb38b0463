//! Catch panic: a mistake in one call answers INTERNAL, tells nothing, and leaves the service standing.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use futures::FutureExt as _;
use http::{HeaderValue, Request};
use rapport_kernel::Fault;
use tonic::body::Body;
use tower::Service;

use super::body::{Caught, refuse};
use super::{Answer, Inner, request_id};

/// Where the request's id is noted on its way in, so that the answer to a panic can name it.
#[derive(Clone, Default)]
pub(super) struct Noted(pub(super) Arc<OnceLock<HeaderValue>>);

/// The outermost layer.
#[derive(Clone)]
pub struct CatchPanic<S>(S);

impl<S> CatchPanic<S> {
    /// Around `inner`.
    pub const fn new(inner: S) -> Self {
        Self(inner)
    }
}

impl<S: Inner> Service<Request<Body>> for CatchPanic<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let noted = Noted::default();
        request.extensions_mut().insert(noted.clone());
        let mut inner = self.0.clone();
        // The call itself is made within the guarded block: it may panic as well.
        let guarded = AssertUnwindSafe(async move { inner.call(request).await }).catch_unwind();
        Box::pin(async move {
            let Ok(answer) = guarded.await else {
                let mut answer = refuse(Fault::internal("a panic; the line before this one says where"));
                if let Some(id) = noted.0.get() {
                    answer.headers_mut().insert(request_id::HEADER, id.clone());
                }
                return Ok(answer);
            };
            Ok(answer?.map(Caught::around))
        })
    }
}
