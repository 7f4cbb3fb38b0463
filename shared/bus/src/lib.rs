//! The event bus: carries bytes from the relay of an outbox to groups of consumers, at least once and in order.
//!
//! A *topic* has partitions; each is a sequence of entries. A *group* reads every entry of a partition in order and
//! commits how far it has got; one member of a group reads a partition at a time. The bus may lose all it holds
//! without harm: the outbox is the truth, an entry stays unsettled there until every group has committed it, and a
//! new [`Bus::epoch`] tells the relay to publish again what is not settled.
//!
//! Two implementations, chosen by [`open`] and proved by one suite: [`MemoryBus`] and [`RedisBus`] (Redis Streams).
//! Both bound what they hold: a consumer that is too slow holds the relay back ([`Bus::publish`] answers
//! UNAVAILABLE), not the memory.

mod config;
mod memory;
mod redis;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use rapport_kernel::{Fault, Reason};

pub use config::BusConfig;
pub use memory::MemoryBus;
pub use redis::RedisBus;

/// What is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The place in the partition that the outbox gave it: 1, 2, 3, … without gaps. 0 for what has no place there
    /// (a watermark).
    pub position: u64,
    /// What is carried. It may hold personal data: never print it.
    pub body: Bytes,
}

/// What a consumer gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Names it to [`Subscription::commit`].
    pub id: DeliveryId,
    /// The [`Entry`]'s position.
    pub position: u64,
    /// The [`Entry`]'s body.
    pub body: Bytes,
}

/// The place of a delivery on the bus: later ones are greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(u64, u64);

/// An event bus.
pub trait Bus: Send + Sync {
    /// What changes when a partition lost what it held (a restart, a flush, a failover, entries that grew too old
    /// before a group took them). The relay asks at its start and after a fault; where the answer is new to it, it
    /// publishes again all that is not settled, in order, from the lowest position on.
    fn epoch<'a>(&'a self, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<String, Fault>>;

    /// Appends entries to a partition, all or none, in order. Publishing a position again is allowed. Do not publish
    /// to a topic that no group must settle: nothing would let go of its entries.
    ///
    /// # Errors
    /// UNAVAILABLE where the bus cannot be reached or is full (try again later; nothing was lost), and a fault that
    /// [`is_lost`] where `epoch` is no longer that of the partition or a position before the first is missing: ask
    /// for the epoch.
    fn publish<'a>(
        &'a self,
        topic: &'a str,
        partition: u16,
        epoch: &'a str,
        entries: Vec<Entry>,
    ) -> BoxFuture<'a, Result<(), Fault>>;

    /// Reads a partition for a group. Of several subscriptions of one group, in whatever process, one gets
    /// deliveries; another takes over when it leaves or has not called for the lease's time.
    fn subscribe(&self, topic: &str, partition: u16, group: &str) -> Box<dyn Subscription>;

    /// The highest position through which every one of `groups` has committed; `None` while one of them has
    /// committed nothing in this epoch. With no groups, the highest published. What all groups, these and others
    /// that subscribed, have committed is let go of; so the relay calls this regularly, always with all the groups
    /// that must settle the topic.
    ///
    /// # Errors
    /// UNAVAILABLE, or a fault that [`is_lost`], as for [`Bus::publish`].
    fn settled<'a>(
        &'a self,
        topic: &'a str,
        partition: u16,
        epoch: &'a str,
        groups: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Option<u64>, Fault>>;
}

/// A group's reading of one partition.
pub trait Subscription: Send {
    /// What follows the group's last commit, at most `max` entries (and a few megabytes); waits for some up to
    /// `wait`. What was delivered and not committed comes again. Empty where nothing came, or where another member
    /// of the group holds the partition.
    ///
    /// # Errors
    /// UNAVAILABLE where the bus cannot be reached; call again.
    fn next(&mut self, max: usize, wait: Duration) -> BoxFuture<'_, Result<Vec<Delivery>, Fault>>;

    /// Commits a delivery of the last [`Subscription::next`], and all before it.
    ///
    /// # Errors
    /// UNAVAILABLE where the bus cannot be reached: the deliveries come again unless it is repeated.
    fn commit(&mut self, id: DeliveryId) -> BoxFuture<'_, Result<(), Fault>>;

    /// Gives the partition up, so that another member of the group takes over at once.
    fn leave(&mut self) -> BoxFuture<'_, ()>;
}

/// Whether a fault of [`Bus::publish`] or [`Bus::settled`] says that the partition lost what it held.
#[must_use]
pub fn is_lost(fault: &Fault) -> bool {
    fault.reason == Reason::Contention
}

/// The bus that the configuration names. Redis need not be up: what needs it fails until it is.
///
/// # Errors
/// INVALID_ARGUMENT where the URL is none, or a time is zero.
pub fn open(config: &BusConfig) -> Result<Arc<dyn Bus>, Fault> {
    config.check()?;
    Ok(match &config.redis {
        None => Arc::new(MemoryBus::new(config)),
        Some(url) => Arc::new(RedisBus::new(url.expose(), config)?),
    })
}

fn lost() -> Fault {
    Fault::new(Reason::Contention, "the event bus lost what it held; what is not settled is published again")
}

fn full() -> Fault {
    Fault::unavailable("the event bus", "a partition is full: a consumer group is behind")
}

/// A commit that names nothing of the last `next`: a mistake of the caller's.
fn unknown_delivery() -> Fault {
    Fault::internal("a commit must name a delivery of the last call of next")
}
