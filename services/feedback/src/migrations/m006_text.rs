//! The taxonomy, its version, and what was read in texts, as far as figures are made from it.

use rapport_data::rls;
use sea_orm::{ConnectionTrait as _, DbBackend};
use sea_orm_migration::prelude::*;

/// The tables as SQL for both engines: `{id}`, `{text}` (compared byte by byte) are the engine's words.
const TABLES: &[&str] = &[
    "CREATE TABLE topic (tenant {id} NOT NULL, topic_id {id} NOT NULL, name_key {text} NOT NULL, \
     revision BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, body {text} NOT NULL, \
     PRIMARY KEY (tenant, topic_id))",
    "CREATE UNIQUE INDEX topic_name ON topic (tenant, name_key)",
    "CREATE TABLE topic_version (tenant {id} NOT NULL PRIMARY KEY, version BIGINT NOT NULL)",
    "CREATE TABLE text_reading (tenant {id} NOT NULL, source {text} NOT NULL, item_id {id} NOT NULL, \
     subject_id {id} NOT NULL, said_at BIGINT NOT NULL, language {text} NOT NULL, channel {text} NOT NULL, \
     product {text} NOT NULL, sentiment INTEGER, polarity {text} NOT NULL, counts SMALLINT NOT NULL, \
     taxonomy BIGINT NOT NULL, PRIMARY KEY (tenant, source, item_id))",
    "CREATE INDEX text_reading_said ON text_reading (tenant, said_at, item_id)",
    "CREATE INDEX text_reading_taxonomy ON text_reading (tenant, taxonomy)",
    "CREATE INDEX text_reading_subject ON text_reading (tenant, subject_id)",
    "CREATE TABLE text_topic (tenant {id} NOT NULL, source {text} NOT NULL, item_id {id} NOT NULL, \
     name {text} NOT NULL, competitor SMALLINT NOT NULL, subject_id {id} NOT NULL, sentiment INTEGER NOT NULL, \
     PRIMARY KEY (tenant, source, item_id, name))",
    "CREATE INDEX text_topic_name ON text_topic (tenant, name, source, item_id)",
    "CREATE INDEX text_topic_subject ON text_topic (tenant, subject_id)",
];

const OF_TENANTS: &[&str] = &["topic", "topic_version", "text_reading", "text_topic"];

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "feedback_0006_text"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let [id, text] = match manager.get_database_backend() {
            DbBackend::Postgres => ["UUID", "TEXT COLLATE \"C\""],
            _ => ["BLOB", "TEXT"],
        };
        for table in TABLES {
            let table = table.replace("{id}", id).replace("{text}", text);
            manager.get_connection().execute_unprepared(&table).await?;
        }
        rls::tenant_tables(manager, OF_TENANTS).await
    }
}
