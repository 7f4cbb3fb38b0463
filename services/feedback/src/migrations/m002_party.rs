//! What the party was when it answered. What was answered before this column was is taken for a customer's answer.

use sea_orm_migration::prelude::*;

/// The second migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "feedback_0002_party"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let party = ColumnDef::new("party").text().not_null().default("customer").to_owned();
        manager.alter_table(Table::alter().table("response").add_column(party).to_owned()).await
    }
}
