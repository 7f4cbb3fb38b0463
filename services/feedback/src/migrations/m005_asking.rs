//! Invitations, what is to be looked at when, and who was not invited and why.

use rapport_data::rls;
use sea_orm::{ConnectionTrait as _, DbBackend};
use sea_orm_migration::prelude::*;

/// The tables as SQL for both engines: `{id}`, `{text}` (compared byte by byte) and `{bytes}` are the engine's words.
const TABLES: &[&str] = &[
    "CREATE TABLE invitation (tenant {id} NOT NULL, invitation_id {id} NOT NULL, survey_id {id} NOT NULL, \
     subject_id {id} NOT NULL, kind {text} NOT NULL, status {text} NOT NULL, channel {text} NOT NULL, \
     campaign {text} NOT NULL, cause {text} NOT NULL, invited_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, \
     token {bytes} NOT NULL, revision BIGINT NOT NULL, body {text} NOT NULL, PRIMARY KEY (tenant, invitation_id))",
    // Who answers has nothing but the token.
    "CREATE UNIQUE INDEX invitation_token ON invitation (tenant, token)",
    // What a customer was asked lately, for cool-downs, lists and erasure.
    "CREATE INDEX invitation_subject ON invitation (tenant, subject_id, invited_at)",
    // How many a survey asked, for quotas and lists.
    "CREATE INDEX invitation_survey ON invitation (tenant, survey_id, invited_at)",
    // That tokens of invitations to an anonymous survey were used: by no time, and without a word of the answer or the
    // invitation, which the mark does not lead to. The claim tells a retry of the same request.
    "CREATE TABLE invitation_use (tenant {id} NOT NULL, survey_id {id} NOT NULL, mark {bytes} NOT NULL, \
     claim {bytes} NOT NULL, PRIMARY KEY (tenant, survey_id, mark, claim))",
    // Whom an event will ask, and whom it asked.
    "CREATE TABLE asking_task (tenant {id} NOT NULL, task_id {id} NOT NULL, survey_id {id} NOT NULL, \
     subject_id {id} NOT NULL, cause {text} NOT NULL, due_at BIGINT NOT NULL, body {text} NOT NULL, done SMALLINT NOT NULL, \
     PRIMARY KEY (tenant, task_id))",
    "CREATE INDEX asking_task_subject ON asking_task (tenant, subject_id)",
    "CREATE INDEX asking_task_survey ON asking_task (tenant, survey_id)",
    // What is to be looked at again though nobody says anything: an invitation, a task, or a wave.
    "CREATE TABLE asking_due (tenant {id} NOT NULL, item_id {id} NOT NULL, what {text} NOT NULL, due_at BIGINT NOT NULL, \
     PRIMARY KEY (tenant, item_id))",
    "CREATE INDEX asking_due_next ON asking_due (due_at)",
    "CREATE TABLE not_invited (tenant {id} NOT NULL, not_invited_id {id} NOT NULL, survey_id {id} NOT NULL, \
     subject_id {id} NOT NULL, reason {text} NOT NULL, campaign {text} NOT NULL, channel {text} NOT NULL, \
     at BIGINT NOT NULL, retry_at BIGINT, spot {text} NOT NULL, PRIMARY KEY (tenant, survey_id, not_invited_id))",
    "CREATE INDEX not_invited_subject ON not_invited (tenant, subject_id)",
    // Populations that are asked, each by an operation.
    "CREATE TABLE wave (tenant {id} NOT NULL, operation_id {id} NOT NULL, survey_id {id} NOT NULL, body {text} NOT NULL, \
     PRIMARY KEY (tenant, operation_id))",
    "CREATE INDEX wave_survey ON wave (tenant, survey_id)",
    // Their members, in the order in which they are asked, with what became of each; until some time after the end.
    "CREATE TABLE wave_member (tenant {id} NOT NULL, operation_id {id} NOT NULL, place BIGINT NOT NULL, \
     customer_id {id} NOT NULL, fate {text} NOT NULL, PRIMARY KEY (tenant, operation_id, place, customer_id))",
    // Those of a customer: where it was merged with another, and for erasure.
    "CREATE INDEX wave_member_customer ON wave_member (tenant, customer_id, operation_id)",
    // The codes by which authors of anonymous answers can erase them.
    "CREATE TABLE erasure_code (tenant {id} NOT NULL, code {bytes} NOT NULL, response_id {id} NOT NULL, \
     PRIMARY KEY (tenant, code))",
    "CREATE INDEX erasure_code_response ON erasure_code (tenant, response_id)",
];

const OF_TENANTS: &[&str] = &[
    "invitation",
    "invitation_use",
    "asking_task",
    "asking_due",
    "not_invited",
    "wave",
    "wave_member",
    "erasure_code",
];
/// What the clock looks at, over all tenants.
const OF_SYSTEM: &[&str] = &["asking_due"];

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "feedback_0005_asking"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let [id, text, bytes] = match manager.get_database_backend() {
            DbBackend::Postgres => ["UUID", "TEXT COLLATE \"C\"", "BYTEA"],
            _ => ["BLOB", "TEXT", "BLOB"],
        };
        for table in TABLES {
            let table = table.replace("{id}", id).replace("{text}", text).replace("{bytes}", bytes);
            manager.get_connection().execute_unprepared(&table).await?;
        }
        rls::tenant_tables(manager, OF_TENANTS).await?;
        rls::system_tables(manager, OF_SYSTEM).await
    }
}
