//! The schema of metrics: forward only, and safe to run while the version before still serves.

mod m0001_facts_and_cells;
mod m0002_declared_traits;

use sea_orm_migration::MigrationTrait;

/// In order. Append only.
#[must_use]
pub fn all() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(m0001_facts_and_cells::Migration), Box::new(m0002_declared_traits::Migration)]
}
