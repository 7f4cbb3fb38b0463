//! The shape of the gateway's tables, forward only.

mod m001_tenants_keys_and_erasures;

use sea_orm_migration::MigrationTrait;

/// All migrations, oldest first.
#[must_use]
pub fn all() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(m001_tenants_keys_and_erasures::Migration)]
}
