//! From the database's errors to faults: what the caller is told, what the log may say, whether to try again.
//!
//! A database's message can quote a value, and a value can be personal: only codes and the names of tables and
//! constraints go to the log.

use std::error::Error as _;

use rapport_kernel::{Fault, Reason};
use sea_orm::{DbErr, RuntimeErr};

/// Turns a result of sea-orm into one of ours: `query.one(rx.conn()).await.stored()?`.
pub trait Stored<T> {
    /// The value, or the fault.
    ///
    /// # Errors
    /// UNAVAILABLE where the database is away or full, DEADLINE_EXCEEDED where it took too long, ABORTED where a
    /// concurrent change won, else INTERNAL.
    fn stored(self) -> Result<T, Fault>;
}

impl<T> Stored<T> for Result<T, DbErr> {
    fn stored(self) -> Result<T, Fault> {
        self.map_err(|error| fault(&error))
    }
}

/// What went wrong in the database, as far as anybody must act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The connection is gone, or the server is: a new one is needed.
    Gone,
    /// It cannot take the write for now: full, locked, out of memory.
    Unable,
    /// A concurrent transaction won (40001, 40P01): the unit may run again.
    Raced,
    /// The statement took longer than it may.
    Slow,
    /// Anything else: a constraint, a mistake in a statement.
    Other,
}

pub(crate) fn fault(error: &DbErr) -> Fault {
    match (class_of(error), describe(error)) {
        (Class::Gone | Class::Unable, cause) => Fault::unavailable("the database", cause),
        (Class::Raced, cause) => {
            Fault::new(Reason::Contention, "concurrent changes kept winning; try again").because(cause)
        }
        (Class::Slow, cause) => Fault::deadline().because(cause),
        (Class::Other, cause) => Fault::internal(cause),
    }
}

pub(crate) fn sqlx_fault(error: &sqlx::Error) -> Fault {
    match class(error) {
        Class::Other => Fault::internal(text(error)),
        Class::Slow => Fault::deadline().because(text(error)),
        Class::Raced => {
            Fault::new(Reason::Contention, "concurrent changes kept winning; try again").because(text(error))
        }
        Class::Gone | Class::Unable => Fault::unavailable("the database", text(error)),
    }
}

pub(crate) fn class_of(error: &DbErr) -> Class {
    match error {
        DbErr::ConnectionAcquire(_) => Class::Gone,
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => class(error),
        _ => Class::Other,
    }
}

pub(crate) fn class(error: &sqlx::Error) -> Class {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Class::Gone,
        sqlx::Error::Database(error) => match error.code().as_deref() {
            Some("40001" | "40P01") => Class::Raced,
            Some("57014" | "55P03" | "25P03") => Class::Slow,
            Some(code) if code.len() == 5 && (code.starts_with("08") || code.starts_with("57P")) => Class::Gone,
            Some(code) if code.len() == 5 && code.starts_with("53") => Class::Unable,
            // SQLite's primary code is the low byte: busy, locked, out of memory, I/O, full, cannot open.
            Some(code) => match code.parse::<u32>().map(|code| code & 0xff) {
                Ok(5 | 6 | 7 | 10 | 13 | 14) if code.len() < 5 => Class::Unable,
                _ => Class::Other,
            },
            None => Class::Other,
        },
        _ => Class::Other,
    }
}

fn describe(error: &DbErr) -> String {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => text(error),
        DbErr::Json(_) => "a stored value is not the JSON its column holds".to_owned(),
        DbErr::Custom(text) | DbErr::Type(text) => text.clone(),
        other => other.source().map_or_else(|| other.to_string(), |source| format!("{source}")),
    }
}

fn text(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            let (table, constraint) = (error.table().unwrap_or_default(), error.constraint().unwrap_or_default());
            // Class 42 is about the statement and SQLite's messages name columns: neither quotes a value.
            let message = if code.starts_with("42") || code.len() < 5 { error.message() } else { "" };
            format!("database error {code} {table} {constraint} {message}").trim_end().to_owned()
        }
        sqlx::Error::ColumnDecode { index, .. } => format!("column {index} does not hold what was expected"),
        sqlx::Error::Decode(_) => "a column does not hold what was expected".to_owned(),
        other => other.to_string(),
    }
}
