//! Declared merges and splits. They outrank identifiers; of two about one pair of records the later one holds.

use std::collections::{BTreeMap, BTreeSet};

use rapport_kernel::{CustomerId, Id, SubjectId, Timestamp};

/// Marks the id of an assertion.
pub enum AssertionKind {}
/// The id of an assertion.
pub type AssertionId = Id<AssertionKind>;

/// Somebody said that the records of two sides are one party, or that they are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// Its id.
    pub id: AssertionId,
    /// True: one party; false: not.
    pub same: bool,
    /// The records on one side.
    pub left: BTreeSet<SubjectId>,
    /// The records on the other side.
    pub right: BTreeSet<SubjectId>,
    /// Of a merge: the customer that remains.
    pub survivor: Option<CustomerId>,
    /// Why, as it was given.
    pub reason: String,
    /// When.
    pub created_at: Timestamp,
}

impl Assertion {
    /// All records it names.
    pub fn subjects(&self) -> impl Iterator<Item = SubjectId> {
        self.left.iter().chain(&self.right).copied()
    }
}

/// What the assertions say of each pair of `count` records, by index.
pub struct Pairs {
    count: usize,
    /// For each pair (i < j): 0 nothing, else 1 + the index of the latest assertion about it.
    latest: Vec<u32>,
    /// The assertions, oldest first.
    ordered: Vec<(bool, Option<CustomerId>)>,
    /// The pairs of each assertion, in the order of the records.
    pairs: Vec<Vec<(usize, usize)>>,
}

impl Pairs {
    /// Reads the assertions about the records of `index`.
    #[must_use]
    pub fn new(assertions: &[Assertion], index: &BTreeMap<SubjectId, usize>) -> Self {
        let count = index.len();
        let mut sorted: Vec<_> = assertions.iter().collect();
        sorted.sort_by_key(|assertion| (assertion.created_at, assertion.id));
        sorted.dedup_by_key(|assertion| assertion.id);
        let mut this = Self { count, latest: vec![0; count * count], ordered: Vec::new(), pairs: Vec::new() };
        for assertion in sorted {
            this.ordered.push((assertion.same, assertion.survivor));
            let number = u32::try_from(this.ordered.len()).expect("far fewer than 2^32");
            let at = |side: &BTreeSet<SubjectId>| {
                let mut at: Vec<_> = side.iter().filter_map(|subject| index.get(subject).copied()).collect();
                at.sort_unstable();
                at
            };
            let (left, right) = (at(&assertion.left), at(&assertion.right));
            let mut pairs = Vec::with_capacity(left.len() * right.len());
            for &a in &left {
                for &b in right.iter().filter(|b| **b != a) {
                    let pair = (a.min(b), a.max(b));
                    this.latest[pair.0 * count + pair.1] = number;
                    pairs.push(pair);
                }
            }
            this.pairs.push(pairs);
        }
        this
    }

    /// Whether two records must not be one party.
    #[must_use]
    pub fn apart(&self, a: usize, b: usize) -> bool {
        let number = self.latest[a.min(b) * self.count + a.max(b)];
        number > 0 && !self.ordered[number as usize - 1].0
    }

    /// Whether anything keeps any two records apart: mostly nothing does, and then nothing need be compared.
    #[must_use]
    pub fn any_apart(&self) -> bool {
        self.ordered.iter().any(|(same, _)| !same)
    }

    /// The standing merges, newest first: the customer that remains and the pairs that no later assertion is about.
    pub fn standing_merges(&self) -> impl Iterator<Item = (Option<CustomerId>, Vec<(usize, usize)>)> {
        (0..self.ordered.len()).rev().filter(|at| self.ordered[*at].0).map(|at| {
            let stands = |pair: &&(usize, usize)| self.latest[pair.0 * self.count + pair.1] as usize == at + 1;
            (self.ordered[at].1, self.pairs[at].iter().filter(stands).copied().collect())
        })
    }
}
