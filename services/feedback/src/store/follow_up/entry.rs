//! The history of follow-ups, a row for each line.

use rapport_data::{Rx, Stored as _, Tx};
use rapport_kernel::{Fault, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::sql::{Clause, decoded, encoded, run};
use crate::domain::follow_up::{Entry, FollowUp, FollowUpId};

/// Where a page ended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Place {
    /// When it happened.
    pub at: Timestamp,
    /// Which of those at that instant.
    pub id: Uuid,
}

/// Adds the lines of a change to a history, in order.
pub async fn add(tx: &Tx, one: &FollowUp, entries: &[Entry]) -> Result<(), Fault> {
    let text = "INSERT INTO follow_up_entry (tenant, follow_up_id, at, entry_id, body) VALUES ($1, $2, $3, $4, $5)";
    for (place, entry) in entries.iter().enumerate() {
        let values = vec![
            tx.tenant().uuid().into(),
            one.id.uuid().into(),
            entry.at.micros().into(),
            line(one, place).into(),
            encoded(entry)?.into(),
        ];
        run(tx, text, values).await?;
    }
    Ok(())
}

/// The id of a line: the lines of an instant stand in order of the changes that they are of. It holds no time of its own.
fn line(one: &FollowUp, place: usize) -> Uuid {
    let mut bytes = *one.id.uuid().as_bytes();
    bytes[..6].copy_from_slice(&one.revision.to_be_bytes()[2..]);
    // A chain of escalation has few steps.
    bytes[6..8].copy_from_slice(&[0, u8::try_from(place).unwrap_or(u8::MAX)]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
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
