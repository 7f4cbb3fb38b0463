//! Against brute force over the whole log: membership as it was followed equals what the condition says at any instant.

mod followed;

use std::sync::Arc;

use proptest::prelude::*;
use rapport_kernel::{Id, Private, SubjectId};

use super::*;
use crate::domain::declared::TraitDefinition;
use crate::domain::definitions::Versions;
use crate::domain::facts;
use crate::domain::happened::Occurrence;
use crate::domain::interaction::{Content, Interaction, InteractionKey};
use crate::domain::profile::fold;
use crate::domain::rules::Rules;
use crate::domain::segment::{Draft, Lifecycle, Segment};
use crate::domain::standing::Objection;
use crate::domain::testing;
use crate::domain::value::Party;

const CONDITIONS: [&str; 7] = [
    "events.visit.within(duration('30s')).size() >= 2",
    "events.visit.size() > 0 && now - events.visit.last().at > duration('20s')",
    "events.visit.followedBy(events.buy, duration('15s')).size() > 0",
    "events.visit.notFollowedBy(events.buy, duration('15s')).size() > 0",
    "timeline.within(duration('25s')).size() == 1",
    "lifecycle_stage == 'active' && party == 'customer'",
    "now > timestamp('1970-01-01T00:01:00Z') && now < timestamp('1970-01-01T00:01:30Z')",
];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_parts(seconds, 0).expect("in range")
}

fn interaction(number: usize, (seconds, buys): (i64, bool)) -> Interaction {
    Interaction {
        id: Id::from_uuid(uuid::Uuid::from_u128(number as u128 + 1)),
        subject: testing::subject(0),
        key: InteractionKey { source: "shop".into(), external_id: Private::new(number.to_string()) },
        version: 1,
        content: Arc::new(Content {
            kind: if buys { "buy".into() } else { "visit".into() },
            channel: String::new(),
            touchpoint: String::new(),
            stage: String::new(),
            product: String::new(),
            occurred_at: at(seconds),
            value: None,
            details: crate::domain::interaction::Details::default(),
            referrer: None,
            attributes: BTreeMap::new(),
        }),
        party: Party::Customer,
        dimensions: BTreeMap::new(),
        recorded_at: at(seconds),
        updated_at: at(seconds),
        revision: 1,
    }
}

fn definitions(version: u64, conditions: &[&str]) -> Definitions {
    declared(version, conditions, &[])
}

fn declared(version: u64, conditions: &[&str], traits: &[(TraitDefinition, bool)]) -> Definitions {
    let segment = |(number, condition): (usize, &&str)| Segment {
        id: SegmentId::from_uuid(uuid::Uuid::from_u128(number as u128 + 1)),
        draft: Draft {
            name: number.to_string(),
            description: String::new(),
            condition: (*condition).to_owned(),
            purpose: Purpose::Profiling,
        },
        revision: 1,
        created_at: Timestamp::MIN,
        updated_at: Timestamp::MIN,
        made_by: 1,
        changed_by: 1,
        named_by: 1,
        operation: Id::from_uuid(uuid::Uuid::nil()),
    };
    let stage = |name: &str, condition: &str| crate::domain::segment::Stage {
        name: name.to_owned(),
        condition: condition.to_owned(),
        description: String::new(),
    };
    let stages = vec![stage("active", "events.buy.within(duration('40s')).size() > 0"), stage("other", "true")];
    let lifecycle = Lifecycle { stages, revision: 1, updated_at: None, operation: None };
    let segments = conditions.iter().enumerate().map(segment).collect();
    Definitions::new(Versions { version, ..Versions::default() }, traits, lifecycle, segments, None)
}

/// The same, and a segment that was made later.
fn with_one_more(definitions: &Definitions) -> Definitions {
    let mut segments: Vec<Segment> = definitions.segments.iter().map(|compiled| compiled.segment.clone()).collect();
    let version = definitions.version + 1;
    let mut new = Segment { made_by: version, changed_by: version, named_by: version, ..segments[0].clone() };
    new.id = SegmentId::from_uuid(uuid::Uuid::from_u128(segments.len() as u128 + 1));
    new.draft.condition = "events.visit.within(duration('30s')).size() >= 1".to_owned();
    segments.push(new);
    Definitions::new(Versions { version, ..Versions::default() }, &[], definitions.lifecycle.clone(), segments, None)
}

fn profile() -> Profile {
    let claims = crate::domain::claims::Claims::default();
    let name = testing::name(0);
    let subject: SubjectId = testing::subject(0);
    let record = crate::domain::profile::Record { subject, name, created_at: Timestamp::MIN, claims };
    fold(subject, 1, Timestamp::MIN, &[record], &Rules::default())
}

/// What the conditions say of the log up to an instant.
fn brute(definitions: &Definitions, log: &[Interaction], now: Timestamp) -> Vec<SegmentId> {
    let (profile, none) = (profile(), BTreeMap::new());
    let history = History::of(log.iter().filter(|one| one.content.occurred_at <= now).map(Occurrence::from).collect());
    let (computed, scores) = (BTreeMap::new(), &none);
    let heard = Heard { scores, memory: &Memory::default() };
    let plain = Facts::new(&profile, now, &computed, heard, &history);
    let stage = facts::compile_stage("events.buy.within(duration('40s')).size() > 0").expect("it compiles");
    let facts = Facts::new(&profile, now, &computed, heard, &history);
    let facts = facts.at_stage(if stage.matches(&plain, now).value { "active" } else { "other" });
    let holds = |compiled: &&Arc<crate::domain::definitions::Compiled>| {
        let program = facts::compile(&compiled.segment.draft.condition).expect("it compiles");
        program.matches(&facts, now).value
    };
    definitions.segments.iter().filter(holds).map(|compiled| compiled.segment.id).collect()
}

/// Who was in it at an instant, as the flips tell.
fn told(flips: &[Flip], now: Timestamp) -> Vec<SegmentId> {
    let mut inside = BTreeMap::new();
    for flip in flips.iter().filter(|flip| flip.at <= now) {
        inside.insert(flip.segment, flip.entered);
    }
    inside.into_iter().filter_map(|(segment, inside)| inside.then_some(segment)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn membership_that_was_followed_is_what_brute_force_finds_at_any_instant(
        log in proptest::collection::vec((0_i64..100, any::<bool>()), 0..12),
        looks in proptest::collection::btree_set(100_i64..220, 1..6),
        asked in proptest::collection::vec(100_i64..220, 12),
        renewed in 0_usize..6,
    ) {
        let definitions = definitions(1, &CONDITIONS);
        let more = with_one_more(&definitions);
        let log: Vec<Interaction> = log.into_iter().enumerate().map(|(n, one)| interaction(n, one)).collect();
        let (profile, scores, history) = (profile(), BTreeMap::new(), History::of(log.iter().map(Occurrence::from).collect()));
        let inputs = Inputs {
            profile: &profile,
            history: &history,
            scores: &scores,
            memory: &Memory::default(),
            calendar: Calendar::default(),
            definitions: &definitions,
            parts: &definitions.whole(),
        };
        let first = at(*looks.first().expect("one at least"));
        let mut state = Derived { version: 1, ..Derived::default() };
        let mut flips = Vec::new();
        // Looked at seldom: what happened between two looks is found by following the clock.
        for (number, look) in looks.iter().enumerate() {
            let known = if number < renewed { &definitions } else { &more };
            let inputs = Inputs { definitions: known, parts: &known.whole(), ..inputs };
            let derivation = derive(&state, &inputs, at(*look));
            let is_new = |segment: SegmentId| segment == more.segments[CONDITIONS.len()].segment.id;
            // What is new is looked at from when it is first known.
            let known = looks.iter().nth(renewed).map_or(Timestamp::MAX, |look| at(*look));
            prop_assert!(derivation.flips.iter().all(|flip| !is_new(flip.segment) || flip.at >= known));
            flips.extend(derivation.flips.into_iter().filter(|flip| !is_new(flip.segment)));
            state = derivation.derived;
            prop_assert!(state.valid_until > at(*look));
            let inside: Vec<SegmentId> = state.segments.keys().copied().filter(|id| !is_new(*id)).collect();
            prop_assert_eq!(inside, brute(&definitions, &log, at(*look)));
        }
        let last = at(*looks.last().expect("one at least"));
        for moment in asked.into_iter().map(at).filter(|moment| *moment >= first && *moment <= last) {
            prop_assert_eq!(told(&flips, moment), brute(&definitions, &log, moment), "at {}", moment);
        }
        prop_assert!(flips.windows(2).all(|pair| pair[0].at <= pair[1].at));
    }

    #[test]
    fn deriving_again_changes_nothing(
        log in proptest::collection::vec((0_i64..100, any::<bool>()), 0..12),
        now in 100_i64..220,
    ) {
        let definitions = definitions(1, &CONDITIONS);
        let log: Vec<Interaction> = log.into_iter().enumerate().map(|(n, one)| interaction(n, one)).collect();
        let (profile, scores, history) = (profile(), BTreeMap::new(), History::of(log.iter().map(Occurrence::from).collect()));
        let inputs = Inputs {
            profile: &profile,
            history: &history,
            scores: &scores,
            memory: &Memory::default(),
            calendar: Calendar::default(),
            definitions: &definitions,
            parts: &definitions.whole(),
        };
        let once = derive(&Derived::default(), &inputs, at(now)).derived;
        let twice = derive(&once, &inputs, at(now));
        prop_assert!(twice.derived == once && twice.flips.is_empty());
        let stored: Derived = serde_json::from_slice(&serde_json::to_vec(&once).expect("plain data")).expect("written");
        let stored = Derived { version: once.version, ..stored };
        prop_assert!(stored == once);
    }
}

#[test]
fn whoever_objects_to_being_profiled_is_at_no_stage_and_in_operational_segments_alone() {
    let mut definitions = definitions(1, &["true", "true"]);
    let operational = &definitions.segments[1].segment;
    let draft = Draft { purpose: Purpose::Operational, ..operational.draft.clone() };
    let operational = Segment { draft, ..operational.clone() };
    let (id, other) = (operational.id, definitions.segments[0].segment.clone());
    let versions = Versions { version: 1, ..Versions::default() };
    definitions = Definitions::new(versions, &[], definitions.lifecycle.clone(), vec![other, operational], None);
    let (mut profile, scores, history) = (profile(), BTreeMap::new(), History::default());
    let derived = |profile: &Profile, before: &Derived| {
        let (definitions, parts, calendar) = (&definitions, &*definitions.whole(), Calendar::default());
        let (history, scores) = (&history, &scores);
        derive(
            before,
            &Inputs { profile, history, scores, memory: &Memory::default(), calendar, definitions, parts },
            at(50),
        )
        .derived
    };
    let before = derived(&profile, &Derived { version: 1, ..Derived::default() });
    assert_eq!((before.segments.len(), before.stage.as_str()), (2, "other"));
    let (observed_at, source, proof) = (at(1), "crm".to_owned(), Private::default());
    let objection = Objection { observed_at, stands: true, processing: Processing::Profiling, source, proof };
    profile.objections.insert(Processing::Profiling, (objection, testing::subject(0)));
    let objecting = derived(&profile, &before);
    assert_eq!((objecting.segments.keys().collect::<Vec<_>>(), objecting.stage.as_str()), (vec![&id], ""));
    profile.objections.clear();
    let again = derived(&profile, &objecting);
    assert_eq!((again.segments.len(), again.stage.as_str()), (2, "other"));
}

#[test]
fn instants_of_one_customer_grow_though_the_clock_stands_still() {
    let (profile, scores, history) = (profile(), BTreeMap::new(), History::default());
    let run = |state: &Derived, condition: &str| {
        let definitions = definitions(state.version + 1, &[condition]);
        let calendar = Calendar::default();
        let (profile, history, scores) = (&profile, &history, &scores);
        let (definitions, parts) = (&definitions, &*definitions.whole());
        derive(
            state,
            &Inputs { profile, history, scores, memory: &Memory::default(), calendar, definitions, parts },
            at(50),
        )
    };
    let (mut state, mut instants) = (Derived { version: 1, ..Derived::default() }, Vec::new());
    for condition in ["true", "false", "true"] {
        let derivation = run(&state, condition);
        instants.extend(derivation.flips.iter().map(|flip| flip.at));
        state = derivation.derived;
    }
    assert!(instants.len() == 3 && instants[0] < instants[1] && instants[1] < instants[2]);
}
