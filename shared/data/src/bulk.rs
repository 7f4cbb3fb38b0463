//! Rows in bulk: many rows into one table by statements that the engine has prepared before.
//!
//! A multi-row insert is a new text for every number of rows: the engine parses each, and a cache of prepared
//! statements is of no use. So Postgres gets one text for any number of rows (a list for each column, UNNEST), and
//! SQLite gets blocks of a few fixed sizes, with nameless parameters (it looks a named one up in a list).

use rapport_kernel::{Fault, Timestamp};
use sea_orm::DbErr;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, AssertSqlSafe, Row as _};
use uuid::Uuid;

use crate::conn::{Conn, Raw};
use crate::fault::Stored as _;

/// The sizes of SQLite's blocks: few texts, and none with more parameters than SQLite takes.
const BLOCKS: [usize; 9] = [256, 128, 64, 32, 16, 8, 4, 2, 1];

/// An insert of many rows.
#[derive(Clone, Copy, Debug)]
pub struct Bulk {
    /// Into which table.
    pub table: &'static str,
    /// Its columns, in the order in which they are given.
    pub columns: &'static [&'static str],
    /// What follows the rows, as `ON CONFLICT DO NOTHING`; may be empty.
    pub suffix: &'static str,
}

/// The values of one column, a row each.
pub enum Column {
    /// Ids.
    Ids(Vec<Uuid>),
    /// Ids that may be absent.
    MaybeIds(Vec<Option<Uuid>>),
    /// Whole numbers and instants.
    Numbers(Vec<i64>),
    /// Whole numbers that may be absent.
    MaybeNumbers(Vec<Option<i64>>),
    /// Small whole numbers.
    Smalls(Vec<i16>),
    /// Numbers.
    Reals(Vec<f64>),
    /// Numbers that may be absent.
    MaybeReals(Vec<Option<f64>>),
    /// Yes or no, where it may be absent.
    MaybeFlags(Vec<Option<bool>>),
    /// Texts.
    Texts(Vec<String>),
    /// Texts that may be absent.
    MaybeTexts(Vec<Option<String>>),
    /// Bytes.
    Bytes(Vec<Vec<u8>>),
    /// Bytes that may be absent.
    MaybeBytes(Vec<Option<Vec<u8>>>),
}

impl Column {
    /// The same id in every row, as the tenant's.
    #[must_use]
    pub fn same_id(id: Uuid, rows: usize) -> Self {
        Self::Ids(vec![id; rows])
    }
    /// The same instant in every row.
    #[must_use]
    pub fn same_time(at: Timestamp, rows: usize) -> Self {
        Self::Numbers(vec![at.micros(); rows])
    }

    fn rows(&self) -> usize {
        match self {
            Self::Ids(all) => all.len(),
            Self::MaybeIds(all) => all.len(),
            Self::Numbers(all) => all.len(),
            Self::MaybeNumbers(all) => all.len(),
            Self::Smalls(all) => all.len(),
            Self::Reals(all) => all.len(),
            Self::MaybeReals(all) => all.len(),
            Self::MaybeFlags(all) => all.len(),
            Self::Texts(all) => all.len(),
            Self::MaybeTexts(all) => all.len(),
            Self::Bytes(all) => all.len(),
            Self::MaybeBytes(all) => all.len(),
        }
    }

    /// As Postgres names the list of such values.
    const fn list(&self) -> &'static str {
        match self {
            Self::Ids(_) | Self::MaybeIds(_) => "uuid[]",
            Self::Numbers(_) | Self::MaybeNumbers(_) => "int8[]",
            Self::Smalls(_) => "int2[]",
            Self::Reals(_) | Self::MaybeReals(_) => "float8[]",
            Self::MaybeFlags(_) => "bool[]",
            Self::Texts(_) | Self::MaybeTexts(_) => "text[]",
            Self::Bytes(_) | Self::MaybeBytes(_) => "bytea[]",
        }
    }

    fn bind_whole(self, arguments: &mut PgArguments) -> Result<(), sqlx::error::BoxDynError> {
        match self {
            Self::Ids(all) => arguments.add(all),
            Self::MaybeIds(all) => arguments.add(all),
            Self::Numbers(all) => arguments.add(all),
            Self::MaybeNumbers(all) => arguments.add(all),
            Self::Smalls(all) => arguments.add(all),
            Self::Reals(all) => arguments.add(all),
            Self::MaybeReals(all) => arguments.add(all),
            Self::MaybeFlags(all) => arguments.add(all),
            Self::Texts(all) => arguments.add(all),
            Self::MaybeTexts(all) => arguments.add(all),
            Self::Bytes(all) => arguments.add(all),
            Self::MaybeBytes(all) => arguments.add(all),
        }
    }

    /// Binds one row's value, and takes it.
    fn bind(&mut self, row: usize, arguments: &mut SqliteArguments) -> Result<(), sqlx::error::BoxDynError> {
        match self {
            Self::Ids(all) => arguments.add(all[row]),
            Self::MaybeIds(all) => arguments.add(all[row]),
            Self::Numbers(all) => arguments.add(all[row]),
            Self::MaybeNumbers(all) => arguments.add(all[row]),
            Self::Smalls(all) => arguments.add(all[row]),
            Self::Reals(all) => arguments.add(all[row]),
            Self::MaybeReals(all) => arguments.add(all[row]),
            Self::MaybeFlags(all) => arguments.add(all[row]),
            Self::Texts(all) => arguments.add(std::mem::take(&mut all[row])),
            Self::MaybeTexts(all) => arguments.add(all[row].take()),
            Self::Bytes(all) => arguments.add(std::mem::take(&mut all[row])),
            Self::MaybeBytes(all) => arguments.add(all[row].take()),
        }
    }
}

impl Bulk {
    /// Inserts rows, given by columns of one length.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn insert(&self, conn: &Conn, columns: Vec<Column>) -> Result<(), Fault> {
        // On the heap: what awaits it lies deep already.
        Box::pin(self.run(conn, columns, false)).await.map(drop).stored()
    }

    /// The same, and answers the ids that the suffix returns.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn insert_returning(&self, conn: &Conn, columns: Vec<Column>) -> Result<Vec<Uuid>, Fault> {
        Box::pin(self.run(conn, columns, true)).await.stored()
    }

    pub(crate) async fn run(&self, conn: &Conn, columns: Vec<Column>, returns: bool) -> Result<Vec<Uuid>, DbErr> {
        let rows = columns.first().map_or(0, Column::rows);
        let sound = columns.len() == self.columns.len() && columns.iter().all(|column| column.rows() == rows);
        if !sound {
            return Err(DbErr::Custom(format!("the columns for {} are not of one length", self.table)));
        }
        if rows == 0 {
            return Ok(Vec::new());
        }
        let mut loan = conn.live().await?;
        let result = match &mut loan.start().raw {
            Raw::Sqlite(raw) => self.by_blocks(raw, columns, rows, returns).await,
            Raw::Postgres(raw) => self.by_lists(raw, columns, returns).await,
        };
        loan.end();
        result.map_err(|error| conn.exec_error(error))
    }

    async fn by_lists(
        &self,
        raw: &mut sqlx::PgConnection,
        columns: Vec<Column>,
        returns: bool,
    ) -> Result<Vec<Uuid>, sqlx::Error> {
        let lists: Vec<String> =
            columns.iter().enumerate().map(|(at, column)| format!("${}::{}", at + 1, column.list())).collect();
        let (names, lists) = (self.columns.join(", "), lists.join(", "));
        let text = format!("INSERT INTO {} ({names}) SELECT * FROM UNNEST({lists}) {}", self.table, self.suffix);
        let mut arguments = PgArguments::default();
        for column in columns {
            column.bind_whole(&mut arguments).map_err(sqlx::Error::Encode)?;
        }
        let query = sqlx::query_with(AssertSqlSafe(text), arguments);
        if returns {
            let rows = query.fetch_all(raw).await?;
            return rows.iter().map(|row| row.try_get(0)).collect();
        }
        query.execute(raw).await?;
        Ok(Vec::new())
    }

    async fn by_blocks(
        &self,
        raw: &mut sqlx::SqliteConnection,
        mut columns: Vec<Column>,
        rows: usize,
        returns: bool,
    ) -> Result<Vec<Uuid>, sqlx::Error> {
        let (mut done, mut returned) = (0, Vec::new());
        while done < rows {
            let size = BLOCKS.into_iter().find(|size| *size <= rows - done).unwrap_or(1);
            let mut arguments = SqliteArguments::default();
            arguments.reserve(size * columns.len(), 0);
            for row in done..done + size {
                for column in &mut columns {
                    column.bind(row, &mut arguments).map_err(sqlx::Error::Encode)?;
                }
            }
            let query = sqlx::query_with(AssertSqlSafe(self.block(size)), arguments);
            if returns {
                for row in query.fetch_all(&mut *raw).await? {
                    returned.push(row.try_get(0)?);
                }
            } else {
                query.execute(&mut *raw).await?;
            }
            done += size;
        }
        Ok(returned)
    }

    /// The text of one of SQLite's blocks.
    fn block(&self, size: usize) -> String {
        let row = format!("({})", vec!["?"; self.columns.len()].join(","));
        let rows = vec![row; size].join(",");
        format!("INSERT INTO {} ({}) VALUES {rows} {}", self.table, self.columns.join(", "), self.suffix)
    }
}
