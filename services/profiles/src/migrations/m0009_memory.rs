//! What feedback told of how customers feel and of what stands open, item by item.

use sea_orm_migration::prelude::*;

/// The tables as SQL for both engines; the words in braces are those of the first migration.
const TABLES: &[&str] = &[
    "CREATE TABLE memory (tenant {id} NOT NULL, item_id {id} NOT NULL, subject_id {id} NOT NULL, \
     revision BIGINT NOT NULL, occurred_at BIGINT NOT NULL, source {text} NOT NULL, sentiment DOUBLE PRECISION, \
     matter {text} NOT NULL, PRIMARY KEY (tenant, item_id))",
    "CREATE INDEX memory_subject ON memory (tenant, subject_id)",
];

const OF_TENANTS: &[&str] = &["memory"];

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "profiles_0009_memory"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::make(manager, TABLES, OF_TENANTS).await
    }
}
