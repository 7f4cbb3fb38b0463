//! A lane: the way of one partition's events to one consumer group, with a bound and a pace of its own.
//!
//! Every group has its own, so that one that is slow or away fills nothing but its own lane and stops no other: what
//! does not fit waits in the outbox, and is read from there in small bites as the group takes what lies before it.

use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use rapport_api::convert::timestamp;
use rapport_api::events::v1::{Event, Watermark, event::Payload};
use rapport_bus::{Bus, Entry, is_lost};
use rapport_kernel::{Fault, Timestamp};
use tokio::time::Instant;

use crate::database::Database;
use crate::fault::Stored as _;
use crate::tables::relay::{self, Placed};
use crate::unit::Rx;

const WATERMARK: Duration = Duration::from_millis(200);
/// How long a lane rests after the bus did not take its entries.
const REST: Duration = Duration::from_millis(200);
/// Rows read at once, and entries of one publication: small beside what the bus holds, so that what fits is put.
pub(crate) const BITE: usize = 500;
/// Bytes of one publication.
const BITE_BYTES: usize = 1024 * 1024;

/// The topic on the bus by which a service's events come to a group.
#[must_use]
pub fn lane(service: &str, group: &str) -> String {
    format!("{service}.{group}")
}

/// What a lane needs to work.
pub(crate) struct Link<'a> {
    pub(crate) database: &'a Database,
    pub(crate) bus: &'a dyn Bus,
    pub(crate) partition: u16,
    /// All committed before it has been placed; `None` where that is not known.
    pub(crate) watermark: Option<Timestamp>,
    /// Whether it is time to ask how far the group has come.
    pub(crate) settle: bool,
}

pub(crate) struct Lane {
    name: String,
    group: &'static str,
    /// Of the bus, when it was last asked; `None`: it is to be asked.
    epoch: Option<String>,
    /// Whether rows that have a position may not have been published.
    behind: bool,
    published: u64,
    settled: u64,
    rests_until: Instant,
    watermark: Instant,
    /// Whether the last attempt failed, so that it is told once and not five times a second.
    waits: bool,
}

impl Lane {
    pub(crate) fn new(service: &str, group: &'static str, settled: u64) -> Self {
        let now = Instant::now();
        Self {
            name: lane(service, group),
            group,
            epoch: None,
            behind: true,
            published: settled,
            settled,
            rests_until: now,
            watermark: now,
            waits: false,
        }
    }

    /// How far the group has committed.
    pub(crate) const fn settled(&self) -> u64 {
        self.settled
    }

    /// How far events have been published.
    pub(crate) const fn published(&self) -> u64 {
        self.published
    }

    /// Publishes one bite of what there is, then a watermark where one is due and nothing lies before it, and asks
    /// how far the group has come. Answers whether more is there to be published now. A fault of the bus is for a
    /// later round; one of the database ends this one.
    pub(crate) async fn serve(&mut self, link: &Link<'_>, fresh: &[Entry]) -> Result<bool, Fault> {
        if Instant::now() < self.rests_until {
            self.behind |= !fresh.is_empty();
            return Ok(false);
        }
        let mut outcome = self.publish(link, fresh).await?;
        if let Ok(false) = outcome
            && let Err(fault) = self.put_watermark(link).await
        {
            outcome = Err(fault);
        }
        // Also where the bus took nothing: being asked is what lets a full bus go of what the group has taken.
        if outcome.as_ref().map_or_else(|fault| !is_lost(fault), |_| link.settle)
            && let Err(fault) = self.ask(link).await
        {
            outcome = Err(fault);
        }
        match outcome {
            Ok(more) => {
                self.waits = false;
                Ok(more)
            }
            Err(fault) => {
                self.failed(link, &fault);
                Ok(false)
            }
        }
    }

    /// After a fault of the bus: rests, and where the bus lost what it held, begins again with what is not settled.
    fn failed(&mut self, link: &Link<'_>, fault: &Fault) {
        if !std::mem::replace(&mut self.waits, true) {
            tracing::warn!(
                topic = self.name,
                partition = link.partition,
                ?fault,
                "events wait: the bus did not take them"
            );
        }
        self.behind = true;
        self.rests_until = Instant::now() + REST;
        if is_lost(fault) {
            (self.epoch, self.published, self.rests_until) = (None, self.settled, Instant::now());
        }
    }

    async fn ask(&mut self, link: &Link<'_>) -> Result<(), Fault> {
        let Some(epoch) = self.epoch.as_deref() else { return Ok(()) };
        let through = link.bus.settled(&self.name, link.partition, epoch, &[self.group]).await?;
        self.settled = self.settled.max(through.unwrap_or(0));
        Ok(())
    }

    async fn put_watermark(&mut self, link: &Link<'_>) -> Result<(), Fault> {
        if let Some(at) = link.watermark.filter(|_| self.watermark.elapsed() >= WATERMARK) {
            self.put(link, vec![Entry { position: 0, body: watermark_at(at) }]).await?;
            self.watermark = Instant::now();
        }
        Ok(())
    }

    /// The outer error is the database's, the inner one the bus's.
    async fn publish(&mut self, link: &Link<'_>, fresh: &[Entry]) -> Result<Result<bool, Fault>, Fault> {
        if self.epoch.is_none() {
            match link.bus.epoch(&self.name, link.partition).await {
                Ok(epoch) => self.epoch = Some(epoch),
                Err(fault) => return Ok(Err(fault)),
            }
            (self.published, self.behind) = (self.settled, true);
        }
        if !self.behind {
            return Ok(self.put_all(link, fresh).await.map(|()| false));
        }
        let (partition, after) = (link.partition, self.published);
        let read = move |rx: Rx| async move { relay::placed_after(rx.conn(), partition, after, BITE).await.stored() };
        let rows = entries(link.database.system().read(read).await?);
        let more = rows.len() == BITE;
        if let Err(fault) = self.put_all(link, &rows).await {
            return Ok(Err(fault));
        }
        // What was given a position in this round was so before the rows were read.
        self.behind = more;
        Ok(Ok(more))
    }

    async fn put_all(&mut self, link: &Link<'_>, entries: &[Entry]) -> Result<(), Fault> {
        let mut rest = entries;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |entry: &&Entry| {
                bytes += entry.body.len();
                bytes <= BITE_BYTES
            };
            let (now, later) = rest.split_at(rest.iter().take(BITE).take_while(fits).count().max(1));
            self.put(link, now.to_vec()).await?;
            self.published = now.last().map_or(self.published, |entry| entry.position);
            rest = later;
        }
        Ok(())
    }

    async fn put(&self, link: &Link<'_>, entries: Vec<Entry>) -> Result<(), Fault> {
        let epoch = self.epoch.as_deref().unwrap_or_default();
        link.bus.publish(&self.name, link.partition, epoch, entries).await
    }
}

/// Rows as the bus carries them; the bodies are shared among the lanes.
pub(crate) fn entries(rows: Vec<Placed>) -> Vec<Entry> {
    rows.into_iter().map(|row| Entry { position: row.position, body: Bytes::from(row.body) }).collect()
}

fn watermark_at(at: Timestamp) -> Bytes {
    let watermark = Payload::Watermark(Watermark { at: Some(timestamp(at)) });
    Bytes::from(Event { payload: Some(watermark), ..Event::default() }.encode_to_vec())
}
