//! Policies: each tenant's actions as of a version, compiled once and shared by every decision.
//!
//! A decision uses a version that was the newest at most half a second before, in whatever process it was made; one
//! that this process made itself is used at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use moka::sync::Cache;
use rapport_data::{Database, Rx};
use rapport_kernel::{Fault, TenantId};
use rapport_platform::Call;
use tokio::sync::Mutex;

use crate::domain::Policy;
use crate::store;

/// How long a version is believed to be the newest. A decision may be a second behind: this, and the time it takes.
const FRESH: Duration = Duration::from_millis(500);
/// Tenants whose newest policy is kept at hand.
const TENANTS: u64 = 1_000;
/// Older versions kept at hand, for replays.
const OLDER: u64 = 64;

/// The policies of all tenants.
#[derive(Clone)]
pub struct Policies {
    db: Database,
    newest: Cache<TenantId, Arc<Newest>>,
    older: Cache<(TenantId, i64), Arc<Policy>>,
}

/// One tenant's newest policy, as far as this process knows.
#[derive(Default)]
struct Newest {
    seen: ArcSwapOption<Seen>,
    /// The newest version that this process made: an older one is not believed.
    made: AtomicI64,
    loading: Mutex<()>,
}

/// A policy, and when it was certainly the newest.
struct Seen {
    policy: Arc<Policy>,
    at: Instant,
}

impl Newest {
    fn fresh(&self) -> Option<Arc<Policy>> {
        let seen = self.seen.load();
        let seen = seen.as_ref()?;
        let believed = seen.at.elapsed() < FRESH && seen.policy.version >= self.made.load(Ordering::Acquire);
        believed.then(|| Arc::clone(&seen.policy))
    }
}

impl Policies {
    /// In a database.
    #[must_use]
    pub fn new(db: Database) -> Self {
        Self { db, newest: Cache::new(TENANTS), older: Cache::new(OLDER) }
    }

    /// The newest policy.
    ///
    /// # Errors
    /// As the database's.
    pub async fn newest(&self, call: &Call) -> Result<Arc<Policy>, Fault> {
        let newest = self.of(call.tenant());
        if let Some(policy) = newest.fresh() {
            return Ok(policy);
        }
        let _one_at_a_time = newest.loading.lock().await;
        if let Some(policy) = newest.fresh() {
            return Ok(policy);
        }
        let at = Instant::now();
        let held = newest.seen.load().as_ref().map(|seen| Arc::clone(&seen.policy));
        let read = move |rx: Rx| async move {
            let version = store::policy::version(rx.conn(), rx.tenant()).await?;
            match held {
                Some(policy) if policy.version == version => Ok(policy),
                _ => load(&rx, version).await,
            }
        };
        let policy = self.db.until(call.deadline).read(call.tenant(), read).await?;
        newest.seen.store(Some(Arc::new(Seen { policy: Arc::clone(&policy), at })));
        Ok(policy)
    }

    /// The policy of a version.
    ///
    /// # Errors
    /// As the database's.
    pub async fn version(&self, call: &Call, version: i64) -> Result<Arc<Policy>, Fault> {
        let key = (call.tenant(), version);
        if let Some(policy) = self.older.get(&key) {
            return Ok(policy);
        }
        let read = move |rx: Rx| async move { load(&rx, version).await };
        let policy = self.db.until(call.deadline).read(call.tenant(), read).await?;
        self.older.insert(key, Arc::clone(&policy));
        Ok(policy)
    }

    /// Notes that this process made a version: from now on no older one is used here.
    pub fn made(&self, tenant: TenantId, version: i64) {
        self.of(tenant).made.fetch_max(version, Ordering::AcqRel);
    }

    fn of(&self, tenant: TenantId) -> Arc<Newest> {
        self.newest.get_with(tenant, Arc::default)
    }
}

/// The revisions that are valid in a version never change: it does not matter what else is committed meanwhile.
async fn load(rx: &Rx, version: i64) -> Result<Arc<Policy>, Fault> {
    let actions = store::action::as_of(rx.conn(), rx.tenant(), version).await?;
    Ok(Arc::new(Policy::new(version, actions)))
}
