//! Survivorship: which value of a trait a customer has where its records claim several. Each rule is a pure function of
//! the set of claims, a record's latest one each, so that neither the order of arrival nor a repetition can show; ties
//! are broken by time and then by the source record's own name.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rapport_kernel::{SubjectId, Timestamp};
use serde::{Deserialize, Serialize};

use super::declared::TraitDefinition;
use super::value::{SourceRecord, TraitType, Value};

/// Which value survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Survivorship {
    /// What was stated last.
    #[default]
    Latest,
    /// What the most trusted source states.
    MostTrusted,
    /// What was stated first.
    First,
    /// The greatest.
    Max,
    /// The least.
    Min,
    /// All of them, as one list.
    Union,
    /// What most records state.
    MostFrequent,
}

/// What one record claims of a trait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// When it was stated.
    pub at: Timestamp,
    /// By which record.
    pub name: &'a SourceRecord,
    /// What.
    pub value: &'a Value,
    /// The record's subject.
    pub subject: SubjectId,
}

impl<'a> Candidate<'a> {
    /// The order of being later: at one instant the record with the greater name, then the greater value.
    fn age(&self) -> (Timestamp, &'a SourceRecord, &'a Value) {
        (self.at, self.name, self.value)
    }
}

/// What survives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survivor<'a> {
    /// The value.
    pub value: Value,
    /// The claim that decided.
    pub decided_by: Candidate<'a>,
    /// Every claim that has part in the value, the latest first, where a rule makes it of several.
    pub contributors: Vec<Candidate<'a>>,
}

/// The survivor of a trait's claims; `None` where there is none. `trust` ranks the sources that a definition does not
/// name: the greater the more trusted.
#[must_use]
pub fn survivor<'a>(
    candidates: &[Candidate<'a>],
    definition: Option<&TraitDefinition>,
    trust: &impl Fn(&str) -> u32,
) -> Option<Survivor<'a>> {
    let Some(definition) = definition else { return latest(candidates.iter().copied()).map(alone) };
    let of_type = |candidate: &&Candidate<'a>| definition.takes(candidate.value.kind());
    let typed: Vec<Candidate<'a>> = candidates.iter().filter(of_type).copied().collect();
    let all = if typed.is_empty() { candidates } else { &typed };
    let each = all.iter().copied();
    match definition.survivorship {
        Survivorship::Latest => latest(each).map(alone),
        Survivorship::MostTrusted => {
            let place = |source: &str| definition.trusted_sources.iter().position(|trusted| trusted == source);
            let trust = |source: &str| (Reverse(place(source).unwrap_or(usize::MAX)), trust(source));
            each.max_by(|a, b| (trust(&a.name.source), a.age()).cmp(&(trust(&b.name.source), b.age()))).map(alone)
        }
        Survivorship::First => each.min_by(|a, b| a.age().cmp(&b.age())).map(alone),
        Survivorship::Max => each.max_by(|a, b| (a.value, a.age()).cmp(&(b.value, b.age()))).map(alone),
        Survivorship::Min => {
            each.min_by(|a, b| (a.value, Reverse(a.age())).cmp(&(b.value, Reverse(b.age())))).map(alone)
        }
        Survivorship::Union => union(all),
        Survivorship::MostFrequent => most_frequent(all),
    }
}

fn alone(decided_by: Candidate<'_>) -> Survivor<'_> {
    Survivor { value: decided_by.value.clone(), decided_by, contributors: Vec::new() }
}

fn latest<'a>(candidates: impl Iterator<Item = Candidate<'a>>) -> Option<Candidate<'a>> {
    candidates.max_by(|a, b| a.age().cmp(&b.age()))
}

fn newest_first(mut candidates: Vec<Candidate<'_>>) -> Vec<Candidate<'_>> {
    candidates.sort_by(|a, b| b.age().cmp(&a.age()));
    candidates
}

/// The texts of all; where none is of texts, the latest.
fn union<'a>(candidates: &[Candidate<'a>]) -> Option<Survivor<'a>> {
    let texts = |value: &Value| match value {
        Value::Text(text) => Some(vec![text.clone()]),
        Value::List(texts) => Some(texts.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Time(_) => None,
    };
    let parts: Vec<(Candidate<'a>, Vec<String>)> =
        candidates.iter().filter_map(|candidate| Some((*candidate, texts(candidate.value)?))).collect();
    let contributors = newest_first(parts.iter().map(|(candidate, _)| *candidate).collect());
    let Some(decided_by) = contributors.first().copied() else {
        return latest(candidates.iter().copied()).map(alone);
    };
    let mut all: Vec<String> = parts.into_iter().flat_map(|(_, texts)| texts).collect();
    all.sort_unstable();
    all.dedup();
    Some(Survivor { value: Value::List(all), decided_by, contributors })
}

fn most_frequent<'a>(candidates: &[Candidate<'a>]) -> Option<Survivor<'a>> {
    let mut by_value = BTreeMap::<&Value, Vec<Candidate<'a>>>::new();
    for candidate in candidates {
        by_value.entry(candidate.value).or_default().push(*candidate);
    }
    let groups = by_value.into_values().map(newest_first);
    let weight = |group: &Vec<Candidate<'a>>| (group.len(), group.first().map(Candidate::age));
    let contributors = groups.max_by(|a, b| weight(a).cmp(&weight(b)))?;
    let decided_by = contributors.first().copied()?;
    Some(Survivor { value: decided_by.value.clone(), decided_by, contributors })
}

impl Survivorship {
    /// Why a trait of a type cannot survive so.
    #[must_use]
    pub const fn refusal(self, kind: TraitType) -> Option<&'static str> {
        match (self, kind) {
            (Self::Max | Self::Min, TraitType::List) => Some("must not be MAX or MIN for lists: they have no order"),
            (Self::Union, TraitType::Bool | TraitType::Number | TraitType::Time) => {
                Some("must be UNION for texts and lists of texts only")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing;
    use crate::domain::value::Number;
    use proptest::prelude::*;
    use rapport_kernel::Private;

    const ALL: [Survivorship; 7] = [
        Survivorship::Latest,
        Survivorship::MostTrusted,
        Survivorship::First,
        Survivorship::Max,
        Survivorship::Min,
        Survivorship::Union,
        Survivorship::MostFrequent,
    ];

    fn definition(survivorship: Survivorship, kind: TraitType) -> TraitDefinition {
        let trusted_sources = vec!["erp".to_owned(), "crm".to_owned()];
        TraitDefinition { survivorship, trusted_sources, ..testing::definition("x", kind) }
    }

    /// A catalogue in which a source is the more trusted the longer its name is.
    fn trust(source: &str) -> u32 {
        u32::try_from(source.len()).expect("short")
    }

    type Said = (SourceRecord, Value, Timestamp);

    /// What several records, each of another name, claim.
    fn said() -> impl Strategy<Value = Vec<Said>> {
        let source = prop_oneof![Just("crm"), Just("erp"), Just("web"), Just("portal")];
        proptest::collection::vec((source, testing::value(), testing::at()), 1..7).prop_map(|all| {
            let one = |(at, (source, value, said_at)): (usize, (&str, Value, Timestamp))| {
                let external_id = Private::new(at.to_string());
                (SourceRecord { source: source.to_owned(), external_id }, value, said_at)
            };
            all.into_iter().enumerate().map(one).collect()
        })
    }

    fn candidates(said: &[Said]) -> Vec<Candidate<'_>> {
        said.iter()
            .enumerate()
            .map(|(at, (name, value, said_at))| Candidate { at: *said_at, name, value, subject: testing::subject(at) })
            .collect()
    }

    fn rules() -> impl Strategy<Value = TraitDefinition> {
        let kind = prop_oneof![Just(TraitType::Text), Just(TraitType::List), Just(TraitType::Number)];
        (0_usize..ALL.len(), kind).prop_map(|(rule, kind)| definition(ALL[rule], kind))
    }

    proptest! {
        #[test]
        fn under_every_rule_any_order_of_the_claims_has_the_same_survivor(
            said in said(), definition in rules(), shift in any::<prop::sample::Index>(),
        ) {
            let straight = candidates(&said);
            let mut shuffled = straight.clone();
            shuffled.rotate_left(shift.index(said.len()));
            shuffled.reverse();
            prop_assert_eq!(
                survivor(&straight, Some(&definition), &trust),
                survivor(&shuffled, Some(&definition), &trust)
            );
        }

        #[test]
        fn a_rule_that_chooses_may_choose_among_the_chosen(
            said in said(), definition in rules(), cut in any::<prop::sample::Index>(),
        ) {
            // Idempotent and associative: the survivor of two parts is the survivor of their survivors.
            prop_assume!(!matches!(definition.survivorship, Survivorship::Union | Survivorship::MostFrequent));
            let all = candidates(&said);
            let (left, right) = all.split_at(cut.index(said.len()));
            let parts: Vec<Candidate<'_>> = [left, right].into_iter()
                .filter_map(|part| survivor(part, Some(&definition), &trust))
                .map(|survivor| survivor.decided_by).collect();
            prop_assert_eq!(
                survivor(&parts, Some(&definition), &trust),
                survivor(&all, Some(&definition), &trust)
            );
        }

        #[test]
        fn a_union_is_the_union_of_its_parts_unions(said in said(), cut in any::<prop::sample::Index>()) {
            let definition = definition(Survivorship::Union, TraitType::List);
            let texts = |part: &[Candidate<'_>]| match survivor(part, Some(&definition), &trust).map(|it| it.value) {
                Some(Value::List(texts)) => texts.into_iter().collect::<std::collections::BTreeSet<_>>(),
                _ => std::collections::BTreeSet::new(),
            };
            let all = candidates(&said);
            let (left, right) = all.split_at(cut.index(said.len()));
            prop_assert!(texts(&all) == &texts(left) | &texts(right));
        }

        #[test]
        fn every_rule_holds_by_brute_force(said in said(), rule in 0_usize..ALL.len()) {
            let definition = definition(ALL[rule], TraitType::Number);
            let all = candidates(&said);
            let numbers: Vec<&Candidate<'_>> =
                all.iter().filter(|candidate| matches!(candidate.value, Value::Number(_))).collect();
            let held = survivor(&all, Some(&definition), &trust).expect("there is one");
            if numbers.is_empty() {
                return Ok(());
            }
            let decided = held.decided_by;
            prop_assert!(numbers.contains(&&decided), "values of the type come first");
            let beats = |other: &Candidate<'_>| match ALL[rule] {
                Survivorship::Latest => decided.at >= other.at,
                Survivorship::First => decided.at <= other.at,
                Survivorship::Max => decided.value >= other.value,
                Survivorship::Min => decided.value <= other.value,
                Survivorship::MostTrusted => {
                    let place = |source: &str| match source { "erp" => 0, "crm" => 1, "portal" => 2, _ => 3 };
                    place(&decided.name.source) <= place(&other.name.source)
                }
                Survivorship::Union => decided.at >= other.at,
                Survivorship::MostFrequent => {
                    let count = |value: &Value| numbers.iter().filter(|it| it.value == value).count();
                    count(decided.value) >= count(other.value)
                }
            };
            prop_assert!(numbers.iter().all(|other| beats(other)));
        }
    }

    #[test]
    fn of_equally_frequent_values_the_latest_holds_and_all_who_state_it_are_told() {
        let at = |micros| Timestamp::from_micros(micros).expect("in range");
        let number = |value: f64| Value::Number(Number::new(value).expect("finite"));
        let name = testing::name;
        let said = [
            (name(1), number(1.0), at(1)),
            (name(2), number(2.0), at(5)),
            (name(3), number(1.0), at(6)),
            (name(4), number(2.0), at(2)),
        ];
        let definition = definition(Survivorship::MostFrequent, TraitType::Number);
        let held = survivor(&candidates(&said), Some(&definition), &trust);
        let held = held.expect("there is one");
        assert!(held.value == number(1.0), "told last, at 6");
        let told: Vec<_> = held.contributors.iter().map(|it| it.at.micros()).collect();
        assert_eq!(told, [6, 1]);
    }
}
