//! Statements as text, for tables whose rows are a body with a few columns to find it by.

use rapport_data::{Engine, Rx, Stored as _, Tx};
use rapport_kernel::Fault;
use sea_orm::{ConnectionTrait as _, QueryResult, Statement, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads rows.
pub(super) async fn rows(rx: &Rx, text: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, Fault> {
    let statement = Statement::from_sql_and_values(rx.engine().backend(), text, values);
    rx.conn().query_all_raw(statement).await.stored()
}

/// Changes rows; answers how many.
pub(super) async fn run(tx: &Tx, text: &str, values: Vec<Value>) -> Result<u64, Fault> {
    let statement = Statement::from_sql_and_values(tx.engine().backend(), text, values);
    Ok(tx.conn().execute_raw(statement).await.stored()?.rows_affected())
}

/// How rows that are read are kept from others until the unit ends; on SQLite there are none.
pub(super) fn locking(tx: &Tx) -> &'static str {
    if tx.engine() == Engine::Postgres { " FOR UPDATE" } else { "" }
}

/// A body as it is stored.
pub(super) fn encoded<T: Serialize>(body: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(body).map_err(|_| Fault::internal("a row could not be encoded"))
}

/// A stored body. What is wrong with one that cannot be read is not told: it may be personal.
pub(super) fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(|_| Fault::internal("a row is not readable"))
}

/// What rows must be, part by part; all of them are the tenant's.
pub(super) struct Clause {
    text: String,
    values: Vec<Value>,
}

impl Clause {
    /// All of the tenant's.
    pub(super) fn of(rx: &Rx) -> Self {
        Self { text: "tenant = $1".to_owned(), values: vec![rx.tenant().uuid().into()] }
    }

    /// Only those of which this holds; `{}` stands for the value.
    pub(super) fn and(&mut self, holds: &str, value: impl Into<Value>) {
        self.values.push(value.into());
        let mark = format!("${}", self.values.len());
        self.text.push_str(" AND ");
        self.text.push_str(&holds.replace("{}", &mark));
    }

    /// Only those of which this holds.
    pub(super) fn only(&mut self, holds: &str) {
        self.text.push_str(" AND ");
        self.text.push_str(holds);
    }

    /// Only those of which a column is one of these.
    pub(super) fn among<V: Into<Value>>(&mut self, column: &str, values: impl IntoIterator<Item = V>) {
        let from = self.values.len();
        self.values.extend(values.into_iter().map(Into::into));
        let marks: Vec<String> = (from + 1..=self.values.len()).map(|mark| format!("${mark}")).collect();
        // Nothing is among nothing.
        let list = if marks.is_empty() { "NULL".to_owned() } else { marks.join(", ") };
        self.text.push_str(&format!(" AND {column} IN ({list})"));
    }

    /// Only those beyond a place of an order.
    pub(super) fn beyond(&mut self, (by, id): (&str, &str), falling: bool, (at, place): (i64, uuid::Uuid)) {
        let sign = if falling { '<' } else { '>' };
        self.values.extend([at.into(), place.into()]);
        let (at, place) = (self.values.len() - 1, self.values.len());
        self.text.push_str(&format!(" AND {by} {sign}= ${at} AND ({by} {sign} ${at} OR {id} {sign} ${place})"));
    }

    /// Reads columns of such rows; what follows the condition is as given.
    pub(super) async fn select(
        self,
        rx: &Rx,
        columns: &str,
        table: &str,
        rest: &str,
    ) -> Result<Vec<QueryResult>, Fault> {
        rows(rx, &format!("SELECT {columns} FROM {table} WHERE {}{rest}", self.text), self.values).await
    }

    /// Deletes such rows; answers how many.
    pub(super) async fn delete(self, tx: &Tx, table: &str) -> Result<u64, Fault> {
        run(tx, &format!("DELETE FROM {table} WHERE {}", self.text), self.values).await
    }
}
