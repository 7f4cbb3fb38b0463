//! What a kind of operation does: a job, step by step.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use prost::Name;
use prost_types::Any;
use rapport_kernel::{Fault, OperationId, Reason, TenantId};
use tokio::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::fault::Stored as _;
use crate::tables::operation::{self, Key, Progress};
use crate::unit::Tx;

/// How operations of one kind are done.
///
/// A step is a bite that takes a second or so (after 15 minutes it is given up, and tried again): only between steps is an operation cancelled, its worker shared and its
/// progress kept. A step may run again from the same cursor, after its instance was lost or where it failed: let it write
/// what it would write anyway, or keep its progress in its own unit of work ([`Work::keep`]), then it happens once. What
/// computes for longer than some milliseconds does so on a thread of its own.
pub trait Job: Send + Sync + 'static {
    /// Does the next step. A transient fault (away, too slow, lost a race) and an exhausted limit are tried again, later
    /// each time; any other ends the operation with it.
    fn step(&self, work: Work) -> BoxFuture<'_, Result<Step, Fault>>;
}

/// The jobs of a service, by the kinds of operation that they do.
#[derive(Clone, Default)]
pub struct Jobs(BTreeMap<&'static str, Arc<dyn Job>>);

impl Jobs {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// And one more. Each kind has one job: the last.
    #[must_use]
    pub fn with(mut self, kind: &'static str, job: impl Job) -> Self {
        self.0.insert(kind, Arc::new(job));
        self
    }

    pub(super) fn kinds(&self) -> Vec<&'static str> {
        self.0.keys().copied().collect()
    }

    pub(super) fn find(&self, kind: &str) -> Option<(&'static str, Arc<dyn Job>)> {
        self.0.get_key_value(kind).map(|(kind, job)| (*kind, Arc::clone(job)))
    }
}

/// What a step begins with.
#[derive(Clone)]
pub struct Work {
    /// Whose.
    pub tenant: TenantId,
    /// Which operation.
    pub operation: OperationId,
    /// What was asked ([`super::NewOperation::request`]).
    pub request: Vec<u8>,
    /// Where the last step ended; empty before the first.
    pub cursor: Vec<u8>,
    /// How much was done before.
    pub done: u64,
    /// How much there was to do, when the last step said.
    pub total: u64,
    /// Cancelled when a step that could end early should, with what it has: the process stops, or the operation is to be
    /// cancelled.
    pub enough: CancellationToken,
    pub(super) key: Key,
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("operation", &self.operation).finish_non_exhaustive()
    }
}

impl Work {
    /// Lets a unit of work of the tenant go on only while the operation is this worker's: nobody else takes it before the
    /// unit ends. Let it be among the unit's first statements.
    ///
    /// # Errors
    /// ABORTED where another worker has the operation; where the database fails.
    pub async fn hold(&self, tx: &Tx) -> Result<(), Fault> {
        if operation::hold(tx.conn(), tx.engine(), self.key).await.stored()? { Ok(()) } else { Err(lost()) }
    }

    /// Keeps how far the step came together with what it wrote, in its own unit of work. The step then answers the same
    /// in its [`Step::More`].
    ///
    /// # Errors
    /// As [`Work::hold`].
    pub async fn keep(&self, tx: &Tx, cursor: Vec<u8>, done: u64, total: u64) -> Result<(), Fault> {
        let progress = Progress { cursor, done, total };
        let kept = operation::save(tx.conn(), self.key, &progress, tx.now()).await.stored()?;
        kept.map(drop).ok_or_else(lost)
    }
}

fn lost() -> Fault {
    Fault::new(Reason::Contention, "another worker has taken the operation over")
}

/// What a step came to.
#[derive(Clone)]
pub enum Step {
    /// There is more to do.
    More {
        /// Where the next step begins: ids and numbers only.
        cursor: Vec<u8>,
        /// How much is done in all.
        done: u64,
        /// How much there is to do in all; 0 where that is not known.
        total: u64,
        /// How long to rest before the next step, so that calls have the database for themselves.
        pause: Duration,
    },
    /// That was the last.
    Done {
        /// What the operation's caller is answered.
        response: Any,
        /// How much was done in all.
        done: u64,
    },
}

impl Step {
    /// There is more to do, at once.
    #[must_use]
    pub fn more(cursor: impl Into<Vec<u8>>, done: u64, total: u64) -> Self {
        Self::More { cursor: cursor.into(), done, total, pause: Duration::ZERO }
    }

    /// That was the last: `done` in all, and this is the answer.
    ///
    /// # Errors
    /// Where the message cannot be encoded.
    pub fn done<M: Name>(response: &M, done: u64) -> Result<Self, Fault> {
        Ok(Self::Done { response: Any::from_msg(response).map_err(Fault::internal)?, done })
    }

    /// The same, with a rest before the next step.
    #[must_use]
    pub fn after(self, rest: Duration) -> Self {
        match self {
            Self::More { cursor, done, total, .. } => Self::More { cursor, done, total, pause: rest },
            Self::Done { .. } => self,
        }
    }
}
