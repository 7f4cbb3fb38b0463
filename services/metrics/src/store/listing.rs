//! The facts behind a figure, one by one: which records they are of.

use rapport_data::{Rx, Stored as _};
use rapport_kernel::{Fault, Timestamp};

use super::figures::{Query, Scope};
use super::unreadable;
use crate::domain::listing::{Cursor, Listed};
use crate::domain::records::Kind;

/// Facts after a cursor, by when they occurred, then by record and line; at most `limit`.
///
/// # Errors
/// Where the database fails.
pub async fn after(
    rx: &Rx,
    scope: Scope<'_>,
    only: Only<'_>,
    after: Option<&Cursor>,
    limit: u64,
) -> Result<Vec<Listed>, Fault> {
    let mut query = Query::new(rx, scope);
    let mut conditions = String::new();
    if let Some(series) = only.series {
        let mark = query.bind(series.to_owned());
        conditions.push_str(&format!(" AND series = {mark}"));
    }
    if only.purchases {
        conditions.push_str(" AND purchase");
    }
    if only.worth {
        conditions.push_str(" AND series <> ''");
    }
    if let Some(cursor) = after {
        let marks = [
            query.bind(cursor.occurred_at.micros()),
            query.bind(cursor.kind),
            query.bind(cursor.id),
            query.bind(cursor.line),
        ];
        conditions.push_str(&format!(" AND (occurred_at, kind, id, line) > ({})", marks.join(", ")));
    }
    let facts = query.facts_of_customers("kind, id, line, occurred_at, recorded_at, series", &conditions);
    let limit = query.bind(i64::try_from(limit).unwrap_or(i64::MAX));
    let text = format!(
        "SELECT kind, id, line, occurred_at, recorded_at, series FROM ({facts}) AS mine \
         ORDER BY occurred_at, kind, id, line LIMIT {limit}"
    );
    let listed = |row: &sea_orm::QueryResult| {
        let kind: i16 = row.try_get("", "kind").stored()?;
        Ok(Listed {
            kind: Kind::from_column(kind).ok_or_else(|| unreadable("fact"))?,
            id: row.try_get("", "id").stored()?,
            line: row.try_get("", "line").stored()?,
            occurred_at: Timestamp::from_column(row.try_get("", "occurred_at").stored()?),
            recorded_at: Timestamp::from_column(row.try_get("", "recorded_at").stored()?),
            series: row.try_get("", "series").stored()?,
        })
    };
    query.rows(&text).await?.iter().map(listed).collect()
}

/// Which of a family's facts are behind a figure.
#[derive(Clone, Copy, Debug, Default)]
pub struct Only<'a> {
    /// Those of a series; `None`: of all.
    pub series: Option<&'a str>,
    /// Those that are purchases.
    pub purchases: bool,
    /// Those that are worth money.
    pub worth: bool,
}
