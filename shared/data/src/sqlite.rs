//! Writing on SQLite: one task owns the one writing connection, and commits units in groups.
//!
//! A commit waits for the disk (`synchronous = FULL`), so it carries as many units as are waiting: up to 64, or what
//! two milliseconds bring. Each stands under a savepoint of its own: one that fails or panics takes back only
//! itself. Answers leave after the COMMIT.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use rapport_kernel::Fault;
use rapport_platform::{OnFailure, Tasks};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Row as _};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::conn::{Conn, Live, Raw};
use crate::fault::sqlx_fault;
use crate::metrics::Metrics;
use crate::private;
use crate::slots::Target;

/// Prepared statements that the writer keeps: those of all tables, in all sizes of [`crate::bulk`].
const STATEMENTS: usize = 512;
const MOST_UNITS: usize = 64;
const LONGEST_GROUP: Duration = Duration::from_millis(2);
/// A unit that takes longer does something else than its transaction, and holds everybody up.
const LONGEST_UNIT: Duration = Duration::from_secs(30);
/// After the process began to stop, the writer goes on until nobody has asked for this long.
const LINGER: Duration = Duration::from_millis(300);
/// The log may grow so far before it is brought into the file beside the writer …
const CHECKPOINT_BYTES: u64 = 4 * 1024 * 1024;
/// … and so far before the writer itself does it, and all wait.
const URGENT_BYTES: u64 = 16 * CHECKPOINT_BYTES;
/// How long the writer waits at most for readers while the log is emptied.
const SHORT_WAIT: Duration = Duration::from_millis(50);
const CHECKPOINT_PAUSE: Duration = Duration::from_millis(250);

/// What the writer tells the caller once the group is committed, or why it is not.
pub(crate) type Answer = Box<dyn FnOnce(Result<(), Fault>) + Send>;

/// A unit of work that waits.
pub(crate) struct Job {
    pub(crate) until: Option<Instant>,
    /// Runs the unit; answers whether to keep what it did.
    pub(crate) run: Box<dyn FnOnce(Conn) -> BoxFuture<'static, (bool, Answer)> + Send>,
}

#[derive(Clone)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    /// Erasures, and how many of them the log was emptied after. It begins with one: a crash may have left a log.
    erasures: Arc<AtomicU64>,
    emptied: Arc<AtomicU64>,
    /// Wakes the task that empties it.
    stained: Arc<Notify>,
}

impl File {
    pub(crate) fn new(folder: &Path, service: &str) -> Self {
        Self {
            path: folder.join(format!("{service}.db")),
            erasures: Arc::new(AtomicU64::new(1)),
            emptied: Arc::default(),
            stained: Arc::default(),
        }
    }

    /// Notes that an erasure was committed: the log still holds what it deleted, until it is emptied.
    pub(crate) fn stain(&self) {
        self.erasures.fetch_add(1, Ordering::AcqRel);
        self.stained.notify_one();
    }
    /// Whether the log may hold what was erased.
    pub(crate) fn is_stained(&self) -> bool {
        self.erasures.load(Ordering::Acquire) != self.emptied.load(Ordering::Acquire)
    }

    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true)
            .disable_statement_logging()
    }

    /// The one that writes. It never checkpoints by itself: that would be within somebody's commit.
    pub(crate) fn writer(&self) -> Target {
        Target::Sqlite(
            self.options()
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .statement_cache_capacity(STATEMENTS)
                .pragma("wal_autocheckpoint", "0")
                .pragma("journal_size_limit", CHECKPOINT_BYTES.to_string())
                // What is deleted is overwritten: an erasure leaves nothing in free pages.
                .pragma("secure_delete", "on")
                .pragma("temp_store", "memory"),
        )
    }

    /// The one that brings the log into the file. To empty it, it keeps the writer waiting, but not for long.
    fn checkpointer(&self) -> Target {
        Target::Sqlite(
            self.options().busy_timeout(SHORT_WAIT).pragma("journal_size_limit", CHECKPOINT_BYTES.to_string()),
        )
    }

    pub(crate) fn reader(&self) -> Target {
        Target::Sqlite(self.options().pragma("query_only", "on").pragma("mmap_size", "268435456"))
    }

    fn log_bytes(&self) -> u64 {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        std::fs::metadata(log).map_or(0, |log| log.len())
    }
}

/// Starts the writer of a file and the checkpoints beside it; answers where units wait.
pub(crate) fn start(
    file: &File,
    service: &'static str,
    queue: usize,
    tasks: &Tasks,
    metrics: Metrics,
) -> mpsc::Sender<Job> {
    let (sender, receiver) = mpsc::channel(queue.max(1));
    let receiver = Arc::new(Mutex::new(receiver));
    let writing = file.clone();
    tasks.spawn(&format!("{service}.writer"), OnFailure::Restart, move |stopping| {
        let (receiver, file, metrics) = (Arc::clone(&receiver), writing.clone(), metrics.clone());
        async move {
            let mut receiver = receiver.lock().await;
            write(&mut receiver, &file, &stopping, &metrics).await
        }
    });
    let file = file.clone();
    tasks.spawn(&format!("{service}.checkpoint"), OnFailure::Restart, move |stopping| {
        let file = file.clone();
        async move { checkpoint(&file, &stopping).await }
    });
    sender
}

async fn write(
    queue: &mut mpsc::Receiver<Job>,
    file: &File,
    stopping: &CancellationToken,
    metrics: &Metrics,
) -> Result<(), Fault> {
    let mut live = file.writer().open().await.map_err(|error| sqlx_fault(&error))?;
    loop {
        let job = tokio::select! {
            biased;
            job = queue.recv() => job,
            () = stopping.cancelled() => timeout(LINGER, queue.recv()).await.unwrap_or(None),
        };
        let Some(job) = job else { return Ok(()) };
        live = group(live, job, queue, metrics).await?;
        if file.log_bytes() > URGENT_BYTES {
            live.run("PRAGMA wal_checkpoint(TRUNCATE)".to_owned()).await.map_err(|error| sqlx_fault(&error))?;
        }
    }
}

/// Runs and commits a group of units. An error means that the connection is of no more use; then every unit of the
/// group was told that it did not happen.
async fn group(mut live: Live, first: Job, queue: &mut mpsc::Receiver<Job>, metrics: &Metrics) -> Result<Live, Fault> {
    let started = Instant::now();
    let mut answers: Vec<Answer> = Vec::new();
    // Each text is a way to the connection's thread and back: what ends one unit goes with what begins the next.
    let mut before = "BEGIN IMMEDIATE; ";
    let mut next = Some(first);
    while let Some(job) = next.take() {
        // Whoever waited for it has been told DEADLINE_EXCEEDED.
        if job.until.is_none_or(|until| Instant::now() < until) {
            match unit(live, before, job).await {
                Ok((kept, end, answer)) => {
                    (live, before) = (kept, end);
                    answers.push(answer);
                }
                Err(fault) => return Err(refuse(answers, fault)),
            }
        }
        if answers.len() < MOST_UNITS && started.elapsed() < LONGEST_GROUP {
            next = queue.try_recv().ok();
        }
    }
    if answers.is_empty() {
        return Ok(live);
    }
    if let Err(error) = live.run(format!("{before}COMMIT")).await {
        return Err(refuse(answers, sqlx_fault(&error)));
    }
    metrics.group(answers.len());
    for answer in answers {
        answer(Ok(()));
    }
    Ok(live)
}

fn refuse(answers: Vec<Answer>, fault: Fault) -> Fault {
    for answer in answers {
        answer(Err(Fault::unavailable("the database", format!("the group was not committed: {fault:?}"))));
    }
    fault
}

/// Runs a unit under a savepoint, after the text that ends what came before; answers the text that ends it.
async fn unit(mut live: Live, before: &str, job: Job) -> Result<(Live, &'static str, Answer), Fault> {
    live.run(format!("{before}SAVEPOINT unit")).await.map_err(|error| sqlx_fault(&error))?;
    let conn = Conn::lend(live);
    let outcome = timeout(LONGEST_UNIT, (job.run)(conn.clone())).await;
    let lost = || Fault::internal("the writing connection was not given back");
    let live = conn.take_back().await.ok_or_else(lost)?;
    let (keep, answer) = outcome.unwrap_or_else(|_| (false, Box::new(|_| ())));
    Ok((live, if keep { "RELEASE unit; " } else { "ROLLBACK TO unit; RELEASE unit; " }, answer))
}

/// Brings the log into the file while the writer goes on, and empties it after an erasure. One file of the folder at a
/// time: the disk is one.
async fn checkpoint(file: &File, stopping: &CancellationToken) -> Result<(), Fault> {
    let folder = file.path.parent().unwrap_or_else(|| Path::new("."));
    let turn = private::file(&folder.join("checkpoint.lock"))?;
    let mut live = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(CHECKPOINT_PAUSE) => {}
            () = file.stained.notified() => {}
            () = stopping.cancelled() => return Ok(()),
        }
        let stained = file.is_stained();
        if (!stained && file.log_bytes() < CHECKPOINT_BYTES) || turn.try_lock().is_err() {
            continue;
        }
        let result = match live.take() {
            Some(live) => Ok(live),
            None => file.checkpointer().open().await,
        };
        let result = match result {
            Ok(open) => {
                if stained {
                    empty(open, file).await
                } else {
                    fold(open).await
                }
            }
            Err(error) => Err(error),
        };
        turn.unlock().map_err(Fault::internal)?;
        live = Some(result.map_err(|error| sqlx_fault(&error))?);
    }
}

async fn fold(mut live: Live) -> Result<Live, sqlx::Error> {
    live.run("PRAGMA wal_checkpoint(PASSIVE)".to_owned()).await?;
    Ok(live)
}

/// Empties the log; where readers are in it, the next round tries again.
async fn empty(mut live: Live, file: &File) -> Result<Live, sqlx::Error> {
    // An erasure that is committed meanwhile is for the next round.
    let erasures = file.erasures.load(Ordering::Acquire);
    let emptied = match &mut live.raw {
        Raw::Sqlite(raw) => {
            let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut **raw).await;
            row.and_then(|row| row.try_get::<i64, _>(0)).map(|busy| busy == 0)
        }
        Raw::Postgres(_) => Ok(true),
    };
    if matches!(emptied, Ok(true)) {
        file.emptied.store(erasures, Ordering::Release);
    }
    match emptied {
        Ok(_) => Ok(live),
        Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code == "5") => Ok(live),
        Err(error) => Err(error),
    }
}
