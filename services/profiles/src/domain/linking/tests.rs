//! Properties of linking: the order of inputs does not show, constraints always hold, merge then split is the identity.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::domain::assertion::AssertionId;
use crate::domain::profile::Record;
use crate::domain::testing::{self, carried, identifier, name, subject};

fn evidence(records: &[Record], assertions: Vec<Assertion>) -> Evidence {
    let subjects = records.iter().map(|record| (record.subject, record.name.clone())).collect();
    Evidence { subjects, carried: carried(records), assertions }
}

fn assertion(number: usize, same: bool, left: &[SubjectId], right: &[SubjectId]) -> Assertion {
    Assertion {
        id: AssertionId::from_uuid(uuid::Uuid::from_u128(number as u128 + 1)),
        same,
        left: left.iter().copied().collect(),
        right: right.iter().copied().collect(),
        survivor: left.first().copied().filter(|_| same),
        reason: String::new(),
        created_at: Timestamp::from_micros(i64::try_from(number).expect("small")).expect("in range"),
    }
}

fn assertions(records: usize) -> impl Strategy<Value = Vec<Assertion>> {
    let side = || proptest::collection::btree_set(0..records, 1..3);
    proptest::collection::vec((any::<bool>(), side(), side()), 0..5).prop_map(|all| {
        let make = |(number, (same, left, right)): (usize, (bool, BTreeSet<usize>, BTreeSet<usize>))| {
            let ids = |side: &BTreeSet<usize>| side.iter().map(|at| subject(*at)).collect::<Vec<_>>();
            let right: BTreeSet<usize> = right.difference(&left).copied().collect();
            assertion(number, same, &ids(&left), &ids(&right))
        };
        all.into_iter().enumerate().map(make).collect()
    })
}

/// The groups of records, without the causes.
fn groups(partition: &Partition) -> BTreeSet<BTreeSet<SubjectId>> {
    partition.clusters.iter().map(|cluster| cluster.members.keys().copied().collect()).collect()
}

proptest! {
    #[test]
    fn the_order_of_the_inputs_does_not_show(
        (records, assertions) in testing::records(1..9).prop_flat_map(|records| {
            let count = records.len();
            (Just(records), assertions(count))
        }),
        seed in any::<u64>(),
    ) {
        let straight = partition(&evidence(&records, assertions.clone()), &Namespaces::default());
        let (mut records, mut assertions) = (records, assertions);
        let by = usize::try_from(seed % records.len() as u64).expect("small");
        records.rotate_left(by);
        assertions.reverse();
        prop_assert_eq!(straight, partition(&evidence(&records, assertions), &Namespaces::default()));
    }

    #[test]
    fn minted_ids_decide_nothing_but_names(
        records in testing::records(1..9),
        shift in 1_usize..50,
    ) {
        let namespaces = Namespaces::default();
        let straight = groups(&partition(&evidence(&records, Vec::new()), &namespaces));
        // The same records with other ids, in the opposite order.
        let renamed = |id: SubjectId| subject(shift + 100 - usize::try_from(id.uuid().as_u128()).expect("small"));
        let mut others = records;
        for record in &mut others {
            record.subject = renamed(record.subject);
        }
        let other = groups(&partition(&evidence(&others, Vec::new()), &namespaces));
        let expected = straight.iter().map(|group| group.iter().map(|id| renamed(*id)).collect()).collect();
        prop_assert_eq!(other, expected);
    }

    #[test]
    fn declared_splits_always_hold_and_limits_stop_every_identifier(
        (records, assertions) in testing::records(1..9).prop_flat_map(|records| {
            let count = records.len();
            (Just(records), assertions(count))
        }),
    ) {
        let namespaces = Namespaces::default();
        let evidence = evidence(&records, assertions.clone());
        let index = records.iter().enumerate().map(|(at, record)| (record.subject, at)).collect();
        let pairs = Pairs::new(&assertions, &index);
        for group in groups(&partition(&evidence, &namespaces)) {
            for a in &group {
                for b in &group {
                    prop_assert!(!pairs.apart(index[a], index[b]), "a declared split stands");
                }
            }
        }
    }

    #[test]
    fn no_customer_made_by_identifiers_carries_more_numbers_than_it_may(records in testing::records(1..9)) {
        let evidence = evidence(&records, Vec::new());
        for group in groups(&partition(&evidence, &Namespaces::default())).iter().filter(|group| group.len() > 1) {
            // Of each record the first number counts.
            let first = |id: &SubjectId| {
                let numbers = evidence.carried[id].iter().filter(|(it, _)| it.namespace == "customer_number");
                numbers.min_by_key(|(it, seen)| (**seen, (*it).clone())).map(|(it, _)| it.clone())
            };
            prop_assert!(group.iter().filter_map(first).collect::<BTreeSet<_>>().len() <= 1);
        }
    }

    #[test]
    fn a_merge_and_then_a_split_is_the_identity(records in testing::records(2..9), pick in any::<prop::sample::Index>()) {
        let namespaces = Namespaces::default();
        let before = partition(&evidence(&records, Vec::new()), &namespaces);
        prop_assume!(before.clusters.len() > 1);
        let other = 1 + pick.index(before.clusters.len() - 1);
        let side = |at: usize| before.clusters[at].members.keys().copied().collect::<Vec<_>>();
        let (left, right) = (side(0), side(other));
        let merge = assertion(1, true, &left, &right);
        let merged = partition(&evidence(&records, vec![merge.clone()]), &namespaces);
        prop_assert!(merged.of(left[0]) == merged.of(right[0]), "a declared merge holds");
        let split = assertion(2, false, &right, &left);
        let after = partition(&evidence(&records, vec![merge.clone(), split.clone()]), &namespaces);
        prop_assert_eq!(groups(&before), groups(&after));
        let again = assertion(3, true, &left, &right);
        let again = partition(&evidence(&records, vec![merge, split, again]), &namespaces);
        prop_assert_eq!(groups(&merged), groups(&again), "a merge after a split outranks the split");
    }
}

fn record(number: usize, identifiers: &[(&str, usize, i64)]) -> Record {
    let mut record =
        Record { subject: subject(number), name: name(number), created_at: Timestamp::MIN, claims: Default::default() };
    for (namespace, value, seen) in identifiers {
        let seen = Timestamp::from_micros(*seen).expect("in range");
        record.claims.identifiers.insert(identifier(namespace, *value), seen);
    }
    record
}

#[test]
fn a_shared_phone_never_joins_two_customer_numbers() {
    let records = [
        record(0, &[("customer_number", 1, 1), ("phone", 9, 1)]),
        record(1, &[("customer_number", 2, 1), ("phone", 9, 1)]),
    ];
    assert_eq!(partition(&evidence(&records, Vec::new()), &Namespaces::default()).clusters.len(), 2);
}

#[test]
fn a_record_s_second_customer_number_neither_links_nor_breaks_its_links() {
    let records = [
        record(0, &[("customer_number", 1, 1), ("customer_number", 2, 5), ("email", 7, 1)]),
        record(1, &[("email", 7, 2)]),
        record(2, &[("customer_number", 2, 1)]),
    ];
    let partition = partition(&evidence(&records, Vec::new()), &Namespaces::default());
    assert_eq!(
        groups(&partition),
        BTreeSet::from([BTreeSet::from([subject(0), subject(1)]), BTreeSet::from([subject(2)])])
    );
}

#[test]
fn the_target_of_a_merge_keeps_its_name_though_it_is_younger() {
    let records = [record(0, &[]), record(1, &[]), record(2, &[])];
    let merge = assertion(1, true, &[subject(1)], &[subject(0)]);
    let of = |assertions: Vec<Assertion>| partition(&evidence(&records, assertions), &Namespaces::default());
    assert_eq!(of(vec![merge.clone()]).of(subject(0)).expect("there").customer, subject(1));
    let next = assertion(2, true, &[subject(2)], &[subject(0), subject(1)]);
    assert_eq!(of(vec![merge.clone(), next.clone()]).of(subject(0)).expect("there").customer, subject(2));
    // The third leaves again: the first merge still stands, and so does its survivor.
    let split = assertion(3, false, &[subject(2)], &[subject(0), subject(1)]);
    let after = of(vec![merge, next, split]);
    assert_eq!(after.of(subject(0)).expect("there").customer, subject(1));
    assert_eq!(after.of(subject(2)).expect("there").customer, subject(2));
}

#[test]
fn a_component_at_the_limit_is_partitioned_quickly() {
    let records: Vec<_> = (0..1_000).map(|n| record(n, &[("email", n / 50, 1), ("phone", n % 20, 1)])).collect();
    let all: Vec<SubjectId> = records.iter().map(|record| record.subject).collect();
    let split = assertion(1, false, &all[..1], &all[1..]);
    let started = std::time::Instant::now();
    let partition = partition(&evidence(&records, vec![split]), &Namespaces::default());
    assert!(partition.of(all[0]).expect("there").members.len() == 1);
    assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
}
