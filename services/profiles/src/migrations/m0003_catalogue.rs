//! The catalogue; how far each source was trusted when; and how well each told, day by day.

use sea_orm_migration::prelude::*;

const TABLES: &[&str] = &[
    "CREATE TABLE catalogue_entry (tenant {id} NOT NULL, kind SMALLINT NOT NULL, name {text} NOT NULL, \
     state SMALLINT NOT NULL, revision BIGINT NOT NULL, body {text} NOT NULL, created_at BIGINT NOT NULL, \
     updated_at BIGINT NOT NULL, PRIMARY KEY (tenant, kind, name))",
    "CREATE TABLE source_trust (tenant {id} NOT NULL, name {text} NOT NULL, revision BIGINT NOT NULL, \
     trust SMALLINT NOT NULL, started_at BIGINT NOT NULL, ended_at BIGINT, PRIMARY KEY (tenant, name, revision))",
    "CREATE TABLE source_day (tenant {id} NOT NULL, source {text} NOT NULL, day BIGINT NOT NULL, \
     counts {text} NOT NULL, PRIMARY KEY (tenant, source, day))",
];

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "profiles_0003_catalogue"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::make(manager, TABLES, &["catalogue_entry", "source_trust", "source_day"]).await
    }
}
