//! The level in this process: a bounded map that answers a hot key well within a microsecond.
//!
//! Beside Redis it holds copies, each good for a second after what it was read from. Alone it is the cache itself:
//! what the outbox's consumer writes is *tracked*, and good for as long as the watermark is.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rapport_kernel::Timestamp;

use crate::{Cached, Key};

const SHARDS: usize = 64;
/// What an entry takes beside its body.
const OVERHEAD: usize = 128;

pub(crate) struct Near<T> {
    shards: Vec<RwLock<Shard<T>>>,
    /// Mixed into the choice of a shard, so that nobody can aim at one.
    seed: u64,
    most: usize,
    most_bytes: usize,
}

struct Shard<T> {
    slots: HashMap<Key, Slot<T>>,
    /// The order of eviction: from the front, but what was used since it last came up goes to the back once more.
    queue: VecDeque<Key>,
    bytes: usize,
}

struct Slot<T> {
    state: State<T>,
    weight: usize,
    used: AtomicBool,
}

enum State<T> {
    /// Somebody loads it: what comes of that may be tracked while this very marker stands.
    Pending(u64),
    /// Removed at this revision.
    Tombstone(u64),
    Held(Held<T>),
}

/// An entry, and for how long it can be answered.
pub(crate) struct Held<T> {
    pub(crate) cached: Cached<T>,
    /// How many bytes it was encoded in.
    pub(crate) size: usize,
    /// Good until then, whatever the watermark.
    pub(crate) good_until: Timestamp,
    /// Good while the watermark is: every later change is written over it in order.
    pub(crate) tracked: bool,
}

impl<T> Near<T> {
    pub(crate) fn new(most: usize, most_bytes: usize) -> Self {
        let share = |all: usize| if all == 0 { 0 } else { (all / SHARDS).max(1) };
        let shard = || Shard { slots: HashMap::new(), queue: VecDeque::new(), bytes: 0 };
        let shards = (0..SHARDS).map(|_| RwLock::new(shard())).collect();
        let seed = uuid::Uuid::new_v4().as_u64_pair().1;
        Self { shards, seed, most: share(most), most_bytes: share(most_bytes) }
    }

    /// What is held and good at `now`, for a caller who needs `min_revision`. `tracked_until` is how long tracked
    /// entries are good.
    pub(crate) fn get(
        &self,
        key: Key,
        now: Timestamp,
        tracked_until: Timestamp,
        min_revision: u64,
    ) -> Option<Cached<T>> {
        let shard = self.read(key);
        let slot = shard.slots.get(&key)?;
        let State::Held(held) = &slot.state else { return None };
        let fresh = now <= held.good_until || (held.tracked && now <= tracked_until);
        if !fresh || now >= held.cached.valid_until || held.cached.revision < min_revision {
            return None;
        }
        // Read first: a write would take the line from the other cores each time.
        if !slot.used.load(Ordering::Relaxed) {
            slot.used.store(true, Ordering::Relaxed);
        }
        Some(held.cached.clone())
    }

    /// Keeps a copy, unless it holds a newer or tracked one that is still worth more.
    pub(crate) fn copy(&self, key: Key, held: Held<T>, now: Timestamp) {
        let mut shard = self.write(key);
        let keep = match shard.slots.get(&key).map(|slot| &slot.state) {
            Some(State::Held(old)) if old.tracked => true,
            Some(State::Held(old)) => old.cached.revision > held.cached.revision && now <= old.good_until,
            // A tombstone and a marker are the guard of tracking: a copy must not take their place.
            Some(State::Tombstone(_) | State::Pending(_)) => true,
            None => false,
        };
        if !keep {
            self.set(&mut shard, key, State::Held(held));
        }
    }

    /// Drops a copy that is older than a change that is known.
    pub(crate) fn outdate(&self, key: Key, revision: u64) {
        let mut shard = self.write(key);
        let old = |slot: &Slot<T>| matches!(&slot.state, State::Held(held) if held.cached.revision < revision);
        if shard.slots.get(&key).is_some_and(old) {
            shard.remove(key);
        }
    }

    /// Marks that `token` loads the key; what is tracked or removed stays as it is, and guards by its revision.
    pub(crate) fn begin(&self, key: Key, token: u64) {
        let mut shard = self.write(key);
        match shard.slots.get(&key).map(|slot| &slot.state) {
            Some(State::Held(old)) if old.tracked => {}
            Some(State::Tombstone(_)) => {}
            Some(State::Held(_) | State::Pending(_)) | None => self.set(&mut shard, key, State::Pending(token)),
        }
    }

    /// Takes what a load brought: tracked where nothing was lost or written since its marker, else as a copy.
    pub(crate) fn fill(&self, key: Key, token: u64, held: Held<T>) {
        let mut shard = self.write(key);
        let tracked = match shard.slots.get(&key).map(|slot| &slot.state) {
            Some(State::Pending(pending)) => *pending == token,
            Some(State::Tombstone(revision)) => held.cached.revision > *revision,
            Some(State::Held(old)) if old.tracked => {
                if !replaces(&held.cached, &old.cached) {
                    return;
                }
                true
            }
            Some(State::Held(_)) | None => false,
        };
        let replaceable =
            !matches!(shard.slots.get(&key).map(|slot| &slot.state), Some(State::Tombstone(_))) || tracked;
        if replaceable {
            self.set(&mut shard, key, State::Held(Held { tracked, ..held }));
        }
    }

    /// Takes a change from the outbox. Where nothing guards against its being old, it is taken only if `create`.
    pub(crate) fn put(&self, key: Key, held: Held<T>, create: bool) {
        let mut shard = self.write(key);
        let take = match shard.slots.get(&key).map(|slot| &slot.state) {
            Some(State::Held(old)) if old.tracked => replaces(&held.cached, &old.cached),
            Some(State::Tombstone(revision)) => held.cached.revision > *revision,
            Some(State::Held(_) | State::Pending(_)) if !create => {
                // Something happened to it: neither the copy nor what is being loaded may be tracked.
                shard.remove(key);
                false
            }
            Some(State::Held(_) | State::Pending(_)) | None => create,
        };
        if take {
            self.set(&mut shard, key, State::Held(held));
        }
    }

    /// Removes what is at or below the revision. It remembers the revision, for that guards what comes after it; so,
    /// as for [`Near::put`], only where something guards the removal itself, or if `create`.
    pub(crate) fn remove(&self, key: Key, revision: u64, create: bool) {
        let mut shard = self.write(key);
        let guarded = match shard.slots.get(&key).map(|slot| &slot.state) {
            Some(State::Held(old)) if old.tracked => (old.cached.revision <= revision).then_some(true),
            Some(State::Tombstone(old)) => (*old < revision).then_some(true),
            Some(State::Held(_) | State::Pending(_)) | None => Some(create),
        };
        match guarded {
            Some(true) => self.set(&mut shard, key, State::Tombstone(revision)),
            Some(false) => shard.remove(key),
            None => {}
        }
    }

    /// How many slots and encoded bytes (with what a slot takes) are held.
    pub(crate) fn size(&self) -> (usize, usize) {
        let shards = self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner));
        shards.fold((0, 0), |(slots, bytes), shard| (slots + shard.slots.len(), bytes + shard.bytes))
    }

    fn set(&self, shard: &mut Shard<T>, key: Key, state: State<T>) {
        let weight = OVERHEAD + if let State::Held(held) = &state { held.size } else { 0 };
        shard.bytes += weight;
        let slot = Slot { state, weight, used: AtomicBool::new(false) };
        match shard.slots.insert(key, slot) {
            Some(old) => shard.bytes -= old.weight,
            None => shard.queue.push_back(key),
        }
        while shard.slots.len() > self.most || (shard.bytes > self.most_bytes && shard.slots.len() > 1) {
            shard.evict();
        }
    }

    fn shard(&self, key: Key) -> &RwLock<Shard<T>> {
        let id = key.tenant.uuid().as_u64_pair().1 ^ key.customer.uuid().as_u64_pair().1;
        let mixed = (id ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        &self.shards[usize::try_from(mixed % SHARDS as u64).expect("below the number of shards")]
    }
    fn read(&self, key: Key) -> RwLockReadGuard<'_, Shard<T>> {
        self.shard(key).read().unwrap_or_else(PoisonError::into_inner)
    }
    fn write(&self, key: Key) -> RwLockWriteGuard<'_, Shard<T>> {
        self.shard(key).write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Shard<T> {
    fn remove(&mut self, key: Key) {
        if let Some(slot) = self.slots.remove(&key) {
            self.bytes -= slot.weight;
            // Rare: a copy that a change outdated, within a queue of some hundreds.
            self.queue.retain(|queued| *queued != key);
        }
    }

    fn evict(&mut self) {
        while let Some(key) = self.queue.pop_front() {
            let used = self.slots.get(&key).is_some_and(|slot| slot.used.swap(false, Ordering::Relaxed));
            if used && !self.queue.is_empty() {
                self.queue.push_back(key);
            } else {
                if let Some(slot) = self.slots.remove(&key) {
                    self.bytes -= slot.weight;
                }
                return;
            }
        }
    }
}

/// Whether an entry is newer: a later revision, or the same one evaluated again and so valid for longer.
fn replaces<T>(new: &Cached<T>, old: &Cached<T>) -> bool {
    (new.revision, new.valid_until) > (old.revision, old.valid_until)
}

impl<T> Clone for Cached<T> {
    fn clone(&self) -> Self {
        Self { revision: self.revision, valid_until: self.valid_until, value: Arc::clone(&self.value) }
    }
}
