//! Reading along what a tenant publishes: every event once, in order for each subject, from now or from any place on that
//! is still held, by any number of watchers on any instance.
//!
//! The relay gives published rows dense positions in each partition; how far a watcher has come is one number for each of
//! them. A round first asks how far positions were given, then reads the tenant's rows up to there: what has a position
//! is committed, and what comes later gets a higher one, so nothing is missed. Settled rows are swept after a time
//! (`keep_settled`): whoever comes back later than that is told so, and never skips in silence. Rows of erased subjects
//! are empty, and pass unseen.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use prost::Message as _;
use rapport_api::events::v1::Event;
use rapport_kernel::{Fault, Reason, TenantId};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::PARTITIONS;
use crate::database::Database;
use crate::engine::Engine;
use crate::fault::Stored as _;
use crate::tables::{outbox, relay};
use crate::unit::Rx;

/// Positions of one look: a watcher of a quiet tenant passes over the rows of all others.
const SPAN: u64 = 10_000;
/// Rows of one look.
const ROWS: usize = 500;

/// How far a watcher has come: of each partition the last position it was told of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Places(BTreeMap<u16, u64>);

impl Places {
    fn of(&self, partition: u16) -> u64 {
        self.0.get(&partition).copied().unwrap_or(0)
    }
}

/// One event, and the place after it.
pub struct Tailed {
    /// What was published.
    pub event: Event,
    /// Where to go on after it.
    pub places: Places,
}

/// A reading that goes on for as long as somebody asks for more.
pub struct Tail {
    database: Database,
    tenant: TenantId,
    partitions: Vec<u16>,
    /// How far rows were read.
    read: Places,
    /// How far they were told.
    told: Places,
    found: VecDeque<(u16, u64, Event)>,
    placed: watch::Receiver<()>,
}

impl Database {
    /// Reads along what a tenant publishes in partitions (none: in all), after a place, or from now on.
    ///
    /// # Errors
    /// FAILED_PRECONDITION (TOKEN_EXPIRED) where what followed the place is no longer held; as [`Database::read`].
    pub async fn tail(&self, tenant: TenantId, partitions: &[u16], from: Option<Places>) -> Result<Tail, Fault> {
        let partitions = if partitions.is_empty() { (0..PARTITIONS).collect() } else { partitions.to_vec() };
        let placed = self.inner.placed.subscribe();
        let heads = self.heads().await?;
        let now = || Places(heads.iter().map(|(partition, (head, _))| (*partition, *head)).collect());
        let read = from.unwrap_or_else(now);
        for partition in &partitions {
            held(&heads, *partition, read.of(*partition))?;
        }
        let told = read.clone();
        Ok(Tail { database: self.until(None), tenant, partitions, read, told, found: VecDeque::new(), placed })
    }

    async fn heads(&self) -> Result<BTreeMap<u16, (u64, u64)>, Fault> {
        self.system().read(|rx: Rx| async move { relay::heads(rx.conn()).await.stored() }).await
    }
}

/// Fails where something after a place is gone, or the place is of another history: of a database that was restored.
fn held(heads: &BTreeMap<u16, (u64, u64)>, partition: u16, place: u64) -> Result<(), Fault> {
    let (head, swept) = heads.get(&partition).copied().unwrap_or_default();
    if (swept..=head).contains(&place) {
        return Ok(());
    }
    let text = "what followed this token is no longer held: list what you watch again, then watch without a token";
    Err(Fault::new(Reason::TokenExpired, text).precondition("TOKEN", "resume_token"))
}

impl Tail {
    /// How far it was told.
    #[must_use]
    pub const fn places(&self) -> &Places {
        &self.told
    }

    /// The next event, or `None` where there is none for `patience`: the place is then as far as was looked, and worth
    /// telling. Given up at any point, it has lost none.
    ///
    /// # Errors
    /// As [`Database::tail`].
    pub async fn next(&mut self, patience: Duration) -> Result<Option<Tailed>, Fault> {
        let pause = match self.database.engine() {
            // One process: whoever gives positions wakes whoever watches.
            Engine::Sqlite => Duration::from_secs(1),
            Engine::Postgres => Duration::from_millis(50),
        };
        let until = tokio::time::Instant::now() + patience;
        loop {
            if let Some((partition, position, event)) = self.found.pop_front() {
                self.told.0.insert(partition, position);
                if self.found.is_empty() {
                    self.told = self.read.clone();
                }
                return Ok(Some(Tailed { event, places: self.told.clone() }));
            }
            self.placed.mark_unchanged();
            if self.look().await? {
                continue;
            }
            self.told = self.read.clone();
            if tokio::time::Instant::now() >= until {
                return Ok(None);
            }
            tokio::select! {
                // The sender lives as long as the database.
                _ = self.placed.changed() => {}
                () = tokio::time::sleep(pause) => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    /// Reads what has a position and was not read; answers whether to look again at once: something was found, or there
    /// is more.
    async fn look(&mut self) -> Result<bool, Fault> {
        let heads = self.database.heads().await?;
        let mut again = false;
        for partition in self.partitions.clone() {
            let (after, head) = (self.read.of(partition), heads.get(&partition).map_or(0, |(head, _)| *head));
            held(&heads, partition, after)?;
            if after == head {
                continue;
            }
            let through = head.min(after + SPAN);
            let tenant = self.tenant.uuid();
            let rows = |rx: Rx| async move {
                outbox::between(rx.conn(), tenant, partition, (after, through), ROWS).await.stored()
            };
            let rows = self.database.read(self.tenant, rows).await?;
            // Swept while it was read: it cannot be told whether all of it was found.
            held(&self.database.heads().await?, partition, after)?;
            let last = rows.last().filter(|_| rows.len() == ROWS).map_or(through, |row| row.position);
            for row in rows.into_iter().filter(|row| !row.body.is_empty()) {
                let event = Event::decode(row.body.as_slice()).map_err(Fault::internal)?;
                self.found.push_back((partition, row.position, event));
            }
            self.read.0.insert(partition, last);
            again |= last < head;
        }
        Ok(again || !self.found.is_empty())
    }
}
