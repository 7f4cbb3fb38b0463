//! Tenants, their keys, erasures, and what is noted of administrative acts.

use rapport_data::rls;
use sea_orm_migration::prelude::*;

/// The first migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "gateway_0001_tenants_keys_and_erasures"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [tenants(), keys(), erasures(), subjects(), receipts(), audit()] {
            manager.create_table(table).await?;
        }
        let indices = [
            unique("tenant_by_name", "tenant", &["name"]),
            unique("api_key_by_hash", "api_key", &["hash"]),
            index("erasure_by_completion", "erasure", &["completed_at", "created_at"]),
            index("erasure_subject_by_subject", "erasure_subject", &["tenant", "subject_id"]),
        ];
        for index in indices {
            manager.create_index(index).await?;
        }
        let all = ["tenant", "api_key", "erasure", "erasure_subject", "erasure_receipt", "audit"];
        rls::tenant_tables(manager, &all).await?;
        // Who calls is not known before the key is found; a tenant is made before it can act; and the erasures that
        // still run are looked for over all tenants.
        rls::system_tables(manager, &["tenant", "api_key", "erasure", "audit"]).await
    }
}

fn index(name: &'static str, table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    index
}

fn unique(name: &'static str, table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = index(name, table, columns);
    index.unique();
    index
}

fn id(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().not_null().to_owned()
}

fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().not_null().to_owned()
}

fn number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().to_owned()
}

fn tenants() -> TableCreateStatement {
    let mut table = Table::create();
    table.table("tenant").col(id("tenant")).col(text("name")).col(number("created_at"));
    table.primary_key(Index::create().col("tenant")).to_owned()
}

fn keys() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table("api_key")
        .col(id("tenant"))
        .col(id("key_id"))
        .col(ColumnDef::new("hash").binary().not_null())
        .col(text("name"))
        .col(text("scopes"))
        .col(number("created_at"))
        .col(ColumnDef::new("revoked_at").big_integer());
    table.primary_key(Index::create().col("tenant").col("key_id")).to_owned()
}

fn erasures() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table("erasure")
        .col(id("tenant"))
        .col(id("erasure_id"))
        .col(id("customer_id"))
        .col(number("created_at"))
        .col(ColumnDef::new("completed_at").big_integer());
    table.primary_key(Index::create().col("tenant").col("erasure_id")).to_owned()
}

fn subjects() -> TableCreateStatement {
    let mut table = Table::create();
    table.table("erasure_subject").col(id("tenant")).col(id("erasure_id")).col(id("subject_id"));
    table.primary_key(Index::create().col("tenant").col("erasure_id").col("subject_id")).to_owned()
}

fn receipts() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table("erasure_receipt")
        .col(id("tenant"))
        .col(id("erasure_id"))
        .col(text("service"))
        .col(number("deleted_rows"))
        .col(ColumnDef::new("erased_at").big_integer())
        .col(ColumnDef::new("bus_clear").boolean().not_null());
    table.primary_key(Index::create().col("tenant").col("erasure_id").col("service")).to_owned()
}

fn audit() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table("audit")
        .col(id("tenant"))
        .col(id("audit_id"))
        .col(id("key_id"))
        .col(text("action"))
        .col(id("target"))
        .col(number("at"));
    table.primary_key(Index::create().col("tenant").col("audit_id")).to_owned()
}
