//! Long work: what takes longer than a call may, done step by step in the background, and followed by its caller.
//!
//! A call begins an operation in its own unit of work ([`Tx::begin_operation`]), so that a retry with the same request id
//! begins no second one. A worker of some instance takes it by a lease and asks its [`Job`] for one step after the other;
//! how far it came is kept after each. So an operation survives its instance: another goes on from the last step that was
//! kept. It is cancelled between steps, and shares the workers with others: none has them for itself.
//!
//! **Nothing personal** may lie in an operation's request, cursor or result: ids at most. An erasure does not look here.

mod job;
mod worker;

use std::fmt;

use prost_types::Any;
use rapport_kernel::{Fault, OperationId, Reason, TenantId, Timestamp};
use tokio::time::{Duration, Instant, sleep_until};

pub use crate::tables::operation::OperationFilter;
pub use job::{Job, Jobs, Step, Work};

use crate::database::Database;
use crate::fault::Stored as _;
use crate::keyset::{self, Page};
use crate::tables::operation::{self, Model};
use crate::unit::{Rx, Tx};

/// How often whoever waits looks whether another instance has ended the operation; what this one ends is told at once.
const LOOK: Duration = Duration::from_secs(1);

/// Work to begin.
#[derive(Clone)]
pub struct NewOperation {
    /// By the name of the call that begins it, as `TrainMatcher`: a [`Jobs`] of every instance has a job for it.
    pub kind: &'static str,
    /// What its progress counts, in the plural, as `profiles`; may be empty.
    pub unit: &'static str,
    /// What is asked, encoded as its job reads it.
    pub request: Vec<u8>,
}

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for its turn.
    Pending,
    /// It was begun.
    Running,
    /// It is done.
    Done,
    /// It cannot be done.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl State {
    pub(crate) const fn column(self) -> i16 {
        match self {
            Self::Pending => 1,
            Self::Running => 2,
            Self::Done => 3,
            Self::Failed => 4,
            Self::Cancelled => 5,
        }
    }

    fn of(column: i16) -> Result<Self, Fault> {
        let all = [Self::Pending, Self::Running, Self::Done, Self::Failed, Self::Cancelled];
        let state = all.into_iter().find(|state| state.column() == column);
        state.ok_or_else(|| Fault::internal("an operation's state is none"))
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How an operation ended.
#[derive(Clone, PartialEq)]
pub enum Outcome {
    /// With this response.
    Response(Any),
    /// With this error: an encoded `google.rpc.Status` with its details.
    Error(Vec<u8>),
}

/// An operation, as its caller sees it.
#[derive(Clone, PartialEq)]
pub struct Operation {
    /// Which.
    pub id: OperationId,
    /// What it does.
    pub kind: String,
    /// Where it stands.
    pub state: State,
    /// How much is done.
    pub done: u64,
    /// How much there is to do, as far as is known; 0: it is not.
    pub total: u64,
    /// What these count.
    pub unit: String,
    /// Whether somebody asked to cancel it.
    pub cancel_requested: bool,
    /// How often in a row its present step failed.
    pub failed_tries: u32,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was begun.
    pub started_at: Option<Timestamp>,
    /// When it last came further.
    pub updated_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How, where it has.
    pub outcome: Option<Outcome>,
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").field("id", &self.id).field("state", &self.state).finish_non_exhaustive()
    }
}

impl TryFrom<Model> for Operation {
    type Error = Fault;

    fn try_from(row: Model) -> Result<Self, Fault> {
        let instant = Timestamp::from_column;
        let response = row.result_type.zip(row.result).map(|(type_url, value)| Any { type_url, value });
        Ok(Self {
            id: OperationId::from_uuid(row.id),
            kind: row.kind,
            state: State::of(row.state)?,
            done: u64::try_from(row.done).unwrap_or(0),
            total: u64::try_from(row.total).unwrap_or(0),
            unit: row.unit,
            cancel_requested: row.cancelling,
            failed_tries: u32::try_from(row.tries).unwrap_or(0),
            created_at: instant(row.created_at),
            started_at: row.started_at.map(instant),
            updated_at: instant(row.updated_at),
            finished_at: row.finished_at.map(instant),
            outcome: response.map(Outcome::Response).or_else(|| row.error.map(Outcome::Error)),
        })
    }
}

impl Rx {
    /// An operation of the tenant; `None` where there is none, or its caller has deleted it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn operation(&self, id: OperationId) -> Result<Option<Operation>, Fault> {
        let row = operation::find(self.conn(), self.tenant(), id).await.stored()?;
        row.map(Operation::try_from).transpose()
    }

    /// A page of the tenant's operations, the newest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn operations(
        &self,
        filter: &OperationFilter,
        after: Option<OperationId>,
        size: usize,
    ) -> Result<Page<Operation, OperationId>, Fault> {
        let rows = operation::list(self.conn(), self.tenant(), filter, after, keyset::limit(size)).await.stored()?;
        let weight = |row: &Model| row.result.as_ref().or(row.error.as_ref()).map_or(256, |bytes| bytes.len() + 256);
        let Page { items, next } = keyset::page(rows, size, weight, |row| OperationId::from_uuid(row.id));
        Ok(Page { items: items.into_iter().map(Operation::try_from).collect::<Result<_, _>>()?, next })
    }
}

impl Tx {
    /// Begins an operation with this unit: it is done some time after the commit, by whichever instance has a hand free.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn begin_operation(&self, new: NewOperation) -> Result<Operation, Fault> {
        let (id, now) = (OperationId::new(), self.now());
        let NewOperation { kind, unit, request } = new;
        let row = operation::New { id, kind, unit, request };
        operation::add(self.conn(), self.engine(), self.tenant(), row, now).await.stored()?;
        self.notes().begun = true;
        Ok(Operation {
            id,
            kind: kind.to_owned(),
            state: State::Pending,
            done: 0,
            total: 0,
            unit: unit.to_owned(),
            cancel_requested: false,
            failed_tries: 0,
            created_at: now,
            started_at: None,
            updated_at: now,
            finished_at: None,
            outcome: None,
        })
    }

    /// Asks that an operation be cancelled: at once where nobody is at it, else after its present step. One that has
    /// ended stays as it is. Answers whether there is such an operation.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn cancel_operation(&self, id: OperationId) -> Result<bool, Fault> {
        let (conn, tenant, now) = (self.conn(), self.tenant(), self.now());
        match operation::cancel(conn, self.engine(), tenant, id, now).await.stored()? {
            Some(is_free) => {
                if is_free {
                    let error = cancelled();
                    operation::end_free(conn, tenant, id, State::Cancelled, error, now).await.stored()?;
                }
                self.notes().ended = true;
                Ok(true)
            }
            None => Ok(operation::find(conn, tenant, id).await.stored()?.is_some()),
        }
    }

    /// Forgets an operation, for its caller: it is not found any more. What is under way is not cancelled. Answers
    /// whether there was such an operation.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn delete_operation(&self, id: OperationId) -> Result<bool, Fault> {
        let was_there = operation::hide(self.conn(), self.tenant(), id).await.stored()?;
        self.notes().ended |= was_there;
        Ok(was_there)
    }
}

impl Database {
    /// An operation as it is when it has ended, or at `until` where it has not; `None` where there is none.
    ///
    /// # Errors
    /// As [`Database::read`].
    pub async fn wait_for_operation(
        &self,
        tenant: TenantId,
        id: OperationId,
        until: Instant,
    ) -> Result<Option<Operation>, Fault> {
        loop {
            // Listens before it looks: what ends in between is not missed.
            let ended = self.inner.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            let found = self.read(tenant, async |rx: Rx| rx.operation(id).await).await?;
            let now = Instant::now();
            if now >= until || found.as_ref().is_none_or(|operation| operation.outcome.is_some()) {
                return Ok(found);
            }
            tokio::select! {
                () = ended => {}
                () = sleep_until(until.min(now + LOOK)) => {}
            }
        }
    }
}

/// The error of an operation that was cancelled.
fn cancelled() -> Vec<u8> {
    encoded(Fault::new(Reason::Cancelled, "the operation was cancelled before it was done"))
}

/// A fault as an operation keeps it: what its caller may see of it. The cause goes to the log now, once.
fn encoded(fault: Fault) -> Vec<u8> {
    rapport_platform::status(fault).details().to_vec()
}
