//! Newcomers of an import: records that nobody told of before, and that share no identifier with any other. Each begins a
//! customer of its own whatever came before it, so that all of them are written together: what Identify would write for
//! each, by as many statements as it takes for one.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rapport_data::Tx;
use rapport_kernel::{CustomerId, Fault, SubjectId};

use super::component::Component;
use super::identify::{Identification, Identified};
use super::{Written, apply};
use crate::domain::bounds;
use crate::domain::claims::Claims;
use crate::domain::linking::{Cause, Cluster, Partition};
use crate::domain::profile::{Profile, Record};
use crate::domain::rules::Rules;
use crate::domain::value::{Identifier, SourceRecord};
use crate::store::identifier::Carried;
use crate::store::observation::Observation;
use crate::store::subject::Subject;
use crate::store::{identifier, observation, source_deletion, subject};

/// A newcomer.
struct Newcomer<'a> {
    /// Its place among the items.
    at: usize,
    input: &'a Identification,
    /// The identifiers that count, as they count.
    stated: BTreeSet<Identifier>,
    record: Record,
}

/// Begins the customers of those items that are newcomers, by their places.
pub(super) async fn begin(
    tx: &Tx,
    rules: &Rules,
    inputs: &[Identification],
) -> Result<BTreeMap<usize, Identified>, Fault> {
    // Who looks alike is found record by record.
    if rules.matcher.is_some() {
        return Ok(BTreeMap::new());
    }
    let newcomers = find(tx, rules, inputs).await?;
    let profiles = write(tx, rules, &newcomers).await?;
    let identified = |newcomer: &Newcomer| {
        let profile = profiles.get(&newcomer.record.subject).ok_or_else(|| Fault::internal("no profile was begun"))?;
        let written = Written { live: vec![Arc::clone(profile)], ..Written::default() };
        Ok((newcomer.at, Identified::begun(rules, newcomer.input, Arc::clone(profile), written)))
    };
    newcomers.iter().map(identified).collect()
}

/// The items that share nothing: neither with what is held nor with another item.
async fn find<'a>(tx: &Tx, rules: &Rules, inputs: &'a [Identification]) -> Result<Vec<Newcomer<'a>>, Fault> {
    let effective = |input: &Identification| -> BTreeSet<Identifier> {
        let stated = input.statement.identifiers.iter();
        stated.filter_map(|it| rules.namespaces.effective(it)).map(Cow::into_owned).collect()
    };
    let links = |it: &&Identifier| {
        rules.namespaces.strong(&it.namespace).is_some() || rules.namespaces.weak(&it.namespace).is_some()
    };
    let stated: Vec<BTreeSet<Identifier>> = inputs.iter().map(effective).collect();
    let (mut names, mut values) = (BTreeMap::<&SourceRecord, usize>::new(), BTreeMap::<&Identifier, usize>::new());
    for (input, stated) in inputs.iter().zip(&stated) {
        *names.entry(&input.name).or_default() += 1;
        for identifier in stated.iter().filter(links) {
            *values.entry(identifier).or_default() += 1;
        }
    }
    let unique: Vec<SourceRecord> = names.keys().copied().cloned().collect();
    let known = subject::by_names(tx, &unique).await?;
    let deleted = source_deletion::of_names(tx, &unique).await?;
    let carried = identifier::carriers_of(tx, values.keys().copied(), 1).await?;
    let is_new = |input: &Identification, stated: &BTreeSet<Identifier>| {
        names.get(&input.name) == Some(&1)
            && !known.contains_key(&input.name)
            && !deleted.contains_key(&input.name)
            && stated.iter().filter(links).all(|it| values.get(it) == Some(&1) && !carried.contains_key(it))
    };
    let mut found = Vec::new();
    for (at, (input, stated)) in inputs.iter().zip(&stated).enumerate().filter(|(_, (input, of))| is_new(input, of)) {
        let claims = Claims::of(&input.statement, input.observed_at);
        let record = Record { subject: SubjectId::new(), name: input.name.clone(), created_at: tx.now(), claims };
        // Who would hold too much is refused by the unit that is its own.
        if bounds::check(std::slice::from_ref(&record)).is_ok() {
            found.push(Newcomer { at, input, stated: stated.clone(), record });
        }
    }
    Ok(found)
}

async fn write(
    tx: &Tx,
    rules: &Rules,
    newcomers: &[Newcomer<'_>],
) -> Result<BTreeMap<CustomerId, Arc<Profile>>, Fault> {
    if newcomers.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (mut subjects, mut carried, mut said) = (Vec::new(), Vec::new(), Vec::new());
    let (mut component, mut partition) = (Component::default(), Partition::default());
    for Newcomer { input, stated, record, .. } in newcomers {
        let (id, first_seen, recorded_at) = (record.subject, input.observed_at, tx.now());
        subjects.push(Subject { id, name: record.name.clone(), created_at: record.created_at });
        carried.extend(stated.iter().map(|it| Carried { subject: id, identifier: it.clone(), first_seen }));
        let (observed_at, statement) = (input.observed_at, input.statement.clone());
        said.push(Observation { subject: id, observed_at, recorded_at, statement });
        partition.clusters.push(Cluster { customer: id, members: BTreeMap::from([(id, Cause::Origin)]) });
        component.records.insert(id, record.clone());
    }
    subject::add(tx, &subjects).await?;
    identifier::put(tx, &carried).await?;
    let (_, written) = apply::relink(tx, &component, &partition, rules).await?;
    observation::add(tx, &said).await?;
    Ok(written.live.into_iter().map(|profile| (profile.customer, profile)).collect())
}
