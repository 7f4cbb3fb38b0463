//! Profiles that were just read or written, kept in this process for a second: a read that comes again finds them
//! without the database. What this instance commits replaces what it holds at once; what another one commits shows
//! after a second at most. An older revision never replaces a newer one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rapport_kernel::{CustomerId, TenantId};

use crate::domain::profile::Profile;
use crate::domain::rules::Reading;

/// How long after it was read from the database an entry may be answered.
const FRESH: Duration = Duration::from_secs(1);
const SHARDS: usize = 32;
/// How many ids a shard holds.
const MOST: usize = 1_024;

type Key = (TenantId, CustomerId);

/// What an id names.
#[derive(Clone)]
pub enum Known {
    /// A customer.
    Live(Arc<Profile>),
    /// It was merged into another, by this revision.
    Merged(CustomerId, u64),
    /// It was erased.
    Gone,
}

impl Known {
    fn revision(&self) -> u64 {
        match self {
            Self::Live(profile) => profile.revision,
            Self::Merged(_, revision) => *revision,
            Self::Gone => u64::MAX,
        }
    }
}

struct Entry {
    known: Known,
    read_at: Instant,
}

/// The profiles held in this process.
pub struct Hot {
    shards: Vec<Mutex<HashMap<Key, Entry>>>,
    /// The last change by this instance of the rules by which a tenant's profiles are folded: what was folded by rules that
    /// were read before that is not answered after it, whoever folded it, and however late it was committed.
    refolded: Mutex<HashMap<TenantId, Reading>>,
}

impl Default for Hot {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), refolded: Mutex::default() }
    }
}

impl Hot {
    /// What is known of an id, if it is fresh.
    #[must_use]
    pub fn get(&self, tenant: TenantId, id: CustomerId) -> Option<Known> {
        let shard = self.shard(id);
        let entry = shard.get(&(tenant, id)).filter(|entry| entry.read_at.elapsed() < FRESH)?;
        match &entry.known {
            Known::Live(profile) if profile.reading.is_before(self.refolded(tenant)) => None,
            known => Some(known.clone()),
        }
    }

    /// Notes what was read, by a read that began at `read_at`, or was committed then.
    pub fn put(&self, tenant: TenantId, id: CustomerId, known: Known, read_at: Instant) {
        let mut shard = self.shard(id);
        if let Some(held) = shard.get(&(tenant, id))
            && (held.known.revision() > known.revision()
                || (held.known.revision() == known.revision() && held.read_at > read_at))
        {
            return;
        }
        if shard.len() >= MOST && !shard.contains_key(&(tenant, id)) {
            shard.retain(|_, entry| entry.read_at.elapsed() < FRESH);
            if shard.len() >= MOST {
                shard.clear();
            }
        }
        shard.insert((tenant, id), Entry { known, read_at });
    }

    /// A tenant's rules were changed: its profiles are folded anew when they are next asked for.
    pub fn refold(&self, tenant: TenantId, changed: Reading) {
        self.refolded.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant, changed);
    }

    fn refolded(&self, tenant: TenantId) -> Reading {
        self.refolded.lock().unwrap_or_else(PoisonError::into_inner).get(&tenant).copied().unwrap_or_default()
    }

    fn shard(&self, id: CustomerId) -> MutexGuard<'_, HashMap<Key, Entry>> {
        let at = usize::from(id.partition(u16::try_from(SHARDS).expect("few")));
        // A map is whole after every statement.
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_revision_never_replaces_a_newer_one() {
        let (hot, tenant, id) = (Hot::default(), TenantId::new(), CustomerId::new());
        let merged = |revision| Known::Merged(CustomerId::new(), revision);
        hot.put(tenant, id, merged(5), Instant::now());
        hot.put(tenant, id, merged(4), Instant::now());
        assert_eq!(hot.get(tenant, id).map(|known| known.revision()), Some(5));
        hot.put(tenant, id, Known::Gone, Instant::now());
        hot.put(tenant, id, merged(6), Instant::now());
        assert!(matches!(hot.get(tenant, id), Some(Known::Gone)), "what was erased does not come back");
    }

    #[test]
    fn an_entry_is_answered_for_a_second_and_to_its_tenant() {
        let (hot, tenant, id) = (Hot::default(), TenantId::new(), CustomerId::new());
        let long_ago = Instant::now().checked_sub(FRESH).expect("the machine runs for longer than a second");
        hot.put(tenant, id, Known::Merged(CustomerId::new(), 1), long_ago);
        assert!(hot.get(tenant, id).is_none());
        hot.put(tenant, id, Known::Merged(CustomerId::new(), 1), Instant::now());
        assert!(hot.get(tenant, id).is_some());
        assert!(hot.get(TenantId::new(), id).is_none());
    }

    #[test]
    fn what_was_folded_by_rules_of_before_a_change_is_not_answered_after_it_though_it_is_put_later() {
        use crate::domain::profile::fold;
        use crate::domain::rules::Rules;
        use rapport_kernel::Timestamp;

        let (hot, tenant, id) = (Hot::default(), TenantId::new(), CustomerId::new());
        let read = |place| Rules { reading: Reading(place), ..Rules::default() };
        let live = |rules: &Rules| Known::Live(Arc::new(fold(id, 1, Timestamp::MIN, &[], rules)));
        let before = read(1);
        hot.put(tenant, id, live(&before), Instant::now());
        assert!(hot.get(tenant, id).is_some());
        hot.refold(tenant, Reading(2));
        assert!(hot.get(tenant, id).is_none());
        // A unit of work that began before the change ends after it.
        hot.put(tenant, id, live(&before), Instant::now());
        assert!(hot.get(tenant, id).is_none());
        hot.put(tenant, id, live(&read(3)), Instant::now());
        assert!(hot.get(tenant, id).is_some());
    }
}
