//! Shedding, sizes, the budget of bytes.

use std::time::Duration;

use rapport_platform::PlatformConfig;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::{Probe, ask, client_with, platform, platform_with, reason, token};

#[tokio::test]
async fn more_calls_than_the_limit_are_refused_with_a_time_to_retry() {
    let mut config = PlatformConfig::default();
    config.limits.unary_calls = 4;
    let platform = platform_with(&config);
    let token = token(&platform);
    let client = client_with(Probe::stacked(&platform), &[("x-rapport-token", &token)]);
    let slow: Vec<_> = (0..3)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move { client.check(ask("sleep 200")).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    // Reads may use 95 % of four: three.
    let status = client.clone().check(ask("ok")).await.expect_err("too many");
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    assert!(status.get_details_retry_info().expect("a RetryInfo").retry_delay.is_some());
    for slow in slow {
        slow.await.expect("it ran").expect("it was let in, and ends well");
    }
    client.clone().check(ask("ok")).await.expect("there is room again");
}

#[tokio::test]
async fn an_open_stream_takes_no_room_from_unary_calls() {
    let mut config = PlatformConfig::default();
    (config.limits.unary_calls, config.limits.streams) = (2, 2);
    let platform = platform_with(&config);
    let token = token(&platform);
    let mut client = client_with(Probe::stacked(&platform), &[("x-rapport-token", &token)]);
    let first = client.watch(ask("ok")).await.expect("a stream");
    assert_eq!(client.watch(ask("ok")).await.expect_err("too many").code(), Code::ResourceExhausted);
    client.check(ask("ok")).await.expect("a unary call has its own room");
    drop(first);
    client.watch(ask("ok")).await.expect("there is room again");
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_by_its_announced_length() {
    let platform = platform();
    let token = token(&platform);
    let mut client = client_with(Probe::stacked(&platform), &[("x-rapport-token", &token)]);
    client.check(ask(&"x".repeat(250_000))).await.expect("within the limit");
    let status = client.check(ask(&"x".repeat(300_000))).await.expect_err("too large");
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"));
}

#[tokio::test]
async fn bytes_beyond_the_budget_are_refused_and_given_back() {
    let mut config = PlatformConfig::default();
    config.limits.request_bytes = 100_000;
    let platform = platform_with(&config);
    let token = token(&platform);
    let mut client = client_with(Probe::stacked(&platform), &[("x-rapport-token", &token)]);
    for _ in 0..3 {
        let status = client.check(ask(&"x".repeat(200_000))).await.expect_err("more than the budget");
        assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "OVERLOADED"));
        client.check(ask(&"x".repeat(90_000))).await.expect("within it: nothing was kept");
    }
}
