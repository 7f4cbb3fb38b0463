//! What this service publishes of customers and interactions; beside it what it publishes of a tenant's own rules, and
//! what it follows.

mod follow;
mod rules;

use rapport_api::convert::{instant, money, timestamp};
use rapport_api::events::v1::event::Payload;
use rapport_api::events::v1::{
    ContextAccount, ContextConsent, ContextFeedback, ContextFlag, ContextPreferences, ContextScore, ContextSegment,
    CustomerContext, Event, InteractionChanged, ProfileChanged, SegmentFlip, SubjectErased, SubjectLinked,
};
use rapport_data::NewEvent;
use rapport_kernel::{CustomerId, SubjectId, Timestamp};

use crate::convert::standing;
use crate::convert::value::{party_message, value_message};
use crate::domain::account::Membership;
use crate::domain::claims::ConsentState;
use crate::domain::derived::{Flip, Score};
use crate::domain::interaction::{Interaction, Tombstone};
use crate::domain::memory::Memory;
use crate::domain::profile::{InSegment, Profile};
use crate::domain::segment::SegmentId;
use crate::domain::standing::{Flagging, Preference};
use crate::domain::value::Number;
use crate::store::link::Link;

pub use follow::{Derive, WriteContext, flips, write_context};
pub use rules::{
    account_changed, catalogue_entry_changed, persona_changed, segment_changed, tenant_settings_changed,
    trait_definition_changed,
};

/// The group that writes the shared context.
pub const CONTEXT_GROUP: &str = "context";
/// The group that derives what follows from interactions and scores.
pub const DERIVE_GROUP: &str = "derive";
/// The topic of feedback, which tells of scores.
pub const FEEDBACK: &str = "feedback";
/// The group of feedback that asks customers after what happened.
pub const ASKING_GROUP: &str = "asking";
/// The group that infers what customers prefer.
pub const CHANNELS_GROUP: &str = "channels";
/// The topic of this service.
pub const TOPIC: &str = "profiles";

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
        feedback: Some(feedback(&profile.derived.memory)),
        persona: profile.persona.as_ref().map(|has| has.persona.to_string()).unwrap_or_default(),
        accounts: profile.accounts.iter().map(|(membership, _)| context_account(membership)).collect(),
        identifier_namespaces: namespaces(profile),
    }
}

/// The namespaces of a customer's identifiers, each once.
fn namespaces(profile: &Profile) -> Vec<String> {
    let mut names: Vec<String> = profile.identifiers.iter().map(|(it, _)| it.namespace.to_string()).collect();
    names.dedup();
    names
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
    ContextScore {
        kind: kind.clone(),
        score: score.score,
        time: Some(timestamp(score.at)),
        scale_min: score.scale.min,
        scale_max: score.scale.max,
        reversed: score.scale.reversed,
    }
}

fn feedback(memory: &Memory) -> ContextFeedback {
    let mood = memory.mood.as_ref();
    ContextFeedback {
        sentiment: mood.map(|mood| mood.value.get()),
        sentiment_trend: mood.and_then(|mood| mood.trend).map(Number::get),
        texts: mood.map_or(0, |mood| mood.texts),
        last_text_time: mood.map(|mood| timestamp(mood.last_at)),
        open_tickets: memory.open_tickets,
        open_complaints: memory.open_complaints,
        open_follow_ups: memory.open_follow_ups,
        broken_promises: memory.broken_promises,
    }
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

/// The customer whose profile changed, the revision reached, what happened, and when.
pub type ProfileChange = (CustomerId, u64, Happened, Timestamp);

/// Of an event that tells of a profile: of whose, at which revision, what happened, and when.
#[must_use]
pub fn of_profile_change(event: &Event) -> Option<ProfileChange> {
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
        to_customer_revision: link.profile_revision,
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
