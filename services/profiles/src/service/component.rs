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
use crate::domain::linking::Evidence;
use crate::domain::namespace::Namespaces;
use crate::domain::profile::Record;
use crate::domain::relink::Held;
use crate::domain::value::Identifier;
use crate::store::link::Link;
use crate::store::{assertion, identifier, link, profile, subject};

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
pub async fn explore(rx: &Rx, seeds: &[SubjectId], namespaces: &Namespaces) -> Result<Component, Fault> {
    let mut search =
        Search { rx, namespaces, known: BTreeSet::new(), values: BTreeSet::new(), found: Component::default() };
    let mut assertions = BTreeMap::<AssertionId, _>::new();
    let mut customers = BTreeSet::new();
    let mut frontier = search.new_ones(seeds.iter().copied())?;
    while !frontier.is_empty() {
        let mut reached = search.by_links(&frontier, &mut customers).await?;
        reached.extend(search.by_values(&frontier).await?);
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
    Ok(found)
}

/// The component that `seeds` reach, with all its customers locked until the unit ends.
///
/// # Errors
/// As [`explore`]; ABORTED where the customers grew meanwhile: the unit runs again, and begins with the larger set.
pub async fn lock(tx: &Tx, seeds: &[SubjectId], namespaces: &Namespaces) -> Result<Component, Fault> {
    // On SQLite units run one after another: nothing changes between two looks.
    if tx.engine() == Engine::Sqlite {
        return explore(tx, seeds, namespaces).await;
    }
    let before = explore(tx, seeds, namespaces).await?.customers();
    lock_customers(tx, &before).await?;
    let component = explore(tx, seeds, namespaces).await?;
    if component.customers().is_subset(&before) { Ok(component) } else { Err(grew()) }
}

/// Locks customers until the unit ends. A unit takes the locks of records and identifiers before those of customers,
/// and those of customers at once: so no two wait for each other.
pub async fn lock_customers(tx: &Tx, customers: &BTreeSet<CustomerId>) -> Result<(), Fault> {
    let keys: Vec<String> = customers.iter().map(|customer| format!("customer/{customer}")).collect();
    tx.lock(&keys).await
}

struct Search<'a> {
    rx: &'a Rx,
    namespaces: &'a Namespaces,
    known: BTreeSet<SubjectId>,
    values: BTreeSet<Identifier>,
    found: Component,
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
        let mut reached = BTreeSet::new();
        for carried in identifier::of_subjects(self.rx, frontier).await? {
            let Some(namespace) = self.namespaces.strong(&carried.identifier.namespace) else { continue };
            if !self.values.insert(carried.identifier.clone()) {
                continue;
            }
            let limit = namespace.records_per_value;
            let carriers = identifier::carriers(self.rx, &carried.identifier, limit + 1).await?;
            if carriers.len() > limit || carriers.iter().any(|carrier| carrier.subject == identifier::NOBODY) {
                continue;
            }
            for carrier in carriers {
                reached.insert(carrier.subject);
                let of = self.found.evidence.carried.entry(carrier.subject).or_default();
                of.insert(carrier.identifier, carrier.first_seen);
            }
        }
        Ok(reached)
    }
}
