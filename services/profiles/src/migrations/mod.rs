//! The tables of this service: forward only, each migration safe to run while the version before still serves.

mod m0001_profiles;
mod m0002_interactions;
mod m0003_accounts;

use sea_orm_migration::MigrationTrait;

/// All migrations, in their order.
#[must_use]
pub fn all() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m0001_profiles::Migration),
        Box::new(m0002_interactions::Migration),
        Box::new(m0003_accounts::Migration),
    ]
}
