//! The bulk recording of interactions. It commits in batches: what is acknowledged is durable, and an import that was
//! cut off goes on after the last acknowledgement. While one batch is committed, the next is taken in.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use rapport_api::common::v1::{BulkAck, BulkError, BulkFieldViolation};
use rapport_api::profiles::v1 as pb;
use rapport_api::profiles::v1::record_interactions_request::Item;
use rapport_kernel::{Clock, Fault};
use rapport_platform::{Call, status};
use tokio::time::timeout;
use tonic::{Status, Streaming};

use crate::convert::interaction as convert;
use crate::domain::interaction::Telling;
use crate::domain::rules::Rules;
use crate::service::Profiles;

/// Items of one commit at most.
const ITEMS: usize = 1_000;
/// Encoded bytes of one commit, but for one item more.
const BYTES: usize = 1024 * 1024;
/// How long a batch waits for its next item before it is committed as it is.
const PATIENCE: Duration = Duration::from_millis(2);
/// How many refused items an acknowledgement names.
const NAMED: usize = 100;

/// A bulk recording under way.
pub(super) struct Import {
    items: Streaming<pb::RecordInteractionsRequest>,
    /// The index of the next item.
    next: i64,
    batch: Batch,
    end: End,
    /// By which the items of a batch are read.
    rules: Arc<Rules>,
    profiles: Profiles,
    clock: Arc<dyn Clock>,
    call: Call,
}

/// Items that go into one commit.
#[derive(Default)]
struct Batch {
    items: usize,
    bytes: usize,
    sound: Vec<(i64, Telling)>,
    refused: Vec<(i64, Fault)>,
}

impl Batch {
    const fn is_full(&self) -> bool {
        self.items >= ITEMS || self.bytes >= BYTES
    }
}

/// How the stream of items stands.
enum End {
    Open,
    /// It ended, or broke: then why is told after the last acknowledgement.
    Over(Option<Status>),
}

impl Import {
    pub(super) fn new(
        items: Streaming<pb::RecordInteractionsRequest>,
        profiles: Profiles,
        clock: Arc<dyn Clock>,
        call: Call,
    ) -> Self {
        let rules = Arc::default();
        Self { items, next: 0, batch: Batch::default(), end: End::Open, rules, profiles, clock, call }
    }

    /// Commits the next batch, and says what became of it; `None` at the end of the stream.
    pub(super) async fn commit_next(&mut self) -> Result<Option<BulkAck>, Status> {
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
        let mut commit = pin!(commit(&profiles, &call, batch));
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
        while matches!(self.end, End::Open) && !self.batch.is_full() && timeout(PATIENCE, self.take()).await.is_ok() {}
        Ok(())
    }

    /// Takes items until the batch is full. Given up at any point, it has lost none.
    async fn fill(&mut self) {
        while matches!(self.end, End::Open) && !self.batch.is_full() {
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
    async fn receive(&mut self) -> Option<pb::RecordInteractionsRequest> {
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

    fn add(&mut self, item: pb::RecordInteractionsRequest) {
        let batch = &mut self.batch;
        batch.items += 1;
        batch.bytes += item.encoded_len();
        let (source, now) = (source(&item), self.clock.now());
        match convert::item(item, &self.rules, now) {
            Ok(telling) => batch.sound.push((self.next, telling)),
            Err(fault) => {
                self.profiles.refused(self.call.tenant(), &source, &fault, now);
                batch.refused.push((self.next, fault));
            }
        }
        self.next += 1;
    }
}

/// Which source an item says it is of.
fn source(item: &pb::RecordInteractionsRequest) -> String {
    match &item.item {
        Some(Item::Interaction(interaction)) => interaction.source.clone(),
        Some(Item::Deletion(deletion)) => deletion.source.clone(),
        None => String::new(),
    }
}

/// Commits the sound items; answers how many were taken, and all that were not.
async fn commit(profiles: &Profiles, call: &Call, batch: Batch) -> Result<(i64, Vec<(i64, Fault)>), Fault> {
    let (mut accepted, mut refused) = (0, batch.refused);
    let (indexes, tellings): (Vec<_>, Vec<_>) = batch.sound.into_iter().unzip();
    for (index, result) in indexes.into_iter().zip(profiles.record_many(call, tellings).await?) {
        match result {
            Ok(_) => accepted += 1,
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
