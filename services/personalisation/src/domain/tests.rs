//! The properties of the pure decision: probabilities, caps, order, explanations, repetition.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use rapport_kernel::Timestamp;
use uuid::Uuid;

use super::*;

const NOW: i64 = 1_700_000_000_000_000;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_column(NOW + micros)
}

fn id<T>(number: u128) -> rapport_kernel::Id<T> {
    rapport_kernel::Id::from_uuid(Uuid::from_u128(number))
}

fn draft(name: &str) -> Draft {
    Draft {
        name: name.to_owned(),
        kind: ActionKind::Offer,
        channels: vec![],
        placements: vec![],
        eligibility: String::new(),
        value: 10.0,
        propensity: None,
        cap: None,
        start: None,
        end: None,
    }
}

fn action(number: u128, draft: Draft) -> Action {
    Action { id: id(number), draft, version: 1, created_at: at(-1_000), updated_at: at(-1_000) }
}

fn profile() -> Profile {
    let traits = [
        ("plan".to_owned(), Datum::Text("gold".to_owned())),
        ("age".to_owned(), Datum::Number(42.0)),
        ("member_since".to_owned(), Datum::Time(at(-30 * 86_400_000_000))),
        ("tags".to_owned(), Datum::Texts(vec!["vip".to_owned()])),
        ("active".to_owned(), Datum::Bool(true)),
    ];
    Profile {
        standing: Standing {
            segments: vec!["regulars".to_owned()],
            lifecycle_stage: "active".to_owned(),
            scores: BTreeMap::from([("nps".to_owned(), 9.0)]),
            flags: vec!["vulnerable".to_owned()],
            restrictions: vec!["profiling".to_owned()],
            feedback: BTreeMap::from([("sentiment".to_owned(), -0.4), ("open_complaints".to_owned(), 1.0)]),
            ..Standing::default()
        },
        customer: id(1),
        revision: 7,
        party: Party::Customer,
        traits: BTreeMap::from(traits),
        consents: Consents::new([("marketing", "", true), ("marketing", "email", false), ("research", "", true)]),
        subjects: vec![id(1)],
        valid_until: Timestamp::MAX,
    }
}

fn ask(count: usize) -> Ask {
    let context = BTreeMap::from([("page".to_owned(), Datum::Text("pricing".to_owned()))]);
    let (channel, placement) = ("web".to_owned(), "home".to_owned());
    Ask { channel, placement, context, count, dry_run: false, explain: true }
}

fn draw(seed: u64) -> Draw {
    Draw { id: id(99), subject: id(1), seed, at: at(0), exploration: 100.0 }
}

fn left_out(decision: &Decision, number: u128) -> (Tier, String) {
    let left = decision.left_out.iter().find(|left| left.action == id(number)).expect("left out");
    (left.tier, left.rule.clone())
}

fn decided(draft: Draft) -> Decision {
    decide(&Policy::new(1, vec![action(1, draft)]), &profile(), &Counts::default(), &ask(1), &draw(1))
}

#[test]
fn each_tier_leaves_out_what_it_should_and_says_why() {
    let cap = Cap { times: 2, window: Duration::from_secs(86_400) };
    let drafts = [
        Draft { start: Some(at(1)), ..draft("early") },
        Draft { end: Some(at(0)), ..draft("late") },
        Draft { channels: vec!["email".to_owned()], ..draft("other channel") },
        Draft { placements: vec!["cart".to_owned()], ..draft("other place") },
        Draft { eligibility: "customer.traits.plan == 'silver'".to_owned(), ..draft("not eligible") },
        Draft { eligibility: "customer.traits.shoe_size > 40".to_owned(), ..draft("unknown trait") },
        Draft { cap: Some(cap), ..draft("had it") },
        Draft { value: 1_000_000.0, end: Some(at(1)), start: Some(at(0)), ..draft("chosen") },
        Draft { value: 0.0, ..draft("not drawn") },
    ];
    let actions = (1..).zip(drafts).map(|(number, draft)| action(number, draft)).collect();
    let counts = Counts::new(vec![(id(7), 2)]);
    let greedy = Draw { exploration: 1e12, ..draw(3) };
    let decision = decide(&Policy::new(4, actions), &profile(), &counts, &ask(1), &greedy);

    assert_eq!(decision.chosen[0].action, id(8));
    assert_eq!((decision.candidates, decision.policy_version, decision.profile_revision), (9, 4, 7));
    let tiers: Vec<Tier> = (1..=7).chain([9]).map(|number| left_out(&decision, number).0).collect();
    use Tier::{Arbitration, Eligibility, Placement, Validity};
    assert_eq!(tiers, [Validity, Validity, Placement, Placement, Eligibility, Eligibility, Tier::Cap, Arbitration]);
    assert_eq!(left_out(&decision, 3).1, "is for email, not for web");
    assert!(left_out(&decision, 6).1.contains("is not known of this customer"));
    let drawn =
        "drawn for place 1 from 2 actions, with probability 1.000000: it has the highest propensity × value of them";
    assert_eq!(decision.chosen[0].reasons[3], drawn);
    let lost = "others were drawn: for place 1, the last one, its probability was 0.000000";
    assert_eq!(left_out(&decision, 9).1, lost);
    let alone = decided(draft("alone")).chosen;
    assert_eq!(alone[0].reasons[3], "drawn for place 1 as the only action left, with probability 1.000000");
    let capped = left_out(&decision, 7).1;
    assert_eq!(capped, "the customer had it 2 times, and may get it at most 2 times in any 1 days");
}

#[test]
fn conditions_read_traits_consents_party_context_channel_placement_and_now() {
    let holds = [
        "customer.traits.plan == 'gold' && customer.traits.age >= 18 && customer.traits.active",
        "'vip' in customer.traits.tags",
        "'regulars' in customer.segments && customer.lifecycle_stage == 'active'",
        "customer.scores.nps >= 9 && !('marketing' in customer.restrictions)",
        "'profiling' in customer.restrictions && 'vulnerable' in customer.flags",
        "customer.feedback.sentiment < -0.3 && customer.feedback.open_complaints > 0.0",
        "!has(customer.feedback.sentiment_trend)",
        "customer.consents['marketing'] && !customer.consents['marketing/email']",
        "customer.consents['research/email']",
        "!('sales' in customer.consents) && customer.party == 'customer'",
        "context.page == 'pricing' && channel == 'web' && placement == 'home'",
        "now - customer.traits.member_since > duration('700h')",
    ];
    for condition in holds {
        let decision = decided(Draft { eligibility: condition.to_owned(), ..draft("a") });
        assert_eq!(decision.chosen.len(), 1, "{condition}: {:?}", decision.left_out);
    }
    for condition in ["customer.consents['sales']", "customer.traits.plan > 3", "context.absent"] {
        let decision = decided(Draft { eligibility: condition.to_owned(), ..draft("a") });
        assert_eq!(left_out(&decision, 1).0, Tier::Eligibility, "{condition}");
    }
}

#[test]
fn a_general_refusal_outweighs_the_consent_of_a_channel() {
    let consents = Consents::new([("marketing", "email", true), ("marketing", "", false)]);
    let profile = Profile { consents, ..profile() };
    let policy =
        |condition: &str| Policy::new(1, vec![action(1, Draft { eligibility: condition.to_owned(), ..draft("a") })]);
    for condition in ["customer.consents['marketing/email']", "customer.consents['marketing/sms']"] {
        let decision = decide(&policy(condition), &profile, &Counts::default(), &ask(1), &draw(1));
        assert!(decision.chosen.is_empty(), "{condition}");
    }
}

#[test]
fn a_cap_counts_to_the_microsecond() {
    let window = Duration::from_secs(60);
    let caps = [(id(1), Cap { times: 1, window })];
    let edge = -60_000_000;
    let count = |micros| Counts::tally(&caps, &[(id(1), at(micros)), (id(2), at(0))], at(0)).of(id(1));
    assert_eq!((count(edge), count(edge + 1), count(0), count(5)), (0, 1, 1, 1));
}

/// Actions of arbitrary worth, validity, channel, eligibility and cap.
fn actions() -> impl Strategy<Value = Vec<Action>> {
    let one = (0.0_f64..1e9, prop::option::of(0.0_f64..=1.0), 0_u8..6, prop::option::of(1_u32..4));
    prop::collection::vec(one, 0..40).prop_map(|all| {
        let action = |(number, (value, propensity, variety, times)): (u128, (f64, Option<f64>, u8, Option<u32>))| {
            let cap = times.map(|times| Cap { times, window: Duration::from_secs(3_600) });
            let mut draft = Draft { value, propensity, cap, ..draft(&format!("action {number}")) };
            match variety {
                0 => draft.channels = vec!["email".to_owned()],
                1 => draft.eligibility = "customer.traits.plan == 'gold'".to_owned(),
                2 => draft.eligibility = "customer.traits.absent".to_owned(),
                3 => draft.value = 0.0,
                _ => {}
            }
            action(number, draft)
        };
        (1..).zip(all).map(action).collect()
    })
}

proptest! {
    #[test]
    fn explain_names_every_candidate_exactly_once(actions in actions(), count in 1_usize..=20, seed: u64) {
        let policy = Policy::new(1, actions.clone());
        let decision = decide(&policy, &profile(), &Counts::default(), &ask(count), &draw(seed));
        let named: Vec<ActionId> = decision.chosen.iter().map(|chosen| chosen.action)
            .chain(decision.left_out.iter().map(|left| left.action)).collect();
        prop_assert_eq!(named.len(), actions.len());
        let distinct: BTreeSet<ActionId> = named.into_iter().collect();
        prop_assert_eq!(distinct, actions.iter().map(|action| action.id).collect::<BTreeSet<_>>());
        prop_assert!(decision.left_out.iter().all(|left| !left.rule.is_empty()));
        prop_assert!(decision.chosen.iter().all(|chosen| chosen.reasons.len() == 4));
        prop_assert!(decision.left_out.is_sorted_by_key(|left| left.action));
    }

    #[test]
    fn the_order_in_which_actions_come_changes_nothing(
        (actions, shuffled) in actions().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        count in 1_usize..=20, seed: u64,
    ) {
        let decided = |actions| {
            decide(&Policy::new(1, actions), &profile(), &Counts::default(), &ask(count), &draw(seed))
        };
        prop_assert_eq!(decided(actions), decided(shuffled));
    }

    #[test]
    fn the_probabilities_add_up_to_one_at_each_rank(
        mut priorities in prop::collection::vec(prop_oneof![Just(0.0), Just(f64::MIN_POSITIVE), 0.0_f64..1e9], 1..100),
        exploration in 0.0_f64..1e6, seed: u64,
    ) {
        let mut generator = arbitration::SplitMix64::new(seed);
        while !priorities.is_empty() {
            let drawn = arbitration::probabilities(&priorities, exploration);
            let sum: f64 = drawn.iter().sum();
            prop_assert!((sum - 1.0).abs() < 1e-12, "{sum}");
            prop_assert!(drawn.iter().all(|probability| (0.0..=1.0).contains(probability)));
            let best = arbitration::best(&priorities).expect("some");
            prop_assert!(drawn.iter().all(|probability| *probability <= drawn[best] + 1e-12));
            priorities.remove(arbitration::pick(&drawn, generator.uniform()).expect("some"));
        }
    }

    #[test]
    fn a_cap_is_never_exceeded_in_any_window(
        steps in prop::collection::vec((0_i64..40, prop::option::of(0_i64..3)), 1..80),
        times in 1_u32..4, window in 1_i64..60,
    ) {
        // Decisions one after the other; now and then the clock of another machine, up to two behind.
        let cap = Cap { times, window: Duration::from_micros(window.unsigned_abs()) };
        let policy = Policy::new(1, vec![action(1, Draft { cap: Some(cap), ..draft("a") })]);
        let (mut clock, mut ledger): (i64, Vec<(ActionId, Timestamp)>) = (0, vec![]);
        for (step, behind) in steps {
            clock += step;
            let draw = Draw { at: at(clock - behind.unwrap_or(0)), ..draw(5) };
            let (profile, ask) = (profile(), ask(1));
            let funnel = Funnel::open(&policy, &profile, &ask, draw.at);
            let counts = Counts::tally(&funnel.capped(), &ledger, draw.at);
            let decision = funnel.decide(&profile, &counts, &ask, &draw);
            let had = ledger.iter().filter(|(_, entered)| *entered > draw.at.minus(cap.window)).count();
            prop_assert_eq!(decision.chosen.is_empty(), had >= times as usize);
            ledger.extend(decision.chosen.iter().map(|chosen| (chosen.action, draw.at)));
        }
        for (_, start) in &ledger {
            let within = |entered: &Timestamp| entered >= start && entered.since(*start) < cap.window;
            let held = ledger.iter().filter(|(_, entered)| within(entered)).count();
            prop_assert!(held <= times as usize, "{held} in a window");
        }
    }
}

#[test]
fn what_is_drawn_is_drawn_as_often_as_its_probability_says() {
    const DRAWS: u64 = 40_000;
    let values = [10.0, 9.5, 9.0, 5.0, 0.0];
    let drafts = values.map(|value| Draft { value, ..draft("a") });
    let policy = Policy::new(1, (1..).zip(drafts).map(|(number, draft)| action(number, draft)).collect());
    let priorities = values.map(|value| value * 0.5);
    let expected = arbitration::probabilities(&priorities, 100.0);
    let ask = Ask { explain: false, ..ask(2) };
    let mut drawn = [0_u32; 5];
    for seed in 0..DRAWS {
        let decision = decide(&policy, &profile(), &Counts::default(), &ask, &draw(seed));
        let first = usize::try_from(decision.chosen[0].action.uuid().as_u128()).expect("small") - 1;
        assert_eq!(decision.chosen[0].probability, expected[first]);
        let rest: Vec<f64> = (0..5).filter(|at| *at != first).map(|at| priorities[at]).collect();
        let second = usize::try_from(decision.chosen[1].action.uuid().as_u128()).expect("small") - 1;
        let place = if second > first { second - 1 } else { second };
        assert_eq!(decision.chosen[1].probability, arbitration::probabilities(&rest, 100.0)[place]);
        drawn[first] += 1;
    }
    for (at, probability) in expected.iter().enumerate() {
        // Five standard errors: one false alarm in about 350,000 runs, and the seeds are fixed.
        let error = (probability * (1.0 - probability) / DRAWS as f64).sqrt();
        let share = f64::from(drawn[at]) / DRAWS as f64;
        assert!((share - probability).abs() < 5.0 * error, "{at}: {share} instead of {probability}");
    }
}

#[test]
fn only_caps_that_still_matter_are_asked_of_the_ledger() {
    let cap = Some(Cap { times: 1, window: Duration::from_secs(1) });
    let drafts = [
        draft("no cap"),
        Draft { cap, ..draft("capped") },
        Draft { cap, eligibility: "false".to_owned(), ..draft("left out before") },
    ];
    let policy = Policy::new(1, (1..).zip(drafts).map(|(number, draft)| action(number, draft)).collect());
    let (profile, ask) = (profile(), ask(1));
    let capped: Vec<ActionId> =
        Funnel::open(&policy, &profile, &ask, at(0)).capped().into_iter().map(|(id, _)| id).collect();
    assert_eq!(capped, [id(2)]);
}
