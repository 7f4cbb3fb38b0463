//! The shape of personalisation's tables, forward only.

mod m001_actions_and_decisions;

use sea_orm_migration::MigrationTrait;

/// All migrations, oldest first.
#[must_use]
pub fn all() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(m001_actions_and_decisions::Migration)]
}
