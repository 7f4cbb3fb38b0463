//! Long work: what was asked, how far it has come, who is at it, how it ended.

use sea_orm_migration::prelude::*;

use crate::rls;

/// The table as SQL for both engines: `{id}` and `{bytes}` are the engine's words.
const TABLES: &[&str] = &[
    "CREATE TABLE operation (tenant {id} NOT NULL, id {id} NOT NULL, kind TEXT NOT NULL, unit TEXT NOT NULL, \
     state SMALLINT NOT NULL, request {bytes} NOT NULL, cursor {bytes} NOT NULL, done BIGINT NOT NULL, \
     total BIGINT NOT NULL, cancelling BOOLEAN NOT NULL, hidden BOOLEAN NOT NULL, tries INTEGER NOT NULL, \
     result_type TEXT, result {bytes}, error {bytes}, created_at BIGINT NOT NULL, started_at BIGINT, \
     updated_at BIGINT NOT NULL, finished_at BIGINT, due_at BIGINT NOT NULL, holder {id}, \
     leased_until BIGINT NOT NULL, PRIMARY KEY (tenant, id))",
    // What waits or is under way: seldom more than a few, and sought again and again.
    "CREATE INDEX operation_open ON operation (due_at) WHERE finished_at IS NULL",
    "CREATE INDEX operation_age ON operation (finished_at) WHERE finished_at IS NOT NULL",
];

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "data_0002_operations"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let [id, bytes] = match manager.get_database_backend() {
            sea_orm::DbBackend::Postgres => ["UUID", "BYTEA"],
            _ => ["BLOB", "BLOB"],
        };
        for table in TABLES {
            let text = table.replace("{id}", id).replace("{bytes}", bytes);
            manager.get_connection().execute_unprepared(&text).await?;
        }
        rls::tenant_tables(manager, &["operation"]).await?;
        rls::system_tables(manager, &["operation"]).await
    }
}
