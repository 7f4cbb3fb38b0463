//! Persona sets and personas: requests in, answers out.

use std::collections::BTreeSet;

use rapport_api::convert::timestamp;
use rapport_api::profiles::v1 as message;
use rapport_clusters::{Feature, Trial, Unused};
use rapport_kernel::{Fault, Id, Reason, page_size};

use super::add;
use super::profile::etag;
use crate::domain::persona::{Filter, Membership, PersonaSet, PersonaSetId, Settings, State};
use crate::service::personas::{Counted, Describing};

/// How many customers are drawn, where nobody says.
const SAMPLE: usize = 10_000;
/// The fewest personas, where nobody says.
const LEAST: usize = 2;
/// The most personas, where nobody says.
const MOST: usize = 12;
/// The share that each persona must have, where nobody says.
const SMALLEST_SHARE: f64 = 0.01;

/// What to look for.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule; reason INVALID_CONDITION where only the filter is wrong.
pub fn discover(message: &message::DiscoverPersonasRequest) -> Result<Settings, Fault> {
    let mut out = rapport_api::check(message);
    let count = |given: i32, otherwise| usize::try_from(given).ok().filter(|given| *given > 0).unwrap_or(otherwise);
    let (least, most) = (count(message.min_personas, LEAST), count(message.max_personas, MOST));
    if message.min_personas == 1 {
        add(&mut out, "min_personas", "int32.gte", "must be 0, or 2 to 12: one persona for all tells nothing");
    }
    if message.max_personas == 1 {
        add(&mut out, "max_personas", "int32.gte", "must be 0, or 2 to 12: one persona for all tells nothing");
    }
    if (1..100).contains(&message.sample_size) {
        add(&mut out, "sample_size", "int32.gte", "must be 0, or 100 to 20000: fewer show no groups");
    }
    if least > most {
        add(&mut out, "max_personas", "personas.range", "must be at least min_personas");
    }
    let others = !out.is_empty();
    if !message.filter.is_empty()
        && let Err(errors) = Filter::compile(&message.filter)
    {
        errors.note("filter", &mut out);
    }
    if !out.is_empty() {
        let mut fault = Fault::invalid(out);
        if !others {
            fault.reason = Reason::InvalidCondition;
        }
        return Err(fault);
    }
    Ok(Settings {
        name: message.name.clone(),
        // In an order of their own: that in which they are named does not show.
        traits: message.traits.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect(),
        filter: message.filter.clone(),
        least,
        most,
        seed: message.seed,
        sample_size: count(message.sample_size, SAMPLE),
        smallest_share: message.smallest_share.unwrap_or(SMALLEST_SHARE),
    })
}

/// An id that may be left out; the contract's rules have seen to its form.
pub fn id<T>(text: &str) -> Option<Id<T>> {
    text.parse().ok()
}

/// Which set; `None`: the one in force.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn get_set(message: &message::GetPersonaSetRequest) -> Result<Option<PersonaSetId>, Fault> {
    rapport_api::check(message).check()?;
    Ok(id(&message.persona_set_id))
}

/// How many sets a page holds.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn list_sets(message: &message::ListPersonaSetsRequest) -> Result<usize, Fault> {
    rapport_api::check(message).check()?;
    page_size(message.page_size)
}

/// Which set's personas, and how many a page holds.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn list(message: &message::ListPersonasRequest) -> Result<(Option<PersonaSetId>, usize), Fault> {
    rapport_api::check(message).check()?;
    Ok((id(&message.persona_set_id), page_size(message.page_size)?))
}

/// Which persona.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn get<T>(message: &message::GetPersonaRequest) -> Result<Id<T>, Fault> {
    rapport_api::check(message).check()?;
    id(&message.persona_id).ok_or_else(|| Fault::invalid_field("persona_id", "string.uuid", "must be a UUID"))
}

/// How a persona shall be described.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule; ABORTED where the etag is none of ours, so no newest one.
pub fn update(message: &message::UpdatePersonaRequest) -> Result<Describing, Fault> {
    let mut out = rapport_api::check(message);
    let persona = message.persona.clone().unwrap_or_default();
    let id = id(&persona.persona_id);
    if message.persona.is_some() {
        if id.is_none() {
            add(&mut out, "persona.persona_id", "required", "must be set");
        }
        if persona.name.trim().is_empty() {
            add(&mut out, "persona.name", "string.min_len", "must not be empty");
        }
    }
    out.check()?;
    let expected = match persona.etag.as_str() {
        "" => None,
        // An etag that is no revision is never the newest.
        etag => Some(etag.parse().unwrap_or(0)),
    };
    let id = id.ok_or_else(|| Fault::invalid_field("persona", "required", "must be set"))?;
    Ok(Describing { id, name: persona.name, description: persona.description, expected })
}

/// Which persona a customer has.
#[must_use]
pub fn membership(has: &Membership) -> message::PersonaMembership {
    message::PersonaMembership {
        persona_id: has.persona.to_string(),
        name: has.name.clone(),
        persona_set_id: has.set.to_string(),
        distance: has.distance.get(),
    }
}

/// A persona.
#[must_use]
pub fn persona(counted: &Counted) -> message::Persona {
    let persona = &counted.persona;
    message::Persona {
        persona_id: persona.id.to_string(),
        persona_set_id: persona.set.to_string(),
        name: persona.name.clone(),
        description: persona.description.clone(),
        customers: wide(counted.customers),
        sample_customers: wide(persona.sample_customers),
        features: persona.features.iter().map(feature).collect(),
        etag: etag(persona.revision),
        create_time: Some(timestamp(persona.created_at)),
        update_time: Some(timestamp(persona.updated_at)),
        retire_time: persona.retired_at.map(timestamp),
    }
}

fn feature(feature: &Feature) -> message::PersonaFeature {
    message::PersonaFeature {
        r#trait: feature.name.clone(),
        category: feature.category.clone(),
        value: feature.value,
        overall: feature.overall,
        difference: feature.difference,
        known_share: feature.known,
    }
}

/// A set with its personas and its curve.
#[must_use]
pub fn set_whole(set: &PersonaSet, personas: &[Counted]) -> message::PersonaSet {
    let trials = set.found.iter().flat_map(|found| &found.trials);
    message::PersonaSet {
        trials: trials.map(trial).collect(),
        personas: personas.iter().map(persona).collect(),
        ..self::set(set)
    }
}

fn trial(trial: &Trial) -> message::PersonaTrial {
    message::PersonaTrial {
        personas: narrow(trial.clusters),
        silhouette: trial.silhouette,
        calinski_harabasz: trial.calinski_harabasz,
        inertia: trial.inertia,
        smallest_share: trial.smallest_share,
    }
}

/// A set as lists show it.
#[must_use]
pub fn set(set: &PersonaSet) -> message::PersonaSet {
    let (settings, found) = (&set.settings, set.found.as_ref());
    let unused = found.into_iter().flat_map(|found| found.model.unused()).map(|(name, why)| message::UnusedTrait {
        r#trait: name.to_owned(),
        reason: match why {
            Unused::Missing => message::UnusedTraitReason::Missing,
            Unused::Alike => message::UnusedTraitReason::Alike,
        }
        .into(),
    });
    let state = match set.state {
        State::Discovering => message::PersonaSetState::Discovering,
        State::Assigning => message::PersonaSetState::Assigning,
        State::InForce => message::PersonaSetState::InForce,
        State::Superseded => message::PersonaSetState::Superseded,
        State::Failed => message::PersonaSetState::Failed,
    };
    message::PersonaSet {
        persona_set_id: set.id.to_string(),
        name: settings.name.clone(),
        state: state.into(),
        traits: settings.traits.clone(),
        filter: settings.filter.clone(),
        seed: settings.seed,
        min_personas: narrow(settings.least),
        max_personas: narrow(settings.most),
        smallest_share: settings.smallest_share,
        sample_size: found.map_or(0, |found| wide(found.sample)),
        trials: Vec::new(),
        silhouette: found.and_then(|found| found.chosen()).map_or(0.0, |trial| trial.silhouette),
        unused_traits: unused.collect(),
        logarithmic_traits: found.into_iter().flat_map(|found| found.model.logarithmic()).map(str::to_owned).collect(),
        personas: Vec::new(),
        create_time: Some(timestamp(set.created_at)),
        in_force_time: set.in_force_at.map(timestamp),
    }
}

/// A count as the contract has it.
pub(super) fn wide(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn narrow(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
