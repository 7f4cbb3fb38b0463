//! The admin port: /healthz (the process runs), /readyz (it can answer, or what it waits for), /metrics.
//! Plain HTTP without credentials: it is for the machine's own network, and holds no customer's data.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::{Encoder as _, TextEncoder};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::front::Health;
use crate::platform::Platform;

/// Connections at once: a scraper, a prober, a person.
const CONNECTIONS: usize = 32;
/// How long one may take to ask.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one connection lives.
const LIFE: Duration = Duration::from_secs(60);

/// Serves until `stop` is cancelled.
pub(super) async fn serve(listener: TcpListener, platform: Platform, health: Health, stop: CancellationToken) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // What comes beyond the room is closed: a prober asks again.
        let Ok(room) = Arc::clone(&room).try_acquire_owned() else { continue };
        let (platform, health, stop) = (platform.clone(), health.clone(), stop.clone());
        connections.spawn(async move {
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let answer = answer(&request, &platform, &health);
                async move { Ok::<_, Infallible>(answer) }
            });
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(16 * 1024);
            tokio::select! {
                _ = tokio::time::timeout(LIFE, http.serve_connection(TokioIo::new(stream), service)) => {}
                () = stop.cancelled() => {}
            }
            drop(room);
        });
    }
}

fn answer<B>(request: &Request<B>, platform: &Platform, health: &Health) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
    }
    match request.uri().path() {
        "/healthz" => text(StatusCode::OK, "ok\n"),
        "/readyz" if health.is_ready() => text(StatusCode::OK, "ready\n"),
        "/readyz" => {
            let lines = health.missing().into_iter().map(|(part, why)| format!("{part}: {why}\n"));
            text(StatusCode::SERVICE_UNAVAILABLE, lines.collect::<String>())
        }
        "/metrics" => {
            let mut page = Vec::new();
            match TextEncoder::new().encode(&platform.metrics.gather(), &mut page) {
                Ok(()) => text(StatusCode::OK, page),
                Err(why) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{why}\n")),
            }
        }
        _ => text(StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics\n"),
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}
