//! Connections: accepted within caps, closed where they bring nothing, asked to go when they are old.
//!
//! Measured without this: a bare TCP connection, one with only a preface, one with only headers stayed open past
//! 25 s, and 900 of them were taken. tonic's own age limit with a grace period cuts calls; so age only asks.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;

use super::HostConfig;
use super::front::{Front, Peer};
use crate::metrics::RpcMetrics;
use crate::windows;

/// How connections are brought to an end.
#[derive(Clone, Default)]
pub(super) struct Closing {
    /// They are told to go when their calls are done.
    pub(super) told: CancellationToken,
    /// They are cut.
    pub(super) cut: CancellationToken,
}

/// Takes connections.
pub(super) struct Acceptor {
    config: HostConfig,
    http: Builder<TokioExecutor>,
    front: Front,
    closing: Closing,
    metrics: RpcMetrics,
    open: Arc<TaskTracker>,
    per_peer: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A connection's place within the caps, given back when it is closed.
struct Place {
    per_peer: Arc<Mutex<HashMap<IpAddr, usize>>>,
    peer: IpAddr,
    metrics: RpcMetrics,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.connections().dec();
        let mut per_peer = self.per_peer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = per_peer.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                per_peer.remove(&self.peer);
            }
        }
    }
}

impl Acceptor {
    pub(super) fn new(config: &HostConfig, front: Front, closing: Closing, metrics: RpcMetrics) -> Self {
        let mut http = Builder::new(TokioExecutor::new());
        http.http1().timer(TokioTimer::new()).header_read_timeout(config.handshake.get());
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(config.streams_per_connection)
            // Above our own limit, so that what is a little too much is refused in-band, and its siblings live.
            .max_header_list_size(u32::try_from(config.metadata_bytes * 4).unwrap_or(u32::MAX))
            .initial_stream_window_size(windows::STREAM)
            .initial_connection_window_size(windows::CONNECTION)
            .keep_alive_interval(config.keepalive.get())
            .keep_alive_timeout(config.keepalive_timeout.get());
        let http = if config.http1 { http } else { http.http2_only() };
        Self { config: config.clone(), http, front, closing, metrics, open: Arc::default(), per_peer: Arc::default() }
    }

    /// The connections that are open.
    pub(super) fn connections(&self) -> Arc<TaskTracker> {
        Arc::clone(&self.open)
    }

    /// Takes connections until they are told to go.
    pub(super) async fn run(self, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.closing.told.cancelled() => return,
                () = self.closing.cut.cancelled() => return,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(why) => {
                    // Out of descriptors, mostly: they come back when connections close.
                    tracing::warn!(cause = %why, "a connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            match self.place(peer.ip()) {
                Some(place) => self.open.spawn(self.connection(stream, peer, place)),
                None => {
                    self.metrics.closed("too many");
                    continue;
                }
            };
        }
    }

    fn place(&self, peer: IpAddr) -> Option<Place> {
        if self.open.len() >= self.config.connections {
            return None;
        }
        let mut per_peer = self.per_peer.lock().unwrap_or_else(PoisonError::into_inner);
        let count = per_peer.entry(peer).or_default();
        if *count >= self.config.connections_per_peer {
            return None;
        }
        *count += 1;
        self.metrics.connections().inc();
        Some(Place { per_peer: Arc::clone(&self.per_peer), peer, metrics: self.metrics.clone() })
    }

    /// One connection, from its first byte to its last.
    fn connection(&self, stream: TcpStream, peer: SocketAddr, place: Place) -> impl Future<Output = ()> + use<> {
        let activity = Arc::new(Activity::default());
        let service = {
            let (front, activity) = (self.front.clone(), Arc::clone(&activity));
            service_fn(move |request: Request<Incoming>| {
                let mut request = activity.enter(request);
                request.extensions_mut().insert(Peer(peer));
                let (answer, busy) = (front.answer(request), Busy::new(&activity));
                async move {
                    let answer = answer.await;
                    answer.map(|answer| answer.map(|inner| Tracked { inner, _busy: busy }))
                }
            })
        };
        let (http, closing, metrics) = (self.http.clone(), self.closing.clone(), self.metrics.clone());
        let (handshake, idle, age) = (self.config.handshake.get(), self.config.idle.get(), self.config.age.get());
        let patience = self.config.keepalive_timeout.get();
        async move {
            let _place = place;
            drop(stream.set_nodelay(true));
            let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
            let begun = Instant::now();
            // A tenth to and fro, so that not all clients come again at once.
            let old = tokio::time::sleep_until(begun + age.mul_f64(rand::random_range(0.9..1.1)));
            let (mut old, mut check) = (pin!(old), pin!(tokio::time::sleep_until(begun + handshake)));
            let mut told = false;
            loop {
                tokio::select! {
                    _ = connection.as_mut() => return,
                    () = closing.cut.cancelled() => return metrics.closed("cut"),
                    () = closing.told.cancelled(), if !told => {
                        told = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    () = &mut old, if !told => {
                        told = true;
                        metrics.closed("old");
                        connection.as_mut().graceful_shutdown();
                    }
                    () = &mut check => {
                        if !activity.proved.load(Ordering::Acquire) {
                            return metrics.closed("silent");
                        }
                        let quiet = activity.quiet();
                        if quiet.is_none_or(|quiet| quiet < idle) {
                            check.as_mut().reset(Instant::now() + idle.saturating_sub(quiet.unwrap_or_default()));
                        } else if told {
                            return metrics.closed("cut");
                        } else {
                            told = true;
                            metrics.closed("idle");
                            connection.as_mut().graceful_shutdown();
                            check.as_mut().reset(Instant::now() + patience);
                        }
                    }
                }
            }
        }
    }
}

/// What a connection has done so far.
#[derive(Default)]
struct Activity {
    /// A first request has brought data, or was whole.
    proved: AtomicBool,
    calls: AtomicUsize,
    last: Mutex<Option<Instant>>,
}

impl Activity {
    /// How long there has been no call; `None` while there is one.
    fn quiet(&self) -> Option<Duration> {
        if self.calls.load(Ordering::Acquire) > 0 {
            return None;
        }
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        Some(last.map_or(Duration::ZERO, |last| last.elapsed()))
    }

    fn enter(self: &Arc<Self>, request: Request<Incoming>) -> Request<Body> {
        if self.proved.load(Ordering::Acquire) || request.body().is_end_stream() {
            self.proved.store(true, Ordering::Release);
            return request.map(Body::new);
        }
        let activity = Arc::clone(self);
        request.map(|inner| Body::new(First { inner, activity }))
    }
}

/// Counts a call while it lasts.
struct Busy(Arc<Activity>);

impl Busy {
    fn new(activity: &Arc<Activity>) -> Self {
        activity.calls.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(activity))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.0.calls.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The first request's body: proves the connection when it brings data.
struct First {
    inner: Incoming,
    activity: Arc<Activity>,
}

impl HttpBody for First {
    type Data = Bytes;
    type Error = hyper::Error;
    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        if !matches!(frame, Some(Err(_))) {
            self.activity.proved.store(true, Ordering::Release);
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

/// An answer's body, which keeps its connection busy.
struct Tracked {
    inner: Body,
    _busy: Busy,
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = tonic::Status;
    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }
    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}
