//! The keys that the door remembers, so that a call need not ask the database who makes it.
//!
//! A background task reads the keys in use anew every second; what it has not confirmed for a few seconds is read again
//! before it is believed. So a key that is revoked on any instance ends on all of them within 5 s, whatever happens;
//! and where the database cannot be reached, nobody gets in after that time (an operator may allow more).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rapport_data::Database;
use rapport_kernel::Fault;
use rapport_platform::config::{About, Describe, Period};
use rapport_platform::{OnFailure, Platform};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::domain::{ApiKey, KeyHash};
use crate::store;

/// How many keys are read by one statement.
const CHUNK: usize = 500;
/// How many keys are looked up at once: many callers that come together with one key make one look-up, or a few.
const LOOK_UPS: usize = 16;
/// How long a key that nobody holds is remembered as such, and how many are: whoever tries many finds the database
/// behind this, whoever insists on one does not.
const UNKNOWN: (Duration, usize) = (Duration::from_secs(1), 10_000);
/// How long a key that is not used is remembered.
const IDLE: Duration = Duration::from_secs(600);

/// How keys are remembered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyConfig {
    /// How often the keys in use are read anew.
    pub refresh: Period,
    /// How long a key is believed without having been read anew.
    pub trust: Period,
}

impl Default for KeyConfig {
    fn default() -> Self {
        Self { refresh: Period::secs(1), trust: Period::millis(4_500) }
    }
}

impl Describe for KeyConfig {
    fn describe(about: &mut About) {
        about.key("refresh", "how often the keys in use are read anew").key(
            "trust",
            "how long a key works while the database cannot be reached; above 5s a revocation may take as long",
        );
    }
}

/// The keys that the door remembers. Cheap to clone; clones remember together.
#[derive(Clone)]
pub struct Keys(Arc<Inner>);

struct Inner {
    db: Database,
    config: KeyConfig,
    held: RwLock<HashMap<KeyHash, Held>>,
    unknown: Mutex<HashMap<KeyHash, Instant>>,
    look_ups: Semaphore,
}

struct Held {
    key: Arc<ApiKey>,
    /// When the database was last asked.
    confirmed: Instant,
    used: AtomicBool,
}

impl Keys {
    /// None yet.
    #[must_use]
    pub fn new(db: Database, config: KeyConfig) -> Self {
        let look_ups = Semaphore::new(LOOK_UPS);
        Self(Arc::new(Inner { db, config, held: RwLock::default(), unknown: Mutex::default(), look_ups }))
    }

    /// The key of a hash, revoked or not; `None` where there is no such key.
    ///
    /// # Errors
    /// UNAVAILABLE where the database must be asked and cannot be reached; DEADLINE_EXCEEDED.
    pub(crate) async fn find(&self, hash: KeyHash, deadline: Option<Instant>) -> Result<Option<Arc<ApiKey>>, Fault> {
        if let Some(known) = self.known(&hash) {
            return Ok(known);
        }
        let _turn = self.0.look_ups.acquire().await.map_err(Fault::internal)?;
        // Somebody may have looked it up while this one waited.
        if let Some(known) = self.known(&hash) {
            return Ok(known);
        }
        let asked = Instant::now();
        let look_up = move |rx: rapport_data::Rx| async move { store::api_key::by_hash(rx.conn(), &[hash]).await };
        let found = self.0.db.until(deadline).system().read(look_up).await?.into_iter().next();
        Ok(match found {
            Some((hash, key)) => Some(self.hold(hash, key, asked, true)),
            None => {
                self.forget(&hash);
                let mut unknown = self.0.unknown.lock().unwrap_or_else(PoisonError::into_inner);
                if unknown.len() >= UNKNOWN.1 {
                    unknown.clear();
                }
                unknown.insert(hash, asked);
                None
            }
        })
    }

    /// Takes over what was just written about a key.
    pub(crate) fn learn(&self, hash: KeyHash, key: ApiKey) {
        self.hold(hash, key, Instant::now(), false);
    }

    /// Starts the task that reads the keys in use anew.
    pub(crate) fn start(&self, platform: &Platform) {
        let this = self.clone();
        platform.tasks.spawn("gateway.keys", OnFailure::Restart, move |stopping| {
            let this = this.clone();
            async move {
                loop {
                    tokio::select! {
                        () = tokio::time::sleep(this.0.config.refresh.get()) => {}
                        () = stopping.cancelled() => return Ok(()),
                    }
                    this.refresh().await?;
                }
            }
        });
    }

    /// What is known without asking the database: a key, or that there is none.
    fn known(&self, hash: &KeyHash) -> Option<Option<Arc<ApiKey>>> {
        {
            let held = self.0.held.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(held) = held.get(hash)
                && held.confirmed.elapsed() < self.0.config.trust.get()
            {
                held.used.store(true, Ordering::Relaxed);
                return Some(Some(Arc::clone(&held.key)));
            }
        }
        let unknown = self.0.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        unknown.get(hash).is_some_and(|asked| asked.elapsed() < UNKNOWN.0).then_some(None)
    }

    fn hold(&self, hash: KeyHash, mut key: ApiKey, confirmed: Instant, used: bool) -> Arc<ApiKey> {
        let mut held = self.0.held.write().unwrap_or_else(PoisonError::into_inner);
        let before = held.get(&hash);
        // A look-up that was under way when the key was revoked does not bring it back.
        key.revoked_at = key.revoked_at.or_else(|| before.and_then(|before| before.key.revoked_at));
        let key = Arc::new(key);
        held.insert(hash, Held { key: Arc::clone(&key), confirmed, used: AtomicBool::new(used) });
        key
    }

    fn forget(&self, hash: &KeyHash) {
        self.0.held.write().unwrap_or_else(PoisonError::into_inner).remove(hash);
    }

    /// Reads the keys that were used since the last time; drops those that have long not been.
    async fn refresh(&self) -> Result<(), Fault> {
        let mut in_use = Vec::new();
        {
            let mut held = self.0.held.write().unwrap_or_else(PoisonError::into_inner);
            held.retain(|_, held| held.confirmed.elapsed() < IDLE);
            in_use.extend(
                held.iter().filter(|(_, held)| held.used.swap(false, Ordering::Relaxed)).map(|(hash, _)| *hash),
            );
        }
        for some in in_use.chunks(CHUNK) {
            let (asked, hashes) = (Instant::now(), some.to_vec());
            let read = move |rx: rapport_data::Rx| async move { store::api_key::by_hash(rx.conn(), &hashes).await };
            let found = self.0.db.until(Some(asked + self.0.config.trust.get())).system().read(read).await?;
            let gone: Vec<_> = some.iter().filter(|hash| !found.iter().any(|(found, _)| found == *hash)).collect();
            for hash in gone {
                self.forget(hash);
            }
            for (hash, key) in found {
                self.hold(hash, key, asked, false);
            }
        }
        Ok(())
    }
}
