//! What this service follows: its own events, to write the shared context, to derive customers anew and to infer the
//! channels they are met on; and feedback's, for scores.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use prost::Message as _;
use rapport_api::convert::instant;
use rapport_api::events::v1::event::Payload;
use rapport_api::events::v1::{Event, ProfileChanged, SegmentFlip};
use rapport_cache::{Change, ChangeKind, ContextCache};
use rapport_data::Follower;
use rapport_kernel::{CustomerId, EventId, Fault, SubjectId, TenantId, Timestamp};

use crate::domain::derived::Flip;
use crate::service::Profiles;
use crate::service::channels::Meeting;
use crate::service::follow::Told;
use crate::store::score::Given;

/// A revision above all others, and still exact as a number of a script in Redis.
const ERASED: u64 = (1 << 53) - 1;

/// The subject of an interaction that was recorded, corrected or deleted.
fn met_subject(event: &Event) -> Option<SubjectId> {
    matches!(event.payload, Some(Payload::InteractionChanged(_))).then(|| event.subject_id.parse().ok()).flatten()
}

/// Writes the shared context from this service's own events. The cache guards itself by revision, so that a repetition
/// does no harm; and it is no part of any unit of work, for it may be slow.
pub struct WriteContext<T>(pub ContextCache<T>);

impl<T: Send + Sync + 'static> Follower for WriteContext<T> {
    fn follow(&self, tenant: TenantId, events: Vec<Event>) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            let changes: Vec<Change> = events.into_iter().filter_map(|event| change(tenant, event)).collect();
            self.0.apply(&changes).await;
            Ok(())
        })
    }

    fn watermark<'a>(&'a self, _: &'a str, partition: u16, at: Timestamp) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            self.0.set_watermark(partition, at).await;
            Ok(())
        })
    }

    fn leave(&self, partition: u16) -> BoxFuture<'_, ()> {
        Box::pin(self.0.release(partition))
    }
}

fn change(tenant: TenantId, event: Event) -> Option<Change> {
    let customer: CustomerId = event.subject_id.parse().ok()?;
    let recorded_at = event.recorded_at.as_ref().and_then(|at| instant(at).ok())?;
    let (revision, kind) = match event.payload? {
        Payload::ProfileChanged(ProfileChanged { context: Some(context), .. }) => {
            let valid_until = context.valid_until.as_ref().and_then(|at| instant(at).ok()).unwrap_or(Timestamp::MAX);
            (event.revision, ChangeKind::Put { valid_until, body: Bytes::from(context.encode_to_vec()) })
        }
        Payload::ProfileChanged(_) => (event.revision, ChangeKind::Remove),
        // Nothing of an erased customer may come back, whatever its revision was.
        Payload::SubjectErased(_) => (ERASED, ChangeKind::Remove),
        Payload::SubjectLinked(_)
        | Payload::InteractionChanged(_)
        | Payload::ResponseChanged(_)
        | Payload::DecisionMade(_)
        | Payload::TraitDefinitionChanged(_)
        | Payload::AccountChanged(_)
        | Payload::SegmentChanged(_)
        | Payload::PersonaChanged(_)
        | Payload::CatalogueEntryChanged(_)
        | Payload::TenantSettingsChanged(_)
        | Payload::TicketChanged(_)
        | Payload::MentionChanged(_)
        | Payload::FollowUpChanged(_)
        | Payload::InvitationChanged(_)
        | Payload::PromiseChanged(_)
        | Payload::ImprovementChanged(_)
        | Payload::Watermark(_) => return None,
    };
    Some(Change { tenant, customer, revision, recorded_at, kind })
}

/// Derives customers anew as interactions and scores are told.
pub struct Derive(pub Profiles);

impl Follower for Derive {
    fn follow(&self, tenant: TenantId, events: Vec<Event>) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            let mut told = Told::default();
            for event in events {
                tell(&mut told, event);
            }
            self.0.follow(tenant, told).await
        })
    }

    fn watermark<'a>(&'a self, _: &'a str, _: u16, _: Timestamp) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn leave(&self, _: u16) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// An event's id, the customer it is about, and the segments that entered or left by it.
#[must_use]
pub fn flips(event: &Event) -> Option<(EventId, CustomerId, Vec<Flip>)> {
    let Some(Payload::ProfileChanged(changed)) = &event.payload else { return None };
    let flip = |flip: &SegmentFlip| {
        let (segment, at) = (flip.segment_id.parse().ok()?, instant(flip.at.as_ref()?).ok()?);
        Some(Flip { segment, entered: flip.entered, at, founding: flip.founding })
    };
    let flips = changed.segment_flips.iter().filter_map(flip).collect();
    Some((event.event_id.parse().ok()?, event.aggregate_id.parse().ok()?, flips))
}

fn tell(told: &mut Told, event: Event) {
    let Ok(subject) = event.subject_id.parse::<SubjectId>() else { return };
    match event.payload {
        Some(Payload::InteractionChanged(changed)) => {
            // What it was before a newer version, or its deletion, is not told: it may have been anything.
            let kind = (event.revision == 1 && !changed.deleted).then_some(changed.r#type);
            told.happened.push((subject, kind));
        }
        Some(Payload::ResponseChanged(changed)) if !changed.anonymous => {
            let at = event.occurred_at.as_ref().and_then(|at| instant(at).ok());
            let (Ok(response), Some(at)) = (event.aggregate_id.parse(), at) else { return };
            let counts = !changed.deleted && !changed.is_test && !changed.kind.is_empty();
            let score = changed.score.filter(|_| counts).map(|score| (changed.kind, score));
            told.scored.push(Given { subject, response, score, at, revision: event.revision });
        }
        Some(Payload::SubjectLinked(linked)) if !linked.from_customer_id.is_empty() => told.moved.push(subject),
        _ => {}
    }
}

/// The consumer, for [`rapport_data::Database::follow`].
#[must_use]
pub fn write_context<T: Send + Sync + 'static>(cache: ContextCache<T>) -> Arc<dyn Follower> {
    Arc::new(WriteContext(cache))
}

impl Follower for Meeting {
    fn follow(&self, tenant: TenantId, events: Vec<Event>) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move { self.look_at(tenant, events.iter().filter_map(met_subject).collect()).await })
    }

    fn watermark<'a>(&'a self, _: &'a str, _: u16, _: Timestamp) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn leave(&self, _: u16) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
