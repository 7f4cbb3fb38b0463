//! How a service's database is configured: a SQLite file under the data folder, or a Postgres database of its own.

use std::path::PathBuf;

use rapport_platform::config::{About, Address, Describe, Period};
use serde::{Deserialize, Serialize};

/// The database of one service. The default is a SQLite file in `rapport-data/`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseConfig {
    /// The Postgres database: `postgres://owner@host/name`. The login owns the tables; the service itself works
    /// under roles that own nothing. Without it the database is a SQLite file.
    pub url: Option<Address>,
    /// Where the SQLite file `<service>.db` lies; made where it is missing.
    pub folder: PathBuf,
    /// Connections for units of work (Postgres; SQLite has one writer).
    pub writers: usize,
    /// Connections for reads (SQLite: at most three are of use); one of them is kept for calls that have a deadline.
    pub readers: usize,
    /// Connections for relay, timers and sweeps.
    pub system: usize,
    /// Units that wait for SQLite's writer at most; what is more is UNAVAILABLE.
    pub queue: usize,
    /// How long a call waits for a connection or a place in the queue.
    pub acquire: Period,
    /// How long a statement may take where the call gave no deadline.
    pub statement: Period,
    /// How long settled rows of the outbox are kept.
    pub keep_settled: Period,
    /// How long the answers to request ids are kept.
    pub keep_receipts: Period,
    /// How long the ids of applied effects are kept.
    pub keep_inbox: Period,
    /// How long events that could not be applied are kept.
    pub keep_dead_letters: Period,
    /// How long operations that have ended are kept.
    pub keep_operations: Period,
    /// How long an operation waits after the loss of the instance that was at it, until another goes on with it.
    pub operation_lease: Period,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            url: None,
            folder: PathBuf::from("rapport-data"),
            writers: 8,
            readers: 8,
            system: 4,
            queue: 1_024,
            acquire: Period::secs(2),
            statement: Period::secs(10),
            keep_settled: Period::secs(60 * 60),
            keep_receipts: Period::secs(2 * DAY),
            keep_inbox: Period::secs(7 * DAY),
            keep_dead_letters: Period::secs(30 * DAY),
            keep_operations: Period::secs(30 * DAY),
            operation_lease: Period::secs(15),
        }
    }
}

impl Describe for DatabaseConfig {
    fn describe(about: &mut About) {
        about
            .key("url", "the Postgres database, as its owner; unset: a SQLite file")
            .key("folder", "where the SQLite file lies")
            .key("writers", "connections for units of work (Postgres)")
            .key("readers", "connections for reads (SQLite: at most three)")
            .key("system", "connections for relay, timers and sweeps")
            .key("queue", "units of work that wait for SQLite's writer at most")
            .key("acquire", "how long a call waits for a connection or a place in the queue")
            .key("statement", "how long a statement may take where the call gave no deadline")
            .key("keep_settled", "how long settled rows of the outbox are kept")
            .key("keep_receipts", "how long the answers to request ids are kept; promised are 24 hours")
            .key("keep_inbox", "how long the ids of applied effects are kept")
            .key("keep_dead_letters", "how long events that could not be applied are kept")
            .key("keep_operations", "how long operations that have ended are kept")
            .key("operation_lease", "how long an operation waits after its instance was lost until another goes on");
    }
}
