//! Against brute force over the whole log: membership as it was followed equals what the condition says at any instant;
//! and what is followed by what reads it equals what is found where all is looked at each time.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use rapport_kernel::{Id, Private, SubjectId};

use super::*;
use crate::domain::claims::Statement;
use crate::domain::computed::{Aggregate, Of, Recipe, Unit, Window};
use crate::domain::declared::TraitDefinition;
use crate::domain::definitions::Versions;
use crate::domain::facts;
use crate::domain::interaction::{Content, Interaction, InteractionKey};
use crate::domain::profile::{Record, fold};
use crate::domain::reads::{Reads, Touched};
use crate::domain::rules::Rules;
use crate::domain::segment::{Draft, Lifecycle, Segment};
use crate::domain::standing::Objection;
use crate::domain::testing;
use crate::domain::value::{Party, TraitType, Value};

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
    let history = History::of(log.iter().filter(|one| one.content.occurred_at <= now).cloned().collect());
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
    ) {
        let definitions = definitions(1, &CONDITIONS);
        let log: Vec<Interaction> = log.into_iter().enumerate().map(|(n, one)| interaction(n, one)).collect();
        let (profile, scores, history) = (profile(), BTreeMap::new(), History::of(log.clone()));
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
        for look in &looks {
            let derivation = derive(&state, &inputs, at(*look));
            flips.extend(derivation.flips);
            state = derivation.derived;
            prop_assert!(state.valid_until > at(*look));
            let inside: Vec<SegmentId> = state.segments.keys().copied().collect();
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
        let log = log.into_iter().enumerate().map(|(n, one)| interaction(n, one)).collect();
        let (profile, scores, history) = (profile(), BTreeMap::new(), History::of(log));
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

/// What conditions read of interactions of two types, of traits, computed and stated, of the stage, of all else, and of the
/// clock alone.
const MORE: [&str; 14] = [
    "events.visit.within(duration('30s')).size() >= 2",
    "events.visit.size() > 0 && now - events.visit.last().at > duration('20s')",
    "events.visit.followedBy(events.buy, duration('15s')).size() > 0",
    "timeline.within(duration('25s')).size() == 1",
    "lifecycle_stage == 'active' && party == 'customer'",
    "now > timestamp('1970-01-01T00:01:00Z') && now < timestamp('1970-01-01T00:01:30Z')",
    "has(traits.visits) && traits.visits >= 2.0",
    "customer.traits.exists(name, name == 'today') && events.buy.size() > 0",
    "traits.plan == 'gold' && events.buy.size() > 1",
    "has(customer.scores.nps) && scores.nps <= 6.0",
    "'marketing' in restrictions || party == 'lead'",
    "has(consents.p) && consents.p && events.visit.size() > 1",
    "'f' in flags",
    "'crm' in sources && lifecycle_stage != 'active'",
];

fn recipe(kind: &str, window: Window) -> Recipe {
    Recipe { aggregate: Aggregate::Count, kind: kind.to_owned(), condition: String::new(), of: Of::Itself, window }
}

fn computed(name: &str, changed_by: u64, recipe: Recipe) -> (TraitDefinition, bool) {
    let definition = testing::definition(name, TraitType::Number);
    (TraitDefinition { computed: Some(recipe), changed_by, ..definition }, false)
}

/// The definitions of a version; by the second some of them are others.
fn versioned(version: u64) -> Definitions {
    let window = if version == 1 { 20_000_000 } else { 45_000_000 };
    let today = computed("today", 1, recipe("", Window::Calendar(Unit::Day, 0)));
    let traits = [computed("visits", version, recipe("visit", Window::Sliding(window))), today];
    let mut definitions = declared(version, &MORE, &traits);
    if version == 2 {
        let changed = &definitions.segments[8].segment;
        let condition = "traits.plan == 'gold' || events.buy.within(duration('10s')).size() > 0".to_owned();
        let draft = Draft { condition, ..changed.draft.clone() };
        let changed = Segment { draft, changed_by: 2, ..changed.clone() };
        // The first one was deleted.
        let segments = definitions.segments[1..].iter().map(|compiled| match compiled.segment.id == changed.id {
            true => changed.clone(),
            false => compiled.segment.clone(),
        });
        let (segments, lifecycle) = (segments.collect(), definitions.lifecycle.clone());
        let versions = Versions { version, ..Versions::default() };
        definitions = Definitions::new(versions, &traits, lifecycle, segments, Some(&definitions));
    }
    definitions
}

/// What may happen to a customer.
#[derive(Clone, Debug)]
enum Happens {
    Interaction(bool),
    Deleted,
    Says(Box<Statement>),
    Scores(i32),
    Defined,
    Nothing,
}

fn happens() -> impl Strategy<Value = Happens> {
    let plan = prop_oneof![Just("gold"), Just("none")].prop_map(|plan| {
        let traits = [("plan".to_owned(), Value::Text(plan.to_owned()))].into();
        Happens::Says(Box::new(Statement { traits, ..Statement::default() }))
    });
    prop_oneof![
        4 => any::<bool>().prop_map(Happens::Interaction),
        1 => Just(Happens::Deleted),
        2 => plan,
        3 => testing::statement().prop_map(|(statement, _)| Happens::Says(Box::new(statement))),
        1 => (0..11).prop_map(Happens::Scores),
        1 => Just(Happens::Defined),
        3 => Just(Happens::Nothing),
    ]
}

/// A customer's world, as far as it is looked at.
struct World {
    record: Record,
    log: Vec<Interaction>,
    scores: BTreeMap<String, Score>,
    definitions: Definitions,
}

impl World {
    fn profile(&self, now: Timestamp) -> Profile {
        fold(self.record.subject, 1, Timestamp::MIN, std::slice::from_ref(&self.record), &Rules::default()).at(now)
    }

    /// What happened, of that which is read.
    fn history(&self, reads: &Reads) -> History {
        History::of(self.log.iter().filter(|one| reads.sees(&one.content.kind)).cloned().collect())
    }

    fn derive(&self, before: &Derived, parts: &Parts, now: Timestamp) -> Derivation {
        let (profile, history) = (self.profile(now), self.history(&parts.reads));
        let (scores, definitions, calendar) = (&self.scores, &self.definitions, Calendar::default());
        derive(
            before,
            &Inputs {
                profile: &profile,
                history: &history,
                scores,
                memory: &Memory::default(),
                calendar,
                definitions,
                parts,
            },
            now,
        )
    }

    /// Lets something happen; answers what it touches.
    fn happen(&mut self, what: Happens, now: Timestamp, seconds: i64) -> Touched {
        match what {
            Happens::Interaction(buys) => {
                let new = interaction(self.log.len() + 100, (seconds, buys));
                let kind = new.content.kind.clone();
                self.log.push(new);
                Touched::by_interaction(Some(kind))
            }
            Happens::Deleted => {
                self.log.pop();
                Touched::by_interaction(None)
            }
            Happens::Says(statement) => {
                let before = self.profile(now);
                self.record.claims.hear(&statement, now);
                Touched::between(&before, &self.profile(now))
            }
            Happens::Scores(score) => {
                self.scores.insert("nps".to_owned(), Score { score, scale: Scale::default(), at: now });
                Touched::by_score()
            }
            Happens::Defined => {
                self.definitions = versioned(2);
                Touched::default()
            }
            Happens::Nothing => Touched::default(),
        }
    }
}

/// Whether two derivations tell the same of a customer, whenever they were made.
fn tell_the_same(one: &Derived, other: &Derived) -> bool {
    let values = |derived: &Derived| -> BTreeMap<String, Value> {
        derived.traits.iter().map(|(name, held)| (name.clone(), held.value.clone())).collect()
    };
    one.segments.keys().eq(other.segments.keys())
        && values(one) == values(other)
        && one.stage == other.stage
        && one.scores == other.scores
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_followed_by_what_reads_it_is_what_is_found_where_all_is_looked_at(
        steps in proptest::collection::vec((happens(), 1_i64..12), 1..25),
    ) {
        let subject = testing::subject(0);
        let claims = crate::domain::claims::Claims::default();
        let record = Record { subject, name: testing::name(0), created_at: Timestamp::MIN, claims };
        let mut world = World { record, log: Vec::new(), scores: BTreeMap::new(), definitions: versioned(1) };
        let (mut seconds, start) = (100, Derived { version: 1, ..Derived::default() });
        let mut followed = world.derive(&start, &world.definitions.whole(), at(seconds)).derived;
        for (what, later) in steps {
            // Each turn of the clock is followed in its time, as it is by the service.
            seconds += later;
            let now = at(seconds);
            if followed.valid_until <= now {
                let parts = world.definitions.parts(&Touched::default(), &followed, now);
                prop_assert!(parts.whole);
                followed = world.derive(&followed, &parts, now).derived;
            }
            let touched = world.happen(what.clone(), now, seconds);
            let parts = world.definitions.parts(&touched, &followed, now);
            followed = world.derive(&followed, &parts, now).derived;
            let all = world.derive(&Derived::default(), &world.definitions.whole(), now).derived;
            prop_assert!(tell_the_same(&followed, &all), "after {:?} at {}: {:?}", what, now, parts);
            prop_assert!(followed.valid_until > now);
            prop_assert!(followed.valid_until <= all.valid_until, "it is looked at in time");
        }
    }
}

#[test]
fn an_event_is_looked_at_by_what_reads_it_alone() {
    let definitions = versioned(1);
    let before = Derived { version: 1, ..Derived::default() };
    let parts = |touched: Touched| definitions.parts(&touched, &before, at(50));
    let visit = parts(Touched::by_interaction(Some("visit".into())));
    // Those that read visits, the timeline, and the traits that are computed of either.
    assert_eq!(visit.segments, BTreeSet::from([0, 1, 2, 3, 6, 7, 11]));
    assert!(!visit.stages && visit.computed.len() == 2 && visit.reads.sees("buy"));
    let nothing = parts(Touched::by_interaction(Some("other".into())));
    assert_eq!(nothing.segments, BTreeSet::from([3, 7]));
    let buy = parts(Touched::by_interaction(Some("buy".into())));
    assert!(buy.stages && buy.segments.contains(&4) && buy.segments.contains(&13) && !buy.segments.contains(&0));
    assert_eq!(parts(Touched::by_score()).segments, BTreeSet::from([9]));
    assert_eq!(*parts(Touched::default()), Parts::default());
    assert!(definitions.parts(&Touched::default(), &Derived { valid_until: at(50), ..before.clone() }, at(50)).whole);
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
