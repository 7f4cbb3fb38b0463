//! How far the sources of the catalogue are trusted, and were: the current version has no end. What a profile was known as
//! at an instant is folded by the trust of then.

use std::collections::BTreeMap;

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, Timestamp};

use super::{rows, run};

/// The trust in each source that the catalogue had at an instant.
pub async fn as_of(rx: &Rx, at: Timestamp) -> Result<BTreeMap<String, u16>, Fault> {
    let text = "SELECT name, trust FROM source_trust WHERE tenant = $1 AND started_at <= $2 \
                AND (ended_at IS NULL OR ended_at > $2)";
    let mut found = BTreeMap::new();
    for row in rows(rx, text, [rx.tenant().uuid().into(), at.micros().into()]).await? {
        let trust: i16 = row.try_get_by_index(1).stored()?;
        found.insert(row.try_get_by_index(0).stored()?, trust.cast_unsigned());
    }
    Ok(found)
}

/// Notes that a source is trusted so far from now on; `None`: the catalogue has it no more.
pub async fn set(tx: &Tx, name: &str, revision: u64, trust: Option<u16>) -> Result<(), Fault> {
    let end = "UPDATE source_trust SET ended_at = $3 WHERE tenant = $1 AND name = $2 AND ended_at IS NULL";
    run(tx, end, [tx.tenant().uuid().into(), name.into(), tx.now().micros().into()]).await?;
    let Some(trust) = trust else { return Ok(()) };
    let begin = "INSERT INTO source_trust (tenant, name, revision, trust, started_at) VALUES ($1, $2, $3, $4, $5)";
    let values = [
        tx.tenant().uuid().into(),
        name.into(),
        revision.cast_signed().into(),
        trust.cast_signed().into(),
        tx.now().micros().into(),
    ];
    run(tx, begin, values).await.map(drop)
}
