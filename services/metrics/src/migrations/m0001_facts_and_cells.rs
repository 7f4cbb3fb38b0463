//! Facts, the cells they add up to, the sets of dimensions, and which customer each subject belongs to.

use rapport_data::rls;
use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::prelude::*;

/// The tables as SQL for both engines: `{id}` is the engine's word for a UUID, `{clustered}` keeps rows
/// in their primary key's index on SQLite. The index by time holds all that counting customers reads.
///
/// No second index can serve a search by primary key (one is partial, the others do not begin with the tenant): a planner
/// without statistics, as during a first import, takes any that could, and reads all of a tenant's rows.
///
/// A record without facts, as a deleted one, keeps its first line: its revision stops older events, and by its subject an
/// erasure finds it.
const TABLES: &[&str] = &[
    "CREATE TABLE fact (tenant {id} NOT NULL, kind SMALLINT NOT NULL, id {id} NOT NULL, line INTEGER NOT NULL, \
     revision BIGINT NOT NULL, state SMALLINT NOT NULL, recorded_at BIGINT NOT NULL, subject_id {id} NOT NULL, \
     family SMALLINT, occurred_at BIGINT, hour BIGINT, month BIGINT, dimensions {id}, series TEXT, slot TEXT, \
     micros BIGINT, purchase BOOLEAN, thread {id}, PRIMARY KEY (tenant, kind, id, line)) {clustered}",
    "CREATE INDEX fact_time ON fact (tenant, family, occurred_at, subject_id, hour, month, dimensions, purchase, series) \
     WHERE state = 0",
    "CREATE INDEX fact_subject ON fact (subject_id, tenant)",
    "CREATE INDEX fact_thread ON fact (thread, occurred_at, tenant) WHERE thread IS NOT NULL",
    "CREATE TABLE cell (tenant {id} NOT NULL, family SMALLINT NOT NULL, hour BIGINT NOT NULL, dimensions {id} NOT NULL, \
     series TEXT NOT NULL, slot TEXT NOT NULL, month BIGINT NOT NULL, facts BIGINT NOT NULL, units BIGINT NOT NULL, \
     micros BIGINT NOT NULL, PRIMARY KEY (tenant, family, hour, dimensions, series, slot)) {clustered}",
    "CREATE INDEX cell_dimensions ON cell (dimensions, tenant)",
    "CREATE TABLE dimension_set (tenant {id} NOT NULL, id {id} NOT NULL, body TEXT NOT NULL, employee BOOLEAN NOT NULL, \
     PRIMARY KEY (tenant, id)) {clustered}",
    "CREATE INDEX dimension_set_employee ON dimension_set (tenant, id) WHERE employee",
    "CREATE TABLE subject_link (tenant {id} NOT NULL, subject_id {id} NOT NULL, customer_id {id} NOT NULL, \
     revision BIGINT NOT NULL, PRIMARY KEY (tenant, subject_id)) {clustered}",
];

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "metrics_0001_facts_and_cells"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let [id, clustered] = match manager.get_database_backend() {
            sea_orm::DbBackend::Postgres => ["UUID", ""],
            _ => ["BLOB", "WITHOUT ROWID"],
        };
        for table in TABLES {
            let text = table.replace("{id}", id).replace("{clustered}", clustered);
            manager.get_connection().execute_unprepared(&text).await?;
        }
        rls::tenant_tables(manager, &["fact", "cell", "dimension_set", "subject_link"]).await
    }
}
