//! A stream that is open ends with the key it was opened with.
//!
//! The door looks at a key when a call begins; a stream may last for hours. So both its bodies look again, a few times
//! a second: the answer's ends with the reason, and the request's breaks off, so that nothing more is written even
//! where the client does not read what it is answered.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use rapport_kernel::Fault;
use rapport_platform::status;
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;

use super::{Keys, metadata};
use crate::domain::KeyHash;

/// How often an open stream looks at its key. With the time that a key is believed unread ([`super::KeyConfig`]) it
/// stays below the 5 s within which a revocation ends everything.
const LOOK: Duration = Duration::from_millis(100);
/// How much later the request breaks off: the answer ends first, with the reason, wherever the client reads it.
const LATER: Duration = Duration::from_millis(200);

/// The key of a call that was let in; none for the operator's, which no call revokes.
#[derive(Clone)]
pub(super) struct Opened(pub(super) Option<(Keys, KeyHash)>);

impl Opened {
    /// Whether there is anything to watch.
    fn ends(&self) -> Option<BoxFuture<'static, Fault>> {
        let (keys, hash) = self.0.clone()?;
        Some(Box::pin(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                match keys.find(hash, Some(Instant::now() + LOOK)).await.map(|key| key.map(|key| key.caller())) {
                    Ok(Some(Ok(_))) => {}
                    Ok(Some(Err(revoked))) => return revoked,
                    Ok(None) => return metadata::unknown_key(),
                    // Nobody can tell any more whether it is good, as for a call that begins now.
                    Err(fault) => return Fault::unavailable("the list of API keys", format!("{fault:?}")),
                }
            }
        }))
    }

    /// The request, which breaks off when the key ends.
    pub(super) fn request(&self, request: Request<Body>) -> Request<Body> {
        match self.ends().filter(|_| !request.body().is_end_stream()) {
            Some(ends) => {
                let ends = Box::pin(async move {
                    let fault = ends.await;
                    tokio::time::sleep(LATER).await;
                    fault
                });
                request.map(|inner| Body::new(Incoming { inner, ends: Some(ends) }))
            }
            None => request,
        }
    }

    /// The answer, which ends with the reason when the key ends.
    pub(super) fn answer(&self, answer: Response<Body>) -> Response<Body> {
        match self.ends().filter(|_| !answer.body().is_end_stream()) {
            Some(ends) => answer.map(|inner| Body::new(Outgoing { open: Some((inner, ends)) })),
            None => answer,
        }
    }
}

struct Incoming {
    inner: Body,
    /// `None` when it is over.
    ends: Option<BoxFuture<'static, Fault>>,
}

impl HttpBody for Incoming {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let Some(ends) = &mut this.ends else { return Poll::Ready(None) };
        // First, for a client that sends without a pause never leaves a moment to look.
        if let Poll::Ready(fault) = ends.as_mut().poll(context) {
            this.ends = None;
            return Poll::Ready(Some(Err(status(fault))));
        }
        Pin::new(&mut this.inner).poll_frame(context)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
    fn is_end_stream(&self) -> bool {
        self.ends.is_none() || self.inner.is_end_stream()
    }
}

struct Outgoing {
    open: Option<(Body, BoxFuture<'static, Fault>)>,
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some((inner, ends)) = &mut self.open else { return Poll::Ready(None) };
        if let Poll::Ready(fault) = ends.as_mut().poll(context) {
            // With it goes the call behind it.
            self.open = None;
            let mut trailers = HeaderMap::new();
            // It fails only for a message that cannot be a header, and it is percent-encoded.
            drop(status(fault).add_header(&mut trailers));
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        Pin::new(inner).poll_frame(context)
    }

    fn size_hint(&self) -> SizeHint {
        self.open.as_ref().map_or_else(|| SizeHint::with_exact(0), |(inner, _)| inner.size_hint())
    }
    fn is_end_stream(&self) -> bool {
        self.open.as_ref().is_none_or(|(inner, _)| inner.is_end_stream())
    }
}
