//! Mentions, and what is kept of those that are gone.

use rapport_data::rls;
use sea_orm::{ConnectionTrait as _, DbBackend};
use sea_orm_migration::prelude::*;

/// The tables as SQL for both engines: `{id}`, `{text}` (compared byte by byte) and `{bytes}` are the engine's words.
const TABLES: &[&str] = &[
    "CREATE TABLE mention (tenant {id} NOT NULL, mention_id {id} NOT NULL, key_id {id} NOT NULL, source {text} NOT NULL, \
     subject_id {id} NOT NULL, customer_id {id}, kind {text} NOT NULL, place {text} NOT NULL, product {text} NOT NULL, \
     language {text} NOT NULL, rating DOUBLE PRECISION, said_at BIGINT NOT NULL, \
     replied_at BIGINT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, revision BIGINT NOT NULL, \
     body {bytes} NOT NULL, PRIMARY KEY (tenant, mention_id))",
    "CREATE UNIQUE INDEX mention_key ON mention (tenant, key_id)",
    "CREATE INDEX mention_said ON mention (tenant, said_at, mention_id)",
    "CREATE INDEX mention_subject ON mention (tenant, subject_id)",
    "CREATE TABLE mention_gone (tenant {id} NOT NULL, key_id {id} NOT NULL, mention_id {id} NOT NULL, subject_id {id}, \
     revision BIGINT NOT NULL, said_at BIGINT NOT NULL, deleted_at BIGINT NOT NULL, PRIMARY KEY (tenant, key_id))",
    "CREATE INDEX mention_gone_subject ON mention_gone (tenant, subject_id) WHERE subject_id IS NOT NULL",
];

const OF_TENANTS: &[&str] = &["mention", "mention_gone"];

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "feedback_0007_mentions"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let [id, text, bytes] = match manager.get_database_backend() {
            DbBackend::Postgres => ["UUID", "TEXT COLLATE \"C\"", "BYTEA"],
            _ => ["BLOB", "TEXT", "BLOB"],
        };
        for table in TABLES {
            let table = table.replace("{id}", id).replace("{text}", text).replace("{bytes}", bytes);
            manager.get_connection().execute_unprepared(&table).await?;
        }
        rls::tenant_tables(manager, OF_TENANTS).await
    }
}
