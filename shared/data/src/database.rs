//! A service's database: opened and migrated once, then read and written through units of work.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use futures::FutureExt as _;
use rapport_kernel::{Clock, Fault, Reason, TenantId};
use rapport_platform::{Platform, Tasks, telemetry};
use sea_orm_migration::MigrationTrait;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::config::DatabaseConfig;
use crate::conn::Conn;
use crate::engine::Engine;
use crate::metrics::Metrics;
use crate::migrate;
use crate::postgres::Server;
use crate::private;
use crate::receipt::{Answer, Receipt};
use crate::slots::Slots;
use crate::sqlite::{self, File, Job};
use crate::system::SystemStore;
use crate::unit::{Lock, Rx, Tx};

/// The database of one service. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pub(crate) inner: Arc<Inner>,
    until: Option<Instant>,
}

pub(crate) struct Inner {
    pub(crate) service: &'static str,
    pub(crate) config: DatabaseConfig,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tasks: Tasks,
    pub(crate) metrics: Metrics,
    /// This process, among those that hold leases.
    pub(crate) holder: Uuid,
    /// Told after each commit that published something.
    pub(crate) published: Notify,
    /// Told after positions were given by this process.
    pub(crate) placed: watch::Sender<()>,
    /// Told after each commit by which an operation may be taken.
    pub(crate) begun: Notify,
    /// Told after each commit by which an operation ended.
    pub(crate) ended: Notify,
    backend: Backend,
    /// Tenants that are registered in this database.
    known: RwLock<HashSet<TenantId>>,
}

enum Backend {
    Sqlite { file: File, writer: mpsc::Sender<Job>, readers: Arc<Slots> },
    Postgres(Server),
}

/// Whose data a unit works on.
#[derive(Clone, Copy)]
pub(crate) enum Scope {
    Tenant(TenantId),
    System,
}

impl Scope {
    fn tenant(self) -> TenantId {
        match self {
            Self::Tenant(tenant) => tenant,
            Self::System => TenantId::from_uuid(Uuid::nil()),
        }
    }
}

/// How a unit is run: for whom, and what must hold while it runs.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) scope: Scope,
    /// The advisory lock that it needs from its start (Postgres).
    pub(crate) lock: Option<Lock>,
}

impl Database {
    /// Opens a service's database: connects, and brings the schema up to date under a lock, so that instances may
    /// start together. The tables of this crate come first, then the service's `migrations`, in their order.
    ///
    /// # Errors
    /// UNAVAILABLE where the database cannot be reached; INVALID_ARGUMENT where the url is none; INTERNAL where a
    /// migration fails or leaves a tenant's table without row-level security.
    pub async fn open(
        config: &DatabaseConfig,
        service: &'static str,
        migrations: Vec<Box<dyn MigrationTrait>>,
        platform: &Platform,
    ) -> Result<Self, Fault> {
        let metrics = Metrics::new(&platform.metrics, service)?;
        let backend = match &config.url {
            None => {
                let folder: &Path = &config.folder;
                private::folder(folder)?;
                let file = File::new(folder, service);
                migrate::sqlite(&file.path, &migrations).await?;
                let readers =
                    Slots::new(file.reader(), config.readers.min(3), config.acquire.get(), config.statement.get());
                let writer = sqlite::start(&file, service, config.queue, &platform.tasks, metrics.clone());
                Backend::Sqlite { file, writer, readers }
            }
            Some(url) => {
                migrate::postgres(url.expose(), service, &migrations).await?;
                Backend::Postgres(Server::new(url.expose(), service, config)?)
            }
        };
        let inner = Inner {
            service,
            config: config.clone(),
            clock: Arc::clone(&platform.clock),
            tasks: platform.tasks.clone(),
            metrics,
            holder: Uuid::now_v7(),
            published: Notify::new(),
            placed: watch::Sender::new(()),
            begun: Notify::new(),
            ended: Notify::new(),
            backend,
            known: RwLock::default(),
        };
        let database = Self { inner: Arc::new(inner), until: None };
        crate::sweep::start(&database);
        Ok(database)
    }

    /// Which database it is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self.inner.backend {
            Backend::Sqlite { .. } => Engine::Sqlite,
            Backend::Postgres(_) => Engine::Postgres,
        }
    }

    /// The same database for a call that ends at `deadline`: waiting ends then, and on Postgres statements do. A
    /// unit of work that was begun still runs to its end.
    #[must_use]
    pub fn until(&self, deadline: Option<Instant>) -> Self {
        Self { inner: Arc::clone(&self.inner), until: deadline }
    }

    /// What relay, timers and sweeps work with: all tenants, few tables.
    #[must_use]
    pub fn system(&self) -> SystemStore {
        SystemStore::new(self.clone())
    }

    /// Does a unit of work: all of it is committed before this answers, or nothing.
    ///
    /// The unit awaits nothing but its transaction, and may be run again after it lost against a concurrent one. It
    /// runs to its end even where the caller goes away.
    ///
    /// # Errors
    /// What the unit answers; UNAVAILABLE where the database is away or too many wait; DEADLINE_EXCEEDED; ABORTED
    /// where concurrent changes kept winning; INTERNAL where the unit panics.
    pub async fn write<T, F, Fut>(&self, tenant: TenantId, unit: F) -> Result<T, Fault>
    where
        F: Fn(Tx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, Fault>> + Send + 'static,
        T: Send + 'static,
    {
        self.unit(Terms { scope: Scope::Tenant(tenant), lock: None }, unit).await
    }

    /// Does a unit of work once for each request id: a retry with the same request gets the first answer. Without a
    /// request id it is [`Database::write`].
    ///
    /// # Errors
    /// As [`Database::write`]; ALREADY_EXISTS (IDEMPOTENCY_MISMATCH) where the id was used with another request.
    pub async fn write_once<T, F, Fut>(
        &self,
        tenant: TenantId,
        receipt: Receipt<T>,
        unit: F,
    ) -> Result<Answer<T>, Fault>
    where
        F: Fn(Tx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, Fault>> + Send + 'static,
        T: Send + Sync + 'static,
    {
        self.once(Scope::Tenant(tenant), receipt, unit).await
    }

    pub(crate) async fn once<T, F, Fut>(&self, scope: Scope, receipt: Receipt<T>, unit: F) -> Result<Answer<T>, Fault>
    where
        F: Fn(Tx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, Fault>> + Send + 'static,
        T: Send + Sync + 'static,
    {
        let tenant = scope.tenant();
        // Those who come with the same id meanwhile wait here for its answer.
        let lock = receipt.request.map(|request| Lock::of(tenant, request.uuid().as_bytes()));
        let unit = Arc::new(unit);
        let once = move |tx: Tx| {
            let (unit, receipt) = (Arc::clone(&unit), receipt.clone());
            async move {
                if let Some(answer) = receipt.find(&tx).await? {
                    return Ok(Answer::Replayed(answer));
                }
                let value = unit(tx.clone()).await?;
                receipt.keep(&tx, &value).await?;
                Ok(Answer::Fresh(value))
            }
        };
        self.unit(Terms { scope, lock }, once).await
    }

    /// Reads one tenant's data. On Postgres each statement sees what was committed when it began.
    ///
    /// # Errors
    /// What the query answers; UNAVAILABLE where the database is away; DEADLINE_EXCEEDED.
    pub async fn read<T, F, Fut>(&self, tenant: TenantId, query: F) -> Result<T, Fault>
    where
        F: FnOnce(Rx) -> Fut + Send,
        Fut: Future<Output = Result<T, Fault>> + Send,
    {
        self.query(Scope::Tenant(tenant), query).await
    }

    pub(crate) async fn query<T, F, Fut>(&self, scope: Scope, query: F) -> Result<T, Fault>
    where
        F: FnOnce(Rx) -> Fut + Send,
        Fut: Future<Output = Result<T, Fault>> + Send,
    {
        let began = Instant::now();
        let result = self.look(scope, query).await;
        self.inner.metrics.operation(self.engine(), "read", began.elapsed(), &result);
        result
    }

    async fn look<T, F, Fut>(&self, scope: Scope, query: F) -> Result<T, Fault>
    where
        F: FnOnce(Rx) -> Fut + Send,
        Fut: Future<Output = Result<T, Fault>> + Send,
    {
        let slot = match (&self.inner.backend, scope) {
            (Backend::Sqlite { readers, .. }, _) => readers.take(None, self.until).await?,
            (Backend::Postgres(server), Scope::Tenant(tenant)) => server.readers.take(Some(tenant), self.until).await?,
            (Backend::Postgres(server), Scope::System) => server.system.take(None, self.until).await?,
        };
        let rx = Rx::new(slot.conn.clone(), self.engine(), scope.tenant(), self.inner.clock.now());
        match self.until {
            None => query(rx).await,
            Some(until) => timeout_at(until, query(rx)).await.unwrap_or_else(|_| Err(Fault::deadline())),
        }
    }

    pub(crate) async fn unit<T, F, Fut>(&self, terms: Terms, unit: F) -> Result<T, Fault>
    where
        F: Fn(Tx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, Fault>> + Send + 'static,
        T: Send + 'static,
    {
        let began = Instant::now();
        let run = Run { database: self.clone(), terms, trace: telemetry::traceparent().unwrap_or_default(), unit };
        let work = async {
            match &self.inner.backend {
                Backend::Sqlite { writer, .. } => self.queue(writer, run).await,
                Backend::Postgres(_) => self.inner.tasks.finish(run.on_postgres()).await,
            }
        };
        let result = match self.until {
            None => work.await,
            Some(until) => timeout_at(until, work).await.unwrap_or_else(|_| Err(Fault::deadline())),
        };
        self.inner.metrics.operation(self.engine(), "write", began.elapsed(), &result);
        result
    }

    /// Hands a unit to SQLite's writer.
    async fn queue<T, F, Fut>(&self, writer: &mpsc::Sender<Job>, run: Run<F>) -> Result<T, Fault>
    where
        F: Fn(Tx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, Fault>> + Send + 'static,
        T: Send + 'static,
    {
        let place = timeout_at(Instant::now() + self.inner.config.acquire.get(), writer.reserve()).await;
        let place = place.map_err(|_| Fault::unavailable("the database", "the queue of its writer is full"))?;
        let stopping = || Fault::new(Reason::ShuttingDown, "the service is stopping; try again");
        let place = place.map_err(|_| stopping())?;
        let (sender, receiver) = oneshot::channel();
        let until = self.until;
        let work = move |conn| {
            let work = async move {
                let result = run.once(conn).await;
                let keep = result.is_ok();
                let answer = move |committed: Result<(), Fault>| {
                    // The caller may have gone: then nobody is there to be told.
                    sender.send(result.and_then(|done| committed.map(|()| run.committed(done)))).unwrap_or_default();
                };
                (keep, Box::new(answer) as sqlite::Answer)
            };
            work.boxed()
        };
        place.send(Job { until, run: Box::new(work) });
        let dropped = |_| Err(Fault::unavailable("the database", "its writer gave the unit up"));
        receiver.await.unwrap_or_else(dropped)
    }

    /// Whether SQLite's log may hold what was erased.
    pub(crate) fn is_stained(&self) -> bool {
        matches!(&self.inner.backend, Backend::Sqlite { file, .. } if file.is_stained())
    }

    fn is_known(&self, tenant: TenantId) -> bool {
        self.inner.known.read().unwrap_or_else(PoisonError::into_inner).contains(&tenant)
    }
}

/// A unit of work and all that its runs need.
struct Run<F> {
    database: Database,
    terms: Terms,
    trace: String,
    unit: F,
}

/// What a run did, if it is committed.
struct Done<T> {
    value: T,
    published: bool,
    begun: bool,
    ended: bool,
    erased: bool,
}

impl<F> Run<F> {
    async fn on_postgres<T, Fut>(self) -> Result<T, Fault>
    where
        F: Fn(Tx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, Fault>> + Send + 'static,
        T: Send + 'static,
    {
        let Backend::Postgres(server) = &self.database.inner.backend else {
            return Err(Fault::internal("not on Postgres"));
        };
        let tenant = match self.terms.scope {
            Scope::Tenant(tenant) => Some(tenant),
            Scope::System => None,
        };
        let done = server.transact(tenant, self.terms.lock, self.database.until, |conn| self.once(conn)).await?;
        Ok(self.committed(done))
    }

    async fn once<T, Fut>(&self, conn: Conn) -> Result<Done<T>, Fault>
    where
        F: Fn(Tx) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, Fault>> + Send,
        T: Send,
    {
        let database = &self.database;
        let register = matches!(self.terms.scope, Scope::Tenant(tenant) if !database.is_known(tenant));
        let rx = Rx::new(conn, database.engine(), self.terms.scope.tenant(), database.inner.clock.now());
        let tx = Tx::new(rx, self.trace.clone(), register, self.terms.lock);
        // The unit is made within the guarded block: making it may panic as well.
        let work = AssertUnwindSafe(async { (self.unit)(tx.clone()).await }).catch_unwind();
        let value = work.await.unwrap_or_else(|_| Err(Fault::internal("a unit of work panicked")))?;
        tx.flush().await?;
        let notes = tx.notes();
        let (begun, ended) = (notes.begun, notes.ended);
        Ok(Done { value, published: notes.published, begun, ended, erased: notes.erases })
    }

    fn committed<T>(&self, done: Done<T>) -> T {
        let inner = &self.database.inner;
        if done.published {
            inner.published.notify_one();
        }
        if done.begun {
            inner.begun.notify_one();
        }
        if done.ended {
            inner.ended.notify_waiters();
        }
        if let (true, Backend::Sqlite { file, .. }) = (done.erased, &inner.backend) {
            file.stain();
        }
        if let Scope::Tenant(tenant) = self.terms.scope
            && !self.database.is_known(tenant)
        {
            inner.known.write().unwrap_or_else(PoisonError::into_inner).insert(tenant);
        }
        done.value
    }
}
