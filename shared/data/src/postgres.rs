//! Working on Postgres: three roles of connections, and a transaction for each unit.
//!
//! The URL's login owns the tables and only migrates. The service works as `rapport_<service>_app`, which owns
//! nothing, so that row-level security binds it; relay, timers and sweeps as `rapport_<service>_system`, which may
//! see all tenants but only the tables of the golden list.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use rapport_kernel::{Fault, Reason, TenantId};
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use tokio::time::{Instant, sleep};

use crate::config::DatabaseConfig;
use crate::conn::Conn;
use crate::slots::{Slots, Target};
use crate::unit::Lock;

/// How often a unit that lost against a concurrent one is run again.
const MOST_RUNS: u32 = 8;

pub(crate) struct Server {
    pub(crate) app: Arc<Slots>,
    pub(crate) readers: Arc<Slots>,
    pub(crate) system: Arc<Slots>,
    statement: Duration,
}

/// The role a service works under.
pub(crate) fn app_role(service: &str) -> String {
    format!("rapport_{service}_app")
}
/// The role of relay, timers and sweeps.
pub(crate) fn system_role(service: &str) -> String {
    format!("rapport_{service}_system")
}

pub(crate) fn owner(url: &str) -> Result<PgConnectOptions, Fault> {
    let options = PgConnectOptions::from_str(url).map_err(|_| {
        let text = "the database url must have the form postgres://owner:password@host:port/name";
        Fault::new(Reason::InvalidField, text)
    })?;
    Ok(options.application_name("rapport").disable_statement_logging())
}

impl Server {
    pub(crate) fn new(url: &str, service: &str, config: &DatabaseConfig) -> Result<Self, Fault> {
        let (statement, acquire) = (config.statement.get(), config.acquire.get());
        let owner = owner(url)?;
        let target = |role: String| {
            let statement = statement.as_millis().to_string();
            Target::Postgres(owner.clone().options([
                ("role", role),
                ("statement_timeout", statement),
                ("idle_in_transaction_session_timeout", "30000".to_owned()),
            ]))
        };
        Ok(Self {
            app: Slots::new(target(app_role(service)), config.writers, acquire, statement),
            readers: Slots::new(target(app_role(service)), config.readers, acquire, statement),
            system: Slots::new(target(system_role(service)), config.system, acquire, statement),
            statement,
        })
    }

    /// Runs a unit in a transaction of its own, again where a concurrent one won. The first statements, which cost
    /// one round trip together, say whose rows it may touch, how long a statement may take, and which lock it
    /// needs.
    pub(crate) async fn transact<T, F, Fut>(
        &self,
        tenant: Option<TenantId>,
        lock: Option<Lock>,
        until: Option<Instant>,
        run: F,
    ) -> Result<T, Fault>
    where
        F: Fn(Conn) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, Fault>> + Send,
        T: Send,
    {
        let slots = if tenant.is_some() { &self.app } else { &self.system };
        let mut runs = 0;
        loop {
            runs += 1;
            let slot = slots.take(None, until).await?;
            let (conn, mut committing) = (&slot.conn, false);
            let result = async {
                conn.control(self.prelude(tenant, lock, until), true).await?;
                let value = run(conn.clone()).await?;
                if conn.failed() {
                    // Postgres would answer COMMIT with a ROLLBACK that looks like success.
                    return Err(Fault::internal("a statement failed and the unit of work went on"));
                }
                committing = true;
                conn.control("COMMIT".to_owned(), false).await?;
                Ok(value)
            };
            let fault = match result.await {
                Ok(value) => return Ok(value),
                Err(fault) => fault,
            };
            // Gone before COMMIT, nothing was kept, so that it may run again; after it, nobody knows.
            let again = conn.raced() || (conn.gone() && !committing && runs == 1);
            if !conn.gone() {
                // Where this fails too, the connection is mended or given up when it is taken again.
                conn.control("ROLLBACK".to_owned(), false).await.unwrap_or_default();
            }
            drop(slot);
            if !again || runs >= MOST_RUNS || until.is_some_and(|until| Instant::now() >= until) {
                return Err(fault);
            }
            sleep(Duration::from_millis(rand::random_range(1..=(4 << runs)))).await;
        }
    }

    fn prelude(&self, tenant: Option<TenantId>, lock: Option<Lock>, until: Option<Instant>) -> String {
        let mut text = "BEGIN".to_owned();
        if let Some(tenant) = tenant {
            text.push_str(&format!("; SELECT set_config('rapport.tenant', '{tenant}', true)"));
        }
        if let Some(until) = until {
            let left = until.saturating_duration_since(Instant::now()).min(self.statement).as_millis().max(1);
            text.push_str(&format!("; SET LOCAL statement_timeout = {left}"));
        }
        if let Some(lock) = lock {
            text.push_str(&format!("; {}", lock.statement()));
        }
        text
    }
}
