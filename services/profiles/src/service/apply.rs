//! Writes what a new partition changes: links, profiles, and the events that tell of them. Nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rapport_data::Tx;
use rapport_kernel::{CustomerId, Fault, SubjectId, Timestamp};

use super::component::Component;
use super::{Written, candidates, derive, matching};
use crate::domain::bounds;
use crate::domain::derived::Derived;
use crate::domain::linking::Partition;
use crate::domain::profile::{Profile, Record, fold};
use crate::domain::relink::{self, Changes, Held};
use crate::domain::rules::Rules;
use crate::domain::search;
use crate::events;
use crate::store::link::Link;
use crate::store::profile_revision::{self, Reached};
use crate::store::{index, link, persona_member, profile, search_term, trait_value};

/// Writes the difference between a component as it is held and a partition of it.
pub async fn relink(
    tx: &Tx,
    component: &Component,
    partition: &Partition,
    rules: &Rules,
) -> Result<(Changes, Written), Fault> {
    let mut changes = relink::changes(partition, &component.records, &component.owners(), &component.held);
    for (customer, records) in unseen(component, &mut changes, rules, tx.now()) {
        keep(tx, customer, records).await?;
    }
    let written = Box::pin(write(tx, component, &changes, rules)).await?;
    Ok((changes, written))
}

/// Takes out of changes the new states of customers of which nobody sees a difference.
fn unseen(
    component: &Component,
    changes: &mut Changes,
    rules: &Rules,
    now: Timestamp,
) -> Vec<(CustomerId, Vec<Record>)> {
    let moved = changes.moves.iter().flat_map(|moved| [moved.from, Some(moved.to)]).flatten();
    let moved: BTreeSet<CustomerId> = moved.collect();
    let stays = |customer: CustomerId, records: &[Record]| match component.held.get(&customer) {
        Some(Held::Live { records: said, .. }) if !moved.contains(&customer) => {
            is_unseen(customer, said, records, rules, now)
        }
        _ => false,
    };
    changes.live.extract_if(.., |(customer, records)| stays(*customer, records)).collect()
}

/// Whether a customer's records differ by nothing but what was said late of such as their sources deleted, and nobody sees
/// that.
pub(crate) fn is_unseen(
    customer: CustomerId,
    said: &[Record],
    records: &[Record],
    rules: &Rules,
    now: Timestamp,
) -> bool {
    let is_deleted = |record: &Record| record.claims.deleted_at().is_some();
    let held = |record: &Record| said.iter().find(|held| held.subject == record.subject);
    let is_late = |record: &Record| match held(record) {
        Some(held) => held == record || (is_deleted(held) && is_deleted(record)),
        None => false,
    };
    let folded = |records: &[Record]| fold(customer, 0, now, records, rules);
    said.len() == records.len() && records.iter().all(is_late) && folded(said) == folded(records)
}

/// Keeps a customer's records where nobody sees a difference: it is at the revision that it was at.
pub(crate) async fn keep(tx: &Tx, customer: CustomerId, records: Vec<Record>) -> Result<(), Fault> {
    bounds::check(&records)?;
    let Some(profile::Row { held: Held::Live { revision, .. }, updated_at, derived }) =
        profile::find(tx, customer).await?
    else {
        return Err(Fault::internal("a linked customer has no profile"));
    };
    let held = [(customer, Held::Live { revision, records })];
    profile::put(tx, &held, &BTreeMap::from([(customer, derived)]), updated_at).await
}

/// Writes changes.
pub async fn write(tx: &Tx, component: &Component, changes: &Changes, rules: &Rules) -> Result<Written, Fault> {
    let (revision, now) = (changes.revision, component.instant(tx.now()));
    let live = changes.live.iter().map(|(id, records)| (*id, Held::Live { revision, records: records.clone() }));
    let redirects = changes.redirects.iter().map(|(id, to)| (*id, Held::Redirect { revision, to: *to }));
    let fresh = derive::of_changes(tx, component, changes, rules, now).await?;
    let derived = fresh.iter().map(|one| (one.profile.customer, Arc::clone(&one.profile.derived))).collect();
    profile::put(tx, &live.chain(redirects).collect::<Vec<_>>(), &derived, now).await?;
    revisions(tx, changes, now).await?;
    derive::write(tx, component, changes, &fresh, now).await?;
    move_links(tx, component, changes, now).await?;
    let mut written = Written::default();
    if rules.matcher.is_some() && !component.links.is_empty() {
        written.alike = Box::pin(matching::follow(tx, rules, component, changes)).await?;
    }
    for one in fresh {
        let profile = Arc::new(one.profile);
        tx.publish(events::profile_flipped(&profile, &one.flips, now)).await?;
        written.live.push(profile);
    }
    index(tx, &written.live, rules).await?;
    search_term::delete(tx, &changes.merged).await?;
    trait_value::delete(tx, &changes.merged).await?;
    if rules.personas.is_some() {
        let live =
            written.live.iter().map(|profile| (profile.customer, profile.persona.as_ref().map(|has| has.persona)));
        let gone = changes.redirects.iter().map(|(id, _)| (*id, None));
        persona_member::put(tx, &live.chain(gone).collect::<Vec<_>>()).await?;
    }
    for (id, to) in &changes.redirects {
        let left = component.derived.get(id).map(|derived| derived.segments.keys().copied().collect::<Vec<_>>());
        tx.publish(events::merged_away(*id, *to, (revision, now), &left.unwrap_or_default())).await?;
        written.merged.push((*id, *to, revision));
    }
    Ok(written)
}

/// Notes which revision the customers with a new state reached. Where one is made, or made again, the link of its home
/// record tells so.
async fn revisions(tx: &Tx, changes: &Changes, now: Timestamp) -> Result<(), Fault> {
    let homes: BTreeSet<CustomerId> =
        changes.moves.iter().filter(|moved| moved.subject == moved.to).map(|moved| moved.to).collect();
    let live = changes.live.iter().map(|(customer, _)| *customer).filter(|customer| !homes.contains(customer));
    let reached: Vec<Reached> =
        live.map(|customer| Reached { customer, revision: changes.revision, at: now }).collect();
    profile_revision::add(tx, &reached).await
}

async fn move_links(tx: &Tx, component: &Component, changes: &Changes, now: Timestamp) -> Result<(), Fault> {
    let ended: Vec<SubjectId> =
        changes.moves.iter().filter(|moved| moved.from.is_some()).map(|moved| moved.subject).collect();
    link::end(tx, &ended, now).await?;
    let begun = changes.moves.iter().map(|moved| Link {
        subject: moved.subject,
        revision: component.links.get(&moved.subject).map_or(0, |link| link.revision) + 1,
        customer: moved.to,
        started_at: now,
        ended_at: None,
        cause: moved.cause.clone(),
        profile_revision: changes.revision,
    });
    let begun: Vec<Link> = begun.collect();
    link::begin(tx, &begun).await?;
    candidates::settle(tx, &ended).await?;
    for (moved, link) in changes.moves.iter().zip(&begun) {
        tx.publish(events::subject_linked(moved.from, link)).await?;
    }
    Ok(())
}

/// A customer's state before: its revision, what was derived of it, and its records.
pub struct Prior {
    /// The customer.
    pub customer: CustomerId,
    /// Its revision.
    pub revision: u64,
    /// What was derived of it.
    pub derived: Arc<Derived>,
    /// Its records, as they were before anything was said.
    pub records: Vec<Record>,
}

/// Writes a customer's new state where no record moves.
pub async fn update(tx: &Tx, prior: Prior, records: Vec<Record>, rules: &Rules) -> Result<Arc<Profile>, Fault> {
    let Prior { customer, revision, derived, records: said } = prior;
    let changes = Changes { revision: revision + 1, live: vec![(customer, records)], ..Changes::default() };
    let held = BTreeMap::from([(customer, Held::Live { revision, records: said })]);
    let component = Component { derived: BTreeMap::from([(customer, derived)]), held, ..Component::default() };
    let mut written = Box::pin(write(tx, &component, &changes, rules)).await?;
    written.live.pop().ok_or_else(|| Fault::internal("the new state of a customer was not written"))
}

/// Notes by what the customers are found now.
pub(crate) async fn index(tx: &Tx, live: &[Arc<Profile>], rules: &Rules) -> Result<(), Fault> {
    let words = live.iter().map(|profile| (profile.customer, search::terms(profile, rules))).collect();
    let new = live.iter().filter(|profile| profile.revision == 1).map(|profile| profile.customer).collect();
    // On the heap: what awaits it lies deep already.
    Box::pin(index::set(tx, live, &words, &new)).await
}
