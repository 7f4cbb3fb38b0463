//! Outbox, relay, leases, inbox, receipts, wakeups, tombstones, dead letters, known tenants.

use sea_orm_migration::prelude::*;

use crate::rls;

/// The tables as SQL for both engines: `{id}`, `{bytes}` and `{serial}` are the engine's words.
const TABLES: &[&str] = &[
    "CREATE TABLE known_tenant (tenant {id} NOT NULL PRIMARY KEY, recorded_at BIGINT NOT NULL)",
    "CREATE TABLE outbox (seq {serial}, tenant {id} NOT NULL, subject_id {id} NOT NULL, partition SMALLINT NOT NULL, \
     position BIGINT, body {bytes} NOT NULL, recorded_at BIGINT NOT NULL)",
    "CREATE INDEX outbox_pending ON outbox (partition, seq) WHERE position IS NULL",
    "CREATE UNIQUE INDEX outbox_placed ON outbox (partition, position) WHERE position IS NOT NULL",
    // What an erasure emptied: seldom any, and sought at every question whether the bus is clear.
    "CREATE INDEX outbox_emptied ON outbox (partition, position) WHERE position IS NOT NULL AND length(body) = 0",
    "CREATE INDEX outbox_subject ON outbox (tenant, subject_id)",
    "CREATE TABLE relay (partition SMALLINT NOT NULL PRIMARY KEY, holder {id} NOT NULL, expires_at BIGINT NOT NULL, \
     position BIGINT NOT NULL, settled BIGINT NOT NULL, swept BIGINT NOT NULL DEFAULT 0)",
    "CREATE TABLE lease (name TEXT NOT NULL PRIMARY KEY, holder {id} NOT NULL, expires_at BIGINT NOT NULL)",
    "CREATE TABLE inbox (tenant {id} NOT NULL, consumer TEXT NOT NULL, event_id {id} NOT NULL, subject_id {id}, \
     recorded_at BIGINT NOT NULL, PRIMARY KEY (tenant, consumer, event_id))",
    "CREATE INDEX inbox_subject ON inbox (tenant, subject_id)",
    "CREATE INDEX inbox_age ON inbox (recorded_at)",
    "CREATE TABLE receipt (tenant {id} NOT NULL, request_id {id} NOT NULL, hash {bytes} NOT NULL, \
     answer {bytes} NOT NULL, recorded_at BIGINT NOT NULL, PRIMARY KEY (tenant, request_id))",
    "CREATE INDEX receipt_age ON receipt (recorded_at)",
    "CREATE TABLE receipt_subject (tenant {id} NOT NULL, subject_id {id} NOT NULL, request_id {id} NOT NULL, \
     recorded_at BIGINT NOT NULL, PRIMARY KEY (tenant, subject_id, request_id))",
    "CREATE INDEX receipt_subject_age ON receipt_subject (recorded_at)",
    "CREATE TABLE wakeup (tenant {id} NOT NULL, subject_id {id} NOT NULL, due_at BIGINT NOT NULL, \
     leased_until BIGINT NOT NULL, PRIMARY KEY (tenant, subject_id))",
    "CREATE INDEX wakeup_due ON wakeup (due_at)",
    "CREATE TABLE tombstone (tenant {id} NOT NULL, subject_id {id} NOT NULL, erased_at BIGINT NOT NULL, \
     PRIMARY KEY (tenant, subject_id))",
    "CREATE TABLE dead_letter (tenant {id} NOT NULL, id {id} NOT NULL, consumer TEXT NOT NULL, topic TEXT NOT NULL, \
     subject_id {id}, reason TEXT NOT NULL, body {bytes} NOT NULL, recorded_at BIGINT NOT NULL, \
     PRIMARY KEY (tenant, id))",
    "CREATE INDEX dead_letter_subject ON dead_letter (tenant, subject_id)",
    "CREATE INDEX dead_letter_age ON dead_letter (recorded_at)",
];

/// What belongs to tenants.
const OF_TENANTS: &[&str] =
    &["known_tenant", "outbox", "inbox", "receipt", "receipt_subject", "wakeup", "tombstone", "dead_letter"];
/// What relay, timers and sweeps work on.
const OF_SYSTEM: &[&str] =
    &["known_tenant", "outbox", "relay", "lease", "inbox", "receipt", "receipt_subject", "wakeup", "dead_letter"];

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "data_0001_events_and_calls"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let [id, bytes, serial] = match manager.get_database_backend() {
            sea_orm::DbBackend::Postgres => ["UUID", "BYTEA", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"],
            _ => ["BLOB", "BLOB", "INTEGER PRIMARY KEY AUTOINCREMENT"],
        };
        for table in TABLES {
            let text = table.replace("{id}", id).replace("{bytes}", bytes).replace("{serial}", serial);
            manager.get_connection().execute_unprepared(&text).await?;
        }
        rls::tenant_tables(manager, OF_TENANTS).await?;
        rls::system_tables(manager, OF_SYSTEM).await
    }
}
