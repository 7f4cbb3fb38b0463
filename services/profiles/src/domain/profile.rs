//! The fold of records into one profile: of each trait the latest statement, of each consent the most restrictive.
//! Ties are broken by the source record's own name, never by arrival or by an id we minted; so any order of the same
//! statements gives the same profile, and a split gives every record its own answers back.

use std::collections::BTreeMap;

use rapport_kernel::{CustomerId, SubjectId, Timestamp};
use serde::{Deserialize, Serialize};

use super::account::{AccountId, Membership};
use super::claims::{Claims, Consent, ConsentState};
use super::namespace::Namespaces;
use super::rules::Rules;
use super::value::{Identifier, Party, SourceRecord, Value};

/// One source record of a customer and all it claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its subject.
    pub subject: SubjectId,
    /// Its name.
    pub name: SourceRecord,
    /// When it was first recorded.
    pub created_at: Timestamp,
    /// What it claims.
    pub claims: Claims,
}

/// A trait of the golden record, with its provenance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trait {
    /// The value.
    pub value: Value,
    /// The source that said so.
    pub source: String,
    /// The record that said so.
    pub subject: SubjectId,
    /// When it said so.
    pub observed_at: Timestamp,
}

/// A consent in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// What for.
    pub purpose: String,
    /// On which channel; empty: all.
    pub channel: String,
    /// The statement that decided.
    pub decided_by: Consent,
}

/// A customer's profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The customer.
    pub customer: CustomerId,
    /// Its revision; 0 where it is only a preview.
    pub revision: u64,
    /// What the party is.
    pub party: Party,
    /// All identifiers with the subject that first carried them, in the order of the namespaces.
    pub identifiers: Vec<(Identifier, SubjectId)>,
    /// The golden record.
    pub traits: BTreeMap<String, Trait>,
    /// The consents in force.
    pub consents: Vec<InForce>,
    /// The accounts it belongs to, by id, each with the record that says so.
    pub accounts: Vec<(Membership, SubjectId)>,
    /// Subject, name and first recording of each record, the home record first.
    pub records: Vec<(SubjectId, SourceRecord, Timestamp)>,
    /// When the first record was recorded.
    pub created_at: Timestamp,
    /// When the profile last changed.
    pub updated_at: Timestamp,
}

impl Profile {
    /// The consents in force by (purpose, channel).
    #[must_use]
    pub fn consent_states(&self) -> BTreeMap<(&str, &str), ConsentState> {
        let states = self.consents.iter();
        states.map(|held| ((held.purpose.as_str(), held.channel.as_str()), held.decided_by.state)).collect()
    }
}

/// Folds the records of a customer. There is at least one: a customer without records does not exist.
#[must_use]
pub fn fold(customer: CustomerId, revision: u64, updated_at: Timestamp, records: &[Record], rules: &Rules) -> Profile {
    Profile {
        customer,
        revision,
        party: party(records),
        identifiers: identifiers(records, &rules.namespaces),
        traits: traits(records),
        consents: consents(records),
        accounts: accounts(records),
        records: names(customer, records),
        created_at: records.iter().map(|record| record.created_at).min().unwrap_or(updated_at),
        updated_at,
    }
}

fn party(records: &[Record]) -> Party {
    let claims = records.iter().filter_map(|record| record.claims.party.as_ref().map(|claim| (record, claim)));
    claims
        .max_by(|(a, x), (b, y)| (x.at, &a.name, x.value).cmp(&(y.at, &b.name, y.value)))
        .map_or(Party::default(), |(_, claim)| claim.value)
}

fn identifiers(records: &[Record], namespaces: &Namespaces) -> Vec<(Identifier, SubjectId)> {
    let mut first = BTreeMap::<&Identifier, (Timestamp, &SourceRecord, SubjectId)>::new();
    for record in records {
        for (identifier, at) in &record.claims.identifiers {
            let carrier = (*at, &record.name, record.subject);
            first.entry(identifier).and_modify(|held| *held = (*held).min(carrier)).or_insert(carrier);
        }
    }
    let mut all: Vec<_> =
        first.into_iter().map(|(identifier, (_, _, subject))| (identifier.clone(), subject)).collect();
    all.sort_by_cached_key(|(identifier, _)| (namespaces.rank(&identifier.namespace), identifier.clone()));
    all
}

fn traits(records: &[Record]) -> BTreeMap<String, Trait> {
    let mut latest = BTreeMap::<&String, (Timestamp, &SourceRecord, &Value, SubjectId)>::new();
    for record in records {
        for (name, claim) in &record.claims.traits {
            let Some(value) = &claim.value else { continue };
            let said = (claim.at, &record.name, value, record.subject);
            latest.entry(name).and_modify(|held| *held = (*held).max(said)).or_insert(said);
        }
    }
    let full =
        |(name, (observed_at, record, value, subject)): (&String, (Timestamp, &SourceRecord, &Value, SubjectId))| {
            (name.clone(), Trait { value: value.clone(), source: record.source.clone(), subject, observed_at })
        };
    latest.into_iter().map(full).collect()
}

/// Of each purpose and channel: a refusal by any record is a refusal, decided by the latest refusal; else the latest
/// grant. A refusal on all channels holds on each.
fn consents(records: &[Record]) -> Vec<InForce> {
    let mut decided = BTreeMap::<(&str, &str), (&Consent, &SourceRecord)>::new();
    for record in records {
        for ((purpose, channel), consent) in &record.claims.consents {
            let said = (consent, &record.name);
            decided.entry((purpose, channel)).and_modify(|held| *held = stricter(*held, said)).or_insert(said);
        }
    }
    let everywhere: BTreeMap<&str, (&Consent, &SourceRecord)> = decided
        .iter()
        .filter(|((_, channel), _)| channel.is_empty())
        .map(|((purpose, _), said)| (*purpose, *said))
        .collect();
    decided
        .into_iter()
        .map(|((purpose, channel), said)| {
            let refused = everywhere.get(purpose).filter(|(consent, _)| consent.state == ConsentState::Denied);
            let (consent, _) = refused.map_or(said, |refused| stricter(said, *refused));
            InForce { purpose: purpose.to_owned(), channel: channel.to_owned(), decided_by: consent.clone() }
        })
        .collect()
}

/// Of each account that any record belongs to, what was told last.
fn accounts(records: &[Record]) -> Vec<(Membership, SubjectId)> {
    let mut latest = BTreeMap::<AccountId, (&Membership, &SourceRecord, SubjectId)>::new();
    for record in records {
        for (account, membership) in record.claims.memberships.iter().filter(|(_, it)| it.until.is_none()) {
            let said = (membership, &record.name, record.subject);
            latest.entry(*account).and_modify(|held| *held = (*held).max(said)).or_insert(said);
        }
    }
    latest.into_values().map(|(membership, _, subject)| (membership.clone(), subject)).collect()
}

fn stricter<'a>(
    a: (&'a Consent, &'a SourceRecord),
    b: (&'a Consent, &'a SourceRecord),
) -> (&'a Consent, &'a SourceRecord) {
    let key =
        |(consent, record): (&'a Consent, &'a SourceRecord)| (consent.state, consent.observed_at, record, consent);
    if key(a) >= key(b) { a } else { b }
}

fn names(home: CustomerId, records: &[Record]) -> Vec<(SubjectId, SourceRecord, Timestamp)> {
    let mut names: Vec<_> =
        records.iter().map(|record| (record.subject, record.name.clone(), record.created_at)).collect();
    names.sort_by_cached_key(|(subject, name, created_at)| (*subject != home, *created_at, name.clone()));
    names
}

#[cfg(test)]
mod tests {
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
    }
}
