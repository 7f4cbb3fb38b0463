//! The tables of this service: forward only, each migration safe to run while the version before still serves.

mod m0001_profiles;
mod m0002_interactions;
mod m0003_catalogue;
mod m0007_segments;
mod m0010_personas;
mod m0011_identity;
mod m0012_matching;
mod m0013_accounts;

use sea_orm_migration::MigrationTrait;

/// All migrations, in their order.
#[must_use]
pub fn all() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m0001_profiles::Migration),
        Box::new(m0002_interactions::Migration),
        Box::new(m0003_catalogue::Migration),
        Box::new(m0007_segments::Migration),
        Box::new(m0010_personas::Migration),
        Box::new(m0011_identity::Migration),
        Box::new(m0012_matching::Migration),
        Box::new(m0013_accounts::Migration),
    ]
}
