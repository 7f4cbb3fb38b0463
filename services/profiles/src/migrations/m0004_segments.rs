//! What is derived of customers: segments and who was in them when, stages, computed traits, scores; and the versions of
//! what is derived.

use sea_orm_migration::prelude::*;

/// The tables as SQL for both engines; the words in braces are those of the first migration.
const TABLES: &[&str] = &[
    "ALTER TABLE profile ADD COLUMN derived {bytes}",
    "ALTER TABLE profile ADD COLUMN derived_version BIGINT NOT NULL DEFAULT 0",
    // What a back-fill has still to look at.
    "CREATE INDEX profile_derived ON profile (tenant, derived_version, customer_id) WHERE merged_into IS NULL",
    "CREATE TABLE segment (tenant {id} NOT NULL, segment_id {id} NOT NULL, name {text} NOT NULL, \
     description {text} NOT NULL, condition {text} NOT NULL, operational BOOLEAN NOT NULL, revision BIGINT NOT NULL, created_at BIGINT NOT NULL, \
     updated_at BIGINT NOT NULL, made_by BIGINT NOT NULL, changed_by BIGINT NOT NULL, \
     named_by BIGINT NOT NULL, operation_id {id} NOT NULL, \
     PRIMARY KEY (tenant, segment_id))",
    "CREATE UNIQUE INDEX segment_name ON segment (tenant, name)",
    "CREATE TABLE segment_interval (tenant {id} NOT NULL, segment_id {id} NOT NULL, customer_id {id} NOT NULL, \
     entered_at BIGINT NOT NULL, left_at BIGINT, founding BOOLEAN NOT NULL, since BIGINT NOT NULL, \
     undone BOOLEAN NOT NULL, PRIMARY KEY (tenant, segment_id, customer_id, entered_at)) {clustered}",
    "CREATE INDEX segment_member ON segment_interval (tenant, customer_id)",
    "CREATE INDEX segment_present ON segment_interval (tenant, segment_id, customer_id) WHERE left_at IS NULL",
    "CREATE INDEX segment_entered ON segment_interval (tenant, segment_id, entered_at)",
    "CREATE INDEX segment_left ON segment_interval (tenant, segment_id, left_at) WHERE left_at IS NOT NULL",
    "CREATE TABLE lifecycle (tenant {id} NOT NULL PRIMARY KEY, stages {text} NOT NULL, revision BIGINT NOT NULL, \
     updated_at BIGINT NOT NULL, operation_id {id} NOT NULL)",
    "CREATE TABLE derivation (tenant {id} NOT NULL PRIMARY KEY, version BIGINT NOT NULL, settled BIGINT NOT NULL, \
     stages BIGINT NOT NULL, calendar BIGINT NOT NULL, trust BIGINT NOT NULL, sentiment BIGINT NOT NULL, waiting {id}, \
     running {id})",
    "CREATE TABLE score (tenant {id} NOT NULL, subject_id {id} NOT NULL, response_id {id} NOT NULL, \
     kind {text} NOT NULL, score INTEGER NOT NULL, scale_min INTEGER NOT NULL, \
     scale_max INTEGER NOT NULL, reversed BOOLEAN NOT NULL, occurred_at BIGINT NOT NULL, revision BIGINT NOT NULL, \
     deleted BOOLEAN NOT NULL, PRIMARY KEY (tenant, subject_id, response_id)) {clustered}",
];

const OF_TENANTS: &[&str] = &["segment", "segment_interval", "lifecycle", "derivation", "score"];

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "profiles_0004_segments"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::make(manager, TABLES, OF_TENANTS).await
    }
}
