//! What is searched: the words of what was said, under the engine's own full-text index.
//!
//! The words come ready from us (see `domain/search`), so the engines only store and find them. On SQLite triggers keep an
//! FTS5 index over the rows, and what is deleted is taken out of it at once, not only marked; on Postgres it is a column of
//! its own kind of list, with an inverted index.

use rapport_data::rls;
use sea_orm::{ConnectionTrait as _, DbBackend};
use sea_orm_migration::prelude::*;

/// `place` orders rows, newest last; FTS5 knows them by it.
const SQLITE: &[&str] = &[
    "CREATE TABLE search_text (place INTEGER PRIMARY KEY, tenant BLOB NOT NULL, kind TEXT NOT NULL, item_id BLOB NOT NULL, \
     subject_id BLOB NOT NULL, words TEXT NOT NULL)",
    "CREATE UNIQUE INDEX search_text_item ON search_text (tenant, kind, item_id)",
    "CREATE INDEX search_text_subject ON search_text (tenant, subject_id)",
    "CREATE VIRTUAL TABLE search_word USING fts5(words, content='search_text', content_rowid='place', columnsize=0, \
     tokenize=\"ascii tokenchars '.,:/'\")",
    "INSERT INTO search_word (search_word, rank) VALUES ('secure-delete', 1)",
    "CREATE TRIGGER search_text_said AFTER INSERT ON search_text BEGIN \
     INSERT INTO search_word (rowid, words) VALUES (new.place, new.words); END",
    "CREATE TRIGGER search_text_gone AFTER DELETE ON search_text BEGIN \
     INSERT INTO search_word (search_word, rowid, words) VALUES ('delete', old.place, old.words); END",
];

const POSTGRES: &[&str] = &[
    "CREATE TABLE search_text (tenant UUID NOT NULL, kind TEXT COLLATE \"C\" NOT NULL, item_id UUID NOT NULL, \
     place BIGINT NOT NULL, subject_id UUID NOT NULL, words TSVECTOR NOT NULL, PRIMARY KEY (tenant, kind, item_id))",
    "CREATE INDEX search_text_place ON search_text (tenant, kind, place, item_id)",
    "CREATE INDEX search_text_subject ON search_text (tenant, subject_id)",
    // What is not yet sorted in is read through by every search: little is left unsorted.
    "CREATE INDEX search_text_words ON search_text USING gin (words) WITH (fastupdate = on, gin_pending_list_limit = 256)",
];

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "feedback_0009_search"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let statements = match manager.get_database_backend() {
            DbBackend::Postgres => POSTGRES,
            _ => SQLITE,
        };
        for statement in statements {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        rls::tenant_tables(manager, &["search_text"]).await
    }
}
