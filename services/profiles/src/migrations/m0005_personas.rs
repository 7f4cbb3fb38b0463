//! Persona sets, their personas, and which persona each customer has. The last is derived and could be left out; it is
//! kept because to count a persona, or to list what its customers are worth, would else fold every profile there is.

use sea_orm_migration::prelude::*;

/// The tables as SQL for both engines; see `m0001_profiles`.
const TABLES: &[&str] = &[
    "CREATE TABLE persona_set (tenant {id} NOT NULL, persona_set_id {id} NOT NULL, state SMALLINT NOT NULL, \
     settings {text} NOT NULL, found {text}, created_at BIGINT NOT NULL, in_force_at BIGINT, \
     PRIMARY KEY (tenant, persona_set_id))",
    // At most one is in force.
    "CREATE UNIQUE INDEX persona_set_in_force ON persona_set (tenant) WHERE state IN (2, 3)",
    "CREATE INDEX persona_set_in_force_at ON persona_set (tenant, in_force_at) WHERE in_force_at IS NOT NULL",
    // A persona has a row in each set that it was found in; the one of the highest revision is what it is now.
    "CREATE TABLE persona (tenant {id} NOT NULL, persona_id {id} NOT NULL, persona_set_id {id} NOT NULL, \
     place INTEGER NOT NULL, name {text} NOT NULL, is_named BOOLEAN NOT NULL, description {text} NOT NULL, \
     sample_customers BIGINT NOT NULL, features {text} NOT NULL, revision BIGINT NOT NULL, \
     created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, retired_at BIGINT, \
     PRIMARY KEY (tenant, persona_id, persona_set_id))",
    "CREATE UNIQUE INDEX persona_place ON persona (tenant, persona_set_id, place)",
    "CREATE TABLE persona_member (tenant {id} NOT NULL, customer_id {id} NOT NULL, persona_id {id} NOT NULL, \
     PRIMARY KEY (tenant, customer_id)) {clustered}",
    "CREATE INDEX persona_members ON persona_member (tenant, persona_id)",
];

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "profiles_0005_personas"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::make(manager, TABLES, &["persona_set", "persona", "persona_member"]).await
    }
}
