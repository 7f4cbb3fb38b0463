//! The connections of one role: lent out one at a time, opened when needed, each with a memory of its tenant.
//!
//! Half of them are kept for calls. What has no deadline (consumers, timers, long work, streams) has time, and there may be
//! much of it at once: it waits longer, and is never so much that calls stand in line behind it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rapport_kernel::{Fault, TenantId};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use crate::conn::{Conn, Live, Raw};
use crate::fault::{Class, class, sqlx_fault};

/// A connection older than this is replaced: what a server keeps for each session does not grow for ever, and
/// after a failover the sessions spread again.
const LONGEST_LIFE: Duration = Duration::from_secs(30 * 60);
/// How long what has no deadline waits for its turn.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a connection that was left in the middle of something is waited for before it is given up.
const RECOVERY: Duration = Duration::from_millis(100);

/// Of SQLite's machine, between two looks whether anybody still waits for the statement.
const STEPS: i32 = 10_000;
/// The shortest time that a session allows a statement: the caller's deadline ends shorter waits by itself.
const LEAST_ALLOWED: Duration = Duration::from_millis(64);

#[derive(Clone)]
pub(crate) enum Target {
    Sqlite(SqliteConnectOptions),
    Postgres(PgConnectOptions),
}

impl Target {
    pub(crate) async fn open(&self) -> Result<Live, sqlx::Error> {
        match self {
            Self::Sqlite(options) => {
                let mut live = Live::new(Raw::Sqlite(Box::new(SqliteConnection::connect_with(options).await?)));
                let abandoned = Arc::clone(&live.abandoned);
                if let Raw::Sqlite(raw) = &mut live.raw {
                    let goes_on = move || !abandoned.load(Ordering::Relaxed);
                    raw.lock_handle().await?.set_progress_handler(STEPS, goes_on);
                }
                Ok(live)
            }
            Self::Postgres(options) => {
                Ok(Live::new(Raw::Postgres(Box::new(PgConnection::connect_with(options).await?))))
            }
        }
    }
}

pub(crate) struct Slots {
    target: Target,
    acquire: Duration,
    /// How long a statement may take where nobody said less.
    longest: Duration,
    permits: Arc<Semaphore>,
    /// For what has no deadline.
    unhurried: Arc<Semaphore>,
    idle: Mutex<Vec<Live>>,
}

/// A connection on loan. It goes back when this is dropped.
pub(crate) struct Slot {
    pub(crate) conn: Conn,
    slots: Arc<Slots>,
    _permit: OwnedSemaphorePermit,
    _unhurried: Option<OwnedSemaphorePermit>,
}

impl Slots {
    pub(crate) fn new(target: Target, size: usize, acquire: Duration, longest: Duration) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(size.max(1)));
        // Of few, all but one.
        let most = if size < 4 { size.saturating_sub(1) } else { size / 2 };
        let unhurried = Arc::new(Semaphore::new(most.max(1)));
        Arc::new(Self { target, acquire, longest, permits, unhurried, idle: Mutex::new(Vec::new()) })
    }

    /// Lends a connection; with a tenant, one whose session shows that tenant's rows.
    ///
    /// # Errors
    /// UNAVAILABLE where there is none within the time to acquire (or, without a deadline, for long), DEADLINE_EXCEEDED where
    /// the caller's ends first.
    pub(crate) async fn take(
        self: &Arc<Self>,
        tenant: Option<TenantId>,
        until: Option<Instant>,
    ) -> Result<Slot, Fault> {
        let unhurried = match until {
            Some(_) => None,
            None => {
                let turn = timeout(PATIENCE, Arc::clone(&self.unhurried).acquire_owned()).await;
                let late = |_| Fault::unavailable("the database", "its connections were busy for long");
                Some(turn.map_err(late)?.expect("the semaphore is never closed"))
            }
        };
        let limit = Instant::now() + self.acquire;
        let end = until.map_or(limit, |until| until.min(limit));
        let late = || {
            if end < limit {
                Fault::deadline()
            } else {
                Fault::unavailable("the database", "no connection became free, or none could be opened in time")
            }
        };
        let permit = timeout_at(end, Arc::clone(&self.permits).acquire_owned()).await.map_err(|_| late())?;
        let permit = permit.expect("the semaphore is never closed");
        let live = timeout_at(end, self.ready(tenant, until)).await.map_err(|_| late())?;
        let live = live.map_err(|error| sqlx_fault(&error))?;
        Ok(Slot { conn: Conn::lend(live), slots: Arc::clone(self), _permit: permit, _unhurried: unhurried })
    }

    async fn ready(&self, tenant: Option<TenantId>, until: Option<Instant>) -> Result<Live, sqlx::Error> {
        let allowed = allowed(until, self.longest);
        while let Some(mut live) = self.pop(tenant) {
            if (live.busy || live.in_transaction) && !recovered(&mut live).await {
                continue;
            }
            match show(&mut live, tenant, allowed, self.longest).await {
                Ok(()) => return Ok(live),
                // The server went away while it lay idle; then so did the others.
                Err(error) if class(&error) == Class::Gone => self.forget_idle(),
                Err(error) => return Err(error),
            }
        }
        let mut live = self.target.open().await?;
        show(&mut live, tenant, allowed, self.longest).await?;
        Ok(live)
    }

    /// An idle one, if possible one that was last used for the tenant; the last used first.
    fn pop(&self, tenant: Option<TenantId>) -> Option<Live> {
        let mut idle = self.idle();
        idle.retain(|live| live.since.elapsed() < LONGEST_LIFE);
        match idle.iter().rposition(|live| live.tenant == tenant) {
            Some(at) => Some(idle.remove(at)),
            None => idle.pop(),
        }
    }

    /// The server went away: what lies idle leads nowhere.
    pub(crate) fn forget_idle(&self) {
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Live>> {
        // A vector is whole after every call on it.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.conn.gone() {
            // Its fellows lead to the same server.
            self.slots.forget_idle();
        } else if let Some(live) = self.conn.try_take_back() {
            // Nobody waits for what still runs: SQLite ends it now, Postgres when its time is over.
            live.abandoned.store(live.busy, Ordering::Relaxed);
            self.slots.idle().push(live);
        }
    }
}

/// How long a statement may take that is waited for until then: twice as long at most as anybody waits, so that a
/// session is seldom told anew.
fn allowed(until: Option<Instant>, longest: Duration) -> Duration {
    let Some(until) = until else { return longest };
    let left = until.saturating_duration_since(Instant::now()).max(LEAST_ALLOWED);
    let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX / 2);
    Duration::from_millis(left.checked_next_power_of_two().unwrap_or(u64::MAX)).min(longest)
}

/// Sets whose rows the session shows and how long its statements may take, where that changes: in one round trip.
async fn show(
    live: &mut Live,
    tenant: Option<TenantId>,
    allowed: Duration,
    longest: Duration,
) -> Result<(), sqlx::Error> {
    let Some(wanted) = tenant else { return Ok(()) };
    if matches!(live.raw, Raw::Sqlite(_)) {
        return Ok(());
    }
    let mut settings = Vec::new();
    if live.tenant != tenant {
        settings.push(format!("set_config('rapport.tenant', '{wanted}', false)"));
    }
    if live.allowed.unwrap_or(longest) != allowed {
        settings.push(format!("set_config('statement_timeout', '{}', false)", allowed.as_millis()));
    }
    if settings.is_empty() {
        return Ok(());
    }
    (live.tenant, live.allowed) = (None, None);
    live.run(format!("SELECT {}", settings.join(", "))).await?;
    (live.tenant, live.allowed) = (tenant, Some(allowed));
    Ok(())
}

async fn recovered(live: &mut Live) -> bool {
    let recover = async {
        live.ping().await?;
        live.abandoned.store(false, Ordering::Relaxed);
        if live.in_transaction {
            live.run("ROLLBACK".to_owned()).await?;
            live.in_transaction = false;
        }
        live.busy = false;
        Ok::<(), sqlx::Error>(())
    };
    matches!(timeout(RECOVERY, recover).await, Ok(Ok(())))
}
