//! Properties of linking: the order of inputs does not show, constraints always hold, merge then split is the identity.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::domain::assertion::AssertionId;
use crate::domain::profile::Record;
use crate::domain::testing::{self, carried, identifier, name, subject};

fn evidence(records: &[Record], assertions: Vec<Assertion>) -> Evidence {
    let subjects = records.iter().map(|record| (record.subject, record.name.clone())).collect();
    let known = records.iter().filter(|it| is_known(it)).map(|record| record.subject).collect();
    Evidence { subjects, carried: carried(records), assertions, known, ..Evidence::default() }
}

fn is_known(record: &Record) -> bool {
    let namespaces = Namespaces::default();
    record.claims.identifiers.keys().any(|it| namespaces.strong(&it.namespace).is_some())
}

/// The rules under which groups may be one, written anew: no declared split within, no limit exceeded.
fn may_be(group: &BTreeSet<SubjectId>, evidence: &Evidence) -> bool {
    let namespaces = Namespaces::default();
    let mut values = BTreeMap::<String, BTreeSet<Identifier>>::new();
    for subject in group {
        for (name, counted) in counted(evidence, &[*subject].into(), &namespaces) {
            values.entry(name.to_owned()).or_default().extend(counted);
        }
    }
    let within = values.iter().all(|(name, values)| {
        let limit = namespaces.find(name).map_or(0, |namespace| namespace.values_per_customer);
        limit == 0 || values.len() <= limit
    });
    let split = |it: &Assertion| {
        !it.same && it.left.iter().any(|left| group.contains(left)) && it.right.iter().any(|it| group.contains(it))
    };
    within && !evidence.assertions.iter().any(split)
}

/// The groups that some edges make.
fn united(evidence: &Evidence, edges: &[(SubjectId, SubjectId)]) -> BTreeSet<BTreeSet<SubjectId>> {
    let mut groups: Vec<BTreeSet<SubjectId>> = evidence.subjects.keys().map(|subject| [*subject].into()).collect();
    for (a, b) in edges {
        let of = |subject: &SubjectId| groups.iter().position(|group| group.contains(subject)).expect("a group");
        let (x, y) = (of(a), of(b));
        if x != y {
            let moved = groups.remove(x.max(y));
            groups[x.min(y)].extend(moved);
        }
    }
    groups.into_iter().collect()
}

/// Whether links, made in their order, never join by a shared telephone two groups that both carry a stronger kind of
/// identifier: the rule of shared namespaces, written anew.
fn phones_join_no_strangers(evidence: &Evidence, chosen: &[(SubjectId, SubjectId, String)]) -> bool {
    let mut made = Vec::new();
    chosen.iter().all(|(a, b, by)| {
        let groups = united(evidence, &made);
        let kinds = |of: &SubjectId| -> BTreeSet<String> {
            let group = groups.iter().find(|group| group.contains(of)).expect("a group");
            let carried = group.iter().flat_map(|subject| evidence.carried[subject].keys());
            carried.filter(|it| it.namespace != "phone").map(|it| it.namespace.clone()).collect()
        };
        let apart = groups.iter().all(|group| !(group.contains(a) && group.contains(b)));
        let strangers = apart && by == "phone" && kinds(a).intersection(&kinds(b)).next().is_some();
        made.push((*a, *b));
        !strangers
    })
}

fn pairs(edges: &[(SubjectId, SubjectId, String)]) -> Vec<(SubjectId, SubjectId)> {
    edges.iter().map(|(a, b, _)| (*a, *b)).collect()
}

/// All pairs that share a value, and of which namespace, in canonical order, written anew.
fn edges(evidence: &Evidence) -> Vec<(SubjectId, SubjectId, String)> {
    let namespaces = Namespaces::default();
    let admitted: BTreeMap<SubjectId, BTreeSet<Identifier>> = evidence
        .subjects
        .keys()
        .map(|subject| {
            let counted = counted(evidence, &[*subject].into(), &namespaces);
            (*subject, counted.into_values().flatten().collect())
        })
        .collect();
    let mut edges = Vec::new();
    for (a, name_a) in &evidence.subjects {
        for (b, name_b) in evidence.subjects.iter().filter(|(_, name_b)| name_a < *name_b) {
            for shared in admitted[a].intersection(&admitted[b]) {
                let seen = evidence.carried[a][shared].max(evidence.carried[b][shared]);
                let order = (namespaces.rank(&shared.namespace), seen, shared.clone(), name_a, name_b);
                edges.push((order, (*a, *b, shared.namespace.clone())));
            }
        }
    }
    edges.sort();
    edges.into_iter().map(|(_, pair)| pair).collect()
}

/// Visits as the search for a component finds them: from each record that knows nobody to the first that does.
fn visits(records: &[Record], evidence: &mut Evidence, carried: &[(usize, i64, usize)]) {
    for (visitor, _, value) in carried.iter().filter(|(at, ..)| !is_known(&records[*at])) {
        let same = carried.iter().filter(|(at, _, other)| other == value && is_known(&records[*at]));
        if let Some((known, seen, _)) = same.min_by_key(|(at, seen, _)| (*seen, records[*at].name.clone())) {
            evidence.visits.insert(Visit {
                rank: 90,
                seen: Timestamp::from_micros(*seen).expect("in range"),
                identifier: identifier("anonymous_id", *value),
                visitor: records[*visitor].subject,
                known: records[*known].subject,
            });
        }
    }
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

proptest! {
    #[test]
    fn a_stronger_link_is_never_dropped_for_a_weaker_one(
        records in testing::records(2..6),
        split in any::<Option<(prop::sample::Index, prop::sample::Index)>>(),
    ) {
        let mut assertions = Vec::new();
        if let Some((a, b)) = split.map(|(a, b)| (a.index(records.len()), b.index(records.len()))) && a != b {
            assertions.push(assertion(1, false, &[subject(a)], &[subject(b)]));
        }
        let evidence = evidence(&records, assertions);
        let edges = edges(&evidence);
        prop_assume!(edges.len() <= 10);
        // Of all sets of links that break no rule the one that has the strongest, then the next strongest, and so on.
        let may_all = |set: &u32| {
            let chosen: Vec<_> = (0..edges.len()).filter(|at| set & (1 << at) != 0).map(|at| edges[at].clone()).collect();
            united(&evidence, &pairs(&chosen)).iter().all(|group| may_be(group, &evidence))
                && phones_join_no_strangers(&evidence, &chosen)
        };
        let strongest_first = |set: &u32| set.reverse_bits();
        let best = (0..1_u32 << edges.len()).filter(may_all).max_by_key(strongest_first).expect("none breaks no rule");
        let chosen: Vec<_> = (0..edges.len()).filter(|at| best & (1 << at) != 0).map(|at| edges[at].clone()).collect();
        let partition = partition(&evidence, &Namespaces::default());
        prop_assert_eq!(groups(&partition), united(&evidence, &pairs(&chosen)));
        // And whatever was refused is told, once for each two customers.
        let of = |subject| partition.of(subject).expect("there").customer;
        let open: BTreeSet<_> = edges
            .iter()
            .map(|(a, b, _)| (of(*a).min(of(*b)), of(*a).max(of(*b))))
            .filter(|(a, b)| a != b)
            .collect();
        let told: Vec<_> = partition.refused.iter().map(|it| (of(it.left), of(it.right))).collect();
        let told_once: BTreeSet<_> = told.iter().map(|(a, b)| (*a.min(b), *a.max(b))).collect();
        prop_assert_eq!(told.len(), told_once.len());
        prop_assert!(told_once.is_subset(&open));
        let kept_apart = |(a, b): &(SubjectId, SubjectId)| {
            let members = |id: SubjectId| partition.of(id).expect("there").members.keys().copied().collect::<BTreeSet<_>>();
            let both: BTreeSet<SubjectId> = members(*a).union(&members(*b)).copied().collect();
            evidence.assertions.iter().any(|it| it.subjects().all(|subject| both.contains(&subject)))
        };
        prop_assert!(open.difference(&told_once).all(kept_apart));
    }

    #[test]
    fn visits_never_make_two_who_are_known_one_and_join_each_visitor_to_one(
        records in testing::records(2..8),
        anonymous in proptest::collection::vec(any::<bool>(), 8),
        carried in proptest::collection::vec((0_usize..8, 0_i64..4, 0_usize..3), 0..12),
    ) {
        let mut records = records;
        for (record, _) in records.iter_mut().zip(anonymous).filter(|(_, anonymous)| *anonymous) {
            record.claims.identifiers.clear();
        }
        let carried: Vec<_> = carried.into_iter().filter(|(at, ..)| *at < records.len()).collect();
        let namespaces = Namespaces::default();
        let without = evidence(&records, Vec::new());
        let mut with = without.clone();
        visits(&records, &mut with, &carried);
        let (before, after) = (partition(&without, &namespaces), partition(&with, &namespaces));
        let known = |groups: BTreeSet<BTreeSet<SubjectId>>| -> BTreeSet<BTreeSet<SubjectId>> {
            let known = groups.iter().map(|group| group.intersection(&with.known).copied().collect());
            known.filter(|group: &BTreeSet<SubjectId>| !group.is_empty()).collect()
        };
        prop_assert_eq!(known(groups(&before)), known(groups(&after)));
        for visit in &with.visits {
            let theirs = after.of(visit.visitor).expect("there");
            prop_assert!(theirs.members.keys().any(|member| with.known.contains(member)), "it turned out whose it is");
        }
    }

    #[test]
    fn matches_come_after_identifiers_and_under_the_same_limits(
        records in testing::records(2..8),
        pairs in proptest::collection::vec((0_usize..8, 0_usize..8, 0.9_f64..1.0), 0..8),
    ) {
        let namespaces = Namespaces::default();
        let without = evidence(&records, Vec::new());
        let mut with = without.clone();
        let pairs = pairs.into_iter().filter(|(a, b, _)| a != b && *a < records.len() && *b < records.len());
        with.matches =
            pairs.map(|(a, b, probability)| Match { left: subject(a), right: subject(b), probability }).collect();
        let (before, after) = (partition(&without, &namespaces), partition(&with, &namespaces));
        for group in groups(&before) {
            prop_assert!(groups(&after).iter().any(|larger| group.is_subset(larger)), "no identifier's link is lost");
        }
        for group in groups(&after) {
            prop_assert!(groups(&before).contains(&group) || may_be(&group, &with));
        }
        let mut reversed = with.clone();
        reversed.matches.reverse();
        prop_assert_eq!(&after, &partition(&reversed, &namespaces));
        // Held, nothing links that is not linked.
        let owners = before.clusters.iter().flat_map(|it| it.members.keys().map(|member| (*member, it.customer)));
        with.held = Some(owners.collect());
        prop_assert_eq!(groups(&partition(&with, &namespaces)), groups(&before));
        with.held = Some(BTreeMap::new());
        prop_assert!(groups(&partition(&with, &namespaces)).iter().all(|group| group.len() == 1));
    }

    #[test]
    fn whoever_objects_is_joined_by_looks_with_nobody_and_parted_from_nobody(
        records in testing::records(2..8),
        pairs in proptest::collection::vec((0_usize..8, 0_usize..8, 0.9_f64..1.0), 0..8),
        objecting in 0_usize..8,
    ) {
        let namespaces = Namespaces::default();
        let without = evidence(&records, Vec::new());
        let mut with = without.clone();
        let pairs = pairs.into_iter().filter(|(a, b, _)| a != b && *a < records.len() && *b < records.len());
        with.matches =
            pairs.map(|(a, b, probability)| Match { left: subject(a), right: subject(b), probability }).collect();
        let (before, after) = (partition(&without, &namespaces), partition(&with, &namespaces));
        let one = subject(objecting % records.len());
        let mut told = |owners: &Partition| {
            let members = owners.clusters.iter().flat_map(|it| it.members.keys().map(|member| (*member, it.customer)));
            with.objecting = Some(Objecting { subjects: [one].into(), owners: members.collect() });
            groups(&partition(&with, &namespaces))
        };
        let of = |groups: BTreeSet<BTreeSet<SubjectId>>| groups.into_iter().find(|group| group.contains(&one));
        prop_assert_eq!(of(told(&before)), of(groups(&before)));
        prop_assert_eq!(told(&after), groups(&after));
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
fn a_shared_phone_joins_no_strangers_but_who_is_known_by_nothing_else() {
    let records = [
        record(0, &[("email", 1, 1), ("phone", 9, 1)]),
        record(1, &[("email", 2, 1), ("phone", 9, 2)]),
        record(2, &[("customer_number", 3, 1), ("phone", 9, 3)]),
        record(3, &[("phone", 9, 4)]),
        record(4, &[("email", 1, 5), ("email", 4, 5)]),
    ];
    let made = partition(&evidence(&records, Vec::new()), &Namespaces::default());
    let of = |at: usize| made.of(subject(at)).expect("there").customer;
    assert_ne!(of(0), of(1), "each has an e-mail address of its own");
    assert_eq!((of(2), of(3), of(4)), (of(0), of(0), of(0)), "nothing tells that they are others");
    let refused = |it: &Refused| (it.by.clone(), it.why.clone());
    assert_eq!(made.refused.iter().map(refused).collect::<Vec<_>>(), [("phone".into(), Why::Limit("email".into()))]);
    // A telephone that is one party's own links as any other identifier does.
    let mut own = Namespaces::default().find("phone").expect("built in").clone();
    own.shared = false;
    let made = partition(&evidence(&records, Vec::new()), &Namespaces::default().with([own]));
    assert_eq!(made.clusters.len(), 1);
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
