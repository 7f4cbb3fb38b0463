//! A service's database, on SQLite or Postgres, and what makes its events and calls reliable.
//!
//! [`Database`] is opened once (which brings the schema up to date) and then read ([`Database::read`]) and written
//! ([`Database::write`], [`Database::write_once`]) through units of work: state, events and the stored answer of a
//! call are committed together or not at all. [`Database::relay`] publishes what was committed; [`Database::consume`]
//! applies what others published; [`Database::tail`] reads along what a tenant publishes, from any place on, for as long as
//! somebody watches; [`Database::run_operations`] does what takes longer than a call ([`Tx::begin_operation`]).
//! [`SystemStore`] is for what works over all tenants.
//!
//! Nothing outside this crate asks which engine it is on, but for a few statements that differ ([`Rx::engine`]).

mod bulk;
mod config;
mod conn;
mod consume;
mod database;
mod dead_letters;
mod engine;
mod erase;
mod fault;
pub mod keyset;
mod lane;
mod metrics;
mod migrate;
mod migrations;
mod operations;
mod postgres;
mod private;
mod receipt;
mod relay;
mod replay;
pub mod rls;
mod slots;
mod sqlite;
mod statistics;
mod sweep;
mod system;
mod tables;
mod tail;
mod unit;
mod watch;

pub use bulk::{Bulk, Column};
pub use config::DatabaseConfig;
pub use conn::Conn;
pub use consume::{Consumer, Follower};
pub use database::Database;
pub use dead_letters::{DeadLetter, Replayed};
pub use engine::Engine;
pub use fault::Stored;
pub use lane::lane;
pub use operations::{Job, Jobs, NewOperation, Operation, OperationFilter, Outcome, State, Step, Work};
pub use receipt::{Answer, Receipt};
pub use replay::{Rebuild, Retold};
pub use system::{SystemStore, Wakeup};
pub use tail::{Places, Tail, Tailed};
pub use unit::{NewEvent, Rx, Tx};

/// The partitions of a service's topic. Fixed: a subject's events must stay in one.
pub const PARTITIONS: u16 = 8;
