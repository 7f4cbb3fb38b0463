//! The host: connections that bring nothing, what is too large, health, the admin port, stopping.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rapport_platform::config::Period;
use rapport_platform::host::{Host, HostConfig, asked_to_stop};
use rapport_platform::{Platform, Readiness};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{Probe, ask, client_with, platform, reason, token};

struct Served {
    address: SocketAddr,
    admin: SocketAddr,
    stop: oneshot::Sender<()>,
    readiness: Readiness,
    serving: JoinHandle<()>,
}

async fn serve(platform: &Platform, change: impl FnOnce(&mut HostConfig)) -> Served {
    let mut config = HostConfig { listen: "127.0.0.1:0".to_owned(), ..HostConfig::default() };
    config.admin = Some("127.0.0.1:0".to_owned());
    change(&mut config);
    let host = Host::bind(&config, platform).await.expect("free ports");
    let address = host.address().expect("an address");
    let admin = host.admin_address().expect("an address").expect("an admin port");
    let (stop, stopped) = oneshot::channel::<()>();
    let (service, readiness) = (Probe::stacked(platform), Readiness::new());
    let told = readiness.clone();
    let serving = tokio::spawn(async move {
        let stopped = async { drop(stopped.await) };
        host.serve("probe", service, told, stopped).await.expect("it serves");
    });
    Served { address, admin, stop, readiness, serving }
}

async fn channel(address: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{address}")).expect("an address").connect().await.expect("it listens")
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

/// HEADERS of a call to the probe, without the end of the stream.
fn headers() -> Vec<u8> {
    let mut block = vec![0x83, 0x86, 0x01, 1, b'x', 0x04];
    let path = b"/test.v1.Probe/Check";
    block.push(u8::try_from(path.len()).expect("short"));
    block.extend_from_slice(path);
    let mut frame = vec![0, 0, u8::try_from(block.len()).expect("short"), 0x01, 0x04, 0, 0, 0, 1];
    frame.extend(block);
    frame
}

#[tokio::test]
async fn connections_that_bring_nothing_are_closed_by_the_time_limit() {
    let platform = platform();
    let served = serve(&platform, |config| config.handshake = Period::millis(300)).await;
    let partial = [PREFACE, &headers()[..12]].concat();
    for bytes in [Vec::new(), PREFACE.to_vec(), partial, [PREFACE, &headers()].concat()] {
        let mut stream = TcpStream::connect(served.address).await.expect("it listens");
        stream.write_all(&bytes).await.expect("it takes bytes");
        let since = Instant::now();
        let mut rest = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(2), stream.read_to_end(&mut rest)).await;
        assert!(read.is_ok(), "{} bytes kept a connection open", bytes.len());
        assert!(since.elapsed() >= Duration::from_millis(250), "{} bytes", bytes.len());
    }
}

#[tokio::test]
async fn a_connection_without_a_call_is_closed_when_it_was_idle_too_long() {
    let platform = platform();
    let served = serve(&platform, |config| {
        config.handshake = Period::millis(100);
        config.idle = Period::millis(300);
    })
    .await;
    let token = token(&platform);
    let mut client = client_with(channel(served.address).await, &[("x-rapport-token", &token)]);
    client.check(ask("sleep 700")).await.expect("a long call is no idleness");
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let page = get(served.admin, "/metrics").await;
    assert!(page.contains("rapport_connections_closed_total{why=\"idle\"} 1"), "{page}");
    client.check(ask("ok")).await.expect("the client connects anew");
}

#[tokio::test]
async fn no_more_connections_than_the_caps_are_taken() {
    let platform = platform();
    let served = serve(&platform, |config| config.connections_per_peer = 3).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(TcpStream::connect(served.address).await.expect("it listens"));
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut fourth = TcpStream::connect(served.address).await.expect("the system takes it");
    let read = tokio::time::timeout(Duration::from_secs(1), fourth.read(&mut [0; 64])).await;
    assert_eq!(read.expect("closed at once").unwrap_or(0), 0);
    drop(open);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let token = token(&platform);
    let mut client = client_with(channel(served.address).await, &[("x-rapport-token", &token)]);
    client.check(ask("ok")).await.expect("there is room again");
}

#[tokio::test]
async fn metadata_of_16_kib_is_refused_in_band_and_its_siblings_live() {
    let platform = platform();
    let served = serve(&platform, |_| ()).await;
    let token = token(&platform);
    let channel = channel(served.address).await;
    let mut client = client_with(channel.clone(), &[("x-rapport-token", &token)]);
    let sibling = tokio::spawn({
        let mut client = client.clone();
        async move { client.check(ask("sleep 300")).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let large = "x".repeat(16 * 1024);
    let mut wordy = client_with(channel, &[("x-rapport-token", &token), ("x-large", &large)]);
    let status = wordy.check(ask("ok")).await.expect_err("too much metadata");
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"));
    sibling.await.expect("it ran").expect("a sibling on the same connection is not disturbed");
    client.check(ask("ok")).await.expect("the connection lives");
}

/// The probe's answer to a bare HTTP/2 client: tonic's own would keep the deadline itself.
async fn bare(address: SocketAddr, token: &str, timeout: &str, text: &str) -> http::HeaderMap {
    use http_body_util::BodyExt as _;
    use prost::Message as _;
    let stream = hyper_util::rt::TokioIo::new(TcpStream::connect(address).await.expect("it listens"));
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, stream).await.expect("HTTP/2");
    let driving = tokio::spawn(connection);
    let message = ask(text).encode_to_vec();
    let length = u32::try_from(message.len()).expect("short").to_be_bytes();
    let body = http_body_util::Full::new(bytes::Bytes::from([&[0], length.as_slice(), &message].concat()));
    let request = http::Request::post(format!("http://{address}/test.v1.Probe/Check"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("x-rapport-token", token)
        .header("grpc-timeout", timeout)
        .body(body)
        .expect("a request");
    let (parts, body) = sender.send_request(request).await.expect("an answer").into_parts();
    let mut headers = parts.headers;
    headers.extend(body.collect().await.expect("a body").trailers().cloned().unwrap_or_default());
    driving.abort();
    headers
}

#[tokio::test]
async fn a_deadline_is_kept_over_tcp() {
    let platform = platform();
    let served = serve(&platform, |_| ()).await;
    let token = token(&platform);
    let since = Instant::now();
    let answer = bare(served.address, &token, "100m", "sleep 5000").await;
    assert_eq!((&answer["grpc-status"], since.elapsed() < Duration::from_secs(2)), (&"4".parse().expect("4"), true));
    assert_eq!(bare(served.address, &token, "2S", "sleep 10").await["grpc-status"], "0");
    assert_eq!(bare(served.address, &token, "soon", "ok").await["grpc-status"], "3");
}

#[tokio::test]
async fn old_connections_are_asked_to_go_and_no_call_is_lost() {
    let (platform, gateway) = (platform(), platform());
    let served = serve(&platform, |config| config.age = Period::millis(100)).await;
    gateway.peers.connect("peer", vec![format!("http://{}", served.address)]).expect("an endpoint");
    let token = token(&platform);
    let client = client_with(gateway.peers.forward("peer"), &[("x-rapport-token", &token)]);
    let calls = (0..40).map(|n| {
        let mut client = client.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(n * 25)).await;
            client.check(ask("sleep 150")).await
        }
    });
    for answer in futures::future::join_all(calls).await {
        answer.expect("no call is lost");
    }
    let page = get(served.admin, "/metrics").await;
    assert!(page.contains("rapport_connections_closed_total{why=\"old\"}"), "{page}");
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it takes bytes");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("text");
    text
}

#[tokio::test]
async fn the_admin_port_tells_health_readiness_and_figures() {
    let platform = platform();
    let served = serve(&platform, |_| ()).await;
    let token = token(&platform);
    let mut client = client_with(channel(served.address).await, &[("x-rapport-token", &token)]);
    client.check(ask("ok")).await.expect("an answer");
    assert!(get(served.admin, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(get(served.admin, "/readyz").await.starts_with("HTTP/1.1 200"));
    served.readiness.waiting("database", "it cannot be reached");
    let waiting = get(served.admin, "/readyz").await;
    assert!(waiting.starts_with("HTTP/1.1 503") && waiting.contains("database: it cannot be reached"), "{waiting}");
    let figures = get(served.admin, "/metrics").await;
    let labels = "rpc_method=\"test.v1.Probe/Check\",rpc_response_status_code=\"OK\"";
    assert!(figures.contains(&format!("rpc_server_call_duration_seconds_count{{{labels}}} 1")), "{figures}");
    assert!(get(served.admin, "/secrets").await.starts_with("HTTP/1.1 404"));
    let mut health = HealthClient::new(channel(served.address).await);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let status = health.check(ask("probe")).await.expect("health needs no token").into_inner().status;
    assert_eq!(status, ServingStatus::NotServing as i32);
}

#[tokio::test]
async fn the_contract_can_be_read_by_reflection() {
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    let platform = platform();
    let served = serve(&platform, |_| ()).await;
    let mut client = ServerReflectionClient::new(channel(served.address).await);
    let list = tonic_reflection::pb::v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = client.server_reflection_info(futures::stream::iter([list])).await.expect("answers").into_inner();
    let answer = answers.message().await.expect("an answer").expect("one");
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else { panic!("{answer:?}") };
    let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    assert!(names.contains(&"test.v1.Probe".to_owned()) && names.contains(&"grpc.health.v1.Health".to_owned()));
}

#[tokio::test]
async fn stopping_flips_health_first_finishes_what_runs_and_ends_open_streams() {
    let platform = platform();
    let served = serve(&platform, |config| {
        config.notice = Period::millis(400);
        config.drain = Period::millis(1_500);
    })
    .await;
    let token = token(&platform);
    let channel = channel(served.address).await;
    let mut client = client_with(channel.clone(), &[("x-rapport-token", &token)]);
    let mut health = HealthClient::new(channel.clone()).watch(ask("")).await.expect("a watch").into_inner();
    while health.message().await.expect("health").expect("a message").status != ServingStatus::Serving as i32 {}
    let mut watch = client.watch(ask("ok")).await.expect("a stream").into_inner();
    watch.message().await.expect("the first message");
    let running = tokio::spawn({
        let mut client = client.clone();
        async move { client.check(ask("sleep 1200")).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let since = Instant::now();
    served.stop.send(()).expect("it serves");
    let flipped = health.message().await.expect("health").expect("a message").status;
    assert_eq!(flipped, ServingStatus::NotServing as i32);
    assert!(since.elapsed() < Duration::from_secs(1), "health flips first");
    client.check(ask("ok")).await.expect("calls are taken until whoever routes has noticed");
    running.await.expect("it ran").expect("what ran is finished");
    let status = watch.message().await.expect_err("the endless stream is ended");
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "SHUTTING_DOWN"));
    tokio::time::timeout(Duration::from_secs(4), served.serving).await.expect("out in time").expect("without panic");
    assert!(platform.stop(Duration::from_secs(1)).await);
    assert!(TcpStream::connect(served.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn sigterm_asks_to_stop() {
    let asked = tokio::spawn(asked_to_stop());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let pid = std::process::id().to_string();
    let sent = std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
    assert!(sent.success());
    tokio::time::timeout(Duration::from_secs(2), asked).await.expect("in time").expect("no panic").expect("signals");
}
