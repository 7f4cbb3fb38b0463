//! What an erasure does to the tables of this crate: nothing of the subjects is left but the tombstones.

use std::time::Duration;

use rapport_kernel::{Fault, SubjectId, TenantId};
use sea_orm::{ConnectionTrait as _, EntityTrait as _, QueryFilter as _};

use crate::database::{Database, Scope, Terms};
use crate::fault::Stored as _;
use crate::tables::{dead_letter, outbox, receipt, run_on_subjects, sql, tombstone, wakeup};
use crate::unit::{Lock, Rx, Tx};

/// How often, and how long apart, it is looked whether the log was emptied.
const LOOKS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(10);
/// Subjects of one statement.
const CHUNK: usize = 500;

impl Tx {
    /// Forgets subjects, with this unit: their outbox rows, stored answers, inbox rows, dead letters and wakeups go,
    /// tombstones come. The service deletes its own rows in the same unit, after this, and publishes what tells of
    /// it. Waits for units that rely on nobody's being erased meanwhile: let it be the unit's first statement.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn erase(&self, subjects: &[SubjectId]) -> Result<(), Fault> {
        let (conn, tenant) = (self.conn(), self.tenant());
        self.take(Lock::of_erasure(tenant)).await?;
        self.notes().erases = true;
        for some in subjects.chunks(CHUNK) {
            outbox::erase(conn, tenant.uuid(), some).await.stored()?;
            receipt::erase(conn, tenant.uuid(), some).await.stored()?;
            run_on_subjects(conn, "DELETE FROM inbox", tenant.uuid(), some).await.stored()?;
            let letters = dead_letter::Entity::delete_many().filter(dead_letter::of_subjects(tenant.uuid(), some));
            letters.exec(conn).await.stored()?;
            wakeup::clear(conn, tenant, some).await.stored()?;
            tombstone::add(conn, tenant, some, self.now()).await.stored()?;
        }
        Ok(())
    }
}

impl Database {
    /// A unit of work that erases ([`Tx::erase`]). It begins with the tenant's lock of erasures, before any other, as
    /// every unit that holds erasures off does: so no two units wait for each other.
    ///
    /// # Errors
    /// As [`Database::write`].
    pub async fn write_erasing<T, F, Fut>(&self, tenant: TenantId, unit: F) -> Result<T, Fault>
    where
        F: Fn(Tx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, Fault>> + Send + 'static,
        T: Send + 'static,
    {
        let lock = Some(Lock::of_erasure(tenant));
        self.unit(Terms { scope: Scope::Tenant(tenant), lock }, unit).await
    }

    /// Whether nothing outside the tables holds what was erased. The bus: each event that had been given its position
    /// (its row is empty now) is settled, and what is settled the bus has let go of. SQLite's log: it was emptied.
    ///
    /// # Errors
    /// As [`Database::read`].
    pub async fn bus_clear(&self) -> Result<bool, Fault> {
        if !self.unstained().await {
            return Ok(false);
        }
        let left = |rx: Rx| async move {
            let text = "SELECT 1 FROM relay WHERE EXISTS (SELECT 1 FROM outbox WHERE outbox.partition = relay.partition \
                        AND outbox.position > relay.settled AND outbox.position IS NOT NULL \
                        AND length(outbox.body) = 0) LIMIT 1";
            rx.conn().query_one_raw(sql(rx.conn(), text, [])).await.stored()
        };
        Ok(self.system().read(left).await?.is_none())
    }

    /// Waits a little until SQLite's log was emptied: whoever asks has mostly just erased.
    async fn unstained(&self) -> bool {
        for _ in 0..LOOKS {
            if !self.is_stained() {
                return true;
            }
            tokio::time::sleep(PAUSE).await;
        }
        !self.is_stained()
    }
}
