//! Policies and their actions; decisions, the contact ledger, and what holds two decisions of a customer apart.

use rapport_data::rls;
use sea_orm::{ConnectionTrait as _, DbBackend};
use sea_orm_migration::prelude::*;

/// The tables as SQL for both engines: `{id}`, `{bytes}`, `{text}` and `{real}` are the engine's words. Text is
/// compared by its bytes on both, so that lists have one order.
const TABLES: &[&str] = &[
    // A tenant's policy version: raised in the transaction of every change of its actions.
    "CREATE TABLE policy (tenant {id} NOT NULL PRIMARY KEY, version BIGINT NOT NULL)",
    // Every revision of every action, valid for the policy versions from `version` to before `until_version`. Nothing
    // of a revision changes but that end, so that any version can be put together again.
    "CREATE TABLE action (tenant {id} NOT NULL, action_id {id} NOT NULL, version BIGINT NOT NULL, \
     until_version BIGINT, name {text} NOT NULL, kind {text} NOT NULL, channels {text} NOT NULL, \
     placements {text} NOT NULL, eligibility {text} NOT NULL, value {real} NOT NULL, propensity {real}, \
     cap_times BIGINT, cap_window BIGINT, start_at BIGINT, end_at BIGINT, created_at BIGINT NOT NULL, \
     updated_at BIGINT NOT NULL, PRIMARY KEY (tenant, action_id, version))",
    "CREATE UNIQUE INDEX action_name ON action (tenant, name) WHERE until_version IS NULL",
    "CREATE INDEX action_range ON action (tenant, version, until_version)",
    // How often the ledger of a subject changed; -1: the subject was erased.
    "CREATE TABLE contact_state (tenant {id} NOT NULL, subject_id {id} NOT NULL, version BIGINT NOT NULL, \
     PRIMARY KEY (tenant, subject_id))",
    // Which subject got which action when, and what else it was contacted with: of that the action is nil, and the
    // decision's id is the contact's. What is only reserved stops to count at `until_at`.
    "CREATE TABLE ledger (tenant {id} NOT NULL, subject_id {id} NOT NULL, action_id {id} NOT NULL, \
     entered_at BIGINT NOT NULL, decision_id {id} NOT NULL, kind {text} NOT NULL, channel {text} NOT NULL, \
     purpose {text} NOT NULL, topic {text} NOT NULL, until_at BIGINT, reference {text} NOT NULL, \
     PRIMARY KEY (tenant, subject_id, action_id, entered_at, decision_id))",
    "CREATE INDEX ledger_entry ON ledger (tenant, decision_id)",
    // What a subject was contacted with lately, whatever it was.
    "CREATE INDEX ledger_subject ON ledger (tenant, subject_id, entered_at)",
    // A tenant's rules of restraint; none: the usual ones.
    "CREATE TABLE contact_policy (tenant {id} NOT NULL PRIMARY KEY, revision BIGINT NOT NULL, \
     updated_at BIGINT NOT NULL, body {text} NOT NULL)",
    "CREATE INDEX ledger_age ON ledger (tenant, entered_at)",
    // Every committed decision, as it was answered, with all that it was made from.
    "CREATE TABLE decision (tenant {id} NOT NULL, decision_id {id} NOT NULL, subject_id {id} NOT NULL, \
     decided_at BIGINT NOT NULL, policy_version BIGINT NOT NULL, algorithm SMALLINT NOT NULL, seed BIGINT NOT NULL, \
     exploration {real} NOT NULL, asked {bytes} NOT NULL, profile {bytes} NOT NULL, counts {bytes} NOT NULL, \
     answer {bytes} NOT NULL, PRIMARY KEY (tenant, decision_id))",
    "CREATE INDEX decision_subject ON decision (tenant, subject_id)",
    // The other subjects whose data a decision was made from: an erasure of one of them takes the decision as well.
    "CREATE TABLE decision_source (tenant {id} NOT NULL, decision_id {id} NOT NULL, subject_id {id} NOT NULL, \
     PRIMARY KEY (tenant, decision_id, subject_id))",
    "CREATE INDEX decision_source_subject ON decision_source (tenant, subject_id)",
    // What is left of a decision after an erasure: that there was one.
    "CREATE TABLE erased_decision (tenant {id} NOT NULL, decision_id {id} NOT NULL, erased_at BIGINT NOT NULL, \
     PRIMARY KEY (tenant, decision_id))",
];

const OF_TENANTS: &[&str] = &[
    "policy",
    "action",
    "contact_state",
    "ledger",
    "contact_policy",
    "decision",
    "decision_source",
    "erased_decision",
];

/// The first migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "personalisation_0001_actions_and_decisions"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let [id, bytes, text, real] = match manager.get_database_backend() {
            DbBackend::Postgres => ["UUID", "BYTEA", "TEXT COLLATE \"C\"", "DOUBLE PRECISION"],
            _ => ["BLOB", "BLOB", "TEXT", "REAL"],
        };
        for table in TABLES {
            let statement = table.replace("{id}", id).replace("{bytes}", bytes);
            let statement = statement.replace("{text}", text).replace("{real}", real);
            manager.get_connection().execute_unprepared(&statement).await?;
        }
        rls::tenant_tables(manager, OF_TENANTS).await
    }
}
