//! Row-level security: the second wall between tenants (the first is that no query is written without a tenant).
//!
//! A service's migration names its tables here. On SQLite, where one process owns the file, nothing happens.

use sea_orm::{ConnectionTrait as _, DbBackend, DbErr};
use sea_orm_migration::SchemaManager;

/// The tenant that the session or transaction works for. Unset (or reset, which leaves an empty text) it is null,
/// and equals nobody's.
const TENANT: &str = "NULLIF(current_setting('rapport.tenant', true), '')::uuid";

/// Binds tables to their tenant: each has a column `tenant`, and a row is seen and written only by a connection that
/// works for that tenant. Even the owner is bound: a migration that must change rows of all tenants lifts it for
/// its transaction (`ALTER TABLE … NO FORCE ROW LEVEL SECURITY`).
///
/// # Errors
/// Where a table is not there.
pub async fn tenant_tables(manager: &SchemaManager<'_>, tables: &[&str]) -> Result<(), DbErr> {
    for table in tables {
        let policy =
            format!("CREATE POLICY tenant ON {table} USING (tenant = {TENANT}) WITH CHECK (tenant = {TENANT})");
        let alter = |what: &str| format!("ALTER TABLE {table} {what} ROW LEVEL SECURITY");
        on_postgres(manager, &[alter("ENABLE"), alter("FORCE"), policy]).await?;
    }
    Ok(())
}

/// Puts tables on the golden list: [`crate::SystemStore`] may work on them, over all tenants.
///
/// # Errors
/// Where a table is not there.
pub async fn system_tables(manager: &SchemaManager<'_>, tables: &[&str]) -> Result<(), DbErr> {
    for table in tables {
        // Which service's database this is, the migration's connection was told when it was opened.
        let statement = format!(
            "DO $$ DECLARE system text := current_setting('rapport.system_role'); BEGIN \
             EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO %I', system); \
             EXECUTE format('CREATE POLICY system ON {table} TO %I USING (true) WITH CHECK (true)', system); END $$"
        );
        on_postgres(manager, &[statement]).await?;
    }
    Ok(())
}

async fn on_postgres(manager: &SchemaManager<'_>, statements: &[String]) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        for statement in statements {
            manager.get_connection().execute_unprepared(statement).await?;
        }
    }
    Ok(())
}
