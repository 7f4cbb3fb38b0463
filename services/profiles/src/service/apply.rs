//! Writes what a new partition changes: links, profiles, and the events that tell of them. Nothing else.

use std::sync::Arc;

use rapport_data::Tx;
use rapport_kernel::{CustomerId, Fault, SubjectId, Timestamp};

use super::Written;
use super::component::Component;
use crate::domain::linking::Partition;
use crate::domain::profile::{Profile, Record, fold};
use crate::domain::relink::{self, Changes, Held};
use crate::domain::rules::Rules;
use crate::domain::search;
use crate::events;
use crate::store::link::Link;
use crate::store::{link, profile, search_term, trait_value};

/// Writes the difference between a component as it is held and a partition of it.
pub async fn relink(
    tx: &Tx,
    component: &Component,
    partition: &Partition,
    rules: &Rules,
) -> Result<(Changes, Written), Fault> {
    let changes = relink::changes(partition, &component.records, &component.owners(), &component.held);
    let written = write(tx, component, &changes, rules).await?;
    Ok((changes, written))
}

/// Writes changes.
pub async fn write(tx: &Tx, component: &Component, changes: &Changes, rules: &Rules) -> Result<Written, Fault> {
    let (revision, now) = (changes.revision, component.instant(tx.now()));
    let live = changes.live.iter().map(|(id, records)| (*id, Held::Live { revision, records: records.clone() }));
    let redirects = changes.redirects.iter().map(|(id, to)| (*id, Held::Redirect { revision, to: *to }));
    profile::put(tx, &live.chain(redirects).collect::<Vec<_>>(), now).await?;
    move_links(tx, component, changes, now).await?;
    let fold =
        |(customer, records): &(CustomerId, Vec<Record>)| Arc::new(fold(*customer, revision, now, records, rules));
    let mut written = Written { live: changes.live.iter().map(fold).collect(), ..Written::default() };
    index(tx, &written.live, rules).await?;
    search_term::delete(tx, &changes.merged).await?;
    trait_value::delete(tx, &changes.merged).await?;
    for profile in &written.live {
        tx.publish(events::profile_changed(profile, now)).await?;
    }
    for (id, to) in &changes.redirects {
        tx.publish(events::merged_away(*id, *to, revision, now)).await?;
        written.merged.push((*id, *to, revision));
    }
    Ok(written)
}

async fn move_links(tx: &Tx, component: &Component, changes: &Changes, now: Timestamp) -> Result<(), Fault> {
    let ended: Vec<SubjectId> =
        changes.moves.iter().filter(|moved| moved.from.is_some()).map(|moved| moved.subject).collect();
    link::end(tx, &ended, now, changes.revision).await?;
    let begun = changes.moves.iter().map(|moved| Link {
        subject: moved.subject,
        revision: component.links.get(&moved.subject).map_or(0, |link| link.revision) + 1,
        customer: moved.to,
        started_at: now,
        ended_at: None,
        cause: moved.cause.clone(),
        profile_revision: changes.revision,
        end_revision: None,
    });
    let begun: Vec<Link> = begun.collect();
    link::begin(tx, &begun).await?;
    for (moved, link) in changes.moves.iter().zip(&begun) {
        tx.publish(events::subject_linked(moved.from, link)).await?;
    }
    Ok(())
}

/// Writes a customer's new state where no record moves; `held` is the state before.
pub async fn update(
    tx: &Tx,
    component: (CustomerId, u64),
    records: Vec<Record>,
    rules: &Rules,
) -> Result<Arc<Profile>, Fault> {
    let (customer, before) = component;
    let changes = Changes { revision: before + 1, live: vec![(customer, records)], ..Changes::default() };
    let mut written = write(tx, &Component::default(), &changes, rules).await?;
    written.live.pop().ok_or_else(|| Fault::internal("the new state of a customer was not written"))
}

/// Writes the new states of customers of which no record moves; each comes with its revision before.
pub async fn update_many(
    tx: &Tx,
    changed: Vec<(CustomerId, u64, Vec<Record>)>,
    rules: &Rules,
) -> Result<Vec<Arc<Profile>>, Fault> {
    let now = tx.now();
    let fold = |(customer, before, records): &(CustomerId, u64, Vec<Record>)| {
        Arc::new(fold(*customer, before + 1, now, records, rules))
    };
    let live: Vec<Arc<Profile>> = changed.iter().map(fold).collect();
    let held = |(customer, before, records)| (customer, Held::Live { revision: before + 1, records });
    profile::put(tx, &changed.into_iter().map(held).collect::<Vec<_>>(), now).await?;
    index(tx, &live, rules).await?;
    for profile in &live {
        tx.publish(events::profile_changed(profile, now)).await?;
    }
    Ok(live)
}

/// Notes by what the customers are found now.
async fn index(tx: &Tx, live: &[Arc<Profile>], rules: &Rules) -> Result<(), Fault> {
    let words = live.iter().map(|profile| (profile.customer, search::terms(profile, rules))).collect();
    let new = live.iter().filter(|profile| profile.revision == 1).map(|profile| profile.customer).collect();
    search_term::set(tx, &words, &new).await?;
    trait_value::set(tx, &live.iter().map(AsRef::as_ref).collect::<Vec<_>>(), &new).await
}
