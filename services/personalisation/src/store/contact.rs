//! The contact ledger, and the state that holds two decisions of a customer apart.
//!
//! Whoever decides reads the state's version together with the ledger, and commits only where it is still that one.
//! So a cap is strict however many decide at once, in this process or another.

use std::collections::HashSet;

use rapport_data::{Bulk, Column, Rx, Stored as _, Tx};
use rapport_kernel::{Fault, SubjectId, Timestamp};
use sea_orm::{ConnectionTrait as _, QueryResult, Value};
use uuid::Uuid;

use super::{list, places, sql};
use crate::domain::contact::ContactKind;
use crate::domain::{ActionId, Cap, DecisionId};

/// The version of an erased subject's state: it is never read as one to decide on.
const ERASED: i64 = -1;
/// Subjects of one statement.
pub(super) const CHUNK: usize = 500;
/// Up to so many changes a subject's whole ledger is read with its state; of a longer one the capped actions' entries.
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

/// Reads the state of subjects together with the entries that the caps need: what one statement sees is of one
/// instant. Of a long history the entries are read after the state; then a decision may lose where it need not, but
/// never win where it must not.
///
/// # Errors
/// As the database's.
pub async fn read(rx: &Rx, subjects: &[SubjectId], caps: &[(ActionId, Cap)], at: Timestamp) -> Result<Read, Fault> {
    let mut read = Read { versions: subjects.iter().map(|subject| (*subject, 0)).collect(), ..Read::default() };
    let Some(longest) = caps.iter().map(|(_, cap)| cap.window).max() else {
        for versions in read.versions.chunks_mut(CHUNK) {
            states(rx, versions).await?;
        }
        return Ok(read);
    };
    let since = at.minus(longest);
    for versions in read.versions.chunks_mut(CHUNK) {
        read.entries.extend(states_and_entries(rx, versions, since).await?);
        let long: Vec<SubjectId> =
            versions.iter().filter(|(_, version)| *version > SHORT).map(|(subject, _)| *subject).collect();
        if !long.is_empty() {
            read.entries.extend(entries(rx, &long, caps, since).await?);
        }
    }
    Ok(read)
}

/// Reads the state of subjects alone, each noted beside it.
///
/// # Errors
/// As the database's.
pub(super) async fn states(rx: &Rx, versions: &mut [(SubjectId, i64)]) -> Result<(), Fault> {
    let text = format!(
        "SELECT subject_id, version FROM contact_state WHERE tenant = $1 AND subject_id IN ({})",
        list(1, versions.len())
    );
    let values = of_subjects(rx, versions.iter().map(|(subject, _)| *subject));
    for row in rx.conn().query_all_raw(sql(rx.conn(), text, values)).await.stored()? {
        note(versions, &row)?;
    }
    Ok(())
}

async fn states_and_entries(
    rx: &Rx,
    versions: &mut [(SubjectId, i64)],
    since: Timestamp,
) -> Result<Vec<(ActionId, Timestamp)>, Fault> {
    let text = format!(
        "SELECT state.subject_id, state.version, ledger.action_id, ledger.entered_at FROM contact_state AS state \
         LEFT JOIN ledger ON state.version <= {SHORT} AND ledger.tenant = state.tenant \
         AND ledger.subject_id = state.subject_id AND ledger.entered_at > ${} \
         WHERE state.tenant = $1 AND state.subject_id IN ({})",
        versions.len() + 2,
        list(1, versions.len())
    );
    let mut values = of_subjects(rx, versions.iter().map(|(subject, _)| *subject));
    values.push(since.micros().into());
    let mut entries = Vec::new();
    for row in rx.conn().query_all_raw(sql(rx.conn(), text, values)).await.stored()? {
        note(versions, &row)?;
        if let Some(action) = row.try_get_by_index::<Option<Uuid>>(2).stored()? {
            let entered = Timestamp::from_column(row.try_get_by_index(3).stored()?);
            entries.push((ActionId::from_uuid(action), entered));
        }
    }
    Ok(entries)
}

/// Notes the version of a row's subject.
fn note(versions: &mut [(SubjectId, i64)], row: &QueryResult) -> Result<(), Fault> {
    let subject = SubjectId::from_uuid(row.try_get_by_index(0).stored()?);
    let version = row.try_get_by_index(1).stored()?;
    versions.iter_mut().filter(|(held, _)| *held == subject).for_each(|held| held.1 = version);
    Ok(())
}

/// The tenant, then the subjects.
pub(super) fn of_subjects(rx: &Rx, subjects: impl Iterator<Item = SubjectId>) -> Vec<Value> {
    std::iter::once(rx.tenant().uuid()).chain(subjects.map(SubjectId::uuid)).map(Value::from).collect()
}

/// The entries of the capped actions alone, of which a cap keeps the number small.
async fn entries(
    rx: &Rx,
    subjects: &[SubjectId],
    caps: &[(ActionId, Cap)],
    since: Timestamp,
) -> Result<Vec<(ActionId, Timestamp)>, Fault> {
    let mut values = of_subjects(rx, subjects.iter().copied());
    let text = format!(
        "SELECT action_id, entered_at FROM ledger WHERE tenant = $1 AND subject_id IN ({}) AND action_id IN ({}) \
         AND entered_at > ${}",
        list(1, subjects.len()),
        list(values.len(), caps.len()),
        values.len() + caps.len() + 1
    );
    values.extend(caps.iter().map(|(action, _)| Value::from(action.uuid())));
    values.push(since.micros().into());
    let rows = rx.conn().query_all_raw(sql(rx.conn(), text, values)).await.stored()?;
    let entry = |row: &QueryResult| {
        let action = ActionId::from_uuid(row.try_get_by_index(0).stored()?);
        Ok((action, Timestamp::from_column(row.try_get_by_index(1).stored()?)))
    };
    rows.iter().map(entry).collect()
}

/// Raises the state of the subjects that are still as they were read; `versions` names each once. Answers those that
/// were raised: of another a decision was committed meanwhile, or it was erased.
///
/// # Errors
/// As the database's.
pub async fn raise(tx: &Tx, mut versions: Vec<(SubjectId, i64)>) -> Result<HashSet<SubjectId>, Fault> {
    // In the order of their ids, so that no two units wait for each other.
    versions.sort_unstable();
    let subjects = versions.iter().map(|(subject, _)| subject.uuid()).collect();
    let next = versions.iter().map(|(_, version)| version + 1).collect();
    let tenants = Column::same_id(tx.tenant().uuid(), versions.len());
    let raised = RAISE.insert_returning(tx.conn(), vec![tenants, Column::Ids(subjects), Column::Numbers(next)]).await?;
    Ok(raised.into_iter().map(SubjectId::from_uuid).collect())
}

const RAISE: Bulk = Bulk {
    table: "contact_state",
    columns: &["tenant", "subject_id", "version"],
    suffix: "ON CONFLICT (tenant, subject_id) DO UPDATE SET version = excluded.version \
             WHERE contact_state.version = excluded.version - 1 AND contact_state.version >= 0 RETURNING subject_id",
};
const ENTER: Bulk = Bulk {
    table: "ledger",
    columns: &[
        "tenant",
        "subject_id",
        "action_id",
        "entered_at",
        "decision_id",
        "kind",
        "channel",
        "purpose",
        "topic",
        "reference",
    ],
    suffix: "",
};

/// What enters the ledger: a subject got an action by a decision.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Who.
    pub subject: SubjectId,
    /// What.
    pub action: ActionId,
    /// When.
    pub at: Timestamp,
    /// By which decision.
    pub decision: DecisionId,
    /// On which channel.
    pub channel: String,
}

/// Enters what subjects got.
///
/// # Errors
/// As the database's.
pub async fn enter(tx: &Tx, entries: &[Entry]) -> Result<(), Fault> {
    let id = |of: fn(&Entry) -> Uuid| Column::Ids(entries.iter().map(of).collect());
    let text = |of: fn(&Entry) -> String| Column::Texts(entries.iter().map(of).collect());
    let columns = vec![
        Column::same_id(tx.tenant().uuid(), entries.len()),
        id(|entry| entry.subject.uuid()),
        id(|entry| entry.action.uuid()),
        Column::Numbers(entries.iter().map(|entry| entry.at.micros()).collect()),
        id(|entry| entry.decision.uuid()),
        text(|_| ContactKind::Decision.name().to_owned()),
        text(|entry| entry.channel.clone()),
        text(|_| String::new()),
        text(|_| String::new()),
        text(|_| String::new()),
    ];
    ENTER.insert(tx.conn(), columns).await
}

/// Forgets what the subjects got, and closes their state for ever. Answers how many rows went.
///
/// # Errors
/// As the database's.
pub async fn erase(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    let mut deleted = 0;
    for some in subjects.chunks(CHUNK) {
        let text = format!("DELETE FROM ledger WHERE tenant = $1 AND subject_id IN ({})", list(1, some.len()));
        let values = of_subjects(tx, some.iter().copied());
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

/// Lets go of entries from before an instant, the oldest first; answers how many went.
///
/// # Errors
/// As the database's.
pub async fn prune(tx: &Tx, before: Timestamp, limit: u64) -> Result<u64, Fault> {
    let text = format!(
        "DELETE FROM ledger WHERE tenant = $1 AND (subject_id, action_id, entered_at, decision_id) IN (SELECT subject_id, \
         action_id, entered_at, decision_id FROM ledger WHERE tenant = $1 AND entered_at < $2 ORDER BY entered_at \
         LIMIT {limit})"
    );
    let values = vec![tx.tenant().uuid().into(), before.micros().into()];
    Ok(tx.conn().execute_raw(sql(tx.conn(), text, values)).await.stored()?.rows_affected())
}
