//! Interactions: the timeline by subject, and the small table that makes a source's id unique. They are two because the
//! timeline can be partitioned by time, and a table so partitioned cannot hold that uniqueness.

use rapport_data::rls::tenant_tables;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, string, string_null, uuid};

/// The migration.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let timeline = Table::create()
            .table("interaction")
            .col(uuid("tenant"))
            .col(uuid("subject_id"))
            .col(big_integer("occurred_at"))
            .col(uuid("interaction_id"))
            .col(string("source"))
            .col(string("external_id"))
            .col(big_integer("version"))
            .col(big_integer("revision"))
            .col(string("kind"))
            .col(string("channel"))
            .col(string("touchpoint"))
            .col(string("stage"))
            .col(string("product"))
            .col(big_integer_null("amount_micros"))
            .col(string_null("currency"))
            .col(string("attributes"))
            .col(string("party"))
            .col(string("dimensions"))
            .col(big_integer("recorded_at"))
            .primary_key(Index::create().col("tenant").col("subject_id").col("occurred_at").col("interaction_id"))
            .to_owned();
        manager.create_table(timeline).await?;
        let key = Table::create()
            .table("interaction_key")
            .col(uuid("tenant"))
            .col(string("source"))
            .col(string("external_id"))
            .col(uuid("interaction_id"))
            .col(uuid("subject_id"))
            .col(big_integer("occurred_at"))
            .col(big_integer("version"))
            .primary_key(Index::create().col("tenant").col("source").col("external_id"))
            .to_owned();
        manager.create_table(key).await?;
        // An erasure seeks a subject's keys.
        let of_subject = Index::create().name("interaction_key_subject").table("interaction_key").to_owned();
        manager.create_index(of_subject.clone().col("tenant").col("subject_id").to_owned()).await?;
        tenant_tables(manager, &["interaction", "interaction_key"]).await
    }
}
