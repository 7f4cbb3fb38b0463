//! What a layer wraps, and what the whole stack is from outside.
//!
//! Layers are called by reference and answer a future that borrows them: a call clones no layer, and the futures of all
//! layers are one allocation. The price is a trait of our own beside tower's; what is tower's service is taken as it is.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tower::Service;

use super::body::End;

/// A future that answers.
pub type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// What a layer wraps: a gRPC service over HTTP that always answers and is always ready.
pub trait Inner: Send + Sync + 'static {
    /// What must be told how the answer ended.
    type End: End;

    /// Answers.
    fn answer(&self, request: Request<Body>) -> impl Future<Output = (Response<Body>, Self::End)> + Send;
}

impl<S> Inner for S
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    type End = ();

    fn answer(&self, request: Request<Body>) -> impl Future<Output = (Response<Body>, ())> + Send {
        let answer = self.clone().call(request);
        async move {
            let Ok(answer) = answer.await;
            (answer, ())
        }
    }
}

/// Any service with its stack around it: what is served, and what is linked in process. Cheap to clone.
#[derive(Clone)]
pub struct Stacked(Arc<dyn Erased>);

trait Erased: Send + Sync {
    fn answer(self: Arc<Self>, request: Request<Body>) -> Answer;
}

impl<S: Inner<End = ()>> Erased for S {
    fn answer(self: Arc<Self>, request: Request<Body>) -> Answer {
        Box::pin(async move { Ok(Inner::answer(&*self, request).await.0) })
    }
}

impl Stacked {
    /// A service whose type is told no further.
    pub fn new(service: impl Inner<End = ()>) -> Self {
        Self(Arc::new(service))
    }

    /// Answers a request.
    #[must_use]
    pub fn answer(&self, request: Request<Body>) -> Answer {
        Arc::clone(&self.0).answer(request)
    }
}

impl Service<Request<Body>> for Stacked {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answer {
        Self::answer(self, request)
    }
}
