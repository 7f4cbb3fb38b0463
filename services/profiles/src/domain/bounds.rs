//! How much a source record may claim, and a customer hold. Whatever is held must fit an answer: a customer that nobody
//! can read is one that nobody can decide for, mend, or erase.

use std::collections::BTreeSet;

use rapport_kernel::{Fault, Reason};

use super::claims::{Claims, Consent};
use super::profile::Record;
use super::standing::{Choice, Flagging, Objection, Preferring};

/// Names of traits that one record may ever have claimed, those it unset included.
pub const RECORD_TRAITS: usize = 1_000;
/// Consents (a purpose and a channel) of one record.
pub const RECORD_CONSENTS: usize = 500;
/// Identifiers of one record.
pub const RECORD_IDENTIFIERS: usize = 500;
/// Bytes of one record, by [`weight`].
pub const RECORD_BYTES: usize = 384 * 1024;
/// Accounts that one record belongs to, or belonged to.
pub const RECORD_ACCOUNTS: usize = 100;
/// Names of traits of one customer, over all its records.
pub const CUSTOMER_TRAITS: usize = 2_000;
/// Consents of one customer.
pub const CUSTOMER_CONSENTS: usize = 1_000;
/// Bytes of one customer: an answer holds three megabytes, and the largest ones show a customer twice.
pub const CUSTOMER_BYTES: usize = 768 * 1024;

/// What a trait, an identifier, a consent and a record take in an answer besides their texts: at most, roughly.
const TRAIT: usize = 160;
const IDENTIFIER: usize = 64;
const CONSENT: usize = 100;
const RECORD: usize = 100;
const ACCOUNT: usize = 160;

/// Refuses records that claim more than they may, apart or together as one customer.
///
/// # Errors
/// FAILED_PRECONDITION: INVALID_STATE where one record does, IDENTITY_CONFLICT where several do together.
pub fn check(records: &[Record]) -> Result<(), Fault> {
    let refused = |reason, what: &'static str, limit: usize, whose: &str| {
        let text = format!("{whose} would hold more than {limit} {what}: let it claim less");
        Err(Fault::new(reason, text).precondition("PROFILE_SIZE", what).with("limit", limit.to_string()))
    };
    for claims in records.iter().map(|record| &record.claims) {
        let held = [
            (claims.traits.len(), RECORD_TRAITS, "names of traits"),
            (claims.consents.len(), RECORD_CONSENTS, "consents"),
            (claims.identifiers.len(), RECORD_IDENTIFIERS, "identifiers"),
            (claims.memberships.len(), RECORD_ACCOUNTS, "accounts"),
            (weight(claims), RECORD_BYTES, "bytes"),
        ];
        if let Some((_, limit, what)) = held.into_iter().find(|(held, limit, _)| held > limit) {
            return refused(Reason::InvalidState, what, limit, "the source record");
        }
    }
    let traits: BTreeSet<&String> = records.iter().flat_map(|record| record.claims.traits.keys()).collect();
    let consents: BTreeSet<&(String, String)> =
        records.iter().flat_map(|record| record.claims.consents.keys()).collect();
    let names = |record: &Record| RECORD + record.name.source.len() + record.name.external_id.expose().len();
    let bytes = records.iter().map(|record| names(record) + weight(&record.claims)).sum();
    let held = [
        (traits.len(), CUSTOMER_TRAITS, "names of traits"),
        (consents.len(), CUSTOMER_CONSENTS, "consents"),
        (bytes, CUSTOMER_BYTES, "bytes"),
    ];
    match held.into_iter().find(|(held, limit, _)| held > limit) {
        Some((_, limit, what)) => refused(Reason::IdentityConflict, what, limit, "the customer"),
        None => Ok(()),
    }
}

/// About how many bytes claims take in an answer.
#[must_use]
pub fn weight(claims: &Claims) -> usize {
    let value = |claim: &super::claims::Claim<Option<super::value::Value>>| {
        claim.value.as_ref().map_or(0, super::value::Value::weight)
    };
    let traits: usize = claims.traits.iter().map(|(name, claim)| TRAIT + name.len() + value(claim)).sum();
    let identifiers = claims.identifiers.keys();
    let identifiers: usize =
        identifiers.map(|held| IDENTIFIER + held.namespace.len() + held.value.expose().len()).sum();
    let consent = |held: &Consent| {
        let texts = [&held.purpose, &held.channel, &held.source, &held.wording_version, &held.language];
        CONSENT + held.proof.expose().len() + texts.into_iter().map(String::len).sum::<usize>()
    };
    let objection = |held: &Objection| CONSENT + held.source.len() + held.proof.expose().len();
    let flag = |held: &Flagging| CONSENT + held.source.len() + held.name.len();
    // The name of the preference stands before its provenance.
    let preferring =
        |held: &Preferring| 2 * CONSENT + held.source.len() + held.choice.as_ref().map_or(0, Choice::weight);
    let standing = claims.objections.values().map(objection).sum::<usize>()
        + claims.flags.values().map(flag).sum::<usize>()
        + claims.preferences.values().map(preferring).sum::<usize>();
    let accounts: usize = claims.memberships.values().map(|held| ACCOUNT + held.role.len() + held.source.len()).sum();
    traits + identifiers + claims.consents.values().map(consent).sum::<usize>() + standing + accounts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_weighs_more_in_an_answer_than_was_counted(records in testing::records(1..6)) {
            use prost::Message as _;

            let rules = crate::domain::rules::Rules::default();
            let home = records[0].subject;
            let profile = crate::domain::profile::fold(home, 1, rapport_kernel::Timestamp::MIN, &records, &rules);
            let counted: usize = records.iter().map(|record| {
                RECORD + record.name.source.len() + record.name.external_id.expose().len() + weight(&record.claims)
            }).sum();
            // A refusal on all channels is told of each of them: there are few here.
            prop_assert!(crate::convert::profile::profile(&profile).encoded_len() <= 2 * counted + 200);
        }
    }
}
