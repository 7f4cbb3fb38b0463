//! Subjects, observations, links, identifiers, assertions, profiles; trait definitions and settings, and what is folded
//! anew where they changed.

use sea_orm_migration::prelude::*;

/// The tables as SQL for both engines: `{id}`, `{text}` (compared byte by byte), `{bytes}` and `{clustered}` (rows
/// lie in the order of the primary key, as SQLite can have it) are the engine's words.
const TABLES: &[&str] = &[
    "CREATE TABLE subject (tenant {id} NOT NULL, subject_id {id} NOT NULL, source {text} NOT NULL, \
     external_id {text} NOT NULL, created_at BIGINT NOT NULL, PRIMARY KEY (tenant, subject_id))",
    "CREATE UNIQUE INDEX subject_record ON subject (tenant, source, external_id)",
    "CREATE TABLE source_deletion (tenant {id} NOT NULL, record {bytes} NOT NULL, observed_at BIGINT NOT NULL, \
     PRIMARY KEY (tenant, record)) {clustered}",
    "CREATE TABLE observation (tenant {id} NOT NULL, subject_id {id} NOT NULL, observed_at BIGINT NOT NULL, \
     observation_id {id} NOT NULL, recorded_at BIGINT NOT NULL, about SMALLINT NOT NULL, body {bytes} NOT NULL, \
     PRIMARY KEY (tenant, subject_id, observed_at, observation_id))",
    "CREATE INDEX observation_about ON observation (tenant, subject_id, observed_at, observation_id) WHERE about > 0",
    "CREATE TABLE link (tenant {id} NOT NULL, subject_id {id} NOT NULL, revision BIGINT NOT NULL, \
     customer_id {id} NOT NULL, started_at BIGINT NOT NULL, ended_at BIGINT, cause SMALLINT NOT NULL, \
     namespace {text} NOT NULL, profile_revision BIGINT NOT NULL, PRIMARY KEY (tenant, subject_id, revision)) \
     {clustered}",
    "CREATE UNIQUE INDEX link_current ON link (tenant, subject_id) WHERE ended_at IS NULL",
    "CREATE INDEX link_customer ON link (tenant, customer_id)",
    "CREATE INDEX link_started ON link (tenant, started_at)",
    "CREATE TABLE identifier (tenant {id} NOT NULL, namespace {text} NOT NULL, value {text} NOT NULL, \
     subject_id {id} NOT NULL, first_seen BIGINT NOT NULL, PRIMARY KEY (tenant, namespace, value, subject_id)) \
     {clustered}",
    "CREATE INDEX identifier_first ON identifier (tenant, namespace, value, first_seen)",
    "CREATE INDEX identifier_subject ON identifier (tenant, subject_id)",
    "CREATE TABLE assertion (tenant {id} NOT NULL, assertion_id {id} NOT NULL, same BOOLEAN NOT NULL, survivor {id}, \
     reason {text} NOT NULL, created_at BIGINT NOT NULL, PRIMARY KEY (tenant, assertion_id))",
    "CREATE TABLE assertion_subject (tenant {id} NOT NULL, subject_id {id} NOT NULL, assertion_id {id} NOT NULL, \
     is_left BOOLEAN NOT NULL, PRIMARY KEY (tenant, subject_id, assertion_id)) {clustered}",
    "CREATE INDEX assertion_sides ON assertion_subject (tenant, assertion_id)",
    "CREATE TABLE profile (tenant {id} NOT NULL, customer_id {id} NOT NULL, revision BIGINT NOT NULL, \
     merged_into {id}, records {bytes} NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, \
     PRIMARY KEY (tenant, customer_id))",
    "CREATE TABLE profile_revision (tenant {id} NOT NULL, customer_id {id} NOT NULL, revision BIGINT NOT NULL, \
     updated_at BIGINT NOT NULL, PRIMARY KEY (tenant, customer_id, revision)) {clustered}",
    "CREATE INDEX profile_created ON profile (tenant, created_at, customer_id) WHERE merged_into IS NULL",
    "CREATE INDEX profile_updated ON profile (tenant, updated_at, customer_id) WHERE merged_into IS NULL",
    "CREATE TABLE search_term (tenant {id} NOT NULL, term {text} NOT NULL, customer_id {id} NOT NULL, \
     PRIMARY KEY (tenant, term, customer_id)) {clustered}",
    "CREATE INDEX search_term_customer ON search_term (tenant, customer_id, term)",
    "CREATE TABLE trait_value (tenant {id} NOT NULL, customer_id {id} NOT NULL, name {text} NOT NULL, \
     place INTEGER NOT NULL, number DOUBLE PRECISION, text {text}, instant BIGINT, flag BOOLEAN, item {text}, \
     PRIMARY KEY (tenant, customer_id, name, place)) {clustered}",
    // Of one value in the order of the customers: a search goes on where its last page ended.
    "CREATE INDEX trait_value_text ON trait_value (tenant, name, text, customer_id)",
    "CREATE INDEX trait_value_number ON trait_value (tenant, name, number, customer_id) WHERE number IS NOT NULL",
    "CREATE INDEX trait_value_instant ON trait_value (tenant, name, instant, customer_id) WHERE instant IS NOT NULL",
    "CREATE INDEX trait_value_flag ON trait_value (tenant, name, flag, customer_id) WHERE flag IS NOT NULL",
    "CREATE INDEX trait_value_item ON trait_value (tenant, name, item, customer_id) WHERE item IS NOT NULL",
    "CREATE INDEX profile_redirect ON profile (tenant, merged_into) WHERE merged_into IS NOT NULL",
    "CREATE TABLE trait_definition (tenant {id} NOT NULL, name {text} NOT NULL, revision BIGINT NOT NULL, \
     started_at BIGINT NOT NULL, ended_at BIGINT, deleted BOOLEAN NOT NULL, body {bytes} NOT NULL, \
     PRIMARY KEY (tenant, name, revision))",
    "CREATE UNIQUE INDEX trait_definition_current ON trait_definition (tenant, name) WHERE ended_at IS NULL",
    "CREATE TABLE tenant_settings (tenant {id} NOT NULL PRIMARY KEY, revision BIGINT NOT NULL, \
     updated_at BIGINT NOT NULL, body {bytes} NOT NULL)",
];

const OF_TENANTS: &[&str] = &[
    "subject",
    "source_deletion",
    "observation",
    "link",
    "identifier",
    "assertion",
    "assertion_subject",
    "profile",
    "profile_revision",
    "search_term",
    "trait_value",
    "trait_definition",
    "tenant_settings",
];

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "profiles_0001_profiles"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::make(manager, TABLES, OF_TENANTS).await
    }
}
