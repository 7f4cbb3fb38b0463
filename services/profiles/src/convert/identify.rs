//! What a source states, from IdentifyRequest.

use std::collections::{BTreeMap, BTreeSet};

use rapport_api::profiles::v1::IdentifyRequest;
use rapport_kernel::{Fault, Private, Timestamp};

use super::value::{consent, party, value};
use super::{add, identifier, observed};
use crate::domain::claims::Statement;
use crate::domain::rules::Rules;
use crate::domain::value::SourceRecord;
use crate::service::identify::Identification;

/// What a source states.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn identification(message: &IdentifyRequest, now: Timestamp, rules: &Rules) -> Result<Identification, Fault> {
    let mut out = rapport_api::check(message);
    let given = message.observed_at.as_ref();
    let observed_at = observed(given, "observed_at", now, &mut out).unwrap_or(now);
    let mut identifiers = BTreeSet::new();
    for (at, message) in message.identifiers.iter().enumerate() {
        identifiers.extend(identifier(message, &format!("identifiers[{at}]"), &rules.namespaces, &mut out));
    }
    let mut traits = BTreeMap::new();
    for (name, message) in &message.traits {
        let Some(value) = value(message) else { continue };
        if let Some(text) = rules.refusal(name, &value) {
            add(&mut out, &format!("traits[\"{name}\"]"), "trait.type", text);
        }
        traits.insert(name.clone(), value);
    }
    for (at, name) in message.unset_traits.iter().enumerate() {
        if traits.contains_key(name) {
            let text = "must not name a trait that the same call sets";
            add(&mut out, &format!("unset_traits[{at}]"), "unset_traits.apart", text);
        }
    }
    let mut consents = BTreeSet::new();
    for (at, message_of) in message.consents.iter().enumerate() {
        let at = format!("consents[{at}]");
        consents.extend(consent(message_of, &message.source, (observed_at, now), &at, &mut out));
    }
    if let Some(deviation) = rules.catalogue.source(&message.source).filter(|deviation| deviation.is_refused) {
        add(&mut out, "source", deviation.rule, deviation.text);
    }
    out.check()?;
    let unset = message.unset_traits.iter().cloned().collect();
    let name = SourceRecord { source: message.source.clone(), external_id: Private::new(message.external_id.clone()) };
    let party = party(message.party);
    let statement = Statement { party, identifiers, traits, unset, consents, ..Statement::default() };
    Ok(Identification { name, statement, observed_at })
}
