//! That sources deleted records which nobody had told of yet. What identifies such a record is kept as a digest alone: it
//! is of no subject, so that no erasure would find it. With the record's first statement the deletion becomes an
//! observation of its subject, and the row here is gone.

use std::collections::BTreeMap;

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, SubjectId, Timestamp};
use sea_orm::{QueryResult, Value};
use sha2::{Digest as _, Sha256};

use super::subject::Subject;
use super::{CHUNK, marks, rows, run};
use crate::domain::value::SourceRecord;

fn digest(name: &SourceRecord) -> Vec<u8> {
    // A source's name holds no zero.
    let hash = Sha256::new().chain_update(&name.source).chain_update([0]).chain_update(name.external_id.expose());
    hash.finalize().to_vec()
}

fn at(row: &QueryResult, place: usize) -> Result<Timestamp, Fault> {
    row.try_get_by_index(place).map(Timestamp::from_column).stored()
}

/// What is known of a record.
pub enum Known {
    /// Its subject.
    Subject(Subject),
    /// That its source deleted it, and when.
    Deletion(Timestamp),
    /// Nothing.
    Nothing,
}

/// What is known of a record, by one statement: whoever hears of a record asks for it.
pub async fn known(rx: &Rx, name: &SourceRecord) -> Result<Known, Fault> {
    let text = "SELECT subject_id, created_at FROM subject WHERE tenant = $1 AND source = $2 AND external_id = $3 \
                UNION ALL SELECT NULL, observed_at FROM source_deletion WHERE tenant = $1 AND record = $4";
    let (source, external_id) = (name.source.clone(), name.external_id.expose().clone());
    let values: [Value; 4] = [rx.tenant().uuid().into(), source.into(), external_id.into(), digest(name).into()];
    let mut known = Known::Nothing;
    for row in rows(rx, text, values).await? {
        match row.try_get_by_index(0).stored()? {
            Some(id) => {
                let (id, created_at) = (SubjectId::from_uuid(id), at(&row, 1)?);
                return Ok(Known::Subject(Subject { id, name: name.clone(), created_at }));
            }
            None => known = Known::Deletion(at(&row, 1)?),
        }
    }
    Ok(known)
}

/// Of which records it is known that their sources deleted them, and when.
pub async fn of_names(rx: &Rx, names: &[SourceRecord]) -> Result<BTreeMap<SourceRecord, Timestamp>, Fault> {
    let mut found = BTreeMap::new();
    for some in names.chunks(CHUNK) {
        let by_digest: BTreeMap<Vec<u8>, &SourceRecord> = some.iter().map(|name| (digest(name), name)).collect();
        let text = format!(
            "SELECT record, observed_at FROM source_deletion WHERE tenant = $1 AND record IN ({})",
            marks(2, by_digest.len())
        );
        let digests = by_digest.keys().cloned().map(Value::from);
        for row in rows(rx, &text, std::iter::once(rx.tenant().uuid().into()).chain(digests)).await? {
            let record: Vec<u8> = row.try_get_by_index(0).stored()?;
            if let Some(name) = by_digest.get(&record) {
                found.insert((*name).clone(), at(&row, 1)?);
            }
        }
    }
    Ok(found)
}

/// Notes that a source deleted a record; of several times the last counts.
pub async fn put(tx: &Tx, name: &SourceRecord, observed_at: Timestamp) -> Result<(), Fault> {
    let text = "INSERT INTO source_deletion (tenant, record, observed_at) VALUES ($1, $2, $3) \
                ON CONFLICT (tenant, record) DO UPDATE SET observed_at = excluded.observed_at \
                WHERE excluded.observed_at > source_deletion.observed_at";
    run(tx, text, [tx.tenant().uuid().into(), digest(name).into(), observed_at.micros().into()]).await.map(drop)
}

/// Forgets the deletions of records that have a subject now.
pub async fn forget(tx: &Tx, names: &[SourceRecord]) -> Result<(), Fault> {
    for name in names {
        let text = "DELETE FROM source_deletion WHERE tenant = $1 AND record = $2";
        run(tx, text, [tx.tenant().uuid().into(), digest(name).into()]).await?;
    }
    Ok(())
}
