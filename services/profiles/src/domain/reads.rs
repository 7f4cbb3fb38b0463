//! What conditions read, and what a cause touches: of a thousand segments an event can change the few that read it. What
//! a condition does not read cannot change it, and what only the clock changes waits for its instant.

use std::collections::BTreeSet;

use rapport_conditions::Program;

use super::facts::{self, CUSTOMER, EVENTS, STAGE, TIMELINE};
use super::profile::Profile;

/// A field of the customer, by its place in [`facts::fields`].
pub(super) type Field = usize;

/// The places of the fields that are told apart here.
const TRAITS: Field = 0;
const CONSENTS: Field = 1;
const PARTY: Field = 2;
const SCORES: Field = 3;
const SCORED_AT: Field = 4;
const IDENTIFIERS: Field = 5;
const CREATED: Field = 6;
pub(super) const RESTRICTIONS: Field = 7;
const FLAGS: Field = 8;
pub(super) const PREFERENCES: Field = 9;
const SOURCES: Field = 10;
const FEEDBACK: Field = 11;

/// What a condition reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reads {
    /// Interactions of these types.
    pub kinds: BTreeSet<String>,
    /// Of which of these more than how many there are, the first and the last.
    pub between: BTreeSet<String>,
    /// Interactions of all types.
    pub timeline: bool,
    /// These traits.
    pub traits: BTreeSet<String>,
    /// Any trait.
    pub all_traits: bool,
    /// These fields of the customer, but for traits.
    pub fields: BTreeSet<Field>,
    /// The stage.
    pub stage: bool,
}

impl Reads {
    /// What a program of [`facts::compile`] or [`facts::compile_stage`] reads.
    #[must_use]
    pub fn of(program: &Program) -> Self {
        let mut reads = Self::default();
        for input in program.inputs() {
            let part = |at: usize| input.path.get(at).map(String::as_str);
            match input.variable {
                EVENTS if part(1).is_some() => {
                    reads.kinds.extend(part(1).map(str::to_owned));
                    let is_between = program.reads_between(&input.path);
                    reads.between.extend(part(1).filter(|_| is_between).map(str::to_owned));
                }
                EVENTS | TIMELINE => reads.timeline = true,
                STAGE => reads.stage = true,
                CUSTOMER => match part(1).map(|name| facts::fields().iter().position(|(field, _)| *field == name)) {
                    Some(Some(field)) => reads.field(field, part(2)),
                    Some(None) | None => reads.whole(),
                },
                field => reads.field(field, part(1)),
            }
        }
        reads
    }

    fn field(&mut self, field: Field, key: Option<&str>) {
        match (field, key) {
            (TRAITS, Some(name)) => drop(self.traits.insert(name.to_owned())),
            (TRAITS, None) => self.all_traits = true,
            _ => drop(self.fields.insert(field)),
        }
    }

    fn whole(&mut self) {
        (0..facts::fields().len()).for_each(|field| self.field(field, None));
    }

    /// Both together.
    pub fn join(&mut self, other: &Self) {
        self.kinds.extend(other.kinds.iter().cloned());
        self.between.extend(other.between.iter().cloned());
        self.timeline |= other.timeline;
        self.traits.extend(other.traits.iter().cloned());
        self.all_traits |= other.all_traits;
        self.fields.extend(&other.fields);
        self.stage |= other.stage;
    }

    /// Whether it reads interactions of a type.
    #[must_use]
    pub fn sees(&self, kind: &str) -> bool {
        self.timeline || self.kinds.contains(kind)
    }

    /// Reads all interactions of a type.
    pub fn all_of(&mut self, kind: &str) {
        self.kinds.insert(kind.to_owned());
        self.between.insert(kind.to_owned());
    }

    /// Whether it reads any interactions.
    #[must_use]
    pub fn sees_any(&self) -> bool {
        self.timeline || !self.kinds.is_empty()
    }

    /// Whether it reads something that was touched; of the stage nothing is said.
    #[must_use]
    pub fn meets(&self, touched: &Touched) -> bool {
        touched.everything
            || (touched.timeline && self.sees_any())
            || touched.kinds.iter().any(|kind| self.sees(kind))
            || (self.all_traits && !touched.traits.is_empty())
            || !self.traits.is_disjoint(&touched.traits)
            || !self.fields.is_disjoint(&touched.fields)
    }
}

/// What became another since a customer was last derived.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Touched {
    /// Anything may have: all is derived anew.
    pub everything: bool,
    /// Interactions of these types.
    pub kinds: BTreeSet<String>,
    /// Interactions of any type.
    pub timeline: bool,
    /// The values of these traits.
    pub traits: BTreeSet<String>,
    /// These fields of the customer, but for traits.
    pub fields: BTreeSet<Field>,
}

impl Touched {
    /// Anything may have become another.
    #[must_use]
    pub fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    /// An interaction was recorded, or is no more what it was; `None`: it is not known what that was.
    #[must_use]
    pub fn by_interaction(kind: Option<String>) -> Self {
        Self { timeline: kind.is_none(), kinds: kind.into_iter().collect(), ..Self::default() }
    }

    /// The last scores did, or how it feels, or what stands open.
    #[must_use]
    pub fn by_score() -> Self {
        Self { fields: [SCORES, SCORED_AT, FEEDBACK].into(), ..Self::default() }
    }

    /// What tells one state of a customer from another, as far as conditions read it: what was said of it, not what is
    /// derived.
    #[must_use]
    pub fn between(before: &Profile, after: &Profile) -> Self {
        let mut touched = Self::default();
        let value = |profile: &Profile, name: &String| profile.traits.get(name).map(|held| held.value.clone());
        let names: BTreeSet<&String> = before.traits.keys().chain(after.traits.keys()).collect();
        let others = names.into_iter().filter(|name| value(before, name) != value(after, name));
        touched.traits = others.cloned().collect();
        let sources = |profile: &Profile| {
            profile.records.iter().map(|(_, name, ..)| name.source.clone()).collect::<BTreeSet<String>>()
        };
        let identifiers = |profile: &Profile| {
            profile.identifiers.iter().map(|(identifier, _)| identifier.clone()).collect::<Vec<_>>()
        };
        let flags = |profile: &Profile| {
            profile.flags.iter().map(|(name, (flag, _))| (name.clone(), flag.until)).collect::<Vec<_>>()
        };
        let preferences = |profile: &Profile| {
            let held = profile.preferences.iter();
            held.map(|(preference, (said, _))| (*preference, said.choice.clone())).collect::<Vec<_>>()
        };
        let fields = [
            (CONSENTS, before.consent_states() != after.consent_states()),
            (PARTY, before.party != after.party),
            (IDENTIFIERS, identifiers(before) != identifiers(after)),
            (CREATED, before.created_at != after.created_at),
            (RESTRICTIONS, !before.objections.keys().eq(after.objections.keys())),
            (FLAGS, flags(before) != flags(after)),
            (PREFERENCES, preferences(before) != preferences(after)),
            (SOURCES, sources(before) != sources(after)),
        ];
        touched.fields = fields.into_iter().filter_map(|(field, differs)| differs.then_some(field)).collect();
        touched
    }

    /// Both together.
    pub fn join(&mut self, other: Self) {
        self.everything |= other.everything;
        self.kinds.extend(other.kinds);
        self.timeline |= other.timeline;
        self.traits.extend(other.traits);
        self.fields.extend(other.fields);
    }

    /// Whether it is nothing at all.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(condition: &str) -> Reads {
        Reads::of(&facts::compile(condition).expect("it compiles"))
    }

    #[test]
    fn a_condition_tells_what_it_reads() {
        let of = reads("events.purchase.size() > 0 && customer.traits.plan == 'gold'");
        assert!(of.sees("purchase") && !of.sees("visit") && of.traits.contains("plan") && of.fields.is_empty());
        let all = reads("timeline.size() > 0");
        assert!(all.sees("visit") && all.traits.is_empty() && !all.all_traits);
        assert!(of.between.is_empty() && reads("events.purchase[1].at < now").between.contains("purchase"));
        assert!(reads("lifecycle_stage == 'new'").stage);
        assert!(reads("'vulnerable' in customer.flags").fields.contains(&FLAGS));
        assert!(reads("traits.exists(name, name == 'x')").all_traits);
    }

    #[test]
    fn the_places_are_those_of_the_fields() {
        let names: Vec<&str> = facts::fields().iter().map(|(name, _)| *name).collect();
        let at = |field: Field| names[field];
        assert_eq!([at(TRAITS), at(CONSENTS), at(PARTY)], ["traits", "consents", "party"]);
        assert_eq!([at(SCORES), at(SCORED_AT), at(IDENTIFIERS)], ["scores", "scored_at", "identifiers"]);
        assert_eq!([at(CREATED), at(RESTRICTIONS), at(FLAGS)], ["create_time", "restrictions", "flags"]);
        assert_eq!([at(PREFERENCES), at(SOURCES), at(FEEDBACK)], ["preferences", "sources", "feedback"]);
    }

    #[test]
    fn what_is_not_read_is_not_met() {
        let of = reads("events.purchase.size() > 0 && traits.plan == 'gold'");
        assert!(of.meets(&Touched::by_interaction(Some("purchase".into()))));
        assert!(!of.meets(&Touched::by_interaction(Some("visit".into()))));
        assert!(of.meets(&Touched::by_interaction(None)) && of.meets(&Touched::everything()));
        assert!(!of.meets(&Touched::by_score()) && !of.meets(&Touched::default()));
        assert!(!reads("party == 'lead'").meets(&Touched::by_interaction(None)));
    }
}
