//! A group's reading of one partition in Redis.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use rapport_kernel::Fault;
use redis::streams::StreamReadReply;
use redis::{Cmd, Value};
use tokio::time::Instant;
use uuid::Uuid;

use super::link::Link;
use super::{Keys, Shared};
use crate::{Delivery, DeliveryId, Subscription, unknown_delivery};

/// How many bytes of bodies one `next` answers at most, but for a first entry that is larger.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// How long one blocking read waits at most: then the reader looks again, for its stream may have been replaced by
/// one whose ids are lower.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

pub(super) struct Reading {
    shared: Arc<Shared>,
    /// A connection of its own: a blocking read keeps others waiting.
    waiting: Link,
    keys: Keys,
    group: String,
    reader: String,
    /// The epoch of the last batch, and its ids and positions.
    epoch: String,
    batch: Vec<(DeliveryId, u64)>,
}

/// What the script for the next batch answered.
enum Next {
    /// Another reader holds the partition, for so long.
    Held(Duration),
    /// The group's commit, and what follows it.
    Read(String, Vec<Delivery>),
}

impl Reading {
    pub(super) fn new(shared: Arc<Shared>, keys: Keys, group: String) -> Self {
        let (waiting, reader) = (shared.link.another(), Uuid::now_v7().to_string());
        Self { shared, waiting, keys, group, reader, epoch: String::new(), batch: Vec::new() }
    }

    async fn read(&mut self, max: usize) -> Result<Next, Fault> {
        let lease = self.shared.config.lease_seconds.saturating_mul(1_000);
        let mut invocation = self.shared.scripts.next.prepare_invoke();
        invocation.key(&self.keys.stream).key(&self.keys.state);
        invocation.arg(&self.group).arg(&self.reader).arg(lease).arg(max).arg(BATCH_BYTES);
        let answer: Vec<Value> = self.shared.run(invocation).await?;
        let strange = || Fault::internal("a script of the event bus answered what it never answers");
        match answer.as_slice() {
            [_, Value::Int(left)] => Ok(Next::Held(Duration::from_millis(u64::try_from(*left).unwrap_or(0)))),
            [_, epoch, from, Value::Array(entries)] => {
                let deliveries: Option<Vec<Delivery>> = entries.chunks(3).map(delivery).collect();
                let deliveries = deliveries.ok_or_else(strange)?;
                self.epoch = text(epoch).ok_or_else(strange)?.to_owned();
                self.batch = deliveries.iter().map(|delivery| (delivery.id, delivery.position)).collect();
                Ok(Next::Read(text(from).ok_or_else(strange)?.to_owned(), deliveries))
            }
            _ => Err(strange()),
        }
    }

    /// Waits until something follows `from`, or the time is over.
    async fn wait(&self, from: &str, wait: Duration) -> Result<(), Fault> {
        // 0 would mean for ever.
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut command = Cmd::new();
        command
            .arg("XREAD")
            .arg("COUNT")
            .arg(1)
            .arg("BLOCK")
            .arg(millis)
            .arg("STREAMS")
            .arg(&self.keys.stream)
            .arg(from);
        let read = async |mut connection| command.query_async::<Option<StreamReadReply>>(&mut connection).await;
        self.waiting.run(wait, read).await.map(drop)
    }
}

impl Subscription for Reading {
    fn next(&mut self, max: usize, wait: Duration) -> BoxFuture<'_, Result<Vec<Delivery>, Fault>> {
        async move {
            let deadline = Instant::now() + wait;
            loop {
                let next = self.read(max).await?;
                let left = deadline.saturating_duration_since(Instant::now()).min(LONGEST_WAIT);
                match next {
                    Next::Read(_, deliveries) if !deliveries.is_empty() => return Ok(deliveries),
                    _ if left.is_zero() => return Ok(Vec::new()),
                    Next::Read(from, _) => self.wait(&from, left).await?,
                    // Its holder may also leave before the lease is over.
                    Next::Held(lease) => tokio::time::sleep(left.min(lease).min(self.shared.config.lease() / 4)).await,
                }
            }
        }
        .boxed()
    }

    fn commit(&mut self, id: DeliveryId) -> BoxFuture<'_, Result<(), Fault>> {
        async move {
            if !self.batch.iter().any(|(delivery, _)| *delivery == id) {
                return Err(unknown_delivery());
            }
            let through = self.batch.iter().take_while(|(delivery, _)| *delivery <= id);
            let position = through.map(|(_, position)| *position).max().unwrap_or(0);
            let mut invocation = self.shared.scripts.commit.prepare_invoke();
            invocation.key(&self.keys.state).arg(&self.group).arg(&self.epoch).arg(id.0).arg(id.1).arg(position);
            // Of an epoch that is gone: the entries come again in the new one, so the answer does not matter.
            self.shared.run::<String>(invocation).await.map(drop)
        }
        .boxed()
    }

    fn leave(&mut self) -> BoxFuture<'_, ()> {
        async move {
            let mut invocation = self.shared.scripts.leave.prepare_invoke();
            invocation.key(&self.keys.state).arg(&self.group).arg(&self.reader);
            // Where Redis cannot be told, the lease runs out by itself.
            let _told = self.shared.run::<String>(invocation).await;
        }
        .boxed()
    }
}

fn delivery(fields: &[Value]) -> Option<Delivery> {
    let [id, position, Value::BulkString(body)] = fields else { return None };
    let (millis, sequence) = text(id)?.split_once('-')?;
    let id = DeliveryId(millis.parse().ok()?, sequence.parse().ok()?);
    Some(Delivery { id, position: text(position)?.parse().ok()?, body: Bytes::copy_from_slice(body) })
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}
