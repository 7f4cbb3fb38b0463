//! Hostile callers: too much metadata, damaged messages, services called past the gateway. And what needs no key.

use rapport_api::profiles::v1::interaction_service_client::InteractionServiceClient;
use rapport_data::Engine;
use rapport_platform::stack::stack;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;

use crate::forwarding::{interactions, record};
use crate::ground::{Ground, Shape, platform, reason, serve};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_much_metadata_is_refused_in_band_and_its_siblings_live() {
    let ground = Ground::new(Engine::Sqlite, Shape::InProcess).await;
    let tenant = ground.tenant().await;
    let mut probe = interactions(ground.first.of(&tenant));
    // 20 KiB is beyond what the host takes as well; both are answered, not cut.
    for bytes in [7_000, 9_000, 20_000] {
        let mut request = Request::new(record("seen"));
        let value = MetadataValue::try_from("x".repeat(bytes)).expect("a value");
        request.metadata_mut().insert("x-much", value);
        let answer = probe.record_interaction(request).await;
        match bytes {
            7_000 => assert!(answer.is_ok()),
            _ => assert_eq!(reason(answer), "MESSAGE_TOO_LARGE", "{bytes}"),
        }
        assert!(probe.record_interaction(record("seen")).await.is_ok(), "on the same connection");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_refuses_whoever_did_not_come_through_the_gateway() {
    let ground = Ground::new(Engine::Sqlite, Shape::InProcess).await;
    let (elsewhere, stop) = (platform(), CancellationToken::new());
    let address = serve(&elsewhere, "profiles", stack(ground.world.routes("profiles"), &elsewhere), &stop).await;
    let channel = Channel::from_shared(address).expect("an address").connect().await.expect("it listens");
    let mut past = InteractionServiceClient::new(channel);
    let tenant = ground.tenant().await;
    for token in ["", tenant.secret.expose(), "a.b.c"] {
        let mut request = Request::new(record("seen"));
        request.metadata_mut().insert("x-rapport-token", token.parse().expect("a value"));
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("a value"));
        let refused = past.record_interaction(request).await.expect_err("past the gateway");
        assert_eq!(refused.code(), Code::Unauthenticated);
        assert_eq!(reason::<()>(Err(refused)), "NOT_THROUGH_GATEWAY");
    }
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_reflection_need_no_key() {
    let ground = Ground::new(Engine::Sqlite, Shape::InProcess).await;
    let mut health = HealthClient::new(ground.first.channel.clone());
    let answer = health.check(HealthCheckRequest { service: String::new() }).await.expect("without a key");
    assert_eq!(answer.into_inner().status, 1);
    let mut reflection = ServerReflectionClient::new(ground.first.channel.clone());
    let message_request = Some(MessageRequest::ListServices(String::new()));
    let asked = tokio_stream::once(ServerReflectionRequest { host: String::new(), message_request });
    let answer = reflection.server_reflection_info(asked).await.expect("without a key").into_inner().message().await;
    assert!(answer.expect("it answers").is_some());
}
