//! Properties of the fold: no order shows, a split gives each record its own back, the most restrictive holds.

use super::*;
use crate::domain::testing;
use proptest::prelude::*;

fn folded(records: &[Record]) -> Profile {
    let home = records.first().map_or_else(SubjectId::new, |record| record.subject);
    fold(home, 1, Timestamp::MIN, records, &Rules::default())
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
