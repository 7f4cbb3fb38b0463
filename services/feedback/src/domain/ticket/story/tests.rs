//! What a ticket's story must be, and that neither the order nor the repetition of what was told shows in it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::domain::ticket::told::{Push, Stamp, Value};
use crate::domain::ticket::words::Direction;

const MINUTE: i64 = 60_000_000;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_column(1_700_000_000_000_000 + minute * MINUTE)
}

fn push(version: i64, minute: i64) -> Push {
    Push {
        stamp: Stamp { version, at: at(minute).micros() },
        at: at(minute),
        fields: BTreeMap::new(),
        status: None,
        history: Vec::new(),
        contacts: Vec::new(),
    }
}

fn stands(version: i64, minute: i64, status: Status) -> Push {
    Push { status: Some(status), ..push(version, minute) }
}

fn goes_to(version: i64, minute: i64, agent: &str) -> Push {
    let fields = [(Field::Agent, Some(Value::Text(Private::new(agent.to_owned()))))].into();
    Push { fields, ..push(version, minute) }
}

fn says(minute: i64, author: Author) -> Said {
    let direction = if author == Author::Customer { Direction::Inbound } else { Direction::Outbound };
    Said {
        stamp: Stamp { version: 0, at: at(minute).micros() },
        digest: 0,
        at: at(minute),
        author,
        direction,
        internal: false,
        agent: Private::default(),
        channel: String::new(),
        reading: None,
    }
}

fn told(pushes: &[Push], said: &[Said]) -> Told {
    let mut told = Told::default();
    for push in pushes {
        told.hear(push.clone()).expect("little is told");
    }
    for (name, said) in said.iter().enumerate() {
        told.hear_message(&name.to_string(), said.clone()).expect("little is said");
    }
    told
}

fn story(pushes: &[Push], said: &[Said]) -> Story {
    Story::of(&told(pushes, said), &[], at(0))
}

#[test]
fn statuses_become_solutions_and_reopenings_whatever_version_comes_first() {
    let pushes = [
        stands(4, 40, Status::Open),
        stands(1, 10, Status::New),
        stands(6, 60, Status::Closed),
        stands(3, 30, Status::Solved),
        stands(5, 50, Status::Solved),
        stands(2, 20, Status::Pending),
    ];
    let story = story(&pushes, &[]);
    let statuses: Vec<_> = story.history.iter().map(|passage| (passage.status, passage.at)).collect();
    let expected = [
        (Status::New, 10),
        (Status::Pending, 20),
        (Status::Solved, 30),
        (Status::Open, 40),
        (Status::Solved, 50),
        (Status::Closed, 60),
    ];
    assert_eq!(statuses, expected.map(|(status, minute)| (status, at(minute))));
    assert_eq!((story.solve_times, story.reopen_times), (vec![at(30), at(50)], vec![at(40)]));
    assert_eq!(story.opened_at, at(10));
}

#[test]
fn a_whole_history_takes_the_place_of_what_lower_versions_said() {
    let step = |minute, status| Step { at: at(minute), status: Some(status), agent: None, team: None };
    let history = vec![step(5, Status::New), step(12, Status::Solved), step(18, Status::Open)];
    let whole = Push { history, ..stands(3, 30, Status::Open) };
    let pushes = [stands(4, 40, Status::Solved), stands(1, 10, Status::Pending), whole, stands(2, 20, Status::OnHold)];
    let story = story(&pushes, &[]);
    let statuses: Vec<_> = story.history.iter().map(|passage| passage.status).collect();
    assert_eq!(statuses, [Status::New, Status::Solved, Status::Open, Status::Solved]);
    assert_eq!(story.solve_times, [at(12), at(40)]);
}

#[test]
fn a_late_version_without_a_time_is_no_younger_than_the_one_after_it() {
    let untimed = |version, heard, status| Push {
        stamp: Stamp { version, at: 0 },
        at: at(heard),
        ..stands(version, heard, status)
    };
    let story = story(&[untimed(2, 10, Status::Solved), untimed(1, 50, Status::Open)], &[]);
    let statuses: Vec<_> = story.history.iter().map(|passage| (passage.status, passage.at)).collect();
    assert_eq!(statuses, [(Status::Open, at(10)), (Status::Solved, at(10))]);
}

#[test]
fn a_transfer_is_from_one_to_another_and_not_to_the_first_or_to_nobody() {
    let pushes = [goes_to(1, 1, "anna"), goes_to(2, 2, ""), goes_to(3, 3, "anna"), goes_to(4, 4, "boris")];
    let story = story(&pushes, &[]);
    assert_eq!((story.transfers, story.agent.expose().as_str()), (1, "boris"));
}

#[test]
fn contacts_are_the_opening_and_what_the_customer_says_after_an_answer() {
    let said = [
        says(1, Author::Customer),
        says(2, Author::Customer),
        says(3, Author::Automation),
        says(4, Author::Customer),
        says(60, Author::Agent),
        says(70, Author::Customer),
        says(71, Author::Customer),
    ];
    let mut opened = stands(1, 0, Status::Open);
    let written = story(&[opened.clone()], &said);
    assert_eq!(written.contact_times, [at(0), at(70)]);
    assert_eq!(written.answered_at, Some(at(60)), "a machine's answer is none of a person");
    assert_eq!((written.asked, written.answered), (5, 3));
    opened.fields.insert(Field::Channel, Some(Value::Text(Private::new("chat".to_owned()))));
    let chatted = story(&[opened], &said);
    assert_eq!(chatted.contact_times, [at(0)], "in a chat it goes on");
}

#[test]
fn notes_are_neither_answers_nor_contacts() {
    let mut note = says(10, Author::Agent);
    note.internal = true;
    let story = story(&[stands(1, 0, Status::Open)], &[note]);
    assert_eq!((story.answered_at, story.asked, story.answered, story.messages), (None, 1, 0, 1));
}

#[test]
fn a_ticket_that_a_machine_solved_alone_was_contained() {
    let said = [says(1, Author::Customer), says(2, Author::Automation)];
    assert!(story(&[stands(2, 5, Status::Solved)], &said).contained);
    assert!(!story(&[stands(2, 5, Status::Open)], &said).contained, "it is not solved");
    assert!(!story(&[goes_to(1, 1, "anna"), stands(2, 5, Status::Solved)], &said).contained, "a person had it");
    assert!(!story(&[stands(2, 5, Status::Solved)], &said[..1]).contained, "nobody answered");
    assert!(story(&[stands(2, 5, Status::Open)], &said).self_service, "a machine came first");
    let person_first = [says(1, Author::Customer), says(2, Author::Agent), says(3, Author::Automation)];
    assert!(!story(&[stands(2, 5, Status::Open)], &person_first).self_service);
}

#[test]
fn first_contact_resolution_ripens_after_its_window() {
    let days = |days: i64| days * 24 * 60;
    let solved = [stands(1, 0, Status::Open), stands(2, 60, Status::Solved)];
    let story = |more: &[Push]| story(&[&solved[..], more].concat(), &[]);
    assert_eq!(story(&[]).fcr(at(days(7))), Fcr::Immature);
    assert_eq!(story(&[]).fcr(at(days(7) + 60)), Fcr::FirstContact);
    let reopened = story(&[stands(3, days(6), Status::Open)]);
    assert_eq!(reopened.fcr(at(days(6))), Fcr::Not);
    let much_later = story(&[stands(3, days(8), Status::Open)]);
    assert_eq!(much_later.fcr(at(days(9))), Fcr::FirstContact, "what comes after the window is another matter");
    let called = Push { contacts: vec![at(30)], ..push(3, 61) };
    assert_eq!(story(&[called]).fcr(at(61)), Fcr::Not);
    assert_eq!(super::Story::of(&told(&solved[..1], &[]), &[], at(0)).fcr(at(days(90))), Fcr::Immature);
}

#[test]
fn what_was_merged_into_it_brings_its_contacts_and_messages() {
    let other = told(&[stands(1, 20, Status::Solved)], &[says(21, Author::Customer), says(25, Author::Agent)]);
    let story = Story::of(&told(&[stands(1, 0, Status::Open)], &[]), &[(at(20), &other)], at(0));
    assert_eq!((story.contact_times.clone(), story.answered_at), (vec![at(0), at(20)], Some(at(25))));
    assert_eq!((story.status(), story.messages), (Status::Open, 2));
}

fn any_status() -> impl Strategy<Value = Status> {
    let all = [Status::New, Status::Open, Status::Pending, Status::OnHold, Status::Solved, Status::Closed];
    proptest::sample::select(all.to_vec())
}

fn any_push() -> impl Strategy<Value = Push> {
    let name = proptest::sample::select(vec!["anna", "boris", ""]);
    let name = name.prop_map(|name| Some(Value::Text(Private::new(name.to_owned()))));
    let field = proptest::sample::select(vec![Field::Agent, Field::Team, Field::Topic, Field::Channel]);
    let fields = proptest::collection::btree_map(field, prop_oneof![name, Just(None)], 0..3);
    let step = (0_i64..50, any_status()).prop_map(|(minute, status)| Step {
        at: at(minute),
        status: Some(status),
        agent: None,
        team: None,
    });
    let history = prop_oneof![3 => Just(Vec::new()), 1 => proptest::collection::vec(step, 1..4)];
    let contacts = proptest::collection::vec((0_i64..50).prop_map(at), 0..2);
    (0_i64..5, 0_i64..50, fields, proptest::option::of(any_status()), history, contacts).prop_map(
        |(version, minute, fields, status, history, contacts)| Push {
            fields,
            status,
            history,
            contacts,
            ..push(version, minute)
        },
    )
}

fn any_said() -> impl Strategy<Value = (String, Said)> {
    let author = proptest::sample::select(vec![Author::Customer, Author::Agent, Author::Automation]);
    (0_u8..4, 0_i64..50, author, 0_u64..3).prop_map(|(name, minute, author, digest)| {
        // It tells contents apart, of which the author is one.
        (name.to_string(), Said { digest: digest * 3 + author as u64, ..says(minute, author) })
    })
}

proptest! {
    #[test]
    fn neither_order_nor_repetition_of_what_was_told_shows(
        pushes in proptest::collection::vec(any_push(), 1..8),
        said in proptest::collection::vec(any_said(), 0..8),
        order in proptest::collection::vec((any::<u32>(), 0_usize..8), 16),
    ) {
        let tell = |told: &mut Told, at: usize| {
            if let Some(push) = pushes.get(at) {
                told.hear(push.clone()).expect("little is told");
            } else if let Some((name, said)) = said.get(at - pushes.len()) {
                told.hear_message(name, said.clone()).expect("little is said");
            }
        };
        let all = pushes.len() + said.len();
        let mut once = Told::default();
        (0..all).for_each(|at| tell(&mut once, at));
        let mut shuffled: Vec<usize> = (0..all).collect();
        shuffled.sort_by_key(|at| order[*at % order.len()].0.wrapping_add(*at as u32));
        let again = order.iter().map(|(_, at)| at % all);
        let mut other = Told::default();
        shuffled.iter().copied().chain(again).for_each(|at| tell(&mut other, at));
        prop_assert_eq!(&once, &other);
        prop_assert_eq!(Story::of(&once, &[], at(99)), Story::of(&other, &[], at(99)));
        let bytes = serde_json::to_vec(&once).expect("it is plain data");
        prop_assert_eq!(serde_json::from_slice::<Told>(&bytes).expect("it is what was written"), once);
    }
}
