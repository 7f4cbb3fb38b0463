//! The passes of a training over all customers: their records are made ready, weighed with all others, and linked anew.
//! Each unit of a pass holds its records, and one that weighs their blocks too: so whoever is heard meanwhile is either
//! seen by it, or sees what it did.

use std::collections::{BTreeMap, BTreeSet};

use rapport_data::{Engine, Rx, Tx};
use rapport_kernel::{CustomerId, Fault, SubjectId};
use uuid::Uuid;

use super::matching as online;
use super::{Written, apply, candidates, component};
use crate::domain::bounds;
use crate::domain::candidate::{Candidate, CandidateReason};
use crate::domain::linking::{Cause, partition};
use crate::domain::matching::{Matcher, Ready};
use crate::domain::profile::objects_to_profiling;
use crate::domain::relink::Held;
use crate::domain::rules::Rules;
use crate::store::matching::{self, Entry};
use crate::store::{candidate, link, profile};

/// Customers of one unit.
const PAGE: u64 = 100;
/// Customers of one unit that weighs: whoever is heard meanwhile and shares a block with them waits for it.
const WEIGHED: u64 = 25;

/// The last of some customers where more follow, and how many they were.
pub(super) type Page = (Option<Uuid>, u64);

/// Of some customers those that linking anew may change: they have pairs that look alike, or had some.
pub(super) async fn concerned(
    rx: &Rx,
    after: Uuid,
    review: f64,
) -> Result<(Option<Uuid>, u64, Vec<CustomerId>), Fault> {
    let page = profile::after(rx, after, PAGE).await?;
    let count = page.len() as u64;
    let last = page.last().filter(|_| count == PAGE).map(|(id, _)| id.uuid());
    let records = |row: profile::Row| match row.held {
        Held::Live { records, .. } => records.into_iter().map(|record| record.subject).collect(),
        Held::Redirect { .. } => Vec::new(),
    };
    let of: Vec<(CustomerId, Vec<SubjectId>)> = page.into_iter().map(|(id, row)| (id, records(row))).collect();
    let subjects: Vec<SubjectId> = of.iter().flat_map(|(_, subjects)| subjects.iter().copied()).collect();
    let mut found: BTreeSet<SubjectId> =
        matching::edges(rx, &subjects, review).await?.into_iter().map(|edge| edge.subject).collect();
    let links = link::current_of(rx, &subjects).await?;
    found.extend(links.into_values().filter(|link| link.cause == Cause::Match).map(|link| link.subject));
    let asked = candidate::of_subjects(rx, &subjects).await?;
    let asked = asked.iter().filter(|it| it.reason == CandidateReason::Probability);
    found.extend(asked.flat_map(Candidate::subjects));
    let concerned = of.into_iter().filter(|(_, subjects)| subjects.iter().any(|subject| found.contains(subject)));
    Ok((last, count, concerned.map(|(id, _)| id).collect()))
}

/// A record of a customer as it is now, and whether it is compared with nobody.
struct Claimed {
    subject: SubjectId,
    ready: Ready,
    aside: bool,
}

/// The records of some customers, made ready. Nobody else changes what is held of them until the unit ends.
async fn claimed(
    tx: &Tx,
    rules: &Rules,
    matcher: &Matcher,
    after: Uuid,
    most: u64,
) -> Result<(Page, Vec<Claimed>), Fault> {
    tx.hold_erasures().await?;
    let mut page: BTreeMap<CustomerId, profile::Row> = profile::after(tx, after, most).await?.into_iter().collect();
    let done = page.len() as u64;
    let last = page.keys().next_back().filter(|_| done == most).map(|id| id.uuid());
    let live = |page: BTreeMap<CustomerId, profile::Row>| {
        page.into_values().filter_map(|row| match row.held {
            Held::Live { records, .. } => Some(records),
            Held::Redirect { .. } => None,
        })
    };
    let mut locked = None;
    if tx.engine() == Engine::Postgres {
        let ids: Vec<CustomerId> = page.keys().copied().collect();
        let subjects: BTreeSet<SubjectId> = live(page).flatten().map(|record| record.subject).collect();
        online::lock_records(tx, subjects.iter().copied()).await?;
        // Whoever was heard until now is known only now; whoever came to them meanwhile met the others by itself.
        page = profile::by_ids(tx, &ids).await?;
        locked = Some(subjects);
    }
    let mut claimed = Vec::new();
    for records in live(page) {
        let objects = objects_to_profiling(&records);
        for record in records.iter().filter(|it| locked.as_ref().is_none_or(|locked| locked.contains(&it.subject))) {
            let aside = online::is_aside(&record.claims, objects);
            let ready = if aside { matcher.silent() } else { matcher.ready(&record.claims, &rules.namespaces) };
            claimed.push(Claimed { subject: record.subject, ready, aside });
        }
    }
    Ok(((last, done), claimed))
}

/// Makes the records of some customers ready.
pub(super) async fn ready(tx: &Tx, rules: &Rules, matcher: &Matcher, after: Uuid) -> Result<Page, Fault> {
    let (page, claimed) = claimed(tx, rules, matcher, after, PAGE).await?;
    matching::put(tx, matcher.tag(), &claimed.iter().map(entry).collect::<Vec<_>>()).await?;
    Ok(page)
}

fn entry(it: &Claimed) -> Entry {
    Entry { subject: it.subject, prepared: it.ready.record.to_bytes(), keys: it.ready.keys.clone() }
}

/// Weighs the records of some customers with all others.
pub(super) async fn weigh(tx: &Tx, rules: &Rules, matcher: &Matcher, after: Uuid) -> Result<Page, Fault> {
    let (page, claimed) = claimed(tx, rules, matcher, after, WEIGHED).await?;
    online::lock_blocks(tx, claimed.iter().flat_map(|it| &it.ready.keys)).await?;
    let subjects: Vec<SubjectId> = claimed.iter().map(|it| it.subject).collect();
    let held = matching::records(tx, &subjects, matcher.tag()).await?;
    // An instance that did not know of the model yet may have heard some of them since they were made ready.
    let stale: Vec<Entry> =
        claimed.iter().map(entry).filter(|it| held.get(&it.subject) != Some(&it.prepared)).collect();
    matching::put(tx, matcher.tag(), &stale).await?;
    let (aside, compared): (Vec<&Claimed>, Vec<&Claimed>) = claimed.iter().partition(|it| it.aside);
    let compared: Vec<(SubjectId, &Ready)> = compared.into_iter().map(|it| (it.subject, &it.ready)).collect();
    let mut edges = online::weigh(tx, matcher, &compared).await?;
    let aside: Vec<SubjectId> = aside.into_iter().map(|it| it.subject).collect();
    edges.extend(online::within(tx, matching::edges(tx, &aside, matcher.thresholds.review).await?).await?);
    matching::replace_edges(tx, &subjects, matcher.version, &edges).await?;
    Ok(page)
}

/// Links a customer anew by what its records look alike, and puts up what is to be reviewed.
pub(super) async fn link(tx: &Tx, rules: &Rules, customer: CustomerId) -> Result<Written, Fault> {
    let component = component::lock(tx, &[customer], rules).await?;
    let partition = partition(&component.evidence, &rules.namespaces);
    let (changes, written) = apply::relink(tx, &component, &partition, rules).await?;
    changes.live.iter().try_for_each(|(_, records)| bounds::check(records))?;
    for subject in component.members(customer) {
        candidates::refused(tx, &component, &partition, subject).await?;
        online::review_of(tx, rules, subject).await?;
    }
    Ok(written)
}
