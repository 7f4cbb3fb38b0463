//! The table of decisions: what was answered, and all that it was made from, until one of its subjects is erased.

use rapport_data::{Bulk, Column, Rx, Stored as _, Tx};
use rapport_kernel::{Fault, Reason, SubjectId, Timestamp};
use sea_orm::{ConnectionTrait as _, QueryResult, Value};
use uuid::Uuid;

use super::{list, places, sql};
use crate::domain::{DecisionId, Draw};

/// Rows of one statement.
const CHUNK: usize = 500;

/// A decision as it is kept. Its bytes hold personal data: there is no `Debug`.
pub struct Kept {
    /// Which, for whom, from which seed, when, how exploring.
    pub draw: Draw,
    /// The policy version it was made by.
    pub policy_version: i64,
    /// The version of the way it was made.
    pub algorithm: i16,
    /// What was asked, encoded.
    pub asked: Vec<u8>,
    /// The customer's context, encoded.
    pub profile: Vec<u8>,
    /// The ledger's counts, encoded.
    pub counts: Vec<u8>,
    /// What was answered, encoded.
    pub answer: Vec<u8>,
}

const INSERT: Bulk = Bulk {
    table: "decision",
    columns: &[
        "tenant",
        "decision_id",
        "subject_id",
        "decided_at",
        "policy_version",
        "algorithm",
        "seed",
        "exploration",
        "asked",
        "profile",
        "counts",
        "answer",
    ],
    suffix: "",
};
const INSERT_SOURCE: Bulk =
    Bulk { table: "decision_source", columns: &["tenant", "decision_id", "subject_id"], suffix: "" };

/// Writes decisions, each with the other subjects whose data it was made from.
///
/// # Errors
/// As the database's.
pub async fn insert(tx: &Tx, decisions: &[(&Kept, Vec<SubjectId>)]) -> Result<(), Fault> {
    let tenant = tx.tenant().uuid();
    let number = |of: fn(&Kept) -> i64| Column::Numbers(decisions.iter().map(|(kept, _)| of(kept)).collect());
    let id = |of: fn(&Kept) -> Uuid| Column::Ids(decisions.iter().map(|(kept, _)| of(kept)).collect());
    let bytes = |of: fn(&Kept) -> &Vec<u8>| Column::Bytes(decisions.iter().map(|(kept, _)| of(kept).clone()).collect());
    let columns = vec![
        Column::same_id(tenant, decisions.len()),
        id(|kept| kept.draw.id.uuid()),
        id(|kept| kept.draw.subject.uuid()),
        number(|kept| kept.draw.at.micros()),
        number(|kept| kept.policy_version),
        Column::Smalls(decisions.iter().map(|(kept, _)| kept.algorithm).collect()),
        number(|kept| kept.draw.seed.cast_signed()),
        Column::Reals(decisions.iter().map(|(kept, _)| kept.draw.exploration).collect()),
        bytes(|kept| &kept.asked),
        bytes(|kept| &kept.profile),
        bytes(|kept| &kept.counts),
        bytes(|kept| &kept.answer),
    ];
    INSERT.insert(tx.conn(), columns).await?;
    let sources = decisions.iter().flat_map(|(kept, subjects)| subjects.iter().map(|subject| (kept.draw.id, *subject)));
    let (ids, subjects): (Vec<Uuid>, Vec<Uuid>) = sources.map(|(id, subject)| (id.uuid(), subject.uuid())).unzip();
    let columns = vec![Column::same_id(tenant, ids.len()), Column::Ids(ids), Column::Ids(subjects)];
    INSERT_SOURCE.insert(tx.conn(), columns).await
}

/// What was answered.
///
/// # Errors
/// NOT_FOUND; FAILED_PRECONDITION where a subject of it was erased; else as the database's.
pub async fn answer(rx: &Rx, id: DecisionId) -> Result<Vec<u8>, Fault> {
    let row = one(rx, id, "SELECT answer FROM decision WHERE tenant = $1 AND decision_id = $2").await?;
    row.try_get_by_index(0).stored()
}

/// A decision with all that it was made from.
///
/// # Errors
/// As [`answer`].
pub async fn get(rx: &Rx, id: DecisionId) -> Result<Kept, Fault> {
    const TEXT: &str = "SELECT subject_id, decided_at, policy_version, algorithm, seed, exploration, asked, profile, \
                        counts, answer FROM decision WHERE tenant = $1 AND decision_id = $2";
    let row = one(rx, id, TEXT).await?;
    let seed: i64 = row.try_get_by_index(4).stored()?;
    let draw = Draw {
        id,
        subject: SubjectId::from_uuid(row.try_get_by_index(0).stored()?),
        seed: seed.cast_unsigned(),
        at: Timestamp::from_column(row.try_get_by_index(1).stored()?),
        exploration: row.try_get_by_index(5).stored()?,
    };
    Ok(Kept {
        draw,
        policy_version: row.try_get_by_index(2).stored()?,
        algorithm: row.try_get_by_index(3).stored()?,
        asked: row.try_get_by_index(6).stored()?,
        profile: row.try_get_by_index(7).stored()?,
        counts: row.try_get_by_index(8).stored()?,
        answer: row.try_get_by_index(9).stored()?,
    })
}

async fn one(rx: &Rx, id: DecisionId, text: &str) -> Result<QueryResult, Fault> {
    let named = || vec![rx.tenant().uuid().into(), id.uuid().into()];
    if let Some(row) = rx.conn().query_one_raw(sql(rx.conn(), text, named())).await.stored()? {
        return Ok(row);
    }
    let erased = "SELECT erased_at FROM erased_decision WHERE tenant = $1 AND decision_id = $2";
    match rx.conn().query_one_raw(sql(rx.conn(), erased, named())).await.stored()? {
        Some(_) => Err(Fault::new(Reason::Erased, "the customer that the decision was made for was erased")),
        None => Err(Fault::not_found("decision", id.to_string())),
    }
}

/// Forgets the decisions filed under the subjects, and those made from data of theirs; of each only its id is kept.
/// Answers how many rows went.
///
/// # Errors
/// As the database's.
pub async fn erase(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    let mut deleted = 0;
    for some in subjects.chunks(CHUNK) {
        let those = list(1, some.len());
        let text = format!(
            "SELECT decision_id FROM decision WHERE tenant = $1 AND subject_id IN ({those}) \
             UNION SELECT decision_id FROM decision_source WHERE tenant = $1 AND subject_id IN ({those})"
        );
        let values = values(tx, some.iter().map(|subject| subject.uuid()));
        let rows = tx.conn().query_all_raw(sql(tx.conn(), text, values)).await.stored()?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.try_get_by_index(0).stored()).collect::<Result<_, _>>()?;
        for ids in ids.chunks(CHUNK) {
            deleted += forget(tx, ids).await?;
        }
    }
    Ok(deleted)
}

async fn forget(tx: &Tx, ids: &[Uuid]) -> Result<u64, Fault> {
    let text = format!("INSERT INTO erased_decision (tenant, decision_id, erased_at) VALUES {}", places(ids.len(), 3));
    let row = |id: &Uuid| [tx.tenant().uuid().into(), (*id).into(), Value::from(tx.now().micros())];
    let tombs = ids.iter().flat_map(row).collect();
    tx.conn().execute_raw(sql(tx.conn(), text, tombs)).await.stored()?;
    let mut deleted = 0;
    for table in ["decision_source", "decision"] {
        let text = format!("DELETE FROM {table} WHERE tenant = $1 AND decision_id IN ({})", list(1, ids.len()));
        let values = values(tx, ids.iter().copied());
        deleted += tx.conn().execute_raw(sql(tx.conn(), text, values)).await.stored()?.rows_affected();
    }
    Ok(deleted)
}

/// The tenant, then ids.
fn values(tx: &Tx, ids: impl Iterator<Item = Uuid>) -> Vec<Value> {
    std::iter::once(tx.tenant().uuid()).chain(ids).map(Value::from).collect()
}

/// Lets go of decisions from before an instant, and of what is left of erased ones, the oldest first; answers how many
/// rows went of the table that most went of. A decision's id begins with its time, so that the key is in its order.
///
/// # Errors
/// As the database's.
pub async fn prune(tx: &Tx, before: Timestamp, limit: u64) -> Result<u64, Fault> {
    let millis = u64::try_from(before.micros() / 1_000).unwrap_or(0);
    let least = uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid();
    let mut most = 0;
    for table in ["decision_source", "decision", "erased_decision"] {
        let text = format!(
            "DELETE FROM {table} WHERE tenant = $1 AND decision_id IN (SELECT decision_id FROM {table} \
             WHERE tenant = $1 AND decision_id < $2 ORDER BY decision_id LIMIT {limit})"
        );
        let values = vec![tx.tenant().uuid().into(), least.into()];
        most = most.max(tx.conn().execute_raw(sql(tx.conn(), text, values)).await.stored()?.rows_affected());
    }
    Ok(most)
}
