//! What one source record claims: the join of all it ever stated, and of all that was said on it. Every part is the
//! greatest (or least) of a total order that starts with the time of observation, so the join is associative,
//! commutative and idempotent: neither the order of arrival nor a repetition can show.
//!
//! A deletion takes what the source had stated by then, also what is told later. Which part of the claims remains then is
//! known from the whole history alone ([`Claims::told`]); once it is known, each further statement adds to it as ever.

use std::collections::{BTreeMap, BTreeSet};

use rapport_kernel::{Private, Timestamp};
use serde::{Deserialize, Serialize};

use super::account::{AccountId, Membership};
use super::standing::{Basis, Flagging, Objection, Preference, Preferring, Processing};
use super::value::{Identifier, Party, Value};

/// What a source said at once. The body of an observation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Statement {
    /// What the party is, if it said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<Party>,
    /// Identifiers the record carries.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub identifiers: BTreeSet<Identifier>,
    /// Traits it sets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub traits: BTreeMap<String, Value>,
    /// Traits it no longer claims.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub unset: BTreeSet<String>,
    /// Consents given and refused.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub consents: BTreeSet<Consent>,
    /// Accounts it belongs to, or belonged to.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub memberships: BTreeSet<Membership>,
    /// Objections made and withdrawn.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub objections: BTreeSet<Objection>,
    /// Flags set and cleared.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub flags: BTreeSet<Flagging>,
    /// Preferences.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub preferences: BTreeSet<Preferring>,
    /// The record's source, where it says that it deleted the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_by: Option<String>,
}

impl Statement {
    /// Whether it tells what the record's source itself knows of the party.
    fn is_of(&self, source: &str) -> bool {
        self.party.is_some()
            || !(self.identifiers.is_empty() && self.traits.is_empty() && self.unset.is_empty())
            || self.consents.iter().any(|consent| consent.source == source)
    }
}

/// Whether a consent is given. A refusal is the greater: of two at one instant it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsentState {
    /// Given.
    Granted,
    /// Refused or withdrawn.
    Denied,
}

/// One consent or refusal. The order of the fields is the order of precedence: of two for one purpose and channel the
/// greater holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Consent {
    /// When it was given.
    pub observed_at: Timestamp,
    /// Given or refused.
    pub state: ConsentState,
    /// What for.
    pub purpose: String,
    /// On which channel; empty: all.
    pub channel: String,
    /// Who took it down.
    pub source: String,
    /// The version of the wording; empty where unknown.
    pub wording_version: String,
    /// The language; empty where unknown.
    pub language: String,
    /// Where the proof lies; empty where there is none.
    pub proof: Private<String>,
}

/// A claim at a time: the later one holds, at one instant the greater one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Claim<T> {
    /// When the source knew it.
    pub at: Timestamp,
    /// What it claims.
    pub value: T,
}

/// All that one record claims now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// What the party is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<Claim<Party>>,
    /// Each identifier with the earliest instant at which the record carried it.
    #[serde(with = "pairs", default)]
    pub identifiers: BTreeMap<Identifier, Timestamp>,
    /// Each trait; `None` where it was unset.
    #[serde(default)]
    pub traits: BTreeMap<String, Claim<Option<Value>>>,
    /// The latest consent for each (purpose, channel).
    #[serde(with = "pairs", default)]
    pub consents: BTreeMap<(String, String), Consent>,
    /// The latest word on each account.
    #[serde(with = "pairs", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub memberships: BTreeMap<AccountId, Membership>,
    /// The latest objection or withdrawal of each kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub objections: BTreeMap<Processing, Objection>,
    /// The latest word on each flag.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: BTreeMap<String, Flagging>,
    /// The latest word on each preference, said and seen.
    #[serde(with = "pairs", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub preferences: BTreeMap<(Preference, Basis), Preferring>,
    /// That the source deleted the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Deletion>,
}

/// That a source deleted its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// When; of several times the last.
    pub at: Timestamp,
    /// The source.
    pub source: String,
    /// Whether the source has stated something since: the record is there again.
    pub is_over: bool,
    /// Identifiers that the record has not carried since.
    pub hidden: BTreeSet<Identifier>,
}

impl Claims {
    /// What a statement claims.
    #[must_use]
    pub fn of(statement: &Statement, observed_at: Timestamp) -> Self {
        let mut claims = Self::default();
        claims.hear(statement, observed_at);
        claims
    }

    /// What all statements together claim, in any order: the record as it is told from the beginning.
    #[must_use]
    pub fn told<'a>(history: impl Iterator<Item = (&'a Statement, Timestamp)> + Clone) -> Self {
        let deletions = history.clone().filter_map(|(statement, at)| Some((at, statement.deleted_by.clone()?)));
        let last = deletions.max().map(|(at, source)| Deletion { at, source, is_over: false, hidden: BTreeSet::new() });
        let mut claims = Self { deletion: last, ..Self::default() };
        for (statement, at) in history {
            claims.hear(statement, at);
        }
        claims
    }

    /// Adds a statement; answers whether anything changed. A deletion is not heard so: it needs the whole history.
    pub fn hear(&mut self, statement: &Statement, at: Timestamp) -> bool {
        let deleted = self.deletion.as_ref().map(|deletion| (deletion.at, deletion.source.clone()));
        // What a source took down and then deleted with its record.
        let gone = |source: &str, said_at: Timestamp| {
            deleted.as_ref().is_some_and(|(deleted_at, by)| by == source && said_at <= *deleted_at)
        };
        let mut changed = self.carry_all(statement, at);
        if deleted.as_ref().is_none_or(|(deleted_at, _)| at > *deleted_at) {
            changed |= self.state(statement, at);
        }
        for consent in &statement.consents {
            // A refusal outlives the record.
            if consent.state == ConsentState::Denied || !gone(&consent.source, consent.observed_at) {
                let key = (consent.purpose.clone(), consent.channel.clone());
                changed |= raise(&mut self.consents, &key, consent.clone());
            }
        }
        for said in statement.memberships.iter().filter(|said| !gone(&said.source, said.observed_at)) {
            changed |= raise(&mut self.memberships, &said.account, said.clone());
        }
        for objection in &statement.objections {
            changed |= raise(&mut self.objections, &objection.processing, objection.clone());
        }
        for flag in statement.flags.iter().filter(|flag| !gone(&flag.source, flag.observed_at)) {
            changed |= raise(&mut self.flags, &flag.name, flag.clone());
        }
        for said in statement.preferences.iter().filter(|said| !gone(&said.source, said.observed_at)) {
            changed |= raise(&mut self.preferences, &(said.preference, said.basis), said.clone());
        }
        changed
    }

    /// What the source says of the party.
    fn state(&mut self, statement: &Statement, at: Timestamp) -> bool {
        let mut changed = false;
        if let Some(value) = statement.party {
            changed |= raise_option(&mut self.party, Claim { at, value });
        }
        for (name, value) in &statement.traits {
            changed |= raise(&mut self.traits, name, Claim { at, value: Some(value.clone()) });
        }
        for name in &statement.unset {
            changed |= raise(&mut self.traits, name, Claim { at, value: None });
        }
        if let Some(deletion) = &mut self.deletion
            && !deletion.is_over
            && statement.is_of(&deletion.source)
        {
            deletion.is_over = true;
            changed = true;
        }
        changed
    }

    fn carry_all(&mut self, statement: &Statement, at: Timestamp) -> bool {
        let mut changed = false;
        for identifier in &statement.identifiers {
            let is_new = !self.identifiers.contains_key(identifier);
            changed |= self.carry(identifier, at);
            if let Some(deletion) = &mut self.deletion {
                if at > deletion.at {
                    changed |= deletion.hidden.remove(identifier);
                } else if is_new {
                    deletion.hidden.insert(identifier.clone());
                }
            }
        }
        changed
    }

    /// The identifiers the record carries, with the earliest instant of each; those it carried before its source deleted
    /// it are not among them.
    pub fn carried(&self) -> impl Iterator<Item = (&Identifier, Timestamp)> {
        let hidden = self.deletion.as_ref().map(|deletion| &deletion.hidden);
        let shown = move |identifier: &Identifier| hidden.is_none_or(|hidden| !hidden.contains(identifier));
        self.identifiers.iter().filter(move |(identifier, _)| shown(identifier)).map(|(it, at)| (it, *at))
    }

    /// When its source deleted the record, unless it has stated something since.
    #[must_use]
    pub fn deleted_at(&self) -> Option<Timestamp> {
        self.deletion.as_ref().filter(|deletion| !deletion.is_over).map(|deletion| deletion.at)
    }

    fn carry(&mut self, identifier: &Identifier, at: Timestamp) -> bool {
        match self.identifiers.get_mut(identifier) {
            Some(first) if *first <= at => false,
            Some(first) => {
                *first = at;
                true
            }
            None => self.identifiers.insert(identifier.clone(), at).is_none(),
        }
    }
}

fn raise<K: Ord + Clone, V: Ord>(map: &mut BTreeMap<K, V>, key: &K, value: V) -> bool {
    match map.get_mut(key) {
        Some(held) if *held >= value => false,
        Some(held) => {
            *held = value;
            true
        }
        None => map.insert(key.clone(), value).is_none(),
    }
}

fn raise_option<T: Ord>(held: &mut Option<T>, value: T) -> bool {
    let higher = held.as_ref().is_none_or(|held| *held < value);
    if higher {
        *held = Some(value);
    }
    higher
}

/// Maps whose keys are no texts, as lists of pairs: JSON has text keys only.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<K, V, S>(map: &BTreeMap<K, V>, serializer: S) -> Result<S::Ok, S::Error>
    where
        K: Serialize,
        V: Serialize,
        S: Serializer,
    {
        serializer.collect_seq(map)
    }
    pub fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(<Vec<(K, V)>>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn neither_the_order_nor_a_repetition_of_statements_shows(
            statements in proptest::collection::vec(testing::statement(), 0..8),
            order in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let mut straight = Claims::default();
            for (statement, at) in &statements {
                straight.hear(statement, *at);
            }
            let mut shuffled = Claims::default();
            for index in order {
                if let Some((statement, at)) = statements.get(index.index(statements.len().max(1))) {
                    shuffled.hear(statement, *at);
                }
            }
            for (statement, at) in statements.iter().rev() {
                shuffled.hear(statement, *at);
            }
            prop_assert!(straight == shuffled);
        }

        #[test]
        fn a_deletion_takes_what_was_stated_by_then_whenever_it_is_told(
            statements in proptest::collection::vec(testing::statement(), 0..8),
            deleted in proptest::collection::vec(testing::at(), 0..3),
            late in 0_usize..8,
        ) {
            let delete = Statement { deleted_by: Some("s".to_owned()), ..Statement::default() };
            let deletions: Vec<_> = deleted.iter().map(|at| (delete.clone(), *at)).collect();
            let told = |all: &[(Statement, Timestamp)]| Claims::told(all.iter().map(|(said, at)| (said, *at)));
            let straight = told(&[statements.clone(), deletions.clone()].concat());
            let mut shuffled = [deletions.clone(), statements.clone()].concat();
            shuffled.reverse();
            prop_assert!(straight == told(&shuffled));
            // Told up to some statement with all deletions, then the others one by one, twice.
            let late = late.min(statements.len());
            let mut grown = told(&[deletions, statements[..late].to_vec()].concat());
            for (statement, at) in statements[late..].iter().chain(&statements) {
                grown.hear(statement, *at);
            }
            prop_assert!(straight == grown);
            let Some(last) = deleted.iter().max() else { return Ok(()) };
            prop_assert!(straight.traits.values().all(|claim| claim.at > *last));
            prop_assert!(straight.party.as_ref().is_none_or(|claim| claim.at > *last));
            for (_, consent) in straight.consents.iter().filter(|(_, it)| it.source == "s") {
                prop_assert!(consent.state == ConsentState::Denied || consent.observed_at > *last);
            }
            let carried: BTreeSet<&Identifier> = straight.carried().map(|(identifier, _)| identifier).collect();
            let since: BTreeSet<&Identifier> = statements.iter().filter(|(_, at)| at > last)
                .flat_map(|(statement, _)| &statement.identifiers).collect();
            prop_assert!(carried == since);
        }

        #[test]
        fn claims_survive_storage((statement, at) in testing::statement()) {
            let claims = Claims::of(&statement, at);
            let text = serde_json::to_vec(&claims).expect("plain data");
            prop_assert!(serde_json::from_slice::<Claims>(&text).expect("what was written") == claims);
        }
    }

    #[test]
    fn unsetting_holds_from_its_time_on_only() {
        let at = |micros| Timestamp::from_micros(micros).expect("in range");
        let set = |text: &str| Statement {
            traits: BTreeMap::from([("city".to_owned(), Value::Text(text.to_owned()))]),
            ..Statement::default()
        };
        let unset = Statement { unset: BTreeSet::from(["city".to_owned()]), ..Statement::default() };
        let mut claims = Claims::of(&set("Riga"), at(1));
        claims.hear(&unset, at(2));
        assert_eq!(claims.traits["city"].value, None);
        claims.hear(&set("Oslo"), at(3));
        assert_eq!(claims.traits["city"].value, Some(Value::Text("Oslo".to_owned())));
        assert!(!claims.hear(&unset, at(2)), "an unset from before changes nothing");
    }
}
