//! The relay: publishes what was committed, and notes what every group has committed in its turn.
//!
//! Each partition has one relay at a time, by a lease. It gives rows their positions (dense, in the order of their
//! writing), publishes them, and asks the bus how far all groups have come. What is not settled is published again
//! when a relay takes a partition over and when the bus has lost what it held, so that recovery needs no hand.
//! Every 200 ms it publishes a watermark: all that was committed before that instant lies ahead of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use rapport_api::convert::timestamp;
use rapport_api::events::v1::{Event, Watermark, event::Payload};
use rapport_bus::{Bus, Entry, is_lost};
use rapport_kernel::{Fault, Timestamp};
use rapport_platform::{OnFailure, Platform};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::PARTITIONS;
use crate::database::Database;
use crate::engine::Engine;
use crate::fault::Stored as _;
use crate::tables::relay::{self, Placed};
use crate::unit::{Rx, Tx};

const LEASE: Duration = Duration::from_secs(5);
const RENEW: Duration = Duration::from_millis(1_500);
const WATERMARK: Duration = Duration::from_millis(200);
const SETTLE: Duration = Duration::from_millis(100);
/// How long a partition rests after the bus did not take its entries.
const REST: Duration = Duration::from_millis(200);
/// Rows of one transaction, and entries of one publication.
const BATCH: usize = 1_000;
/// Bytes of one publication.
const BATCH_BYTES: usize = 1024 * 1024;

impl Database {
    /// Starts relaying this service's outbox to its topic on the bus. `groups` are the consumer groups that must
    /// commit an event before it is settled; with none, events are settled without being published.
    pub fn relay(&self, platform: &Platform, bus: Arc<dyn Bus>, groups: Vec<&'static str>) {
        let (database, groups) = (self.clone(), Arc::new(groups));
        platform.tasks.spawn(&format!("{}.relay", self.inner.service), OnFailure::Restart, move |stopping| {
            let relay = Relay {
                database: database.clone(),
                bus: Arc::clone(&bus),
                topic: database.inner.service,
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
    topic: &'static str,
    groups: Arc<Vec<&'static str>>,
    held: BTreeMap<u16, Held>,
    /// When the leases were last taken.
    leased: Option<Instant>,
    settled: Instant,
}

/// A partition whose lease is held.
struct Held {
    /// Of the bus, when it was last asked; `None`: it is to be asked.
    epoch: Option<String>,
    /// Whether rows that have a position may not have been published.
    behind: bool,
    published: u64,
    settled: u64,
    rests_until: Instant,
    watermark: Instant,
}

impl Held {
    fn new(settled: u64) -> Self {
        let now = Instant::now();
        Self { epoch: None, behind: true, published: settled, settled, rests_until: now, watermark: now }
    }

    /// After a fault of the bus: rests, and where the bus lost what it held, begins again with what is not settled.
    fn failed(&mut self, fault: &Fault) {
        self.behind = true;
        self.rests_until = Instant::now() + REST;
        if is_lost(fault) {
            (self.epoch, self.published, self.rests_until) = (None, self.settled, Instant::now());
        }
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
            self.round().await?;
            tokio::select! {
                () = self.database.inner.published.notified() => {}
                () = sleep(pause) => {}
                () = stopping.cancelled() => return self.release().await,
            }
        }
    }

    async fn round(&mut self) -> Result<(), Fault> {
        if self.leased.is_none_or(|leased| leased.elapsed() >= RENEW) {
            self.lease().await?;
        }
        if self.held.is_empty() {
            return Ok(());
        }
        let at = self.database.inner.clock.now();
        let mut placed = self.place().await?;
        // Beyond this instant another instance may give positions, and "nothing is pending" says nothing.
        let ours = self.leased.is_some_and(|leased| leased.elapsed() < LEASE);
        let settle = self.settled.elapsed() >= SETTLE;
        let (database, bus, topic, groups) = (&self.database, &*self.bus, self.topic, &self.groups);
        let work = self.held.iter_mut().map(|(partition, held)| {
            let rows = placed.remove(partition).unwrap_or_default();
            let link = Link { database, bus, topic, groups, partition: *partition };
            async move { (*partition, link.serve(held, rows, ours.then_some(at), settle).await) }
        });
        let mut settled = BTreeMap::new();
        for (partition, result) in futures::future::join_all(work).await {
            if let Some(through) = result? {
                settled.insert(partition, through);
            }
        }
        if settle {
            self.settled = Instant::now();
            let unsettled = self.held.values().map(|held| held.published.saturating_sub(held.settled)).sum();
            self.database.inner.metrics.unsettled(unsettled);
        }
        self.note_settled(settled).await
    }

    async fn lease(&mut self) -> Result<(), Fault> {
        let holder = self.database.inner.holder;
        let now = Instant::now();
        let lease =
            move |tx: Tx| async move { relay::lease(tx.conn(), tx.engine(), PARTITIONS, holder, LEASE).await.stored() };
        let held = self.database.system().write(lease).await?;
        // A lease that ran out meanwhile may have been another's: begin that partition anew.
        let lapsed = self.leased.is_some_and(|leased| leased.elapsed() >= LEASE);
        self.held.retain(|partition, _| !lapsed && held.contains_key(partition));
        for (partition, settled) in held {
            self.held.entry(partition).or_insert_with(|| Held::new(settled));
        }
        self.leased = Some(now);
        Ok(())
    }

    async fn release(&self) -> Result<(), Fault> {
        let holder = self.database.inner.holder;
        let release = move |tx: Tx| async move { relay::release(tx.conn(), holder).await.stored() };
        self.database.system().write(release).await
    }

    /// Gives positions to all that is pending.
    async fn place(&self) -> Result<BTreeMap<u16, Vec<Placed>>, Fault> {
        let (holder, partitions) = (self.database.inner.holder, self.held.keys().copied().collect::<Vec<_>>());
        let mut all: BTreeMap<u16, Vec<Placed>> = BTreeMap::new();
        let pending = |rx: Rx| async move { relay::pending(rx.conn()).await.stored() };
        if !self.database.system().read(pending).await? {
            return Ok(all);
        }
        loop {
            let partitions = partitions.clone();
            let place = move |tx: Tx| {
                let partitions = partitions.clone();
                async move { relay::place(tx.conn(), tx.engine(), holder, &partitions, BATCH).await.stored() }
            };
            let placed = self.database.system().write(place).await?;
            let rows: usize = placed.values().map(Vec::len).sum();
            for (partition, rows) in placed {
                all.entry(partition).or_default().extend(rows);
            }
            if rows < BATCH {
                return Ok(all);
            }
        }
    }

    async fn note_settled(&mut self, settled: BTreeMap<u16, u64>) -> Result<(), Fault> {
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

/// One partition of the topic.
struct Link<'a> {
    database: &'a Database,
    bus: &'a dyn Bus,
    topic: &'static str,
    groups: &'a [&'static str],
    partition: u16,
}

impl Link<'_> {
    /// Publishes what there is, then a watermark where one is due, and asks how far all groups have come. A fault of
    /// the bus is for the next round; one of the database ends this one.
    async fn serve(
        &self,
        held: &mut Held,
        rows: Vec<Placed>,
        watermark: Option<Timestamp>,
        settle: bool,
    ) -> Result<Option<u64>, Fault> {
        if self.groups.is_empty() {
            held.published = rows.last().map_or(held.published, |row| row.position);
            return Ok((held.published > held.settled).then_some(held.published));
        }
        if Instant::now() < held.rests_until {
            held.behind |= !rows.is_empty();
            return Ok(None);
        }
        if let Err(fault) = self.publish(held, rows).await? {
            tracing::warn!(
                topic = self.topic,
                partition = self.partition,
                ?fault,
                "events wait: the bus did not take them"
            );
            held.failed(&fault);
            return Ok(None);
        }
        let result = async {
            if let Some(at) = watermark.filter(|_| held.watermark.elapsed() >= WATERMARK) {
                self.put(held, vec![Entry { position: 0, body: watermark_at(at) }]).await?;
                held.watermark = Instant::now();
            }
            if !settle {
                return Ok(None);
            }
            let epoch = held.epoch.as_deref().unwrap_or_default();
            self.bus.settled(self.topic, self.partition, epoch, self.groups).await
        };
        match result.await {
            Ok(through) => Ok(through.filter(|through| *through > held.settled)),
            Err(fault) => {
                held.failed(&fault);
                Ok(None)
            }
        }
    }

    /// The outer error is the database's, the inner one the bus's.
    async fn publish(&self, held: &mut Held, rows: Vec<Placed>) -> Result<Result<(), Fault>, Fault> {
        if held.epoch.is_none() {
            match self.bus.epoch(self.topic, self.partition).await {
                Ok(epoch) => held.epoch = Some(epoch),
                Err(fault) => return Ok(Err(fault)),
            }
            (held.published, held.behind) = (held.settled, true);
        }
        if !held.behind {
            return Ok(self.put_rows(held, rows).await);
        }
        loop {
            let (partition, after) = (self.partition, held.published);
            let read =
                move |rx: Rx| async move { relay::placed_after(rx.conn(), partition, after, BATCH).await.stored() };
            let rows = self.database.system().read(read).await?;
            let last = rows.len() < BATCH;
            if let Err(fault) = self.put_rows(held, rows).await {
                return Ok(Err(fault));
            }
            if last {
                held.behind = false;
                return Ok(Ok(()));
            }
        }
    }

    async fn put_rows(&self, held: &mut Held, rows: Vec<Placed>) -> Result<(), Fault> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        let mut rows = rows.into_iter().peekable();
        while let Some(row) = rows.next() {
            bytes += row.body.len();
            entries.push(Entry { position: row.position, body: Bytes::from(row.body) });
            if rows.peek().is_none() || bytes >= BATCH_BYTES || entries.len() >= BATCH {
                self.put(held, std::mem::take(&mut entries)).await?;
                (held.published, bytes) = (row.position, 0);
            }
        }
        Ok(())
    }

    async fn put(&self, held: &Held, entries: Vec<Entry>) -> Result<(), Fault> {
        let epoch = held.epoch.as_deref().unwrap_or_default();
        self.bus.publish(self.topic, self.partition, epoch, entries).await
    }
}

fn watermark_at(at: Timestamp) -> Bytes {
    let watermark = Payload::Watermark(Watermark { at: Some(timestamp(at)) });
    Bytes::from(Event { payload: Some(watermark), ..Event::default() }.encode_to_vec())
}
