//! Surveys and responses.

use rapport_data::rls;
use sea_orm_migration::prelude::*;

/// The first migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "feedback_0001_surveys_and_responses"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(surveys()).await?;
        manager.create_table(responses()).await?;
        // A page of a survey's responses, newest first, is a range of this one.
        let newest = Index::create()
            .name("response_by_survey")
            .table("response")
            .col("tenant")
            .col("survey_id")
            .col("answered_at")
            .col("response_id")
            .to_owned();
        manager.create_index(newest).await?;
        // What a subject said, for lists of one customer and for erasure.
        let subject = Index::create()
            .name("response_by_subject")
            .table("response")
            .col("tenant")
            .col("subject_id")
            .col("survey_id")
            .to_owned();
        manager.create_index(subject).await?;
        rls::tenant_tables(manager, &["survey", "response"]).await
    }
}

fn surveys() -> TableCreateStatement {
    Table::create()
        .table("survey")
        .col(ColumnDef::new("tenant").uuid().not_null())
        .col(ColumnDef::new("survey_id").uuid().not_null())
        .col(ColumnDef::new("name").text().not_null())
        .col(ColumnDef::new("kind").text().not_null())
        .col(ColumnDef::new("question").text().not_null())
        .col(ColumnDef::new("state").text().not_null())
        .col(ColumnDef::new("revision").big_integer().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("published_at").big_integer())
        .col(ColumnDef::new("closed_at").big_integer())
        .primary_key(Index::create().col("tenant").col("survey_id"))
        .to_owned()
}

fn responses() -> TableCreateStatement {
    Table::create()
        .table("response")
        .col(ColumnDef::new("tenant").uuid().not_null())
        .col(ColumnDef::new("response_id").uuid().not_null())
        .col(ColumnDef::new("survey_id").uuid().not_null())
        .col(ColumnDef::new("kind").text().not_null())
        .col(ColumnDef::new("subject_id").uuid().not_null())
        .col(ColumnDef::new("anonymous").boolean().not_null())
        .col(ColumnDef::new("score").integer().not_null())
        .col(ColumnDef::new("comment").text().not_null())
        .col(ColumnDef::new("channel").text().not_null())
        .col(ColumnDef::new("touchpoint").text().not_null())
        .col(ColumnDef::new("stage").text().not_null())
        .col(ColumnDef::new("product").text().not_null())
        .col(ColumnDef::new("dimensions").text().not_null())
        .col(ColumnDef::new("answered_at").big_integer().not_null())
        .col(ColumnDef::new("revision").big_integer().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("updated_at").big_integer().not_null())
        .primary_key(Index::create().col("tenant").col("response_id"))
        .to_owned()
}
