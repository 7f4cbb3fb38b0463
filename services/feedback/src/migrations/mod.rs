//! The shape of feedback's tables, forward only.

mod m001_surveys_and_responses;
mod m002_party;
mod m004_tickets;

use sea_orm_migration::MigrationTrait;

/// All migrations, oldest first.
#[must_use]
pub fn all() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m001_surveys_and_responses::Migration),
        Box::new(m002_party::Migration),
        Box::new(m004_tickets::Migration),
    ]
}
