//! The tables of metrics: every query and statement, and no decision. Each works on one tenant's rows.

pub mod cell;
pub mod declared_trait;
pub mod dimension_set;
pub mod figures;
pub mod listing;
pub mod record;
pub mod subject_link;
pub mod tenant_setting;

use rapport_data::{Conn, Engine};
use rapport_kernel::Fault;
use sea_orm::{ConnectionTrait as _, Statement, Value};
use uuid::Uuid;

/// Rows of one statement: with the widest table's columns within SQLite's 32,766 values.
const ROWS: usize = 1_000;

/// A statement written by hand: with `$1`, `$2`, … on both engines, or with [`marks`].
fn sql(conn: &Conn, text: impl Into<String>, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(conn.get_database_backend(), text, values)
}

/// The marks of `count` values of a long statement, the first of them the `first` of all. SQLite takes `$1` for a name and
/// seeks it among all others, which for thousands takes longer than the statement; Postgres knows no other.
fn marks(engine: Engine, first: usize, count: usize) -> String {
    let mark = |at: usize| match engine {
        Engine::Sqlite => "?".to_owned(),
        Engine::Postgres => format!("${at}"),
    };
    (first..first + count).map(mark).collect::<Vec<_>>().join(", ")
}

/// Ids as one value, a JSON list that the statement takes apart again: a statement with one mark for any number of ids is
/// parsed and planned once, not for each length anew.
fn list(ids: impl Iterator<Item = Uuid>) -> Value {
    let ids: Vec<String> = ids.map(|id| format!("\"{}\"", id.simple())).collect();
    Value::from(format!("[{}]", ids.join(",")))
}

/// A row that nothing here wrote.
fn unreadable(table: &'static str) -> Fault {
    Fault::internal(format!("a row of {table} does not hold what was expected"))
}
