//! What this service follows: its own events, to write the shared context, to derive customers anew and to infer the
//! channels they are met on; and feedback's, for scores.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use prost::Message as _;
use rapport_api::convert::instant;
use rapport_api::events::v1::event::Payload;
use rapport_api::events::v1::{
    Event, Measure, ProfileChanged, ResponseChanged, SegmentFlip, TextReading, TicketChanged,
};
use rapport_cache::{Change, ChangeKind, ContextCache};
use rapport_data::Follower;
use rapport_kernel::{CustomerId, EventId, Fault, SubjectId, TenantId, Timestamp};

use crate::domain::derived::{Flip, Scale};
use crate::domain::memory::{Item, Matter, Source};
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
        Some(Flip { segment, entered: flip.entered, at, founding: flip.founding, since: at, undone: false })
    };
    let flips = changed.segment_flips.iter().filter_map(flip).collect();
    Some((event.event_id.parse().ok()?, event.aggregate_id.parse().ok()?, flips))
}

/// What an event tells that is remembered of its subject.
fn item(event: &Event, source: Source, sentiment: Option<f64>, matter: Matter) -> Option<Item> {
    let speaks = sentiment.is_some() || matter != Matter::None;
    // Nothing of it is held that this could take back.
    if event.revision == 1 && !speaks {
        return None;
    }
    Some(Item {
        id: event.aggregate_id.parse().ok()?,
        subject: event.subject_id.parse().ok()?,
        revision: event.revision,
        at: event.occurred_at.as_ref().and_then(|at| instant(at).ok())?,
        source,
        sentiment,
        matter,
    })
}

fn sentiment(reading: &Option<TextReading>, counts: bool) -> Option<f64> {
    reading.as_ref().filter(|_| counts).and_then(|reading| reading.sentiment).filter(|sentiment| sentiment.is_finite())
}

/// The scale of a response's score: that of the figure among its measures.
fn scale(changed: &ResponseChanged) -> Scale {
    let score = |measure: &&Measure| Some(measure.value) == changed.score;
    let own = changed.measures.iter().filter(|measure| measure.kind == changed.kind).find(score);
    let measure = own.or_else(|| changed.measures.iter().find(score));
    measure.map_or_else(Scale::default, |measure| Scale {
        min: measure.scale_min,
        max: measure.scale_max,
        reversed: measure.reversed,
    })
}

/// What of a ticket stands open.
fn open_ticket(changed: &TicketChanged) -> Matter {
    match (changed.status.as_str(), changed.kind.as_str()) {
        _ if changed.deleted => Matter::None,
        ("solved" | "closed", _) => Matter::None,
        (_, "complaint" | "claim") => Matter::Complaint,
        _ => Matter::Ticket,
    }
}

fn tell(told: &mut Told, mut event: Event) {
    let Ok(subject) = event.subject_id.parse::<SubjectId>() else { return };
    match event.payload.take() {
        Some(Payload::InteractionChanged(changed)) => {
            // What it was before a newer version, or its deletion, is not told: it may have been anything.
            let kind = (event.revision == 1 && !changed.deleted).then_some(changed.r#type);
            told.happened.push((subject, kind));
        }
        Some(Payload::ResponseChanged(changed)) if !changed.anonymous => {
            let at = event.occurred_at.as_ref().and_then(|at| instant(at).ok());
            let (Ok(response), Some(at)) = (event.aggregate_id.parse(), at) else { return };
            let counts = !changed.deleted && changed.complete && !changed.is_test && !changed.kind.is_empty();
            told.remembered.extend(item(&event, Source::Survey, sentiment(&changed.reading, counts), Matter::None));
            let score = changed.score.filter(|_| counts).map(|score| (changed.kind.clone(), score, scale(&changed)));
            told.scored.push(Given { subject, response, score, at, revision: event.revision });
        }
        Some(Payload::TicketChanged(changed)) => {
            let sentiment = sentiment(&changed.reading, !changed.deleted);
            told.remembered.extend(item(&event, Source::Ticket, sentiment, open_ticket(&changed)));
        }
        Some(Payload::MentionChanged(changed)) if !changed.anonymous => {
            let source = if changed.kind == "chat" { Source::Chat } else { Source::Mention };
            let sentiment = sentiment(&changed.reading, !changed.deleted);
            told.remembered.extend(item(&event, source, sentiment, Matter::None));
        }
        Some(Payload::FollowUpChanged(changed)) => {
            let open = !changed.deleted && matches!(changed.status.as_str(), "open" | "in_progress");
            let matter = if open { Matter::FollowUp } else { Matter::None };
            told.remembered.extend(item(&event, Source::Silent, None, matter));
        }
        Some(Payload::PromiseChanged(changed)) => {
            // One that was broken is made good by being kept late.
            let late = changed.resolve_time.as_ref().zip(changed.due_time.as_ref());
            let made_good = late.is_some_and(|(done, due)| (done.seconds, done.nanos) > (due.seconds, due.nanos));
            let broken = !changed.deleted && changed.status == "broken" && !made_good;
            let matter = if broken { Matter::BrokenPromise } else { Matter::None };
            told.remembered.extend(item(&event, Source::Silent, None, matter));
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
