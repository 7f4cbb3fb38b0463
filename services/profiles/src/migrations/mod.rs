//! The tables of this service: forward only, each migration safe to run while the version before still serves.

mod m0001_profiles;
mod m0002_interactions;
mod m0003_catalogue;
mod m0004_segments;
mod m0005_personas;
mod m0006_identity;
mod m0007_matching;
mod m0008_accounts;
mod m0009_memory;

use rapport_data::rls;
use sea_orm::{ConnectionTrait as _, DbBackend, DbErr};
use sea_orm_migration::{MigrationTrait, SchemaManager};

/// All migrations, in their order.
#[must_use]
pub fn all() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m0001_profiles::Migration),
        Box::new(m0002_interactions::Migration),
        Box::new(m0003_catalogue::Migration),
        Box::new(m0004_segments::Migration),
        Box::new(m0005_personas::Migration),
        Box::new(m0006_identity::Migration),
        Box::new(m0007_matching::Migration),
        Box::new(m0008_accounts::Migration),
        Box::new(m0009_memory::Migration),
    ]
}

/// Makes tables of tenants from SQL for both engines, in which `{id}`, `{text}` (compared byte by byte), `{bytes}` and
/// `{clustered}` (rows lie in the order of the primary key, as SQLite can have it) are the engine's words.
async fn make(manager: &SchemaManager<'_>, tables: &[&str], of_tenants: &[&str]) -> Result<(), DbErr> {
    let [id, text, bytes, clustered] = match manager.get_database_backend() {
        DbBackend::Postgres => ["UUID", "TEXT COLLATE \"C\"", "BYTEA", ""],
        _ => ["BLOB", "TEXT", "BLOB", "WITHOUT ROWID"],
    };
    for table in tables {
        let table = table.replace("{id}", id).replace("{text}", text).replace("{bytes}", bytes);
        manager.get_connection().execute_unprepared(&table.replace("{clustered}", clustered)).await?;
    }
    rls::tenant_tables(manager, of_tenants).await
}
