//! Match candidates: opened where customers may be one and nothing may join them unasked, decided by somebody, gone when
//! they become one or are erased.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rapport_data::{Answer, Receipt, Rx, Tx, keyset};
use rapport_kernel::{CustomerId, Fault, Private, Reason, SubjectId};
use rapport_platform::Call;

use super::component::{self, Component};
use super::merge::{Merge, merge};
use super::{Outcome, Profiles, Written, attach};
use crate::domain::assertion::{Assertion, AssertionId};
use crate::domain::candidate::{Candidate, CandidateId, CandidateReason, CandidateState};
use crate::domain::linking::{Partition, Why};
use crate::domain::relink::Changes;
use crate::domain::rules::Rules;
use crate::domain::value::Named;
use crate::store::candidate::Filter;
use crate::store::{assertion, candidate, link};

/// How many candidates one statement opens at most: a value that fifty customers share asks nobody a thousand questions.
const MOST_OPENED: usize = 10;

/// A pair of records to put up.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) left: SubjectId,
    pub(crate) right: SubjectId,
    pub(crate) reason: CandidateReason,
    pub(crate) namespace: String,
    pub(crate) limit: String,
    /// How likely, and by which version of the model.
    pub(crate) weighed: Option<(f64, u64)>,
}

/// Opens candidates for what a partition refused to a record's customer.
pub(crate) async fn refused(
    tx: &Tx,
    component: &Component,
    partition: &Partition,
    subject: SubjectId,
) -> Result<(), Fault> {
    let Some(mine) = partition.of(subject) else { return Ok(()) };
    let concerns = |id: SubjectId| mine.members.contains_key(&id);
    let refused = partition.refused.iter().filter(|it| concerns(it.left) || concerns(it.right)).take(MOST_OPENED);
    let found = refused.map(|it| {
        let (reason, limit) = match &it.why {
            Why::Limit(namespace) => (CandidateReason::Limit, namespace.clone()),
            Why::Held => (CandidateReason::Automatic, String::new()),
        };
        let (left, right, namespace) = (it.left, it.right, it.by.clone());
        Found { left, right, reason, namespace, limit, weighed: component.weighed(it.left, it.right) }
    });
    open(tx, partition, found.collect()).await
}

/// Opens a candidate for each customer that came apart from another since too many records carry what linked them.
pub(crate) async fn came_apart(
    tx: &Tx,
    partition: &Partition,
    changes: &Changes,
    crossing: &BTreeMap<SubjectId, String>,
) -> Result<(), Fault> {
    let (mut told, mut found) = (BTreeSet::new(), Vec::new());
    for moved in changes.moves.iter().filter(|moved| crossing.contains_key(&moved.subject)) {
        let Some(from) = moved.from.filter(|from| *from != moved.to && told.insert((*from, moved.to))) else {
            continue;
        };
        let namespace = crossing.get(&moved.subject).cloned().unwrap_or_default();
        let reason = CandidateReason::Quarantine;
        found.push(Found { left: from, right: moved.subject, reason, namespace, limit: String::new(), weighed: None });
    }
    open(tx, partition, found).await
}

/// Opens candidates, but for pairs that are one customer, that were decided on, or that are up already: of those the
/// likelier probability stays.
pub(crate) async fn open(tx: &Tx, partition: &Partition, found: Vec<Found>) -> Result<(), Fault> {
    if found.is_empty() {
        return Ok(());
    }
    let members = |subject: SubjectId| -> BTreeSet<SubjectId> {
        partition.of(subject).map_or_else(|| [subject].into(), |cluster| cluster.members.keys().copied().collect())
    };
    let all: BTreeSet<SubjectId> = found.iter().flat_map(|it| members(it.left)).collect();
    let mut held = candidate::of_subjects(tx, &all.into_iter().collect::<Vec<_>>()).await?;
    for found in found {
        let (left, right) = (members(found.left), members(found.right));
        if left.contains(&found.right) {
            continue;
        }
        let same = |it: &&mut Candidate| {
            (left.contains(&it.left) && right.contains(&it.right))
                || (left.contains(&it.right) && right.contains(&it.left))
        };
        match held.iter_mut().find(same) {
            Some(known) if known.state != CandidateState::Open => {}
            Some(known) => raise(tx, known, &found).await?,
            None => {
                let new = begun(tx, found);
                candidate::put(tx, &new).await?;
                held.push(new);
            }
        }
    }
    Ok(())
}

/// Of a pair that is up for several reasons the most pressing is told, and the highest probability.
async fn raise(tx: &Tx, known: &mut Candidate, found: &Found) -> Result<(), Fault> {
    let likelier = found.weighed.filter(|(probability, version)| {
        known.probability.is_none_or(|held| held < *probability) || known.model_version < *version
    });
    let graver = found.reason < known.reason;
    if likelier.is_none() && !graver {
        return Ok(());
    }
    if graver {
        known.reason = found.reason;
        known.namespace.clone_from(&found.namespace);
        known.limit.clone_from(&found.limit);
    }
    if let Some((probability, version)) = likelier {
        (known.probability, known.model_version) = (Some(probability), version);
    }
    (known.revision, known.updated_at) = (known.revision + 1, tx.now());
    candidate::put(tx, known).await
}

fn begun(tx: &Tx, found: Found) -> Candidate {
    Candidate {
        id: CandidateId::new(),
        left: found.left,
        right: found.right,
        reason: found.reason,
        namespace: found.namespace,
        limit: found.limit,
        probability: found.weighed.map(|(probability, _)| probability),
        model_version: found.weighed.map_or(0, |(_, version)| version),
        state: CandidateState::Open,
        revision: 1,
        decided_by: String::new(),
        comment: Private::default(),
        created_at: tx.now(),
        updated_at: tx.now(),
    }
}

/// Takes back the open candidates whose records have become one customer's, and all but one of those that have come to
/// name the same two customers. `moved` are the records that changed theirs.
pub(crate) async fn settle(tx: &Tx, moved: &[SubjectId]) -> Result<(), Fault> {
    if moved.is_empty() {
        return Ok(());
    }
    let mut held = candidate::of_subjects(tx, moved).await?;
    held.retain(|it| it.state == CandidateState::Open);
    if held.is_empty() {
        return Ok(());
    }
    let owners = owners(tx, &held).await?;
    let (mut pairs, mut gone) = (BTreeSet::new(), Vec::new());
    held.sort_by(|a, b| {
        a.reason.cmp(&b.reason).then(b.probability.unwrap_or(0.0).total_cmp(&a.probability.unwrap_or(0.0)))
    });
    for it in &held {
        let pair = owners.get(&it.left).zip(owners.get(&it.right)).map(|(a, b)| (a.min(b), a.max(b)));
        if pair.is_none_or(|(a, b)| a == b || !pairs.insert((a, b))) {
            gone.push(it.id);
        }
    }
    candidate::delete(tx, &gone).await.map(drop)
}

async fn owners(rx: &Rx, candidates: &[Candidate]) -> Result<BTreeMap<SubjectId, CustomerId>, Fault> {
    let subjects: BTreeSet<SubjectId> = candidates.iter().flat_map(Candidate::subjects).collect();
    let links = link::current_of(rx, &subjects.into_iter().collect::<Vec<_>>()).await?;
    Ok(links.into_iter().map(|(subject, link)| (subject, link.customer)).collect())
}

/// Which candidates to list.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Those of a customer.
    pub customer: Option<Named>,
    /// What else they must be; its subjects are filled in.
    pub filter: Filter,
}

/// A candidate, and whose its records are now.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The candidate.
    pub candidate: Candidate,
    /// The customers of its records; one that is erased has none.
    pub customers: [Option<CustomerId>; 2],
}

/// Somebody's decision on a candidate.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Which.
    pub id: CandidateId,
    /// One party, or two.
    pub accept: bool,
    /// Its revision as last read.
    pub expected: Option<u64>,
    /// Why.
    pub comment: String,
    /// Who.
    pub decided_by: String,
}

/// The outcome of a decision.
pub struct Decided {
    /// The candidate after it.
    pub shown: Shown,
    /// The customers that were merged away.
    pub merged: Vec<CustomerId>,
    written: Written,
}

impl Outcome for Decided {
    fn written(&self) -> &Written {
        &self.written
    }
}

impl Profiles {
    /// A page of candidates, the newest first.
    ///
    /// # Errors
    /// NOT_FOUND where the customer is not known.
    pub async fn candidates(
        &self,
        call: &Call,
        listing: Listing,
        before: Option<uuid::Uuid>,
        size: usize,
    ) -> Result<keyset::Page<Shown, uuid::Uuid>, Fault> {
        let read = self.read(call, |rx| async move {
            let mut filter = listing.filter;
            if let Some(named) = &listing.customer {
                let customer = attach::resolve(&rx, named).await?.1;
                filter.subjects = link::members(&rx, &[customer]).await?.into_iter().map(|link| link.subject).collect();
            }
            let found = candidate::page(&rx, &filter, before, keyset::limit(size)).await?;
            let owners = owners(&rx, &found).await?;
            Ok(found.into_iter().map(|candidate| shown(candidate, &owners)).collect::<Vec<_>>())
        });
        Ok(keyset::page(read.await?, size, |_| 256, |shown| shown.candidate.id.uuid()))
    }

    /// Decides on a candidate: its customers become one, or are kept apart for good.
    ///
    /// # Errors
    /// NOT_FOUND; ABORTED (STALE_ETAG); FAILED_PRECONDITION (INVALID_STATE) where it was decided on;
    /// (IDENTITY_CONFLICT) where a limit that it was not put up for forbids a merge.
    pub async fn decide(
        &self,
        call: &Call,
        receipt: Receipt<Decided>,
        decision: Decision,
    ) -> Result<Answer<Decided>, Fault> {
        let (rules, decision) = (self.rules(call).await?, Arc::new(decision));
        let unit = move |tx| {
            let (rules, decision) = (Arc::clone(&rules), Arc::clone(&decision));
            async move { decide(&tx, &rules, &decision).await }
        };
        self.change(call, receipt, unit).await
    }
}

fn shown(candidate: Candidate, owners: &BTreeMap<SubjectId, CustomerId>) -> Shown {
    let customers = candidate.subjects().map(|subject| owners.get(&subject).copied());
    Shown { candidate, customers }
}

async fn decide(tx: &Tx, rules: &Rules, decision: &Decision) -> Result<Decided, Fault> {
    let not_found = || Fault::not_found("match_candidate", decision.id.to_string());
    tx.lock(&[format!("candidate/{}", decision.id)]).await?;
    let mut held = candidate::find(tx, decision.id).await?.ok_or_else(not_found)?;
    for subject in held.subjects() {
        tx.about(subject);
    }
    if decision.expected.is_some_and(|expected| expected != held.revision) {
        let text = "the etag is not the newest: read the candidate again, look whether the decision still fits, retry";
        return Err(Fault::new(Reason::StaleEtag, text).resource("match_candidate", held.id.to_string()));
    }
    if held.state != CandidateState::Open {
        let fault = Fault::new(Reason::InvalidState, "somebody has decided on this candidate already");
        return Err(fault.precondition("CANDIDATE_OPEN", held.id.to_string()));
    }
    // It is decided on before the customers become one, lest it be taken back as one that settled itself.
    held.state = if decision.accept { CandidateState::Accepted } else { CandidateState::Rejected };
    (held.revision, held.updated_at) = (held.revision + 1, tx.now());
    (held.decided_by, held.comment) = (decision.decided_by.clone(), Private::new(decision.comment.clone()));
    candidate::put(tx, &held).await?;
    let (merged, written) = if decision.accept {
        accept(tx, rules, &held, decision).await?
    } else {
        keep_apart(tx, rules, &held, decision).await?;
        (Vec::new(), Written::default())
    };
    let owners = owners(tx, std::slice::from_ref(&held)).await?;
    Ok(Decided { shown: shown(held, &owners), merged, written })
}

/// Declares the customers one: of the two the older one remains.
async fn accept(
    tx: &Tx,
    rules: &Rules,
    held: &Candidate,
    decision: &Decision,
) -> Result<(Vec<CustomerId>, Written), Fault> {
    let (left, right) =
        (attach::resolve(tx, &Named::Id(held.left)).await?.1, attach::resolve(tx, &Named::Id(held.right)).await?.1);
    let (target, source) = (left.min(right), left.max(right));
    let reason = decision.comment.clone();
    let input = Merge { target: Named::Id(target), sources: vec![Named::Id(source)], reason, expected: None };
    // Whoever decides on a pair that a limit keeps apart has seen that limit.
    let merged = merge(tx, rules, &input, held.reason != CandidateReason::Limit).await?;
    Ok((merged.merged, merged.written))
}

/// Declares the customers two.
async fn keep_apart(tx: &Tx, rules: &Rules, held: &Candidate, decision: &Decision) -> Result<(), Fault> {
    let component = component::lock(tx, &held.subjects(), rules).await?;
    let side = |subject: SubjectId| component.links.get(&subject).map(|link| component.members(link.customer));
    let (Some(left), Some(right)) = (side(held.left), side(held.right)) else {
        return Err(Fault::not_found("match_candidate", held.id.to_string()));
    };
    if left == right {
        let fault = Fault::new(Reason::InvalidState, "the two are one customer now: split it instead");
        return Err(fault.precondition("CANDIDATE_OPEN", held.id.to_string()));
    }
    let apart = Assertion {
        id: AssertionId::new(),
        same: false,
        left,
        right,
        survivor: None,
        reason: decision.comment.clone(),
        created_at: component.instant(tx.now()),
    };
    assertion::add(tx, &apart).await
}
