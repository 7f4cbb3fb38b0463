//! An answer that breaks off: where the connection to the service is lost in the middle, the caller gets a status that
//! says so, in the trailers, and not a reset stream.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use rapport_kernel::Fault;
use rapport_platform::status;
use tonic::Status;
use tonic::body::Body;

/// Puts it around a service's answer.
pub(super) fn keep_whole(answer: Response<Body>) -> Response<Body> {
    // An answer of headers only has nothing that could break off.
    if answer.body().is_end_stream() {
        return answer;
    }
    answer.map(|inner| Body::new(Whole { inner: Some(inner) }))
}

struct Whole {
    inner: Option<Body>,
}

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(inner).poll_frame(context));
        Poll::Ready(match frame {
            Some(Err(why)) => {
                self.inner = None;
                let mut trailers = HeaderMap::new();
                let broke_off = status(Fault::unavailable("a service", format!("its answer broke off: {why}")));
                // It fails only for a message that cannot be a header, and it is percent-encoded.
                drop(broke_off.add_header(&mut trailers));
                Some(Ok(Frame::trailers(trailers)))
            }
            other => other,
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}
