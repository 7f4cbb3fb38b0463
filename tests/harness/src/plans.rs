//! How SQLite would run what was said to it: a statement that reads a whole table, or a whole tenant, shows here before
//! it shows in production. Indexes are the same on both engines, and SQLite's planner decides without looking at rows.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection};
use tracing::Dispatch;
use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// The statements that this thread says from now on, while it lives: the test must run on one thread.
pub struct Statements {
    said: Arc<Mutex<BTreeSet<String>>>,
    _guard: DefaultGuard,
    /// Where a process has one subscriber alone, tracing asks the thread that first passes a place whether anybody
    /// listens there, and keeps the answer: a test on another thread would say no for all. With two it asks both.
    _second: Dispatch,
}

impl Statements {
    /// Begins to listen.
    #[must_use]
    pub fn listen() -> Self {
        let second = Dispatch::new(tracing_subscriber::registry());
        let said = Arc::default();
        let subscriber = tracing_subscriber::registry().with(Ear(Arc::clone(&said)));
        Self { said, _guard: tracing::subscriber::set_default(subscriber), _second: second }
    }

    /// What was said since it was last asked.
    #[must_use]
    pub fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.said.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Ear(Arc<Mutex<BTreeSet<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Ear {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "rapport_data::sql" {
            event.record(&mut Text(&self.0));
        }
    }
}

struct Text<'a>(&'a Mutex<BTreeSet<String>>);

impl Visit for Text<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "text" {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(value.to_owned());
        }
    }
    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

/// The statements that would read a whole table or a whole tenant, each with what it reads; but for tables,
/// indexes and inner queries that are small.
///
/// # Panics
/// Where the file is none, or a statement is none that it can plan.
pub async fn scans(file: &Path, statements: &BTreeSet<String>, small: &[&str]) -> Vec<String> {
    let options = SqliteConnectOptions::new().filename(file);
    let mut connection = SqliteConnection::connect_with(&options).await.expect("the file is a database");
    let mut found = Vec::new();
    for text in statements {
        let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"))).fetch_all(&mut connection).await;
        for step in plan.unwrap_or_else(|error| panic!("{error}: {text}")) {
            let step: String = step.get("detail");
            let mut words = step.split(' ');
            let (does, what) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let given = what == "CONSTANT" || what.starts_with('(') || step.ends_with("VALUES CLAUSE");
            let reads_all = does == "SCAN" && !given || step.ends_with("(tenant=?)");
            if reads_all && !step.split(' ').any(|word| small.contains(&word)) {
                found.push(format!("{step}: {text}"));
            }
        }
    }
    found
}

/// How many rows there are of what comes after FROM, as `task WHERE done = 0`.
///
/// # Panics
/// Where the file cannot be read, or the text is no SQL.
pub async fn count(file: &Path, what: &str) -> i64 {
    let options = SqliteConnectOptions::new().filename(file);
    let mut connection = SqliteConnection::connect_with(&options).await.expect("the file is a database");
    let text = AssertSqlSafe(format!("SELECT count(*) FROM {what}"));
    let row = sqlx::query(text).fetch_one(&mut connection).await.expect("it can be counted");
    row.get(0)
}

/// The statements that would gather rows to sort them, each with what it does.
///
/// # Panics
/// As [`scans`].
pub async fn sorts(file: &Path, statements: &BTreeSet<String>) -> Vec<String> {
    let options = SqliteConnectOptions::new().filename(file);
    let mut connection = SqliteConnection::connect_with(&options).await.expect("the file is a database");
    let mut found = Vec::new();
    for text in statements {
        let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"))).fetch_all(&mut connection).await;
        for step in plan.unwrap_or_else(|error| panic!("{error}: {text}")) {
            let step: String = step.get("detail");
            if step.starts_with("USE TEMP B-TREE") {
                found.push(format!("{step}: {text}"));
            }
        }
    }
    found
}
