//! Catch panic: a mistake in one call answers INTERNAL, tells nothing, and leaves the service standing.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use http::{Request, Response};
use rapport_kernel::Fault;
use tonic::body::Body;

use super::body::{Told, refuse};
use super::{Inner, Passage, request_id};

/// The outermost layer. It also puts the one body around the answer by which the layers within are told its end.
pub struct CatchPanic<S>(S);

impl<S> CatchPanic<S> {
    /// Around `inner`.
    pub const fn new(inner: S) -> Self {
        Self(inner)
    }
}

impl<S: Inner> Inner for CatchPanic<S> {
    type End = ();

    async fn answer(&self, mut request: Request<Body>) -> (Response<Body>, ()) {
        let passage = Passage::default();
        request.extensions_mut().insert(passage.clone());
        // The call itself is made within the guarded block: it may panic as well.
        let guarded = AssertUnwindSafe(async move { self.0.answer(request).await }).catch_unwind();
        let answer = match guarded.await {
            Ok((answer, end)) => Told::around(answer, end),
            Err(_) => {
                let mut answer = refuse(Fault::internal("a panic; the line before this one says where"));
                if let Some(id) = passage.request_id() {
                    answer.headers_mut().insert(request_id::HEADER, id.header());
                }
                answer
            }
        };
        (answer, ())
    }
}
