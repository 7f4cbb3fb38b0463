//! Brings a database's schema up to date: forward only, one instance at a time, each migration in a transaction.
//!
//! sea-orm's own migrator refuses a database that knows a migration which this binary does not. Here that is
//! normal: during an upgrade the version before starts again beside the new one.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use rapport_kernel::{Fault, Reason};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, SqlxPostgresConnector, SqlxSqliteConnector, Statement,
    TransactionTrait as _,
};
use sea_orm_migration::{MigrationTrait, SchemaManager};
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use tokio::time::{Instant, sleep};

use crate::fault::{Stored as _, sqlx_fault};
use crate::{migrations, postgres, private, statistics};

/// How long an instance waits for another that migrates.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// The advisory lock of migrations, the same in every database.
const LOCK: i64 = 0x7261_7070_6f72_7400;

pub(crate) async fn sqlite(path: &Path, own: &[Box<dyn MigrationTrait>]) -> Result<(), Fault> {
    let lock = private::file(&path.with_extension("lock"))?;
    // SQLite gives its log the rights of the file, so the file comes first.
    let is_new = private::file(path)?.metadata().is_ok_and(|file| file.len() == 0);
    let end = Instant::now() + LONGEST_WAIT;
    while lock.try_lock().is_err() {
        if Instant::now() > end {
            return Err(Fault::unavailable("the database", "another process holds its migration lock"));
        }
        sleep(Duration::from_millis(20)).await;
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(Duration::from_secs(30))
        .pragma("secure_delete", "on")
        .disable_statement_logging();
    // Told to a file that has it, it would write all the same, and wait for the writer.
    let options = if is_new { options.auto_vacuum(SqliteAutoVacuum::Incremental) } else { options };
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
    let pool = pool.map_err(|error| sqlx_fault(&error))?;
    let connection = SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.clone());
    let result = match run(&connection, own).await {
        // Only a new schema needs new ones: nobody who opens the file later waits for the writer.
        Ok(changed) => match statistics::are_there(&connection).await {
            Ok(true) if !changed => Ok(()),
            Ok(_) => statistics::write(&connection).await,
            Err(fault) => Err(fault),
        },
        Err(fault) => Err(fault),
    };
    pool.close().await;
    result
    // The lock goes with the file's handle.
}

pub(crate) async fn postgres(url: &str, service: &str, own: &[Box<dyn MigrationTrait>]) -> Result<(), Fault> {
    if !service.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
        return Err(Fault::internal("a service's name is of small letters: it is part of its roles' names"));
    }
    let system = postgres::system_role(service);
    let options = postgres::owner(url)?.options([("rapport.system_role", &system)]);
    // One connection, so that the lock, which belongs to the session, covers all that follows.
    let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let pool = pool.acquire_timeout(Duration::from_secs(5)).connect_with(options).await;
    let pool = pool.map_err(|error| sqlx_fault(&error))?;
    let connection = SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone());
    let result = locked(&connection, service, own).await;
    // The session's end frees the lock.
    pool.close().await;
    result
}

async fn locked(connection: &DatabaseConnection, service: &str, own: &[Box<dyn MigrationTrait>]) -> Result<(), Fault> {
    let wait = LONGEST_WAIT.as_millis();
    connection.execute_unprepared(&format!("SET lock_timeout = {wait}")).await.stored()?;
    connection.execute_unprepared(&format!("SELECT pg_advisory_lock({LOCK})")).await.stored()?;
    connection.execute_unprepared("SET lock_timeout = 0").await.stored()?;
    let app = postgres::app_role(service);
    for role in [&app, &postgres::system_role(service)] {
        make_role(connection, role).await?;
    }
    run(connection, own).await?;
    let grants = format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {app}; \
         REVOKE INSERT, UPDATE, DELETE ON migration, relay, lease FROM {app}"
    );
    connection.execute_unprepared(&grants).await.stored()?;
    check_walls(connection).await
}

/// Makes a role that cannot log in and that the owner's login may become. Roles belong to the whole server, where
/// other databases' migrations may make the same one meanwhile.
async fn make_role(connection: &DatabaseConnection, role: &str) -> Result<(), Fault> {
    let make = format!(
        "DO $$ BEGIN \
         IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{role}') THEN CREATE ROLE {role} NOLOGIN; END IF; \
         IF NOT pg_has_role(current_user, '{role}', 'MEMBER') THEN GRANT {role} TO CURRENT_USER; END IF; \
         IF NOT has_schema_privilege('{role}', 'public', 'USAGE') THEN GRANT USAGE ON SCHEMA public TO {role}; END IF; \
         END $$"
    );
    let mut tries = 0;
    loop {
        tries += 1;
        match connection.execute_unprepared(&make).await {
            Ok(_) => return Ok(()),
            Err(_) if tries < 20 => sleep(Duration::from_millis(rand::random_range(5..50))).await,
            Err(error) => {
                let text = format!(
                    "the role {role} is missing and the database's login may not make it: let it (CREATEROLE), or make \
                     the role and grant it to the login"
                );
                return Err(Fault::new(Reason::InvalidState, text).because(error.to_string()));
            }
        }
    }
}

/// Applies what is missing; answers whether anything was.
async fn run(connection: &DatabaseConnection, own: &[Box<dyn MigrationTrait>]) -> Result<bool, Fault> {
    let table = "CREATE TABLE IF NOT EXISTS migration (name TEXT NOT NULL PRIMARY KEY, applied_at TEXT NOT NULL)";
    connection.execute_unprepared(table).await.stored()?;
    let backend = connection.get_database_backend();
    let rows =
        connection.query_all_raw(Statement::from_string(backend, "SELECT name FROM migration")).await.stored()?;
    let mut applied = HashSet::new();
    for row in rows {
        applied.insert(row.try_get_by_index::<String>(0).stored()?);
    }
    let (all, mut changed) = (migrations::all(), false);
    for migration in all.iter().chain(own) {
        if !applied.contains(migration.name()) {
            let failed = |error: DbErr| {
                Fault::internal(format!("the migration {} failed: {:?}", migration.name(), crate::fault::fault(&error)))
            };
            apply(connection, backend, migration.as_ref()).await.map_err(failed)?;
            tracing::info!(migration = migration.name(), "the schema was brought forward");
            changed = true;
        }
    }
    Ok(changed)
}

async fn apply(
    connection: &DatabaseConnection,
    backend: DbBackend,
    migration: &dyn MigrationTrait,
) -> Result<(), DbErr> {
    let transaction = connection.begin().await?;
    migration.up(&SchemaManager::new(&transaction)).await?;
    let note = "INSERT INTO migration (name, applied_at) VALUES ($1, CAST(CURRENT_TIMESTAMP AS TEXT))";
    transaction.execute_raw(Statement::from_sql_and_values(backend, note, [migration.name().into()])).await?;
    transaction.commit().await
}

/// Refuses to serve where a tenant's table has no wall: a migration forgot to name it.
async fn check_walls(connection: &DatabaseConnection) -> Result<(), Fault> {
    let text = "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped \
                WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') \
                AND NOT (c.relrowsecurity AND c.relforcerowsecurity) ORDER BY 1";
    let rows = connection.query_all_raw(Statement::from_string(DbBackend::Postgres, text)).await.stored()?;
    let mut open = Vec::new();
    for row in rows {
        open.push(row.try_get_by_index::<String>(0).stored()?);
    }
    if open.is_empty() {
        return Ok(());
    }
    Err(Fault::internal(format!("tables without row-level security: {}; see data::rls", open.join(", "))))
}
