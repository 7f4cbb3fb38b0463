//! Matching as records are heard: what a record states is made ready and kept with the keys of its blocks; whoever shares
//! a key is weighed against it. The pairs that look alike are kept. Those that are likely enough are links, under the same
//! limits as identifiers; the next best are put up for somebody to decide.
//!
//! Which pairs are kept follows from the records and the model, not from the order in which they came: a pair is weighed
//! alike from both sides, and again when either changes. One thing bounds that: a block with more members than the bound
//! says nothing, so a pair that met only there is kept if the block was smaller when the later of the two was heard. A
//! training weighs all anew.

use std::collections::{BTreeMap, BTreeSet};

use rapport_data::{Rx, Tx};
use rapport_kernel::{CustomerId, Fault, SubjectId};
use rapport_matching::blocking::candidates as chosen;
use rapport_matching::record::PreparedRecord;

use super::candidates::{self, Found};
use crate::domain::candidate::{CandidateReason, CandidateState};
use crate::domain::claims::Claims;
use crate::domain::linking::{Cause, Cluster, Partition};
use crate::domain::matching::{Matcher, Ready};
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
    /// Whether it was weighed anew.
    pub(crate) weighed: bool,
    /// Records that it is, or was until now, linked with: their customers are made anew.
    pub(crate) linked: BTreeSet<SubjectId>,
    /// Pairs to put up for review, the likeliest first.
    pub(crate) reviewed: Vec<Edge>,
}

/// Notes what a record claims now, where it is compared.
pub(crate) async fn note(tx: &Tx, rules: &Rules, subject: SubjectId, claims: &Claims) -> Result<Noted, Fault> {
    let Some(matcher) = &rules.matcher else { return Ok(Noted::default()) };
    let ready = matcher.ready(claims, &rules.namespaces);
    let prepared = ready.record.to_bytes();
    if matching::record(tx, subject, matcher.tag()).await?.as_ref() == Some(&prepared) {
        return Ok(Noted::default());
    }
    // Of two that are heard at once the later one meets the other.
    let keys: BTreeSet<u64> = ready.keys.iter().map(|key| key.cast_unsigned() % STRIPES).collect();
    tx.lock(&keys.into_iter().map(|key| format!("match/{key}")).collect::<Vec<_>>()).await?;
    let link = matcher.thresholds.link;
    let before = matching::edges(tx, &[subject], matcher.version, link).await?;
    matching::put(tx, matcher.tag(), &[Entry { subject, prepared, keys: ready.keys.clone() }]).await?;
    let edges = weigh(tx, matcher, subject, &ready).await?;
    matching::put_edges(tx, subject, matcher.version, &edges).await?;
    let (linked, reviewed): (Vec<Edge>, Vec<Edge>) = edges.into_iter().partition(|edge| edge.probability >= link);
    let linked = linked.iter().chain(&before).map(|edge| edge.other).collect();
    Ok(Noted { weighed: true, linked, reviewed })
}

/// The pairs of a record that are at least to be reviewed, the likeliest first. The record's keys are there already.
pub(crate) async fn weigh(rx: &Rx, matcher: &Matcher, subject: SubjectId, ready: &Ready) -> Result<Vec<Edge>, Fault> {
    let bounds = matcher.scorer().schema().settings().bounds;
    let mut blocks = matching::blocks(rx, &ready.keys, bounds.per_block + 1).await?;
    blocks.retain(|block| block.len() <= bounds.per_block);
    for block in &mut blocks {
        block.retain(|other| *other != subject);
    }
    let others = chosen(&blocks, bounds);
    let stored = matching::records(rx, &others, matcher.tag()).await?;
    let schema = matcher.scorer().schema();
    let read = |(id, bytes): (&SubjectId, &Vec<u8>)| Some((*id, PreparedRecord::from_bytes(schema, bytes)?));
    let records: Vec<(SubjectId, PreparedRecord)> = stored.iter().filter_map(read).collect();
    let ranked = matcher.scorer().query(&ready.record).rank(records.iter().map(|(id, record)| (*id, record)));
    let edge = |scored: rapport_matching::score::Scored<SubjectId>| Edge {
        subject,
        other: scored.candidate,
        probability: scored.probability,
    };
    Ok(ranked.into_iter().map(edge).collect())
}

/// The pairs of a record that are to be reviewed, the likeliest first.
pub(crate) async fn reviewed(rx: &Rx, rules: &Rules, subject: SubjectId) -> Result<Vec<Edge>, Fault> {
    let Some(matcher) = &rules.matcher else { return Ok(Vec::new()) };
    let mut edges = matching::edges(rx, &[subject], matcher.version, matcher.thresholds.review).await?;
    edges.retain(|edge| edge.probability < matcher.thresholds.link);
    edges.sort_by(|a, b| b.probability.total_cmp(&a.probability).then(a.other.cmp(&b.other)));
    Ok(edges)
}

/// Puts up the pairs of a record that are to be reviewed, and takes back those that look alike no longer.
pub(crate) async fn review(tx: &Tx, rules: &Rules, subject: SubjectId, noted: &Noted) -> Result<(), Fault> {
    let Some(matcher) = rules.matcher.as_ref().filter(|_| noted.weighed) else { return Ok(()) };
    let alike: BTreeSet<SubjectId> = noted.reviewed.iter().map(|edge| edge.other).collect();
    let held = candidate::of_subjects(tx, &[subject]).await?;
    let stale = held.iter().filter(|it| {
        it.state == CandidateState::Open
            && it.reason == CandidateReason::Probability
            && !it.subjects().iter().any(|side| alike.contains(side))
    });
    candidate::delete(tx, &stale.map(|it| it.id).collect::<Vec<_>>()).await?;
    if noted.reviewed.is_empty() {
        return Ok(());
    }
    let among = Among::of(tx, subject, &noted.reviewed).await?;
    let mut told = BTreeSet::new();
    let fresh = noted.reviewed.iter().filter(|edge| among.may_be(edge) && told.insert(among.owner(edge.other)));
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
