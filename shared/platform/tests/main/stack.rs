//! The order of the layers by what they do, deadlines, callers, panics: in process.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt as _};
use rapport_kernel::TenantId;
use rapport_platform::stack::{Stacked, stack};
use rapport_platform::{Call, Platform, Routes, TokenIssuer};
use tokio::sync::Semaphore;
use tonic::{Code, Status};
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::support::{Probe, Renamed, SECRET, ask, client, client_with, counted, platform, reason, token, token_with};

const METHOD: &str = "test.v1.Probe/Check";

fn request_id(status: &tonic::Status) -> String {
    let id = status.metadata().get("x-request-id").expect("the answer names its request");
    id.to_str().expect("ASCII").to_owned()
}

#[tokio::test]
async fn a_panic_is_an_internal_error_that_tells_nothing_and_the_service_survives() {
    let platform = platform();
    let token = token(&platform);
    let mut client = client_with(Probe::stacked(&platform), &[("x-rapport-token", &token), ("x-request-id", "r-1")]);
    let status = client.check(ask("panic")).await.expect_err("it panics");
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Internal, "INTERNAL"));
    assert_eq!(request_id(&status), "r-1", "the id was given before the panic, and is told");
    assert!(!format!("{status:?}").contains(SECRET));
    assert_eq!(counted(&platform, METHOD, "INTERNAL"), 1, "metrics lie within catch panic");
    client.check(ask("ok")).await.expect("the service stands");
}

#[tokio::test]
async fn a_panic_within_a_stream_ends_it_with_internal() {
    let platform = platform();
    let token = token(&platform);
    let mut client = client_with(Probe::stacked(&platform), &[("x-rapport-token", &token)]);
    let mut stream = client.watch(ask("panic")).await.expect("a stream").into_inner();
    stream.message().await.expect("the first message");
    let status = stream.message().await.expect_err("it panics");
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(counted(&platform, "test.v1.Probe/Watch", "INTERNAL"), 1);
    assert!(!format!("{status:?}").contains(SECRET));
}

/// Watches that need the one thing there is, for a while, between their first message and their second.
#[derive(Clone)]
struct Holding(Arc<Semaphore>);

#[tonic::async_trait]
impl Health for Holding {
    async fn check(
        &self,
        _: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<HealthCheckResponse>, Status> {
        Ok(tonic::Response::new(HealthCheckResponse { status: 1 }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(&self, _: tonic::Request<HealthCheckRequest>) -> Result<tonic::Response<Self::WatchStream>, Status> {
        let thing = Arc::clone(&self.0);
        let second = async move {
            let _held = thing.acquire_owned().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(HealthCheckResponse { status: 2 })
        };
        let first = futures::stream::once(async { Ok(HealthCheckResponse { status: 1 }) });
        Ok(tonic::Response::new(Box::pin(first.chain(futures::stream::once(second)))))
    }
}

#[tokio::test]
async fn a_stream_that_nobody_reads_holds_nothing() {
    let platform = platform();
    let token = token(&platform);
    let thing = Arc::new(Semaphore::new(1));
    let routes = Routes::new(Renamed(HealthServer::new(Holding(Arc::clone(&thing)))));
    let mut client = client_with(stack(routes, &platform), &[("x-rapport-token", &token)]);
    let mut idle = client.watch(ask("")).await.expect("a stream").into_inner();
    idle.message().await.expect("the first message");
    // Whoever does read waits for the thing no longer than the other needs it.
    let mut read = client.watch(ask("")).await.expect("a stream").into_inner();
    let both = async {
        read.message().await.expect("the first message");
        read.message().await.expect("the second message")
    };
    let second = tokio::time::timeout(Duration::from_secs(10), both).await.expect("it is not held up");
    assert_eq!(second.map(|message| message.status), Some(2));
    assert_eq!(idle.message().await.expect("it goes on").map(|message| message.status), Some(2));
    assert!(idle.message().await.expect("it ends").is_none());
    let unread = client.watch(ask("")).await.expect("a stream").into_inner();
    drop(unread);
    let free = tokio::time::timeout(Duration::from_secs(10), thing.acquire()).await;
    assert!(free.is_ok(), "what is dropped lets go");
}

#[tokio::test]
async fn a_fault_of_ours_tells_the_caller_nothing_but_the_request_id() {
    let platform = platform();
    let token = token(&platform);
    let mut client = client_with(Probe::stacked(&platform), &[("x-rapport-token", &token)]);
    let status = client.check(ask(&format!("fault {SECRET}"))).await.expect_err("it fails");
    assert_eq!(status.code(), Code::Internal);
    assert!(!format!("{status:?}").contains(SECRET));
    assert_eq!(request_id(&status).len(), 36);
}

#[tokio::test]
async fn a_call_without_a_good_token_is_refused_and_still_named_and_counted() {
    let platform = platform();
    let foreign = TokenIssuer::new(&[9; 32]).expect("an issuer");
    let caller = rapport_kernel::Caller::internal(TenantId::new());
    let forged = foreign.issue(&caller, platform.clock.now()).expect("a token");
    let past = platform.clock.now().minus(Duration::from_secs(120));
    let expired = platform.issuer.issue(&caller, past).expect("a token");
    for token in ["", "rubbish", &forged, &expired] {
        let mut client = client_with(Probe::stacked(&platform), &[("x-rapport-token", token)]);
        let status = client.check(ask("ok")).await.expect_err("refused");
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Unauthenticated, "NOT_THROUGH_GATEWAY"));
        request_id(&status);
    }
    let status = client(Probe::stacked(&platform)).check(ask("ok")).await.expect_err("refused");
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(counted(&platform, METHOD, "UNAUTHENTICATED"), 5);
}

#[tokio::test]
async fn a_call_without_the_scope_is_refused_and_told_which() {
    let platform = platform();
    let token = token_with(&platform, &["metrics:admin"]);
    let mut client = client_with(Probe::stacked(&platform), &[("x-rapport-token", &token)]);
    let status = client.check(ask("ok")).await.expect_err("refused");
    assert_eq!((status.code(), reason(&status).as_str()), (Code::PermissionDenied, "MISSING_SCOPE"));
    assert!(status.message().contains("profiles:read"));
}

#[tokio::test]
async fn a_deadline_is_kept_in_process() {
    let platform = platform();
    let token = token(&platform);
    let headers = [("x-rapport-token", token.as_str()), ("grpc-timeout", "50m")];
    let mut client = client_with(Probe::stacked(&platform), &headers);
    let since = Instant::now();
    let status = client.check(ask("sleep 5000")).await.expect_err("it takes too long");
    assert_eq!((status.code(), reason(&status).as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
    assert!(since.elapsed() < Duration::from_secs(1));
    client.check(ask("sleep 1")).await.expect("in time");
    assert_eq!(counted(&platform, METHOD, "DEADLINE_EXCEEDED"), 1);
}

#[tokio::test]
async fn a_call_whose_time_is_over_is_not_even_authenticated() {
    let platform = platform();
    let mut client = client_with(Probe::stacked(&platform), &[("grpc-timeout", "0m")]);
    assert_eq!(client.check(ask("ok")).await.expect_err("over").code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_unary_call_has_a_longest_time_and_a_stream_none() {
    let platform = platform();
    let token = token(&platform);
    let mut client = client_with(Probe::stacked(&platform), &[("x-rapport-token", &token)]);
    let left = client.check(ask("remaining")).await.expect("an answer").into_inner().status;
    assert!((29_000..=30_000).contains(&left), "{left}");
    let mut stream = client.watch(ask("ok")).await.expect("a stream").into_inner();
    stream.message().await.expect("the first message");
    let more = tokio::time::timeout(Duration::from_millis(200), stream.message()).await;
    assert!(more.is_err(), "nobody gave it a deadline");
}

#[tokio::test]
async fn a_stream_ends_at_the_deadline_its_caller_gave() {
    let platform = platform();
    let token = token(&platform);
    let headers = [("x-rapport-token", token.as_str()), ("grpc-timeout", "100m")];
    let mut client = client_with(Probe::stacked(&platform), &headers);
    let mut stream = client.watch(ask("ok")).await.expect("a stream").into_inner();
    stream.message().await.expect("the first message");
    let status = stream.message().await.expect_err("its time is over");
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(counted(&platform, "test.v1.Probe/Watch", "DEADLINE_EXCEEDED"), 1);
}

#[tokio::test]
async fn a_request_id_is_kept_where_it_cannot_disturb_a_log() {
    let platform = platform();
    let token = token(&platform);
    for (given, kept) in [("case-7.a_b", true), ("two words", false), (&"x".repeat(65), false)] {
        let headers = [("x-rapport-token", token.as_str()), ("x-request-id", given)];
        let status = client_with(Probe::stacked(&platform), &headers).check(ask("who")).await.expect_err("says who");
        assert_eq!(request_id(&status) == given, kept, "{given}");
        assert!(status.message().ends_with(&request_id(&status)), "the handler sees the same id");
    }
}

#[tokio::test]
async fn a_call_that_the_contract_does_not_have_is_unimplemented() {
    let platform = platform();
    let token = token(&platform);
    let mut service = Probe::stacked(&platform);
    let request = http::Request::post("/test.v1.Probe/Absent").header("x-rapport-token", &token);
    let request = request.body(tonic::body::Body::empty()).expect("a request");
    let answer = tower::Service::call(&mut service, request).await.expect("it always answers");
    assert_eq!(answer.headers()["grpc-status"], "12");
    assert_eq!(counted(&platform, "_OTHER", "UNIMPLEMENTED"), 1, "no caller's text becomes a label");
}

#[tokio::test]
async fn the_trace_of_the_caller_goes_on() {
    let platform = platform();
    let token = token(&platform);
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let headers = [("x-rapport-token", token.as_str()), ("traceparent", parent)];
    let status = client_with(Probe::stacked(&platform), &headers).check(ask("trace")).await.expect_err("says it");
    assert_eq!(status.message(), parent);
}

#[tokio::test]
async fn a_request_that_went_round_the_stack_is_refused() {
    let platform: Platform = platform();
    let status = client(Stacked::new(Probe::routes(&platform))).check(ask("ok")).await.expect_err("refused");
    assert_eq!(reason(&status), "NOT_THROUGH_GATEWAY");
}

#[tokio::test]
async fn the_work_of_the_suite_itself_has_its_own_call() {
    let platform = platform();
    let call = Call::internal(TenantId::new(), platform.clock.now());
    assert_eq!(call.remaining(), None);
    assert!(call.caller.require("internal", rapport_kernel::Verb::Write).is_ok());
}

#[tokio::test]
async fn what_is_no_frame_is_the_callers_mistake() {
    let platform = platform();
    let token = token(&platform);
    let whole = [0, 0, 0, 0, 4, 0x0a, 2, b'o', b'k'];
    let asked = |bytes: &[u8]| {
        let body = if bytes.is_empty() {
            tonic::body::Body::empty()
        } else {
            tonic::body::Body::new(http_body_util::Full::new(bytes::Bytes::copy_from_slice(bytes)))
        };
        http::Request::post(crate::support::CHECK)
            .header("content-type", "application/grpc")
            .header("x-rapport-token", &token)
            .body(body)
            .expect("a request")
    };
    let mut service = Probe::stacked(&platform);
    for bytes in [&[][..], &whole[..3], &whole[..7], &[1, 0, 0, 0, 0], &[7, 0, 0, 0, 0]] {
        let answer = tonic::codegen::Service::call(&mut service, asked(bytes)).await.expect("infallible");
        let status = tonic::Status::from_header_map(answer.headers()).expect("it is refused at once");
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::InvalidArgument, "MALFORMED_MESSAGE"),
            "{bytes:?}"
        );
    }
    let answer = tonic::codegen::Service::call(&mut service, asked(&whole)).await.expect("infallible");
    assert!(tonic::Status::from_header_map(answer.headers()).is_none_or(|status| status.code() == Code::Ok));
}
