//! The tables of metrics: every query and statement, and no decision. Each works on one tenant's rows.

pub mod cell;
pub mod dimension_set;
pub mod fact;
pub mod figures;
pub mod subject_link;

use rapport_data::Conn;
use rapport_kernel::Fault;
use sea_orm::{ConnectionTrait as _, Statement, Value};

/// Rows of one statement: with the widest table's columns within SQLite's 32,766 values.
const ROWS: usize = 1_000;

/// A statement written by hand, with `$1`, `$2`, … on both engines.
fn sql(conn: &Conn, text: impl Into<String>, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(conn.get_database_backend(), text, values)
}

/// A row that nothing here wrote.
fn unreadable(table: &'static str) -> Fault {
    Fault::internal(format!("a row of {table} does not hold what was expected"))
}
