//! The versions of what a tenant derives, up to which all its customers were looked at, and what looks at them.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, OperationId};
use sea_orm::QueryResult;
use uuid::Uuid;

use super::{number, rows, run};
use crate::domain::definitions::Versions;

/// What changed with a version, where it is neither a segment nor a trait's own definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// The stages.
    Stages,
    /// The tenant's zone, or the day on which its weeks begin.
    Calendar,
    /// The trust in a source.
    Trust,
    /// How much a text weighs in how a customer feels.
    Sentiment,
}

/// The operations that look at a tenant's customers: at most one is at it, and one waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looking {
    /// The one that has yet to begin: it will look by what is the newest version then.
    pub waiting: Option<OperationId>,
    /// The one that is at it.
    pub running: Option<OperationId>,
}

/// The versions.
pub async fn find(rx: &Rx) -> Result<Versions, Fault> {
    let text = "SELECT version, settled, stages, calendar, trust, sentiment FROM derivation WHERE tenant = $1";
    match rows(rx, text, [rx.tenant().uuid().into()]).await?.first() {
        Some(row) => versions(row),
        None => Ok(Versions::default()),
    }
}

fn versions(row: &QueryResult) -> Result<Versions, Fault> {
    let at = |place: usize| number(row, place).map(i64::cast_unsigned);
    let (version, settled, stages) = (at(0)?, at(1)?, at(2)?);
    Ok(Versions { version, settled, stages, calendar: at(3)?, trust: at(4)?, sentiment: at(5)? })
}

/// Who looks.
pub async fn looking(rx: &Rx) -> Result<Looking, Fault> {
    let text = "SELECT waiting, running FROM derivation WHERE tenant = $1";
    match rows(rx, text, [rx.tenant().uuid().into()]).await?.first() {
        Some(row) => Ok(Looking { waiting: operation(row, 0)?, running: operation(row, 1)? }),
        None => Ok(Looking::default()),
    }
}

fn operation(row: &QueryResult, place: usize) -> Result<Option<OperationId>, Fault> {
    Ok(row.try_get_by_index::<Option<Uuid>>(place).stored()?.map(OperationId::from_uuid))
}

/// Waits for others who change what is derived, or who begin to look; answers the versions and who looks.
pub async fn hold(tx: &Tx) -> Result<(Versions, Looking), Fault> {
    let text = "INSERT INTO derivation (tenant, version, settled, stages, calendar, trust, sentiment) \
                VALUES ($1, 0, 0, 0, 0, 0, 0) ON CONFLICT (tenant) DO UPDATE SET version = derivation.version \
                RETURNING version, settled, stages, calendar, trust, sentiment, waiting, running";
    let found = rows(tx, text, [tx.tenant().uuid().into()]).await?;
    let row = found.first().ok_or_else(|| Fault::internal("what is derived was not held"))?;
    Ok((versions(row)?, Looking { waiting: operation(row, 6)?, running: operation(row, 7)? }))
}

/// Counts a change; answers the new version.
pub async fn raise(tx: &Tx) -> Result<u64, Fault> {
    let text = "UPDATE derivation SET version = version + 1 WHERE tenant = $1 RETURNING version";
    let found = rows(tx, text, [tx.tenant().uuid().into()]).await?;
    let row = found.first().ok_or_else(|| Fault::internal("a version was not counted"))?;
    Ok(number(row, 0)?.cast_unsigned())
}

/// Notes what changed with a version.
pub async fn note(tx: &Tx, changed: Changed, version: u64) -> Result<(), Fault> {
    let text = match changed {
        Changed::Stages => "UPDATE derivation SET stages = $2 WHERE tenant = $1",
        Changed::Calendar => "UPDATE derivation SET calendar = $2 WHERE tenant = $1",
        Changed::Trust => "UPDATE derivation SET trust = $2 WHERE tenant = $1",
        Changed::Sentiment => "UPDATE derivation SET sentiment = $2 WHERE tenant = $1",
    };
    run(tx, text, [tx.tenant().uuid().into(), version.cast_signed().into()]).await.map(drop)
}

/// Notes who looks.
pub async fn look(tx: &Tx, looking: Looking) -> Result<(), Fault> {
    let text = "UPDATE derivation SET waiting = $2, running = $3 WHERE tenant = $1";
    let id = |id: Option<OperationId>| id.map(|id| id.uuid()).into();
    run(tx, text, [tx.tenant().uuid().into(), id(looking.waiting), id(looking.running)]).await.map(drop)
}

/// Notes that all customers were looked at by a version.
pub async fn settle(tx: &Tx, version: u64) -> Result<(), Fault> {
    let text = "UPDATE derivation SET settled = $2 WHERE tenant = $1 AND settled < $2";
    run(tx, text, [tx.tenant().uuid().into(), version.cast_signed().into()]).await.map(drop)
}
