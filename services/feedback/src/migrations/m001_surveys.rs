//! Surveys and their versions.

use rapport_data::rls;
use sea_orm_migration::prelude::*;

/// The first migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "feedback_0001_surveys"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(surveys()).await?;
        manager.create_table(versions()).await?;
        rls::tenant_tables(manager, &["survey", "survey_version"]).await
    }
}

fn surveys() -> TableCreateStatement {
    Table::create()
        .table("survey")
        .col(ColumnDef::new("tenant").uuid().not_null())
        .col(ColumnDef::new("survey_id").uuid().not_null())
        .col(ColumnDef::new("name").text().not_null())
        .col(ColumnDef::new("description").text().not_null())
        .col(ColumnDef::new("kind").text().not_null())
        .col(ColumnDef::new("party").text().not_null())
        .col(ColumnDef::new("state").text().not_null())
        .col(ColumnDef::new("version").integer().not_null())
        .col(ColumnDef::new("revision").big_integer().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("updated_at").big_integer().not_null())
        .col(ColumnDef::new("published_at").big_integer())
        .col(ColumnDef::new("closed_at").big_integer())
        .col(ColumnDef::new("asking").text().not_null())
        .primary_key(Index::create().col("tenant").col("survey_id"))
        .to_owned()
}

fn versions() -> TableCreateStatement {
    Table::create()
        .table("survey_version")
        .col(ColumnDef::new("tenant").uuid().not_null())
        .col(ColumnDef::new("survey_id").uuid().not_null())
        .col(ColumnDef::new("version").integer().not_null())
        .col(ColumnDef::new("definition").text().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .primary_key(Index::create().col("tenant").col("survey_id").col("version"))
        .to_owned()
}
