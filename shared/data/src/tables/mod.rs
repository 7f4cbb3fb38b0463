//! The tables that every service's database holds for events and calls, a file per table.

pub(crate) mod dead_letter;
pub(crate) mod inbox;
pub(crate) mod lease;
pub(crate) mod operation;
pub(crate) mod outbox;
pub(crate) mod receipt;
pub(crate) mod relay;
pub(crate) mod tenant;
pub(crate) mod tombstone;
pub(crate) mod wakeup;

use rapport_kernel::SubjectId;
use sea_orm::{ConnectionTrait as _, DbErr, ExecResult, Statement, Value};
use uuid::Uuid;

use crate::conn::Conn;

fn uuids(subjects: &[SubjectId]) -> Vec<Uuid> {
    subjects.iter().map(|subject| subject.uuid()).collect()
}

/// A statement written by hand, with `$1`, `$2`, … on both engines.
pub(crate) fn sql(conn: &Conn, text: impl Into<String>, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(conn.get_database_backend(), text, values)
}

pub(crate) async fn run(
    conn: &Conn,
    text: impl Into<String> + Send,
    values: impl IntoIterator<Item = Value> + Send,
) -> Result<ExecResult, DbErr> {
    let statement = sql(conn, text, values);
    conn.execute_raw(statement).await
}

/// Runs a statement on the rows of a tenant's subjects.
pub(crate) async fn run_on_subjects(
    conn: &Conn,
    text: &str,
    tenant: Uuid,
    subjects: &[SubjectId],
) -> Result<ExecResult, DbErr> {
    let marks: Vec<String> = (0..subjects.len()).map(|at| format!("${}", at + 2)).collect();
    let text = format!("{text} WHERE tenant = $1 AND subject_id IN ({})", marks.join(", "));
    let subjects = uuids(subjects).into_iter().map(Value::from);
    run(conn, text, std::iter::once(Value::from(tenant)).chain(subjects)).await
}
