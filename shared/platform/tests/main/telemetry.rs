//! Logs and spans, in a process of their own: telemetry is set up once per process.

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use rapport_platform::Readiness;
use rapport_platform::host::{Host, HostConfig};
use rapport_platform::stack::Stacked;
use rapport_platform::telemetry::{Format, TelemetryConfig, init};
use tonic::body::Body;

use crate::support::{Probe, SECRET, ask, client_with, platform, token};

const COLLECTOR: &str = "PROBE_COLLECTOR";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A collector: takes whatever is exported, and keeps its bytes.
async fn collector(kept: Arc<Mutex<Vec<u8>>>) -> String {
    let platform = platform();
    let config = HostConfig { listen: "127.0.0.1:0".to_owned(), ..HostConfig::default() };
    let host = Host::bind(&config, &platform).await.expect("a free port");
    let address = host.address().expect("an address");
    let service = Stacked::new(tower::service_fn(move |request: Request<Body>| {
        let kept = Arc::clone(&kept);
        async move {
            let body = request.into_body().collect().await.expect("a body").to_bytes();
            kept.lock().expect("not poisoned").extend_from_slice(&body);
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().expect("a value"));
            let empty = Frame::data(bytes::Bytes::from_static(&[0; 5]));
            let frames = [empty, Frame::trailers(trailers)].map(Ok::<_, tonic::Status>);
            let mut answer = Response::new(Body::new(StreamBody::new(futures::stream::iter(frames))));
            answer.headers_mut().insert("content-type", "application/grpc".parse().expect("a value"));
            Ok::<_, std::convert::Infallible>(answer)
        }
    }));
    tokio::spawn(host.serve("collector", service, Readiness::new(), std::future::pending()));
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_are_logged_with_their_cause_and_request_and_spans_are_exported() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let address = collector(Arc::clone(&kept)).await;
    let child = tokio::task::spawn_blocking(move || {
        Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "telemetry::a_process_with_telemetry", "--ignored", "--nocapture"])
            .env(COLLECTOR, address)
            .output()
            .expect("it runs")
    });
    let output = tokio::time::timeout(Duration::from_secs(60), child).await.expect("it does not hang").expect("it ran");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let lines: Vec<serde_json::Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let line =
        |text: &str| lines.iter().find(|line| line["message"] == text).unwrap_or_else(|| panic!("{text}: {log}"));
    let failed = line("a call failed by a mistake of ours");
    assert_eq!((&failed["reason"], &failed["span"]["request_id"]), (&"INTERNAL".into(), &"r-fault".into()));
    assert_eq!(failed["cause"], "the cause");
    let panicked = line("a panic: a mistake of ours");
    assert_eq!(panicked["span"]["request_id"], "r-panic");
    assert!(panicked["place"].as_str().expect("a place").contains("support.rs"));
    assert!(!log.contains(SECRET), "{log}");
    let exported = kept.lock().expect("not poisoned");
    let holds = |bytes: &[u8]| exported.windows(bytes.len()).any(|window| window == bytes);
    assert!(holds(b"test.v1.Probe/Check") && holds(b"rapport-probe"), "spans are exported");
    let trace = [0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c];
    assert!(holds(&trace), "they belong to the caller's trace");
    assert!(holds(b"rpc.response.status_code") && !holds(SECRET.as_bytes()));
}

/// With the one worker thread on which shutting the exporter down in place would wait for itself.
#[test]
#[ignore = "run by the test above, in a process of its own"]
fn a_process_with_telemetry() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let work = runtime.spawn(async {
        let otlp = std::env::var(COLLECTOR).expect("the collector's address");
        let config = TelemetryConfig { format: Format::Json, otlp: Some(otlp), ..TelemetryConfig::default() };
        let telemetry = init(&config, "probe").expect("telemetry");
        assert!(init(&config, "probe").is_err(), "once per process");
        let platform = platform();
        let token = token(&platform);
        for text in ["ok", "fault the cause", "panic"] {
            let id = format!("r-{}", text.split(' ').next().expect("a word"));
            let headers = [("x-rapport-token", &*token), ("x-request-id", &id), ("traceparent", PARENT)];
            drop(client_with(Probe::stacked(&platform), &headers).check(ask(text)).await);
        }
        telemetry.shutdown(Duration::from_secs(5)).await;
    });
    runtime.block_on(work).expect("no panic");
}
