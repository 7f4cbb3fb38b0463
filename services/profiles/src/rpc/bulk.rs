//! The bulk calls. They commit in batches: what is acknowledged is durable, and an import that was cut off goes on after
//! the last acknowledgement. While one batch is committed, the next is taken in.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use prost::Message;
use rapport_api::common::v1::{BulkAck, BulkError, BulkFieldViolation};
use rapport_api::profiles::v1 as pb;
use rapport_api::profiles::v1::record_interactions_request::Item;
use rapport_kernel::{Clock, Fault, Timestamp};
use rapport_platform::{Call, status};
use tokio::time::timeout;
use tonic::{Status, Streaming};

use crate::convert::{identify, interaction};
use crate::domain::interaction::Telling;
use crate::domain::rules::Rules;
use crate::service::Profiles;
use crate::service::identify::Identification;

/// Encoded bytes of one commit, but for one item more.
const BYTES: usize = 1024 * 1024;
/// How long a batch waits for its next item before it is committed as it is.
const PATIENCE: Duration = Duration::from_millis(2);
/// How many refused items an acknowledgement names.
const NAMED: usize = 100;

/// What a bulk call takes in.
pub(super) trait Intake: Send + Sync + 'static {
    /// An item as it comes.
    type Item: Message + Default + 'static;
    /// A sound one.
    type Sound: Send + Sync + 'static;

    /// Items of one commit at most.
    const ITEMS: usize;

    /// Which source an item says it is of; empty where it says nothing.
    fn source(item: &Self::Item) -> &str;

    /// Reads an item by the rules of when its batch began.
    fn read(item: Self::Item, rules: &Rules, now: Timestamp) -> Result<Self::Sound, Fault>;

    /// Commits sound items: why each was refused that was, in order.
    fn commit(
        profiles: &Profiles,
        call: &Call,
        items: Vec<Self::Sound>,
    ) -> impl Future<Output = Result<Vec<Result<(), Fault>>, Fault>> + Send;
}

/// RecordInteractions.
pub(super) enum Interactions {}

impl Intake for Interactions {
    type Item = pb::RecordInteractionsRequest;
    type Sound = Telling;

    const ITEMS: usize = 1_000;

    fn source(item: &Self::Item) -> &str {
        match &item.item {
            Some(Item::Interaction(interaction)) => &interaction.source,
            Some(Item::Deletion(deletion)) => &deletion.source,
            None => "",
        }
    }

    fn read(item: Self::Item, rules: &Rules, now: Timestamp) -> Result<Telling, Fault> {
        interaction::item(item, rules, now)
    }

    async fn commit(profiles: &Profiles, call: &Call, items: Vec<Telling>) -> Result<Vec<Result<(), Fault>>, Fault> {
        let outcomes = profiles.record_many(call, items).await?;
        Ok(outcomes.into_iter().map(|outcome| outcome.map(drop)).collect())
    }
}

/// ImportProfiles.
pub(super) enum Identifications {}

impl Intake for Identifications {
    type Item = pb::ImportProfilesRequest;
    type Sound = Identification;

    // Each is a unit of its own within the commit, and others wait for it.
    const ITEMS: usize = 200;

    fn source(item: &Self::Item) -> &str {
        item.profile.as_ref().map_or("", |profile| &profile.source)
    }

    fn read(item: Self::Item, rules: &Rules, now: Timestamp) -> Result<Identification, Fault> {
        identify::item(&item, now, rules)
    }

    async fn commit(
        profiles: &Profiles,
        call: &Call,
        items: Vec<Identification>,
    ) -> Result<Vec<Result<(), Fault>>, Fault> {
        profiles.identify_many(call, items).await
    }
}

/// The answers of a bulk call.
pub(super) type Acks<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A bulk call under way.
pub(super) struct Import<I: Intake> {
    items: Streaming<I::Item>,
    /// The index of the next item.
    next: i64,
    batch: Batch<I::Sound>,
    end: End,
    /// By which the items of a batch are read.
    rules: Arc<Rules>,
    profiles: Profiles,
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
    pub(super) fn new(items: Streaming<I::Item>, profiles: Profiles, clock: Arc<dyn Clock>, call: Call) -> Self {
        let rules = Arc::default();
        Self { items, next: 0, batch: Batch::default(), end: End::Open, rules, profiles, clock, call }
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
        self.gather().await.map_err(status)?;
        let batch = std::mem::take(&mut self.batch);
        if batch.items == 0 {
            return match &mut self.end {
                End::Over(why) => why.take().map_or(Ok(None), Err),
                End::Open => Ok(None),
            };
        }
        let through = self.next - 1;
        let (profiles, call) = (self.profiles.clone(), self.call.clone());
        let mut commit = pin!(commit::<I>(&profiles, &call, batch));
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
        self.rules = self.profiles.rules(&self.call).await?;
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
        let (source, now) = (I::source(&item).to_owned(), self.clock.now());
        match I::read(item, &self.rules, now) {
            Ok(sound) => batch.sound.push((self.next, sound)),
            Err(fault) => {
                self.profiles.refused(self.call.tenant(), &source, &fault, now);
                batch.refused.push((self.next, fault));
            }
        }
        self.next += 1;
    }
}

/// Commits the sound items; answers how many were taken, and all that were not.
async fn commit<I: Intake>(
    profiles: &Profiles,
    call: &Call,
    batch: Batch<I::Sound>,
) -> Result<(i64, Vec<(i64, Fault)>), Fault> {
    let (mut accepted, mut refused) = (0, batch.refused);
    let (indexes, items): (Vec<_>, Vec<_>) = batch.sound.into_iter().unzip();
    for (index, result) in indexes.into_iter().zip(I::commit(profiles, call, items).await?) {
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
