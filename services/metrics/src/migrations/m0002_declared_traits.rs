//! Which traits are declared as dimensions of metrics, and what tenants set for themselves.

use rapport_data::rls;
use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "metrics_0002_declared_traits"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let id = match manager.get_database_backend() {
            sea_orm::DbBackend::Postgres => "UUID",
            _ => "BLOB",
        };
        let text = format!(
            "CREATE TABLE declared_trait (tenant {id} NOT NULL, name TEXT NOT NULL, revision BIGINT NOT NULL, \
             metric_dimension BOOLEAN NOT NULL, PRIMARY KEY (tenant, name))"
        );
        manager.get_connection().execute_unprepared(&text).await?;
        let text = format!(
            "CREATE TABLE tenant_setting (tenant {id} NOT NULL PRIMARY KEY, revision BIGINT NOT NULL, \
             suppression_threshold BIGINT NOT NULL)"
        );
        manager.get_connection().execute_unprepared(&text).await?;
        rls::tenant_tables(manager, &["declared_trait", "tenant_setting"]).await
    }
}
