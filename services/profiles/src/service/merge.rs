//! MergeProfiles and PreviewMerge: somebody declares that customers are one party. Only the assertion is new; what it
//! changes follows from partitioning the component again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rapport_data::{Answer, Engine, Receipt, Rx, Tx};
use rapport_kernel::{CustomerId, Fault, Reason, SubjectId, Timestamp};
use rapport_platform::Call;

use super::component::{self, Component};
use super::hear::current;
use super::{Outcome, Profiles, Written, apply, attach, derive, grew};
use crate::domain::assertion::{Assertion, AssertionId};
use crate::domain::bounds;
use crate::domain::linking::{Partition, counted, partition};
use crate::domain::preview::{
    ConsentChange, SegmentChange, TraitConflict, consent_changes, restriction_changes, segment_changes, trait_conflicts,
};
use crate::domain::profile::{Profile, Record, fold};
use crate::domain::relink::Held;
use crate::domain::rules::Rules;
use crate::domain::standing::Processing;
use crate::domain::value::{Identifier, Named};
use crate::store::assertion;

/// Which customers are one.
#[derive(Clone, Debug)]
pub struct Merge {
    /// The customer that remains.
    pub target: Named,
    /// The customers merged into it.
    pub sources: Vec<Named>,
    /// Why.
    pub reason: String,
    /// The target's revision as last read.
    pub expected: Option<u64>,
}

/// The outcome of a merge.
pub struct Merged {
    /// The profile that remains.
    pub profile: Arc<Profile>,
    /// The customers that were merged away.
    pub merged: Vec<CustomerId>,
    pub(super) written: Written,
}

impl Outcome for Merged {
    fn written(&self) -> &Written {
        &self.written
    }
}

/// What a merge would do.
pub struct Preview {
    /// The profile that would result.
    pub profile: Profile,
    /// The customers that would be merged away.
    pub merged: Vec<CustomerId>,
    /// Traits on which the customers differ.
    pub trait_conflicts: Vec<TraitConflict>,
    /// Consents that would change.
    pub consent_changes: Vec<ConsentChange>,
    /// Objections that would come to hold for customers that made none.
    pub restriction_changes: Vec<(CustomerId, Processing)>,
    /// Segments that customers would enter or leave.
    pub segment_changes: Vec<SegmentChange>,
}

impl Preview {
    /// Adds what is derived of the profile that would result.
    async fn derive(&mut self, rx: &Rx, component: &Component, rules: &Rules) -> Result<(), Fault> {
        let profile = &self.profile;
        let all: Vec<CustomerId> = std::iter::once(profile.customer).chain(self.merged.iter().copied()).collect();
        let before = component.derived.get(&profile.customer).cloned().unwrap_or_default();
        let derivation = derive::preview(rx, profile, &before, rules).await?;
        self.profile = self.profile.clone().with(Arc::new(derivation), rules);
        for customer in all {
            let before = component.derived.get(&customer).cloned().unwrap_or_default();
            self.segment_changes.extend(segment_changes(customer, &before, &self.profile.derived, rules));
        }
        Ok(())
    }
}

impl Profiles {
    /// Merges customers.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED (STALE_ETAG); FAILED_PRECONDITION (IDENTITY_CONFLICT) where a limit forbids it.
    pub async fn merge(&self, call: &Call, receipt: Receipt<Merged>, input: Merge) -> Result<Answer<Merged>, Fault> {
        let (rules, input) = (self.rules(call).await?, Arc::new(input));
        let unit = move |tx| {
            let (rules, input) = (Arc::clone(&rules), Arc::clone(&input));
            async move { merge(&tx, &rules, &input, true).await }
        };
        self.change(call, receipt, unit).await
    }

    /// Shows what a merge would do.
    ///
    /// # Errors
    /// As [`Profiles::merge`].
    pub async fn preview(&self, call: &Call, target: Named, sources: Vec<Named>) -> Result<Preview, Fault> {
        let rules = self.rules(call).await?;
        let read = self.read(call, |rx| async move {
            let input = Merge { target, sources, reason: String::new(), expected: None };
            let parties = parties(&rx, &input).await?;
            let component = component::explore(&rx, &parties.all(), &rules).await?;
            check_limits(&component, &parties, &rules)?;
            let planned = plan(&component, &parties, &input, rx.now(), &rules)?;
            let cluster = planned.partition.of(parties.target).into_iter();
            let members = cluster.flat_map(|cluster| cluster.members.keys());
            let records: Vec<Record> = members.filter_map(|subject| component.records.get(subject).cloned()).collect();
            bounds::check(&records)?;
            let mut preview = preview(&component, &parties, &planned, rx.now(), &rules);
            preview.derive(&rx, &component, &rules).await?;
            Ok(preview)
        });
        read.await
    }
}

/// The customers of a merge, resolved.
#[derive(PartialEq, Eq)]
struct Parties {
    target: CustomerId,
    sources: BTreeSet<CustomerId>,
}

impl Parties {
    fn all(&self) -> Vec<SubjectId> {
        self.sources.iter().copied().chain([self.target]).collect()
    }
}

async fn parties(rx: &Rx, input: &Merge) -> Result<Parties, Fault> {
    let target = attach::resolve(rx, &input.target).await?.1;
    let mut sources = BTreeSet::new();
    for source in &input.sources {
        sources.insert(attach::resolve(rx, source).await?.1);
    }
    sources.remove(&target);
    Ok(Parties { target, sources })
}

/// A merge that was thought through.
struct Plan {
    assertions: Vec<Assertion>,
    partition: Partition,
}

/// Merges customers; `limited`: only where no limit forbids it.
pub(super) async fn merge(tx: &Tx, rules: &Rules, input: &Merge, limited: bool) -> Result<Merged, Fault> {
    let before = parties(tx, input).await?;
    let component = component::lock(tx, &before.all(), rules).await?;
    // On SQLite nothing changes between two looks.
    if tx.engine() == Engine::Postgres && parties(tx, input).await? != before {
        return Err(grew());
    }
    expect(&component, before.target, input.expected)?;
    tx.about(before.target);
    if before.sources.is_empty() {
        let profile = current(tx, rules, before.target).await?;
        return Ok(Merged { profile, merged: Vec::new(), written: Written::default() });
    }
    if limited {
        check_limits(&component, &before, rules)?;
    }
    let planned = plan(&component, &before, input, tx.now(), rules)?;
    for new in &planned.assertions {
        assertion::add(tx, new).await?;
    }
    let (changes, written) = apply::relink(tx, &component, &planned.partition, rules).await?;
    changes.live.iter().try_for_each(|(_, records)| bounds::check(records))?;
    let profile = match written.live.iter().find(|profile| profile.customer == before.target) {
        Some(profile) => Arc::clone(profile),
        None => current(tx, rules, before.target).await?,
    };
    Ok(Merged { profile, merged: changes.merged, written })
}

/// One assertion for each source: it and all before it are one party.
fn plan(component: &Component, parties: &Parties, input: &Merge, now: Timestamp, rules: &Rules) -> Result<Plan, Fault> {
    let (mut evidence, now) = (component.evidence.clone(), component.instant(now));
    let mut left = component.members(parties.target);
    let mut assertions = Vec::new();
    for source in &parties.sources {
        let right = component.members(*source);
        let assertion = Assertion {
            id: AssertionId::new(),
            same: true,
            left: left.clone(),
            right: right.clone(),
            survivor: Some(parties.target),
            reason: input.reason.clone(),
            created_at: now,
        };
        left.extend(right);
        assertions.push(assertion);
    }
    evidence.assertions.extend(assertions.iter().cloned());
    let partition = partition(&evidence, &rules.namespaces);
    let whole = partition.of(parties.target).is_some_and(|cluster| {
        cluster.customer == parties.target && left.iter().all(|subject| cluster.members.contains_key(subject))
    });
    if whole { Ok(Plan { assertions, partition }) } else { Err(Fault::internal("a declared merge did not hold")) }
}

/// A customer may not come to carry more values of a namespace than it may.
fn check_limits(component: &Component, parties: &Parties, rules: &Rules) -> Result<(), Fault> {
    let mut values = BTreeMap::<&str, BTreeSet<Identifier>>::new();
    for customer in parties.all() {
        for (name, counted) in counted(&component.evidence, &component.members(customer), &rules.namespaces) {
            values.entry(name).or_default().extend(counted);
        }
    }
    for namespace in rules.namespaces.all().iter().filter(|namespace| namespace.values_per_customer > 0) {
        if values.get(namespace.name.as_str()).is_some_and(|held| held.len() > namespace.values_per_customer) {
            let (name, limit) = (&namespace.name, namespace.values_per_customer);
            let text = format!("together they would carry more than {limit} values of {name}, the most a customer may");
            let fault = Fault::new(Reason::IdentityConflict, text).precondition("VALUES_PER_CUSTOMER", name.as_str());
            return Err(fault.with("namespace", name));
        }
    }
    Ok(())
}

/// Fails where the customer is not at the revision the caller last read.
pub(super) fn expect(component: &Component, customer: CustomerId, expected: Option<u64>) -> Result<(), Fault> {
    let revision = component.held.get(&customer).map_or(0, Held::revision);
    match expected {
        Some(expected) if expected != revision => {
            let text = "the etag is not the newest: read the profile again, look whether the change still fits, retry";
            Err(Fault::new(Reason::StaleEtag, text).resource("customer", customer.to_string()))
        }
        _ => Ok(()),
    }
}

fn preview(component: &Component, parties: &Parties, planned: &Plan, now: Timestamp, rules: &Rules) -> Preview {
    let of = |customer: CustomerId, members: &mut dyn Iterator<Item = SubjectId>| {
        let records: Vec<Record> = members.filter_map(|subject| component.records.get(&subject).cloned()).collect();
        fold(customer, 0, now, &records, rules).at(now)
    };
    let cluster = planned.partition.of(parties.target);
    let mut members = cluster.into_iter().flat_map(|cluster| cluster.members.keys().copied());
    let profile = of(parties.target, &mut members);
    let swallowed = component.customers();
    let swallowed = swallowed.into_iter().filter(|id| profile.records.iter().any(|(subject, ..)| subject == id));
    let before: Vec<Profile> =
        swallowed.map(|customer| of(customer, &mut component.members(customer).into_iter())).collect();
    let merged = before.iter().map(|profile| profile.customer).filter(|id| *id != parties.target).collect();
    let (trait_conflicts, consent_changes) = (trait_conflicts(&before, &profile), consent_changes(&before, &profile));
    let restriction_changes = restriction_changes(&before, &profile);
    let segment_changes = Vec::new();
    Preview { profile, merged, trait_conflicts, consent_changes, restriction_changes, segment_changes }
}
