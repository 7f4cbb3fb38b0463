//! Follow-ups: the rules that open them, what they follow up, their history; promises; improvements; and when something of
//! these happens by itself.

use rapport_data::rls;
use sea_orm::{ConnectionTrait as _, DbBackend};
use sea_orm_migration::prelude::*;

/// The tables as SQL for both engines: `{id}`, `{text}` (compared byte by byte) and `{bytes}` are the engine's words.
const TABLES: &[&str] = &[
    "CREATE TABLE follow_up_rule (tenant {id} NOT NULL, rule_id {id} NOT NULL, name {text} NOT NULL, \
     revision BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, opened BIGINT NOT NULL, \
     body {text} NOT NULL, PRIMARY KEY (tenant, rule_id))",
    "CREATE UNIQUE INDEX follow_up_rule_name ON follow_up_rule (tenant, name)",
    "CREATE TABLE follow_up_version (tenant {id} NOT NULL PRIMARY KEY, version BIGINT NOT NULL)",
    "CREATE TABLE follow_up (tenant {id} NOT NULL, follow_up_id {id} NOT NULL, subject_id {id} NOT NULL, rule_id {id}, \
     kind {text} NOT NULL, status {text} NOT NULL, owner {text} NOT NULL, team {text} NOT NULL, \
     overdue SMALLINT NOT NULL, root_cause {text} NOT NULL, opened_at BIGINT NOT NULL, due_at BIGINT NOT NULL, \
     resolved_at BIGINT, changed_at BIGINT NOT NULL, scored_by {id}, joined_to {id}, revision BIGINT NOT NULL, \
     body {bytes} NOT NULL, PRIMARY KEY (tenant, follow_up_id))",
    "CREATE INDEX follow_up_subject ON follow_up (tenant, subject_id)",
    "CREATE INDEX follow_up_resolved ON follow_up (tenant, subject_id) WHERE status = 'resolved'",
    "CREATE INDEX follow_up_opened ON follow_up (tenant, opened_at, follow_up_id)",
    "CREATE INDEX follow_up_changed ON follow_up (tenant, changed_at, follow_up_id)",
    "CREATE INDEX follow_up_next ON follow_up (tenant, due_at, follow_up_id) WHERE status IN ('open', 'in_progress')",
    "CREATE INDEX follow_up_root ON follow_up (tenant, root_cause) WHERE root_cause <> ''",
    "CREATE INDEX follow_up_scored ON follow_up (tenant, scored_by) WHERE scored_by IS NOT NULL",
    "CREATE INDEX follow_up_joined ON follow_up (tenant, joined_to) WHERE joined_to IS NOT NULL",
    "CREATE TABLE follow_up_cause (tenant {id} NOT NULL, cause_id {id} NOT NULL, rule_id {id} NOT NULL, \
     kind {text} NOT NULL, follow_up_id {id} NOT NULL, subject_id {id} NOT NULL, revision BIGINT NOT NULL, \
     stands SMALLINT NOT NULL, progress {bytes}, PRIMARY KEY (tenant, cause_id, rule_id))",
    "CREATE INDEX follow_up_cause_of ON follow_up_cause (tenant, follow_up_id)",
    "CREATE INDEX follow_up_cause_subject ON follow_up_cause (tenant, subject_id)",
    "CREATE TABLE follow_up_entry (tenant {id} NOT NULL, follow_up_id {id} NOT NULL, at BIGINT NOT NULL, \
     entry_id {id} NOT NULL, body {bytes} NOT NULL, PRIMARY KEY (tenant, follow_up_id, at, entry_id))",
    "CREATE TABLE promise (tenant {id} NOT NULL, promise_id {id} NOT NULL, key_id {id}, subject_id {id} NOT NULL, \
     status {text} NOT NULL, agent {text} NOT NULL, team {text} NOT NULL, ticket_id {id}, given_at BIGINT NOT NULL, \
     due_at BIGINT, changed_at BIGINT NOT NULL, revision BIGINT NOT NULL, body {bytes} NOT NULL, \
     PRIMARY KEY (tenant, promise_id))",
    "CREATE UNIQUE INDEX promise_key ON promise (tenant, key_id) WHERE key_id IS NOT NULL",
    "CREATE INDEX promise_subject ON promise (tenant, subject_id)",
    "CREATE INDEX promise_given ON promise (tenant, given_at, promise_id)",
    "CREATE INDEX promise_next ON promise (tenant, due_at, promise_id) WHERE due_at IS NOT NULL",
    "CREATE TABLE promise_gone (tenant {id} NOT NULL, key_id {id} NOT NULL, PRIMARY KEY (tenant, key_id))",
    "CREATE TABLE improvement (tenant {id} NOT NULL, improvement_id {id} NOT NULL, cause {text} NOT NULL, \
     department {text} NOT NULL, stage {text} NOT NULL, status {text} NOT NULL, revision BIGINT NOT NULL, \
     created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, body {text} NOT NULL, \
     PRIMARY KEY (tenant, improvement_id))",
    "CREATE TABLE loop_due (tenant {id} NOT NULL, item_id {id} NOT NULL, kind {text} NOT NULL, due_at BIGINT NOT NULL, \
     PRIMARY KEY (tenant, item_id))",
    "CREATE INDEX loop_due_next ON loop_due (due_at)",
];

const OF_TENANTS: &[&str] = &[
    "follow_up_rule",
    "follow_up_version",
    "follow_up",
    "follow_up_cause",
    "follow_up_entry",
    "promise",
    "promise_gone",
    "improvement",
    "loop_due",
];
/// What the clock looks at, over all tenants.
const OF_SYSTEM: &[&str] = &["loop_due"];

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "feedback_0008_loop"
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
        rls::tenant_tables(manager, OF_TENANTS).await?;
        rls::system_tables(manager, OF_SYSTEM).await
    }
}
