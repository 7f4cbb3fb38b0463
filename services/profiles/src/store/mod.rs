//! The tables, a file each. Every function takes the unit of work or the read, which know the tenant; nothing outside
//! sees a row.

pub mod account;
pub mod account_member;
pub mod assertion;
pub mod candidate;
pub mod candidates;
pub mod catalogue_entry;
pub mod derivation;
pub mod happened;
pub mod health;
pub mod identifier;
pub mod identity_settings;
pub mod index;
pub mod interaction;
mod interaction_key;
pub mod lifecycle;
pub mod link;
pub mod match_model;
pub mod matching;
pub mod memory;
pub mod namespace;
pub mod observation;
pub mod persona;
pub mod persona_member;
pub mod persona_set;
pub mod profile;
pub mod profile_revision;
pub mod purchase;
pub mod quarantine;
pub mod record;
pub mod score;
pub mod search_term;
pub mod segment;
pub mod segment_interval;
pub mod settings;
pub mod source_day;
pub mod source_deletion;
pub mod source_trust;
pub mod subject;
pub mod trait_definition;
pub mod trait_value;

use rapport_kernel::{CustomerId, Fault, Id, SubjectId};
use sea_orm::{ConnectionTrait as _, QueryResult, Statement, Value};
use uuid::Uuid;

use rapport_data::{Rx, Stored as _};

/// How many ids one statement names.
const CHUNK: usize = 500;

fn uuids<T>(ids: &[Id<T>]) -> Vec<Uuid> {
    ids.iter().map(|id| id.uuid()).collect()
}

/// Rows of a query written by hand, with `$1`, `$2`, … on both engines.
async fn rows(rx: &Rx, text: &str, values: impl IntoIterator<Item = Value>) -> Result<Vec<QueryResult>, Fault> {
    let statement = Statement::from_sql_and_values(rx.engine().backend(), text, values);
    rx.conn().query_all_raw(statement).await.stored()
}

/// Runs a statement written by hand; answers how many rows it changed.
async fn run(rx: &Rx, text: &str, values: impl IntoIterator<Item = Value>) -> Result<u64, Fault> {
    let statement = Statement::from_sql_and_values(rx.engine().backend(), text, values);
    Ok(rx.conn().execute_raw(statement).await.stored()?.rows_affected())
}

/// A whole number of a row that was asked for by hand: a sum of Postgres is wider than its parts.
fn number(row: &QueryResult, at: usize) -> Result<i64, Fault> {
    match row.try_get_by_index::<i64>(at) {
        Ok(number) => Ok(number),
        Err(_) => row.try_get_by_index::<i32>(at).map(i64::from).stored(),
    }
}

/// `$n, $n+1, …` for so many values, the first of which is the `from`th.
fn marks(from: usize, count: usize) -> String {
    (from..from + count).map(|at| format!("${at}")).collect::<Vec<_>>().join(", ")
}

/// Deletes the rows of subjects from a table keyed by them; answers how many.
async fn delete_subjects(rx: &Rx, table: &'static str, subjects: &[SubjectId]) -> Result<u64, Fault> {
    delete_where(rx, table, "subject_id", subjects).await
}

/// Deletes the rows of customers from a table keyed by them; answers how many.
async fn delete_customers(rx: &Rx, table: &'static str, customers: &[CustomerId]) -> Result<u64, Fault> {
    delete_where(rx, table, "customer_id", customers).await
}

async fn delete_where<T>(rx: &Rx, table: &'static str, key: &'static str, ids: &[Id<T>]) -> Result<u64, Fault> {
    let mut deleted = 0;
    for some in ids.chunks(CHUNK) {
        let marks: Vec<String> = (0..some.len()).map(|at| format!("${}", at + 2)).collect();
        let text = format!("DELETE FROM {table} WHERE tenant = $1 AND {key} IN ({})", marks.join(", "));
        let ids = some.iter().map(|id| Value::from(id.uuid()));
        deleted += run(rx, &text, std::iter::once(Value::from(rx.tenant().uuid())).chain(ids)).await?;
    }
    Ok(deleted)
}
