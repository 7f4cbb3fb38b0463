//! Interactions: the timeline by subject, and the small table that makes a source's id unique. They are two because the
//! timeline is partitioned by time (on Postgres), and a table so partitioned cannot hold that uniqueness.
//!
//! The partitions: a month of UTC each, from the year before this migration on; a year each for the four years before;
//! one for all that is older. Older history comes in imports and is read seldom: few partitions keep plans short.
//! Together they leave no instant out, so there is no default partition. That is on purpose: a default one could hold
//! rows of a month that is to be made (which then fails, or moves rows under a lock that stops everybody), and while it
//! is there Postgres does not read partitions in order of time but all of them at once, for each page of a timeline.
//!
//! No interaction lies further ahead than five minutes, so months are made long before they are needed: by a task, and,
//! should that have failed for months, by the call that needs one, before its unit of work. Both ask the function
//! `interaction_cover`, which works with the owner's rights, one caller at a time. It attaches a table that it has made
//! beforehand: that waits for no reader and no writer.

use rapport_data::rls;
use sea_orm::{ConnectionTrait as _, DbBackend};
use sea_orm_migration::prelude::*;

/// The tables as SQL for both engines; see `m0001_profiles`. `{laid}` is how the timeline lies: on
/// Postgres in parts by time; on SQLite by its key, so that what happened to one customer lies together.
const TABLES: &[&str] = &[
    "CREATE TABLE interaction (tenant {id} NOT NULL, subject_id {id} NOT NULL, occurred_at BIGINT NOT NULL, \
     interaction_id {id} NOT NULL, source {text} NOT NULL, external_id {text} NOT NULL, version BIGINT NOT NULL, \
     revision BIGINT NOT NULL, kind {text} NOT NULL, channel {text} NOT NULL, touchpoint {text} NOT NULL, \
     stage {text} NOT NULL, product {text} NOT NULL, amount_micros BIGINT, currency {text}, attributes {text} NOT NULL, \
     party {text} NOT NULL, dimensions {text} NOT NULL, recorded_at BIGINT NOT NULL, details {text} NOT NULL, \
     referrer_id {id}, updated_at BIGINT NOT NULL, \
     PRIMARY KEY (tenant, subject_id, occurred_at, interaction_id)) {laid}",
    // An erasure seeks whom a subject referred.
    "CREATE INDEX interaction_referrer ON interaction (tenant, referrer_id) WHERE referrer_id IS NOT NULL",
    "CREATE TABLE interaction_key (tenant {id} NOT NULL, source {text} NOT NULL, external_id {text} NOT NULL, \
     interaction_id {id} NOT NULL, subject_id {id}, occurred_at BIGINT, version BIGINT NOT NULL, \
     revision BIGINT NOT NULL, state SMALLINT NOT NULL, PRIMARY KEY (tenant, source, external_id))",
    "CREATE UNIQUE INDEX interaction_key_id ON interaction_key (tenant, interaction_id)",
    // An erasure seeks a subject's keys.
    "CREATE INDEX interaction_key_subject ON interaction_key (tenant, subject_id)",
    "CREATE INDEX interaction_key_deleted ON interaction_key (tenant, interaction_id) WHERE state = 1",
];

/// Makes the partition of a time, in microseconds since 1970; a beginning that is null is that of all time.
const PART: &str = "\
CREATE FUNCTION interaction_part(part TEXT, starts BIGINT, ends BIGINT) RETURNS VOID
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$ BEGIN
    EXECUTE format('CREATE TABLE %I (LIKE interaction)', part);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', part);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', part);
    EXECUTE format('CREATE POLICY tenant ON %I USING (tenant = NULLIF(current_setting(%L, true), %L)::uuid)
        WITH CHECK (tenant = NULLIF(current_setting(%L, true), %L)::uuid)',
        part, 'rapport.tenant', '', 'rapport.tenant', '');
    EXECUTE format('ALTER TABLE interaction ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
        part, COALESCE(starts::text, 'MINVALUE'), ends);
END $$";

/// Answers until when all have a partition; makes months first where that is not beyond the instant. A gap of more than
/// three years, which only a clock that was wrong can leave, is one partition.
const COVER: &str = "\
CREATE FUNCTION interaction_cover(until BIGINT) RETURNS BIGINT
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    covered BIGINT;
    starts TIMESTAMP;
    ends TIMESTAMP;
    wanted TIMESTAMP := date_trunc('month', to_timestamp(until / 1000000) AT TIME ZONE 'UTC');
    locked BOOLEAN := false;
BEGIN
    LOOP
        SELECT max((regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO [(][^0-9-]?(-?[0-9]+)'))[1]::bigint) INTO covered
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'interaction'::regclass;
        IF covered > until THEN
            RETURN covered;
        END IF;
        IF NOT locked THEN
            PERFORM pg_advisory_xact_lock(hashtext('interaction_cover'));
            locked := true;
            CONTINUE;
        END IF;
        starts := to_timestamp(covered / 1000000) AT TIME ZONE 'UTC';
        ends := CASE WHEN wanted > starts + INTERVAL '3 years' THEN wanted ELSE starts + INTERVAL '1 month' END;
        PERFORM interaction_part('interaction_' || to_char(starts, 'YYYY_MM'), covered,
            extract(epoch FROM ends)::bigint * 1000000);
    END LOOP;
END $$";

/// The partitions of the past, and of three months ahead.
const FIRST: &str = "\
DO $$ DECLARE
    months TIMESTAMP := date_trunc('year', now() AT TIME ZONE 'UTC') - INTERVAL '1 year';
    starts TIMESTAMP := months - INTERVAL '4 years';
BEGIN
    PERFORM interaction_part('interaction_before', NULL, extract(epoch FROM starts)::bigint * 1000000);
    WHILE starts < months LOOP
        PERFORM interaction_part('interaction_' || to_char(starts, 'YYYY'), extract(epoch FROM starts)::bigint * 1000000,
            extract(epoch FROM starts + INTERVAL '1 year')::bigint * 1000000);
        starts := starts + INTERVAL '1 year';
    END LOOP;
    PERFORM interaction_cover(extract(epoch FROM now() + INTERVAL '3 months')::bigint * 1000000);
END $$";

/// Nobody but the service may ask for partitions.
const RIGHTS: &str = "\
DO $$ BEGIN
    REVOKE ALL ON FUNCTION interaction_part(TEXT, BIGINT, BIGINT) FROM PUBLIC;
    REVOKE ALL ON FUNCTION interaction_cover(BIGINT) FROM PUBLIC;
    EXECUTE format('GRANT EXECUTE ON FUNCTION interaction_cover(BIGINT) TO %I', current_setting('rapport.system_role'));
END $$";

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "profiles_0002_interactions"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let is_postgres = manager.get_database_backend() == DbBackend::Postgres;
        let [id, text, laid] = if is_postgres {
            ["UUID", "TEXT COLLATE \"C\"", "PARTITION BY RANGE (occurred_at)"]
        } else {
            ["BLOB", "TEXT", "WITHOUT ROWID"]
        };
        let connection = manager.get_connection();
        for table in TABLES {
            let table = table.replace("{id}", id).replace("{text}", text).replace("{laid}", laid);
            connection.execute_unprepared(&table).await?;
        }
        rls::tenant_tables(manager, &["interaction", "interaction_key"]).await?;
        if is_postgres {
            for statement in [PART, COVER, FIRST, RIGHTS] {
                connection.execute_unprepared(statement).await?;
            }
        }
        Ok(())
    }
}
