//! By what responses are found beside their ids: their tags, and the records that they are elsewhere.

use rapport_data::rls;
use sea_orm_migration::prelude::*;

/// The third migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "feedback_0003_tags_and_keys"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(tags()).await?;
        // The tags of a response, when they change and when it goes.
        let tags_of = Index::create()
            .name("response_tag_by_response")
            .table("response_tag")
            .col("tenant")
            .col("response_id")
            .to_owned();
        manager.create_index(tags_of).await?;
        let tags_of_subject = Index::create()
            .name("response_tag_by_subject")
            .table("response_tag")
            .col("tenant")
            .col("subject_id")
            .to_owned();
        manager.create_index(tags_of_subject).await?;
        manager.create_table(keys()).await?;
        // What is known of a subject elsewhere, for erasure.
        let keys_of_subject = Index::create()
            .name("response_key_by_subject")
            .table("response_key")
            .col("tenant")
            .col("subject_id")
            .to_owned();
        manager.create_index(keys_of_subject).await?;
        // The key of a response, when it is deleted.
        let key_of = Index::create()
            .name("response_key_by_response")
            .table("response_key")
            .col("tenant")
            .col("response_id")
            .to_owned();
        manager.create_index(key_of).await?;
        rls::tenant_tables(manager, &["response_tag", "response_key"]).await
    }
}

fn tags() -> TableCreateStatement {
    Table::create()
        .table("response_tag")
        .col(ColumnDef::new("tenant").uuid().not_null())
        .col(ColumnDef::new("tag").text().not_null())
        .col(ColumnDef::new("response_id").uuid().not_null())
        .col(ColumnDef::new("subject_id").uuid().not_null())
        .primary_key(Index::create().col("tenant").col("tag").col("response_id"))
        .to_owned()
}

fn keys() -> TableCreateStatement {
    Table::create()
        .table("response_key")
        .col(ColumnDef::new("tenant").uuid().not_null())
        .col(ColumnDef::new("source").text().not_null())
        .col(ColumnDef::new("external_id").text().not_null())
        .col(ColumnDef::new("response_id").uuid().not_null())
        .col(ColumnDef::new("subject_id").uuid().not_null())
        .col(ColumnDef::new("version").big_integer().not_null())
        .col(ColumnDef::new("deleted").boolean().not_null())
        .primary_key(Index::create().col("tenant").col("source").col("external_id"))
        .to_owned()
}
