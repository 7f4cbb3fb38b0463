//! The history of follow-ups, a row for each line.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::sql::{Clause, decoded, encoded, run};
use crate::domain::follow_up::{Entry, FollowUpId};

/// Where a page ended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Place {
    /// When it happened.
    pub at: Timestamp,
    /// Which of those at that instant.
    pub id: Uuid,
}

/// Adds lines to a history, in order.
pub async fn add(tx: &Tx, of: FollowUpId, entries: &[Entry]) -> Result<(), Fault> {
    let text = "INSERT INTO follow_up_entry (tenant, follow_up_id, at, entry_id, body) VALUES ($1, $2, $3, $4, $5)";
    for entry in entries {
        let values = vec![
            tx.tenant().uuid().into(),
            of.uuid().into(),
            entry.at.micros().into(),
            Uuid::now_v7().into(),
            encoded(entry)?.into(),
        ];
        run(tx, text, values).await?;
    }
    Ok(())
}

/// The lines of a history after a place, oldest first, one more than `size`.
pub async fn page(rx: &Rx, of: FollowUpId, after: Option<Place>, limit: u64) -> Result<Vec<(Uuid, Entry)>, Fault> {
    let mut those = Clause::of(rx);
    those.and("follow_up_id = {}", of.uuid());
    if let Some(Place { at, id }) = after {
        those.beyond(("at", "entry_id"), false, (at.micros(), id));
    }
    let rest = format!(" ORDER BY at, entry_id LIMIT {limit}");
    let rows = those.select(rx, "entry_id, body", "follow_up_entry", &rest).await?;
    let read = |row: &sea_orm::QueryResult| {
        Ok((row.try_get_by_index(0).stored()?, decoded(&row.try_get_by_index::<Vec<u8>>(1).stored()?)?))
    };
    rows.iter().map(read).collect()
}
