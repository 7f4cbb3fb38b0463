//! Probabilistic matching: records made ready, the keys by which candidates are found, pairs that look alike, models.

use rapport_data::rls;
use sea_orm::{ConnectionTrait as _, DbBackend};
use sea_orm_migration::prelude::*;

/// The tables as SQL for both engines; the words in braces as in the first migration.
const TABLES: &[&str] = &[
    "CREATE TABLE match_record (tenant {id} NOT NULL, subject_id {id} NOT NULL, tag BIGINT NOT NULL, \
     prepared {bytes} NOT NULL, PRIMARY KEY (tenant, subject_id)) {clustered}",
    "CREATE TABLE match_block (tenant {id} NOT NULL, rule_key BIGINT NOT NULL, subject_id {id} NOT NULL, \
     PRIMARY KEY (tenant, rule_key, subject_id)) {clustered}",
    "CREATE INDEX match_block_subject ON match_block (tenant, subject_id)",
    "CREATE TABLE match_edge (tenant {id} NOT NULL, subject_id {id} NOT NULL, other_id {id} NOT NULL, \
     probability DOUBLE PRECISION NOT NULL, model_version BIGINT NOT NULL, \
     PRIMARY KEY (tenant, subject_id, other_id)) {clustered}",
    "CREATE INDEX match_edge_other ON match_edge (tenant, other_id)",
    "CREATE TABLE match_model (tenant {id} NOT NULL, version BIGINT NOT NULL, active BOOLEAN NOT NULL, \
     created_at BIGINT NOT NULL, body {bytes} NOT NULL, report {bytes} NOT NULL, PRIMARY KEY (tenant, version))",
];

const OF_TENANTS: &[&str] = &["match_record", "match_block", "match_edge", "match_model"];

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "profiles_0012_matching"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let [id, text, bytes, clustered] = match manager.get_database_backend() {
            DbBackend::Postgres => ["UUID", "TEXT COLLATE \"C\"", "BYTEA", ""],
            _ => ["BLOB", "TEXT", "BLOB", "WITHOUT ROWID"],
        };
        for table in TABLES {
            let table = table.replace("{id}", id).replace("{text}", text).replace("{bytes}", bytes);
            manager.get_connection().execute_unprepared(&table.replace("{clustered}", clustered)).await?;
        }
        rls::tenant_tables(manager, OF_TENANTS).await
    }
}
