//! Profiles and what hangs on them, as the contract has them.

use rapport_api::convert::timestamp;
use rapport_api::profiles::v1 as message;
use rapport_kernel::{SubjectId, Timestamp};

use super::account::kind_message;
use super::standing;
use super::value::{party_message, state_message, value_message};
use crate::domain::account::Membership;
use crate::domain::claims::Consent;
use crate::domain::derived::{Derived, Score};
use crate::domain::memory::Mood;
use crate::domain::profile::{InForce, InSegment, Profile, Trait};
use crate::domain::value::{Number, SourceRecord};

/// The etag of a revision.
#[must_use]
pub fn etag(revision: u64) -> String {
    revision.to_string()
}

/// A profile. One that only might be (a preview) has neither revision nor etag.
#[must_use]
pub fn profile(profile: &Profile) -> message::Profile {
    let identifier =
        |(identifier, subject): &(crate::domain::value::Identifier, SubjectId)| message::ProfileIdentifier {
            namespace: identifier.namespace.clone(),
            value: identifier.value.expose().clone(),
            subject_id: subject.to_string(),
        };
    message::Profile {
        customer_id: profile.customer.to_string(),
        revision: profile.revision,
        etag: if profile.revision > 0 { etag(profile.revision) } else { String::new() },
        party: party_message(profile.party).into(),
        identifiers: profile.identifiers.iter().map(identifier).collect(),
        traits: profile.traits.iter().map(|(name, held)| (name.clone(), trait_value(held))).collect(),
        consents: profile.consents.iter().map(consent).collect(),
        records: profile.records.iter().map(record).collect(),
        create_time: Some(timestamp(profile.created_at)),
        update_time: Some(timestamp(profile.updated_at)),
        segments: profile.segments.iter().map(segment).collect(),
        lifecycle_stage: profile.derived.stage.clone(),
        scores: Some(scores(&profile.derived)),
        restrictions: profile.objections.iter().map(standing::restriction).collect(),
        preferences: standing::preferences(profile),
        flags: profile.flags.iter().map(standing::flag).collect(),
        persona: profile.persona.as_ref().map(super::persona::membership),
        accounts: profile.accounts.iter().map(account).collect(),
    }
}

fn segment(held: &InSegment) -> message::ProfileSegment {
    message::ProfileSegment {
        segment_id: held.id.to_string(),
        name: held.name.clone(),
        enter_time: Some(timestamp(held.entered_at)),
    }
}

fn score((kind, score): (&String, &Score)) -> message::LastScore {
    message::LastScore {
        kind: kind.clone(),
        score: score.score,
        time: Some(timestamp(score.at)),
        scale_min: score.scale.min,
        scale_max: score.scale.max,
        reversed: score.scale.reversed,
    }
}

fn scores(derived: &Derived) -> message::ProfileScores {
    let memory = &derived.memory;
    let sentiment = |mood: &Mood| message::AccumulatedSentiment {
        value: mood.value.get(),
        trend: mood.trend.map(Number::get),
        texts: mood.texts,
        last_text_time: Some(timestamp(mood.last_at)),
    };
    message::ProfileScores {
        last_scores: derived.scores.iter().map(score).collect(),
        accumulated_sentiment: memory.mood.as_ref().map(sentiment),
        open_tickets: memory.open_tickets,
        open_complaints: memory.open_complaints,
        open_follow_ups: memory.open_follow_ups,
        broken_promises: memory.broken_promises,
    }
}

/// A trait with its provenance.
#[must_use]
pub fn trait_value(held: &Trait) -> message::TraitValue {
    message::TraitValue {
        value: Some(value_message(&held.value)),
        source: held.source.clone(),
        subject_id: held.subject.to_string(),
        observed_at: Some(timestamp(held.observed_at)),
        contributors: held.contributors.iter().map(contributor).collect(),
    }
}

fn contributor((source, subject, observed_at): &(String, SubjectId, Timestamp)) -> message::TraitContributor {
    message::TraitContributor {
        source: source.clone(),
        subject_id: subject.to_string(),
        observed_at: Some(timestamp(*observed_at)),
    }
}

/// A source record of a profile.
#[must_use]
pub fn record(
    (subject, name, created_at, deleted_at): &(SubjectId, SourceRecord, Timestamp, Option<Timestamp>),
) -> message::ProfileRecord {
    let name = message::SourceRecord { source: name.source.clone(), external_id: name.external_id.expose().clone() };
    message::ProfileRecord {
        subject_id: subject.to_string(),
        record: Some(name),
        create_time: Some(timestamp(*created_at)),
        delete_time: deleted_at.map(timestamp),
    }
}

fn account((membership, subject): &(Membership, SubjectId)) -> message::ProfileAccount {
    message::ProfileAccount {
        account_id: membership.account.to_string(),
        kind: kind_message(membership.kind).into(),
        role: membership.role.clone(),
        start_time: Some(timestamp(membership.since)),
        source: membership.source.clone(),
        subject_id: subject.to_string(),
    }
}

fn consent(held: &InForce) -> message::Consent {
    let (purpose, channel) = (held.purpose.clone(), held.channel.clone());
    message::Consent { purpose, channel, ..consent_said(&held.decided_by) }
}

/// A consent as it was said.
#[must_use]
pub fn consent_said(decided_by: &Consent) -> message::Consent {
    message::Consent {
        purpose: decided_by.purpose.clone(),
        channel: decided_by.channel.clone(),
        state: state_message(Some(decided_by.state)),
        wording_version: decided_by.wording_version.clone(),
        language: decided_by.language.clone(),
        proof: decided_by.proof.expose().clone(),
        observed_at: Some(timestamp(decided_by.observed_at)),
        source: decided_by.source.clone(),
    }
}
