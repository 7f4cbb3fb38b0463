//! Request id: the name under which the log, the trace, the answer and a support case speak of one request.

use std::fmt;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use tonic::body::Body;
use uuid::Uuid;

use super::{Inner, Passage};

/// The header, in the request and in the answer.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// A request's id: text that can stand in a header and in a log as it is. Cheap to clone; clones share the text.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// One made here: a UUIDv7, so that ids sort by time.
    #[must_use]
    pub fn new() -> Self {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        Uuid::now_v7().hyphenated().encode_lower(&mut text);
        // Owned, not copied: the header in the request, the one in the answer and the call share one allocation.
        Self(HeaderValue::from_maybe_shared(Bytes::from_owner(text)).expect("a UUID's text is visible ASCII"))
    }

    /// An id from outside; taken only where it cannot disturb a log.
    fn given(id: &HeaderValue) -> Option<Self> {
        let sound = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        ((1..=64).contains(&id.len()) && id.as_bytes().iter().all(sound)).then(|| Self(id.clone()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("it was checked, or is a UUID")
    }

    /// As a header's value.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}
impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The layer.
pub struct NameRequest<S>(S);

impl<S> NameRequest<S> {
    /// Around `inner`.
    pub const fn new(inner: S) -> Self {
        Self(inner)
    }
}

impl<S: Inner> Inner for NameRequest<S> {
    type End = S::End;

    fn answer(&self, mut request: Request<Body>) -> impl Future<Output = (Response<Body>, S::End)> + Send {
        let id = request.headers().get(HEADER).and_then(RequestId::given).unwrap_or_default();
        if let Some(passage) = Passage::of(&request) {
            passage.name(id.clone());
        }
        request.headers_mut().insert(HEADER, id.header());
        let answer = self.0.answer(request);
        async move {
            let (mut answer, end) = answer.await;
            answer.headers_mut().insert(HEADER, id.0);
            (answer, end)
        }
    }
}
