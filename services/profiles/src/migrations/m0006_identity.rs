//! Identity resolution: what a tenant decided about namespaces and linking, match candidates, quarantined values.

use sea_orm_migration::prelude::*;

/// The tables as SQL for both engines; the words in braces as in the first migration.
const TABLES: &[&str] = &[
    "CREATE TABLE namespace (tenant {id} NOT NULL, name {text} NOT NULL, body {bytes} NOT NULL, \
     PRIMARY KEY (tenant, name))",
    "CREATE TABLE identity_settings (tenant {id} NOT NULL PRIMARY KEY, body {bytes} NOT NULL)",
    "CREATE TABLE match_candidate (tenant {id} NOT NULL, candidate_id {id} NOT NULL, left_id {id} NOT NULL, \
     right_id {id} NOT NULL, reason SMALLINT NOT NULL, namespace {text} NOT NULL, limited_by {text} NOT NULL, \
     probability DOUBLE PRECISION, model_version BIGINT NOT NULL, state SMALLINT NOT NULL, revision BIGINT NOT NULL, \
     decided_by {text} NOT NULL, remark {text} NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, \
     PRIMARY KEY (tenant, candidate_id)) {clustered}",
    "CREATE INDEX match_candidate_left ON match_candidate (tenant, left_id)",
    "CREATE INDEX match_candidate_right ON match_candidate (tenant, right_id)",
    "CREATE INDEX match_candidate_state ON match_candidate (tenant, state, candidate_id)",
    "CREATE TABLE quarantine (tenant {id} NOT NULL, namespace {text} NOT NULL, value {text} NOT NULL, \
     handle {id} NOT NULL, since BIGINT NOT NULL, allowed BIGINT NOT NULL, PRIMARY KEY (tenant, namespace, value)) \
     {clustered}",
    "CREATE UNIQUE INDEX quarantine_handle ON quarantine (tenant, handle)",
];

const OF_TENANTS: &[&str] = &["namespace", "identity_settings", "match_candidate", "quarantine"];

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "profiles_0006_identity"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::make(manager, TABLES, OF_TENANTS).await
    }
}
