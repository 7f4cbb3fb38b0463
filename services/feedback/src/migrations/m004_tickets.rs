//! Tickets, their messages, when they are to be looked at again, and what is kept of those that are gone; which
//! customers hold subjects that changed hands; calendars and policies of service levels.

use rapport_data::rls;
use sea_orm::{ConnectionTrait as _, DbBackend};
use sea_orm_migration::prelude::*;

/// The tables as SQL for both engines: `{id}`, `{text}` (compared byte by byte) and `{bytes}` are the engine's words.
const TABLES: &[&str] = &[
    "CREATE TABLE ticket (tenant {id} NOT NULL, ticket_id {id} NOT NULL, key_id {id} NOT NULL, source {text} NOT NULL, \
     external_id {text} NOT NULL, subject_id {id} NOT NULL, customer_id {id}, \
     customer_revision BIGINT NOT NULL, issue_id {id} NOT NULL, opened_at BIGINT NOT NULL, until_at BIGINT, created_at BIGINT NOT NULL, changed_at BIGINT NOT NULL, \
     status {text} NOT NULL, kind {text} NOT NULL, agent {text} NOT NULL, team {text} NOT NULL, topic {text} NOT NULL, \
     product {text} NOT NULL, issue_said {text} NOT NULL, follows {id}, breached SMALLINT NOT NULL, due_at BIGINT, \
     merged_into {id}, revision BIGINT NOT NULL, owner {bytes} NOT NULL, told {bytes} NOT NULL, derived {bytes} NOT NULL, \
     PRIMARY KEY (tenant, ticket_id))",
    "CREATE UNIQUE INDEX ticket_key ON ticket (tenant, key_id)",
    "CREATE INDEX ticket_opened ON ticket (tenant, opened_at, ticket_id)",
    "CREATE INDEX ticket_changed ON ticket (tenant, changed_at, ticket_id)",
    "CREATE INDEX ticket_subject ON ticket (tenant, subject_id)",
    "CREATE INDEX ticket_customer ON ticket (tenant, customer_id) WHERE customer_id IS NOT NULL",
    "CREATE INDEX ticket_merged ON ticket (tenant, merged_into) WHERE merged_into IS NOT NULL",
    "CREATE INDEX ticket_next ON ticket (tenant, due_at, ticket_id) WHERE due_at IS NOT NULL",
    "CREATE TABLE ticket_message (tenant {id} NOT NULL, ticket_id {id} NOT NULL, external_id {text} NOT NULL, \
     message_id {id} NOT NULL, said_at BIGINT NOT NULL, body {bytes} NOT NULL, \
     PRIMARY KEY (tenant, ticket_id, external_id))",
    "CREATE INDEX ticket_message_said ON ticket_message (tenant, ticket_id, said_at, message_id)",
    "CREATE TABLE ticket_gone (tenant {id} NOT NULL, key_id {id} NOT NULL, ticket_id {id} NOT NULL, subject_id {id}, \
     revision BIGINT NOT NULL, opened_at BIGINT NOT NULL, reason {text} NOT NULL, deleted_at BIGINT NOT NULL, \
     PRIMARY KEY (tenant, key_id))",
    "CREATE INDEX ticket_gone_ticket ON ticket_gone (tenant, ticket_id)",
    "CREATE INDEX ticket_gone_subject ON ticket_gone (tenant, subject_id) WHERE subject_id IS NOT NULL",
    "CREATE TABLE ticket_due (tenant {id} NOT NULL, ticket_id {id} NOT NULL, due_at BIGINT NOT NULL, \
     PRIMARY KEY (tenant, ticket_id))",
    "CREATE INDEX ticket_due_next ON ticket_due (due_at)",
    "CREATE TABLE subject_holder (tenant {id} NOT NULL, subject_id {id} NOT NULL, customer_id {id} NOT NULL, \
     revision BIGINT NOT NULL, PRIMARY KEY (tenant, subject_id))",
    "CREATE TABLE subject_left (tenant {id} NOT NULL, subject_id {id} NOT NULL, customer_id {id} NOT NULL, \
     revision BIGINT NOT NULL, due_at BIGINT NOT NULL, PRIMARY KEY (tenant, subject_id, customer_id))",
    "CREATE INDEX subject_left_next ON subject_left (due_at)",
    "CREATE TABLE sla_rule (tenant {id} NOT NULL, rule_id {id} NOT NULL, kind {text} NOT NULL, name {text} NOT NULL, \
     revision BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, body {text} NOT NULL, \
     PRIMARY KEY (tenant, rule_id))",
    "CREATE UNIQUE INDEX sla_rule_name ON sla_rule (tenant, kind, name)",
    "CREATE TABLE sla_version (tenant {id} NOT NULL PRIMARY KEY, version BIGINT NOT NULL)",
];

const OF_TENANTS: &[&str] = &[
    "ticket",
    "ticket_message",
    "ticket_gone",
    "ticket_due",
    "subject_holder",
    "subject_left",
    "sla_rule",
    "sla_version",
];
/// What the clock looks at, over all tenants.
const OF_SYSTEM: &[&str] = &["ticket_due", "subject_left"];

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "feedback_0004_tickets"
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
