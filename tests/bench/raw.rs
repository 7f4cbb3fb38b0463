//! The bare insert that an import is measured against: the same rows into the same two tables with the same keys, by
//! statements of a thousand rows, each pair committed as durably as the suite commits, on one connection of its own.
//!
//! The tables are made from the suite's own; on SQLite in a file of their own, since a file has one writer. They grow as
//! the suite's do, with every row that it imported.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _};
use uuid::Uuid;

use crate::Outcome;

/// Rows of one statement and of one transaction.
const ROWS: usize = 1_000;

#[derive(Clone, Copy)]
enum Kind {
    Id,
    Number,
    Text,
}

/// The timeline's columns.
const TIMELINE: [(&str, Kind); 19] = [
    ("tenant", Kind::Id),
    ("subject_id", Kind::Id),
    ("occurred_at", Kind::Number),
    ("interaction_id", Kind::Id),
    ("source", Kind::Text),
    ("external_id", Kind::Text),
    ("version", Kind::Number),
    ("revision", Kind::Number),
    ("kind", Kind::Text),
    ("channel", Kind::Text),
    ("touchpoint", Kind::Text),
    ("stage", Kind::Text),
    ("product", Kind::Text),
    ("amount_micros", Kind::Number),
    ("currency", Kind::Text),
    ("attributes", Kind::Text),
    ("party", Kind::Text),
    ("dimensions", Kind::Text),
    ("recorded_at", Kind::Number),
];

/// Where the columns of the table of keys are among the timeline's.
const KEY: [usize; 7] = [0, 4, 5, 3, 1, 2, 6];

/// A column of some rows.
enum Column {
    Ids(Vec<Uuid>),
    Numbers(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
}

/// Rows that an import wrote, a column each.
pub struct Rows {
    columns: Vec<Column>,
    count: usize,
}

/// A connection to the bare tables, and one to the suite's.
pub enum Raw {
    /// A file of their own.
    Sqlite {
        /// To profiles' file.
        suite: SqliteConnection,
        /// To the bare tables.
        bare: SqliteConnection,
    },
    /// A schema of their own in profiles' database.
    Postgres(PgConnection),
}

impl Raw {
    /// Makes the tables in a new file.
    pub async fn sqlite(profiles: &Path, file: &Path) -> Outcome<Self> {
        let mut suite = SqliteConnectOptions::new().filename(profiles).read_only(true).connect().await?;
        let mut bare = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .connect()
            .await?;
        let made =
            "SELECT sql FROM sqlite_master WHERE tbl_name IN ('interaction', 'interaction_key') AND sql IS NOT NULL";
        for row in suite.fetch_all(made).await? {
            bare.execute(AssertSqlSafe(row.try_get::<String, _>(0)?)).await?;
        }
        Ok(Self::Sqlite { suite, bare })
    }

    /// Makes the tables beside those of profiles.
    pub async fn postgres(url: &str) -> Outcome<Self> {
        let mut connection = url.parse::<PgConnectOptions>()?.connect().await?;
        connection
            .execute(
                "CREATE SCHEMA bare; \
                 CREATE TABLE bare.interaction (LIKE interaction INCLUDING ALL); \
                 CREATE TABLE bare.interaction_key (LIKE interaction_key INCLUDING ALL)",
            )
            .await?;
        Ok(Self::Postgres(connection))
    }

    /// The rows of a source, as the suite has stored them.
    pub async fn rows(&mut self, source: &str) -> Outcome<Rows> {
        let names: Vec<&str> = TIMELINE.iter().map(|(name, _)| *name).collect();
        let query = format!("SELECT {} FROM interaction WHERE source = $1 ORDER BY interaction_id", names.join(", "));
        let query = AssertSqlSafe(query);
        Ok(match self {
            Self::Sqlite { suite, .. } => {
                let rows = sqlx::query(query).bind(source).fetch_all(suite).await?;
                Rows {
                    columns: TIMELINE.iter().map(|column| of_sqlite(column, &rows)).collect::<Result<_, _>>()?,
                    count: rows.len(),
                }
            }
            Self::Postgres(connection) => {
                let rows = sqlx::query(query).bind(source).fetch_all(connection).await?;
                Rows {
                    columns: TIMELINE.iter().map(|column| of_postgres(column, &rows)).collect::<Result<_, _>>()?,
                    count: rows.len(),
                }
            }
        })
    }

    /// Inserts them; answers how long that took.
    pub async fn insert(&mut self, rows: &Rows) -> Outcome<Duration> {
        let started = Instant::now();
        let all: Vec<usize> = (0..TIMELINE.len()).collect();
        for first in (0..rows.count).step_by(ROWS) {
            let some = first..rows.count.min(first + ROWS);
            match self {
                Self::Sqlite { bare, .. } => {
                    let mut commit = bare.begin().await?;
                    into_sqlite(&mut commit, "interaction", &all, rows, some.clone()).await?;
                    into_sqlite(&mut commit, "interaction_key", &KEY, rows, some).await?;
                    commit.commit().await?;
                }
                Self::Postgres(connection) => {
                    let mut commit = connection.begin().await?;
                    into_postgres(&mut commit, "interaction", &all, rows, some.clone()).await?;
                    into_postgres(&mut commit, "interaction_key", &KEY, rows, some).await?;
                    commit.commit().await?;
                }
            }
        }
        Ok(started.elapsed())
    }
}

fn of_sqlite((name, kind): &(&'static str, Kind), rows: &[SqliteRow]) -> Result<Column, sqlx::Error> {
    Ok(match kind {
        Kind::Id => Column::Ids(rows.iter().map(|row| row.try_get(*name)).collect::<Result<_, _>>()?),
        Kind::Number => Column::Numbers(rows.iter().map(|row| row.try_get(*name)).collect::<Result<_, _>>()?),
        Kind::Text => Column::Texts(rows.iter().map(|row| row.try_get(*name)).collect::<Result<_, _>>()?),
    })
}

fn of_postgres((name, kind): &(&'static str, Kind), rows: &[PgRow]) -> Result<Column, sqlx::Error> {
    Ok(match kind {
        Kind::Id => Column::Ids(rows.iter().map(|row| row.try_get(*name)).collect::<Result<_, _>>()?),
        Kind::Number => Column::Numbers(rows.iter().map(|row| row.try_get(*name)).collect::<Result<_, _>>()?),
        Kind::Text => Column::Texts(rows.iter().map(|row| row.try_get(*name)).collect::<Result<_, _>>()?),
    })
}

async fn into_sqlite(
    connection: &mut SqliteConnection,
    table: &str,
    columns: &[usize],
    rows: &Rows,
    some: std::ops::Range<usize>,
) -> Result<(), sqlx::Error> {
    let row = format!("({})", vec!["?"; columns.len()].join(", "));
    let values = vec![row; some.len()].join(", ");
    let mut insert = sqlx::query(AssertSqlSafe(format!("INSERT INTO {table} ({}) VALUES {values}", names(columns))));
    for row in some {
        for column in columns {
            insert = match &rows.columns[*column] {
                Column::Ids(ids) => insert.bind(ids[row]),
                Column::Numbers(numbers) => insert.bind(numbers[row]),
                Column::Texts(texts) => insert.bind(texts[row].as_deref()),
            };
        }
    }
    insert.execute(connection).await.map(drop)
}

async fn into_postgres(
    connection: &mut PgConnection,
    table: &str,
    columns: &[usize],
    rows: &Rows,
    some: std::ops::Range<usize>,
) -> Result<(), sqlx::Error> {
    let array = |(at, column): (usize, &usize)| match TIMELINE[*column].1 {
        Kind::Id => format!("${}::uuid[]", at + 1),
        Kind::Number => format!("${}::bigint[]", at + 1),
        Kind::Text => format!("${}::text[]", at + 1),
    };
    let arrays: Vec<String> = columns.iter().enumerate().map(array).collect();
    let text = format!("INSERT INTO bare.{table} ({}) SELECT * FROM UNNEST({})", names(columns), arrays.join(", "));
    let mut insert = sqlx::query(AssertSqlSafe(text));
    for column in columns {
        insert = match &rows.columns[*column] {
            Column::Ids(ids) => insert.bind(&ids[some.clone()]),
            Column::Numbers(numbers) => insert.bind(&numbers[some.clone()]),
            Column::Texts(texts) => insert.bind(&texts[some.clone()]),
        };
    }
    insert.execute(connection).await.map(drop)
}

fn names(columns: &[usize]) -> String {
    columns.iter().map(|column| TIMELINE[*column].0).collect::<Vec<_>>().join(", ")
}
