//! Bodies that the layers put around an answer: one around all of them, which tells how they ended and survives a
//! panic, and one that ends streams in time. A body ends with gRPC trailers, so an answer that has begun can still fail
//! in-band.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use rapport_kernel::{Fault, Reason};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::body::Body;
use tonic::{Code, Status};

use crate::status::status;

/// The header, or trailer, that holds the code.
const STATUS: HeaderName = HeaderName::from_static("grpc-status");

type Polled = Poll<Option<Result<Frame<Bytes>, Status>>>;

/// The answer that is only a fault: headers that carry the status, no body.
pub(crate) fn refuse(fault: Fault) -> Response<Body> {
    status(fault).into_http()
}

/// The code in headers or trailers, if they hold one.
pub(crate) fn code_in(headers: &HeaderMap) -> Option<Code> {
    headers.get(STATUS).map(|code| Code::from_bytes(code.as_bytes()))
}

/// The end of an answer that has begun, where it fails.
pub(super) fn trailers(fault: Fault) -> Frame<Bytes> {
    let mut trailers = HeaderMap::new();
    // It fails only for a message that cannot be a header, and it is percent-encoded.
    drop(status(fault).add_header(&mut trailers));
    Frame::trailers(trailers)
}

/// What is told how an answer ended, once: with its last byte, or when it is dropped before that. What it holds is held
/// until then. Layers answer one each instead of putting a body of their own around the answer's: all of them are told
/// by the one body that the outermost layer puts around it.
pub trait End: Send + Unpin + 'static {
    /// Tells it.
    fn tell(&mut self, code: Code);
}

impl End for () {
    fn tell(&mut self, _: Code) {}
}

/// An inner layer's and an outer one's: told in this order.
impl<I: End, O: End> End for (I, O) {
    fn tell(&mut self, code: Code) {
        self.0.tell(code);
        self.1.tell(code);
    }
}

/// `None` where a layer answered without asking the ones within.
impl<E: End> End for Option<E> {
    fn tell(&mut self, code: Code) {
        if let Some(end) = self {
            end.tell(code);
        }
    }
}

/// The body around every answer: tells how it ended, also where it is dropped before its end, and turns a panic while
/// it is streamed into INTERNAL.
pub(crate) struct Told<E: End> {
    inner: Option<Body>,
    end: Option<E>,
}

impl<E: End> Told<E> {
    /// Puts it around an answer; tells at once where the headers hold the code already.
    pub(crate) fn around(response: Response<Body>, mut end: E) -> Response<Body> {
        let known = match code_in(response.headers()) {
            Some(code) => Some(code),
            None if !response.status().is_success() => Some(Code::Unknown),
            // Not by Body::new alone: it would drop a body that has ended already, and tell CANCELLED.
            None => response.body().is_end_stream().then_some(Code::Ok),
        };
        if let Some(code) = known {
            end.tell(code);
            return response;
        }
        response.map(|inner| Body::new(Self { inner: Some(inner), end: Some(end) }))
    }

    fn tell(&mut self, code: Code) {
        if let Some(mut end) = self.end.take() {
            end.tell(code);
        }
    }
}

impl<E: End> HttpBody for Told<E> {
    type Data = Bytes;
    type Error = Status;
    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let Ok(polled) = catch_unwind(AssertUnwindSafe(|| Pin::new(inner).poll_frame(context))) else {
            self.inner = None;
            self.tell(Code::Internal);
            return Poll::Ready(Some(Ok(trailers(Fault::internal("a panic while an answer was streamed")))));
        };
        let frame = ready!(polled);
        match &frame {
            None => self.tell(Code::Ok),
            Some(Err(status)) => self.tell(status.code()),
            Some(Ok(frame)) => {
                if let Some(code) = frame.trailers_ref().map(|trailers| code_in(trailers).unwrap_or(Code::Ok)) {
                    self.tell(code);
                }
            }
        }
        Poll::Ready(frame)
    }
    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}

impl<E: End> Drop for Told<E> {
    fn drop(&mut self) {
        self.tell(Code::Cancelled);
    }
}

/// Ends a streamed answer at its deadline, or when the process will wait for it no longer.
pub(crate) struct Bounded {
    inner: Option<Body>,
    until: Option<Pin<Box<Sleep>>>,
    ending: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Bounded {
    /// Puts it around a streamed answer.
    pub(crate) fn around(inner: Body, until: Option<Instant>, ending: CancellationToken) -> Body {
        let until = until.map(|until| Box::pin(tokio::time::sleep_until(until)));
        Body::new(Self { inner: Some(inner), until, ending: Box::pin(ending.cancelled_owned()) })
    }

    fn end(&mut self, fault: Fault) -> Polled {
        self.inner = None;
        Poll::Ready(Some(Ok(trailers(fault))))
    }
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = Status;
    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(inner).poll_frame(context) {
            return Poll::Ready(frame);
        }
        if this.until.as_mut().is_some_and(|until| until.as_mut().poll(context).is_ready()) {
            return this.end(Fault::deadline());
        }
        if this.ending.as_mut().poll(context).is_ready() {
            return this.end(Fault::new(Reason::ShuttingDown, "this instance is stopping; call again"));
        }
        Poll::Pending
    }
    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}
