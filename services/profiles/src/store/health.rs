//! Figures of a tenant's links: how records came together, and where most of them hang.

use rapport_data::{Rx, Stored as _};
use rapport_kernel::{CustomerId, Fault, Timestamp};
use sea_orm::QueryResult;
use uuid::Uuid;

use super::rows;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Links that were made on one day for one cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Days since 1970-01-01, UTC.
    pub day: i64,
    /// The cause, as links store it.
    pub cause: i16,
    /// The namespace of the identifier that linked; empty for other causes.
    pub namespace: String,
    /// How many.
    pub links: u64,
}

fn count(row: &QueryResult, at: usize) -> Result<u64, Fault> {
    Ok(row.try_get_by_index::<i64>(at).stored()?.cast_unsigned())
}

/// The links made since an instant, by day and cause.
pub async fn made(rx: &Rx, since: Timestamp) -> Result<Vec<Made>, Fault> {
    let text = format!(
        "SELECT started_at / {DAY}, cause, namespace, COUNT(*) FROM link WHERE tenant = $1 AND started_at >= $2 \
         GROUP BY started_at / {DAY}, cause, namespace ORDER BY 1, 2, 3"
    );
    let made = |row: &QueryResult| {
        Ok(Made {
            day: row.try_get_by_index(0).stored()?,
            cause: row.try_get_by_index(1).stored()?,
            namespace: row.try_get_by_index(2).stored()?,
            links: count(row, 3)?,
        })
    };
    rows(rx, &text, [rx.tenant().uuid().into(), since.micros().into()]).await?.iter().map(made).collect()
}

/// How many records were first linked since an instant, and how many of them belong now to a customer that another record
/// began.
pub async fn joined(rx: &Rx, since: Timestamp) -> Result<(u64, u64), Fault> {
    // Most links are the first of their records: only the others are looked up.
    let text = "SELECT COUNT(*), COUNT(CASE WHEN f.subject_id <> (CASE WHEN f.ended_at IS NULL THEN f.customer_id ELSE \
                (SELECT c.customer_id FROM link c WHERE c.tenant = f.tenant AND c.subject_id = f.subject_id AND \
                c.ended_at IS NULL) END) THEN 1 END) FROM link f \
                WHERE f.tenant = $1 AND f.started_at >= $2 AND f.revision = 1";
    let found = rows(rx, text, [rx.tenant().uuid().into(), since.micros().into()]).await?;
    found.first().map_or(Ok((0, 0)), |row| Ok((count(row, 0)?, count(row, 1)?)))
}

/// How many customer ids lead elsewhere since an instant.
pub async fn merged_away(rx: &Rx, since: Timestamp) -> Result<u64, Fault> {
    let text = "SELECT COUNT(*) FROM profile WHERE tenant = $1 AND merged_into IS NOT NULL AND updated_at >= $2";
    let found = rows(rx, text, [rx.tenant().uuid().into(), since.micros().into()]).await?;
    found.first().map_or(Ok(0), |row| count(row, 0))
}

/// The customers with the most records, with more than one, at most `limit`.
pub async fn largest(rx: &Rx, limit: u64) -> Result<Vec<(CustomerId, u64)>, Fault> {
    let text = format!(
        "SELECT customer_id, COUNT(*) FROM link WHERE tenant = $1 AND ended_at IS NULL GROUP BY customer_id \
         HAVING COUNT(*) > 1 ORDER BY 2 DESC, 1 LIMIT {limit}"
    );
    let found =
        |row: &QueryResult| Ok((CustomerId::from_uuid(row.try_get_by_index::<Uuid>(0).stored()?), count(row, 1)?));
    rows(rx, &text, [rx.tenant().uuid().into()]).await?.iter().map(found).collect()
}
