//! Bulk calls. They commit in batches: what is acknowledged is durable, and a stream that was cut off goes on after the
//! last acknowledgement. While one batch is committed, the next is taken in.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use prost::Message;
use rapport_api::common::v1::{BulkAck, BulkError, BulkFieldViolation};
use rapport_kernel::{Clock, Fault, Timestamp};
use rapport_platform::{Call, status};
use tokio::time::timeout;
use tonic::{Status, Streaming};

/// Encoded bytes of one commit, but for one item more.
const BYTES: usize = 1024 * 1024;
/// How long a batch waits for its next item before it is committed as it is.
const PATIENCE: Duration = Duration::from_millis(2);
/// How many refused items an acknowledgement names.
const NAMED: usize = 100;

/// What a bulk call takes in.
pub(super) trait Intake: Clone + Send + Sync + 'static {
    /// An item as it comes.
    type Item: Message + Default + 'static;
    /// A sound one.
    type Sound: Send + Sync + 'static;

    /// Items of one commit at most.
    const ITEMS: usize;

    /// Reads an item as of when it came.
    fn read(item: Self::Item, now: Timestamp) -> Result<Self::Sound, Fault>;

    /// Commits sound items: why each was refused that was, in order.
    fn commit(
        &self,
        call: &Call,
        items: Vec<Self::Sound>,
    ) -> impl Future<Output = Result<Vec<Result<(), Fault>>, Fault>> + Send;
}

/// The answers of a bulk call.
pub(super) type Acks<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A bulk call under way.
pub(super) struct Import<I: Intake> {
    intake: I,
    items: Streaming<I::Item>,
    /// The index of the next item.
    next: i64,
    batch: Batch<I::Sound>,
    end: End,
    clock: Arc<dyn Clock>,
    call: Call,
}

/// Items that go into one commit.
struct Batch<T> {
    items: usize,
    bytes: usize,
    sound: Vec<(i64, T)>,
    refused: Vec<(i64, Fault)>,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { items: 0, bytes: 0, sound: Vec::new(), refused: Vec::new() }
    }
}

impl<T> Batch<T> {
    const fn is_full(&self, most: usize) -> bool {
        self.items >= most || self.bytes >= BYTES
    }
}

/// How the stream of items stands.
enum End {
    Open,
    /// It ended, or broke: then why is told after the last acknowledgement.
    Over(Option<Status>),
}

impl<I: Intake> Import<I> {
    pub(super) fn new(items: Streaming<I::Item>, intake: I, clock: Arc<dyn Clock>, call: Call) -> Self {
        Self { intake, items, next: 0, batch: Batch::default(), end: End::Open, clock, call }
    }

    /// The answers, each rendered as the call has it.
    pub(super) fn acks<T: 'static>(self, render: fn(BulkAck) -> T) -> Acks<T> {
        let acks = futures::stream::unfold(self, move |mut import| async move {
            let ack = import.commit_next().await.transpose()?;
            Some((ack.map(render), import))
        });
        Box::pin(acks)
    }

    /// Commits the next batch, and says what became of it; `None` at the end of the stream.
    async fn commit_next(&mut self) -> Result<Option<BulkAck>, Status> {
        self.gather().await;
        let batch = std::mem::take(&mut self.batch);
        if batch.items == 0 {
            return match &mut self.end {
                End::Over(why) => why.take().map_or(Ok(None), Err),
                End::Open => Ok(None),
            };
        }
        let through = self.next - 1;
        let (intake, call) = (self.intake.clone(), self.call.clone());
        let mut commit = pin!(commit(&intake, &call, batch));
        let committed = tokio::select! {
            biased;
            committed = &mut commit => committed,
            () = self.fill() => commit.await,
        };
        let (accepted, refused) = committed.map_err(status)?;
        Ok(Some(acknowledge(through, accepted, refused)))
    }

    /// Takes items until the batch is full or none comes for a moment. The first may take its time: nothing waits for
    /// a commit.
    async fn gather(&mut self) {
        if self.batch.items == 0 {
            self.take().await;
        }
        while matches!(self.end, End::Open)
            && !self.batch.is_full(I::ITEMS)
            && timeout(PATIENCE, self.take()).await.is_ok()
        {}
    }

    /// Takes items until the batch is full. Given up at any point, it has lost none.
    async fn fill(&mut self) {
        while matches!(self.end, End::Open) && !self.batch.is_full(I::ITEMS) {
            self.take().await;
        }
    }

    /// Takes one item. Bytes that cannot be decoded end the stream.
    async fn take(&mut self) {
        if matches!(self.end, End::Over(_)) {
            return;
        }
        match self.items.message().await {
            Ok(Some(item)) => self.add(item),
            Ok(None) => self.end = End::Over(None),
            Err(why) => self.end = End::Over(Some(why)),
        }
    }

    fn add(&mut self, item: I::Item) {
        let batch = &mut self.batch;
        batch.items += 1;
        batch.bytes += item.encoded_len();
        match I::read(item, self.clock.now()) {
            Ok(sound) => batch.sound.push((self.next, sound)),
            Err(fault) => batch.refused.push((self.next, fault)),
        }
        self.next += 1;
    }
}

/// Commits the sound items; answers how many were taken, and all that were not.
async fn commit<I: Intake>(intake: &I, call: &Call, batch: Batch<I::Sound>) -> Result<(i64, Vec<(i64, Fault)>), Fault> {
    let (mut accepted, mut refused) = (0, batch.refused);
    let (indexes, items): (Vec<_>, Vec<_>) = batch.sound.into_iter().unzip();
    for (index, result) in indexes.into_iter().zip(intake.commit(call, items).await?) {
        match result {
            Ok(()) => accepted += 1,
            Err(fault) => refused.push((index, fault)),
        }
    }
    Ok((accepted, refused))
}

fn acknowledge(through_index: i64, accepted: i64, mut refused: Vec<(i64, Fault)>) -> BulkAck {
    refused.sort_by_key(|(index, _)| *index);
    let rejected = i64::try_from(refused.len()).unwrap_or(i64::MAX);
    let error = |(index, fault): (i64, Fault)| BulkError {
        index,
        reason: fault.reason.name().to_owned(),
        violations: violations(&fault),
        message: fault.message,
    };
    BulkAck { through_index, accepted, rejected, errors: refused.into_iter().take(NAMED).map(error).collect() }
}

fn violations(fault: &Fault) -> Vec<BulkFieldViolation> {
    let violation = |violation: &rapport_kernel::Violation| BulkFieldViolation {
        field: violation.field.clone(),
        description: violation.description.clone(),
    };
    fault.details.violations.as_slice().iter().map(violation).collect()
}
