//! Probabilistic matching: records made ready, the keys by which candidates are found, pairs that look alike, models.

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
        "profiles_0007_matching"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::make(manager, TABLES, OF_TENANTS).await
    }
}
