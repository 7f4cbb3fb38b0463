//! Facts, the cells they add up to, the sets of dimensions, and which customer each subject belongs to.

use rapport_data::rls;
use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::prelude::*;

/// The tables as SQL for both engines: `{id}` is the engine's word for a UUID.
///
/// A deleted fact keeps its revision, which stops older events, and its subject, by which an erasure finds it.
const TABLES: &[&str] = &[
    "CREATE TABLE fact (tenant {id} NOT NULL, family SMALLINT NOT NULL, id {id} NOT NULL, revision BIGINT NOT NULL, \
     state SMALLINT NOT NULL, recorded_at BIGINT NOT NULL, subject_id {id} NOT NULL, occurred_at BIGINT, hour BIGINT, \
     month BIGINT, dimensions {id}, slot TEXT, micros BIGINT, purchase BOOLEAN, PRIMARY KEY (tenant, family, id))",
    "CREATE INDEX fact_time ON fact (tenant, family, occurred_at)",
    "CREATE INDEX fact_subject ON fact (tenant, subject_id)",
    "CREATE TABLE cell (tenant {id} NOT NULL, family SMALLINT NOT NULL, hour BIGINT NOT NULL, dimensions {id} NOT NULL, \
     slot TEXT NOT NULL, month BIGINT NOT NULL, facts BIGINT NOT NULL, units BIGINT NOT NULL, micros BIGINT NOT NULL, \
     PRIMARY KEY (tenant, family, hour, dimensions, slot))",
    "CREATE INDEX cell_dimensions ON cell (tenant, dimensions)",
    "CREATE TABLE dimension_set (tenant {id} NOT NULL, id {id} NOT NULL, body TEXT NOT NULL, PRIMARY KEY (tenant, id))",
    "CREATE TABLE subject_link (tenant {id} NOT NULL, subject_id {id} NOT NULL, customer_id {id} NOT NULL, \
     revision BIGINT NOT NULL, PRIMARY KEY (tenant, subject_id))",
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
        let id = match manager.get_database_backend() {
            sea_orm::DbBackend::Postgres => "UUID",
            _ => "BLOB",
        };
        for table in TABLES {
            manager.get_connection().execute_unprepared(&table.replace("{id}", id)).await?;
        }
        rls::tenant_tables(manager, &["fact", "cell", "dimension_set", "subject_link"]).await
    }
}
