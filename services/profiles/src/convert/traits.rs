//! Trait definitions.

use rapport_api::convert::timestamp;
use rapport_api::profiles::v1 as message;
use rapport_kernel::{Fault, Timestamp, page_size};

use super::{add, computed};
use crate::domain::declared::TraitDefinition;
use crate::domain::value::TraitType;

/// A trait to declare.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn create(message: &message::CreateTraitDefinitionRequest) -> Result<TraitDefinition, Fault> {
    let mut out = rapport_api::check(message);
    let definition = message.trait_definition.as_ref();
    let kind = definition.and_then(|definition| trait_type(definition.r#type()));
    if definition.is_some_and(|definition| definition.metric_dimension)
        && !matches!(kind, None | Some(TraitType::Bool | TraitType::Text))
    {
        let text = "must be false: only texts and booleans can be dimensions of metrics";
        add(&mut out, "trait_definition.metric_dimension", "metric_dimension.type", text);
    }
    let recipe = definition.and_then(|definition| definition.computed.as_ref()).zip(kind);
    let recipe =
        recipe.and_then(|(recipe, kind)| computed::recipe(recipe, kind, "trait_definition.computed", &mut out));
    out.check()?;
    let missing = || Fault::invalid_field("trait_definition", "required", "must be set");
    let definition = definition.ok_or_else(missing)?;
    Ok(TraitDefinition {
        name: definition.name.clone(),
        kind: kind.ok_or_else(missing)?,
        metric_dimension: definition.metric_dimension,
        description: definition.description.clone(),
        created_at: Timestamp::MIN,
        computed: recipe,
    })
}

/// A declared trait.
#[must_use]
pub fn definition(definition: &TraitDefinition) -> message::TraitDefinition {
    let kind = type_message(definition.kind);
    message::TraitDefinition {
        name: definition.name.clone(),
        r#type: kind.into(),
        metric_dimension: definition.metric_dimension,
        description: definition.description.clone(),
        create_time: Some(timestamp(definition.created_at)),
        computed: definition.computed.as_ref().map(computed::render),
    }
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
