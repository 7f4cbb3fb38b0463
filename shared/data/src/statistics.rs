//! What SQLite's planner is told of the tables. Without statistics it takes any equality to find ten rows, so `tenant = ?`
//! alone looks as good as a whole key, and a query reads all of a tenant. `ANALYZE` would tell it the truth of the moment,
//! but of an empty file at the first start, and other connections would not hear of later ones; and it would copy keys
//! of the rows, personal ones among them, into a table that no erasure knows (`sqlite_stat4`). So it is told, before
//! anybody connects, what a grown database looks like: one large tenant, ids that find few rows.

use rapport_kernel::Fault;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, Statement, TransactionTrait as _};

use crate::fault::Stored as _;

/// The rows of a grown table.
const ROWS: u64 = 1_000_000;

/// Whether they were written before.
pub(crate) async fn are_there(connection: &DatabaseConnection) -> Result<bool, Fault> {
    let text = "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'";
    Ok(connection.query_one_raw(Statement::from_string(DbBackend::Sqlite, text)).await.stored()?.is_some())
}

/// Writes the statistics of every index that begins with the tenant: all, or nothing.
pub(crate) async fn write(connection: &DatabaseConnection) -> Result<(), Fault> {
    let connection = connection.begin().await.stored()?;
    // Makes the tables of statistics where they are not there yet, and reads no row: the schema has no statistics.
    connection.execute_unprepared("ANALYZE sqlite_schema").await.stored()?;
    connection.execute_unprepared("DELETE FROM sqlite_stat1").await.stored()?;
    connection.execute_unprepared("DROP TABLE IF EXISTS sqlite_stat4").await.stored()?;
    let indexes = "SELECT t.name, t.wr, i.name, i.origin, i.\"unique\", (SELECT group_concat(c.name) FROM \
                   (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno) c) \
                   FROM pragma_table_list t JOIN pragma_index_list(t.name) i \
                   WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite%'";
    let rows = Statement::from_string(DbBackend::Sqlite, indexes);
    for row in connection.query_all_raw(rows).await.stored()? {
        let text = |at: usize| row.try_get_by_index::<String>(at).stored();
        let (is_rowless, is_unique) = (number(&row, 1)?, number(&row, 4)?);
        let (table, index, origin) = (text(0)?, text(2)?, text(3)?);
        let columns = row.try_get_by_index::<Option<String>>(5).stored()?.unwrap_or_default();
        let columns: Vec<&str> = columns.split(',').collect();
        if columns.first() != Some(&"tenant") {
            continue;
        }
        // The primary key of a table without row ids goes by the table's own name.
        let name = if is_rowless != 0 && origin == "pk" { table.clone() } else { index };
        let values = [table.into(), name.into(), estimate(&columns, is_unique != 0).into()];
        let insert = "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)";
        let insert = Statement::from_sql_and_values(DbBackend::Sqlite, insert, values);
        connection.execute_raw(insert).await.stored()?;
    }
    connection.commit().await.stored()
}

fn number(row: &sea_orm::QueryResult, at: usize) -> Result<i64, Fault> {
    row.try_get_by_index::<i64>(at).stored()
}

/// How many rows there are, and how many each longer prefix of the columns finds.
fn estimate(columns: &[&str], is_unique: bool) -> String {
    let mut found = ROWS;
    let mut numbers = vec![ROWS];
    for (at, column) in columns.iter().enumerate() {
        let is_last = at + 1 == columns.len();
        found = match *column {
            _ if is_last && is_unique => 1,
            "tenant" => found,
            // Few values: a word of ours, a source, a kind.
            "namespace" | "source" | "kind" | "consumer" | "metric" | "partition" | "name" | "type" => found / 4,
            // One of many: an id, an address, an instant.
            _ => (found / 100_000).clamp(2, 20),
        };
        numbers.push(found.max(1));
    }
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_key_finds_less_than_a_part_of_it() {
        assert_eq!(estimate(&["tenant", "customer_id"], false), "1000000 1000000 10");
        assert_eq!(estimate(&["tenant", "subject_id", "revision"], true), "1000000 1000000 10 1");
        assert_eq!(estimate(&["tenant", "namespace", "value", "subject_id"], true), "1000000 1000000 250000 2 1");
    }
}
