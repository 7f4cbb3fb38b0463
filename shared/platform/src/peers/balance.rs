//! Which endpoint a call goes to: the one with less to do of two, among those whose circuit is closed. And whether a
//! call may be made again: retries add at most a fifth to the calls of a role.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tonic::transport::Channel;

/// How many failures in a row open a circuit.
const OPENS_AT: u32 = 5;
/// How long it stays open before one call tries again: what comes back is used within it.
const OPEN_FOR: Duration = Duration::from_millis(500);

/// Refuses calls to an endpoint that keeps failing, but for one now and then.
#[derive(Default)]
pub(super) struct Circuit(Mutex<State>);

#[derive(Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
}

impl Circuit {
    fn is_closed(&self) -> bool {
        self.lock().failures < OPENS_AT
    }

    /// Whether the one trial call of an open circuit is due; it is the asker's.
    fn takes_trial(&self, now: Instant) -> bool {
        let mut state = self.lock();
        let due = state.open_until.is_none_or(|until| until <= now);
        if due {
            state.open_until = Some(now + OPEN_FOR);
        }
        due
    }

    pub(super) fn succeeded(&self) {
        *self.lock() = State::default();
    }

    pub(super) fn failed(&self, now: Instant) {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= OPENS_AT {
            state.open_until = Some(now + OPEN_FOR);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One address of a role.
pub(super) struct Endpoint {
    pub(super) address: String,
    pub(super) channel: Channel,
    pub(super) circuit: Circuit,
    in_flight: AtomicUsize,
}

impl Endpoint {
    pub(super) fn new(address: String, channel: Channel) -> Self {
        Self { address, channel, circuit: Circuit::default(), in_flight: AtomicUsize::new(0) }
    }
}

/// An endpoint while a call goes to it.
pub(super) struct Picked(pub(super) Arc<Endpoint>);

impl Drop for Picked {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Picks an endpoint among those not tried yet; `None` where there is none, or every circuit is open.
pub(super) fn pick(endpoints: &[Arc<Endpoint>], tried: &[String]) -> Option<Picked> {
    let now = Instant::now();
    let left = endpoints.iter().filter(|endpoint| !tried.contains(&endpoint.address));
    let (closed, open): (Vec<_>, Vec<_>) = left.partition(|endpoint| endpoint.circuit.is_closed());
    let trial = || open.iter().find(|endpoint| endpoint.circuit.takes_trial(now)).copied();
    let best = || {
        let random = || closed.get(rand::random_range(0..closed.len().max(1)));
        let busy = |endpoint: &&&Arc<Endpoint>| endpoint.in_flight.load(Ordering::Acquire);
        [random(), random()].into_iter().flatten().min_by_key(busy).copied()
    };
    // A first attempt may be the trial by which an endpoint comes back; a second one goes where it is safe.
    let picked = if tried.is_empty() { trial().or_else(best) } else { best().or_else(trial) }?;
    picked.in_flight.fetch_add(1, Ordering::AcqRel);
    Some(Picked(Arc::clone(picked)))
}

/// Lets one call in five be made again, and ten at a stretch.
pub(super) struct RetryBudget(AtomicI64);

impl RetryBudget {
    const PER_CALL: i64 = 1;
    const PER_RETRY: i64 = 5;
    const MOST: i64 = 10 * Self::PER_RETRY;

    pub(super) const fn new() -> Self {
        Self(AtomicI64::new(Self::MOST))
    }

    pub(super) fn called(&self) {
        if self.0.fetch_add(Self::PER_CALL, Ordering::AcqRel) >= Self::MOST {
            self.0.fetch_sub(Self::PER_CALL, Ordering::AcqRel);
        }
    }

    pub(super) fn allows_retry(&self) -> bool {
        let take = |held: i64| (held >= Self::PER_RETRY).then_some(held - Self::PER_RETRY);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_add_at_most_a_fifth() {
        let budget = RetryBudget::new();
        let retried = (0..1_000).filter(|_| {
            budget.called();
            budget.allows_retry()
        });
        assert!(retried.count() <= 200 + 10);
    }

    #[tokio::test]
    async fn a_circuit_opens_after_failures_and_lets_one_call_try() {
        let circuit = Circuit::default();
        for _ in 0..OPENS_AT {
            assert!(circuit.is_closed());
            circuit.failed(Instant::now());
        }
        assert!(!circuit.is_closed() && !circuit.takes_trial(Instant::now()));
        tokio::time::sleep(OPEN_FOR).await;
        assert!(circuit.takes_trial(Instant::now()), "one tries");
        assert!(!circuit.takes_trial(Instant::now()), "and only one");
        circuit.succeeded();
        assert!(circuit.is_closed());
    }

    #[tokio::test]
    async fn a_second_try_goes_elsewhere() {
        let endpoint = |address: &str| {
            let channel = Channel::from_shared(format!("http://{address}")).expect("an address").connect_lazy();
            Arc::new(Endpoint::new(address.to_owned(), channel))
        };
        let endpoints = [endpoint("a:1"), endpoint("b:1")];
        let tried = ["a:1".to_owned()];
        for _ in 0..20 {
            assert_eq!(pick(&endpoints, &tried).expect("the other").0.address, "b:1");
        }
        assert!(pick(&endpoints[..1], &tried).is_none() && pick(&[], &[]).is_none());
    }
}
