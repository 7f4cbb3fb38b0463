//! How much one peer may ask of the page: a bucket of tokens for each. The buckets are a table of fixed size, which a
//! peer's address is hashed into: however many addresses come, it grows no larger; two that share a bucket share its rate. The
//! hash is keyed anew in each process, so that nobody can aim at another's bucket.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

use super::PageConfig;

/// How many buckets there are.
const BUCKETS: usize = 16_384;

/// The buckets.
pub(super) struct Rate {
    per_second: f64,
    burst: f64,
    proxies: usize,
    keyed: RandomState,
    buckets: Mutex<Vec<Option<Bucket>>>,
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Rate {
    /// As configured.
    pub(super) fn new(config: &PageConfig) -> Self {
        Self {
            per_second: f64::from(config.requests_per_second),
            burst: f64::from(config.burst.max(1)),
            proxies: usize::from(config.proxies),
            keyed: RandomState::new(),
            buckets: Mutex::new(vec![None; BUCKETS]),
        }
    }

    /// Whom a request comes from: the connection's other end, or, behind proxies of our own, whom the first of them saw. What
    /// stands further left was written by anybody.
    pub(super) fn peer(&self, headers: &HeaderMap, connection: Option<IpAddr>) -> Option<IpAddr> {
        if self.proxies == 0 {
            return connection;
        }
        let lines = headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
        let all: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
        let seen = all.len().checked_sub(self.proxies).and_then(|place| all.get(place));
        seen.and_then(|text| text.parse().ok()).or(connection)
    }

    /// Takes one request of a peer; else says after which time there is room again.
    pub(super) fn take(&self, peer: Option<IpAddr>) -> Result<(), Duration> {
        if self.per_second <= 0.0 {
            return Ok(());
        }
        let now = Instant::now();
        let place = usize::try_from(self.keyed.hash_one(peer.map(network)) % (BUCKETS as u64)).unwrap_or(0);
        // Every statement on the table leaves it whole.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets[place].get_or_insert(Bucket { tokens: self.burst, at: now });
        let gained = now.saturating_duration_since(bucket.at).as_secs_f64() * self.per_second;
        (bucket.tokens, bucket.at) = ((bucket.tokens + gained).min(self.burst), now);
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - bucket.tokens) / self.per_second))
    }
}

/// What one customer of a provider has: of IPv6 a network, not an address.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let mut parts = address.segments();
            parts[4..].fill(0);
            IpAddr::V6(Ipv6Addr::from(parts))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(proxies: u8) -> Rate {
        Rate::new(&PageConfig { requests_per_second: 10, burst: 3, proxies, ..PageConfig::default() })
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_asks_so_much_and_waits_alone() {
        let rate = rate(0);
        let one = address("192.0.2.1");
        assert_eq!((0..9).filter(|_| rate.take(one).is_ok()).count(), 3);
        assert!(rate.take(one).is_err_and(|after| after <= Duration::from_millis(100)));
        let others = (0..100).filter(|at| rate.take(address(&format!("198.51.100.{at}"))).is_ok());
        assert!(others.count() > 90, "few of so many share a bucket");
        tokio::time::advance(Duration::from_millis(200)).await;
        assert_eq!((0..9).filter(|_| rate.take(one).is_ok()).count(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_of_ipv6_is_one_peer() {
        let rate = rate(0);
        let taken = (0..9).filter(|at| rate.take(address(&format!("2001:db8:0:1::{at}"))).is_ok()).count();
        assert_eq!(taken, 3);
    }

    #[test]
    fn only_what_our_own_proxies_wrote_is_believed() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "203.0.113.9, 198.51.100.7".parse().expect("a header"));
        headers.append("x-forwarded-for", "10.0.0.2".parse().expect("a header"));
        let connection = address("10.0.0.1");
        assert_eq!(rate(0).peer(&headers, connection), connection);
        assert_eq!(rate(1).peer(&headers, connection), address("10.0.0.2"));
        assert_eq!(rate(2).peer(&headers, connection), address("198.51.100.7"));
        assert_eq!(rate(9).peer(&headers, connection), connection, "fewer than that have written");
    }
}
