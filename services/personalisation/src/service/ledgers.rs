//! Ledgers that this process has just read or added to, kept at hand: who decides about a customer again finds its
//! ledger without the database.
//!
//! What is held may be behind what another instance committed. That does no harm: a decision enters the ledger only
//! where the versions it was made from still hold, and whoever loses reads anew.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use rapport_kernel::{SubjectId, TenantId, Timestamp};

use crate::domain::ActionId;
use crate::store::contact::Read;

/// Entries of all ledgers that are held.
const ENTRIES: u64 = 500_000;
/// How long a ledger is held that nobody asks for.
const IDLE: Duration = Duration::from_secs(60);

/// The ledgers at hand.
pub struct Ledgers(Cache<(TenantId, SubjectId), Arc<Held>>);

struct Held {
    /// The policy whose caps it was read for: they say how far it goes back.
    policy_version: i64,
    /// Entries later than this are there.
    since: Timestamp,
    read: Read,
}

impl Ledgers {
    /// None is held.
    pub fn new() -> Self {
        let weight = |_: &_, held: &Arc<Held>| u32::try_from(held.read.entries.len() + 8).unwrap_or(u32::MAX);
        Self(Cache::builder().max_capacity(ENTRIES).weigher(weight).time_to_idle(IDLE).build())
    }

    /// The ledger that is filed under a subject, where it is of these subjects, for this policy, and goes back so far.
    pub fn get(
        &self,
        tenant: TenantId,
        filed: SubjectId,
        subjects: &[SubjectId],
        policy_version: i64,
        since: Timestamp,
    ) -> Option<Read> {
        let held = self.0.get(&(tenant, filed))?;
        let same = held.read.versions.iter().map(|(subject, _)| subject).eq(subjects);
        (same && held.policy_version == policy_version && held.since <= since).then(|| held.read.clone())
    }

    /// Notes a ledger that was read, or what a commit made of it.
    pub fn put(&self, tenant: TenantId, filed: SubjectId, policy_version: i64, since: Timestamp, mut read: Read) {
        read.entries.retain(|(_, entered)| *entered > since);
        self.0.insert((tenant, filed), Arc::new(Held { policy_version, since, read }));
    }

    /// Lets go of a ledger that proved to be behind.
    pub fn forget(&self, tenant: TenantId, filed: SubjectId) {
        self.0.invalidate(&(tenant, filed));
    }
}

/// What a committed decision made of the ledger it read.
pub fn after(mut read: Read, chosen: impl Iterator<Item = ActionId>, at: Timestamp) -> Read {
    let before = read.entries.len();
    read.entries.extend(chosen.map(|action| (action, at)));
    if read.entries.len() > before {
        read.versions.iter_mut().for_each(|(_, version)| *version += 1);
    }
    read
}
