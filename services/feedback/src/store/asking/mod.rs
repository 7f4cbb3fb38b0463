//! The tables of asking.

pub mod code;
pub mod due;
pub mod invitation;
pub mod not_invited;
pub mod spent;
pub mod task;
pub mod wave;

use rapport_data::Rx;
use sea_orm::{Statement, Value};

/// A statement of our own, on whichever engine: `$1`, `$2`, … name its values on both.
fn sql(rx: &Rx, text: impl Into<String>, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(rx.engine().backend(), text, values)
}

/// `$3, $4, $5`: places for `count` values after the first `taken`.
fn list(taken: usize, count: usize) -> String {
    (1..=count).map(|at| format!("${}", taken + at)).collect::<Vec<_>>().join(", ")
}
