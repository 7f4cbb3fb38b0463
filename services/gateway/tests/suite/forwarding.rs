//! Handing on: unary and streaming, in process and over TCP, deadlines, metadata, faults, services that are away.

use std::time::{Duration, Instant};

use rapport_api::common::v1::value::Kind;
use rapport_api::profiles::v1::interaction_service_client::InteractionServiceClient;
use rapport_api::profiles::v1::{
    Interaction, ListInteractionsRequest, RecordInteractionRequest, RecordInteractionsRequest,
};
use rapport_data::Engine;
use rapport_gateway::door::QuotaConfig;
use rapport_kernel::SubjectId;
use rstest::rstest;
use tokio_stream::StreamExt as _;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use crate::ground::{Ground, Keyed, Shape, ShowKey, eventually, reason};
use crate::peers::by_id;

pub fn interactions(keyed: Keyed) -> InteractionServiceClient<Keyed> {
    InteractionServiceClient::new(keyed).max_decoding_message_size(rapport_api::MAX_RESPONSE_BYTES)
}

pub fn interaction(r#type: &str) -> Interaction {
    Interaction {
        customer: Some(by_id(SubjectId::new())),
        source: "shop".to_owned(),
        external_id: "1".to_owned(),
        r#type: r#type.to_owned(),
        occurred_at: Some(prost_types::Timestamp::default()),
        ..Interaction::default()
    }
}

pub fn record(r#type: &str) -> RecordInteractionRequest {
    RecordInteractionRequest { interaction: Some(interaction(r#type)), ..RecordInteractionRequest::default() }
}

fn seen(interaction: &Interaction, name: &str) -> String {
    match interaction.attributes.get(name).and_then(|value| value.kind.clone()) {
        Some(Kind::TextValue(text)) => text,
        _ => panic!("the probe tells {name}"),
    }
}

#[rstest]
#[case(Shape::InProcess)]
#[case(Shape::OverTcp)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_sees_who_calls_until_when_and_nothing_that_is_not_allowed(#[case] shape: Shape) {
    let ground = Ground::new(Engine::Sqlite, shape).await;
    let tenant = ground.tenant().await;
    let mut request = Request::new(record("seen"));
    request.set_timeout(Duration::from_secs(5));
    for (name, value) in [("x-request-id", "mine-7"), ("x-secret", "hunter2"), ("x-rapport-token", "forged")] {
        request.metadata_mut().insert(name, value.parse().expect("a value"));
    }
    let answer = interactions(ground.first.of(&tenant)).record_interaction(request).await.expect("it is handed on");
    assert_eq!(answer.metadata().get("x-request-id").expect("an id"), "mine-7");
    let interaction = answer.into_inner().interaction.expect("what the probe saw");
    assert_eq!(seen(&interaction, "tenant"), tenant.tenant.id.to_string());
    assert_eq!(seen(&interaction, "key"), tenant.key.id.to_string());
    assert_eq!(seen(&interaction, "request_id"), "mine-7");
    let remaining: i64 = seen(&interaction, "remaining").parse().expect("milliseconds");
    assert!((3_000..=5_000).contains(&remaining), "{remaining}");
    let metadata = seen(&interaction, "metadata");
    assert!(!metadata.contains("authorization") && !metadata.contains("x-secret"), "{metadata}");
    assert!(metadata.contains("traceparent"), "{metadata}");
}

#[rstest]
#[case(Shape::InProcess)]
#[case(Shape::OverTcp)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_ends_the_call_and_a_fault_keeps_its_details(#[case] shape: Shape) {
    let ground = Ground::new(Engine::Sqlite, shape).await;
    let tenant = ground.tenant().await;
    let mut probe = interactions(ground.first.of(&tenant));
    let mut request = Request::new(record("sleep"));
    request.metadata_mut().insert("grpc-timeout", "300m".parse().expect("a value"));
    let at = Instant::now();
    // Straight to the door: tonic's own channel reads the header too, and would end the call by itself.
    let door = ground.first.gateway.service.clone();
    let mut straight = InteractionServiceClient::with_interceptor(door, ShowKey(tenant.secret.expose().to_owned()));
    let refused = straight.record_interaction(request).await.expect_err("it sleeps");
    assert_eq!(refused.code(), Code::DeadlineExceeded);
    assert!(at.elapsed() < Duration::from_secs(3), "{:?}", at.elapsed());

    let refused = probe.record_interaction(record("refuse")).await.expect_err("it says so");
    assert_eq!((refused.code(), refused.message()), (Code::Aborted, "an older version"));
    let details = refused.get_error_details();
    let info = details.error_info().expect("a reason");
    assert_eq!((info.reason.as_str(), info.metadata["limit"].as_str()), ("STALE_ETAG", "7"));
    assert!(refused.metadata().get("x-request-id").is_some());
}

#[rstest]
#[case(Shape::InProcess)]
#[case(Shape::OverTcp)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_thousand_small_items_in_a_frame_each_flow_to_a_service_that_lags(#[case] shape: Shape) {
    const COUNT: i64 = 50_000;
    let ground = Ground::new(Engine::Sqlite, shape).await;
    let tenant = ground.tenant().await;
    let items = tokio_stream::iter(0..COUNT).map(|index| {
        // The service rests at the first, so that the windows fill; a pause after each makes frames of their own.
        let r#type = if index == 0 { "rest" } else { "a" };
        let small = Interaction {
            r#type: r#type.to_owned(),
            version: index,
            external_id: "1".repeat(40),
            ..Interaction::default()
        };
        RecordInteractionsRequest::from(small)
    });
    let items = items.then(async |item| {
        tokio::task::yield_now().await;
        item
    });
    let mut acks =
        interactions(ground.first.of(&tenant)).record_interactions(items).await.expect("opened").into_inner();
    let mut count = 0;
    while acks.message().await.expect("the connection lives").is_some() {
        count += 1;
    }
    assert_eq!(count, COUNT);
}

#[rstest]
#[case(Shape::InProcess)]
#[case(Shape::OverTcp)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_messages_flow_both_ways_in_order(#[case] shape: Shape) {
    const COUNT: i64 = 10_000;
    let ground = Ground::new(Engine::Sqlite, shape).await;
    let tenant = ground.tenant().await;
    let items = tokio_stream::iter(0..COUNT)
        .map(|version| RecordInteractionsRequest::from(Interaction { version, ..interaction("seen") }));
    let mut acks =
        interactions(ground.first.of(&tenant)).record_interactions(items).await.expect("opened").into_inner();
    let mut expected = 0;
    while let Some(ack) = acks.message().await.expect("it goes on") {
        let ack = ack.ack.expect("an acknowledgement");
        assert_eq!((ack.through_index, ack.accepted), (expected, expected));
        expected += 1;
    }
    assert_eq!(expected, COUNT);
    assert!(acks.trailers().await.expect("they came").is_some());
}

#[rstest]
#[case(Shape::InProcess)]
#[case(Shape::OverTcp)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_answers_before_it_is_whole_and_its_fault_comes_with_details(#[case] shape: Shape) {
    let ground = Ground::new(Engine::Sqlite, shape).await;
    let tenant = ground.tenant().await;
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let items = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let send = |r#type: &str| {
        let (sender, item) = (sender.clone(), RecordInteractionsRequest::from(interaction(r#type)));
        async move { sender.send(item).await.expect("the stream is open") }
    };
    send("seen").await;
    let mut acks =
        interactions(ground.first.of(&tenant)).record_interactions(items).await.expect("opened").into_inner();
    assert!(acks.message().await.expect("it goes on").is_some(), "while the client may still send");
    send("refuse").await;
    let refused = acks.message().await.expect_err("the second is refused");
    assert_eq!(refused.get_error_details().error_info().expect("a reason").metadata["limit"], "1");
    assert_eq!(reason::<()>(Err(refused)), "STALE_ETAG");
}

#[rstest]
#[case(Shape::InProcess)]
#[case(Shape::OverTcp)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_answer_comes_whole(#[case] shape: Shape) {
    let ground = Ground::new(Engine::Sqlite, shape).await;
    let tenant = ground.tenant().await;
    let request = ListInteractionsRequest {
        customer: Some(by_id(SubjectId::new())),
        page_size: 2_500,
        ..ListInteractionsRequest::default()
    };
    let listed = interactions(ground.first.of(&tenant)).list_interactions(request).await.expect("it is handed on");
    assert_eq!(listed.into_inner().interactions.len(), 2_500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_away_is_unavailable_and_says_when_to_come_back() {
    let ground = Ground::new(Engine::Sqlite, Shape::OverTcp).await;
    let tenant = ground.tenant().await;
    let mut probe = interactions(ground.first.of(&tenant));
    probe.record_interaction(record("seen")).await.expect("it is there");
    let peers = &ground.first.platform.peers;
    peers.connect("profiles", vec!["http://127.0.0.1:1".to_owned()]).expect("an endpoint");
    let refused = probe.record_interaction(record("seen")).await.expect_err("it is away");
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.get_error_details().retry_info().and_then(|retry| retry.retry_delay).is_some());
    assert_eq!(reason::<()>(Err(refused)), "DEPENDENCY_UNAVAILABLE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_whose_service_is_lost_in_the_middle_ends_with_unavailable() {
    let ground = Ground::new(Engine::Sqlite, Shape::InProcess).await;
    let tenant = ground.tenant().await;
    // Between the gateway and the service lies a way that is cut.
    let elsewhere = crate::ground::platform();
    let service = rapport_platform::stack::stack(ground.world.routes("profiles"), &elsewhere);
    let stop = tokio_util::sync::CancellationToken::new();
    let address = crate::ground::serve(&elsewhere, "profiles", service, &stop).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let way = format!("http://{}", listener.local_addr().expect("an address"));
    let cut = tokio_util::sync::CancellationToken::new();
    let cutting = cut.clone();
    tokio::spawn(async move {
        let (mut from, _) = listener.accept().await.expect("a connection");
        let mut to = tokio::net::TcpStream::connect(address.trim_start_matches("http://")).await.expect("the service");
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut from, &mut to) => {}
            () = cutting.cancelled() => {}
        }
    });
    ground.first.platform.peers.connect("profiles", vec![way]).expect("an endpoint");
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    sender.send(RecordInteractionsRequest::from(interaction("seen"))).await.expect("room");
    let items = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut acks =
        interactions(ground.first.of(&tenant)).record_interactions(items).await.expect("opened").into_inner();
    assert!(acks.message().await.expect("it goes on").is_some());
    cut.cancel();
    let refused = acks.message().await.expect_err("the way is cut");
    assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    assert!(refused.get_error_details().retry_info().is_some());
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_beyond_its_quota_is_told_when_to_come_back_and_its_neighbour_notices_nothing() {
    let quota = QuotaConfig { calls_per_second: 5, burst: 3 };
    let ground = Ground::with(Engine::Sqlite, Shape::InProcess, |config| config.quota = quota).await;
    let (greedy, neighbour) = (ground.tenant().await, ground.tenant().await);
    let mut refused = None;
    for _ in 0..20 {
        refused = interactions(ground.first.of(&greedy)).record_interaction(record("seen")).await.err().or(refused);
    }
    let refused = refused.expect("more than its quota");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let details = refused.get_error_details();
    assert!(details.quota_failure().is_some());
    assert!(
        details.retry_info().and_then(|retry| retry.retry_delay).is_some_and(|delay| delay <= Duration::from_secs(1))
    );
    assert!(interactions(ground.first.of(&neighbour)).record_interaction(record("seen")).await.is_ok());
    let ask = || async { interactions(ground.first.of(&greedy)).record_interaction(record("seen")).await.is_ok() };
    assert!(eventually(ask, |ok| *ok).await, "there is room again");
}
