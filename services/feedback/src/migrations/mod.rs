//! The shape of feedback's tables, forward only.

mod m001_surveys;
mod m002_responses;
mod m003_tags_and_keys;
mod m004_tickets;
mod m005_asking;
mod m006_text;
mod m007_mentions;
mod m008_loop;
mod m009_search;

use sea_orm_migration::MigrationTrait;

/// All migrations, oldest first.
#[must_use]
pub fn all() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m001_surveys::Migration),
        Box::new(m002_responses::Migration),
        Box::new(m003_tags_and_keys::Migration),
        Box::new(m004_tickets::Migration),
        Box::new(m005_asking::Migration),
        Box::new(m006_text::Migration),
        Box::new(m007_mentions::Migration),
        Box::new(m008_loop::Migration),
        Box::new(m009_search::Migration),
    ]
}
