//! What one source record claims: the join of all it ever stated. Every part is the greatest (or least) of a total
//! order that starts with the time of observation, so the join is associative, commutative and idempotent: neither the
//! order of arrival nor a repetition can show.

use std::collections::{BTreeMap, BTreeSet};

use rapport_kernel::{Private, Timestamp};
use serde::{Deserialize, Serialize};

use super::account::{AccountId, Membership};
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
}

impl Claims {
    /// What a statement claims.
    #[must_use]
    pub fn of(statement: &Statement, observed_at: Timestamp) -> Self {
        let mut claims = Self::default();
        claims.hear(statement, observed_at);
        claims
    }

    /// Adds a statement; answers whether anything changed.
    pub fn hear(&mut self, statement: &Statement, at: Timestamp) -> bool {
        let mut changed = false;
        if let Some(value) = statement.party {
            changed |= raise_option(&mut self.party, Claim { at, value });
        }
        for identifier in &statement.identifiers {
            changed |= self.carry(identifier, at);
        }
        for (name, value) in &statement.traits {
            changed |= raise(&mut self.traits, name, Claim { at, value: Some(value.clone()) });
        }
        for name in &statement.unset {
            changed |= raise(&mut self.traits, name, Claim { at, value: None });
        }
        for consent in &statement.consents {
            let key = (consent.purpose.clone(), consent.channel.clone());
            changed |= raise(&mut self.consents, &key, consent.clone());
        }
        for membership in &statement.memberships {
            changed |= raise(&mut self.memberships, &membership.account, membership.clone());
        }
        changed
    }

    /// Joins what another part of the record's history claims.
    pub fn join(&mut self, other: &Self) {
        if let Some(party) = &other.party {
            raise_option(&mut self.party, party.clone());
        }
        for (identifier, at) in &other.identifiers {
            self.carry(identifier, *at);
        }
        for (name, claim) in &other.traits {
            raise(&mut self.traits, name, claim.clone());
        }
        for (key, consent) in &other.consents {
            raise(&mut self.consents, key, consent.clone());
        }
        for (account, membership) in &other.memberships {
            raise(&mut self.memberships, account, membership.clone());
        }
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
        fn the_join_is_associative_and_idempotent(
            parts in proptest::collection::vec(testing::statement(), 3..=3),
        ) {
            let claims: Vec<_> = parts.iter().map(|(statement, at)| Claims::of(statement, *at)).collect();
            let join = |a: &Claims, b: &Claims| {
                let mut joined = a.clone();
                joined.join(b);
                joined
            };
            let left = join(&join(&claims[0], &claims[1]), &claims[2]);
            let right = join(&claims[0], &join(&claims[1], &claims[2]));
            prop_assert!(left == right);
            prop_assert!(join(&left, &left) == left);
            prop_assert!(join(&claims[0], &claims[1]) == join(&claims[1], &claims[0]));
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
