//! Accounts, by which the sources know them, and who belongs to them.

use rapport_data::rls;
use sea_orm::{ConnectionTrait as _, DbBackend};
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
        "profiles_0013_accounts"
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
        rls::tenant_tables(manager, &["account", "account_key", "account_member"]).await
    }
}
