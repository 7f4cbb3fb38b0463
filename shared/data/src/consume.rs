//! Applying what others published: at least once and in order on the way here, its effect once by revision (state
//! events) or by an inbox row (effects).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use prost::Message as _;
use rapport_api::convert::instant;
use rapport_api::events::v1::{Event, event::Payload};
use rapport_bus::{Bus, Delivery, Subscription};
use rapport_kernel::{EventId, Fault, Kind, SubjectId, TenantId, Timestamp};
use rapport_platform::{OnFailure, Platform, telemetry};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::PARTITIONS;
use crate::database::{Database, Scope, Terms};
use crate::dead_letters::Letter;
use crate::lane::lane;
use crate::unit::{Lock, Tx};

/// Events of one transaction at most.
const BATCH: usize = 1_000;
const WAIT: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// After so many failures that may pass, several events are tried in halves: it may be their number that takes too long.
const MOST_TOGETHER: u32 = 4;

/// Applies events. One implementation for each consumer group of a service.
pub trait Consumer: Send + Sync + 'static {
    /// Applies events of one tenant, in the order of their partition, within one unit of work. It may run again with
    /// the same events, or with a part of them.
    ///
    /// # Errors
    /// A transient fault (away, too slow, lost a race, overloaded) is tried again until it succeeds; any other sets
    /// the one event that causes it aside, as a dead letter.
    fn apply(&self, tx: Tx, events: Vec<Event>) -> BoxFuture<'_, Result<(), Fault>>;

    /// Told that everything the topic's service committed before `at` in this partition has been applied.
    ///
    /// # Errors
    /// Is logged; the next watermark comes in 200 ms.
    fn watermark<'a>(&'a self, topic: &'a str, partition: u16, at: Timestamp) -> BoxFuture<'a, Result<(), Fault>> {
        let _ = (topic, partition, at);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Applies events outside of the database, as to a cache: what it awaits keeps no transaction open.
pub trait Follower: Send + Sync + 'static {
    /// Applies events of one tenant, in the order of their partition. It may run again with the same events, or with
    /// a part of them.
    ///
    /// # Errors
    /// As [`Consumer::apply`].
    fn follow(&self, tenant: TenantId, events: Vec<Event>) -> BoxFuture<'_, Result<(), Fault>>;

    /// As [`Consumer::watermark`].
    ///
    /// # Errors
    /// Is logged; the next watermark comes in 200 ms.
    fn watermark<'a>(&'a self, topic: &'a str, partition: u16, at: Timestamp) -> BoxFuture<'a, Result<(), Fault>>;

    /// Told that this instance stops in good order: all that it took of this partition has been applied.
    fn leave(&self, partition: u16) -> BoxFuture<'_, ()>;
}

/// Who applies the events of a group.
#[derive(Clone)]
enum Handler {
    Within(Arc<dyn Consumer>),
    Outside(Arc<dyn Follower>),
}

impl Handler {
    async fn apply(&self, database: &Database, tenant: TenantId, events: Arc<Vec<Known>>) -> Result<(), Fault> {
        match self {
            Self::Within(handler) => apply(database, handler, tenant, events).await,
            Self::Outside(handler) => {
                let subjects: BTreeSet<SubjectId> = events.iter().map(|known| known.subject).collect();
                let subjects: Vec<SubjectId> = subjects.into_iter().collect();
                // Who is erased after this look has an event of it later in the partition.
                let erased = database.read(tenant, |rx| async move { rx.is_entombed(&subjects).await }).await?;
                let events = among(&events, &erased);
                if events.is_empty() { Ok(()) } else { handler.follow(tenant, events).await }
            }
        }
    }

    async fn watermark(&self, topic: &str, partition: u16, at: Timestamp) -> Result<(), Fault> {
        match self {
            Self::Within(handler) => handler.watermark(topic, partition, at).await,
            Self::Outside(handler) => handler.watermark(topic, partition, at).await,
        }
    }
}

impl Database {
    /// Starts applying the events of topics, as a member of a group. Of all instances, one at a time works on a
    /// partition.
    pub fn consume(
        &self,
        platform: &Platform,
        bus: Arc<dyn Bus>,
        group: &'static str,
        topics: &[&'static str],
        handler: Arc<dyn Consumer>,
    ) {
        self.read_topics(platform, &bus, group, topics, &Handler::Within(handler));
    }

    /// Starts applying the events of topics outside of the database, as a member of a group.
    pub fn follow(
        &self,
        platform: &Platform,
        bus: Arc<dyn Bus>,
        group: &'static str,
        topics: &[&'static str],
        handler: Arc<dyn Follower>,
    ) {
        self.read_topics(platform, &bus, group, topics, &Handler::Outside(handler));
    }

    fn read_topics(
        &self,
        platform: &Platform,
        bus: &Arc<dyn Bus>,
        group: &'static str,
        topics: &[&'static str],
        handler: &Handler,
    ) {
        for &topic in topics {
            for partition in 0..PARTITIONS {
                let reader = Reader { database: self.clone(), handler: handler.clone(), group, topic, partition };
                let bus = Arc::clone(bus);
                let name = format!("{}.{group}.{topic}.{partition}", self.inner.service);
                platform.tasks.spawn(&name, OnFailure::Restart, move |stopping| {
                    let subscription = bus.subscribe(&lane(topic, group), partition, group);
                    reader.clone().run(subscription, stopping)
                });
            }
        }
    }
}

#[derive(Clone)]
struct Reader {
    database: Database,
    handler: Handler,
    group: &'static str,
    topic: &'static str,
    partition: u16,
}

/// An event and the ids it is known by.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) event: Event,
    pub(crate) id: EventId,
    pub(crate) tenant: TenantId,
    pub(crate) subject: SubjectId,
}

impl Known {
    /// Reads an event's ids; `None` where they are none.
    pub(crate) fn new(event: Event) -> Option<Self> {
        let (id, tenant, subject) =
            (event.event_id.parse().ok()?, event.tenant.parse().ok()?, event.subject_id.parse().ok()?);
        Some(Self { event, id, tenant, subject })
    }
}

impl Reader {
    async fn run(self, mut subscription: Box<dyn Subscription>, stopping: CancellationToken) -> Result<(), Fault> {
        loop {
            let deliveries = tokio::select! {
                deliveries = subscription.next(BATCH, WAIT) => deliveries,
                () = stopping.cancelled() => {
                    if let Handler::Outside(handler) = &self.handler {
                        handler.leave(self.partition).await;
                    }
                    subscription.leave().await;
                    return Ok(());
                }
            };
            let result = match deliveries {
                Ok(deliveries) => self.take(&deliveries, &mut *subscription, &stopping).await,
                Err(fault) => Err(fault),
            };
            if let Err(fault) = result {
                tracing::warn!(
                    group = self.group,
                    topic = self.topic,
                    partition = self.partition,
                    ?fault,
                    "consuming waits"
                );
                sleep(FIRST_PAUSE * 4).await;
            }
        }
    }

    async fn take(
        &self,
        deliveries: &[Delivery],
        subscription: &mut dyn Subscription,
        stopping: &CancellationToken,
    ) -> Result<(), Fault> {
        let Some(last) = deliveries.last() else { return Ok(()) };
        let mut tenants: Vec<(TenantId, Vec<Known>)> = Vec::new();
        let mut watermark = None;
        let mut count = 0;
        for delivery in deliveries {
            match read(&delivery.body) {
                Content::Event(known) => {
                    count += 1;
                    match tenants.iter_mut().find(|(tenant, _)| *tenant == known.tenant) {
                        Some((_, events)) => events.push(*known),
                        None => tenants.push((known.tenant, vec![*known])),
                    }
                }
                Content::Watermark(at) => watermark = Some(at),
                Content::Nothing => {}
                Content::Garbage => {
                    self.set_aside(Letter::unreadable(self.group, self.topic, &delivery.body), stopping).await?;
                }
            }
        }
        for (tenant, events) in tenants {
            self.apply(tenant, events, stopping).await?;
        }
        if let Some(at) = watermark
            && let Err(fault) = self.handler.watermark(self.topic, self.partition, at).await
        {
            tracing::debug!(group = self.group, topic = self.topic, ?fault, "a watermark was not taken");
        }
        self.database.inner.metrics.consumed(count);
        subscription.commit(last.id).await
    }

    /// Applies one tenant's events, in order. Where they cannot be applied together, halves them until the one that
    /// cannot be applied stands alone, and sets it aside.
    async fn apply(&self, tenant: TenantId, events: Vec<Known>, stopping: &CancellationToken) -> Result<(), Fault> {
        let mut parts = vec![events];
        while let Some(mut part) = parts.pop() {
            let part_of = Arc::new(std::mem::take(&mut part));
            let most = if part_of.len() > 1 { MOST_TOGETHER } else { u32::MAX };
            let result =
                patiently(stopping, most, || self.handler.apply(&self.database, tenant, Arc::clone(&part_of))).await;
            let Err(fault) = result else { continue };
            if stopping.is_cancelled() {
                return Err(fault);
            }
            let mut part = Arc::unwrap_or_clone(part_of);
            if let [only] = part.as_slice() {
                self.set_aside(Letter::of(self.group, self.topic, only, &fault), stopping).await?;
            } else {
                let rest = part.split_off(part.len() / 2);
                parts.push(rest);
                parts.push(part);
            }
        }
        Ok(())
    }

    async fn set_aside(&self, letter: Letter, stopping: &CancellationToken) -> Result<(), Fault> {
        tracing::error!(
            group = self.group,
            topic = self.topic,
            reason = letter.reason,
            "an event could not be applied and was set aside as a dead letter"
        );
        self.database.inner.metrics.dead_letter();
        patiently(stopping, u32::MAX, || self.database.keep_dead_letter(letter.clone())).await
    }
}

/// Tries again, `most` times in all, while the fault may pass and the process is not stopping.
async fn patiently<T, Fut>(stopping: &CancellationToken, most: u32, run: impl Fn() -> Fut) -> Result<T, Fault>
where
    Fut: Future<Output = Result<T, Fault>>,
{
    let (mut pause, mut runs) = (FIRST_PAUSE, 0);
    loop {
        runs += 1;
        match run().await {
            Err(fault) if runs < most && (fault.is_transient() || fault.kind() == Kind::Exhausted) => {
                tracing::warn!(?fault, ?pause, "events could not be applied for now; they are tried again");
                tokio::select! {
                    () = sleep(pause) => {}
                    () = stopping.cancelled() => return Err(fault),
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            other => return other,
        }
    }
}

/// Applies events in one unit, without those of erased subjects.
pub(crate) async fn apply(
    database: &Database,
    handler: &Arc<dyn Consumer>,
    tenant: TenantId,
    events: Arc<Vec<Known>>,
) -> Result<(), Fault> {
    let handler = Arc::clone(handler);
    let erases = events.iter().any(|known| matches!(known.event.payload, Some(Payload::SubjectErased(_))));
    let trace = events.first().map(|known| known.event.traceparent.clone()).unwrap_or_default();
    let unit = move |tx: Tx| {
        let (events, handler) = (Arc::clone(&events), Arc::clone(&handler));
        async move {
            let events = living(&tx, &events).await?;
            if events.is_empty() { Ok(()) } else { handler.apply(tx, events).await }
        }
    };
    // No erasure comes between looking for tombstones and the commit; and one that is told of is done under the lock
    // of its own from the start, for two that want more than they hold would wait for each other.
    let lock = Some(if erases { Lock::of_erasure(tenant) } else { Lock::against_erasure(tenant) });
    let write = database.unit(Terms { scope: Scope::Tenant(tenant), lock }, unit);
    if trace.is_empty() { write.await } else { telemetry::within(&trace, "consume", write).await }
}

pub(crate) async fn living(tx: &Tx, events: &[Known]) -> Result<Vec<Event>, Fault> {
    let subjects: BTreeSet<SubjectId> = events.iter().map(|known| known.subject).collect();
    let erased = tx.is_entombed(&subjects.into_iter().collect::<Vec<_>>()).await?;
    tx.consuming(&events.iter().map(|known| (known.id, known.subject)).collect::<Vec<_>>());
    Ok(among(events, &erased))
}

/// The events without those of erased subjects. What tells of the erasure itself still comes through.
fn among(events: &[Known], erased: &BTreeSet<SubjectId>) -> Vec<Event> {
    let lives = |known: &&Known| {
        !erased.contains(&known.subject) || matches!(known.event.payload, Some(Payload::SubjectErased(_)))
    };
    events.iter().filter(lives).map(|known| known.event.clone()).collect()
}

enum Content {
    Event(Box<Known>),
    Watermark(Timestamp),
    /// Its subject was erased while it had a position.
    Nothing,
    Garbage,
}

fn read(body: &[u8]) -> Content {
    if body.is_empty() {
        return Content::Nothing;
    }
    let Ok(event) = Event::decode(body) else { return Content::Garbage };
    if let Some(Payload::Watermark(watermark)) = &event.payload {
        let at = watermark.at.as_ref().and_then(|at| instant(at).ok());
        return at.map_or(Content::Garbage, Content::Watermark);
    }
    Known::new(event).map_or(Content::Garbage, |known| Content::Event(Box::new(known)))
}
