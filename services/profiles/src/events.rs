//! What this service publishes, and the one thing it consumes: its own events, to write the shared context.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use prost::Message as _;
use rapport_api::convert::{instant, money, timestamp};
use rapport_api::events::v1::event::Payload;
use rapport_api::events::v1::{
    AccountChanged, CatalogueEntryChanged, ContextAccount, ContextConsent, ContextFlag, ContextPreferences,
    ContextScore, ContextSegment, CustomerContext, Event, InteractionChanged, PersonaChanged, ProfileChanged,
    SegmentChanged, SegmentFlip, SubjectErased, SubjectLinked, TenantSettingsChanged, TraitDefinitionChanged,
};
use rapport_cache::{Change, ChangeKind, ContextCache};
use rapport_data::{Follower, NewEvent};
use rapport_kernel::{CustomerId, EventId, Fault, SubjectId, TenantId, Timestamp};

use crate::convert::standing;
use crate::convert::value::{party_message, value_message};
use crate::domain::account::{Account, AccountId, Membership};
use crate::domain::catalogue::{Details, Entry};
use crate::domain::claims::ConsentState;
use crate::domain::derived::{Flip, Score};
use crate::domain::interaction::{Interaction, Tombstone};
use crate::domain::persona::Persona;
use crate::domain::profile::{InSegment, Profile};
use crate::domain::segment::{Segment, SegmentId};
use crate::domain::settings::Settings;
use crate::domain::standing::{Flagging, Preference};
use crate::domain::value::Number;
use crate::service::Profiles;
use crate::service::follow::Told;
use crate::store::catalogue_entry::Row;
use crate::store::link::Link;
use crate::store::score::Given;
use crate::store::trait_definition::Version;

/// The group that writes the shared context.
pub const CONTEXT_GROUP: &str = "context";
/// The group that derives what follows from interactions and scores.
pub const DERIVE_GROUP: &str = "derive";
/// The topic of feedback, which tells of scores.
pub const FEEDBACK: &str = "feedback";
/// The group that infers what customers prefer.
pub const CHANNELS_GROUP: &str = "channels";
/// The topic of this service.
pub const TOPIC: &str = "profiles";

/// A revision above all others, and still exact as a number of a script in Redis.
const ERASED: u64 = (1 << 53) - 1;

/// A profile as decisions need it.
#[must_use]
pub fn context(profile: &Profile) -> CustomerContext {
    let consent = |(purpose, channel, state): (&String, &String, ConsentState)| ContextConsent {
        purpose: purpose.clone(),
        channel: channel.clone(),
        granted: state == ConsentState::Granted,
    };
    let consents = profile.consents.iter().map(|held| (&held.purpose, &held.channel, held.decided_by.state));
    CustomerContext {
        customer_id: profile.customer.to_string(),
        revision: profile.revision,
        party: party_message(profile.party).into(),
        traits: profile.traits.iter().map(|(name, held)| (name.clone(), value_message(&held.value))).collect(),
        consents: consents.map(consent).collect(),
        subject_ids: profile.records.iter().map(|(subject, ..)| subject.to_string()).collect(),
        valid_until: profile.valid_until().map(timestamp),
        create_time: Some(timestamp(profile.created_at)),
        restrictions: profile.objections.keys().map(|kind| standing::processing_message(*kind).into()).collect(),
        preferences: preferences(profile),
        flags: profile.flags.iter().map(|(name, (held, _))| flag(name, held)).collect(),
        segments: profile.segments.iter().map(segment).collect(),
        lifecycle_stage: profile.derived.stage.clone(),
        scores: profile.derived.scores.iter().map(score).collect(),
        persona: profile.persona.as_ref().map(|has| has.persona.to_string()).unwrap_or_default(),
        accounts: profile.accounts.iter().map(|(membership, _)| context_account(membership)).collect(),
    }
}

fn context_account(membership: &Membership) -> ContextAccount {
    ContextAccount {
        account_id: membership.account.to_string(),
        kind: membership.kind.name().to_owned(),
        role: membership.role.clone(),
    }
}

fn segment(held: &InSegment) -> ContextSegment {
    ContextSegment {
        segment_id: held.id.to_string(),
        name: held.name.clone(),
        enter_time: Some(timestamp(held.entered_at)),
    }
}

fn score((kind, score): (&String, &Score)) -> ContextScore {
    ContextScore { kind: kind.clone(), score: score.score, time: Some(timestamp(score.at)) }
}

fn flag(name: &str, held: &Flagging) -> ContextFlag {
    ContextFlag { name: name.to_owned(), expire_time: held.until.and_then(standing::end) }
}

fn preferences(profile: &Profile) -> Option<ContextPreferences> {
    if profile.preferences.is_empty() && profile.inferred_channels.is_empty() {
        return None;
    }
    let held = standing::chosen(|preference: Preference| profile.preferences.get(&preference).map(|(said, _)| said));
    Some(ContextPreferences {
        language: held.language,
        zone: held.zone,
        preferred_channels: held.preferred_channels,
        quiet_hours: held.quiet_hours,
        tone: held.tone,
        accessibility_needs: held.accessibility_needs,
        inferred_channels: profile.inferred_channels.iter().map(|it| it.channel.clone()).collect(),
    })
}

/// The ids of a profile, as what needs no more of it is told.
#[must_use]
pub fn context_ids(profile: &Profile) -> CustomerContext {
    CustomerContext {
        customer_id: profile.customer.to_string(),
        revision: profile.revision,
        subject_ids: profile.records.iter().map(|(subject, ..)| subject.to_string()).collect(),
        ..CustomerContext::default()
    }
}

/// A profile has a new state.
#[must_use]
pub fn profile_changed(profile: &Profile, at: Timestamp) -> NewEvent {
    profile_flipped(profile, &[], at)
}

/// A profile has a new state, by which it entered and left segments.
#[must_use]
pub fn profile_flipped(profile: &Profile, flips: &[Flip], at: Timestamp) -> NewEvent {
    let flip = |flip: &Flip| SegmentFlip {
        segment_id: flip.segment.to_string(),
        entered: flip.entered,
        at: Some(timestamp(flip.at)),
        founding: flip.founding,
    };
    let (context, segment_flips) = (Some(Box::new(context(profile))), flips.iter().map(flip).collect());
    let changed = ProfileChanged { context, segment_flips, ..ProfileChanged::default() };
    of_profile(profile.customer, profile.revision, at, changed)
}

/// A customer id was merged away by a revision at an instant, and left the segments it was in.
#[must_use]
pub fn merged_away(id: CustomerId, to: CustomerId, (revision, at): (u64, Timestamp), left: &[SegmentId]) -> NewEvent {
    let flip = |segment: &SegmentId| SegmentFlip {
        segment_id: segment.to_string(),
        entered: false,
        at: Some(timestamp(at)),
        founding: false,
    };
    let segment_flips = left.iter().map(flip).collect();
    of_profile(id, revision, at, ProfileChanged { context: None, merged_into: to.to_string(), segment_flips })
}

fn of_profile(id: CustomerId, revision: u64, occurred_at: Timestamp, changed: ProfileChanged) -> NewEvent {
    let payload = Payload::ProfileChanged(changed);
    NewEvent { subject: id, aggregate: "profile", aggregate_id: id.to_string(), revision, occurred_at, payload }
}

/// What happened to a profile, as an event of this service tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// It is new, or has another state.
    Changed,
    /// It was merged away into another.
    Merged(String),
    /// Its record was erased.
    Erased,
}

/// Of an event that tells of a profile: of whose, at which revision, what happened, and when.
#[must_use]
pub fn of_profile_change(event: &Event) -> Option<(CustomerId, u64, Happened, Timestamp)> {
    let customer = event.subject_id.parse().ok()?;
    let at = event.recorded_at.as_ref().and_then(|at| instant(at).ok())?;
    match event.payload.as_ref()? {
        Payload::ProfileChanged(changed) if changed.context.is_some() => {
            Some((customer, event.revision, Happened::Changed, at))
        }
        Payload::ProfileChanged(changed) => {
            Some((customer, event.revision, Happened::Merged(changed.merged_into.clone()), at))
        }
        Payload::SubjectErased(_) => Some((customer, 0, Happened::Erased, at)),
        _ => None,
    }
}

/// A subject belongs to another customer.
#[must_use]
pub fn subject_linked(from: Option<CustomerId>, link: &Link) -> NewEvent {
    let linked = SubjectLinked {
        from_customer_id: from.map(|from| from.to_string()).unwrap_or_default(),
        to_customer_id: link.customer.to_string(),
    };
    NewEvent {
        subject: link.subject,
        aggregate: "link",
        aggregate_id: link.subject.to_string(),
        revision: link.revision,
        occurred_at: link.started_at,
        payload: Payload::SubjectLinked(linked),
    }
}

/// An interaction is new, or a newer version of it was told.
#[must_use]
pub fn interaction_changed(interaction: &Interaction) -> NewEvent {
    let content = &interaction.content;
    let changed = InteractionChanged {
        deleted: false,
        r#type: content.kind.clone(),
        channel: content.channel.clone(),
        touchpoint: content.touchpoint.clone(),
        stage: content.stage.clone(),
        product: content.product.clone(),
        value: content.value.map(money),
        dimensions: interaction.dimensions.clone(),
        party: party_message(interaction.party).into(),
        sentiment: content.details.sentiment.map(Number::get),
        emotions: content.details.emotions.iter().map(|(name, of)| (name.clone(), of.get())).collect(),
        campaign: content.details.campaign.clone(),
    };
    NewEvent {
        subject: interaction.subject,
        aggregate: "interaction",
        aggregate_id: interaction.id.to_string(),
        revision: interaction.revision,
        occurred_at: content.occurred_at,
        payload: Payload::InteractionChanged(changed),
    }
}

/// An interaction was deleted; `None` where it never stood on the timeline, so that nobody knows of it.
#[must_use]
pub fn interaction_deleted(tombstone: &Tombstone) -> Option<NewEvent> {
    let (subject, occurred_at) = tombstone.subject.zip(tombstone.occurred_at)?;
    Some(NewEvent {
        subject,
        aggregate: "interaction",
        aggregate_id: tombstone.id.to_string(),
        revision: tombstone.revision,
        occurred_at,
        payload: Payload::InteractionChanged(InteractionChanged { deleted: true, ..InteractionChanged::default() }),
    })
}

/// A trait was declared, or its declaration changed or taken back. It is about nobody: the tenant's id stands for the
/// subject.
#[must_use]
pub fn trait_definition_changed(tenant: TenantId, version: &Version) -> NewEvent {
    let (definition, deleted) = (&version.definition, version.deleted);
    let metric_dimension = definition.metric_dimension && !deleted;
    NewEvent {
        subject: SubjectId::from_uuid(tenant.uuid()),
        aggregate: "trait_definition",
        aggregate_id: definition.name.clone(),
        revision: definition.revision,
        occurred_at: definition.updated_at,
        payload: Payload::TraitDefinitionChanged(TraitDefinitionChanged { metric_dimension, deleted }),
    }
}

/// A tenant's settings changed.
#[must_use]
pub fn tenant_settings_changed(tenant: TenantId, settings: &Settings) -> NewEvent {
    let changed = TenantSettingsChanged {
        zone: settings.zone.clone(),
        languages: settings.languages.clone(),
        week_start: settings.week_start.max(1).into(),
        currency: settings.currency.clone(),
        suppression_threshold: settings.suppression_threshold,
    };
    NewEvent {
        subject: SubjectId::from_uuid(tenant.uuid()),
        aggregate: "tenant_settings",
        aggregate_id: tenant.to_string(),
        revision: settings.revision,
        occurred_at: settings.updated_at.unwrap_or(Timestamp::MIN),
        payload: Payload::TenantSettingsChanged(changed),
    }
}

/// A segment is new or has a new state, or is no more (`None`), by a revision at an instant. It is about nobody.
#[must_use]
pub fn segment_changed(
    tenant: TenantId,
    id: SegmentId,
    segment: Option<&Segment>,
    (revision, at): (u64, Timestamp),
) -> NewEvent {
    let name = segment.map(|segment| segment.draft.name.clone()).unwrap_or_default();
    NewEvent {
        subject: SubjectId::from_uuid(tenant.uuid()),
        aggregate: "segment",
        aggregate_id: id.to_string(),
        revision,
        occurred_at: at,
        payload: Payload::SegmentChanged(SegmentChanged { deleted: segment.is_none(), name }),
    }
}

/// A persona was found, or has another name. It is about nobody: the tenant's id stands for the subject.
#[must_use]
pub fn persona_changed(tenant: TenantId, persona: &Persona) -> NewEvent {
    NewEvent {
        subject: SubjectId::from_uuid(tenant.uuid()),
        aggregate: "persona",
        aggregate_id: persona.id.to_string(),
        revision: persona.revision,
        occurred_at: persona.updated_at,
        payload: Payload::PersonaChanged(PersonaChanged {
            persona_set_id: persona.set.to_string(),
            name: persona.name.clone(),
        }),
    }
}

/// An account has a new state; `None`: it was deleted.
#[must_use]
pub fn account_changed(id: AccountId, revision: u64, at: Timestamp, account: Option<&Account>) -> NewEvent {
    let told = |account: &Account| AccountChanged {
        deleted: false,
        kind: account.kind.name().to_owned(),
        name: account.name.clone(),
        traits: account.traits.iter().map(|(name, value)| (name.clone(), value_message(value))).collect(),
    };
    let deleted = || AccountChanged { deleted: true, ..AccountChanged::default() };
    NewEvent {
        subject: SubjectId::from_uuid(id.uuid()),
        aggregate: "account",
        aggregate_id: id.to_string(),
        revision,
        occurred_at: at,
        payload: Payload::AccountChanged(account.map_or_else(deleted, told)),
    }
}

/// An entry of the catalogue was added, changed or deleted. As a trait, it is about nobody.
#[must_use]
pub fn catalogue_entry_changed(tenant: TenantId, row: &Row) -> NewEvent {
    let (kind, name, revision, at) = match row {
        Row::Live(entry) => (entry.kind(), &entry.name, entry.revision, entry.updated_at.unwrap_or(Timestamp::MIN)),
        Row::Deleted(kind, name, revision, at) => (*kind, name, *revision, *at),
    };
    let (kind, name) = (kind.name().to_owned(), name.clone());
    let aggregate_id = format!("{kind}/{name}");
    let changed = match row {
        Row::Deleted(..) => CatalogueEntryChanged { deleted: true, kind, name, ..CatalogueEntryChanged::default() },
        Row::Live(entry) => CatalogueEntryChanged { kind, name, ..entry_state(entry) },
    };
    NewEvent {
        subject: SubjectId::from_uuid(tenant.uuid()),
        aggregate: "catalogue_entry",
        aggregate_id,
        revision,
        occurred_at: at,
        payload: Payload::CatalogueEntryChanged(changed),
    }
}

fn entry_state(entry: &Entry) -> CatalogueEntryChanged {
    let mut state = CatalogueEntryChanged { display_name: entry.body.display_name.clone(), ..Default::default() };
    match &entry.body.details {
        Details::Source { trust, .. } => state.trust = i32::from(*trust),
        Details::Channel { staffed } => state.staffed = *staffed,
        Details::Touchpoint { channel, stage } => {
            state.channel.clone_from(channel);
            state.stage.clone_from(stage);
        }
        Details::Stage { position } => state.position = *position,
        Details::EventType(schema) => {
            let attributes = schema.attributes.iter();
            state.attributes = attributes.clone().map(|(name, of)| (name.clone(), of.kind.name().to_owned())).collect();
            let required = attributes.filter(|(_, of)| of.required).map(|(name, _)| name.clone());
            state.required_attributes = required.collect();
            state.strict = schema.strict;
        }
        Details::Product { category, price } => {
            state.category.clone_from(category);
            state.price = price.map(money);
        }
    }
    state
}

/// A subject was erased.
#[must_use]
pub fn subject_erased(subject: SubjectId, erasure: &str, at: Timestamp) -> NewEvent {
    NewEvent {
        subject,
        aggregate: "subject",
        aggregate_id: subject.to_string(),
        revision: 1,
        occurred_at: at,
        payload: Payload::SubjectErased(SubjectErased { erasure_id: erasure.to_owned() }),
    }
}

/// The subject of an interaction that was recorded, corrected or deleted.
#[must_use]
pub fn met_subject(event: &Event) -> Option<SubjectId> {
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
            let score = (!changed.deleted && !changed.kind.is_empty()).then_some((changed.kind, changed.score));
            told.scored.push(Given { subject, response, score, at, revision: event.revision });
        }
        _ => {}
    }
}

/// The consumer, for [`rapport_data::Database::follow`].
#[must_use]
pub fn write_context<T: Send + Sync + 'static>(cache: ContextCache<T>) -> Arc<dyn Follower> {
    Arc::new(WriteContext(cache))
}
