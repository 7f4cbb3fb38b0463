//! Bodies that the layers put around an answer: one that tells how it ended, one that ends in time, one that
//! survives a panic. A body ends with gRPC trailers, so an answer that has begun can still fail in-band.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use rapport_kernel::{Fault, Reason};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::body::Body;
use tonic::{Code, Status};

use crate::status::status;

type Polled = Poll<Option<Result<Frame<Bytes>, Status>>>;

/// The answer that is only a fault: headers that carry the status, no body.
pub(crate) fn refuse(fault: Fault) -> Response<Body> {
    status(fault).into_http()
}

/// The code in headers or trailers, if they hold one.
pub(crate) fn code_in(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|code| Code::from_bytes(code.as_bytes()))
}

fn trailers(fault: Fault) -> Frame<Bytes> {
    let mut trailers = HeaderMap::new();
    // It fails only for a message that cannot be a header, and it is percent-encoded.
    drop(status(fault).add_header(&mut trailers));
    Frame::trailers(trailers)
}

/// Calls a function once, with the code the answer ended with: also where it is dropped before its end.
pub(crate) struct Told<F: FnOnce(Code)> {
    inner: Body,
    tell: Option<F>,
}

impl<F: FnOnce(Code) + Send + Unpin + 'static> Told<F> {
    /// Puts it around an answer; tells at once where the headers hold the code already.
    pub(crate) fn around(response: Response<Body>, tell: F) -> Response<Body> {
        if let Some(code) = code_in(response.headers()) {
            tell(code);
            return response;
        }
        if !response.status().is_success() {
            tell(Code::Unknown);
            return response;
        }
        let (parts, inner) = response.into_parts();
        // Not by Body::new alone: it would drop a body that has ended already, and tell CANCELLED.
        if inner.is_end_stream() {
            tell(Code::Ok);
            return Response::from_parts(parts, inner);
        }
        Response::from_parts(parts, Body::new(Self { inner, tell: Some(tell) }))
    }

    fn tell(&mut self, code: Code) {
        if let Some(tell) = self.tell.take() {
            tell(code);
        }
    }
}

impl<F: FnOnce(Code) + Send + Unpin + 'static> HttpBody for Told<F> {
    type Data = Bytes;
    type Error = Status;
    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
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
        self.inner.size_hint()
    }
    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}

impl<F: FnOnce(Code)> Drop for Told<F> {
    fn drop(&mut self) {
        if let Some(tell) = self.tell.take() {
            tell(Code::Cancelled);
        }
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

/// Turns a panic while an answer is streamed into INTERNAL.
pub(crate) struct Caught(Option<Body>);

impl Caught {
    /// Puts it around an answer's body.
    pub(crate) fn around(inner: Body) -> Body {
        Body::new(Self(Some(inner)))
    }
}

impl HttpBody for Caught {
    type Data = Bytes;
    type Error = Status;
    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        let Some(inner) = &mut self.0 else { return Poll::Ready(None) };
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(inner).poll_frame(context)));
        polled.unwrap_or_else(|_| {
            self.0 = None;
            Poll::Ready(Some(Ok(trailers(Fault::internal("a panic while an answer was streamed")))))
        })
    }
    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}
