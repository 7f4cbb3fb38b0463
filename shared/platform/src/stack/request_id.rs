//! Request id: the name under which the log, the trace, the answer and a support case speak of one request.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderName, HeaderValue, Request};
use tonic::body::Body;
use tower::Service;
use uuid::Uuid;

use super::panic::Noted;
use super::{Answer, Inner};

/// The header, in the request and in the answer.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The request's id, in its extensions.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

/// The layer.
#[derive(Clone)]
pub struct NameRequest<S>(S);

impl<S> NameRequest<S> {
    /// Around `inner`.
    pub const fn new(inner: S) -> Self {
        Self(inner)
    }
}

impl<S: Inner> Service<Request<Body>> for NameRequest<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let given = request.headers().get(HEADER).filter(|given| is_sound(given)).cloned();
        let value = given.unwrap_or_else(|| {
            HeaderValue::try_from(Uuid::now_v7().to_string()).expect("a UUID's text is visible ASCII")
        });
        if let Some(noted) = request.extensions_mut().remove::<Noted>() {
            // Set once per request: nobody else has this cell.
            drop(noted.0.set(value.clone()));
        }
        let text = value.to_str().expect("it was checked, or is a UUID");
        request.extensions_mut().insert(RequestId(text.into()));
        request.headers_mut().insert(HEADER, value.clone());
        let answer = self.0.call(request);
        Box::pin(async move {
            let mut answer = answer.await?;
            answer.headers_mut().insert(HEADER, value);
            Ok(answer)
        })
    }
}

/// An id from outside is taken only where it cannot disturb a log.
fn is_sound(id: &HeaderValue) -> bool {
    let sound = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=64).contains(&id.len()) && id.as_bytes().iter().all(sound)
}
