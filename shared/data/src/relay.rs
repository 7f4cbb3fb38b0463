//! The relay: publishes what was committed, and notes what every group has committed in its turn.
//!
//! Each partition has one relay at a time, by a lease. It gives rows their positions (dense, in the order of their
//! writing), publishes them to each consumer group on a lane of its own, and asks the bus how far the groups have
//! come. What is not settled is published again when a relay takes a partition over and when the bus has lost what it
//! held, so that recovery needs no hand. A round takes a bite of the backlog, never all of it: between bites leases
//! are renewed and settled entries let go. Every 200 ms each lane that is not behind gets a watermark: all that was
//! committed before that instant lies ahead of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rapport_bus::Bus;
use rapport_kernel::Fault;
use rapport_platform::{OnFailure, Platform};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::PARTITIONS;
use crate::database::Database;
use crate::engine::Engine;
use crate::fault::Stored as _;
use crate::lane::{Lane, Link, entries};
use crate::tables::relay::{self, Placed};
use crate::unit::{Rx, Tx};

const LEASE: Duration = Duration::from_secs(5);
const RENEW: Duration = Duration::from_millis(1_500);
const SETTLE: Duration = Duration::from_millis(100);
/// Rows of one transaction.
const BATCH: usize = 1_000;

impl Database {
    /// Starts relaying this service's outbox to its topic on the bus. `groups` are the consumer groups that must
    /// commit an event before it is settled; with none, events are settled without being published.
    pub fn relay(&self, platform: &Platform, bus: Arc<dyn Bus>, groups: Vec<&'static str>) {
        let (database, groups) = (self.clone(), Arc::new(groups));
        platform.tasks.spawn(&format!("{}.relay", self.inner.service), OnFailure::Restart, move |stopping| {
            let relay = Relay {
                database: database.clone(),
                bus: Arc::clone(&bus),
                groups: Arc::clone(&groups),
                held: BTreeMap::new(),
                leased: None,
                settled: Instant::now(),
            };
            relay.run(stopping)
        });
    }
}

struct Relay {
    database: Database,
    bus: Arc<dyn Bus>,
    groups: Arc<Vec<&'static str>>,
    held: BTreeMap<u16, Held>,
    /// When the leases were last taken.
    leased: Option<Instant>,
    settled: Instant,
}

/// A partition whose lease is held.
struct Held {
    /// One for each group.
    lanes: Vec<Lane>,
    /// The last position given by this relay.
    placed: u64,
    /// As it was last noted.
    settled: u64,
}

impl Held {
    /// How far all groups have committed. With no groups, all that has a position is settled.
    fn through(&self) -> u64 {
        self.lanes.iter().map(Lane::settled).min().unwrap_or(self.placed)
    }

    fn unsettled(&self) -> u64 {
        self.lanes.iter().map(Lane::published).max().unwrap_or(0).saturating_sub(self.through())
    }

    /// Serves the lanes; answers whether one of them has more to publish now.
    async fn serve(&mut self, link: Link<'_>, rows: Vec<Placed>) -> Result<bool, Fault> {
        self.placed = rows.last().map_or(self.placed, |row| row.position);
        let fresh = entries(rows);
        let served = self.lanes.iter_mut().map(|lane| lane.serve(&link, &fresh));
        let served = futures::future::try_join_all(served).await?;
        Ok(served.contains(&true))
    }
}

impl Relay {
    async fn run(mut self, stopping: CancellationToken) -> Result<(), Fault> {
        let pause = match self.database.engine() {
            // One process: whoever commits wakes the relay. The pause is for watermarks and leases only.
            Engine::Sqlite => Duration::from_millis(100),
            Engine::Postgres => Duration::from_millis(20),
        };
        loop {
            let more = self.round().await?;
            tokio::select! {
                biased;
                () = stopping.cancelled() => return self.release().await,
                () = std::future::ready(()), if more => {}
                () = self.database.inner.published.notified() => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// Answers whether there is more to do at once.
    async fn round(&mut self) -> Result<bool, Fault> {
        if self.leased.is_none_or(|leased| leased.elapsed() >= RENEW) {
            self.lease().await?;
        }
        if self.held.is_empty() {
            return Ok(false);
        }
        let at = self.database.inner.clock.now();
        let mut placed = self.place().await?;
        if !placed.is_empty() {
            self.database.inner.placed.send_replace(());
        }
        let unplaced = placed.values().map(Vec::len).sum::<usize>() >= BATCH;
        // Beyond this instant another instance may give positions, and "nothing is pending" says nothing.
        let ours = self.leased.is_some_and(|leased| leased.elapsed() < LEASE);
        let settle = self.settled.elapsed() >= SETTLE;
        let (database, bus) = (&self.database, &*self.bus);
        let work = self.held.iter_mut().map(|(partition, held)| {
            let rows = placed.remove(partition).unwrap_or_default();
            let watermark = Some(at).filter(|_| ours && !unplaced);
            held.serve(Link { database, bus, partition: *partition, watermark, settle }, rows)
        });
        let more = futures::future::try_join_all(work).await?.contains(&true);
        if settle {
            self.settled = Instant::now();
            self.database.inner.metrics.unsettled(self.held.values().map(Held::unsettled).sum());
        }
        if settle || self.groups.is_empty() {
            self.note_settled().await?;
        }
        Ok(more || unplaced)
    }

    async fn lease(&mut self) -> Result<(), Fault> {
        let (holder, service) = (self.database.inner.holder, self.database.inner.service);
        let now = Instant::now();
        let lease =
            move |tx: Tx| async move { relay::lease(tx.conn(), tx.engine(), PARTITIONS, holder, LEASE).await.stored() };
        let held = self.database.system().write(lease).await?;
        // A lease that ran out meanwhile may have been another's: begin that partition anew.
        let lapsed = self.leased.is_some_and(|leased| leased.elapsed() >= LEASE);
        self.held.retain(|partition, _| !lapsed && held.contains_key(partition));
        for (partition, settled) in held {
            let lanes = || self.groups.iter().map(|group| Lane::new(service, group, settled)).collect();
            self.held.entry(partition).or_insert_with(|| Held { lanes: lanes(), placed: settled, settled });
        }
        self.leased = Some(now);
        Ok(())
    }

    async fn release(&self) -> Result<(), Fault> {
        let holder = self.database.inner.holder;
        let release = move |tx: Tx| async move { relay::release(tx.conn(), holder).await.stored() };
        self.database.system().write(release).await
    }

    /// Gives positions to what is pending, or to a batch of it.
    async fn place(&self) -> Result<BTreeMap<u16, Vec<Placed>>, Fault> {
        let (holder, partitions) = (self.database.inner.holder, self.held.keys().copied().collect::<Vec<_>>());
        let pending = |rx: Rx| async move { relay::pending(rx.conn()).await.stored() };
        if !self.database.system().read(pending).await? {
            return Ok(BTreeMap::new());
        }
        let place = move |tx: Tx| {
            let partitions = partitions.clone();
            async move { relay::place(tx.conn(), tx.engine(), holder, &partitions, BATCH).await.stored() }
        };
        self.database.system().write(place).await
    }

    async fn note_settled(&mut self) -> Result<(), Fault> {
        let through = self.held.iter().map(|(partition, held)| (*partition, held.through()));
        let settled: BTreeMap<u16, u64> =
            through.filter(|(partition, through)| self.held[partition].settled < *through).collect();
        if settled.is_empty() {
            return Ok(());
        }
        for (partition, through) in &settled {
            if let Some(held) = self.held.get_mut(partition) {
                held.settled = *through;
            }
        }
        let settle = move |tx: Tx| {
            let settled = settled.clone();
            async move { relay::settle(tx.conn(), &settled).await.stored() }
        };
        self.database.system().write(settle).await
    }
}
