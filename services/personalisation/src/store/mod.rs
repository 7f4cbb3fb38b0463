//! Personalisation's tables. Every query names its tenant; nothing outside sees a row.

pub mod action;
pub mod contact;
pub mod contact_policy;
pub mod decision;
pub mod policy;
pub mod reservation;

use sea_orm::{ConnectionTrait, Statement, Value};

/// A statement of our own, on whichever engine: `$1`, `$2`, … name its values on both.
fn sql(conn: &impl ConnectionTrait, text: impl Into<String>, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(conn.get_database_backend(), text, values)
}

/// `($1, $2), ($3, $4)`: places for `rows` rows of `columns` values.
fn places(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let places: Vec<String> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// `$3, $4, $5`: places for `count` values after the first `taken`.
fn list(taken: usize, count: usize) -> String {
    (1..=count).map(|at| format!("${}", taken + at)).collect::<Vec<_>>().join(", ")
}
