//! Blocks that became too large to say anything, or small enough again. A pair counts where its two records share a block
//! of no more than so many; so it is lost when the last such block outgrows the bound, and found when one shrinks to it,
//! whoever of the block is heard. Which pairs there are is then a matter of which records there are, not of who came first.

use std::collections::{BTreeMap, BTreeSet};

use rapport_data::Tx;
use rapport_kernel::{Fault, SubjectId};

use super::matching as online;
use crate::domain::matching::Matcher;
use crate::store::matching::{self, Edge};

/// Whom blocks that crossed the bound concern.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crossed {
    /// Records that were or are linked by a pair that was lost or found.
    pub(crate) linked: BTreeSet<SubjectId>,
    /// Records of all pairs that were lost or found.
    pub(crate) touched: BTreeSet<SubjectId>,
}

/// Makes the pairs of blocks anew that a record came to, or left, where this crossed the bound. The blocks are locked.
pub(crate) async fn settle<'a>(
    tx: &Tx,
    matcher: &Matcher,
    came: impl Iterator<Item = &'a i64>,
    left: impl Iterator<Item = &'a i64>,
) -> Result<Crossed, Fault> {
    let most = matcher.scorer().schema().settings().bounds.per_block;
    let (came, left): (Vec<i64>, Vec<i64>) = (came.copied().collect(), left.copied().collect());
    let mut changed = Vec::new();
    for (_, members) in matching::blocks(tx, &came, most + 2).await? {
        if members.len() == most + 1 {
            changed.extend(lost(tx, matcher, &members).await?);
        }
    }
    for (_, members) in matching::blocks(tx, &left, most + 1).await? {
        if members.len() == most {
            changed.extend(found(tx, matcher, &members).await?);
        }
    }
    Ok(Crossed::of(matcher, &changed))
}

/// Makes the pairs of blocks anew that some records left at once, by how large each was before.
pub(crate) async fn shrunk(tx: &Tx, matcher: &Matcher, before: &BTreeMap<i64, usize>) -> Result<Crossed, Fault> {
    let most = matcher.scorer().schema().settings().bounds.per_block;
    let large: Vec<i64> = before.iter().filter(|(_, size)| **size > most).map(|(key, _)| *key).collect();
    let mut changed = Vec::new();
    for (_, members) in matching::blocks(tx, &large, most + 1).await? {
        if members.len() <= most {
            changed.extend(found(tx, matcher, &members).await?);
        }
    }
    Ok(Crossed::of(matcher, &changed))
}

impl Crossed {
    fn of(matcher: &Matcher, changed: &[Edge]) -> Self {
        let linked = changed.iter().filter(|edge| edge.probability >= matcher.thresholds.link);
        Self {
            linked: linked.flat_map(|edge| [edge.subject, edge.other]).collect(),
            touched: changed.iter().flat_map(|edge| [edge.subject, edge.other]).collect(),
        }
    }
}

/// The pairs among the members of a block, each once.
async fn among(tx: &Tx, matcher: &Matcher, members: &[SubjectId]) -> Result<Vec<Edge>, Fault> {
    let all: BTreeSet<SubjectId> = members.iter().copied().collect();
    let mut edges = matching::edges(tx, members, matcher.thresholds.review).await?;
    edges.retain(|edge| edge.subject < edge.other && all.contains(&edge.other));
    Ok(edges)
}

/// Forgets the pairs of a block that have no other block in common.
async fn lost(tx: &Tx, matcher: &Matcher, members: &[SubjectId]) -> Result<Vec<Edge>, Fault> {
    let most = matcher.scorer().schema().settings().bounds.per_block;
    let mut edges = among(tx, matcher, members).await?;
    let subjects: BTreeSet<SubjectId> = edges.iter().flat_map(|edge| [edge.subject, edge.other]).collect();
    let keys = matching::keys(tx, &subjects.into_iter().collect::<Vec<_>>()).await?;
    let shared = |edge: &Edge| -> Vec<i64> {
        let both = keys.get(&edge.subject).zip(keys.get(&edge.other));
        both.map(|(one, other)| one.intersection(other).copied().collect()).unwrap_or_default()
    };
    let all: BTreeSet<i64> = edges.iter().flat_map(shared).collect();
    let blocks = matching::blocks(tx, &all.into_iter().collect::<Vec<_>>(), most + 1).await?;
    let says = |key: &i64| blocks.get(key).is_some_and(|block| block.len() <= most);
    edges.retain(|edge| !shared(edge).iter().any(says));
    matching::remove_edges(tx, &edges.iter().map(|edge| (edge.subject, edge.other)).collect::<Vec<_>>()).await?;
    Ok(edges)
}

/// Weighs the members of a block with each other; answers the pairs that were not known.
async fn found(tx: &Tx, matcher: &Matcher, members: &[SubjectId]) -> Result<Vec<Edge>, Fault> {
    let known: BTreeSet<(SubjectId, SubjectId)> =
        among(tx, matcher, members).await?.into_iter().map(|edge| (edge.subject, edge.other)).collect();
    let records = online::read(tx, matcher, members).await?;
    let mut edges = Vec::new();
    for (subject, record) in &records {
        let later = records.iter().filter(|(other, _)| *other > subject).map(|(other, record)| (*other, record));
        let ranked = matcher.scorer().query(record).rank(later);
        let new = ranked.into_iter().filter(|it| !known.contains(&(*subject, it.candidate)));
        edges.extend(new.map(|it| Edge { subject: *subject, other: it.candidate, probability: it.probability }));
    }
    matching::add_edges(tx, matcher.version, &edges).await?;
    Ok(edges)
}
