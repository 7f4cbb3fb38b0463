//! Properties of the fold: no order shows, a split gives each record its own back, the most restrictive holds.

use super::*;
use crate::domain::testing;
use proptest::prelude::*;

fn folded(records: &[Record]) -> Profile {
    let home = records.first().map_or_else(SubjectId::new, |record| record.subject);
    fold(home, 1, Timestamp::MIN, records, &Rules::default())
}

/// What consents permit, by purpose and channel.
type Meaning = BTreeMap<(String, String), ConsentState>;

fn meaning(profile: &Profile) -> Meaning {
    let states = profile.consent_states().into_iter();
    states.map(|((purpose, channel), state)| ((purpose.to_owned(), channel.to_owned()), state)).collect()
}

fn said_of(records: &[Record]) -> Meaning {
    if records.is_empty() { Meaning::new() } else { meaning(&folded(records)) }
}

/// The most that neither of two refuses: of each purpose and channel the refusal, and a refusal on all channels on each.
fn meet(a: &Meaning, b: &Meaning) -> Meaning {
    let keys: std::collections::BTreeSet<&(String, String)> = a.keys().chain(b.keys()).collect();
    let refuses = |key: &(String, String)| [a, b].iter().any(|held| held.get(key) == Some(&ConsentState::Denied));
    let state = |key: &(String, String)| {
        let refused = refuses(key) || refuses(&(key.0.clone(), String::new()));
        if refused { ConsentState::Denied } else { ConsentState::Granted }
    };
    keys.into_iter().map(|key| (key.clone(), state(key))).collect()
}

proptest! {
    #[test]
    fn the_order_of_records_does_not_show(records in testing::records(1..6), seed in any::<u64>()) {
        let straight = folded(&records);
        let mut shuffled = records.clone();
        shuffled.rotate_left(usize::try_from(seed % records.len() as u64).expect("small"));
        shuffled.reverse();
        let other = fold(straight.customer, 1, Timestamp::MIN, &shuffled, &Rules::default());
        prop_assert_eq!(straight, other);
    }

    #[test]
    fn a_refusal_anywhere_is_a_refusal(records in testing::records(1..6)) {
        let profile = folded(&records);
        for ((purpose, channel), state) in profile.consent_states() {
            let refused = records.iter().any(|record| {
                [channel, ""].iter().any(|channel| {
                    let key = (purpose.to_owned(), (*channel).to_owned());
                    record.claims.consents.get(&key).is_some_and(|consent| consent.state == ConsentState::Denied)
                })
            });
            prop_assert_eq!(state == ConsentState::Denied, refused);
        }
    }

    #[test]
    fn consents_are_a_lattice_of_which_the_most_restrictive_is_the_meet(
        records in testing::records(1..7), cuts in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        // The fold of records is the meet of what each of them says; so it does not matter in which order or how often
        // records come together, nor which came together first.
        let said = |records: &[Record]| meaning(&folded(records));
        let whole = said(&records);
        let each = records.iter().map(|record| said(std::slice::from_ref(record)));
        prop_assert_eq!(&each.fold(Meaning::new(), |held, one| meet(&held, &one)), &whole);
        let (first, second) = (cuts.0.index(records.len()), cuts.1.index(records.len()));
        let (a, rest) = records.split_at(first.min(second));
        let (b, c) = rest.split_at(first.max(second) - first.min(second));
        let (a, b, c) = (said_of(a), said_of(b), said_of(c));
        prop_assert_eq!(meet(&a, &b), meet(&b, &a));
        prop_assert_eq!(meet(&meet(&a, &b), &c), meet(&a, &meet(&b, &c)));
        prop_assert_eq!(&meet(&meet(&a, &b), &c), &whole);
        prop_assert_eq!(&meet(&whole, &whole), &whole);
        // A part never permits what the whole refuses, nor is silent where the part is not.
        for part in [&a, &b, &c] {
            prop_assert_eq!(&meet(part, &whole), &whole);
        }
        // Folded from what was folded before, it is the same.
        let again: Vec<Record> = [&records[..], &records[..first]].concat();
        prop_assert_eq!(said(&again), whole);
    }

    #[test]
    fn a_trait_is_the_latest_claim(records in testing::records(1..6)) {
        for (name, held) in folded(&records).traits {
            let latest = records.iter().filter_map(|record| record.claims.traits.get(&name))
                .filter(|claim| claim.value.is_some()).map(|claim| claim.at).max();
            prop_assert_eq!(Some(held.observed_at), latest);
        }
    }

    #[test]
    fn any_record_s_objection_holds_and_a_merge_never_lifts_one(
        records in testing::records(1..6), cut in any::<prop::sample::Index>(),
    ) {
        let profile = folded(&records);
        let (left, right) = records.split_at(cut.index(records.len()));
        let kinds = |part: &[Record]| objections(part).into_keys().collect::<std::collections::BTreeSet<_>>();
        prop_assert!(kinds(&records) == &kinds(left) | &kinds(right));
        for processing in [Processing::Marketing, Processing::Profiling, Processing::AutomatedDecisions] {
            let stands = records.iter()
                .any(|record| record.claims.objections.get(&processing).is_some_and(|it| it.stands));
            prop_assert_eq!(profile.objections.contains_key(&processing), stands);
        }
    }

    #[test]
    fn at_any_instant_a_flag_is_there_just_where_some_record_bears_it_then(
        records in testing::records(1..6), now in testing::at(),
    ) {
        let profile = folded(&records).at(now);
        for name in ["f", "g"] {
            let borne = records.iter().filter_map(|record| record.claims.flags.get(name))
                .any(|flag| flag.until.is_some_and(|until| until > now));
            prop_assert_eq!(profile.flags.contains_key(name), borne);
        }
        // Until the instant it names, nothing changes by itself.
        if let Some(end) = profile.valid_until() {
            prop_assert!(end > now);
            let before = Timestamp::from_micros(end.micros() - 1).expect("in range");
            prop_assert!(profile.clone().at(before) == profile);
            prop_assert!(profile.clone().at(end) != profile);
        }
    }

    #[test]
    fn a_preference_is_the_latest_that_was_given_or_else_seen(records in testing::records(1..6)) {
        let profile = folded(&records);
        let said = |basis| records.iter()
            .filter_map(|record| record.claims.preferences.get(&(Preference::Language, basis)).map(|it| (it, &record.name)))
            .max_by_key(|(it, name)| (it.observed_at, *name)).filter(|(it, _)| it.choice.is_some());
        let expected = said(Basis::Given).or_else(|| said(Basis::Observed)).map(|(it, _)| it);
        prop_assert_eq!(profile.preferences.get(&Preference::Language).map(|(it, _)| it), expected);
    }
}
