//! The schema of this crate's tables: forward only, and safe to run while the version before still serves.

mod m0001_events_and_calls;
mod m0002_operations;

use sea_orm_migration::MigrationTrait;

/// In order. Append only.
pub(crate) fn all() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(m0001_events_and_calls::Migration), Box::new(m0002_operations::Migration)]
}
