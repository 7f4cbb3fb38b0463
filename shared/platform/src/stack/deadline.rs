//! Deadline: a call ends when its caller stops waiting, in process as over TCP, and says DEADLINE_EXCEEDED in-band.
//!
//! tonic honours `grpc-timeout` over TCP only and answers CANCELLED; so it is parsed and kept here. A unary call
//! has a longest time in any case; a stream has a deadline only where its caller gave one.

use std::time::Duration;

use http::{HeaderMap, HeaderName, Request, Response};
use rapport_kernel::Fault;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;

use super::body::{Bounded, refuse};
use super::passage::method_of;
use super::{Inner, Passage};
use crate::platform::Platform;

/// The header of gRPC that says how long the caller waits.
pub const HEADER: HeaderName = HeaderName::from_static("grpc-timeout");

/// The layer.
pub struct KeepDeadline<S> {
    inner: S,
    longest_unary: Duration,
    ending: CancellationToken,
}

impl<S> KeepDeadline<S> {
    /// Around `inner`; its streamed answers end at the latest when `ending` is cancelled.
    pub fn new(inner: S, platform: &Platform, ending: CancellationToken) -> Self {
        Self { inner, longest_unary: platform.limits.unary_time.get(), ending }
    }

    /// When the call must be done, by its caller's word and our own limit.
    fn of(&self, unary: bool, headers: &HeaderMap) -> Result<Option<Instant>, Fault> {
        let given = headers.get(HEADER).map(|given| parse(given.as_bytes())).transpose()?;
        let time =
            if unary { Some(given.map_or(self.longest_unary, |given| given.min(self.longest_unary))) } else { given };
        if time.is_some_and(|time| time.is_zero()) {
            return Err(Fault::deadline());
        }
        // A time beyond what the clock can count is no limit.
        Ok(time.and_then(|time| Instant::now().checked_add(time)))
    }
}

impl<S: Inner> Inner for KeepDeadline<S> {
    type End = Option<S::End>;

    fn answer(&self, request: Request<Body>) -> impl Future<Output = (Response<Body>, Self::End)> + Send {
        let method = method_of(&request);
        let unary = method.is_none_or(|method| method.is_unary());
        let streams = method.is_some_and(|method| method.server_streams);
        let begun = self.of(unary, request.headers()).map(|deadline| {
            if let Some(passage) = Passage::of(&request) {
                passage.ends(deadline);
            }
            (deadline, self.inner.answer(request))
        });
        async move {
            let (deadline, answer) = match begun {
                Ok(begun) => begun,
                Err(fault) => return (refuse(fault), None),
            };
            let (answer, end) = match deadline {
                None => answer.await,
                Some(deadline) => match tokio::time::timeout_at(deadline, answer).await {
                    Ok(answered) => answered,
                    Err(_) => return (refuse(Fault::deadline()), None),
                },
            };
            if !streams {
                return (answer, Some(end));
            }
            (answer.map(|body| Bounded::around(body, deadline, self.ending.clone())), Some(end))
        }
    }
}

/// `grpc-timeout`: up to eight digits and a unit.
pub(crate) fn parse(text: &[u8]) -> Result<Duration, Fault> {
    let refused =
        || Fault::invalid_field(HEADER.as_str(), "grpc_timeout", "must be one to eight digits and H, M, S, m, u or n");
    let (unit, digits) = text.split_last().ok_or_else(refused)?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return Err(refused());
    }
    let count = digits.iter().fold(0_u64, |count, digit| count * 10 + u64::from(digit - b'0'));
    Ok(match unit {
        b'H' => Duration::from_secs(count * 3_600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return Err(refused()),
    })
}

/// A time as `grpc-timeout` writes it, cut to what eight digits hold: never longer than it is.
pub(crate) fn render(time: Duration) -> String {
    let micros = time.as_micros();
    if micros < 100_000_000 {
        return format!("{micros}u");
    }
    let millis = time.as_millis();
    if millis < 100_000_000 {
        return format!("{millis}m");
    }
    format!("{}S", time.as_secs().min(99_999_999))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_timeout_is_digits_and_a_unit() {
        for (text, time) in [("1H", 3_600_000), ("2M", 120_000), ("3S", 3_000), ("99999999m", 99_999_999)] {
            assert_eq!(parse(text.as_bytes()).expect(text), Duration::from_millis(time));
        }
        assert_eq!(parse(b"7n").expect("nanoseconds"), Duration::from_nanos(7));
        for text in ["", "S", "1", "-1S", "1.5S", "123456789S", "1s", "1 S", "１S"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_rendered_time_is_parsed_and_never_longer(micros in 0_u64..200_000_000_000) {
            let time = Duration::from_micros(micros);
            let parsed = parse(render(time).as_bytes()).expect("what we render");
            prop_assert!(parsed <= time);
            prop_assert!(time - parsed < Duration::from_secs(1));
        }
    }
}
