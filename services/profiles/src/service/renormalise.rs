//! The background work after a namespace changed: every record's identifiers of it are brought to today's form, values
//! that too many records carry are found, and all that hangs together by it is linked anew. Three passes, each resumable:
//! a cursor says which pass and after which customer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rapport_data::{NewOperation, Operation, Tx};
use rapport_kernel::{CustomerId, Fault, SubjectId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Profiles, Written, apply, candidates, component, grew};
use crate::domain::linking::partition;
use crate::domain::profile::Record;
use crate::domain::relink::{self, Held};
use crate::domain::rules::Rules;
use crate::domain::value::Identifier;
use crate::store::identifier::Carried;
use crate::store::{identifier, profile, quarantine};

/// The kind of the operation.
pub const KIND: &str = "UpdateNamespace";
/// Customers that one unit brings to today's form.
const PAGE: u64 = 200;
/// How long one step relinks.
const STEP: Duration = Duration::from_millis(200);

/// Which namespace.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// Its name.
    pub namespace: String,
}

/// Where a step begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cursor {
    /// Identifiers are brought to their form, after this customer.
    Form(Uuid),
    /// Values that too many carry are sought.
    Count,
    /// Customers are linked anew, after this one.
    Link(Uuid),
}

impl Cursor {
    /// Where the first step begins.
    pub const START: Self = Self::Form(Uuid::nil());
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stepped {
    /// Where the next one begins; none after the last.
    pub next: Option<Cursor>,
    /// How many customers this one went through.
    pub done: u64,
}

/// Begins the operation with the unit that changes the namespace.
pub async fn begin(tx: &Tx, namespace: &str) -> Result<Operation, Fault> {
    let request = serde_json::to_vec(&Request { namespace: namespace.to_owned() }).map_err(Fault::internal)?;
    tx.begin_operation(NewOperation { kind: KIND, unit: "customers", request }).await
}

impl Profiles {
    /// How many customer ids there are to go through.
    ///
    /// # Errors
    /// As [`rapport_data::Database::read`].
    pub async fn count(&self, tenant: TenantId) -> Result<u64, Fault> {
        self.0.database.read(tenant, |rx| async move { profile::count(&rx).await }).await
    }

    /// Does the next step.
    ///
    /// # Errors
    /// As [`rapport_data::Database::write`].
    pub async fn renormalise(&self, tenant: TenantId, namespace: &str, cursor: Cursor) -> Result<Stepped, Fault> {
        let rules = Arc::new(self.rules_of(tenant).await?);
        match cursor {
            Cursor::Form(after) => {
                let (rules, namespace) = (Arc::clone(&rules), namespace.to_owned());
                let unit = move |tx: Tx| {
                    let (rules, namespace) = (Arc::clone(&rules), namespace.clone());
                    async move { form(&tx, &rules, &namespace, after).await }
                };
                self.0.database.write(tenant, unit).await
            }
            Cursor::Count => {
                let (rules, namespace) = (Arc::clone(&rules), namespace.to_owned());
                let unit = move |tx: Tx| {
                    let (rules, namespace) = (Arc::clone(&rules), namespace.clone());
                    async move { count(&tx, &rules, &namespace).await }
                };
                self.0.database.write(tenant, unit).await?;
                Ok(Stepped { next: Some(Cursor::Link(Uuid::nil())), done: 0 })
            }
            Cursor::Link(after) => self.link_some(tenant, &rules, namespace, after).await,
        }
    }

    /// Links customers anew for a while, each in a unit of its own.
    async fn link_some(
        &self,
        tenant: TenantId,
        rules: &Arc<Rules>,
        namespace: &str,
        mut after: Uuid,
    ) -> Result<Stepped, Fault> {
        let (began, mut done) = (Instant::now(), 0);
        let page = self.0.database.read(tenant, |rx| async move { profile::after(&rx, after, PAGE).await }).await?;
        let is_last = page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
        let count = page.len();
        for (at, (customer, row)) in page.into_iter().enumerate() {
            after = customer.uuid();
            done += 1;
            if concerns(&row.held, namespace) {
                self.link_one(tenant, rules, namespace, customer).await?;
            }
            if began.elapsed() > STEP && at + 1 < count {
                return Ok(Stepped { next: Some(Cursor::Link(after)), done });
            }
        }
        Ok(Stepped { next: (!is_last).then_some(Cursor::Link(after)), done })
    }

    async fn link_one(
        &self,
        tenant: TenantId,
        rules: &Arc<Rules>,
        namespace: &str,
        customer: CustomerId,
    ) -> Result<(), Fault> {
        let (rules, namespace) = (Arc::clone(rules), namespace.to_owned());
        let unit = move |tx: Tx| {
            let (rules, namespace) = (Arc::clone(&rules), namespace.clone());
            async move { link(&tx, &rules, &namespace, customer).await }
        };
        self.link_anew(tenant, unit).await
    }
}

/// Whether any record of a customer carries something of a namespace.
fn concerns(held: &Held, namespace: &str) -> bool {
    let carries = |record: &Record| record.claims.identifiers.keys().any(|it| it.namespace == namespace);
    matches!(held, Held::Live { records, .. } if records.iter().any(carries))
}

/// Brings what the records of some customers carry to today's form.
async fn form(tx: &Tx, rules: &Rules, namespace: &str, after: Uuid) -> Result<Stepped, Fault> {
    tx.hold_erasures().await?;
    let page = profile::after(tx, after, PAGE).await?;
    let done = page.len() as u64;
    let next = page.last().filter(|_| done == PAGE).map_or(Cursor::Count, |(id, _)| Cursor::Form(id.uuid()));
    let mut wanted = BTreeMap::<(SubjectId, Identifier), Timestamp>::new();
    let mut subjects = BTreeSet::new();
    for (_, row) in page {
        let Held::Live { records, .. } = row.held else { continue };
        for record in records {
            let carried = record.claims.identifiers.iter().filter(|(it, _)| it.namespace == namespace);
            let counted = rules.namespaces.effective_of(carried.map(|(it, at)| (it, *at)));
            wanted.extend(counted.into_iter().map(|(it, at)| ((record.subject, it), at)));
            subjects.insert(record.subject);
        }
    }
    let mut stale = Vec::new();
    for held in identifier::of_subjects(tx, &subjects.into_iter().collect::<Vec<_>>()).await? {
        if held.identifier.namespace != namespace {
            continue;
        }
        let key = (held.subject, held.identifier.clone());
        match wanted.get(&key) {
            Some(at) if *at == held.first_seen => drop(wanted.remove(&key)),
            Some(_) => {}
            None => stale.push(held),
        }
    }
    identifier::remove(tx, &stale).await?;
    let new: Vec<Carried> = wanted
        .into_iter()
        .map(|((subject, identifier), first_seen)| Carried { subject, identifier, first_seen })
        .collect();
    identifier::put(tx, &new).await?;
    Ok(Stepped { next: Some(next), done })
}

/// Finds which values of a namespace too many records carry.
async fn count(tx: &Tx, rules: &Rules, namespace: &str) -> Result<(), Fault> {
    let Some(held) = rules.namespaces.find(namespace) else { return Ok(()) };
    quarantine::forget_namespace(tx, namespace).await?;
    for (identifier, carriers) in identifier::carried_by_more(tx, namespace, held.records_per_value).await? {
        if carriers > component::limit_of(tx, rules, &identifier, carriers).await? {
            quarantine::add(tx, &identifier).await?;
        }
    }
    Ok(())
}

/// Links anew what a customer hangs together with, and gives it a new revision: what it shows of itself changed.
async fn link(tx: &Tx, rules: &Rules, namespace: &str, customer: CustomerId) -> Result<Written, Fault> {
    let component = component::lock(tx, &[customer], rules).await?;
    let Some(Held::Live { revision, .. }) = component.held.get(&customer) else { return Ok(Written::default()) };
    if !component.links.values().any(|link| link.customer == customer) {
        return Err(grew());
    }
    let partition = partition(&component.evidence, &rules.namespaces);
    let mut changes = relink::changes(&partition, &component.records, &component.owners(), &component.held);
    let stands = partition.clusters.iter().find(|cluster| cluster.customer == customer);
    if let Some(cluster) = stands.filter(|_| !changes.live.iter().any(|(id, _)| *id == customer)) {
        let records = cluster.members.keys().filter_map(|subject| component.records.get(subject).cloned());
        changes.live.push((customer, records.collect()));
        changes.revision = changes.revision.max(revision + 1);
    }
    let mut apart = BTreeMap::new();
    for moved in changes.moves.iter().filter(|moved| moved.from == Some(customer) && moved.to != customer) {
        if is_quarantined(tx, rules, namespace, component.records.get(&moved.subject)).await? {
            apart.insert(moved.subject, namespace.to_owned());
        }
    }
    let written = apply::write(tx, &component, &changes, rules).await?;
    candidates::came_apart(tx, &partition, &changes, &apart).await?;
    Ok(written)
}

/// Whether a record carries a value of a strong namespace that too many carry.
async fn is_quarantined(tx: &Tx, rules: &Rules, namespace: &str, record: Option<&Record>) -> Result<bool, Fault> {
    if rules.namespaces.strong(namespace).is_none() {
        return Ok(false);
    }
    let carried = record.into_iter().flat_map(|record| record.claims.identifiers.keys());
    for identifier in carried.filter(|it| it.namespace == namespace).filter_map(|it| rules.namespaces.effective(it)) {
        if component::linked_by(tx, rules, &identifier).await?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}
