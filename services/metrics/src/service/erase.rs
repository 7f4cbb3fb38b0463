//! Forgetting subjects. Their records leave the cells and are gone; those that counted are counted among the erased ones, once.
//! What comes late is stopped by the subject's tombstone and counts nowhere. Both ways here, the event and the gateway's
//! call, do the same, and doing it again changes nothing.

use rapport_data::{Database, Tx};
use rapport_kernel::{Fault, SubjectId, TenantId};

use super::apply::{lock, settle};
use crate::domain::cells::Deltas;
use crate::domain::records;
use crate::store;

/// Facts that one unit forgets: others write between two.
const BITE: usize = 5_000;

/// What a unit forgot.
#[derive(Clone, Copy, Default)]
pub struct Forgotten {
    /// How many links and records went.
    pub rows: u64,
    /// Whether there may be more.
    pub more: bool,
}

/// Erases subjects at the gateway's request, however many facts they have. Answers how many links and records it deleted.
///
/// # Errors
/// Where the database fails; what was forgotten until then stays so.
pub async fn erase(database: &Database, tenant: TenantId, subjects: Vec<SubjectId>) -> Result<u64, Fault> {
    let mut rows = 0;
    loop {
        let subjects = subjects.clone();
        let unit = move |tx: Tx| {
            let subjects = subjects.clone();
            async move {
                lock(&tx).await?;
                forget(&tx, &subjects).await
            }
        };
        let forgotten = database.write_erasing(tenant, unit).await?;
        rows += forgotten.rows;
        if !forgotten.more {
            return Ok(rows);
        }
    }
}

/// Forgets subjects, within a unit that holds the tenant's lock: no fact of theirs comes from now on, and so many of those
/// that are there go. What an event's unit leaves goes at the gateway's request, which comes in any case.
///
/// # Errors
/// Where the database fails.
pub async fn forget(tx: &Tx, subjects: &[SubjectId]) -> Result<Forgotten, Fault> {
    if subjects.is_empty() {
        return Ok(Forgotten::default());
    }
    tx.erase(subjects).await?;
    let links = store::subject_link::delete(tx, subjects).await?;
    let (found, more) = store::record::of_subjects(tx, subjects, BITE).await?;
    let mut deltas = Deltas::default();
    for record in found.values() {
        records::erase(record, &mut deltas);
    }
    store::record::delete(tx, &found).await?;
    settle(tx, &deltas).await?;
    Ok(Forgotten { rows: links + u64::try_from(found.len()).unwrap_or(u64::MAX), more })
}
