//! What this service publishes, and the one thing it consumes: its own events, to write the shared context.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use prost::Message as _;
use rapport_api::convert::{instant, money, timestamp};
use rapport_api::events::v1::event::Payload;
use rapport_api::events::v1::{
    AccountChanged, ContextAccount, ContextConsent, CustomerContext, Event, InteractionChanged, ProfileChanged,
    SubjectErased, SubjectLinked, TraitDefinitionChanged,
};
use rapport_cache::{Change, ChangeKind, ContextCache};
use rapport_data::{Follower, NewEvent};
use rapport_kernel::{CustomerId, Fault, SubjectId, TenantId, Timestamp};

use crate::convert::value::{party_message, value_message};
use crate::domain::account::{Account, AccountId, Membership};
use crate::domain::claims::ConsentState;
use crate::domain::declared::TraitDefinition;
use crate::domain::interaction::Interaction;
use crate::domain::profile::Profile;
use crate::store::link::Link;

/// The group that writes the shared context.
pub const CONTEXT_GROUP: &str = "context";
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
        valid_until: None,
        create_time: Some(timestamp(profile.created_at)),
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
    let changed = ProfileChanged { context: Some(context(profile)), merged_into: String::new() };
    of_profile(profile.customer, profile.revision, at, changed)
}

/// A customer id was merged away.
#[must_use]
pub fn merged_away(id: CustomerId, to: CustomerId, revision: u64, at: Timestamp) -> NewEvent {
    of_profile(id, revision, at, ProfileChanged { context: None, merged_into: to.to_string() })
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

/// A trait was declared. It is about nobody: the tenant's id stands for the subject.
#[must_use]
pub fn trait_definition_changed(tenant: TenantId, definition: &TraitDefinition) -> NewEvent {
    NewEvent {
        subject: SubjectId::from_uuid(tenant.uuid()),
        aggregate: "trait_definition",
        aggregate_id: definition.name.clone(),
        revision: 1,
        occurred_at: definition.created_at,
        payload: Payload::TraitDefinitionChanged(TraitDefinitionChanged {
            metric_dimension: definition.metric_dimension,
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
        | Payload::Watermark(_) => return None,
    };
    Some(Change { tenant, customer, revision, recorded_at, kind })
}

/// The consumer, for [`rapport_data::Database::follow`].
#[must_use]
pub fn write_context<T: Send + Sync + 'static>(cache: ContextCache<T>) -> Arc<dyn Follower> {
    Arc::new(WriteContext(cache))
}
