//! Matching as records are heard: what a record states is made ready and kept with the keys of its blocks; whoever shares
//! a key is weighed against it. The pairs that look alike are kept. Those that are likely enough are links, under the same
//! limits as identifiers; the next best are put up for somebody to decide.
//!
//! Which pairs are kept follows from the records and the model alone, not from the order in which they came: a pair is
//! weighed alike from both sides, again when either changes, and when a block that both are in becomes small enough to say
//! something or too large for that (`crowding`).
//!
//! Whoever objects to being profiled is compared with nobody, by none of the records of the customer; what their looks had
//! linked before stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use rapport_data::{Rx, Tx};
use rapport_kernel::{CustomerId, Fault, Reason, SubjectId};
use rapport_matching::blocking::candidates as chosen;
use rapport_matching::record::PreparedRecord;

use super::candidates::{self, Found};
use super::component::{self, Component};
use super::{Written, apply, crowding};
use crate::domain::candidate::{CandidateReason, CandidateState};
use crate::domain::claims::Claims;
use crate::domain::linking::{Cause, Cluster, Partition, partition};
use crate::domain::matching::{Matcher, Ready};
use crate::domain::profile::{Record, objects_to_profiling};
use crate::domain::relink::{Changes, Held};
use crate::domain::rules::Rules;
use crate::store::matching::{self, Edge, Entry};
use crate::store::{assertion, candidate, link};

/// In how many stripes blocks are locked.
const STRIPES: u64 = 4_096;
/// How many pairs of one record are put up for review at most: the likeliest.
const MOST_REVIEWED: usize = 10;

/// What a record's statement changed of the pairs that look alike.
#[derive(Clone, Debug, Default)]
pub(crate) struct Noted {
    /// Records that are, or were until now, linked by looks of which something changed: their customers are made anew.
    pub(crate) linked: BTreeSet<SubjectId>,
    /// Records of whose pairs some changed: which of these are to be reviewed is looked at again.
    touched: BTreeSet<SubjectId>,
}

/// Notes what a record claims now, where it is compared. `objects`: whether its customer objects to being profiled.
pub(crate) async fn note(
    tx: &Tx,
    rules: &Rules,
    subject: SubjectId,
    claims: &Claims,
    objects: bool,
) -> Result<Noted, Fault> {
    let Some(matcher) = &rules.matcher else { return Ok(Noted::default()) };
    let aside = is_aside(claims, objects);
    let ready = if aside { matcher.silent() } else { matcher.ready(claims, &rules.namespaces) };
    let prepared = ready.record.to_bytes();
    lock_records(tx, [subject]).await?;
    if matching::record(tx, subject, matcher.tag()).await?.as_ref() == Some(&prepared) {
        return Ok(Noted::default());
    }
    let held = matching::keys(tx, &[subject]).await?.remove(&subject).unwrap_or_default();
    let keys: BTreeSet<i64> = ready.keys.iter().copied().collect();
    lock_blocks(tx, held.union(&keys)).await?;
    let before = matching::edges(tx, &[subject], matcher.thresholds.review).await?;
    matching::put(tx, matcher.tag(), &[Entry { subject, prepared, keys: ready.keys.clone() }]).await?;
    let edges =
        if aside { within(tx, before.clone()).await? } else { weigh(tx, matcher, &[(subject, &ready)]).await? };
    matching::replace_edges(tx, &[subject], matcher.version, &edges).await?;
    let crossed = crowding::settle(tx, matcher, keys.difference(&held), held.difference(&keys)).await?;
    let is_linked = |edge: &&Edge| !aside && edge.probability >= matcher.thresholds.link;
    let others = edges.iter().chain(&before).filter(is_linked).map(|edge| edge.other);
    let linked = others.chain(crossed.linked).collect();
    Ok(Noted { linked, touched: crossed.touched.into_iter().chain([subject]).collect() })
}

/// Whether a record is compared with nobody: its customer objects to being profiled, or its source deleted it. What its
/// looks had linked stays.
pub(crate) fn is_aside(claims: &Claims, objects: bool) -> bool {
    objects || claims.deletion.as_ref().is_some_and(|deletion| !deletion.is_over)
}

/// Waits until nobody else changes what is held of records. A unit takes the locks of records before those of blocks, and
/// those of blocks at once.
pub(crate) async fn lock_records(tx: &Tx, subjects: impl IntoIterator<Item = SubjectId>) -> Result<(), Fault> {
    tx.lock(&subjects.into_iter().map(|subject| format!("match-record/{subject}")).collect::<Vec<_>>()).await
}

/// Waits until nobody else changes the pairs of blocks: of two that are heard at once the later one meets the other.
pub(crate) async fn lock_blocks(tx: &Tx, keys: impl IntoIterator<Item = &i64>) -> Result<(), Fault> {
    let stripes: BTreeSet<u64> = keys.into_iter().map(|key| key.cast_unsigned() % STRIPES).collect();
    tx.lock(&stripes.into_iter().map(|stripe| format!("match/{stripe}")).collect::<Vec<_>>()).await
}

/// The pairs of records that are at least to be reviewed; of each record the likeliest first. A pair of two of them is told
/// from both sides. Their keys are there already.
pub(crate) async fn weigh(rx: &Rx, matcher: &Matcher, some: &[(SubjectId, &Ready)]) -> Result<Vec<Edge>, Fault> {
    let bounds = matcher.scorer().schema().settings().bounds;
    let keys: BTreeSet<i64> = some.iter().flat_map(|(_, ready)| ready.keys.iter().copied()).collect();
    let mut blocks = matching::blocks(rx, &keys.into_iter().collect::<Vec<_>>(), bounds.per_block + 1).await?;
    blocks.retain(|_, block| block.len() <= bounds.per_block);
    let others: BTreeSet<SubjectId> = blocks.values().flatten().copied().collect();
    let records = read(rx, matcher, &others.into_iter().collect::<Vec<_>>()).await?;
    let mut edges = Vec::new();
    for (subject, ready) in some {
        let met = chosen(ready.keys.iter().filter_map(|key| blocks.get(key)), bounds);
        let met = met.iter().filter(|other| *other != subject).filter_map(|other| Some((*other, records.get(other)?)));
        let ranked = matcher.scorer().query(&ready.record).rank(met);
        edges.extend(ranked.into_iter().map(|it| Edge {
            subject: *subject,
            other: it.candidate,
            probability: it.probability,
        }));
    }
    Ok(edges)
}

/// Records as they were made ready.
pub(crate) async fn read(
    rx: &Rx,
    matcher: &Matcher,
    subjects: &[SubjectId],
) -> Result<BTreeMap<SubjectId, PreparedRecord>, Fault> {
    let stored = matching::records(rx, subjects, matcher.tag()).await?;
    let schema = matcher.scorer().schema();
    let read = |(id, bytes): (SubjectId, Vec<u8>)| Some((id, PreparedRecord::from_bytes(schema, &bytes)?));
    Ok(stored.into_iter().filter_map(read).collect())
}

/// Those of some pairs that are one customer's records already.
pub(crate) async fn within(rx: &Rx, mut edges: Vec<Edge>) -> Result<Vec<Edge>, Fault> {
    let subjects: BTreeSet<SubjectId> = edges.iter().flat_map(|edge| [edge.subject, edge.other]).collect();
    let links = link::current_of(rx, &subjects.into_iter().collect::<Vec<_>>()).await?;
    let owner = |subject: SubjectId| links.get(&subject).map(|link| link.customer);
    edges.retain(|edge| owner(edge.subject).is_some() && owner(edge.subject) == owner(edge.other));
    Ok(edges)
}

/// Takes the records of customers out of matching where a change brought them together with one that objects to being
/// profiled, and lets them take part again where it parted them. Answers the latter and whom they look like.
pub(crate) async fn follow(
    tx: &Tx,
    rules: &Rules,
    component: &Component,
    changes: &Changes,
) -> Result<BTreeSet<SubjectId>, Fault> {
    let held = component.held.values().filter_map(|held| match held {
        Held::Live { records, .. } => Some(records),
        Held::Redirect { .. } => None,
    });
    let silent: BTreeSet<SubjectId> = held
        .filter(|records| objects_to_profiling(records))
        .flat_map(|records| records.iter().map(|record| record.subject))
        .collect();
    let mut all = Noted::default();
    for (_, records) in &changes.live {
        let objects = objects_to_profiling(records);
        for record in records.iter().filter(|record| objects != silent.contains(&record.subject)) {
            let noted = note(tx, rules, record.subject, &record.claims, objects).await?;
            if !noted.linked.is_empty() {
                all.linked.insert(record.subject);
            }
            all.linked.extend(noted.linked);
            all.touched.extend(noted.touched);
        }
    }
    review(tx, rules, &all).await?;
    Ok(all.linked)
}

/// Lets the records of a customer that was split meet others as new ones do: those that may be compared again are linked
/// with whom they look like, and of all of them is asked what is to be reviewed, each customer for itself. What was
/// declared to be two stays two.
pub(crate) async fn parted(
    tx: &Tx,
    rules: &Rules,
    records: &BTreeSet<SubjectId>,
    written: &mut Written,
) -> Result<(), Fault> {
    let Some(matcher) = &rules.matcher else { return Ok(()) };
    let alike = std::mem::take(&mut written.alike);
    if let Some((component, partition)) = relink(tx, rules, &alike, written).await? {
        for subject in alike.intersection(records) {
            candidates::refused(tx, &component, &partition, *subject).await?;
        }
    }
    let records: Vec<SubjectId> = records.iter().copied().collect();
    let edges = matching::edges(tx, &records, matcher.thresholds.review).await?;
    for subject in edges.iter().map(|edge| edge.subject).collect::<BTreeSet<_>>() {
        review_of(tx, rules, subject).await?;
    }
    Ok(())
}

/// Notes what a customer's records claim where one of them began or ceased to object to being profiled; links anew whom
/// that concerns.
pub(crate) async fn object(tx: &Tx, rules: &Rules, records: &[Record], written: &mut Written) -> Result<(), Fault> {
    let (objects, mut linked, mut told) = (objects_to_profiling(records), BTreeSet::new(), Vec::new());
    for record in records {
        let noted = note(tx, rules, record.subject, &record.claims, objects).await?;
        if !noted.linked.is_empty() {
            linked.extend(noted.linked.iter().copied().chain([record.subject]));
        }
        told.push(noted);
    }
    if let Some((component, partition)) = relink(tx, rules, &linked, written).await? {
        for record in records.iter().filter(|record| linked.contains(&record.subject)) {
            candidates::refused(tx, &component, &partition, record.subject).await?;
        }
    }
    for noted in told {
        review(tx, rules, &noted).await?;
    }
    Ok(())
}

/// Links anew those of whose looks something changed; answers what they hang together with, and what became of it. Where
/// that is too much they stay as they are.
pub(crate) async fn relink(
    tx: &Tx,
    rules: &Rules,
    seeds: &BTreeSet<SubjectId>,
    written: &mut Written,
) -> Result<Option<(Component, Partition)>, Fault> {
    if seeds.is_empty() {
        return Ok(None);
    }
    let component = match component::lock(tx, &seeds.iter().copied().collect::<Vec<_>>(), rules).await {
        Err(fault) if fault.reason == Reason::IdentityConflict => return Ok(None),
        other => other?,
    };
    let partition = partition(&component.evidence, &rules.namespaces);
    let (_, more) = apply::relink(tx, &component, &partition, rules).await?;
    let is_newer = |id: CustomerId| {
        more.live.iter().any(|profile| profile.customer == id) || more.merged.iter().any(|merged| merged.0 == id)
    };
    written.live.retain(|profile| !is_newer(profile.customer));
    written.live.extend(more.live);
    written.merged.extend(more.merged);
    Ok(Some((component, partition)))
}

/// Looks again at which pairs of the records that a note touched are to be reviewed.
pub(crate) async fn review(tx: &Tx, rules: &Rules, noted: &Noted) -> Result<(), Fault> {
    for subject in &noted.touched {
        review_of(tx, rules, *subject).await?;
    }
    Ok(())
}

/// The pairs of a record that are to be reviewed, the likeliest first.
async fn reviewed(rx: &Rx, matcher: &Matcher, subject: SubjectId) -> Result<Vec<Edge>, Fault> {
    let mut edges = matching::edges(rx, &[subject], matcher.thresholds.review).await?;
    edges.retain(|edge| edge.probability < matcher.thresholds.link);
    edges.sort_by(|a, b| b.probability.total_cmp(&a.probability).then(a.other.cmp(&b.other)));
    Ok(edges)
}

/// Puts up the pairs of a record that are to be reviewed, and takes back those that look alike no longer.
pub(crate) async fn review_of(tx: &Tx, rules: &Rules, subject: SubjectId) -> Result<(), Fault> {
    let Some(matcher) = &rules.matcher else { return Ok(()) };
    let reviewed = reviewed(tx, matcher, subject).await?;
    let alike: BTreeSet<SubjectId> = reviewed.iter().map(|edge| edge.other).collect();
    let held = candidate::of_subjects(tx, &[subject]).await?;
    let stale = held.iter().filter(|it| {
        it.state == CandidateState::Open
            && it.reason == CandidateReason::Probability
            && !it.subjects().iter().any(|side| alike.contains(side))
    });
    candidate::delete(tx, &stale.map(|it| it.id).collect::<Vec<_>>()).await?;
    if reviewed.is_empty() {
        return Ok(());
    }
    let among = Among::of(tx, subject, &reviewed).await?;
    let mut told = BTreeSet::new();
    let fresh = reviewed.iter().filter(|edge| among.may_be(edge) && told.insert(among.owner(edge.other)));
    let found = fresh.take(MOST_REVIEWED).map(|edge| Found {
        left: edge.subject,
        right: edge.other,
        reason: CandidateReason::Probability,
        namespace: String::new(),
        limit: String::new(),
        weighed: Some((edge.probability, matcher.version)),
    });
    candidates::open(tx, &among.partition, found.collect()).await
}

/// The customers of pairs, and what keeps them apart.
struct Among {
    subject: SubjectId,
    partition: Partition,
    /// Records that somebody declared not to be one with any of the record's customer.
    apart: BTreeSet<SubjectId>,
}

impl Among {
    async fn of(rx: &Rx, subject: SubjectId, edges: &[Edge]) -> Result<Self, Fault> {
        let subjects: Vec<SubjectId> = edges.iter().map(|edge| edge.other).chain([subject]).collect();
        let links = link::current_of(rx, &subjects).await?;
        let customers: BTreeSet<CustomerId> = links.values().map(|link| link.customer).collect();
        let mut clusters = BTreeMap::<CustomerId, Cluster>::new();
        for link in link::members(rx, &customers.into_iter().collect::<Vec<_>>()).await? {
            let empty = || Cluster { customer: link.customer, members: BTreeMap::new() };
            clusters.entry(link.customer).or_insert_with(empty).members.insert(link.subject, Cause::Origin);
        }
        let partition = Partition { clusters: clusters.into_values().collect(), refused: Vec::new() };
        let mine: Vec<SubjectId> =
            partition.of(subject).map(|cluster| cluster.members.keys().copied().collect()).unwrap_or_default();
        let mut apart = BTreeSet::new();
        for it in assertion::of_subjects(rx, &mine).await?.into_iter().filter(|it| !it.same) {
            let left = it.left.iter().any(|side| mine.contains(side));
            apart.extend(if left { it.right } else { it.left });
        }
        Ok(Self { subject, partition, apart })
    }

    fn owner(&self, subject: SubjectId) -> Option<CustomerId> {
        self.partition.of(subject).map(|cluster| cluster.customer)
    }

    /// Whether the two of a pair are two customers that nobody keeps apart.
    fn may_be(&self, edge: &Edge) -> bool {
        let Some(theirs) = self.partition.of(edge.other) else { return false };
        self.owner(self.subject) != Some(theirs.customer)
            && !theirs.members.keys().any(|member| self.apart.contains(member))
    }
}
