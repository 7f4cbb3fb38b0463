//! Which records are one party: the partition of a component of records into customers.
//!
//! A greedy union over edges in canonical order, under constraints that always hold. First come declared merges, newest
//! first; then shared values of strong identifiers, by the rank of their namespace, then by when both records carried
//! them, then by value and by the records' names. A union is not made where a declared split stands between any two of
//! its records, or where the customer would carry more values of a namespace than it may; nor for a value that several
//! parties may share, where stronger identifiers tell that they are two: so a shared telephone never joins strangers.
//! Nothing here looks at the order in which statements arrived.
//!
//! Of one record, or of records that were declared one party, only the first values of a namespace count and link, as
//! many as a customer may carry: later ones are kept and shown, but a record's own excess undoes no declared merge.
//!
//! After the identifiers come pairs that look alike (matches), the likeliest first; last the visits: a record of an
//! anonymous visitor joins the customer whose record first carried the same device or visitor id. A visit joins only
//! where one side knows nobody yet, so that a shared device never makes two people one.
//!
//! Being greedy, it never drops a stronger link for a weaker one: what is refused breaks a rule together with what is
//! stronger. (Deterministic linking; science.md, "Identity resolution".)

use std::collections::{BTreeMap, BTreeSet};

use rapport_kernel::{CustomerId, SubjectId, Timestamp};

use super::assertion::{Assertion, Pairs};
use super::namespace::{Namespace, Namespaces};
use super::value::{Identifier, SourceRecord};

/// The records of one component and all that speaks for or against linking them. Values that too many records carry
/// are not in it.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The records.
    pub subjects: BTreeMap<SubjectId, SourceRecord>,
    /// The strong identifiers each carries, with the first instant at which it did.
    pub carried: BTreeMap<SubjectId, BTreeMap<Identifier, Timestamp>>,
    /// What was declared about them.
    pub assertions: Vec<Assertion>,
    /// The pairs of them that look so alike that they are linked.
    pub matches: Vec<Match>,
    /// Those that carry a strong identifier, be it one that links nobody: they are somebody known.
    pub known: BTreeSet<SubjectId>,
    /// The records of anonymous visitors among them that somebody known can be told by.
    pub visits: BTreeSet<Visit>,
    /// Where nothing may link by itself: whose each record is now. Identifiers, matches and visits then keep together
    /// what is together, and no more.
    pub held: Option<BTreeMap<SubjectId, CustomerId>>,
    /// The records on which somebody objected to being profiled, where there are any: looks then keep together what is
    /// together of their customer, and no more.
    pub objecting: Option<Objecting>,
}

/// Records on which somebody objected to being profiled.
#[derive(Clone, Debug, Default)]
pub struct Objecting {
    /// The records.
    pub subjects: BTreeSet<SubjectId>,
    /// Whose each record of the component is now.
    pub owners: BTreeMap<SubjectId, CustomerId>,
}

/// Two records that look alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// One.
    pub left: SubjectId,
    /// The other.
    pub right: SubjectId,
    /// How likely they are one party's.
    pub probability: f64,
}

/// A record without any strong identifier, and the record with one that first carried the same weak one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Visit {
    /// The rank of its namespace.
    pub rank: u16,
    /// When both carried it.
    pub seen: Timestamp,
    /// What they share.
    pub identifier: Identifier,
    /// The visitor's record.
    pub visitor: SubjectId,
    /// The record of somebody known.
    pub known: SubjectId,
}

/// Why a record belongs to its customer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// It began this customer.
    Origin,
    /// A shared identifier of this namespace.
    Identifier(String),
    /// Looking alike.
    Match,
    /// A declared merge.
    Merge,
    /// A declared split.
    Split,
}

/// One customer of a partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cluster {
    /// Its id: the id of its home record.
    pub customer: CustomerId,
    /// Its records and why each belongs to it.
    pub members: BTreeMap<SubjectId, Cause>,
}

/// The customers that a component's records make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partition {
    /// The customers, by id.
    pub clusters: Vec<Cluster>,
    /// What speaks for joining two of them and was refused, the strongest of each two.
    pub refused: Vec<Refused>,
}

/// A link that was not made, between records that are two customers'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// One record.
    pub left: SubjectId,
    /// The other.
    pub right: SubjectId,
    /// The namespace they share a value of; empty: they look alike.
    pub by: String,
    /// Why not.
    pub why: Why,
}

/// Why a link was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The customer would carry more values of this namespace than it may; or each carries values of its own of it, and
    /// what they share several parties may share.
    Limit(String),
    /// Nothing links by itself.
    Held,
}

impl Partition {
    /// The customer of a record.
    #[must_use]
    pub fn of(&self, subject: SubjectId) -> Option<&Cluster> {
        self.clusters.iter().find(|cluster| cluster.members.contains_key(&subject))
    }
}

/// Partitions a component.
#[must_use]
pub fn partition(evidence: &Evidence, namespaces: &Namespaces) -> Partition {
    let mut work = Work::new(evidence, namespaces);
    work.declared();
    work.admit();
    work.identified();
    work.matched();
    work.visited();
    work.finish()
}

/// The values of a group of records that count against the limits of a customer: of each namespace the first, as many
/// as it may carry.
#[must_use]
pub fn counted<'a>(
    evidence: &Evidence,
    group: &BTreeSet<SubjectId>,
    namespaces: &'a Namespaces,
) -> BTreeMap<&'a str, BTreeSet<Identifier>> {
    let mut first = BTreeMap::<&Identifier, Timestamp>::new();
    for (identifier, seen) in group.iter().filter_map(|subject| evidence.carried.get(subject)).flatten() {
        first.entry(identifier).and_modify(|held| *held = (*held).min(*seen)).or_insert(*seen);
    }
    let mut ordered: Vec<_> = first.into_iter().map(|(identifier, seen)| (seen, identifier)).collect();
    ordered.sort_unstable();
    let mut counted = BTreeMap::<&str, BTreeSet<Identifier>>::new();
    for (_, identifier) in ordered {
        let Some(namespace) = namespaces.strong(&identifier.namespace) else { continue };
        let held = counted.entry(namespace.name.as_str()).or_default();
        if namespace.values_per_customer == 0 || held.len() < namespace.values_per_customer {
            held.insert(identifier.clone());
        }
    }
    counted
}

/// The state of one partitioning. Records are numbered in the order of their names.
struct Work<'a> {
    namespaces: &'a Namespaces,
    evidence: &'a Evidence,
    subjects: Vec<SubjectId>,
    pairs: Pairs,
    any_apart: bool,
    parent: Vec<usize>,
    members: Vec<Vec<usize>>,
    causes: Vec<Option<Cause>>,
    /// For each root: the values that count against the limit, by namespace.
    values: Vec<BTreeMap<&'a str, BTreeSet<Identifier>>>,
    index: BTreeMap<SubjectId, usize>,
    refused: Vec<(usize, usize, String, Why)>,
}

impl<'a> Work<'a> {
    fn new(evidence: &'a Evidence, namespaces: &'a Namespaces) -> Self {
        let mut subjects: Vec<_> = evidence.subjects.iter().collect();
        subjects.sort_by_key(|(_, name)| *name);
        let subjects: Vec<SubjectId> = subjects.into_iter().map(|(subject, _)| *subject).collect();
        let index: BTreeMap<SubjectId, usize> =
            subjects.iter().enumerate().map(|(at, subject)| (*subject, at)).collect();
        let pairs = Pairs::new(&evidence.assertions, &index);
        let count = subjects.len();
        Self {
            namespaces,
            evidence,
            subjects,
            any_apart: pairs.any_apart(),
            pairs,
            parent: (0..count).collect(),
            members: (0..count).map(|at| vec![at]).collect(),
            causes: vec![None; count],
            values: vec![BTreeMap::new(); count],
            index,
            refused: Vec::new(),
        }
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.parent[at] != at {
            self.parent[at] = self.parent[self.parent[at]];
            at = self.parent[at];
        }
        at
    }

    fn kept_apart(&self, a: usize, b: usize) -> bool {
        self.any_apart && self.members[a].iter().any(|x| self.members[b].iter().any(|y| self.pairs.apart(*x, *y)))
    }

    /// The namespace of which two groups together would carry too many values; of several the first in rank order.
    fn too_many(&self, a: usize, b: usize) -> Option<&'a Namespace> {
        let exceeded = |namespace: &&Namespace| {
            let (limit, name) = (namespace.values_per_customer, namespace.name.as_str());
            let both = self.values[a].get(name).zip(self.values[b].get(name));
            limit > 0 && both.is_some_and(|(one, other)| one.union(other).count() > limit)
        };
        self.namespaces.all().iter().find(exceeded)
    }

    /// Where several parties may share a value of `by`: the first stronger namespace of which both groups carry values.
    /// What they share of it has joined them already, or was not let join them.
    fn tells_apart(&self, by: &str, a: usize, b: usize) -> Option<&'a Namespace> {
        let shared = self.namespaces.strong(by).filter(|namespace| namespace.shared)?;
        let both = |name: &str| [a, b].iter().all(|at| self.values[*at].get(name).is_some_and(|held| !held.is_empty()));
        self.namespaces.all().iter().find(|namespace| namespace.rank < shared.rank && both(&namespace.name))
    }

    /// Joins the customers of two records for what speaks for it, where nothing declared, no limit and no hold forbids.
    fn link(&mut self, a: usize, b: usize, by: &str, cause: &Cause) {
        let (x, y) = (self.root(a), self.root(b));
        if x == y || self.kept_apart(x, y) {
            return;
        }
        let held = self.evidence.held.as_ref();
        let owner = |at: usize| held.and_then(|held| held.get(&self.subjects[at]));
        if held.is_some() && (owner(a).is_none() || owner(a) != owner(b)) {
            self.refused.push((a, b, by.to_owned(), Why::Held));
        } else if let Some(namespace) = self.too_many(x, y).or_else(|| self.tells_apart(by, x, y)) {
            self.refused.push((a, b, by.to_owned(), Why::Limit(namespace.name.clone())));
        } else {
            self.join(x, y, (a, b), cause);
        }
    }

    fn join(&mut self, a: usize, b: usize, edge: (usize, usize), cause: &Cause) {
        let (to, from) = if self.members[a].len() >= self.members[b].len() { (a, b) } else { (b, a) };
        self.parent[from] = to;
        let moved = std::mem::take(&mut self.members[from]);
        self.members[to].extend(moved);
        for (name, values) in std::mem::take(&mut self.values[from]) {
            self.values[to].entry(name).or_default().extend(values);
        }
        for at in [edge.0, edge.1] {
            self.causes[at].get_or_insert_with(|| cause.clone());
        }
    }

    /// Declared merges: no limit undoes them, only a later split does.
    fn declared(&mut self) {
        let merges: Vec<_> = self.pairs.standing_merges().map(|(_, pairs)| pairs).collect();
        for (a, b) in merges.into_iter().flatten() {
            let (x, y) = (self.root(a), self.root(b));
            if x != y && !self.kept_apart(x, y) {
                self.join(x, y, (a, b), &Cause::Merge);
            }
        }
    }

    /// Of each group the first values of a namespace count, as many as a customer may carry.
    fn admit(&mut self) {
        for root in 0..self.subjects.len() {
            let group = self.members[root].iter().map(|at| self.subjects[*at]).collect();
            self.values[root] = counted(self.evidence, &group, self.namespaces);
        }
    }

    /// Shared values, in canonical order.
    fn identified(&mut self) {
        let mut carriers = BTreeMap::<&Identifier, Vec<(usize, Timestamp)>>::new();
        for at in 0..self.subjects.len() {
            let root = self.root(at);
            for (identifier, seen) in self.evidence.carried.get(&self.subjects[at]).into_iter().flatten() {
                if self.values[root].get(identifier.namespace.as_str()).is_some_and(|held| held.contains(identifier)) {
                    carriers.entry(identifier).or_default().push((at, *seen));
                }
            }
        }
        let mut edges = Vec::new();
        for (identifier, carriers) in carriers {
            let rank = self.namespaces.rank(&identifier.namespace);
            for (place, (a, seen_a)) in carriers.iter().enumerate() {
                for (b, seen_b) in &carriers[place + 1..] {
                    edges.push((rank, (*seen_a).max(*seen_b), identifier, *a, *b));
                }
            }
        }
        edges.sort_unstable();
        for (_, _, identifier, a, b) in edges {
            self.link(a, b, &identifier.namespace, &Cause::Identifier(identifier.namespace.clone()));
        }
    }

    /// Pairs that look alike, the likeliest first, then by the names of the records.
    fn matched(&mut self) {
        let at = |subject: &SubjectId| self.index.get(subject).copied();
        let edge = |it: &Match| {
            let (a, b) = (at(&it.left)?, at(&it.right)?);
            Some((it.probability, a.min(b), a.max(b)))
        };
        let mut edges: Vec<(f64, usize, usize)> = self.evidence.matches.iter().filter_map(edge).collect();
        edges.sort_by(|one, other| other.0.total_cmp(&one.0).then((one.1, one.2).cmp(&(other.1, other.2))));
        for (_, a, b) in edges {
            if !self.is_kept_from_looks(a, b) {
                self.link(a, b, "", &Cause::Match);
            }
        }
    }

    /// Whether two records may not be joined by looks, since one is of somebody who objects to being profiled, and they are
    /// not one customer's already.
    fn is_kept_from_looks(&mut self, a: usize, b: usize) -> bool {
        let Some(Objecting { subjects, owners }) = &self.evidence.objecting else { return false };
        let (x, y) = (self.root(a), self.root(b));
        let mut members = self.members[x].iter().chain(&self.members[y]);
        let owner = |at: usize| owners.get(&self.subjects[at]);
        members.any(|at| subjects.contains(&self.subjects[*at])) && (owner(a).is_none() || owner(a) != owner(b))
    }

    /// Visits, in canonical order. Of two groups that both know somebody none is joined.
    fn visited(&mut self) {
        let at = |subject: &SubjectId| self.index.get(subject).copied();
        let edge = |it: &'a Visit| Some(((it.rank, it.seen, &it.identifier), at(&it.visitor)?, at(&it.known)?));
        let mut edges: Vec<_> = self.evidence.visits.iter().filter_map(edge).collect();
        edges.sort_unstable();
        for ((_, _, identifier), visitor, known) in edges {
            let group = self.root(visitor);
            if !self.members[group].iter().any(|at| self.evidence.known.contains(&self.subjects[*at])) {
                let before = self.refused.len();
                self.link(visitor, known, &identifier.namespace, &Cause::Identifier(identifier.namespace.clone()));
                // A visit is no reason to ask anybody.
                self.refused.truncate(before);
            }
        }
    }

    /// Names the customers: by the newest standing merge that says which one remains, else by the oldest record.
    fn finish(mut self) -> Partition {
        let mut named = BTreeMap::<usize, CustomerId>::new();
        let merges: Vec<_> = self.pairs.standing_merges().collect();
        for (survivor, pairs) in merges {
            let Some(home) = survivor.and_then(|survivor| self.subjects.iter().position(|it| *it == survivor)) else {
                continue;
            };
            let root = self.root(home);
            if !named.contains_key(&root) && pairs.iter().any(|(a, b)| self.root(*a) == root && self.root(*b) == root) {
                named.insert(root, self.subjects[home]);
            }
        }
        let mut clusters = Vec::new();
        for (root, members) in self.members.iter().enumerate().filter(|(_, members)| !members.is_empty()) {
            let oldest = members.iter().map(|at| self.subjects[*at]).min().expect("a cluster has members");
            let customer = named.get(&root).copied().unwrap_or(oldest);
            let why = |at: &usize| {
                let home = self.subjects[*at] == customer;
                let cause = self.causes[*at].clone().filter(|_| !home).unwrap_or(Cause::Origin);
                (self.subjects[*at], cause)
            };
            clusters.push(Cluster { customer, members: members.iter().map(why).collect() });
        }
        clusters.sort_unstable();
        Partition { clusters, refused: self.left_open() }
    }

    /// What was refused between records that are still two customers', the strongest of each two.
    fn left_open(&mut self) -> Vec<Refused> {
        let mut told = BTreeSet::new();
        let mut open = Vec::new();
        for (a, b, by, why) in std::mem::take(&mut self.refused) {
            let (x, y) = (self.root(a), self.root(b));
            if x != y && told.insert((x.min(y), x.max(y))) && !self.kept_apart(x, y) {
                open.push(Refused { left: self.subjects[a], right: self.subjects[b], by, why });
            }
        }
        open
    }
}

#[cfg(test)]
mod tests;
