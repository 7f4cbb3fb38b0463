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
use rapport_platform::{Tasks, status};
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
pub(super) struct Opened(Option<Key>);

#[derive(Clone)]
struct Key {
    keys: Keys,
    hash: KeyHash,
    tasks: Tasks,
}

impl Opened {
    /// With a key that may end.
    pub(super) fn with(keys: &Keys, hash: KeyHash, tasks: &Tasks) -> Self {
        Self(Some(Key { keys: keys.clone(), hash, tasks: tasks.clone() }))
    }

    /// With what does not end, or is over before that could be seen.
    pub(super) const fn lasting() -> Self {
        Self(None)
    }

    /// Whether there is anything to watch. A task of its own watches: a body is polled only while its reader has room,
    /// and a look that was left in the middle would keep the database's connection that it holds.
    fn ends(&self) -> Option<BoxFuture<'static, Fault>> {
        let Key { keys, hash, tasks } = self.0.clone()?;
        let watch = tasks.beside(async move {
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
        });
        Some(Box::pin(async move { watch.await.unwrap_or_else(Fault::internal) }))
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::stream;
    use http_body_util::{BodyExt as _, StreamBody};
    use rapport_data::{Database, DatabaseConfig};
    use rapport_kernel::SystemClock;
    use rapport_platform::config::Period;
    use rapport_platform::{Contract, Platform, PlatformConfig};

    use super::*;
    use crate::door::KeyConfig;
    use crate::migrations;

    #[tokio::test]
    async fn bodies_that_nobody_polls_on_keep_nobody_from_looking_up_a_key() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let contract = Contract::suite().expect("the suite's contract");
        let platform = Platform::new(&PlatformConfig::default(), Arc::new(SystemClock), contract).expect("a platform");
        let config = DatabaseConfig { folder: folder.path().to_owned(), ..DatabaseConfig::default() };
        let db = Database::open(&config, "gateway", migrations::all(), &platform).await.expect("a database");
        let keys = Keys::new(db, KeyConfig { trust: Period::millis(0), ..KeyConfig::default() });
        let waiting = || Body::new(StreamBody::new(stream::pending::<Result<Frame<Bytes>, Status>>()));
        let opened = Opened::with(&keys, KeyHash::of("a stream's"), &platform.tasks);
        let mut bodies: Vec<Body> = (0..100).map(|_| opened.request(Request::new(waiting())).into_body()).collect();
        for _ in 0..2 {
            for body in &mut bodies {
                assert!(futures::poll!(body.frame()).is_pending());
            }
            tokio::time::sleep(LOOK + Duration::from_millis(10)).await;
        }
        let another = tokio::time::timeout(Duration::from_secs(5), keys.find(KeyHash::of("another"), None)).await;
        assert!(matches!(another, Ok(Ok(None))), "a look-up is stuck");
    }
}
