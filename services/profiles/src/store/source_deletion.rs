//! That sources deleted records which nobody had told of yet. What identifies such a record is kept as a digest alone: it
//! is of no subject, so that no erasure would find it. With the record's first statement the deletion becomes an
//! observation of its subject, and the row here is gone.

use std::collections::BTreeMap;

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, Timestamp};
use sea_orm::{QueryResult, Value};
use sha2::{Digest as _, Sha256};

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
