//! Records made ready for matching, the keys by which candidates are found, and the pairs that look alike.

use std::collections::{BTreeMap, BTreeSet};

use rapport_data::{Engine, Rx, Stored as _, Tx};
use rapport_kernel::{Fault, SubjectId};
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::{CHUNK, delete_subjects, marks, rows, run};

/// Two records that look alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// One.
    pub subject: SubjectId,
    /// The other.
    pub other: SubjectId,
    /// How likely they are one party's.
    pub probability: f64,
}

fn ids(subjects: &[SubjectId]) -> impl Iterator<Item = Value> {
    subjects.iter().map(|subject| Value::from(subject.uuid()))
}

/// A record as it was made ready, for fields of a tag.
pub async fn record(rx: &Rx, subject: SubjectId, tag: i64) -> Result<Option<Vec<u8>>, Fault> {
    Ok(records(rx, &[subject], tag).await?.remove(&subject))
}

/// Records as they were made ready, for fields of a tag.
pub async fn records(rx: &Rx, subjects: &[SubjectId], tag: i64) -> Result<BTreeMap<SubjectId, Vec<u8>>, Fault> {
    let mut found = BTreeMap::new();
    for some in subjects.chunks(CHUNK) {
        let text = format!(
            "SELECT subject_id, prepared FROM match_record WHERE tenant = $1 AND tag = $2 AND subject_id IN ({})",
            marks(3, some.len())
        );
        let values = [Value::from(rx.tenant().uuid()), Value::from(tag)].into_iter().chain(ids(some));
        for row in rows(rx, &text, values).await? {
            let id = SubjectId::from_uuid(row.try_get_by_index::<Uuid>(0).stored()?);
            found.insert(id, row.try_get_by_index(1).stored()?);
        }
    }
    Ok(found)
}

/// The keys that records have in the tables, each once.
pub async fn keys(rx: &Rx, subjects: &[SubjectId]) -> Result<BTreeMap<SubjectId, BTreeSet<i64>>, Fault> {
    let mut found = BTreeMap::<SubjectId, BTreeSet<i64>>::new();
    for some in subjects.chunks(CHUNK) {
        let text = format!(
            "SELECT subject_id, rule_key FROM match_block WHERE tenant = $1 AND subject_id IN ({})",
            marks(2, some.len())
        );
        for row in rows(rx, &text, std::iter::once(Value::from(rx.tenant().uuid())).chain(ids(some))).await? {
            let id = SubjectId::from_uuid(row.try_get_by_index::<Uuid>(0).stored()?);
            found.entry(id).or_default().insert(row.try_get_by_index(1).stored()?);
        }
    }
    Ok(found)
}

/// How many blocks one statement asks for.
const BLOCKS: usize = 100;

/// For each key that anybody has those who have it, at most `limit` of each.
pub async fn blocks(rx: &Rx, keys: &[i64], limit: usize) -> Result<BTreeMap<i64, Vec<SubjectId>>, Fault> {
    let mut found = BTreeMap::<i64, Vec<SubjectId>>::new();
    for some in keys.chunks(BLOCKS) {
        let text = blocks_text(rx.engine(), some.len(), limit);
        let values = std::iter::once(Value::from(rx.tenant().uuid())).chain(some.iter().map(|key| Value::from(*key)));
        for row in rows(rx, &text, values).await? {
            let subject = SubjectId::from_uuid(row.try_get_by_index::<Uuid>(1).stored()?);
            found.entry(row.try_get_by_index(0).stored()?).or_default().push(subject);
        }
    }
    Ok(found)
}

/// A look into each block by its key, each bounded by itself. SQLite knows no LATERAL; Postgres would plan each term of a
/// union anew.
fn blocks_text(engine: Engine, keys: usize, limit: usize) -> String {
    if engine == Engine::Postgres {
        let values = (2..keys + 2).map(|at| format!("(${at}::bigint)")).collect::<Vec<_>>().join(", ");
        return format!(
            "SELECT k.rule_key, b.subject_id FROM (VALUES {values}) AS k (rule_key) CROSS JOIN LATERAL (SELECT \
             subject_id FROM match_block WHERE tenant = $1 AND rule_key = k.rule_key LIMIT {limit}) AS b"
        );
    }
    let one = |at: usize| {
        format!(
            "SELECT * FROM (SELECT rule_key, subject_id FROM match_block WHERE tenant = $1 AND rule_key = ${at} \
             LIMIT {limit})"
        )
    };
    (2..keys + 2).map(one).collect::<Vec<_>>().join(" UNION ALL ")
}

/// What a record is in the tables.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Whose.
    pub subject: SubjectId,
    /// As it was made ready.
    pub prepared: Vec<u8>,
    /// Its keys.
    pub keys: Vec<i64>,
}

/// Puts records and their keys in the place of what was held of them.
pub async fn put(tx: &Tx, tag: i64, entries: &[Entry]) -> Result<(), Fault> {
    let subjects: Vec<SubjectId> = entries.iter().map(|entry| entry.subject).collect();
    delete_subjects(tx, "match_block", &subjects).await?;
    let tenant = Value::from(tx.tenant().uuid());
    for some in entries.chunks(CHUNK / 4) {
        let row = |at: usize| format!("($1, ${}, $2, ${})", 2 * at + 3, 2 * at + 4);
        let places: Vec<String> = (0..some.len()).map(row).collect();
        let text = format!(
            "INSERT INTO match_record (tenant, subject_id, tag, prepared) VALUES {} ON CONFLICT (tenant, subject_id) \
             DO UPDATE SET tag = excluded.tag, prepared = excluded.prepared",
            places.join(", ")
        );
        let values = some.iter().flat_map(|entry| [entry.subject.uuid().into(), entry.prepared.clone().into()]);
        run(tx, &text, [tenant.clone(), tag.into()].into_iter().chain(values)).await?;
    }
    let keys: Vec<(i64, SubjectId)> =
        entries.iter().flat_map(|entry| entry.keys.iter().map(|key| (*key, entry.subject))).collect();
    for some in keys.chunks(CHUNK) {
        let row = |at: usize| format!("($1, ${}, ${})", 2 * at + 2, 2 * at + 3);
        let places: Vec<String> = (0..some.len()).map(row).collect();
        let text = format!(
            "INSERT INTO match_block (tenant, rule_key, subject_id) VALUES {} ON CONFLICT DO NOTHING",
            places.join(", ")
        );
        let values = some.iter().flat_map(|(key, subject)| [Value::from(*key), subject.uuid().into()]);
        run(tx, &text, std::iter::once(tenant.clone()).chain(values)).await?;
    }
    Ok(())
}

/// The pairs that name one of the subjects, each once for each subject that was asked for. A pair that no training has
/// weighed anew yet is held as the one before it did.
pub async fn edges(rx: &Rx, subjects: &[SubjectId], from: f64) -> Result<Vec<Edge>, Fault> {
    let mut found = Vec::new();
    let edge = |row: &QueryResult| {
        Ok(Edge {
            subject: SubjectId::from_uuid(row.try_get_by_index::<Uuid>(0).stored()?),
            other: SubjectId::from_uuid(row.try_get_by_index::<Uuid>(1).stored()?),
            probability: row.try_get_by_index(2).stored()?,
        })
    };
    for some in subjects.chunks(CHUNK) {
        let text = format!(
            "SELECT subject_id, other_id, probability FROM match_edge WHERE tenant = $1 AND probability >= $2 AND \
             subject_id IN ({})",
            marks(3, some.len())
        );
        let head = [Value::from(rx.tenant().uuid()), from.into()];
        for row in rows(rx, &text, head.into_iter().chain(ids(some))).await? {
            found.push(edge(&row)?);
        }
    }
    Ok(found)
}

/// Puts pairs in the place of those that name one of some subjects. A pair may be named from both sides.
pub async fn replace_edges(tx: &Tx, subjects: &[SubjectId], version: u64, edges: &[Edge]) -> Result<(), Fault> {
    delete_edges(tx, subjects).await?;
    add_edges(tx, version, edges).await
}

/// Adds pairs, or changes what was held of them.
pub async fn add_edges(tx: &Tx, version: u64, edges: &[Edge]) -> Result<(), Fault> {
    let sides = edges
        .iter()
        .flat_map(|it| [((it.subject, it.other), it.probability), ((it.other, it.subject), it.probability)]);
    let both: Vec<((SubjectId, SubjectId), f64)> = sides.collect::<BTreeMap<_, _>>().into_iter().collect();
    for some in both.chunks(CHUNK / 4) {
        let row = |at: usize| format!("($1, ${}, ${}, ${}, $2)", 3 * at + 3, 3 * at + 4, 3 * at + 5);
        let places: Vec<String> = (0..some.len()).map(row).collect();
        let text = format!(
            "INSERT INTO match_edge (tenant, subject_id, other_id, probability, model_version) VALUES {} ON CONFLICT \
             (tenant, subject_id, other_id) DO UPDATE SET probability = excluded.probability, model_version = \
             excluded.model_version",
            places.join(", ")
        );
        let head = [Value::from(tx.tenant().uuid()), version.cast_signed().into()];
        let values = some.iter().flat_map(|((subject, other), probability)| {
            [subject.uuid().into(), other.uuid().into(), (*probability).into()]
        });
        run(tx, &text, head.into_iter().chain(values)).await?;
    }
    Ok(())
}

/// Deletes single pairs, from both sides.
pub async fn remove_edges(tx: &Tx, pairs: &[(SubjectId, SubjectId)]) -> Result<(), Fault> {
    let both: Vec<(SubjectId, SubjectId)> =
        pairs.iter().flat_map(|(one, other)| [(*one, *other), (*other, *one)]).collect();
    for some in both.chunks(CHUNK / 2) {
        let row = |at: usize| format!("(subject_id = ${} AND other_id = ${})", 2 * at + 2, 2 * at + 3);
        let places = (0..some.len()).map(row).collect::<Vec<_>>().join(" OR ");
        let text = format!("DELETE FROM match_edge WHERE tenant = $1 AND ({places})");
        let values = some.iter().flat_map(|(one, other)| [Value::from(one.uuid()), other.uuid().into()]);
        run(tx, &text, std::iter::once(Value::from(tx.tenant().uuid())).chain(values)).await?;
    }
    Ok(())
}

async fn delete_edges(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    let mut deleted = delete_subjects(tx, "match_edge", subjects).await?;
    for some in subjects.chunks(CHUNK) {
        let text = format!("DELETE FROM match_edge WHERE tenant = $1 AND other_id IN ({})", marks(2, some.len()));
        deleted += run(tx, &text, std::iter::once(Value::from(tx.tenant().uuid())).chain(ids(some))).await?;
    }
    Ok(deleted)
}

/// Deletes all that is held of subjects; answers how many rows there were.
pub async fn delete(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    let mut deleted = delete_subjects(tx, "match_record", subjects).await?;
    deleted += delete_subjects(tx, "match_block", subjects).await?;
    Ok(deleted + delete_edges(tx, subjects).await?)
}
