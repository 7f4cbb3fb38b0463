//! Random statements and records for the property tests of this room: few distinct values, so that ties, conflicts and
//! shared identifiers are frequent.

use std::collections::BTreeMap;
use std::ops::Range;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use rapport_kernel::{Private, SubjectId, Timestamp};

use super::account::{AccountId, AccountKind, Membership};
use super::claims::{Claims, Consent, ConsentState, Statement};
use super::declared::{PiiClass, TraitDefinition};
use super::profile::Record;
use super::standing::{Basis, Choice, Flagging, Objection, Preference, Preferring, Processing};
use super::survivorship::Survivorship;
use super::value::{Identifier, Number, Party, SourceRecord, TraitType, Value};

pub fn at() -> impl Strategy<Value = Timestamp> {
    (0_i64..6).prop_map(|micros| Timestamp::from_micros(micros).expect("in range"))
}

pub fn name(number: usize) -> SourceRecord {
    SourceRecord { source: "crm".to_owned(), external_id: Private::new(format!("{number:04}")) }
}

pub fn identifier(namespace: &str, value: usize) -> Identifier {
    Identifier { namespace: namespace.to_owned(), value: Private::new(format!("v{value}")) }
}

pub fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        (0_i32..3).prop_map(|n| Value::Number(Number::new(f64::from(n) / 3.0).expect("finite"))),
        "[a-c]".prop_map(Value::Text),
        at().prop_map(Value::Time),
        vec("[a-c]", 0..3).prop_map(Value::List),
    ]
}

fn consent() -> impl Strategy<Value = Consent> {
    (at(), any::<bool>(), "[pq]", prop_oneof![Just(""), Just("email"), Just("sms")], "[st]").prop_map(
        |(observed_at, granted, purpose, channel, source)| Consent {
            observed_at,
            state: if granted { ConsentState::Granted } else { ConsentState::Denied },
            purpose,
            channel: channel.to_owned(),
            source,
            wording_version: String::new(),
            language: String::new(),
            proof: Private::default(),
        },
    )
}

fn membership() -> impl Strategy<Value = Membership> {
    (at(), proptest::option::of(at()), at(), 1_u128..4, "[rs]", "[st]").prop_map(
        |(observed_at, until, since, account, role, source)| Membership {
            observed_at,
            until,
            since,
            account: AccountId::from_uuid(uuid::Uuid::from_u128(account)),
            kind: AccountKind::Company,
            role,
            source,
        },
    )
}

pub fn any_identifier() -> impl Strategy<Value = Identifier> {
    let namespace = prop_oneof![Just("customer_number"), Just("user_id"), Just("email"), Just("phone")];
    (namespace, 0_usize..4).prop_map(|(namespace, value)| identifier(namespace, value))
}

pub fn statement() -> impl Strategy<Value = (Statement, Timestamp)> {
    let party = prop_oneof![Just(None), Just(Some(Party::Lead)), Just(Some(Party::Employee))];
    let (traits, unset) = (btree_map("[xyz]", value(), 0..3), btree_set("[xyz]", 0..2));
    let standing = (
        btree_set(objection(), 0..2),
        btree_set(flag(), 0..2),
        btree_set(preference(), 0..2),
        btree_set(membership(), 0..2),
    );
    let parts = (party, btree_set(any_identifier(), 0..3), traits, unset, btree_set(consent(), 0..3), standing);
    let whole = parts.prop_map(|(party, identifiers, traits, unset, consents, standing)| {
        let (objections, flags, preferences, memberships) = standing;
        let deleted_by = None;
        Statement {
            party,
            identifiers,
            traits,
            unset,
            consents,
            memberships,
            objections,
            flags,
            preferences,
            deleted_by,
        }
    });
    (whole, at())
}

fn objection() -> impl Strategy<Value = Objection> {
    let processing = prop_oneof![Just(Processing::Marketing), Just(Processing::Profiling)];
    (at(), any::<bool>(), processing, "[st]").prop_map(|(observed_at, stands, processing, source)| Objection {
        observed_at,
        stands,
        processing,
        source,
        proof: Private::default(),
    })
}

fn flag() -> impl Strategy<Value = Flagging> {
    let until = prop_oneof![Just(None), at().prop_map(Some), Just(Some(Timestamp::MAX))];
    (at(), until, "[fg]", "[st]").prop_map(|(observed_at, until, name, source)| Flagging {
        observed_at,
        until,
        name,
        source,
    })
}

fn preference() -> impl Strategy<Value = Preferring> {
    let basis = prop_oneof![Just(Basis::Observed), Just(Basis::Given)];
    let said = prop_oneof![
        proptest::option::of("[a-c]").prop_map(|text| (Preference::Language, text.map(Choice::Text))),
        proptest::option::of(vec("[a-c]", 1..3))
            .prop_map(|texts| (Preference::PreferredChannels, texts.map(Choice::Texts))),
    ];
    (at(), said, basis, "[st]").prop_map(|(observed_at, (preference, choice), basis, source)| Preferring {
        observed_at,
        preference,
        basis,
        choice,
        source,
    })
}

/// A trait declared as one of a type.
pub fn definition(name: &str, kind: TraitType) -> TraitDefinition {
    TraitDefinition {
        name: name.to_owned(),
        kind,
        metric_dimension: false,
        description: String::new(),
        pii_class: PiiClass::default(),
        survivorship: Survivorship::default(),
        trusted_sources: Vec::new(),
        created_at: Timestamp::MIN,
        computed: None,
        updated_at: Timestamp::MIN,
        revision: 1,
        changed_by: 0,
        operation: None,
    }
}

pub fn records(count: Range<usize>) -> impl Strategy<Value = Vec<Record>> {
    vec(vec(statement(), 1..4), count).prop_map(|all| {
        let record = |(number, statements): (usize, Vec<(Statement, Timestamp)>)| {
            let mut claims = Claims::default();
            for (statement, at) in &statements {
                claims.hear(statement, *at);
            }
            Record { subject: subject(number), name: name(number), created_at: Timestamp::MIN, claims }
        };
        all.into_iter().enumerate().map(record).collect()
    })
}

/// A subject id that sorts by its number.
pub fn subject(number: usize) -> SubjectId {
    SubjectId::from_uuid(uuid::Uuid::from_u128(number as u128 + 1))
}

/// What records carry, for the linking.
pub fn carried(records: &[Record]) -> BTreeMap<SubjectId, BTreeMap<Identifier, Timestamp>> {
    records.iter().map(|record| (record.subject, record.claims.identifiers.clone())).collect()
}
