//! The bare insert that an import is measured against: the same rows into the same tables with the same keys, by statements
//! of a thousand rows, committed together as durably as the suite commits, on one connection of its own.
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
/// Values of one statement on SQLite.
const MOST_VALUES: usize = 32_000;

/// The rows of a table, and what else the same rows are written to.
pub struct Shape {
    /// The table, and by which column its rows are ordered.
    table: (&'static str, &'static str),
    columns: &'static [(&'static str, Kind)],
    /// How many of the columns are its own; the rest are computed for other tables.
    own: usize,
    /// Other tables, and where their columns are among those.
    others: &'static [(&'static str, &'static [usize])],
}

/// What a column holds.
#[derive(Clone, Copy)]
enum Kind {
    Id,
    Number,
    Small,
    Text,
    Bytes,
}

/// The timeline, and its table of keys.
pub static INTERACTIONS: Shape = Shape {
    table: ("interaction", "interaction_id"),
    columns: &TIMELINE,
    own: 22,
    others: &[("interaction_key", &KEY)],
};
/// Tickets.
pub static TICKETS: Shape = Shape { table: ("ticket", "ticket_id"), columns: &TICKET, own: TICKET.len(), others: &[] };

/// The timeline's columns, and the state that a key has which is on it.
const TIMELINE: [(&str, Kind); 23] = [
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
    ("details", Kind::Text),
    ("referrer_id", Kind::Id),
    ("updated_at", Kind::Number),
    ("CAST(0 AS SMALLINT) AS state", Kind::Small),
];

/// Where the columns of the table of keys are among the timeline's.
const KEY: [usize; 9] = [0, 4, 5, 3, 1, 2, 6, 7, 22];

/// The columns of a ticket.
const TICKET: [(&str, Kind); 28] = [
    ("tenant", Kind::Id),
    ("ticket_id", Kind::Id),
    ("key_id", Kind::Id),
    ("source", Kind::Text),
    ("external_id", Kind::Text),
    ("subject_id", Kind::Id),
    ("customer_id", Kind::Id),
    ("customer_revision", Kind::Number),
    ("issue_id", Kind::Id),
    ("opened_at", Kind::Number),
    ("until_at", Kind::Number),
    ("created_at", Kind::Number),
    ("changed_at", Kind::Number),
    ("status", Kind::Text),
    ("kind", Kind::Text),
    ("agent", Kind::Text),
    ("team", Kind::Text),
    ("topic", Kind::Text),
    ("product", Kind::Text),
    ("issue_said", Kind::Text),
    ("follows", Kind::Id),
    ("breached", Kind::Small),
    ("due_at", Kind::Number),
    ("merged_into", Kind::Id),
    ("revision", Kind::Number),
    ("owner", Kind::Bytes),
    ("told", Kind::Bytes),
    ("derived", Kind::Bytes),
];

/// A column of some rows.
enum Column {
    Ids(Vec<Option<Uuid>>),
    Numbers(Vec<Option<i64>>),
    Smalls(Vec<Option<i16>>),
    Texts(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

/// Rows that an import wrote, a column each.
pub struct Rows {
    columns: Vec<Column>,
    count: usize,
}

/// Bare tables of a shape.
pub struct Raw {
    shape: &'static Shape,
    connection: Connection,
}

/// A connection to the bare tables, and one to the suite's.
enum Connection {
    /// A file of their own.
    Sqlite {
        /// To the service's file.
        suite: SqliteConnection,
        /// To the bare tables.
        bare: SqliteConnection,
    },
    /// A schema of their own in the service's database.
    Postgres(PgConnection),
}

impl Shape {
    /// The tables that its rows are written to, and the columns of each.
    fn tables(&self) -> Vec<(&'static str, Vec<usize>)> {
        let others = self.others.iter().map(|(name, columns)| (*name, columns.to_vec()));
        std::iter::once((self.table.0, (0..self.own).collect())).chain(others).collect()
    }

    fn names(&self, columns: &[usize]) -> String {
        columns.iter().map(|column| name(self.columns[*column].0)).collect::<Vec<_>>().join(", ")
    }
}

/// The name of a column that may be computed.
fn name(column: &'static str) -> &'static str {
    column.rsplit(' ').next().unwrap_or(column)
}

impl Raw {
    /// Makes the tables in a new file, after those of a service's file.
    pub async fn sqlite(shape: &'static Shape, service: &Path, file: &Path) -> Outcome<Self> {
        let mut suite = SqliteConnectOptions::new().filename(service).read_only(true).connect().await?;
        let mut bare = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .connect()
            .await?;
        for (table, _) in shape.tables() {
            let made = "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type DESC";
            for row in sqlx::query(made).bind(table).fetch_all(&mut suite).await? {
                bare.execute(AssertSqlSafe(row.try_get::<String, _>(0)?)).await?;
            }
        }
        Ok(Self { shape, connection: Connection::Sqlite { suite, bare } })
    }

    /// Makes the tables beside those of a service.
    pub async fn postgres(shape: &'static Shape, url: &str) -> Outcome<Self> {
        let mut connection = url.parse::<PgConnectOptions>()?.connect().await?;
        connection.execute("CREATE SCHEMA IF NOT EXISTS bare").await?;
        for (table, _) in shape.tables() {
            let made = format!("CREATE TABLE bare.{table} (LIKE {table} INCLUDING ALL)");
            connection.execute(AssertSqlSafe(made)).await?;
        }
        Ok(Self { shape, connection: Connection::Postgres(connection) })
    }

    /// The rows of a source, as the suite has stored them.
    pub async fn rows(&mut self, source: &str) -> Outcome<Rows> {
        let (columns, (table, by)) = (self.shape.columns, self.shape.table);
        let all = columns.iter().map(|(column, _)| *column).collect::<Vec<_>>().join(", ");
        let query = format!("SELECT {all} FROM {table} WHERE source = $1 ORDER BY {by}");
        let query = AssertSqlSafe(query);
        Ok(match &mut self.connection {
            Connection::Sqlite { suite, .. } => {
                let rows = sqlx::query(query).bind(source).fetch_all(suite).await?;
                Rows {
                    columns: columns.iter().map(|column| of_sqlite(*column, &rows)).collect::<Result<_, _>>()?,
                    count: rows.len(),
                }
            }
            Connection::Postgres(connection) => {
                let rows = sqlx::query(query).bind(source).fetch_all(connection).await?;
                Rows {
                    columns: columns.iter().map(|column| of_postgres(*column, &rows)).collect::<Result<_, _>>()?,
                    count: rows.len(),
                }
            }
        })
    }

    /// Inserts them; answers how long that took.
    pub async fn insert(&mut self, rows: &Rows) -> Outcome<Duration> {
        let (started, shape) = (Instant::now(), self.shape);
        let tables = shape.tables();
        for first in (0..rows.count).step_by(ROWS) {
            let some = first..rows.count.min(first + ROWS);
            match &mut self.connection {
                Connection::Sqlite { bare, .. } => {
                    let mut commit = bare.begin().await?;
                    for (table, columns) in &tables {
                        into_sqlite(&mut commit, shape, (table, columns), rows, some.clone()).await?;
                    }
                    commit.commit().await?;
                }
                Connection::Postgres(connection) => {
                    let mut commit = connection.begin().await?;
                    for (table, columns) in &tables {
                        into_postgres(&mut commit, shape, (table, columns), rows, some.clone()).await?;
                    }
                    commit.commit().await?;
                }
            }
        }
        Ok(started.elapsed())
    }
}

fn of_sqlite((column, kind): (&'static str, Kind), rows: &[SqliteRow]) -> Result<Column, sqlx::Error> {
    let name = name(column);
    Ok(match kind {
        Kind::Id => Column::Ids(rows.iter().map(|row| row.try_get(name)).collect::<Result<_, _>>()?),
        Kind::Number => Column::Numbers(rows.iter().map(|row| row.try_get(name)).collect::<Result<_, _>>()?),
        Kind::Small => Column::Smalls(rows.iter().map(|row| row.try_get(name)).collect::<Result<_, _>>()?),
        Kind::Text => Column::Texts(rows.iter().map(|row| row.try_get(name)).collect::<Result<_, _>>()?),
        Kind::Bytes => Column::Bytes(rows.iter().map(|row| row.try_get(name)).collect::<Result<_, _>>()?),
    })
}

fn of_postgres((column, kind): (&'static str, Kind), rows: &[PgRow]) -> Result<Column, sqlx::Error> {
    let name = name(column);
    Ok(match kind {
        Kind::Id => Column::Ids(rows.iter().map(|row| row.try_get(name)).collect::<Result<_, _>>()?),
        Kind::Number => Column::Numbers(rows.iter().map(|row| row.try_get(name)).collect::<Result<_, _>>()?),
        Kind::Small => Column::Smalls(rows.iter().map(|row| row.try_get(name)).collect::<Result<_, _>>()?),
        Kind::Text => Column::Texts(rows.iter().map(|row| row.try_get(name)).collect::<Result<_, _>>()?),
        Kind::Bytes => Column::Bytes(rows.iter().map(|row| row.try_get(name)).collect::<Result<_, _>>()?),
    })
}

async fn into_sqlite(
    connection: &mut SqliteConnection,
    shape: &Shape,
    (table, columns): (&str, &[usize]),
    rows: &Rows,
    some: std::ops::Range<usize>,
) -> Result<(), sqlx::Error> {
    // No statement binds more values than SQLite allows.
    let most = MOST_VALUES / columns.len();
    for first in some.clone().step_by(most) {
        let some = first..some.end.min(first + most);
        let row = format!("({})", vec!["?"; columns.len()].join(", "));
        let values = vec![row; some.len()].join(", ");
        let text = format!("INSERT INTO {table} ({}) VALUES {values}", shape.names(columns));
        let mut insert = sqlx::query(AssertSqlSafe(text));
        for row in some {
            for column in columns {
                insert = match &rows.columns[*column] {
                    Column::Ids(ids) => insert.bind(ids[row]),
                    Column::Numbers(numbers) => insert.bind(numbers[row]),
                    Column::Smalls(numbers) => insert.bind(numbers[row]),
                    Column::Texts(texts) => insert.bind(texts[row].as_deref()),
                    Column::Bytes(bytes) => insert.bind(bytes[row].as_deref()),
                };
            }
        }
        insert.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn into_postgres(
    connection: &mut PgConnection,
    shape: &Shape,
    (table, columns): (&str, &[usize]),
    rows: &Rows,
    some: std::ops::Range<usize>,
) -> Result<(), sqlx::Error> {
    let array = |(at, column): (usize, &usize)| {
        let kind = match shape.columns[*column].1 {
            Kind::Id => "uuid",
            Kind::Number => "bigint",
            Kind::Small => "smallint",
            Kind::Text => "text",
            Kind::Bytes => "bytea",
        };
        format!("${}::{kind}[]", at + 1)
    };
    let arrays: Vec<String> = columns.iter().enumerate().map(array).collect();
    let (names, arrays) = (shape.names(columns), arrays.join(", "));
    let text = format!("INSERT INTO bare.{table} ({names}) SELECT * FROM UNNEST({arrays})");
    let mut insert = sqlx::query(AssertSqlSafe(text));
    for column in columns {
        insert = match &rows.columns[*column] {
            Column::Ids(ids) => insert.bind(&ids[some.clone()]),
            Column::Numbers(numbers) => insert.bind(&numbers[some.clone()]),
            Column::Smalls(numbers) => insert.bind(&numbers[some.clone()]),
            Column::Texts(texts) => insert.bind(&texts[some.clone()]),
            Column::Bytes(bytes) => insert.bind(&bytes[some.clone()]),
        };
    }
    insert.execute(connection).await.map(drop)
}
