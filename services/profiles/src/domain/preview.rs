//! What a merge would change for whom, in words for people: traits on which the customers differ, consents that some
//! of them would lose or gain.

use std::collections::BTreeSet;
use std::sync::Arc;

use rapport_kernel::CustomerId;

use super::claims::ConsentState;
use super::definitions::Compiled;
use super::derived::Derived;
use super::profile::{Profile, Trait};
use super::rules::Rules;
use super::segment::SegmentId;
use super::standing::Processing;

/// A trait on which customers differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraitConflict {
    /// The trait.
    pub name: String,
    /// The value of each customer that has one.
    pub values: Vec<(CustomerId, Trait)>,
    /// The value that would hold.
    pub winner: Option<Trait>,
}

/// A consent that would change for a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentChange {
    /// The customer.
    pub customer: CustomerId,
    /// What for.
    pub purpose: String,
    /// On which channel; empty: all.
    pub channel: String,
    /// As it stands.
    pub before: Option<ConsentState>,
    /// As it would be.
    pub after: Option<ConsentState>,
}

/// A segment that a customer would enter or leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentChange {
    /// The customer.
    pub customer: CustomerId,
    /// The segment.
    pub segment: SegmentId,
    /// Its name.
    pub name: String,
    /// Whether it would enter.
    pub entered: bool,
}

/// The segments that a customer would enter or leave.
#[must_use]
pub fn segment_changes(customer: CustomerId, before: &Derived, after: &Derived, rules: &Rules) -> Vec<SegmentChange> {
    let change = |compiled: &Arc<Compiled>| {
        let segment = compiled.segment.id;
        let entered = after.segments.contains_key(&segment);
        let changes = before.segments.contains_key(&segment) != entered;
        changes.then(|| SegmentChange { customer, segment, name: compiled.segment.draft.name.clone(), entered })
    };
    rules.definitions.segments.iter().filter_map(change).collect()
}

/// The traits on which customers differ.
#[must_use]
pub fn trait_conflicts(before: &[Profile], after: &Profile) -> Vec<TraitConflict> {
    let names: BTreeSet<&String> = before.iter().flat_map(|profile| profile.traits.keys()).collect();
    let conflict = |name: &String| {
        let held = before.iter().filter_map(|profile| Some((profile.customer, profile.traits.get(name)?.clone())));
        let values: Vec<_> = held.collect();
        let differ = values.windows(2).any(|pair| pair[0].1.value != pair[1].1.value);
        differ.then(|| TraitConflict { name: name.clone(), values, winner: after.traits.get(name).cloned() })
    };
    names.into_iter().filter_map(conflict).collect()
}

/// The objections that would come to hold for customers that made none.
#[must_use]
pub fn restriction_changes(before: &[Profile], after: &Profile) -> Vec<(CustomerId, Processing)> {
    let news = |profile: &Profile| {
        let new = after.objections.keys().filter(|kind| !profile.objections.contains_key(kind)).copied();
        let customer = profile.customer;
        new.map(move |kind| (customer, kind)).collect::<Vec<_>>()
    };
    before.iter().flat_map(news).collect()
}

/// The consents that would change.
#[must_use]
pub fn consent_changes(before: &[Profile], after: &Profile) -> Vec<ConsentChange> {
    let then = after.consent_states();
    let mut changes = Vec::new();
    for profile in before {
        let now = profile.consent_states();
        let keys: BTreeSet<_> = now.keys().chain(then.keys()).collect();
        for key in keys {
            let (before, after) = (now.get(key).copied(), then.get(key).copied());
            if before != after {
                let (purpose, channel) = (key.0.to_owned(), key.1.to_owned());
                changes.push(ConsentChange { customer: profile.customer, purpose, channel, before, after });
            }
        }
    }
    changes
}
