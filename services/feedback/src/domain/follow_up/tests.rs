use proptest::prelude::*;
use rapport_kernel::{CustomerId, Private, Reason, SubjectId, Timestamp};
use uuid::Uuid;

use super::cause::Place;
use super::*;
use crate::domain::Party;
use crate::domain::sla::Hours;

const NOW: Timestamp = Timestamp::from_column(1_800_000_000_000_000);
const HOUR: u64 = 3_600;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_column(NOW.micros() + seconds * 1_000_000)
}

fn nobody() -> Private<String> {
    Private::default()
}

fn cause(id: u128, seconds: i64, score: Option<i32>) -> Cause {
    let (key, subject) = (CauseKey { kind: CauseType::Response, id: Uuid::from_u128(id) }, SubjectId::new());
    let scored = |value| Scored {
        response: key.id,
        subject: SubjectId::from_uuid(Uuid::from_u128(9)),
        kind: "nps".to_owned(),
        value,
        min: 0,
        max: 10,
        reversed: false,
        at: at(seconds),
    };
    Cause { key, subject, at: at(seconds), score: score.map(scored), sentiment: None, place: Place::default() }
}

fn step(after: u64, owner: &str) -> Step {
    Step { after, owner: Private::new(owner.to_owned()), team: String::new(), priority: Some(Priority::Urgent) }
}

fn opened(steps: Vec<Step>, first: Cause) -> FollowUp {
    let opening = Opening {
        id: FollowUpId::new(),
        subject: first.subject,
        customer: Some(CustomerId::new()),
        rule: Some(RuleId::new()),
        kind: Kind::Recovery,
        priority: Priority::Normal,
        owner: Private::new("anna".to_owned()),
        team: String::new(),
        title: nobody(),
        window: HOUR,
        calendar: None,
        steps,
        cause: Some(first),
        place: Place::default(),
        party: Party::Customer,
        dimensions: std::collections::BTreeMap::new(),
    };
    FollowUp::open(opening, &Hours::Always, NOW).follow_up
}

fn resolving() -> Resolving {
    Resolving { outcome: Outcome::Recovered, root_cause: "late".to_owned(), note: nobody() }
}

#[test]
fn it_is_overdue_at_its_instant_and_goes_up_its_chain_step_by_step() {
    let held = opened(vec![step(0, "ben"), step(HOUR, "carl")], cause(1, 0, Some(2)));
    assert!(held.tick(at(3_599)).is_none());
    assert_eq!(held.wakes(), Some(at(3_600)));
    let first = held.tick(at(3_600)).expect("it is due");
    let kinds: Vec<EntryKind> = first.entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::Overdue, EntryKind::Escalated]);
    assert_eq!((first.follow_up.owner.expose().as_str(), first.follow_up.priority), ("ben", Priority::Urgent));
    let second = first.follow_up.tick(at(9_000)).expect("the next step");
    assert_eq!((second.follow_up.owner.expose().as_str(), second.follow_up.escalations), ("carl", 2));
    assert_eq!(second.follow_up.wakes(), None);
    // Whoever looks late sees the same.
    let leapt = held.tick(at(9_000)).expect("all at once").follow_up;
    assert_eq!((leapt.escalations, leapt.overdue_at), (2, Some(at(3_600))));
}

#[test]
fn another_due_time_moves_the_steps_that_were_not_taken() {
    let held = opened(vec![step(0, "ben"), step(HOUR, "carl")], cause(1, 0, None));
    let held = held.tick(at(3_600)).expect("due").follow_up;
    let wanted = Assigning { due_at: Some(at(20_000)), ..Assigning::default() };
    let moved = held.assign(wanted, &Hours::Always, &nobody(), at(4_000)).expect("open").follow_up;
    assert_eq!((moved.wakes(), moved.is_overdue()), (Some(at(20_000)), false));
    let late = moved.tick(at(23_600)).expect("due again").follow_up;
    assert_eq!((late.escalations, late.owner.expose().as_str()), (2, "carl"), "a step is taken once");
    let past = Assigning { due_at: Some(at(3_999)), ..Assigning::default() };
    assert!(held.assign(past, &Hours::Always, &nobody(), at(4_000)).is_err());
}

#[test]
fn without_a_cause_left_it_is_cancelled_and_what_is_over_takes_no_turn() {
    let held = opened(Vec::new(), cause(1, 0, Some(2)));
    let more = held.take(cause(2, -50, Some(1)), at(1)).expect("a cause").follow_up;
    assert_eq!(more.score_before().map(|score| score.value), Some(1), "the earliest one");
    let one = more.withdraw(cause(2, 0, None).key, at(2)).expect("held").follow_up;
    assert_eq!((one.status, one.causes.len()), (Status::Open, 1));
    let none = one.withdraw(cause(1, 0, None).key, at(3)).expect("held").follow_up;
    assert_eq!((none.status, none.cancellation), (Status::Cancelled, Some(Cancellation::CauseWithdrawn)));
    assert!(none.wakes().is_none() && none.tick(at(99_999)).is_none());
    assert_eq!(none.resolve(resolving(), &nobody(), at(4)).expect_err("over").reason, Reason::InvalidState);
    let again = none.reopen(None, (&nobody(), &nobody()), &Hours::Always, at(10)).expect("over").follow_up;
    assert_eq!((again.due_at, again.reopens, again.status), (at(3_610), 1, Status::Open));
}

#[test]
fn whether_it_helped_is_told_by_scores_of_one_kind_and_scale() {
    let held = opened(Vec::new(), cause(1, 0, Some(4)));
    let held = held.resolve(resolving(), &nobody(), at(5_000)).expect("open").follow_up;
    assert!(held.is_overdue(), "it was resolved later than it was due");
    let score = |value: i32, reversed: bool, kind: &str| Scored {
        kind: kind.to_owned(),
        reversed,
        ..cause(7, 6_000, Some(value)).score.expect("a score")
    };
    let help = |score| held.link_score(Some(score), at(6_001)).and_then(|touched| touched.follow_up.help());
    assert_eq!(help(score(9, false, "nps")), Some(Help::Better));
    assert_eq!(help(score(4, false, "nps")), Some(Help::Same));
    assert_eq!(help(score(0, false, "nps")), Some(Help::Worse));
    assert_eq!((help(score(9, false, "csat")), help(score(9, true, "nps"))), (None, None));
}

proptest! {
    #[test]
    fn in_whatever_order_causes_come_and_go_the_follow_up_has_the_same(
        order in Just((0..6_u128).collect::<Vec<_>>()).prop_shuffle(),
        gone in proptest::collection::btree_set(0..6_u128, 0..6),
    ) {
        let all: Vec<Cause> = (0..6).map(|id| Cause {
            subject: SubjectId::from_uuid(Uuid::from_u128(id)),
            ..cause(id, (i64::try_from(id).expect("small") * 7) % 5, Some(3))
        }).collect();
        let first = cause(100, 100, None);
        let mut held = opened(Vec::new(), first.clone());
        for id in &order {
            let cause = all[usize::try_from(*id).expect("small")].clone();
            held = held.take(cause.clone(), at(1)).expect("new").follow_up;
            prop_assert!(held.take(cause, at(2)).is_none(), "told twice it is one");
            if gone.contains(id) {
                held = held.withdraw(all[usize::try_from(*id).expect("small")].key, at(1)).expect("held").follow_up;
            }
        }
        let mut left: Vec<Cause> =
            all.into_iter().filter(|cause| !gone.contains(&cause.key.id.as_u128())).chain([first]).collect();
        left.sort_by_key(|cause| (cause.at, cause.key));
        prop_assert_eq!(held.causes, left);
    }
}

proptest! {
    #[test]
    fn of_one_rule_one_leads_and_what_is_split_again_is_as_it_was(
        drawn in proptest::collection::vec((0_u128..3, 0_i64..4, 0_usize..3), 1..10)
    ) {
        let made: Vec<(usize, FollowUp)> = drawn
            .iter()
            .map(|(rule, opened, customer)| {
                let one = opened_by(RuleId::from_uuid(Uuid::from_u128(*rule)), *opened);
                (*customer, one)
            })
            .collect();
        let of = |all: &[(usize, FollowUp)], customer: Option<usize>| -> Vec<FollowUp> {
            all.iter().filter(|(of, _)| customer.is_none_or(|one| one == *of)).map(|(_, one)| one.clone()).collect()
        };
        let apply = |all: &mut [(usize, FollowUp)], touched: Vec<Touched>| {
            for Touched { follow_up, .. } in touched {
                if let Some((_, held)) = all.iter_mut().find(|(_, held)| held.id == follow_up.id) {
                    *held = follow_up;
                }
            }
        };
        let mut apart = made;
        for customer in 0..3 {
            let touched = joined(&of(&apart, Some(customer)), at(9));
            apply(&mut apart, touched);
        }
        let mut all = apart.clone();
        let touched = joined(&of(&all, None), at(10));
        apply(&mut all, touched);
        for (_, one) in &all {
            let rivals = || all.iter().map(|(_, other)| other).filter(|other| other.rule == one.rule);
            let lead = rivals().min_by_key(|other| (other.opened_at, other.id)).expect("it is one itself");
            prop_assert_eq!(one.joined, Some(lead.id).filter(|lead| *lead != one.id));
            prop_assert_eq!(one.wakes().is_some(), one.id == lead.id);
        }
        prop_assert!(joined(&of(&all, None), at(11)).is_empty(), "once is enough");
        for customer in 0..3 {
            let touched = joined(&of(&all, Some(customer)), at(12));
            apply(&mut all, touched);
        }
        for ((_, before), (_, after)) in apart.iter().zip(&all) {
            let (revision, changed_at) = (before.revision, before.changed_at);
            let as_before = *before == FollowUp { revision, changed_at, ..after.clone() };
            prop_assert!(as_before);
        }
    }
}

fn opened_by(rule: RuleId, seconds: i64) -> FollowUp {
    let one = opened(Vec::new(), cause(1, 0, None));
    FollowUp { rule: Some(rule), opened_at: at(seconds), ..one }
}
