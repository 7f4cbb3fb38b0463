//! Erasure: nothing of a subject is left but its tombstone. What its customer keeps of other records is folded anew;
//! its ids are then not found, and a later Identify of the same source record begins a new subject.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rapport_data::{Rx, Tx};
use rapport_kernel::{CustomerId, Fault, Reason, SubjectId, Timestamp};
use rapport_platform::Call;

use super::component::{self, Component};
use super::{Outcome, Profiles, Written, apply, crowding, matching as online};
use crate::domain::linking::partition;
use crate::domain::rules::Rules;
use crate::domain::value::Identifier;
use crate::events;
use crate::store::identifier::Carried;
use crate::store::{
    account_member, assertion, candidate, identifier, interaction, link, matching, memory, observation, persona_member,
    profile, profile_revision, quarantine, score, search_term, segment_interval, subject, trait_value,
};

/// What an erasure did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// How many rows it deleted.
    pub deleted_rows: u64,
    /// Whether the bus holds no event of an erased subject any more.
    pub bus_clear: bool,
}

struct Done {
    deleted: u64,
    written: Written,
}

impl Outcome for Done {
    fn written(&self) -> &Written {
        &self.written
    }
}

impl Profiles {
    /// Erases subjects, a customer's in one transaction. Idempotent.
    ///
    /// # Errors
    /// As [`rapport_data::Database::write`]; what was erased until then stays erased.
    pub async fn erase(&self, call: &Call, erasure: &str, subjects: &[SubjectId]) -> Result<Erased, Fault> {
        let mut left: BTreeSet<SubjectId> = subjects.iter().copied().collect();
        let (rules, mut deleted_rows) = (self.rules(call).await?, 0);
        while let Some(first) = left.first().copied() {
            let read = self.read(call, |rx| async move { company(&rx, first).await });
            let company = read.await?;
            let some: Arc<[SubjectId]> =
                left.iter().copied().filter(|it| *it == first || company.contains(it)).collect();
            left.retain(|subject| !some.contains(subject));
            let (rules, erasure) = (Arc::clone(&rules), erasure.to_owned());
            let unit = move |tx: Tx| {
                let (rules, erasure, some) = (Arc::clone(&rules), erasure.clone(), Arc::clone(&some));
                async move { erase(&tx, &rules, &erasure, &some).await }
            };
            deleted_rows += self.change_erasing(call, unit).await?.deleted;
        }
        Ok(Erased { deleted_rows, bus_clear: self.0.database.bus_clear().await? })
    }
}

/// The records that are one customer with a record.
async fn company(rx: &Rx, subject: SubjectId) -> Result<BTreeSet<SubjectId>, Fault> {
    match link::current(rx, subject).await? {
        None => Ok(BTreeSet::new()),
        Some(link) => Ok(link::members(rx, &[link.customer]).await?.into_iter().map(|link| link.subject).collect()),
    }
}

async fn erase(tx: &Tx, rules: &Rules, erasure: &str, erased: &[SubjectId]) -> Result<Done, Fault> {
    let freed = freed(tx, rules, erased).await?;
    let carriers = freed.iter().flat_map(|value| value.carriers.iter().copied());
    let seeds: Vec<SubjectId> = erased.iter().copied().chain(carriers).collect::<BTreeSet<_>>().into_iter().collect();
    let (seeds, before, reunites) = match component::lock(tx, &seeds, rules).await {
        Ok(before) => (seeds, before, true),
        // Together they are too many for one component. An erasure waits for nothing: the values stay quarantined.
        Err(fault) if fault.reason == Reason::IdentityConflict => {
            (erased.to_vec(), component::lock(tx, erased, rules).await?, false)
        }
        Err(fault) => return Err(fault),
    };
    let new = erased.len() > tx.is_entombed(erased).await?.len();
    let mut deleted = assertion::forget(tx, erased).await?;
    deleted += candidate::forget(tx, erased).await?;
    let crowds = crowds(tx, rules, erased).await?;
    deleted += matching::delete(tx, erased).await?;
    deleted += observation::delete(tx, erased).await?;
    deleted += identifier::delete(tx, erased).await?;
    deleted += link::delete(tx, erased).await?;
    deleted += profile::delete(tx, erased).await?;
    deleted += profile_revision::delete(tx, erased).await?;
    deleted += search_term::delete(tx, erased).await?;
    deleted += trait_value::delete(tx, erased).await?;
    deleted += account_member::delete(tx, erased).await?;
    deleted += persona_member::delete(tx, erased).await?;
    deleted += interaction::erase(tx, erased).await?;
    deleted += score::delete(tx, erased).await?;
    deleted += memory::delete(tx, erased).await?;
    deleted += segment_interval::delete(tx, erased).await?;
    deleted += subject::delete(tx, erased).await?;
    tx.erase(erased).await?;
    for value in freed {
        value.settle(tx, reunites, erased).await?;
    }
    let survivors: Vec<SubjectId> = seeds.into_iter().filter(|subject| !erased.contains(subject)).collect();
    let rest: Vec<SubjectId> = before.records.keys().copied().filter(|subject| !erased.contains(subject)).collect();
    let after = without(component::explore(tx, &[survivors, rest].concat(), rules).await?, &before, erased);
    let partition = partition(&after.evidence, &rules.namespaces);
    let (_, mut written) = apply::relink(tx, &after, &partition, rules).await?;
    if new || deleted > 0 {
        for subject in erased {
            tx.publish(events::subject_erased(*subject, erasure, tx.now())).await?;
        }
    }
    if let Some(matcher) = &rules.matcher {
        let crossed = crowding::shrunk(tx, matcher, &crowds).await?;
        online::relink(tx, rules, &crossed.linked, &mut written).await?;
        for subject in crossed.touched {
            online::review_of(tx, rules, subject).await?;
        }
    }
    written.gone = erased.to_vec();
    Ok(Done { deleted, written })
}

/// How large the blocks of records are that are about to be erased.
async fn crowds(tx: &Tx, rules: &Rules, erased: &[SubjectId]) -> Result<BTreeMap<i64, usize>, Fault> {
    let Some(matcher) = &rules.matcher else { return Ok(BTreeMap::new()) };
    online::lock_records(tx, erased.iter().copied()).await?;
    let keys: BTreeSet<i64> = matching::keys(tx, erased).await?.into_values().flatten().collect();
    online::lock_blocks(tx, &keys).await?;
    // More than the bound and all who go: then nothing changes.
    let most = matcher.scorer().schema().settings().bounds.per_block + erased.len() + 1;
    let blocks = matching::blocks(tx, &keys.into_iter().collect::<Vec<_>>(), most).await?;
    Ok(blocks.into_iter().map(|(key, block)| (key, block.len())).collect())
}

/// A value that too many records carry until now, or that was kept quarantined, and those who carry it.
struct Freed {
    identifier: Identifier,
    carriers: Vec<SubjectId>,
}

impl Freed {
    /// Lets the value link again, or keeps it from it; forgets it with its last carrier.
    async fn settle(self, tx: &Tx, reunites: bool, erased: &[SubjectId]) -> Result<(), Fault> {
        if reunites || self.carriers.iter().all(|carrier| erased.contains(carrier)) {
            quarantine::forget(tx, &self.identifier).await?;
            return identifier::release(tx, &self.identifier).await;
        }
        let (subject, first_seen) = (identifier::NOBODY, Timestamp::MAX);
        identifier::put(tx, &[Carried { subject, identifier: self.identifier, first_seen }]).await
    }
}

/// The values that link again, or may, when subjects are gone.
async fn freed(tx: &Tx, rules: &Rules, erased: &[SubjectId]) -> Result<Vec<Freed>, Fault> {
    let mut values = BTreeMap::new();
    for carried in identifier::of_subjects(tx, erased).await? {
        *values.entry(carried.identifier).or_insert(0_usize) += 1;
    }
    let mut freed = Vec::new();
    for (identifier, leaving) in values {
        if rules.namespaces.find(&identifier.namespace).is_none() {
            continue;
        }
        let limit = component::limit_of(tx, rules, &identifier, usize::MAX).await?;
        let all = identifier::carriers(tx, &identifier, limit + leaving + 2).await?;
        let carriers: Vec<SubjectId> =
            all.iter().map(|carrier| carrier.subject).filter(|subject| *subject != identifier::NOBODY).collect();
        if carriers.iter().all(|carrier| erased.contains(carrier)) {
            quarantine::forget(tx, &identifier).await?;
        }
        let quarantined = carriers.len() > limit || carriers.len() < all.len();
        if quarantined && carriers.len() - leaving <= limit {
            freed.push(Freed { identifier, carriers });
        }
    }
    Ok(freed)
}

/// What is left of a component: records that a customer's row of before held are there though its home is gone.
fn without(mut after: Component, before: &Component, erased: &[SubjectId]) -> Component {
    let gone = |id: &CustomerId| erased.contains(id);
    for (subject, record) in before.records.iter().filter(|(subject, _)| !gone(subject)) {
        if after.evidence.subjects.contains_key(subject) {
            after.records.insert(*subject, record.clone());
        }
    }
    after
}
