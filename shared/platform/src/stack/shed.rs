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
use http::{Request, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use rapport_api::MAX_REQUEST_BYTES;
use rapport_kernel::{Fault, Reason, Verb};
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use super::body::{Told, refuse};
use super::{Answer, Inner};
use crate::contract::{Contract, Method};
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
#[derive(Clone)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn add(&self, amount: usize, limit: usize) -> bool {
        let within = |held: usize| held.checked_add(amount).filter(|sum| *sum <= limit);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, within).is_ok()
    }
    fn sub(&self, amount: usize) {
        self.0.fetch_sub(amount, Ordering::AcqRel);
    }
}

/// One call that was let in; it leaves when this is dropped.
struct Admitted(Count);

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.sub(1);
    }
}

/// The process-wide budget of bytes in flight. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Budget {
    held: Count,
    limit: usize,
    metrics: RpcMetrics,
}

impl Budget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize, metrics: RpcMetrics) -> Self {
        Self { held: Count(Arc::default()), limit, metrics }
    }
}

/// The layer.
#[derive(Clone)]
pub struct Shed<S> {
    inner: S,
    contract: Contract,
    metrics: RpcMetrics,
    budget: Budget,
    unary: (Count, usize),
    streams: (Count, usize),
}

impl<S> Shed<S> {
    /// Around `inner`.
    pub fn new(inner: S, platform: &Platform) -> Self {
        let count = || Count(Arc::default());
        Self {
            inner,
            contract: platform.contract.clone(),
            metrics: platform.rpc.clone(),
            budget: platform.budget.clone(),
            unary: (count(), platform.limits.unary_calls),
            streams: (count(), platform.limits.streams),
        }
    }

    fn admit(&self, method: Option<&Arc<Method>>) -> Option<Admitted> {
        let urgency = method.map_or(Urgency::Export, |method| Urgency::of(method));
        let unary = method.is_none_or(|method| method.is_unary());
        let (count, limit) = if unary { &self.unary } else { &self.streams };
        count.add(1, urgency.share(*limit)).then(|| Admitted(count.clone()))
    }
}

impl<S: Inner> Service<Request<Body>> for Shed<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Some(admitted) = self.admit(self.contract.find(request.uri().path())) else {
            self.metrics.shed("calls");
            return Box::pin(async { Ok(refuse(overloaded())) });
        };
        let charge = Arc::new(Charge { budget: self.budget.clone(), bytes: AtomicUsize::new(0) });
        let charged = Arc::clone(&charge);
        let content = request.headers().get(header::CONTENT_TYPE);
        let grpc = content.is_some_and(|content| content.as_bytes().starts_with(b"application/grpc"));
        let lengths = grpc.then(Lengths::default);
        let answer = self.inner.call(request.map(|inner| Body::new(Charged { inner, charge: charged, lengths })));
        Box::pin(async move {
            let answer = answer.await?;
            // Both are held to the answer's last byte, by the function that is told of it.
            Ok(Told::around(answer, move |_| drop((admitted, charge))))
        })
    }
}

fn overloaded() -> Fault {
    Fault::new(Reason::Overloaded, "the service has more work than it can do; try again later")
        .retry_after(Duration::from_secs(1))
}

/// What one request holds of the budget, given back when the request is over.
struct Charge {
    budget: Budget,
    bytes: AtomicUsize,
}

impl Charge {
    /// Charges what is received, up to [`MOST_PER_REQUEST`]. Only the request's own body calls this.
    fn add(&self, received: usize) -> Result<(), Fault> {
        let held = self.bytes.load(Ordering::Acquire);
        let more = received.min(MOST_PER_REQUEST.saturating_sub(held));
        if more == 0 {
            return Ok(());
        }
        if !self.budget.held.add(more, self.budget.limit) {
            self.budget.metrics.shed("bytes");
            return Err(overloaded());
        }
        self.bytes.store(held + more, Ordering::Release);
        self.budget.metrics.bytes_in_flight.add(i64::try_from(more).unwrap_or(i64::MAX));
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let held = *self.bytes.get_mut();
        if held > 0 {
            self.budget.held.sub(held);
            self.budget.metrics.bytes_in_flight.sub(i64::try_from(held).unwrap_or(i64::MAX));
        }
    }
}

/// The announced lengths of a gRPC request's messages: a flag and four bytes before each.
#[derive(Default)]
struct Lengths {
    prefix: [u8; 5],
    known: usize,
    left: usize,
}

impl Lengths {
    fn check(&mut self, mut data: &[u8]) -> Result<(), Fault> {
        while !data.is_empty() {
            if self.left > 0 {
                let taken = self.left.min(data.len());
                self.left -= taken;
                data = &data[taken..];
                continue;
            }
            self.prefix[self.known] = data[0];
            self.known += 1;
            data = &data[1..];
            if self.known == self.prefix.len() {
                let [_, length @ ..] = self.prefix;
                self.known = 0;
                self.left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                if self.left > MAX_REQUEST_BYTES {
                    let text = format!("a message is larger than {MAX_REQUEST_BYTES} bytes; send less in it");
                    return Err(Fault::new(Reason::MessageTooLarge, text).with("limit", MAX_REQUEST_BYTES));
                }
            }
        }
        Ok(())
    }
}

/// A request's body that charges what it receives.
struct Charged {
    inner: Body,
    charge: Arc<Charge>,
    /// `None` for what is not gRPC.
    lengths: Option<Lengths>,
}

impl Charged {
    fn take(&mut self, data: &[u8]) -> Result<(), Fault> {
        if let Some(lengths) = &mut self.lengths {
            lengths.check(data)?;
        }
        self.charge.add(data.len())
    }
}

impl HttpBody for Charged {
    type Data = Bytes;
    type Error = Status;
    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
            && let Err(fault) = self.take(data)
        {
            return Poll::Ready(Some(Err(status(fault))));
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lengths_are_read_however_the_bytes_are_cut(sizes in prop::collection::vec(0_usize..2_000, 0..10), cut in 1_usize..700) {
            let mut bytes = Vec::new();
            for size in &sizes {
                bytes.push(0);
                bytes.extend_from_slice(&u32::try_from(*size).expect("small").to_be_bytes());
                bytes.extend(std::iter::repeat_n(7, *size));
            }
            let mut lengths = Lengths::default();
            for chunk in bytes.chunks(cut) {
                prop_assert!(lengths.check(chunk).is_ok());
            }
            prop_assert_eq!((lengths.left, lengths.known), (0, 0));
            let length = u32::try_from(MAX_REQUEST_BYTES + 1).expect("small").to_be_bytes();
            prop_assert!(lengths.check(&[&[0], length.as_slice()].concat()).is_err());
        }
    }

    #[test]
    fn the_least_urgent_is_refused_first() {
        let shares = [Urgency::Decision, Urgency::Read, Urgency::Ingestion, Urgency::Export].map(|of| of.share(1_000));
        assert!(shares.is_sorted_by(|a, b| a > b), "{shares:?}");
    }
}
