//! The component of a record: every record that a chain of links, shared strong identifiers or declared merges reaches.
//! A relinking looks at all of it, so that its result does not depend on how it came about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rapport_data::{Engine, Rx, Tx};
use rapport_kernel::{CustomerId, Fault, Reason, SubjectId, Timestamp};

use super::grew;
use crate::domain::assertion::AssertionId;
use crate::domain::claims::Claims;
use crate::domain::derived::Derived;
use crate::domain::linking::{Evidence, Match, Objecting, Visit};
use crate::domain::profile::{Record, objects_to_profiling};
use crate::domain::relink::Held;
use crate::domain::rules::Rules;
use crate::domain::value::{Identifier, SourceRecord};
use crate::store::identifier::Carried;
use crate::store::link::Link;
use crate::store::{assertion, identifier, link, matching, profile, quarantine, subject};

/// How many records a component may have: more would make one call too dear.
const MOST: usize = 1_000;

/// A component as it is held.
#[derive(Clone, Debug, Default)]
pub struct Component {
    /// What speaks for and against linking its records.
    pub evidence: Evidence,
    /// The current link of each record that has one.
    pub links: BTreeMap<SubjectId, Link>,
    /// What is held of each customer id among its records.
    pub held: BTreeMap<CustomerId, Held>,
    /// What is derived of those that are customers.
    pub derived: BTreeMap<CustomerId, Arc<Derived>>,
    /// Its records with all they claim.
    pub records: BTreeMap<SubjectId, Record>,
    /// The version of the model that weighed its pairs; 0: none.
    pub model_version: u64,
}

impl Component {
    /// The customers its records belong to.
    #[must_use]
    pub fn customers(&self) -> BTreeSet<CustomerId> {
        self.links.values().map(|link| link.customer).collect()
    }

    /// The records of a customer.
    #[must_use]
    pub fn members(&self, customer: CustomerId) -> BTreeSet<SubjectId> {
        self.links.values().filter(|link| link.customer == customer).map(|link| link.subject).collect()
    }

    /// The instant of a change: now, but after everything that the component has seen. A unit may have begun before
    /// another that was committed while it waited, and two instances' clocks differ; what is declared last counts.
    #[must_use]
    pub fn instant(&self, now: Timestamp) -> Timestamp {
        let linked = self.links.values().map(|link| link.started_at);
        let declared = self.evidence.assertions.iter().map(|assertion| assertion.created_at);
        let last = linked.chain(declared).max();
        last.map_or(now, |last| now.max(last.plus(Duration::from_micros(1))))
    }

    /// How likely two records are one party's and by which version of the model, where that was weighed.
    #[must_use]
    pub fn weighed(&self, left: SubjectId, right: SubjectId) -> Option<(f64, u64)> {
        let same = |it: &&Match| (it.left, it.right) == (left, right) || (it.left, it.right) == (right, left);
        self.evidence.matches.iter().find(same).map(|found| (found.probability, self.model_version))
    }

    /// Whose each record is.
    #[must_use]
    pub fn owners(&self) -> BTreeMap<SubjectId, CustomerId> {
        self.links.iter().map(|(subject, link)| (*subject, link.customer)).collect()
    }
}

/// The component that `seeds` reach.
///
/// # Errors
/// FAILED_PRECONDITION (IDENTITY_CONFLICT) where it has more than a thousand records.
pub async fn explore(rx: &Rx, seeds: &[SubjectId], rules: &Rules) -> Result<Component, Fault> {
    let mut search = Search {
        rx,
        rules,
        known: BTreeSet::new(),
        values: BTreeSet::new(),
        visits: BTreeMap::new(),
        found: Component::default(),
    };
    let mut assertions = BTreeMap::<AssertionId, _>::new();
    let mut customers = BTreeSet::new();
    let mut frontier = search.new_ones(seeds.iter().copied())?;
    while !frontier.is_empty() {
        let mut reached = search.by_links(&frontier, &mut customers).await?;
        reached.extend(search.by_values(&frontier).await?);
        reached.extend(search.by_looks(&frontier).await?);
        for assertion in assertion::of_subjects(rx, &frontier).await? {
            if assertion.same {
                reached.extend(assertion.subjects());
            }
            assertions.insert(assertion.id, assertion);
        }
        frontier = search.new_ones(reached)?;
    }
    let (mut found, known) = (search.found, search.known.into_iter().collect::<Vec<_>>());
    found.evidence.assertions = assertions.into_values().collect();
    let rows = profile::by_ids(rx, &known).await?;
    for (customer, row) in rows {
        found.derived.insert(customer, row.derived);
        found.held.insert(customer, row.held);
    }
    for held in found.held.values() {
        if let Held::Live { records, .. } = held {
            found.records.extend(records.iter().map(|record| (record.subject, record.clone())));
        }
    }
    for (id, subject) in subject::by_ids(rx, &known).await? {
        found.evidence.subjects.insert(id, subject.name.clone());
        let new =
            || Record { subject: id, name: subject.name, created_at: subject.created_at, claims: Claims::default() };
        found.records.entry(id).or_insert_with(new);
    }
    let objects = |record: &&Record| objects_to_profiling(std::slice::from_ref(*record));
    let objecting: BTreeSet<SubjectId> = found.records.values().filter(objects).map(|record| record.subject).collect();
    if !objecting.is_empty() {
        found.evidence.objecting = Some(Objecting { subjects: objecting, owners: found.owners() });
    }
    if !rules.identity.automatic_merging {
        found.evidence.held = Some(found.owners());
    }
    Ok(found)
}

/// The component that `seeds` reach, with all its customers locked until the unit ends.
///
/// # Errors
/// As [`explore`]; ABORTED where the customers grew meanwhile: the unit runs again, and begins with the larger set.
pub async fn lock(tx: &Tx, seeds: &[SubjectId], rules: &Rules) -> Result<Component, Fault> {
    // On SQLite units run one after another: nothing changes between two looks.
    if tx.engine() == Engine::Sqlite {
        return explore(tx, seeds, rules).await;
    }
    let before = explore(tx, seeds, rules).await?.customers();
    lock_customers(tx, &before).await?;
    let component = explore(tx, seeds, rules).await?;
    if component.customers().is_subset(&before) { Ok(component) } else { Err(grew()) }
}

/// Locks customers until the unit ends. A unit takes the locks of records and identifiers before those of customers,
/// and those of customers at once: so no two wait for each other.
pub async fn lock_customers(tx: &Tx, customers: &BTreeSet<CustomerId>) -> Result<(), Fault> {
    tx.lock(&customers.iter().map(customer_key).collect::<Vec<_>>()).await
}

/// The lock under which a customer is changed.
pub(super) fn customer_key(customer: &CustomerId) -> String {
    format!("customer/{customer}")
}

struct Search<'a> {
    rx: &'a Rx,
    rules: &'a Rules,
    known: BTreeSet<SubjectId>,
    values: BTreeSet<Identifier>,
    visits: BTreeMap<Identifier, Visitors>,
    found: Component,
}

/// Who carries a weak value.
#[derive(Clone, Debug, Default)]
pub struct Visitors {
    /// Of those somebody is known by: the first.
    pub first: Option<Carried>,
    /// Those that nobody is known by.
    pub anonymous: Vec<Carried>,
}

/// How many records may carry a value before it stops linking.
pub async fn limit_of(rx: &Rx, rules: &Rules, identifier: &Identifier, carriers: usize) -> Result<usize, Fault> {
    let limit = rules.namespaces.find(&identifier.namespace).map_or(0, |namespace| namespace.records_per_value);
    if carriers <= limit {
        return Ok(limit);
    }
    Ok(quarantine::allowed(rx, identifier).await?.map_or(limit, |allowed| allowed.max(limit)))
}

/// Those who carry a value, where they are few enough for it to link; none where it links nobody.
pub async fn linked_by(rx: &Rx, rules: &Rules, identifier: &Identifier) -> Result<Option<Vec<Carried>>, Fault> {
    let limit = limit_of(rx, rules, identifier, 0).await?;
    let mut carriers = identifier::carriers(rx, identifier, limit + 1).await?;
    if carriers.len() > limit {
        let allowed = limit_of(rx, rules, identifier, carriers.len()).await?;
        if allowed > limit {
            carriers = identifier::carriers(rx, identifier, allowed + 1).await?;
        }
        if carriers.len() > allowed {
            return Ok(None);
        }
    }
    let kept = carriers.iter().any(|carrier| carrier.subject == identifier::NOBODY);
    Ok((!kept).then_some(carriers))
}

/// Who carries a weak value: the first by whom somebody is known (at one instant the first by name), and the others.
pub async fn visitors(rx: &Rx, rules: &Rules, identifier: &Identifier) -> Result<Visitors, Fault> {
    let Some(carriers) = linked_by(rx, rules, identifier).await? else { return Ok(Visitors::default()) };
    let ids: Vec<SubjectId> = carriers.iter().map(|carrier| carrier.subject).collect();
    let known = known_among(rx, rules, &ids).await?;
    let (known, anonymous): (Vec<Carried>, Vec<Carried>) =
        carriers.into_iter().partition(|carrier| known.contains(&carrier.subject));
    if anonymous.is_empty() || known.is_empty() {
        return Ok(Visitors { first: known.into_iter().next(), anonymous });
    }
    let ids: Vec<SubjectId> = known.iter().map(|carrier| carrier.subject).collect();
    let names: BTreeMap<SubjectId, SourceRecord> =
        subject::by_ids(rx, &ids).await?.into_iter().map(|(id, subject)| (id, subject.name)).collect();
    let first = known.into_iter().min_by_key(|carrier| (carrier.first_seen, names.get(&carrier.subject).cloned()));
    Ok(Visitors { first, anonymous })
}

/// Those of some records that carry a strong identifier.
pub async fn known_among(rx: &Rx, rules: &Rules, subjects: &[SubjectId]) -> Result<BTreeSet<SubjectId>, Fault> {
    let carried = identifier::of_subjects(rx, subjects).await?;
    let strong = carried.iter().filter(|it| rules.namespaces.strong(&it.identifier.namespace).is_some());
    Ok(strong.map(|it| it.subject).collect())
}

impl Search<'_> {
    fn new_ones(&mut self, reached: impl IntoIterator<Item = SubjectId>) -> Result<Vec<SubjectId>, Fault> {
        let new = reached.into_iter().filter(|subject| self.known.insert(*subject)).collect();
        if self.known.len() > MOST {
            let text = format!("more than {MOST} source records hang together here: split some of them off first");
            return Err(Fault::new(Reason::IdentityConflict, text).precondition("COMPONENT_SIZE", MOST.to_string()));
        }
        Ok(new)
    }

    async fn by_links(
        &mut self,
        frontier: &[SubjectId],
        customers: &mut BTreeSet<CustomerId>,
    ) -> Result<BTreeSet<SubjectId>, Fault> {
        let links = link::current_of(self.rx, frontier).await?;
        let new: Vec<_> = links.values().map(|link| link.customer).filter(|id| customers.insert(*id)).collect();
        self.found.links.extend(links);
        Ok(link::members(self.rx, &new).await?.into_iter().map(|link| link.subject).collect())
    }

    async fn by_values(&mut self, frontier: &[SubjectId]) -> Result<BTreeSet<SubjectId>, Fault> {
        let (mut reached, mut weak) = (BTreeSet::new(), Vec::new());
        for carried in identifier::of_subjects(self.rx, frontier).await? {
            if self.rules.namespaces.strong(&carried.identifier.namespace).is_none() {
                weak.extend(self.rules.namespaces.weak(&carried.identifier.namespace).map(|it| (it.rank, carried)));
                continue;
            }
            self.found.evidence.known.insert(carried.subject);
            if !self.values.insert(carried.identifier.clone()) {
                continue;
            }
            for carrier in linked_by(self.rx, self.rules, &carried.identifier).await?.into_iter().flatten() {
                reached.insert(carrier.subject);
                let of = self.found.evidence.carried.entry(carrier.subject).or_default();
                of.insert(carrier.identifier, carrier.first_seen);
            }
        }
        for (rank, carried) in weak {
            self.by_visits(rank, &carried, &mut reached).await?;
        }
        Ok(reached)
    }

    /// By the pairs that look so alike that they are linked.
    async fn by_looks(&mut self, frontier: &[SubjectId]) -> Result<BTreeSet<SubjectId>, Fault> {
        let Some(matcher) = &self.rules.matcher else { return Ok(BTreeSet::new()) };
        self.found.model_version = matcher.version;
        let edges = matching::edges(self.rx, frontier, matcher.thresholds.link).await?;
        // A pair is held from both sides, and both are looked at.
        let once = edges.iter().filter(|edge| edge.subject < edge.other);
        self.found.evidence.matches.extend(once.map(|edge| Match {
            left: edge.subject,
            right: edge.other,
            probability: edge.probability,
        }));
        Ok(edges.into_iter().map(|edge| edge.other).collect())
    }

    /// From a visitor's record to that of whom it turned out to be, and back: from no other to another.
    async fn by_visits(
        &mut self,
        rank: u16,
        carried: &Carried,
        reached: &mut BTreeSet<SubjectId>,
    ) -> Result<(), Fault> {
        if !self.visits.contains_key(&carried.identifier) {
            let visitors = visitors(self.rx, self.rules, &carried.identifier).await?;
            self.visits.insert(carried.identifier.clone(), visitors);
        }
        let Some(Visitors { first: Some(first), anonymous }) = self.visits.get(&carried.identifier) else {
            return Ok(());
        };
        let is_first = first.subject == carried.subject;
        for visitor in anonymous.iter().filter(|it| is_first || it.subject == carried.subject) {
            reached.extend([first.subject, visitor.subject]);
            self.found.evidence.visits.insert(Visit {
                rank,
                seen: first.first_seen.max(visitor.first_seen),
                identifier: carried.identifier.clone(),
                visitor: visitor.subject,
                known: first.subject,
            });
        }
        Ok(())
    }
}
