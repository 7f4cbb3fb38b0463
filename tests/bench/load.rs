//! Drives calls: so many in flight, over a few connections, each answered before its place sends the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tonic::Status;

use crate::Outcome;

/// Connections of a load.
pub const CONNECTIONS: usize = 4;
/// Calls in flight of a load that looks for the most.
pub const IN_FLIGHT: usize = 64;

/// When a load ends.
#[derive(Clone, Copy)]
pub enum Until {
    /// After so many calls.
    Calls(u64),
    /// After so long.
    Time(Duration),
}

impl Until {
    fn is_over(self, calls: u64, since: Instant) -> bool {
        match self {
            Self::Calls(most) => calls >= most,
            Self::Time(most) => since.elapsed() >= most,
        }
    }
}

/// What a load measured.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Calls that were answered in a second.
    pub per_second: f64,
    /// How long half of them took at most, in microseconds.
    pub p50: f64,
}

/// Makes calls over `clients` until it is over. Each call gets its number. One that fails ends the load.
pub async fn drive<C, F, Fut>(clients: &[C], in_flight: usize, until: Until, call: F) -> Outcome<Measured>
where
    C: Clone + Send + 'static,
    F: Fn(C, u64) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Status>> + Send + 'static,
{
    let (next, started) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let mut places = JoinSet::new();
    for client in clients.iter().cycle().take(in_flight) {
        let (client, call, next) = (client.clone(), call.clone(), Arc::clone(&next));
        places.spawn(async move {
            let mut took = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if until.is_over(number, started) {
                    return Ok::<_, Status>(took);
                }
                let sent = Instant::now();
                call(client.clone(), number).await?;
                took.push(sent.elapsed());
            }
        });
    }
    let mut took = Vec::new();
    while let Some(place) = places.join_next().await {
        took.extend(place??);
    }
    let per_second = took.len() as f64 / started.elapsed().as_secs_f64();
    Ok(Measured { per_second, p50: quantile(&mut took, 0.5).as_secs_f64() * 1e6 })
}

/// The quantile of some durations; zero of none.
pub fn quantile(of: &mut [Duration], share: f64) -> Duration {
    of.sort_unstable();
    let at = (of.len() as f64 * share) as usize;
    of.get(at.min(of.len().saturating_sub(1))).copied().unwrap_or_default()
}
