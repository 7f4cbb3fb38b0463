//! Accounts, by which the sources know them, and who belongs to them.

use sea_orm_migration::prelude::*;

const TABLES: &[&str] = &[
    "CREATE TABLE account (tenant {id} NOT NULL, account_id {id} NOT NULL, revision BIGINT NOT NULL, kind {text} NOT NULL, \
     name {text} NOT NULL, traits {bytes} NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, \
     PRIMARY KEY (tenant, account_id))",
    "CREATE TABLE account_key (tenant {id} NOT NULL, source {text} NOT NULL, external_id {text} NOT NULL, \
     account_id {id} NOT NULL, version BIGINT NOT NULL, PRIMARY KEY (tenant, source, external_id))",
    "CREATE INDEX account_key_account ON account_key (tenant, account_id)",
    "CREATE TABLE account_member (tenant {id} NOT NULL, subject_id {id} NOT NULL, account_id {id} NOT NULL, \
     role {text} NOT NULL, source {text} NOT NULL, observed_at BIGINT NOT NULL, started_at BIGINT NOT NULL, \
     ended_at BIGINT, PRIMARY KEY (tenant, subject_id, account_id))",
    "CREATE INDEX account_member_account ON account_member (tenant, account_id, subject_id)",
];

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "profiles_0008_accounts"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::make(manager, TABLES, &["account", "account_key", "account_member"]).await
    }
}
