//! What is followed by what reads it equals what is found where all is looked at each time.

use std::collections::BTreeSet;

use super::*;
use crate::domain::claims::Statement;
use crate::domain::computed::{Aggregate, Of, Recipe, Unit, Window};
use crate::domain::profile::Record;
use crate::domain::reads::{Reads, Touched};
use crate::domain::value::{TraitType, Value};

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
        History::of(self.log.iter().filter(|one| reads.sees(&one.content.kind)).map(Occurrence::from).collect())
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
