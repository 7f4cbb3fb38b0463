//! The contact ledger, and the state that holds two decisions of a customer apart.
//!
//! Whoever decides reads the state's version together with the ledger, and commits only where it is still that one.
//! So a cap is strict however many decide at once, in this process or another.

use std::time::Duration;

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, SubjectId, Timestamp};
use sea_orm::{ConnectionTrait as _, Value};

use super::{list, places, sql};
use crate::domain::{ActionId, Cap, DecisionId};

/// The version of an erased subject's state: it is never read as one to decide on.
const ERASED: i64 = -1;
/// Subjects of one statement.
const CHUNK: usize = 500;
/// Up to so many changes a subject's whole ledger is read; of a longer one only the capped actions' entries.
const SHORT: i64 = 64;

/// What the ledger held when a decision read it.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// Of each subject the version of its state; 0 where it has none.
    pub versions: Vec<(SubjectId, i64)>,
    /// Entries of the actions that were asked for, and perhaps of others.
    pub entries: Vec<(ActionId, Timestamp)>,
}

impl Read {
    /// Those of the subjects that were erased.
    pub fn erased(&self) -> impl Iterator<Item = SubjectId> {
        self.versions.iter().filter(|(_, version)| *version == ERASED).map(|(subject, _)| *subject)
    }
}

/// Reads the state of subjects, then the entries that the caps need. In this order: what is committed between the
/// two is seen in the entries only, and the decision then loses where it need not, instead of winning where it must
/// not.
///
/// # Errors
/// As the database's.
pub async fn read(rx: &Rx, subjects: &[SubjectId], caps: &[(ActionId, Cap)], at: Timestamp) -> Result<Read, Fault> {
    let mut read = Read { versions: subjects.iter().map(|subject| (*subject, 0)).collect(), ..Read::default() };
    for versions in read.versions.chunks_mut(CHUNK) {
        let text = format!(
            "SELECT subject_id, version FROM contact_state WHERE tenant = $1 AND subject_id IN ({})",
            list(1, versions.len())
        );
        let mut values: Vec<Value> = vec![rx.tenant().uuid().into()];
        values.extend(versions.iter().map(|(subject, _)| Value::from(subject.uuid())));
        for row in rx.conn().query_all_raw(sql(rx.conn(), text, values)).await.stored()? {
            let subject = SubjectId::from_uuid(row.try_get_by_index(0).stored()?);
            let version = row.try_get_by_index(1).stored()?;
            versions.iter_mut().filter(|(held, _)| *held == subject).for_each(|held| held.1 = version);
        }
    }
    let longest = caps.iter().map(|(_, cap)| cap.window).max();
    if let Some(longest) = longest {
        let known: Vec<(SubjectId, i64)> = read.versions.iter().copied().filter(|(_, version)| *version > 0).collect();
        for some in known.chunks(CHUNK) {
            read.entries.extend(entries(rx, some, caps, longest, at).await?);
        }
    }
    Ok(read)
}

async fn entries(
    rx: &Rx,
    subjects: &[(SubjectId, i64)],
    caps: &[(ActionId, Cap)],
    longest: Duration,
    at: Timestamp,
) -> Result<Vec<(ActionId, Timestamp)>, Fault> {
    let mut text = format!(
        "SELECT action_id, entered_at FROM ledger WHERE tenant = $1 AND entered_at > $2 AND subject_id IN ({})",
        list(2, subjects.len())
    );
    let mut values: Vec<Value> = vec![rx.tenant().uuid().into(), at.minus(longest).micros().into()];
    values.extend(subjects.iter().map(|(subject, _)| Value::from(subject.uuid())));
    if subjects.iter().map(|(_, version)| version).sum::<i64>() > SHORT {
        text.push_str(&format!(" AND action_id IN ({})", list(values.len(), caps.len())));
        values.extend(caps.iter().map(|(action, _)| Value::from(action.uuid())));
    }
    let rows = rx.conn().query_all_raw(sql(rx.conn(), text, values)).await.stored()?;
    let entry = |row: &sea_orm::QueryResult| {
        let action = ActionId::from_uuid(row.try_get_by_index(0).stored()?);
        Ok((action, Timestamp::from_column(row.try_get_by_index(1).stored()?)))
    };
    rows.iter().map(entry).collect()
}

/// Raises the state of every subject, where all are still as they were read. False: another decision won (or the
/// subject was erased), and nothing of this unit may be committed.
///
/// # Errors
/// As the database's.
pub async fn raise(tx: &Tx, versions: &[(SubjectId, i64)]) -> Result<bool, Fault> {
    let mut raised = 0;
    // In the order of their ids, so that no two units wait for each other.
    let mut versions = versions.to_vec();
    versions.sort_unstable();
    for some in versions.chunks(CHUNK) {
        let text = format!(
            "INSERT INTO contact_state (tenant, subject_id, version) VALUES {} ON CONFLICT (tenant, subject_id) \
             DO UPDATE SET version = excluded.version WHERE contact_state.version = excluded.version - 1",
            places(some.len(), 3)
        );
        let row = |(subject, version): &(SubjectId, i64)| {
            [tx.tenant().uuid().into(), subject.uuid().into(), Value::from(version + 1)]
        };
        let values = some.iter().flat_map(row).collect();
        raised += tx.conn().execute_raw(sql(tx.conn(), text, values)).await.stored()?.rows_affected();
    }
    Ok(raised == versions.len() as u64)
}

/// Enters actions into a subject's ledger.
///
/// # Errors
/// As the database's.
pub async fn enter(
    tx: &Tx,
    subject: SubjectId,
    decision: DecisionId,
    at: Timestamp,
    actions: &[ActionId],
) -> Result<(), Fault> {
    let text = format!(
        "INSERT INTO ledger (tenant, subject_id, action_id, entered_at, decision_id) VALUES {}",
        places(actions.len(), 5)
    );
    let row = |action: &ActionId| {
        let (tenant, subject) = (tx.tenant().uuid(), subject.uuid());
        [tenant.into(), subject.into(), action.uuid().into(), at.micros().into(), Value::from(decision.uuid())]
    };
    let values = actions.iter().flat_map(row).collect();
    tx.conn().execute_raw(sql(tx.conn(), text, values)).await.stored().map(drop)
}

/// Forgets what the subjects got, and closes their state for ever. Answers how many rows went.
///
/// # Errors
/// As the database's.
pub async fn erase(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    let mut deleted = 0;
    for some in subjects.chunks(CHUNK) {
        let text = format!("DELETE FROM ledger WHERE tenant = $1 AND subject_id IN ({})", list(1, some.len()));
        let mut values: Vec<Value> = vec![tx.tenant().uuid().into()];
        values.extend(some.iter().map(|subject| Value::from(subject.uuid())));
        // Closed first: a decision that commits meanwhile waits for this unit, and then finds it closed.
        close(tx, some).await?;
        deleted += tx.conn().execute_raw(sql(tx.conn(), text, values)).await.stored()?.rows_affected();
    }
    Ok(deleted)
}

async fn close(tx: &Tx, subjects: &[SubjectId]) -> Result<(), Fault> {
    let mut subjects = subjects.to_vec();
    subjects.sort_unstable();
    let text = format!(
        "INSERT INTO contact_state (tenant, subject_id, version) VALUES {} \
         ON CONFLICT (tenant, subject_id) DO UPDATE SET version = excluded.version",
        places(subjects.len(), 3)
    );
    let row = |subject: &SubjectId| [tx.tenant().uuid().into(), subject.uuid().into(), Value::from(ERASED)];
    let values = subjects.iter().flat_map(row).collect();
    tx.conn().execute_raw(sql(tx.conn(), text, values)).await.stored().map(drop)
}
