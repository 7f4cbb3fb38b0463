//! The fold of records into one profile: of each trait the statement that survives, of each consent and objection the
//! most restrictive, of each preference the latest. Ties are broken by the source record's own name, never by arrival or by an id we minted; so any order of the same
//! statements gives the same profile, and a split gives every record its own answers back.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use rapport_kernel::{CustomerId, SubjectId, Timestamp};
use serde::{Deserialize, Serialize};

use super::account::{self, AccountId};
use super::channels::{self, Inferred};
use super::claims::{Claims, Consent, ConsentState};
use super::derived::Derived;
use super::namespace::Namespaces;
use super::persona::Membership;
use super::rules::{Reading, Rules};
use super::segment::SegmentId;
use super::standing::{Basis, Choice, Flagging, Objection, Preference, Preferring, Processing};
use super::survivorship::{Candidate, survivor};
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
    /// Source, record and time of each statement that has part in the value, where a rule makes it of several.
    pub contributors: Vec<(String, SubjectId, Timestamp)>,
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
    /// The objections in force, with the record each was said on.
    pub objections: BTreeMap<Processing, (Objection, SubjectId)>,
    /// The flags that are set, with the record each is set on; see [`Profile::at`] for those that end by themselves.
    pub flags: BTreeMap<String, (Flagging, SubjectId)>,
    /// The preferences, with the record each was said on.
    pub preferences: BTreeMap<Preference, (Preferring, SubjectId)>,
    /// The channels it was met on, the most used first.
    pub inferred_channels: Vec<Inferred>,
    /// The accounts it belongs to, by id, each with the record that says so.
    pub accounts: Vec<(account::Membership, SubjectId)>,
    /// Subject, name and first recording of each record, and when its source deleted it; the home record first.
    pub records: Vec<(SubjectId, SourceRecord, Timestamp, Option<Timestamp>)>,
    /// When the first record was recorded.
    pub created_at: Timestamp,
    /// When the profile last changed.
    pub updated_at: Timestamp,
    /// What is derived of it.
    pub derived: Arc<Derived>,
    /// The segments it is in that there still are, by name.
    pub segments: Vec<InSegment>,
    /// The persona it has by the set in force.
    pub persona: Option<Membership>,
    /// By which reading of the rules it is folded.
    pub reading: Reading,
}

/// A segment that a customer is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InSegment {
    /// The segment.
    pub id: SegmentId,
    /// Its name.
    pub name: String,
    /// When the customer entered.
    pub entered_at: Timestamp,
}

/// The source that computed traits bear.
pub const COMPUTED: &str = "computed";

impl Profile {
    /// The profile with what is derived of it.
    #[must_use]
    pub fn with(mut self, derived: Arc<Derived>, rules: &Rules) -> Self {
        let definitions = &rules.definitions;
        self.traits.retain(|name, _| !definitions.computed.contains_key(name));
        for name in definitions.computed.keys() {
            if let Some(held) = derived.traits.get(name) {
                let (value, source) = (held.value.clone(), COMPUTED.to_owned());
                let observed_at = held.decided_at.unwrap_or(self.created_at);
                let (subject, contributors) = (self.customer, Vec::new());
                let held = Trait { value, source, subject, observed_at, contributors };
                self.traits.insert(name.clone(), held);
            }
        }
        let named = derived.segments.iter().filter_map(|(id, since)| {
            let name = definitions.segment(*id)?.segment.draft.name.clone();
            Some(InSegment { id: *id, name, entered_at: *since })
        });
        self.segments = named.collect();
        self.segments.sort_by(|a, b| a.name.cmp(&b.name));
        self.derived = derived;
        self
    }

    /// The consents in force by (purpose, channel).
    #[must_use]
    pub fn consent_states(&self) -> BTreeMap<(&str, &str), ConsentState> {
        let states = self.consents.iter();
        states.map(|held| ((held.purpose.as_str(), held.channel.as_str()), held.decided_by.state)).collect()
    }

    /// The instant at which something here could change though nothing happens: until then it is as it is.
    #[must_use]
    pub fn valid_until(&self) -> Option<Timestamp> {
        let ends = self.flags.values().filter_map(|(flag, _)| flag.until);
        ends.chain([self.derived.valid_until]).min().filter(|end| *end < Timestamp::MAX)
    }

    /// The first instant after another at which a flag ends.
    #[must_use]
    pub fn flag_ends_after(&self, now: Timestamp) -> Timestamp {
        let ends = self.flags.values().filter_map(|(flag, _)| flag.until);
        ends.filter(|end| *end > now).min().unwrap_or(Timestamp::MAX)
    }

    /// The profile as it stands at an instant: flags that have ended by then are gone.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        if self.valid_until().is_some_and(|end| end <= now) {
            self.flags.retain(|_, (flag, _)| flag.until.is_some_and(|until| until > now));
        }
        self
    }

    /// As [`Profile::at`], of one that is shared.
    #[must_use]
    pub fn shared_at(self: Arc<Self>, now: Timestamp) -> Arc<Self> {
        match self.valid_until() {
            Some(end) if end <= now => Arc::new(Arc::unwrap_or_clone(self).at(now)),
            _ => self,
        }
    }
}

/// Folds the records of a customer; what is derived of it comes by [`Profile::with`]. There is at least one: a customer without records does not exist.
#[must_use]
pub fn fold(customer: CustomerId, revision: u64, updated_at: Timestamp, records: &[Record], rules: &Rules) -> Profile {
    let mut profile = Profile {
        customer,
        revision,
        party: party(records),
        identifiers: identifiers(records, &rules.namespaces),
        traits: traits(records, rules),
        consents: consents(records),
        objections: objections(records),
        flags: flags(records),
        preferences: preferences(records),
        inferred_channels: inferred_channels(records),
        accounts: accounts(records),
        records: names(customer, records),
        created_at: records.iter().map(|record| record.created_at).min().unwrap_or(updated_at),
        updated_at,
        derived: Arc::default(),
        segments: Vec::new(),
        persona: None,
        reading: rules.reading,
    };
    profile.persona = rules.personas.as_ref().and_then(|personas| personas.membership(&profile));
    profile
}

fn party(records: &[Record]) -> Party {
    let claims = records.iter().filter_map(|record| record.claims.party.as_ref().map(|claim| (record, claim)));
    claims
        .max_by(|(a, x), (b, y)| (x.at, &a.name, x.value).cmp(&(y.at, &b.name, y.value)))
        .map_or(Party::default(), |(_, claim)| claim.value)
}

fn identifiers(records: &[Record], namespaces: &Namespaces) -> Vec<(Identifier, SubjectId)> {
    let mut first = BTreeMap::<Cow<'_, Identifier>, (Timestamp, &SourceRecord, SubjectId)>::new();
    for record in records {
        for (identifier, at) in record.claims.carried() {
            let Some(identifier) = namespaces.effective(identifier) else { continue };
            let carrier = (at, &record.name, record.subject);
            first.entry(identifier).and_modify(|held| *held = (*held).min(carrier)).or_insert(carrier);
        }
    }
    let mut all: Vec<_> =
        first.into_iter().map(|(identifier, (_, _, subject))| (identifier.into_owned(), subject)).collect();
    all.sort_by_cached_key(|(identifier, _)| (namespaces.rank(&identifier.namespace), identifier.clone()));
    all
}

fn traits(records: &[Record], rules: &Rules) -> BTreeMap<String, Trait> {
    let mut claimed = BTreeMap::<&String, Vec<Candidate<'_>>>::new();
    for record in records {
        for (name, claim) in &record.claims.traits {
            let Some(value) = &claim.value else { continue };
            let candidate = Candidate { at: claim.at, name: &record.name, value, subject: record.subject };
            claimed.entry(name).or_default().push(candidate);
        }
    }
    let trust = |source: &str| rules.trust(source);
    let full = |(name, candidates): (&String, Vec<Candidate<'_>>)| {
        let survivor = survivor(&candidates, rules.declared.find(name), &trust)?;
        let part = |it: &Candidate<'_>| (it.name.source.clone(), it.subject, it.at);
        let contributors = survivor.contributors.iter().map(part).collect();
        let (source, subject, observed_at) = part(&survivor.decided_by);
        Some((name.clone(), Trait { value: survivor.value, source, subject, observed_at, contributors }))
    };
    claimed.into_iter().filter_map(full).collect()
}

/// Any record's objection holds; the latest one is told.
/// Whether a customer of such records objects to being profiled.
#[must_use]
pub fn objects_to_profiling(records: &[Record]) -> bool {
    let objection = |record: &Record| record.claims.objections.get(&Processing::Profiling).map(|said| said.stands);
    records.iter().any(|record| objection(record) == Some(true))
}

fn objections(records: &[Record]) -> BTreeMap<Processing, (Objection, SubjectId)> {
    let mut held = BTreeMap::<Processing, (&Objection, &SourceRecord, SubjectId)>::new();
    for record in records {
        for (processing, objection) in record.claims.objections.iter().filter(|(_, it)| it.stands) {
            let said = (objection, &record.name, record.subject);
            let later = |held: &(&Objection, &SourceRecord, SubjectId)| {
                (held.0.observed_at, held.1, held.0) < (said.0.observed_at, said.1, said.0)
            };
            if held.get(processing).is_none_or(later) {
                held.insert(*processing, said);
            }
        }
    }
    held.into_iter().map(|(key, (objection, _, subject))| (key, (objection.clone(), subject))).collect()
}

/// A flag that any record bears is borne; of several the one that ends last is told.
fn flags(records: &[Record]) -> BTreeMap<String, (Flagging, SubjectId)> {
    let mut held = BTreeMap::<&String, (&Flagging, &SourceRecord, SubjectId)>::new();
    for record in records {
        for (name, flag) in record.claims.flags.iter().filter(|(_, it)| it.until.is_some()) {
            let said = (flag, &record.name, record.subject);
            let longer = |held: &(&Flagging, &SourceRecord, SubjectId)| {
                (held.0.until, held.0.observed_at, held.1) < (said.0.until, said.0.observed_at, said.1)
            };
            if held.get(name).is_none_or(longer) {
                held.insert(name, said);
            }
        }
    }
    held.into_iter().map(|(name, (flag, _, subject))| (name.clone(), (flag.clone(), subject))).collect()
}

/// Of each preference what was said last, whoever said it; where that was to take it back, or nothing was said, what was
/// seen last.
fn preferences(records: &[Record]) -> BTreeMap<Preference, (Preferring, SubjectId)> {
    let mut latest = BTreeMap::<(Preference, Basis), (&Preferring, &SourceRecord, SubjectId)>::new();
    for record in records {
        for (key, said) in record.claims.preferences.iter().filter(|((of, _), _)| *of != Preference::MetOn) {
            let said = (said, &record.name, record.subject);
            let later = |held: &(&Preferring, &SourceRecord, SubjectId)| {
                (held.0.observed_at, held.1, held.0) < (said.0.observed_at, said.1, said.0)
            };
            if latest.get(key).is_none_or(later) {
                latest.insert(*key, said);
            }
        }
    }
    // In this order what was given comes after what was seen, and replaces it.
    let there = latest.into_iter().filter(|(_, (said, ..))| said.choice.is_some());
    there.map(|((preference, _), (said, _, subject))| (preference, (said.clone(), subject))).collect()
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
fn accounts(records: &[Record]) -> Vec<(account::Membership, SubjectId)> {
    let mut latest = BTreeMap::<AccountId, (&account::Membership, &SourceRecord, SubjectId)>::new();
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

fn inferred_channels(records: &[Record]) -> Vec<Inferred> {
    let met = records.iter().filter_map(|record| {
        match record.claims.preferences.get(&(Preference::MetOn, Basis::Observed))?.choice.as_ref()? {
            Choice::Met(met) => Some(met),
            Choice::Text(_) | Choice::Texts(_) | Choice::Minutes(..) | Choice::Tone(_) => None,
        }
    });
    channels::inferred(met)
}

fn names(home: CustomerId, records: &[Record]) -> Vec<(SubjectId, SourceRecord, Timestamp, Option<Timestamp>)> {
    let name = |it: &Record| (it.subject, it.name.clone(), it.created_at, it.claims.deleted_at());
    let mut names: Vec<_> = records.iter().map(name).collect();
    names.sort_by_cached_key(|(subject, name, created_at, _)| (*subject != home, *created_at, name.clone()));
    names
}

#[cfg(test)]
mod tests;
