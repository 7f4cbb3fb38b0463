//! Trait definitions.

use rapport_api::convert::timestamp;
use rapport_api::profiles::v1 as message;
use rapport_kernel::{Fault, Timestamp, Violations, page_size};

use super::profile::etag;
use super::{add, computed, mask, revision};
use crate::domain::computed::Recipe;
use crate::domain::declared::{PiiClass, TraitDefinition};
use crate::domain::survivorship::Survivorship;
use crate::domain::value::TraitType;
use crate::service::declared::{Change, Updating};

/// A trait to declare.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn create(message: &message::CreateTraitDefinitionRequest) -> Result<TraitDefinition, Fault> {
    let mut out = rapport_api::check(message);
    let given = message.trait_definition.clone().unwrap_or_default();
    let kind = trait_type(given.r#type());
    if kind.is_none() {
        add(&mut out, "trait_definition.type", "required", "must be set");
    }
    check_sources(&given, &mut out);
    let recipe = recipe(&given, &mut out);
    let definition = kind.map(|kind| read(given, kind, recipe));
    for (field, rule, text) in definition.iter().flat_map(TraitDefinition::refusals) {
        add(&mut out, &format!("trait_definition.{field}"), rule, text);
    }
    out.check()?;
    definition.ok_or_else(|| Fault::invalid_field("trait_definition.type", "required", "must be set"))
}

fn check_sources(given: &message::TraitDefinition, out: &mut Violations) {
    let sources = &given.trusted_sources;
    for (at, _) in sources.iter().enumerate().filter(|(at, source)| sources[..*at].contains(source)) {
        let field = format!("trait_definition.trusted_sources[{at}]");
        add(out, &field, "repeated.unique", "must not be named twice");
    }
}

fn recipe(given: &message::TraitDefinition, out: &mut Violations) -> Option<Recipe> {
    computed::recipe(given.computed.as_ref()?, "trait_definition.computed", out)
}

fn read(given: message::TraitDefinition, kind: TraitType, computed: Option<Recipe>) -> TraitDefinition {
    let survivorship = match given.survivorship() {
        message::Survivorship::Unspecified | message::Survivorship::Latest => Survivorship::Latest,
        message::Survivorship::MostTrusted => Survivorship::MostTrusted,
        message::Survivorship::First => Survivorship::First,
        message::Survivorship::Max => Survivorship::Max,
        message::Survivorship::Min => Survivorship::Min,
        message::Survivorship::Union => Survivorship::Union,
        message::Survivorship::MostFrequent => Survivorship::MostFrequent,
    };
    let pii_class = match given.pii_class() {
        message::PiiClass::Unspecified => PiiClass::Unsaid,
        message::PiiClass::None => PiiClass::None,
        message::PiiClass::Personal => PiiClass::Personal,
        message::PiiClass::Identifying => PiiClass::Identifying,
        message::PiiClass::Sensitive => PiiClass::Sensitive,
    };
    TraitDefinition {
        name: given.name,
        kind,
        metric_dimension: given.metric_dimension,
        description: given.description,
        pii_class,
        survivorship,
        trusted_sources: given.trusted_sources,
        created_at: Timestamp::MIN,
        computed,
        updated_at: Timestamp::MIN,
        revision: 0,
        changed_by: 0,
        operation: None,
    }
}

/// What can be changed of a definition: its name, and what takes it over.
const FIELDS: &[(&str, Change)] = &[
    ("metric_dimension", |held, new| held.metric_dimension = new.metric_dimension),
    ("description", |held, new| held.description.clone_from(&new.description)),
    ("pii_class", |held, new| held.pii_class = new.pii_class),
    ("survivorship", |held, new| {
        held.survivorship = new.survivorship;
        if held.survivorship != Survivorship::MostTrusted {
            held.trusted_sources.clear();
        }
    }),
    ("trusted_sources", |held, new| held.trusted_sources.clone_from(&new.trusted_sources)),
    ("computed", |held, new| held.computed.clone_from(&new.computed)),
];

/// What to change of a declared trait. Its type may be left out.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn update(message: &message::UpdateTraitDefinitionRequest) -> Result<Updating, Fault> {
    let given = message.trait_definition.clone().unwrap_or_default();
    let stated = trait_type(given.r#type());
    let mut out = rapport_api::check(message);
    let known: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
    mask::check(message.update_mask.as_ref(), &known, &mut out);
    check_sources(&given, &mut out);
    let recipe = recipe(&given, &mut out);
    out.check()?;
    let changes = FIELDS.iter().filter(|(name, _)| mask::names(message.update_mask.as_ref(), name, true));
    let (changes, expected) = (changes.map(|(_, change)| *change).collect(), revision(&given.etag));
    Ok(Updating { definition: read(given, stated.unwrap_or(TraitType::Text), recipe), changes, kind: stated, expected })
}

/// Which declaration to take back, at which revision.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn delete(message: &message::DeleteTraitDefinitionRequest) -> Result<(String, Option<u64>), Fault> {
    rapport_api::check(message).check()?;
    Ok((message.name.clone(), revision(&message.etag)))
}

/// A declared trait.
#[must_use]
pub fn definition(definition: &TraitDefinition) -> message::TraitDefinition {
    let kind = type_message(definition.kind);
    let survivorship = match definition.survivorship {
        Survivorship::Latest => message::Survivorship::Latest,
        Survivorship::MostTrusted => message::Survivorship::MostTrusted,
        Survivorship::First => message::Survivorship::First,
        Survivorship::Max => message::Survivorship::Max,
        Survivorship::Min => message::Survivorship::Min,
        Survivorship::Union => message::Survivorship::Union,
        Survivorship::MostFrequent => message::Survivorship::MostFrequent,
    };
    let pii_class = match definition.pii_class {
        PiiClass::Unsaid => message::PiiClass::Unspecified,
        PiiClass::None => message::PiiClass::None,
        PiiClass::Personal => message::PiiClass::Personal,
        PiiClass::Identifying => message::PiiClass::Identifying,
        PiiClass::Sensitive => message::PiiClass::Sensitive,
    };
    message::TraitDefinition {
        name: definition.name.clone(),
        r#type: kind.into(),
        metric_dimension: definition.metric_dimension,
        description: definition.description.clone(),
        create_time: Some(timestamp(definition.created_at)),
        computed: definition.computed.as_ref().map(computed::render),
        pii_class: pii_class.into(),
        survivorship: survivorship.into(),
        trusted_sources: definition.trusted_sources.clone(),
        etag: etag(definition.revision),
        update_time: Some(timestamp(definition.updated_at)),
        operation: definition.operation.map(super::operation).unwrap_or_default(),
    }
}

/// That a declaration was taken back.
#[must_use]
pub fn taken_back(definition: &TraitDefinition) -> message::DeleteTraitDefinitionResponse {
    let operation = definition.operation.map(super::operation).unwrap_or_default();
    message::DeleteTraitDefinitionResponse { operation }
}

/// Which declared trait.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn get(message: &message::GetTraitDefinitionRequest) -> Result<String, Fault> {
    rapport_api::check(message).check()?;
    Ok(message.name.clone())
}

/// How many declared traits a page holds.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn list(message: &message::ListTraitDefinitionsRequest) -> Result<usize, Fault> {
    rapport_api::check(message).check()?;
    page_size(message.page_size)
}

/// A type; `None` where none is said.
#[must_use]
pub const fn trait_type(of: message::TraitType) -> Option<TraitType> {
    Some(match of {
        message::TraitType::Unspecified => return None,
        message::TraitType::Bool => TraitType::Bool,
        message::TraitType::Number => TraitType::Number,
        message::TraitType::Text => TraitType::Text,
        message::TraitType::Time => TraitType::Time,
        message::TraitType::List => TraitType::List,
    })
}

/// A type as the contract has it.
#[must_use]
pub const fn type_message(of: TraitType) -> message::TraitType {
    match of {
        TraitType::Bool => message::TraitType::Bool,
        TraitType::Number => message::TraitType::Number,
        TraitType::Text => message::TraitType::Text,
        TraitType::Time => message::TraitType::Time,
        TraitType::List => message::TraitType::List,
    }
}
