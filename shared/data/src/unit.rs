//! What a unit of work and a read are given: the connection, whose data, the instant, and (for a unit) the means to
//! publish, to be woken and to forget.

use std::collections::{BTreeSet, HashMap};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prost::Message as _;
use rapport_api::convert::timestamp;
use rapport_api::events::v1::{Event, event::Payload};
use rapport_kernel::{EventId, Fault, SubjectId, TenantId, Timestamp};
use sea_orm::ConnectionTrait as _;
use sha2::{Digest as _, Sha256};

use crate::PARTITIONS;
use crate::conn::Conn;
use crate::engine::Engine;
use crate::fault::Stored as _;
use crate::tables::{inbox, outbox, tenant, tombstone, wakeup};

/// An event to publish. The envelope's other fields (ids, tenant, recorded_at, trace) come from the unit of work.
#[derive(Clone)]
pub struct NewEvent {
    /// What it is about: the partition and ordering key.
    pub subject: SubjectId,
    /// The kind of aggregate, as `interaction`.
    pub aggregate: &'static str,
    /// The aggregate's id within its kind.
    pub aggregate_id: String,
    /// The aggregate's revision after the event.
    pub revision: u64,
    /// When it happened, by the source's clock.
    pub occurred_at: Timestamp,
    /// What happened: the aggregate's whole new state.
    pub payload: Payload,
}

/// A read: one tenant's data.
#[derive(Clone)]
pub struct Rx {
    conn: Conn,
    engine: Engine,
    tenant: TenantId,
    now: Timestamp,
}

impl Rx {
    pub(crate) const fn new(conn: Conn, engine: Engine, tenant: TenantId, now: Timestamp) -> Self {
        Self { conn, engine, tenant, now }
    }

    /// Whose data. The nil id in [`crate::SystemStore`].
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }
    /// The instant of the read or unit: `recorded_at` of everything that the unit writes.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }
    /// What sea-orm's queries run on.
    #[must_use]
    pub const fn conn(&self) -> &Conn {
        &self.conn
    }
    /// Which database it is, for the few statements that differ.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        self.engine
    }

    /// Those of the subjects that were erased.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn is_entombed(&self, subjects: &[SubjectId]) -> Result<BTreeSet<SubjectId>, Fault> {
        let mut found = BTreeSet::new();
        for some in subjects.chunks(500) {
            found.extend(tombstone::among(&self.conn, self.tenant, some).await.stored()?);
        }
        Ok(found)
    }

    /// Those who asked to be woken by now and were not yet, in no order, some of them where they are many.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn due(&self, limit: u64) -> Result<Vec<SubjectId>, Fault> {
        wakeup::due(&self.conn, self.tenant, self.now, limit).await.stored()
    }

    /// Waits until the units that hold one of the keys (of this tenant) now have ended: what they write is read by what a
    /// read asks after it. On SQLite what was committed before a read was written by units that had ended anyway.
    ///
    /// Whoever writes only where that seems to change something must ask for this before it looks: a unit that read before
    /// the last change, and commits after the look, would else write what is no longer so, and nobody would mend it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn outlast(&self, keys: &[String]) -> Result<(), Fault> {
        // A statement of its own, and so a transaction of its own: they are freed at once.
        self.take_locks(&[keys], "pg_advisory_xact_lock_shared").await
    }

    async fn take_locks(&self, groups: &[&[String]], how: &str) -> Result<(), Fault> {
        if self.engine == Engine::Sqlite {
            return Ok(());
        }
        let mut locks: Vec<String> = Vec::new();
        for keys in groups {
            // Another space than that of the locks of this crate, and one order for all.
            let keys: BTreeSet<i64> =
                keys.iter().map(|key| Lock::of(self.tenant, format!("key {key}").as_bytes()).key).collect();
            locks.extend(keys.iter().map(|key| format!("{how}('{key}'::bigint)")));
        }
        if !locks.is_empty() {
            self.conn.execute_unprepared(&format!("SELECT {}", locks.join(", "))).await.stored()?;
        }
        Ok(())
    }
}

/// A unit of work: all of it is committed, or nothing. Reads as [`Rx`] does. Cheap to clone.
#[derive(Clone)]
pub struct Tx {
    rx: Rx,
    notes: Arc<Mutex<Notes>>,
}

/// What a unit gathers until its end.
#[derive(Default)]
pub(crate) struct Notes {
    traceparent: String,
    events: Vec<outbox::New>,
    /// What the unit is about, so that an erasure finds its receipt.
    pub(crate) subjects: BTreeSet<SubjectId>,
    /// What the events being consumed are about, so that an erasure finds their inbox rows.
    consumed: HashMap<EventId, SubjectId>,
    register_tenant: bool,
    /// The lock that the unit began with, or took last against erasures.
    held: Option<Lock>,
    pub(crate) published: bool,
    /// Whether the unit began an operation, or gave one back: somebody may take it.
    pub(crate) begun: bool,
    /// Whether an operation changed in a way that somebody may wait for.
    pub(crate) ended: bool,
    /// Whether the unit erases: what the engine keeps of it is then to be cleaned.
    pub(crate) erases: bool,
}

impl Notes {
    /// When the earliest event of the unit is said to be recorded; none: it publishes nothing.
    pub(crate) fn earliest(&self) -> Option<Timestamp> {
        self.events.iter().map(|event| Timestamp::from_column(event.recorded_at)).min()
    }
}

impl Deref for Tx {
    type Target = Rx;
    fn deref(&self) -> &Rx {
        &self.rx
    }
}

impl Tx {
    pub(crate) fn new(rx: Rx, traceparent: String, register_tenant: bool, held: Option<Lock>) -> Self {
        let notes = Notes { traceparent, register_tenant, held, ..Notes::default() };
        Self { rx, notes: Arc::new(Mutex::new(notes)) }
    }

    /// Waits until no other unit holds one of the keys (of this tenant); they are freed when the unit ends. Take all
    /// keys in one call: then no two units wait for each other. On SQLite units run one after another anyway.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn lock(&self, keys: &[String]) -> Result<(), Fault> {
        self.lock_in_turn(&[keys]).await
    }

    /// The same for several groups of keys, one after the other, in one round trip: where every unit takes those of the
    /// first kind before those of the second.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn lock_in_turn(&self, groups: &[&[String]]) -> Result<(), Fault> {
        self.rx.take_locks(groups, "pg_advisory_xact_lock").await
    }

    /// Publishes an event with this unit: it reaches the bus after the commit, in order for each subject.
    ///
    /// Units that change the same aggregate must exclude each other before they publish (by writing its row, or by
    /// [`Tx::lock`]): the order of their outbox rows is then the order of their commits.
    ///
    /// # Errors
    /// None today; the row is written at the unit's end.
    pub async fn publish(&self, event: NewEvent) -> Result<(), Fault> {
        self.note(EventId::new(), event, self.now)
    }

    /// Publishes an event that tells no more of its time than its maker wants: its id is of no time, and it is said to be
    /// recorded at an instant that the maker has rounded.
    ///
    /// # Errors
    /// As [`Tx::publish`].
    pub async fn publish_timeless(&self, event: NewEvent, recorded_at: Timestamp) -> Result<(), Fault> {
        self.note(EventId::from_uuid(uuid::Uuid::new_v4()), event, recorded_at)
    }

    fn note(&self, id: EventId, event: NewEvent, recorded_at: Timestamp) -> Result<(), Fault> {
        let mut notes = self.notes();
        let body = Event {
            event_id: id.to_string(),
            tenant: self.tenant.to_string(),
            subject_id: event.subject.to_string(),
            aggregate_type: event.aggregate.to_owned(),
            aggregate_id: event.aggregate_id,
            revision: event.revision,
            occurred_at: Some(timestamp(event.occurred_at)),
            recorded_at: Some(timestamp(recorded_at)),
            traceparent: notes.traceparent.clone(),
            schema_version: 1,
            payload: Some(event.payload),
        };
        notes.subjects.insert(event.subject);
        notes.events.push(outbox::New {
            subject: event.subject,
            partition: i16::try_from(event.subject.partition(PARTITIONS)).expect("there are few partitions"),
            body: body.encode_to_vec(),
            recorded_at: recorded_at.micros(),
        });
        Ok(())
    }

    /// Notes that the unit is about a subject (those of published events are known): its stored answer is deleted
    /// when the subject is erased.
    pub fn about(&self, subject: SubjectId) {
        self.notes().subjects.insert(subject);
    }

    /// Asks to be woken for a subject at an instant; `None` takes that back. The last word counts.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn wake_at(&self, subject: SubjectId, due: Option<Timestamp>) -> Result<(), Fault> {
        match due {
            Some(due) => wakeup::set(&self.conn, self.tenant, subject, due).await.stored(),
            None => wakeup::clear(&self.conn, self.tenant, &[subject]).await.stored(),
        }
    }

    /// Those of the subjects that were erased. Until the unit ends no other one becomes so: an erasure waits.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn is_entombed(&self, subjects: &[SubjectId]) -> Result<BTreeSet<SubjectId>, Fault> {
        self.take(Lock::against_erasure(self.tenant)).await?;
        self.rx.is_entombed(subjects).await
    }

    /// Holds erasures of this tenant off until the unit ends: whoever was not erased before is not meanwhile. Let it be
    /// among the unit's first statements, before it reads who is there.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn hold_erasures(&self) -> Result<(), Fault> {
        self.take(Lock::against_erasure(self.tenant)).await
    }

    /// Notes that a subject was erased: late events and replays of it are stopped from now on. Waits for units that
    /// rely on its not being so, so let it be the unit's first statement.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn entomb(&self, subject: SubjectId) -> Result<(), Fault> {
        self.take(Lock::of_erasure(self.tenant)).await?;
        tombstone::add(&self.conn, self.tenant, &[subject], self.now).await.stored()
    }

    /// Whether this is the first time that a group applies the effect of an event; later times answer false.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn first_time(&self, group: &str, event: EventId) -> Result<bool, Fault> {
        let subject = self.notes().consumed.get(&event).copied();
        inbox::first_time(&self.conn, self.tenant, group, event, subject, self.now).await.stored()
    }

    /// Does a part of the unit that may be refused without the rest: what it wrote and published is then taken back, and
    /// the unit goes on. The outer result is whether it can: a failure of the database ends the whole unit.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn attempt<T, Fut>(&self, part: Fut) -> Result<Result<T, Fault>, Fault>
    where
        Fut: Future<Output = Result<T, Fault>>,
    {
        let events = self.notes().events.len();
        self.conn.execute_unprepared("SAVEPOINT part").await.stored()?;
        let result = part.await;
        match result {
            Ok(_) => self.conn.execute_unprepared("RELEASE SAVEPOINT part").await.stored().map(drop)?,
            Err(fault) if self.conn.failed() || fault.is_transient() => return Err(fault),
            Err(_) => {
                let back = "ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part";
                self.conn.execute_unprepared(back).await.stored()?;
                self.notes().events.truncate(events);
            }
        }
        Ok(result)
    }

    pub(crate) async fn take(&self, lock: Lock) -> Result<(), Fault> {
        let covers = |held: Lock| held.key == lock.key && (lock.shared || !held.shared);
        if self.engine == Engine::Sqlite || self.notes().held.is_some_and(covers) {
            return Ok(());
        }
        self.conn.execute_unprepared(&lock.statement()).await.stored()?;
        self.notes().held = Some(lock);
        Ok(())
    }

    pub(crate) fn consuming(&self, events: &[(EventId, SubjectId)]) {
        self.notes().consumed.extend(events.iter().copied());
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        // Every statement on the notes leaves them whole.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what the unit gathered: its last statements.
    pub(crate) async fn flush(&self) -> Result<(), Fault> {
        let (events, register_tenant) = {
            let mut notes = self.notes();
            notes.published = !notes.events.is_empty();
            (std::mem::take(&mut notes.events), std::mem::take(&mut notes.register_tenant))
        };
        if register_tenant {
            tenant::register(&self.conn, self.tenant, self.now).await.stored()?;
        }
        outbox::add(&self.conn, self.tenant.uuid(), events).await.stored()
    }
}

/// An advisory lock of Postgres, held until the unit ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lock {
    key: i64,
    shared: bool,
}

impl Lock {
    /// Of a key of a tenant.
    pub(crate) fn of(tenant: TenantId, key: &[u8]) -> Self {
        let hash = Sha256::new().chain_update(tenant.uuid().as_bytes()).chain_update(key).finalize();
        Self { key: i64::from_be_bytes(hash[..8].try_into().expect("eight bytes")), shared: false }
    }

    /// Of the erasures of a tenant: one at a time.
    pub(crate) fn of_erasure(tenant: TenantId) -> Self {
        Self::of(tenant, b"erasure")
    }

    /// Of the erasures of a tenant. Units that rely on nobody being erased meanwhile share it.
    pub(crate) fn against_erasure(tenant: TenantId) -> Self {
        Self { shared: true, ..Self::of_erasure(tenant) }
    }

    pub(crate) fn statement(self) -> String {
        let shared = if self.shared { "_shared" } else { "" };
        format!("SELECT pg_advisory_xact_lock{shared}('{}'::bigint)", self.key)
    }
}
