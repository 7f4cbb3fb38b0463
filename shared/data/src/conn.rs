//! One connection, as sea-orm sees it.
//!
//! sea-orm's own pool gives a connection back after each statement, and sqlx asks the server whether it is well
//! each time: a round trip more for every read. This one is held for a whole unit or read, remembers whose rows it
//! is set to show, and knows whether it was left in the middle of something.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rapport_kernel::{Fault, TenantId};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement, Values};
use sea_orm_migration::async_trait::async_trait;
use sea_query_sqlx::SqlxValues;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

use crate::fault::{Class, class, sqlx_fault};

/// A statement with more values than this is not kept prepared: it is a bulk one, and no two are alike.
const MOST_VALUES_PREPARED: usize = 64;

/// A connection lent to a unit of work or a read. Give `rx.conn()` to sea-orm's queries. Cheap to clone; it ends
/// with its unit, and a clone kept beyond that answers errors.
#[derive(Clone)]
pub struct Conn(Arc<Inner>);

struct Inner {
    live: Mutex<Option<Live>>,
    backend: DbBackend,
    /// A statement failed. On Postgres nothing of the transaction can be kept after that.
    failed: AtomicBool,
    /// A concurrent transaction won: the unit may run again.
    raced: AtomicBool,
    /// The connection broke.
    gone: AtomicBool,
}

pub(crate) enum Raw {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<PgConnection>),
}

/// An open connection.
pub(crate) struct Live {
    pub(crate) raw: Raw,
    pub(crate) since: Instant,
    /// The tenant whose rows its session shows.
    pub(crate) tenant: Option<TenantId>,
    /// A statement was given up half way.
    pub(crate) busy: bool,
    pub(crate) in_transaction: bool,
    /// How long its session lets a statement take (Postgres), where that was set after it was opened.
    pub(crate) allowed: Option<Duration>,
    /// Ends what runs (SQLite), where nobody waits for it any more.
    pub(crate) abandoned: Arc<AtomicBool>,
}

impl Live {
    pub(crate) fn new(raw: Raw) -> Self {
        let (since, abandoned) = (Instant::now(), Arc::new(AtomicBool::new(false)));
        Self { raw, since, tenant: None, busy: false, in_transaction: false, allowed: None, abandoned }
    }

    /// Runs text as it is: several statements, one round trip.
    pub(crate) async fn run(&mut self, sql: String) -> Result<(), sqlx::Error> {
        self.busy = true;
        let result = match &mut self.raw {
            Raw::Sqlite(raw) => raw.execute(AssertSqlSafe(sql)).await.map(|_| ()),
            Raw::Postgres(raw) => raw.execute(AssertSqlSafe(sql)).await.map(|_| ()),
        };
        self.busy = false;
        result
    }

    pub(crate) async fn ping(&mut self) -> Result<(), sqlx::Error> {
        match &mut self.raw {
            Raw::Sqlite(raw) => raw.ping().await,
            Raw::Postgres(raw) => raw.ping().await,
        }
    }
}

impl Conn {
    pub(crate) fn lend(live: Live) -> Self {
        let backend = match live.raw {
            Raw::Sqlite(_) => DbBackend::Sqlite,
            Raw::Postgres(_) => DbBackend::Postgres,
        };
        let (failed, raced, gone) = (AtomicBool::new(false), AtomicBool::new(false), AtomicBool::new(false));
        Self(Arc::new(Inner { live: Mutex::new(Some(live)), backend, failed, raced, gone }))
    }

    /// Ends the loan; waits for a statement that a kept clone still runs.
    pub(crate) async fn take_back(&self) -> Option<Live> {
        self.0.live.lock().await.take()
    }
    /// Ends the loan where nothing runs on it.
    pub(crate) fn try_take_back(&self) -> Option<Live> {
        self.0.live.try_lock().ok()?.take()
    }
    /// Begins or ends a transaction.
    pub(crate) async fn control(&self, sql: String, begins: bool) -> Result<(), Fault> {
        let mut guard = self.0.live.lock().await;
        let live = guard.as_mut().ok_or_else(|| Fault::internal("the loan of the connection is over"))?;
        // Until it is known to have ended, it counts as open.
        live.in_transaction = true;
        let result = live.run(sql).await;
        live.in_transaction = begins || result.is_err();
        result.map_err(|error| {
            self.note(&error);
            sqlx_fault(&error)
        })
    }
    pub(crate) fn failed(&self) -> bool {
        self.0.failed.load(Ordering::Relaxed)
    }
    pub(crate) fn raced(&self) -> bool {
        self.0.raced.load(Ordering::Relaxed)
    }
    pub(crate) fn gone(&self) -> bool {
        self.0.gone.load(Ordering::Relaxed)
    }

    pub(crate) async fn live(&self) -> Result<Loan<'_>, DbErr> {
        let guard = self.0.live.lock().await;
        if guard.is_none() {
            return Err(DbErr::Custom("the unit of work that this connection was lent to is over".to_owned()));
        }
        Ok(Loan(guard))
    }

    /// Notes what an error means for the rest of the unit.
    fn note(&self, error: &sqlx::Error) {
        self.0.failed.store(true, Ordering::Relaxed);
        match class(error) {
            Class::Raced => self.0.raced.store(true, Ordering::Relaxed),
            Class::Gone => self.0.gone.store(true, Ordering::Relaxed),
            Class::Unable | Class::Slow | Class::Other => {}
        }
    }

    fn query_error(&self, error: sqlx::Error) -> DbErr {
        self.note(&error);
        DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
    }
    pub(crate) fn exec_error(&self, error: sqlx::Error) -> DbErr {
        self.note(&error);
        DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
    }
}

pub(crate) struct Loan<'a>(MutexGuard<'a, Option<Live>>);

impl Loan<'_> {
    pub(crate) fn start(&mut self) -> &mut Live {
        let live = self.0.as_mut().expect("Conn::live looked");
        live.busy = true;
        live
    }
    pub(crate) fn end(mut self) {
        self.0.as_mut().expect("Conn::live looked").busy = false;
    }
}

fn parts(statement: Statement) -> (AssertSqlSafe<String>, SqlxValues, bool) {
    // The text holds no value: it may be seen. The suites ask the engine how it would run what was said.
    tracing::trace!(target: "rapport_data::sql", text = statement.sql);
    let values = statement.values.unwrap_or_else(|| Values(Vec::new()));
    let keep = values.0.len() <= MOST_VALUES_PREPARED;
    // sea-orm writes the text and binds every value apart from it.
    (AssertSqlSafe(statement.sql), SqlxValues(values), keep)
}

#[async_trait]
impl ConnectionTrait for Conn {
    fn get_database_backend(&self) -> DbBackend {
        self.0.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let (sql, values, keep) = parts(statement);
        let mut loan = self.live().await?;
        let result = match &mut loan.start().raw {
            Raw::Sqlite(raw) => {
                sqlx::query_with(sql, values).persistent(keep).execute(&mut **raw).await.map(ExecResult::from)
            }
            Raw::Postgres(raw) => {
                sqlx::query_with(sql, values).persistent(keep).execute(&mut **raw).await.map(ExecResult::from)
            }
        };
        loan.end();
        result.map_err(|error| self.exec_error(error))
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let sql = AssertSqlSafe(sql.to_owned());
        let mut loan = self.live().await?;
        let result = match &mut loan.start().raw {
            Raw::Sqlite(raw) => raw.execute(sql).await.map(ExecResult::from),
            Raw::Postgres(raw) => raw.execute(sql).await.map(ExecResult::from),
        };
        loan.end();
        result.map_err(|error| self.exec_error(error))
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let (sql, values, keep) = parts(statement);
        let mut loan = self.live().await?;
        let result = match &mut loan.start().raw {
            Raw::Sqlite(raw) => {
                let row = sqlx::query_with(sql, values).persistent(keep).fetch_optional(&mut **raw).await;
                row.map(|row| row.map(QueryResult::from))
            }
            Raw::Postgres(raw) => {
                let row = sqlx::query_with(sql, values).persistent(keep).fetch_optional(&mut **raw).await;
                row.map(|row| row.map(QueryResult::from))
            }
        };
        loan.end();
        result.map_err(|error| self.query_error(error))
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let (sql, values, keep) = parts(statement);
        let mut loan = self.live().await?;
        let result = match &mut loan.start().raw {
            Raw::Sqlite(raw) => {
                let rows = sqlx::query_with(sql, values).persistent(keep).fetch_all(&mut **raw).await;
                rows.map(|rows| rows.into_iter().map(QueryResult::from).collect())
            }
            Raw::Postgres(raw) => {
                let rows = sqlx::query_with(sql, values).persistent(keep).fetch_all(&mut **raw).await;
                rows.map(|rows| rows.into_iter().map(QueryResult::from).collect())
            }
        };
        loan.end();
        result.map_err(|error| self.query_error(error))
    }
}
