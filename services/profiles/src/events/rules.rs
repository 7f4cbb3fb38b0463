//! What is told of a tenant's own: trait definitions, settings, segments, personas, accounts, the catalogue.

use rapport_api::convert::money;
use rapport_api::events::v1::event::Payload;
use rapport_api::events::v1::{
    AccountChanged, CatalogueEntryChanged, PersonaChanged, SegmentChanged, TenantSettingsChanged,
    TraitDefinitionChanged,
};
use rapport_data::NewEvent;
use rapport_kernel::{SubjectId, TenantId, Timestamp};

use crate::convert::value::value_message;
use crate::domain::account::{Account, AccountId};
use crate::domain::catalogue::{Details, Entry};
use crate::domain::persona::Persona;
use crate::domain::segment::{Segment, SegmentId};
use crate::domain::settings::Settings;
use crate::store::catalogue_entry::Row;
use crate::store::trait_definition::Version;

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
            retired: persona.retired_at.is_some(),
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
