//! What works for all tenants at once: relay, timers, sweeps, and the gateway's look-up of keys. On Postgres a role
//! of its own that row-level security lets see every tenant, but which holds rights on the golden list of tables
//! only.

use std::time::Duration;

use rapport_kernel::{Fault, SubjectId, TenantId, Timestamp};
use sea_orm::ConnectionTrait as _;

use crate::database::{Database, Scope, Terms};
use crate::engine::Engine;
use crate::fault::Stored as _;
use crate::receipt::{Answer, Receipt};
use crate::tables::{lease, sql, tenant, wakeup};
use crate::unit::{Rx, Tx};

/// A subject that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wakeup {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub subject: SubjectId,
    /// When it asked to be woken.
    pub due: Timestamp,
}

/// The system's own access to a database. Cheap to clone.
#[derive(Clone)]
pub struct SystemStore(Database);

impl SystemStore {
    pub(crate) const fn new(database: Database) -> Self {
        Self(database)
    }

    /// Reads over all tenants. `rx.tenant()` is the nil id.
    ///
    /// # Errors
    /// As [`Database::read`].
    pub async fn read<T, F, Fut>(&self, query: F) -> Result<T, Fault>
    where
        F: FnOnce(Rx) -> Fut + Send,
        Fut: Future<Output = Result<T, Fault>> + Send,
    {
        self.0.query(Scope::System, query).await
    }

    /// A unit of work over all tenants; it publishes nothing. `tx.tenant()` is the nil id.
    ///
    /// # Errors
    /// As [`Database::write`].
    pub async fn write<T, F, Fut>(&self, unit: F) -> Result<T, Fault>
    where
        F: Fn(Tx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, Fault>> + Send + 'static,
        T: Send + 'static,
    {
        self.0.unit(Terms { scope: Scope::System, lock: None }, unit).await
    }

    /// As [`SystemStore::write`], once for each request id: as [`Database::write_once`], under the nil id.
    ///
    /// # Errors
    /// As [`Database::write_once`].
    pub async fn write_once<T, F, Fut>(&self, receipt: Receipt<T>, unit: F) -> Result<Answer<T>, Fault>
    where
        F: Fn(Tx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, Fault>> + Send + 'static,
        T: Send + Sync + 'static,
    {
        self.0.once(Scope::System, receipt, unit).await
    }

    /// Takes subjects that are due and that nobody else is looking at, the longest due first. Whoever takes one
    /// looks at it in a unit of its tenant and ends with [`Tx::wake_at`]; if it does not, the subject is due again
    /// after `lease`.
    ///
    /// # Errors
    /// As [`Database::write`].
    pub async fn take_due(&self, limit: u64, lease: Duration) -> Result<Vec<Wakeup>, Fault> {
        // Mostly nothing is due, and a look costs no write.
        let due = |rx: Rx| async move {
            let text = "SELECT 1 FROM wakeup WHERE due_at <= $1 LIMIT 1";
            let row = rx.conn().query_one_raw(sql(rx.conn(), text, [rx.now().micros().into()])).await;
            Ok(row.stored()?.is_some())
        };
        if !self.read(due).await? {
            return Ok(Vec::new());
        }
        let take =
            move |tx: Tx| async move { wakeup::take(tx.conn(), tx.engine(), tx.now(), limit, lease).await.stored() };
        self.write(take).await
    }

    /// Takes or renews the right to do what one instance at a time does (a learner, an import), for `length`. False
    /// where another instance has it. By the database's clock.
    ///
    /// # Errors
    /// As [`Database::write`].
    pub async fn lease(&self, name: &str, length: Duration) -> Result<bool, Fault> {
        let (name, holder) = (name.to_owned(), self.0.inner.holder);
        let take = move |tx: Tx| {
            let name = name.clone();
            async move { lease::take(tx.conn(), tx.engine(), &name, holder, length).await.stored() }
        };
        self.write(take).await
    }

    /// Gives such a right up, so that another instance has it at once.
    ///
    /// # Errors
    /// As [`Database::write`].
    pub async fn release(&self, name: &str) -> Result<(), Fault> {
        let (name, holder) = (name.to_owned(), self.0.inner.holder);
        let release = move |tx: Tx| {
            let name = name.clone();
            async move { lease::release(tx.conn(), &name, holder).await.stored() }
        };
        self.write(release).await
    }

    /// The tenants that ever wrote to this database.
    ///
    /// # Errors
    /// As [`Database::read`].
    pub async fn tenants(&self) -> Result<Vec<TenantId>, Fault> {
        self.read(|rx| async move { tenant::all(rx.conn()).await.stored() }).await
    }

    /// The golden list: the tables on which the system's role holds a right. Empty on SQLite, which has no roles.
    ///
    /// # Errors
    /// As [`Database::read`].
    pub async fn tables(&self) -> Result<Vec<String>, Fault> {
        let tables = |rx: Rx| async move {
            if rx.engine() == Engine::Sqlite {
                return Ok(Vec::new());
            }
            let text = "SELECT DISTINCT table_name::text FROM information_schema.role_table_grants \
                        WHERE grantee = current_user AND table_schema = current_schema() ORDER BY 1";
            let rows = rx.conn().query_all_raw(sql(rx.conn(), text, [])).await.stored()?;
            rows.iter().map(|row| row.try_get_by_index(0).stored()).collect()
        };
        self.read(tables).await
    }
}
