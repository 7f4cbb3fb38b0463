//! How much a tenant may call: a bucket of tokens for each, in this process. Off unless configured.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rapport_kernel::{Fault, Reason, TenantId};
use rapport_platform::config::{About, Describe};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// How much each tenant may call at this instance.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuotaConfig {
    /// Calls a second, over time; a stream is one call. 0: no limit.
    pub calls_per_second: u32,
    /// How many may come at once; 0: as many as in two seconds.
    pub burst: u32,
}

impl Describe for QuotaConfig {
    fn describe(about: &mut About) {
        about
            .key("calls_per_second", "calls a second that each tenant may make at this instance; 0: no limit")
            .key("burst", "calls that may come at once; 0: as many as in two seconds");
    }
}

/// The buckets of all tenants. Cheap to clone; clones share them.
#[derive(Clone)]
pub struct Quota {
    rate: f64,
    burst: f64,
    buckets: Arc<Mutex<HashMap<TenantId, Bucket>>>,
}

struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Quota {
    /// As configured.
    #[must_use]
    pub fn new(config: &QuotaConfig) -> Self {
        let rate = f64::from(config.calls_per_second);
        let burst = if config.burst == 0 { 2.0 * rate } else { f64::from(config.burst) };
        Self { rate, burst, buckets: Arc::default() }
    }

    /// Takes one call out of a tenant's bucket. Only tenants of known keys come here, so there are few buckets.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED, with the time after which there is room again.
    pub fn take(&self, tenant: TenantId) -> Result<(), Fault> {
        if self.rate <= 0.0 {
            return Ok(());
        }
        let now = Instant::now();
        // Every statement on the map leaves it whole.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(tenant).or_insert(Bucket { tokens: self.burst, at: now });
        let gained = now.saturating_duration_since(bucket.at).as_secs_f64() * self.rate;
        (bucket.tokens, bucket.at) = ((bucket.tokens + gained).min(self.burst), now);
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        let after = Duration::from_secs_f64((1.0 - bucket.tokens) / self.rate);
        let text = format!("more than {} calls a second: come back later, or ask the operator for more", self.rate);
        Err(Fault::new(Reason::QuotaExceeded, text).retry_after(after).with("limit", self.rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bucket_empties_fills_again_and_is_each_tenants_own() {
        let quota = Quota::new(&QuotaConfig { calls_per_second: 10, burst: 3 });
        let (one, other) = (TenantId::new(), TenantId::new());
        assert_eq!((0..5).filter(|_| quota.take(one).is_ok()).count(), 3);
        let fault = quota.take(one).expect_err("empty");
        assert_eq!(fault.reason, Reason::QuotaExceeded);
        assert!(fault.details.retry_after.is_some_and(|after| after <= Duration::from_millis(100)));
        assert!(quota.take(other).is_ok(), "one tenant does not starve another");
        tokio::time::advance(Duration::from_millis(200)).await;
        assert_eq!((0..5).filter(|_| quota.take(one).is_ok()).count(), 2);
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let quota = Quota::new(&QuotaConfig::default());
        assert!((0..1_000).all(|_| quota.take(TenantId::from_uuid(uuid::Uuid::nil())).is_ok()));
    }
}
