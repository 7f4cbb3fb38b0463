//! What tests stand on: a real Postgres and a real Redis, started for this test process alone.
//!
//! Each runs on a free port, in a temporary folder of its own, and is gone when the test process is, however that
//! ends (a guardian process sees to it). A missing binary is installed with the system's package manager where that
//! is allowed; else the test fails with the one line to run. Nothing is ever skipped.
//!
//! Calls block and panic on failure, as suits a test's set-up.

mod browser;
mod find;
mod plans;
mod postgres;
mod process;
mod redis;
mod wire;

use std::sync::OnceLock;

pub use browser::{Browser, Page, Tag};
pub use plans::{Statements, count, scans, sorts};
pub use postgres::Postgres;
pub use redis::Redis;
pub use wire::Wire;

/// The one Postgres of this test process, for tests that only need databases of their own
/// ([`Postgres::database`]). A test that stops or pauses the server starts its own.
pub fn shared_postgres() -> &'static Postgres {
    static SHARED: OnceLock<Postgres> = OnceLock::new();
    SHARED.get_or_init(Postgres::start)
}

/// The one Redis of this test process, for tests whose keys do not meet. A test that stops, pauses, fills or
/// flushes it starts its own.
pub fn shared_redis() -> &'static Redis {
    static SHARED: OnceLock<Redis> = OnceLock::new();
    SHARED.get_or_init(Redis::start)
}
