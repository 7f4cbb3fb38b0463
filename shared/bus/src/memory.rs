//! The bus in memory: for one process, and as quick as a queue.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use rapport_kernel::Fault;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{Bus, BusConfig, Delivery, DeliveryId, Entry, Subscription, full, lost, unknown_delivery};

/// How many bytes of bodies one [`Subscription::next`] answers at most, but for a first entry that is larger.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// An event bus within one process. A restart loses what it holds, as [`Bus::epoch`] then tells.
pub struct MemoryBus {
    partitions: Mutex<HashMap<(String, u16), Arc<Partition>>>,
    limits: Limits,
}

#[derive(Clone, Copy)]
struct Limits {
    entries: usize,
    bytes: usize,
    lease: Duration,
    retention: Duration,
}

struct Partition {
    state: Mutex<State>,
    arrived: Notify,
    limits: Limits,
}

struct State {
    epoch: String,
    held: VecDeque<Held>,
    bytes: usize,
    /// The number of the last entry appended; numbers rise over all epochs.
    last: u64,
    /// The highest position published in this epoch.
    high: Option<u64>,
    groups: HashMap<String, Group>,
}

struct Held {
    number: u64,
    at: Instant,
    position: u64,
    body: Bytes,
}

#[derive(Default)]
struct Group {
    committed: u64,
    position: Option<u64>,
    /// Which subscription reads, and until when it may be silent.
    holder: Option<(Uuid, Instant)>,
}

impl MemoryBus {
    /// An empty bus.
    #[must_use]
    pub fn new(config: &BusConfig) -> Self {
        let limits = Limits {
            entries: config.max_entries,
            bytes: config.max_bytes,
            lease: config.lease(),
            retention: Duration::from_secs(config.retention_seconds),
        };
        Self { partitions: Mutex::default(), limits }
    }

    /// Loses everything, as a restart would.
    pub fn lose_everything(&self) {
        for partition in locked(&self.partitions).values() {
            locked(&partition.state).lose();
        }
    }

    /// How many entries and bytes of bodies a partition holds now.
    #[must_use]
    pub fn held(&self, topic: &str, partition: u16) -> (usize, usize) {
        let partition = self.partition(topic, partition);
        let state = locked(&partition.state);
        (state.held.len(), state.bytes)
    }

    fn partition(&self, topic: &str, partition: u16) -> Arc<Partition> {
        let mut partitions = locked(&self.partitions);
        let new =
            || Arc::new(Partition { state: Mutex::new(State::new()), arrived: Notify::new(), limits: self.limits });
        Arc::clone(partitions.entry((topic.to_owned(), partition)).or_insert_with(new))
    }
}

impl Bus for MemoryBus {
    fn epoch<'a>(&'a self, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<String, Fault>> {
        let epoch = locked(&self.partition(topic, partition).state).epoch.clone();
        std::future::ready(Ok(epoch)).boxed()
    }

    fn publish<'a>(
        &'a self,
        topic: &'a str,
        partition: u16,
        epoch: &'a str,
        entries: Vec<Entry>,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        let partition = self.partition(topic, partition);
        let published = locked(&partition.state).publish(epoch, entries, self.limits);
        partition.arrived.notify_waiters();
        std::future::ready(published).boxed()
    }

    fn subscribe(&self, topic: &str, partition: u16, group: &str) -> Box<dyn Subscription> {
        let partition = self.partition(topic, partition);
        let batch = Batch { epoch: String::new(), deliveries: Vec::new() };
        Box::new(Reading { partition, group: group.to_owned(), id: Uuid::now_v7(), batch })
    }

    fn settled<'a>(
        &'a self,
        topic: &'a str,
        partition: u16,
        epoch: &'a str,
        groups: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Option<u64>, Fault>> {
        let partition = self.partition(topic, partition);
        let settled = locked(&partition.state).settled(epoch, groups, self.limits.retention);
        std::future::ready(settled).boxed()
    }
}

impl State {
    fn new() -> Self {
        let epoch = Uuid::now_v7().to_string();
        Self { epoch, held: VecDeque::new(), bytes: 0, last: 0, high: None, groups: HashMap::new() }
    }

    fn lose(&mut self) {
        *self = Self { last: self.last, ..Self::new() };
    }

    fn publish(&mut self, epoch: &str, entries: Vec<Entry>, limits: Limits) -> Result<(), Fault> {
        if self.epoch != epoch {
            return Err(lost());
        }
        let mut high = self.high;
        for position in entries.iter().map(|entry| entry.position).filter(|&position| position > 0) {
            if high.is_some_and(|high| position > high + 1) {
                self.lose();
                return Err(lost());
            }
            high = high.max(Some(position));
        }
        let bytes: usize = entries.iter().map(|entry| entry.body.len()).sum();
        let too_much = self.held.len() + entries.len() > limits.entries || self.bytes + bytes > limits.bytes;
        // A batch larger than the whole bound passes alone, or it would never pass.
        if too_much && !self.held.is_empty() {
            return Err(full());
        }
        let at = Instant::now();
        for Entry { position, body } in entries {
            self.last += 1;
            self.held.push_back(Held { number: self.last, at, position, body });
        }
        self.bytes += bytes;
        self.high = high;
        Ok(())
    }

    fn settled(&mut self, epoch: &str, groups: &[&str], retention: Duration) -> Result<Option<u64>, Fault> {
        if self.epoch != epoch {
            return Err(lost());
        }
        // A group that must settle and has not come yet has committed nothing; one that need not and has gone
        // silent for longer than entries are kept holds nothing back.
        let silent = |group: &Group| group.holder.is_none_or(|(_, until)| until.elapsed() > retention);
        self.groups.retain(|name, group| groups.contains(&name.as_str()) || !silent(group));
        let absent = groups.iter().any(|&name| !self.groups.contains_key(name));
        let all = if absent { 0 } else { self.groups.values().map(|group| group.committed).min().unwrap_or(self.last) };
        while self.held.front().is_some_and(|held| held.number <= all) {
            self.drop_front();
        }
        let old = |held: &Held| held.at.elapsed() > retention;
        if self.held.front().is_some_and(old) {
            self.lose();
            return Err(lost());
        }
        let positions = groups.iter().map(|&name| self.groups.get(name).and_then(|group| group.position));
        Ok(positions.min().unwrap_or(self.high))
    }

    fn drop_front(&mut self) {
        if let Some(held) = self.held.pop_front() {
            self.bytes -= held.body.len();
        }
    }

    /// What follows the group's commit, where `reader` is the one who reads for the group.
    fn take(&mut self, group: &str, reader: Uuid, max: usize, lease: Duration) -> Vec<Delivery> {
        let group = self.groups.entry(group.to_owned()).or_default();
        let now = Instant::now();
        if group.holder.is_some_and(|(holder, until)| holder != reader && until > now) {
            return Vec::new();
        }
        group.holder = Some((reader, now + lease));
        let start = self.held.partition_point(|held| held.number <= group.committed);
        let mut bytes = 0;
        let within = |held: &&Held| {
            let first = bytes == 0;
            bytes += held.body.len().max(1);
            first || bytes <= BATCH_BYTES
        };
        let held = self.held.range(start..).take(max).take_while(within);
        held.map(|held| Delivery { id: DeliveryId(held.number, 0), position: held.position, body: held.body.clone() })
            .collect()
    }
}

/// What the last `next` answered, without the bodies: a commit needs the positions, and the epoch they are of.
struct Batch {
    epoch: String,
    deliveries: Vec<(DeliveryId, u64)>,
}

struct Reading {
    partition: Arc<Partition>,
    group: String,
    id: Uuid,
    batch: Batch,
}

impl Reading {
    fn take(&mut self, max: usize) -> Vec<Delivery> {
        let mut state = locked(&self.partition.state);
        let deliveries = state.take(&self.group, self.id, max, self.partition.limits.lease);
        self.batch.epoch.clone_from(&state.epoch);
        self.batch.deliveries = deliveries.iter().map(|delivery| (delivery.id, delivery.position)).collect();
        deliveries
    }

    fn release(&self) {
        let mut state = locked(&self.partition.state);
        let holder = state.groups.get_mut(&self.group).and_then(|group| group.holder.as_mut());
        if let Some((_, until)) = holder.filter(|(holder, _)| *holder == self.id) {
            *until = Instant::now();
        }
        drop(state);
        self.partition.arrived.notify_waiters();
    }
}

impl Subscription for Reading {
    fn next(&mut self, max: usize, wait: Duration) -> BoxFuture<'_, Result<Vec<Delivery>, Fault>> {
        async move {
            let deadline = tokio::time::Instant::now() + wait;
            let partition = Arc::clone(&self.partition);
            loop {
                let arrived = partition.arrived.notified();
                let mut arrived = std::pin::pin!(arrived);
                // Listens before it looks, so that nothing arrives unnoticed in between.
                arrived.as_mut().enable();
                let deliveries = self.take(max);
                if !deliveries.is_empty() {
                    return Ok(deliveries);
                }
                // Looks again now and then by itself: a lease may run out without anything arriving.
                let look = deadline.min(tokio::time::Instant::now() + partition.limits.lease / 4);
                let woken = tokio::time::timeout_at(look, arrived).await.is_ok();
                if !woken && tokio::time::Instant::now() >= deadline {
                    return Ok(Vec::new());
                }
            }
        }
        .boxed()
    }

    fn commit(&mut self, id: DeliveryId) -> BoxFuture<'_, Result<(), Fault>> {
        let through = self.batch.deliveries.iter().take_while(|(delivery, _)| *delivery <= id);
        let position = through.map(|(_, position)| *position).max();
        let known = self.batch.deliveries.iter().any(|(delivery, _)| *delivery == id);
        let Some(position) = position.filter(|_| known) else {
            return std::future::ready(Err(unknown_delivery())).boxed();
        };
        let mut state = locked(&self.partition.state);
        // Of an epoch that is gone: the entries come again in the new one.
        if state.epoch == self.batch.epoch {
            let group = state.groups.entry(self.group.clone()).or_default();
            group.committed = group.committed.max(id.0);
            group.position = group.position.max((position > 0).then_some(position));
        }
        std::future::ready(Ok(())).boxed()
    }

    fn leave(&mut self) -> BoxFuture<'_, ()> {
        self.release();
        std::future::ready(()).boxed()
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.release();
    }
}

/// A thread that panicked while it held the lock left whole values: each change is done in one go.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
