//! Peers: linked and remote alike, dead ones, ones that come back.

use std::time::{Duration, Instant};

use rapport_kernel::Verb;
use rapport_platform::host::{Host, HostConfig};
use rapport_platform::{Platform, PlatformConfig, Readiness};
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::{Probe, ask, client_with, contract_with, platform, reason, token};

/// Serves the probe of a platform that shares its keys, until it is told to stop.
async fn serve(platform: &Platform, listen: &str) -> (String, CancellationToken, tokio::task::JoinHandle<()>) {
    let config = HostConfig {
        listen: listen.to_owned(),
        notice: rapport_platform::config::Period::millis(0),
        ..HostConfig::default()
    };
    let host = Host::bind(&config, platform).await.expect("a free port");
    let address = format!("http://{}", host.address().expect("an address"));
    let service = Probe::stacked(platform);
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let serving = tokio::spawn(async move {
        host.serve("probe", service, Readiness::new(), stopped).await.expect("it serves");
    });
    (address, stop, serving)
}

fn sharing(platform: &Platform, verb: Verb) -> Platform {
    let mut config = PlatformConfig::default();
    config.keys.trusted.push(platform.issuer.public_key());
    Platform::new(&config, std::sync::Arc::new(rapport_kernel::SystemClock), contract_with(verb)).expect("a platform")
}

/// The same questions of a linked and of a remote peer.
async fn a_peer_sees_the_call(platform: &Platform) {
    let token = token(platform);
    let headers = [("x-rapport-token", token.as_str()), ("grpc-timeout", "2S"), ("x-request-id", "r-7")];
    let mut client = client_with(Probe::stacked(platform), &headers);
    let left = client.check(ask("peer remaining")).await.expect("an answer").into_inner().status;
    assert!((1_000..=2_000).contains(&left), "what remains is passed on: {left}");
    let caller = platform.verifier.verify(&token, platform.clock.now()).expect("our token");
    let status = client.check(ask("peer who")).await.expect_err("says who");
    assert_eq!(status.message(), format!("{} r-7", caller.tenant));
    let since = Instant::now();
    let mut hurried = client_with(Probe::stacked(platform), &[("x-rapport-token", &token), ("grpc-timeout", "100m")]);
    let status = hurried.check(ask("peer sleep 5000")).await.expect_err("too slow");
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(since.elapsed() < Duration::from_secs(1));
    let status = client.check(ask("peer panic")).await.expect_err("it panics");
    assert_eq!(status.code(), Code::Internal);
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let mut traced = client_with(Probe::stacked(platform), &[("x-rapport-token", &token), ("traceparent", parent)]);
    let status = traced.check(ask("peer trace")).await.expect_err("says it");
    assert_eq!(status.message(), parent);
}

#[tokio::test]
async fn a_linked_peer_is_called_through_the_same_stack() {
    let platform = platform();
    platform.peers.link("peer", Probe::stacked(&platform));
    a_peer_sees_the_call(&platform).await;
}

#[tokio::test]
async fn a_remote_peer_is_called_the_same_way() {
    let platform = platform();
    let (address, _stop, _serving) = serve(&sharing(&platform, Verb::Read), "127.0.0.1:0").await;
    platform.peers.connect("peer", vec![address]).expect("an endpoint");
    a_peer_sees_the_call(&platform).await;
}

#[tokio::test]
async fn a_peer_that_cannot_be_reached_is_unavailable_with_a_time_to_retry() {
    let platform = platform();
    let token = token(&platform);
    let mut client = client_with(Probe::stacked(&platform), &[("x-rapport-token", &token)]);
    let nobody = client.check(ask("peer ok")).await.expect_err("nobody is linked");
    platform.peers.connect("peer", vec!["http://127.0.0.1:1".to_owned()]).expect("an endpoint");
    let since = Instant::now();
    for _ in 0..20 {
        let dead = client.check(ask("peer ok")).await.expect_err("nobody listens");
        for status in [&nobody, &dead] {
            assert_eq!((status.code(), reason(status).as_str()), (Code::Unavailable, "DEPENDENCY_UNAVAILABLE"));
            assert!(status.get_details_retry_info().is_some());
            assert!(!status.message().contains("127.0.0.1"));
        }
    }
    assert!(since.elapsed() < Duration::from_secs(2));
    for wrong in ["profiles:50051", "https://profiles", "", "http://"] {
        assert!(platform.peers.connect("peer", vec![wrong.to_owned()]).is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn a_dead_endpoint_beside_a_living_one_fails_no_call() {
    for verb in [Verb::Read, Verb::Write] {
        let platform = platform();
        let (address, _stop, _serving) = serve(&sharing(&platform, verb), "127.0.0.1:0").await;
        let endpoints = vec!["http://127.0.0.1:1".to_owned(), address, "http://127.0.0.1:2".to_owned()];
        platform.peers.connect("peer", endpoints).expect("endpoints");
        let token = token(&platform);
        let mut client = client_with(Probe::stacked(&platform), &[("x-rapport-token", &token)]);
        for n in 0..200 {
            client.check(ask("peer ok")).await.unwrap_or_else(|status| panic!("call {n}, {verb:?}: {status:?}"));
        }
    }
}

#[tokio::test]
async fn a_peer_that_comes_back_is_used_within_a_second() {
    let platform = platform();
    let (address, stop, serving) = serve(&sharing(&platform, Verb::Read), "127.0.0.1:0").await;
    platform.peers.connect("peer", vec![address.clone()]).expect("an endpoint");
    let token = token(&platform);
    let mut client = client_with(Probe::stacked(&platform), &[("x-rapport-token", &token)]);
    client.check(ask("peer ok")).await.expect("it is there");
    stop.cancel();
    serving.await.expect("it stops");
    for _ in 0..20 {
        assert_eq!(client.check(ask("peer ok")).await.expect_err("it is gone").code(), Code::Unavailable);
    }
    let (_, _stop, _serving) = serve(&sharing(&platform, Verb::Read), address.trim_start_matches("http://")).await;
    let since = Instant::now();
    while client.check(ask("peer ok")).await.is_err() {
        assert!(since.elapsed() < Duration::from_secs(2), "it does not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_bare_way_adds_no_credentials() {
    let platform = platform();
    platform.peers.link("peer", Probe::stacked(&platform));
    let mut bare = client_with(platform.peers.forward("peer"), &[]);
    assert_eq!(bare.check(ask("ok")).await.expect_err("no token").code(), Code::Unauthenticated);
    let token = token(&platform);
    let mut own = client_with(platform.peers.forward("peer"), &[("x-rapport-token", &token)]);
    own.check(ask("ok")).await.expect("the gateway brings its own");
}
