//! To which subject a call that names a customer attaches: a customer id's home subject, or the subject that first
//! carried the identifier. What is said of an identifier that nobody carries begins a record of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rapport_data::{Rx, Tx};
use rapport_kernel::{CustomerId, Fault, Private, SubjectId, Timestamp};
use sha2::{Digest as _, Sha256};

use super::before::Before;
use super::component::Component;
use super::identify::{identifier_key, record_key};
use super::{Written, apply, grew, matching};
use crate::domain::claims::Statement;
use crate::domain::linking::{Cause, Cluster, Partition};
use crate::domain::profile::{Profile, Record, fold};
use crate::domain::relink::Held;
use crate::domain::rules::Rules;
use crate::domain::value::{Identifier, Named, SourceRecord};
use crate::store::identifier::Carried;
use crate::store::observation::Observation;
use crate::store::subject::Subject;
use crate::store::{identifier, link, observation, profile, source_deletion, subject};

/// How often a unit looks for customers that others merge and split meanwhile, before it runs anew.
const MOST_LOOKS: usize = 8;

/// The subject that a name attaches to, and the customer that holds it now.
///
/// # Errors
/// NOT_FOUND.
pub async fn resolve(rx: &Rx, named: &Named) -> Result<(SubjectId, CustomerId), Fault> {
    let subject = match named {
        Named::Id(id) => *id,
        Named::Identifier(identifier) => {
            identifier::first_carrier(rx, identifier, Timestamp::MAX).await?.ok_or_else(|| named.not_found())?
        }
    };
    let link = link::current(rx, subject).await?.ok_or_else(|| named.not_found())?;
    Ok((subject, link.customer))
}

/// What is to be attached: whose it is, by whom it is said, and when it happened.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Whose.
    pub named: Named,
    /// The source that says so: of the record that is begun where nobody carries the identifier.
    pub source: String,
    /// When the source knew the customer by that name.
    pub observed_at: Timestamp,
}

/// Where it attaches.
#[derive(Clone, Debug)]
pub struct Attached {
    /// The subject, for ever.
    pub subject: SubjectId,
    /// The profile of the customer that holds it now.
    pub profile: Arc<Profile>,
}

/// Finds, or begins, the subjects that many items attach to, in their order; `None` where there is no such
/// customer. Hand what it wrote to [`super::Profiles::show`] after the commit.
pub(crate) async fn attach(
    tx: &Tx,
    rules: &Rules,
    wanted: &[Wanted],
) -> Result<(Vec<Option<Attached>>, Written), Fault> {
    let mut carriers = carriers(tx, wanted.iter()).await?;
    let begins = |it: &&Wanted| missing(&it.named, &carriers) && !is_blocked(&it.named, rules);
    let unknown: Vec<&Wanted> = wanted.iter().filter(begins).collect();
    let mut written = Written::default();
    if !unknown.is_empty() {
        // Seldom needed, and no part of every recording's own future.
        written = Box::pin(begin(tx, rules, &unknown, &mut carriers)).await?;
    }
    let subject = |wanted: &Wanted| match &wanted.named {
        Named::Id(id) => Some(*id),
        Named::Identifier(identifier) => carriers.get(identifier).copied(),
    };
    let subjects: Vec<Option<SubjectId>> = wanted.iter().map(subject).collect();
    let profiles = holders(tx, rules, subjects.iter().flatten().copied().collect(), &written).await?;
    let attached = |subject: SubjectId| Some(Attached { subject, profile: Arc::clone(profiles.get(&subject)?) });
    Ok((subjects.into_iter().map(|subject| subject.and_then(attached)).collect(), written))
}

/// The profiles of the customers that hold subjects now.
async fn holders(
    tx: &Tx,
    rules: &Rules,
    subjects: BTreeSet<SubjectId>,
    written: &Written,
) -> Result<BTreeMap<SubjectId, Arc<Profile>>, Fault> {
    let mut held: BTreeMap<CustomerId, Arc<Profile>> =
        written.live.iter().map(|profile| (profile.customer, Arc::clone(profile))).collect();
    let mut found: BTreeMap<SubjectId, Arc<Profile>> = BTreeMap::new();
    let mut cold = Vec::new();
    for subject in subjects {
        match held.get(&subject) {
            Some(profile) => drop(found.insert(subject, Arc::clone(profile))),
            None => cold.push(subject),
        }
    }
    // Another unit may merge or split them between the look at the links and the look at the customers.
    for _ in 0..MOST_LOOKS {
        let links = link::current_of(tx, &cold).await?;
        let customers: BTreeSet<CustomerId> = links.values().map(|link| link.customer).collect();
        let unseen: Vec<_> = customers.into_iter().filter(|customer| !held.contains_key(customer)).collect();
        for (customer, row) in profile::by_ids(tx, &unseen).await? {
            if let Held::Live { revision, records } = row.held {
                let profile = fold(customer, revision, row.updated_at, &records, rules).at(tx.now());
                let profile = profile.with(row.derived, rules);
                held.insert(customer, Arc::new(profile));
            }
        }
        cold.clear();
        for (subject, link) in links {
            match held.get(&link.customer) {
                Some(profile) => drop(found.insert(subject, Arc::clone(profile))),
                None => cold.push(subject),
            }
        }
        if cold.is_empty() {
            return Ok(found);
        }
    }
    Err(grew())
}

/// Begins a record, and a customer, for each identifier that nobody carries.
async fn begin(
    tx: &Tx,
    rules: &Rules,
    unknown: &[&Wanted],
    carriers: &mut BTreeMap<Identifier, SubjectId>,
) -> Result<Written, Fault> {
    let mut first = BTreeMap::<&Identifier, &Wanted>::new();
    for &wanted in unknown {
        if let Named::Identifier(identifier) = &wanted.named {
            let held = first.entry(identifier).or_insert(wanted);
            if (wanted.observed_at, &wanted.source) < (held.observed_at, &held.source) {
                *held = wanted;
            }
        }
    }
    // As records that are named by a call: nobody else begins or deletes them meanwhile.
    let records = first.iter().map(|(identifier, wanted)| record_key(&name(identifier, &wanted.source)));
    let keys: BTreeSet<String> = first.keys().map(|identifier| identifier_key(identifier)).chain(records).collect();
    tx.lock(&keys.into_iter().collect::<Vec<_>>()).await?;
    carriers.extend(self::carriers(tx, unknown.iter().copied()).await?);
    first.retain(|identifier, _| !carriers.contains_key(*identifier));
    let names: Vec<SourceRecord> = first.iter().map(|(identifier, wanted)| name(identifier, &wanted.source)).collect();
    let named = subject::by_names(tx, &names).await?;
    let mut new = New { deletions: source_deletion::of_names(tx, &names).await?, ..New::default() };
    for ((identifier, wanted), name) in first.into_iter().zip(names) {
        // A source may itself have named a record so.
        let id = match named.get(&name) {
            Some(known) => *known,
            None => new.add(tx, name, identifier, wanted.observed_at),
        };
        carriers.insert(identifier.clone(), id);
    }
    new.write(tx, rules).await
}

/// Who first carried the identifiers that are wanted.
async fn carriers(rx: &Rx, wanted: impl Iterator<Item = &Wanted>) -> Result<BTreeMap<Identifier, SubjectId>, Fault> {
    let mut values = BTreeMap::<&str, BTreeSet<&String>>::new();
    for wanted in wanted {
        if let Named::Identifier(identifier) = &wanted.named {
            values.entry(&identifier.namespace).or_default().insert(identifier.value.expose());
        }
    }
    let mut found = BTreeMap::new();
    for (namespace, values) in values {
        let values: Vec<String> = values.into_iter().cloned().collect();
        for (value, subject) in identifier::first_carriers(rx, namespace, &values).await? {
            found.insert(Identifier { namespace: namespace.to_owned(), value: Private::new(value) }, subject);
        }
    }
    Ok(found)
}

/// How many characters the contract lets a record's id have.
const NAME_CHARS: usize = 256;

/// The name of the record that is begun for an identifier, as the contract documents it: the same for ever, and one
/// that every call takes. A value that is too long for it stands there as its SHA-256.
fn name(identifier: &Identifier, source: &str) -> SourceRecord {
    let mut external_id = format!("{}:{}", identifier.namespace, identifier.value.expose());
    if external_id.chars().count() > NAME_CHARS {
        let digest = Sha256::digest(identifier.value.expose());
        external_id = format!("{}:sha256:{}", identifier.namespace, hex(&digest));
    }
    SourceRecord { source: source.to_owned(), external_id: Private::new(external_id) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn missing(named: &Named, carriers: &BTreeMap<Identifier, SubjectId>) -> bool {
    matches!(named, Named::Identifier(identifier) if !carriers.contains_key(identifier))
}

/// Whether a customer is named by a value that links nobody: it stands for none.
fn is_blocked(named: &Named, rules: &Rules) -> bool {
    matches!(named, Named::Identifier(identifier) if rules.namespaces.is_blocked(identifier))
}

/// Records to begin, each with one identifier and a customer of its own.
#[derive(Default)]
struct New {
    subjects: Vec<Subject>,
    carried: Vec<Carried>,
    observations: Vec<Observation>,
    /// When their sources deleted those of which that was told first.
    deletions: BTreeMap<SourceRecord, Timestamp>,
    component: Component,
    partition: Partition,
}

impl New {
    fn add(&mut self, tx: &Tx, name: SourceRecord, identifier: &Identifier, at: Timestamp) -> SubjectId {
        let (id, now) = (SubjectId::new(), tx.now());
        let statement = Statement { identifiers: [identifier.clone()].into(), ..Statement::default() };
        let before = self.deletions.get(&name).map(|at| Before::deleted(&name.source, *at)).unwrap_or_default();
        let mut claims = before.claims();
        claims.hear(&statement, at);
        self.subjects.push(Subject { id, name: name.clone(), created_at: now });
        self.carried.push(Carried { subject: id, identifier: identifier.clone(), first_seen: at });
        let said = |(statement, observed_at)| Observation { subject: id, observed_at, recorded_at: now, statement };
        self.observations.extend(before.said().chain([(statement, at)]).map(said));
        self.component.records.insert(id, Record { subject: id, name, created_at: now, claims });
        let members = BTreeMap::from([(id, Cause::Origin)]);
        self.partition.clusters.push(Cluster { customer: id, members });
        id
    }

    async fn write(self, tx: &Tx, rules: &Rules) -> Result<Written, Fault> {
        subject::add(tx, &self.subjects).await?;
        source_deletion::forget(tx, &self.deletions.keys().cloned().collect::<Vec<_>>()).await?;
        identifier::put(tx, &self.carried).await?;
        observation::add(tx, &self.observations).await?;
        for record in self.component.records.values() {
            // One identifier alone makes nobody look like another: its record is only there to be met.
            matching::note(tx, rules, record.subject, &record.claims, false).await?;
        }
        Ok(apply::relink(tx, &self.component, &self.partition, rules).await?.1)
    }
}
