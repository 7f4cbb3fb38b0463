//! Responses.

use rapport_data::rls;
use sea_orm_migration::prelude::*;

/// The second migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "feedback_0002_responses"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(responses()).await?;
        // A page of a survey's responses, newest first, is a range of this one.
        manager.create_index(index("response_by_survey", &["survey_id", "answered_at", "response_id"])).await?;
        // The same of all surveys.
        manager.create_index(index("response_by_time", &["answered_at", "response_id"])).await?;
        // What a subject said, for lists of one customer and for erasure.
        manager.create_index(index("response_by_subject", &["subject_id", "answered_at", "response_id"])).await?;
        // What was said of a ticket.
        manager.create_index(index("response_by_ticket", &["ticket_id"])).await?;
        rls::tenant_tables(manager, &["response"]).await
    }
}

fn index(name: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create().name(name).table("response").col("tenant").to_owned();
    for column in columns {
        index.col(*column);
    }
    index
}

fn responses() -> TableCreateStatement {
    Table::create()
        .table("response")
        .col(ColumnDef::new("tenant").uuid().not_null())
        .col(ColumnDef::new("response_id").uuid().not_null())
        .col(ColumnDef::new("survey_id").uuid().not_null())
        .col(ColumnDef::new("version").integer().not_null())
        .col(ColumnDef::new("kind").text().not_null())
        .col(ColumnDef::new("subject_id").uuid().not_null())
        .col(ColumnDef::new("anonymous").boolean().not_null())
        .col(ColumnDef::new("party").text().not_null())
        .col(ColumnDef::new("complete").boolean().not_null())
        .col(ColumnDef::new("is_test").boolean().not_null())
        .col(ColumnDef::new("aside").boolean().not_null())
        .col(ColumnDef::new("score").integer())
        .col(ColumnDef::new("weight").double().not_null())
        .col(ColumnDef::new("content").text().not_null())
        .col(ColumnDef::new("tags").text().not_null())
        .col(ColumnDef::new("channel").text().not_null())
        .col(ColumnDef::new("touchpoint").text().not_null())
        .col(ColumnDef::new("stage").text().not_null())
        .col(ColumnDef::new("product").text().not_null())
        .col(ColumnDef::new("campaign").text().not_null())
        .col(ColumnDef::new("agent").text().not_null())
        .col(ColumnDef::new("team").text().not_null())
        .col(ColumnDef::new("language").text().not_null())
        .col(ColumnDef::new("ticket_id").uuid())
        .col(ColumnDef::new("interaction_id").uuid())
        .col(ColumnDef::new("invitation_id").uuid())
        .col(ColumnDef::new("source").text().not_null())
        .col(ColumnDef::new("external_id").text().not_null())
        .col(ColumnDef::new("source_version").big_integer().not_null())
        .col(ColumnDef::new("dimensions").text().not_null())
        .col(ColumnDef::new("started_at").big_integer())
        .col(ColumnDef::new("answered_at").big_integer().not_null())
        .col(ColumnDef::new("completed_at").big_integer())
        .col(ColumnDef::new("revision").big_integer().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("updated_at").big_integer().not_null())
        .primary_key(Index::create().col("tenant").col("response_id"))
        .to_owned()
}
