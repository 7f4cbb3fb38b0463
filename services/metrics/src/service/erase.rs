//! Forgetting subjects. Their facts leave the cells and are gone; those that stood are counted among the erased ones, once.
//! What comes late is stopped by the subject's tombstone and counts nowhere. Both ways here, the event and the gateway's
//! call, do the same, and doing it again changes nothing.

use rapport_data::{Database, Tx};
use rapport_kernel::{Fault, SubjectId, TenantId};

use super::apply::{lock, settle};
use crate::domain::cells::Deltas;
use crate::domain::facts;
use crate::store;

/// Erases subjects at the gateway's request. Answers how many rows it deleted.
///
/// # Errors
/// Where the database fails.
pub async fn erase(database: &Database, tenant: TenantId, subjects: Vec<SubjectId>) -> Result<u64, Fault> {
    let unit = move |tx: Tx| {
        let subjects = subjects.clone();
        async move {
            lock(&tx).await?;
            forget(&tx, &subjects).await
        }
    };
    database.write(tenant, unit).await
}

/// Forgets subjects, within a unit that holds the tenant's lock.
///
/// # Errors
/// Where the database fails.
pub async fn forget(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    if subjects.is_empty() {
        return Ok(0);
    }
    tx.erase(subjects).await?;
    let links = store::subject_link::delete(tx, subjects).await?;
    let facts = store::fact::of_subjects(tx, subjects).await?;
    let mut deltas = Deltas::default();
    for (key, fact) in &facts {
        facts::erase(*key, fact, &mut deltas);
    }
    store::fact::delete(tx, subjects).await?;
    settle(tx, &deltas).await?;
    Ok(links + u64::try_from(facts.len()).unwrap_or(u64::MAX))
}
