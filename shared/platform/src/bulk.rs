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
use tokio::time::timeout;
use tonic::{Status, Streaming};

use crate::{Call, status};

/// Encoded bytes of one commit, but for one item more.
const BYTES: usize = 1024 * 1024;
/// How long a batch waits for its next item before it is committed as it is.
const PATIENCE: Duration = Duration::from_millis(2);
/// How many refused items an acknowledgement names.
const NAMED: usize = 100;

/// What a bulk call takes in.
pub trait Intake: Clone + Send + Sync + 'static {
    /// An item as it comes.
    type Item: Message + Default + 'static;
    /// A sound one.
    type Sound: Send + Sync + 'static;
    /// What the items of a batch are judged by.
    type Rules: Default + Send + Sync;

    /// Items of one commit at most.
    const ITEMS: usize;

    /// What holds from the beginning of a batch.
    fn rules(&self, call: &Call) -> impl Future<Output = Result<Self::Rules, Fault>> + Send;

    /// Reads an item as of when it came.
    ///
    /// # Errors
    /// Why it is refused: the others of its batch are taken all the same.
    fn read(&self, call: &Call, rules: &Self::Rules, item: Self::Item, now: Timestamp) -> Result<Self::Sound, Fault>;

    /// Commits sound items: why each was refused that was, in order.
    fn commit(
        &self,
        call: &Call,
        items: Vec<Self::Sound>,
    ) -> impl Future<Output = Result<Vec<Result<(), Fault>>, Fault>> + Send;
}

/// The answers of a bulk call.
pub type Acks<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A bulk call under way.
pub struct Import<I: Intake> {
    intake: I,
    items: Streaming<I::Item>,
    /// The index of the next item.
    next: i64,
    batch: Batch<I::Sound>,
    end: End,
    rules: I::Rules,
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
    /// Of a stream of items; a stream goes on for longer than an instant, so that each is judged by the time it came.
    pub fn new(items: Streaming<I::Item>, intake: I, clock: Arc<dyn Clock>, call: Call) -> Self {
        let rules = I::Rules::default();
        Self { intake, items, next: 0, batch: Batch::default(), end: End::Open, rules, clock, call }
    }

    /// The answers, each rendered as the call has it.
    pub fn acks<T: 'static>(self, render: fn(BulkAck) -> T) -> Acks<T> {
        let acks = futures::stream::unfold(self, move |mut import| async move {
            let ack = import.commit_next().await.transpose()?;
            Some((ack.map(render), import))
        });
        Box::pin(acks)
    }

    /// Commits the next batch, and says what became of it; `None` at the end of the stream.
    async fn commit_next(&mut self) -> Result<Option<BulkAck>, Status> {
        self.gather().await.map_err(status)?;
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
    /// a commit. It, and what follows, is judged by the rules of when it came, not of when it was waited for.
    async fn gather(&mut self) -> Result<(), Fault> {
        let first = if self.batch.items == 0 { self.receive().await } else { None };
        self.rules = self.intake.rules(&self.call).await?;
        if let Some(first) = first {
            self.add(first);
        }
        while matches!(self.end, End::Open)
            && !self.batch.is_full(I::ITEMS)
            && timeout(PATIENCE, self.take()).await.is_ok()
        {}
        Ok(())
    }

    /// Takes items until the batch is full. Given up at any point, it has lost none.
    async fn fill(&mut self) {
        while matches!(self.end, End::Open) && !self.batch.is_full(I::ITEMS) {
            self.take().await;
        }
    }

    /// Takes one item.
    async fn take(&mut self) {
        if let Some(item) = self.receive().await {
            self.add(item);
        }
    }

    /// Waits for one item. Bytes that cannot be decoded end the stream.
    async fn receive(&mut self) -> Option<I::Item> {
        if matches!(self.end, End::Over(_)) {
            return None;
        }
        match self.items.message().await {
            Ok(Some(item)) => return Some(item),
            Ok(None) => self.end = End::Over(None),
            Err(why) => self.end = End::Over(Some(why)),
        }
        None
    }

    fn add(&mut self, item: I::Item) {
        let batch = &mut self.batch;
        batch.items += 1;
        batch.bytes += item.encoded_len();
        match self.intake.read(&self.call, &self.rules, item, self.clock.now()) {
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
