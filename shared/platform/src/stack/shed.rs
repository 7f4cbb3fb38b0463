//! Shed: what is too much is refused at once, the least urgent first, with RESOURCE_EXHAUSTED and a time to retry.
//!
//! Three limits: calls in flight (unary and streams counted apart, so that open watches do not crowd out reads);
//! bytes of requests in flight in the whole process, since a small message can grow thirtyfold when it is decoded;
//! and the size of one message, refused by its announced length before its bytes are taken in.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use rapport_api::MAX_REQUEST_BYTES;
use rapport_kernel::{Fault, Reason, Verb};
use tonic::body::Body;
use tonic::{Code, Status};

use super::body::refuse;
use super::frames::Frames;
use super::passage::method_of;
use super::{End, Inner};
use crate::contract::Method;
use crate::metrics::RpcMetrics;
use crate::platform::Platform;
use crate::status::status;

/// What one request holds of the budget at most. A stream's messages are worked off one after the other.
const MOST_PER_REQUEST: usize = MAX_REQUEST_BYTES;

/// How urgent a call is: what may be used of the limit by it and by everything more urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    Decision,
    Read,
    Ingestion,
    Export,
}

impl Urgency {
    fn of(method: &Method) -> Self {
        if method.name.starts_with("rapport.personalisation.v1.DecisionService/") {
            return Self::Decision;
        }
        match method.access.map(|access| access.verb) {
            _ if method.server_streams && !method.client_streams => Self::Export,
            None | Some(Verb::Read) => Self::Read,
            Some(Verb::Write | Verb::Admin) => Self::Ingestion,
        }
    }

    const fn share(self, limit: usize) -> usize {
        let percent = match self {
            Self::Decision => 100,
            Self::Read => 95,
            Self::Ingestion => 85,
            Self::Export => 70,
        };
        limit * percent / 100
    }
}

/// A count with a limit.
#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn add(&self, amount: usize, limit: usize) -> bool {
        let within = |held: usize| held.checked_add(amount).filter(|sum| *sum <= limit);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, within).is_ok()
    }
    fn sub(&self, amount: usize) {
        self.0.fetch_sub(amount, Ordering::AcqRel);
    }
}

/// The process-wide budget of bytes in flight. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Budget(Arc<Bytewise>);

struct Bytewise {
    held: Count,
    limit: usize,
    metrics: RpcMetrics,
}

impl Budget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize, metrics: RpcMetrics) -> Self {
        Self(Arc::new(Bytewise { held: Count::default(), limit, metrics }))
    }
}

/// The layer.
pub struct Shed<S> {
    inner: S,
    limits: Arc<Limits>,
}

/// What the calls of one service share.
struct Limits {
    budget: Budget,
    unary: (Count, usize),
    streams: (Count, usize),
}

impl Limits {
    const fn of(&self, unary: bool) -> &(Count, usize) {
        if unary { &self.unary } else { &self.streams }
    }
}

impl<S> Shed<S> {
    /// Around `inner`.
    pub fn new(inner: S, platform: &Platform) -> Self {
        let limits = Limits {
            budget: platform.budget.clone(),
            unary: (Count::default(), platform.limits.unary_calls),
            streams: (Count::default(), platform.limits.streams),
        };
        Self { inner, limits: Arc::new(limits) }
    }

    fn admit(&self, method: Option<&Arc<Method>>) -> Result<Held, Fault> {
        let urgency = method.map_or(Urgency::Export, |method| Urgency::of(method));
        let unary = method.is_none_or(|method| method.is_unary());
        let (count, limit) = self.limits.of(unary);
        if !count.add(1, urgency.share(*limit)) {
            self.limits.budget.0.metrics.shed("calls");
            return Err(overloaded());
        }
        Ok(Held(Arc::new(Admitted { limits: Arc::clone(&self.limits), unary, bytes: AtomicUsize::new(0) })))
    }
}

impl<S: Inner> Inner for Shed<S> {
    type End = Option<(S::End, Held)>;

    fn answer(&self, request: Request<Body>) -> impl Future<Output = (Response<Body>, Self::End)> + Send {
        let begun = self.admit(method_of(&request)).map(|held| {
            let content = request.headers().get(header::CONTENT_TYPE);
            let grpc = content.is_some_and(|content| content.as_bytes().starts_with(b"application/grpc"));
            let one = method_of(&request).is_some_and(|method| !method.client_streams);
            let (admitted, frames) = (Arc::clone(&held.0), grpc.then(|| Frames::of(one)));
            let request = request.map(|inner| Body::new(Charged { inner, admitted, frames }));
            (held, self.inner.answer(request))
        });
        async move {
            match begun {
                Ok((held, answer)) => {
                    let (answer, end) = answer.await;
                    (answer, Some((end, held)))
                }
                Err(fault) => (refuse(fault), None),
            }
        }
    }
}

/// Holds a call's place and its bytes to the answer's last byte: it is dropped when that was told.
pub struct Held(Arc<Admitted>);

impl End for Held {
    fn tell(&mut self, _: Code) {}
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.limits.of(self.0.unary).0.sub(1);
    }
}

fn overloaded() -> Fault {
    Fault::new(Reason::Overloaded, "the service has more work than it can do; try again later")
        .retry_after(Duration::from_secs(1))
}

/// One call that was let in, and what its request holds of the budget: given back when the call is over and nobody holds
/// its request's body any more.
struct Admitted {
    limits: Arc<Limits>,
    unary: bool,
    bytes: AtomicUsize,
}

impl Admitted {
    /// Charges what is received, up to [`MOST_PER_REQUEST`]. Only the request's own body calls this.
    fn charge(&self, received: usize) -> Result<(), Fault> {
        let held = self.bytes.load(Ordering::Acquire);
        let more = received.min(MOST_PER_REQUEST.saturating_sub(held));
        if more == 0 {
            return Ok(());
        }
        let budget = &*self.limits.budget.0;
        if !budget.held.add(more, budget.limit) {
            budget.metrics.shed("bytes");
            return Err(overloaded());
        }
        self.bytes.store(held + more, Ordering::Release);
        budget.metrics.bytes_in_flight().add(i64::try_from(more).unwrap_or(i64::MAX));
        Ok(())
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let held = *self.bytes.get_mut();
        if held > 0 {
            let budget = &*self.limits.budget.0;
            budget.held.sub(held);
            budget.metrics.bytes_in_flight().sub(i64::try_from(held).unwrap_or(i64::MAX));
        }
    }
}

/// A request's body that charges what it receives.
struct Charged {
    inner: Body,
    admitted: Arc<Admitted>,
    /// `None` for what is not gRPC, and once the end was checked.
    frames: Option<Frames>,
}

impl Charged {
    fn take(&mut self, data: &[u8]) -> Result<(), Fault> {
        if let Some(frames) = &mut self.frames {
            frames.check(data)?;
        }
        self.admitted.charge(data.len())
    }
}

impl HttpBody for Charged {
    type Data = Bytes;
    type Error = Status;
    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        let checked = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(Ok(()), |data| self.take(data)),
            Some(Err(_)) => Ok(()),
            None => self.frames.take().map_or(Ok(()), |frames| frames.end()),
        };
        Poll::Ready(match checked {
            Ok(()) => frame,
            Err(fault) => Some(Err(status(fault))),
        })
    }
    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
    fn is_end_stream(&self) -> bool {
        // What ends without a message still has its end checked.
        self.frames.is_none() && self.inner.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_urgent_is_refused_first() {
        let shares = [Urgency::Decision, Urgency::Read, Urgency::Ingestion, Urgency::Export].map(|of| of.share(1_000));
        assert!(shares.is_sorted_by(|a, b| a > b), "{shares:?}");
    }
}
