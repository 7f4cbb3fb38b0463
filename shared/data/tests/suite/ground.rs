//! A service of the tests' own: one table of notes, on either engine, with a clock that the test moves.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use prost::Message as _;
use rapport_api::events::v1::{Event, InteractionChanged, event::Payload};
use rapport_bus::{Bus, BusConfig, MemoryBus};
use rapport_data::{Consumer, Database, DatabaseConfig, Engine, NewEvent, Rx, Stored as _, Tx, rls};
use rapport_harness::shared_postgres;
use rapport_kernel::{Fault, ManualClock, SubjectId, TenantId, Timestamp};
use rapport_platform::config::{Address, Period};
use rapport_platform::{Contract, Platform, PlatformConfig};
use sea_orm::{ConnectionTrait as _, Statement, Value};
use sea_orm_migration::prelude::*;

pub const SERVICE: &str = "notes";

/// The consumer group of the tests.
pub const GROUP: &str = "readers";
/// How many events not every group has committed.
pub const UNSETTLED: &str = "SELECT count(*) FROM outbox LEFT JOIN relay ON relay.partition = outbox.partition \
                         WHERE outbox.position IS NULL OR outbox.position > relay.settled";
/// How many partitions have gaps in their positions.
pub const GAPS: &str = "SELECT count(*) FROM (SELECT partition FROM outbox GROUP BY partition \
                    HAVING max(position) <> count(*)) AS uneven";

/// Where a test's databases stand.
pub struct Ground {
    pub config: DatabaseConfig,
    pub clock: Arc<ManualClock>,
    pub platform: Platform,
    _folder: tempfile::TempDir,
}

impl Ground {
    pub fn new(engine: Engine) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = (engine == Engine::Postgres).then(|| Address::new(shared_postgres().database("data")));
        let acquire = Period::millis(500);
        let config = DatabaseConfig { url, folder: folder.path().to_owned(), acquire, ..DatabaseConfig::default() };
        let clock = Arc::new(ManualClock::new(Timestamp::from_column(1_750_000_000_000_000)));
        let platform = platform(&clock);
        Self { config, clock, platform, _folder: folder }
    }

    pub async fn open(&self) -> Database {
        self.try_open().await.expect("the database opens")
    }

    pub async fn try_open(&self) -> Result<Database, Fault> {
        Database::open(&self.config, SERVICE, own(), &self.platform).await
    }

    /// Another instance of the service on the same database.
    pub async fn instance(&self) -> (Platform, Database) {
        let platform = platform(&self.clock);
        let database = Database::open(&self.config, SERVICE, own(), &platform).await.expect("the database opens");
        (platform, database)
    }

    pub fn url(&self) -> &str {
        self.config.url.as_ref().expect("on Postgres").expose()
    }
}

fn platform(clock: &Arc<ManualClock>) -> Platform {
    let contract = Contract::suite().expect("the suite's contract");
    Platform::new(&PlatformConfig::default(), Arc::clone(clock) as Arc<_>, contract).expect("a platform")
}

fn own() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(Notes)]
}

struct Notes;

impl MigrationName for Notes {
    fn name(&self) -> &str {
        "notes_0001"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Notes {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let id = match manager.get_database_backend() {
            sea_orm::DbBackend::Postgres => "UUID",
            _ => "BLOB",
        };
        let note = format!(
            "CREATE TABLE note (tenant {id} NOT NULL, name TEXT NOT NULL, value BIGINT NOT NULL, PRIMARY KEY (tenant, name))"
        );
        manager.get_connection().execute_unprepared(&note).await?;
        rls::tenant_tables(manager, &["note"]).await
    }
}

pub fn sql(rx: &Rx, text: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(rx.engine().backend(), text, values)
}

/// Writes a note; the second of a name is a constraint's failure.
pub async fn insert(tx: &Tx, name: &str, value: i64) -> Result<(), Fault> {
    let text = "INSERT INTO note (tenant, name, value) VALUES ($1, $2, $3)";
    tx.conn().execute_raw(sql(tx, text, [tx.tenant().uuid().into(), name.into(), value.into()])).await.stored()?;
    Ok(())
}

/// Adds one to a note and answers its value.
pub async fn count(tx: &Tx, name: &str) -> Result<i64, Fault> {
    let text = "INSERT INTO note (tenant, name, value) VALUES ($1, $2, 1) \
                ON CONFLICT (tenant, name) DO UPDATE SET value = note.value + 1 RETURNING value";
    let row = tx.conn().query_one_raw(sql(tx, text, [tx.tenant().uuid().into(), name.into()])).await.stored()?;
    row.expect("RETURNING answers a row").try_get_by_index(0).stored()
}

/// A note's value.
pub async fn value(database: &Database, tenant: TenantId, name: &str) -> Option<i64> {
    let name = name.to_owned();
    let query = |rx: Rx| async move {
        let text = "SELECT value FROM note WHERE tenant = $1 AND name = $2";
        let row = rx.conn().query_one_raw(sql(&rx, text, [rx.tenant().uuid().into(), name.into()])).await.stored()?;
        row.map(|row| row.try_get_by_index(0).stored()).transpose()
    };
    database.read(tenant, query).await.expect("the database is up")
}

/// One number that SQL answers, over all tenants, on tables of the golden list.
pub async fn number(database: &Database, text: &'static str) -> i64 {
    let query = |rx: Rx| async move {
        let row = rx.conn().query_one_raw(sql(&rx, text, [])).await.stored()?;
        row.expect("an aggregate answers a row").try_get_by_index(0).stored()
    };
    database.system().read(query).await.expect("the database is up")
}

/// An event that says: this subject's thing is now at this revision.
pub fn event(subject: SubjectId, thing: &str, revision: u64) -> NewEvent {
    let payload = InteractionChanged { r#type: format!("type {revision}"), ..Default::default() };
    NewEvent {
        subject,
        aggregate: "interaction",
        aggregate_id: thing.to_owned(),
        revision,
        occurred_at: Timestamp::from_column(0),
        payload: Payload::InteractionChanged(payload),
    }
}

pub async fn publish(database: &Database, tenant: TenantId, event: NewEvent) {
    let unit = move |tx: Tx| {
        let event = event.clone();
        async move { tx.publish(event).await }
    };
    database.write(tenant, unit).await.expect("the database is up");
}

/// Why an event cannot be applied.
pub type Fails = fn(&Event) -> Option<Fault>;

/// A consumer that notes what it was given, keeps the highest revision of each aggregate, and fails as told.
#[derive(Default)]
pub struct Recorder {
    pub applied: Mutex<Vec<Event>>,
    pub watermarks: Mutex<Vec<(u16, Timestamp, usize)>>,
    /// Asked for each event.
    pub fails: Mutex<Option<Fails>>,
    pub largest: Mutex<usize>,
}

impl Recorder {
    pub fn events(&self) -> Vec<Event> {
        self.applied.lock().expect("no test panics while it holds this").clone()
    }
    pub fn fail(&self, how: Option<Fails>) {
        *self.fails.lock().expect("no test panics while it holds this") = how;
    }
}

impl Consumer for Recorder {
    fn apply(&self, tx: Tx, events: Vec<Event>) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            for event in &events {
                keep(&tx, event).await?;
                let fails = *self.fails.lock().expect("no test panics while it holds this");
                if let Some(fault) = fails.and_then(|fails| fails(event)) {
                    return Err(fault);
                }
            }
            let mut largest = self.largest.lock().expect("no test panics while it holds this");
            *largest = (*largest).max(events.len());
            self.applied.lock().expect("no test panics while it holds this").extend(events);
            Ok(())
        })
    }

    fn watermark<'a>(&'a self, _: &'a str, partition: u16, at: Timestamp) -> BoxFuture<'a, Result<(), Fault>> {
        let applied = self.events().len();
        self.watermarks.lock().expect("no test panics while it holds this").push((partition, at, applied));
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The state that a consumer keeps: the highest revision of each aggregate.
async fn keep(tx: &Tx, event: &Event) -> Result<(), Fault> {
    let text = "INSERT INTO note (tenant, name, value) VALUES ($1, $2, $3) ON CONFLICT (tenant, name) \
                DO UPDATE SET value = excluded.value WHERE note.value < excluded.value";
    let revision = event.revision.cast_signed();
    let name = event.aggregate_id.clone();
    tx.conn().execute_raw(sql(tx, text, [tx.tenant().uuid().into(), name.into(), revision.into()])).await.stored()?;
    Ok(())
}

/// Waits for something that is to come true soon.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..1_600 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it never came true that {what}");
}

/// How many bytes of an event there are, so that tests need not name the encoding.
pub fn encoded(event: &Event) -> Vec<u8> {
    event.encode_to_vec()
}

pub fn memory() -> Arc<MemoryBus> {
    Arc::new(MemoryBus::new(&BusConfig::default()))
}

/// A database that relays to a bus, and a consumer on it.
pub async fn line(ground: &Ground, bus: Arc<dyn Bus>) -> (Database, Arc<Recorder>) {
    let (database, recorder) = (ground.open().await, Arc::new(Recorder::default()));
    database.relay(&ground.platform, Arc::clone(&bus), vec![GROUP]);
    database.consume(&ground.platform, bus, GROUP, &[SERVICE], Arc::clone(&recorder) as Arc<_>);
    (database, recorder)
}
