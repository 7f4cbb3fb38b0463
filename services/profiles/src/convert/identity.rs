//! Namespaces, match candidates, settings and figures of identity resolution.

use std::collections::BTreeSet;

use rapport_api::convert::timestamp;
use rapport_api::profiles::v1 as message;
use rapport_kernel::{Fault, Timestamp, page_size};
use rapport_operations::render;

use super::answer::texts;
use super::profile::etag;
use super::{add, named};
use crate::domain::candidate::{CandidateReason, CandidateState};
use crate::domain::identity::IdentitySettings;
use crate::domain::namespace::{Namespace, Namespaces, Normaliser};
use crate::service::candidates::{Decided, Decision, Listing, Shown};
use crate::service::health::Health;
use crate::service::identity_settings::Update as SettingsUpdate;
use crate::service::namespaces::{Update, Updated};
use crate::service::quarantine::{Release, Released};
use crate::store::candidate::Filter;

/// The revision that an etag names; one that names none is never the newest.
fn revision(etag: &str) -> Option<u64> {
    (!etag.is_empty()).then(|| etag.parse().unwrap_or(u64::MAX))
}

fn count(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn large(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The namespaces, in rank order.
#[must_use]
pub fn namespaces(namespaces: &Namespaces) -> message::ListNamespacesResponse {
    message::ListNamespacesResponse { namespaces: namespaces.all().iter().map(namespace).collect() }
}

/// A namespace.
#[must_use]
pub fn namespace(namespace: &Namespace) -> message::Namespace {
    let normaliser = match namespace.normaliser {
        Normaliser::Trim => message::Normaliser::Trim,
        Normaliser::Lower => message::Normaliser::Lower,
        Normaliser::Digits => message::Normaliser::Digits,
        Normaliser::Email => message::Normaliser::Email,
        Normaliser::E164 => message::Normaliser::E164,
    };
    message::Namespace {
        name: namespace.name.clone(),
        normaliser: normaliser.into(),
        strong: namespace.strong,
        rank: i32::from(namespace.rank),
        values_per_customer: count(namespace.values_per_customer),
        records_per_value: count(namespace.records_per_value),
        unique: namespace.unique,
        shared: namespace.shared,
        blocked_values: namespace.blocked_values.iter().map(|value| value.expose().clone()).collect(),
        etag: etag(namespace.revision),
    }
}

/// A namespace as it shall be.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn update_namespace(message: &message::UpdateNamespaceRequest, held: &Namespaces) -> Result<Update, Fault> {
    let mut out = rapport_api::check(message);
    let missing = || Fault::invalid_field("namespace", "required", "must be set");
    let Some(wanted) = &message.namespace else { return Err(out.check().err().unwrap_or_else(missing)) };
    if wanted.unique && !wanted.strong {
        add(&mut out, "namespace.unique", "unique.strong", "must be false: only a strong namespace can be unique");
    }
    if wanted.shared && (wanted.unique || !wanted.strong) {
        let text = "must be false: only a strong namespace links, and a unique one is nobody else's";
        add(&mut out, "namespace.shared", "shared.strong", text);
    }
    let normaliser = match wanted.normaliser() {
        message::Normaliser::Email => Normaliser::Email,
        message::Normaliser::E164 => Normaliser::E164,
        message::Normaliser::Lower => Normaliser::Lower,
        message::Normaliser::Digits => Normaliser::Digits,
        message::Normaliser::Trim | message::Normaliser::Unspecified => Normaliser::Trim,
    };
    let number = |number: i32| usize::try_from(number).unwrap_or(0);
    let mut namespace = Namespace {
        name: wanted.name.clone(),
        normaliser,
        strong: wanted.strong,
        rank: u16::try_from(wanted.rank).unwrap_or(0),
        values_per_customer: number(wanted.values_per_customer),
        records_per_value: number(wanted.records_per_value),
        unique: wanted.unique,
        shared: wanted.shared,
        blocked_values: BTreeSet::new(),
        revision: 0,
        renormalises: false,
    };
    let by_the_new_rules = held.clone().with([namespace.clone()]);
    for (at, value) in wanted.blocked_values.iter().enumerate() {
        match by_the_new_rules.normalise(&wanted.name, value) {
            Ok(identifier) => drop(namespace.blocked_values.insert(identifier.value)),
            Err(refusal) => {
                add(&mut out, &format!("namespace.blocked_values[{at}]"), refusal.rule, refusal.text);
            }
        }
    }
    out.check()?;
    Ok(Update { namespace, expected: revision(&wanted.etag) })
}

/// A namespace after a change.
#[must_use]
pub fn updated(updated: &Updated) -> message::UpdateNamespaceResponse {
    message::UpdateNamespaceResponse {
        namespace: Some(namespace(&updated.namespace)),
        operation: updated.operation.as_ref().map(|operation| render("profiles", operation)),
    }
}

/// The settings.
#[must_use]
pub fn settings(settings: &IdentitySettings) -> message::IdentitySettings {
    message::IdentitySettings {
        automatic_merging: settings.automatic_merging,
        update_time: (settings.updated_at > Timestamp::MIN).then(|| timestamp(settings.updated_at)),
        etag: etag(settings.revision),
    }
}

/// Settings as they shall be.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn update_settings(message: &message::UpdateIdentitySettingsRequest) -> Result<SettingsUpdate, Fault> {
    rapport_api::check(message).check()?;
    let missing = || Fault::invalid_field("identity_settings", "required", "must be set");
    let wanted = message.identity_settings.as_ref().ok_or_else(missing)?;
    let settings = IdentitySettings { automatic_merging: wanted.automatic_merging, ..IdentitySettings::default() };
    Ok(SettingsUpdate { settings, expected: revision(&wanted.etag) })
}

/// Over how many days.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn health_days(message: &message::GetIdentityHealthRequest) -> Result<u32, Fault> {
    rapport_api::check(message).check()?;
    Ok(u32::try_from(message.days).ok().filter(|days| *days > 0).unwrap_or(30))
}

/// The health of identity resolution.
#[must_use]
pub fn health(health: &Health) -> message::IdentityHealth {
    const DAY: i64 = 86_400_000_000;
    let links = health.made.iter().map(|made| message::LinksOfDay {
        day: Some(timestamp(Timestamp::from_column(made.day * DAY))),
        // Links are stored with the numbers of the contract.
        cause: i32::from(made.cause),
        namespace: made.namespace.clone(),
        links: large(made.links),
    });
    let (new, joined) = health.records;
    message::IdentityHealth {
        start_time: Some(timestamp(health.since)),
        links: links.collect(),
        new_records: large(new),
        joined_records: large(joined),
        merge_rate: if new == 0 { 0.0 } else { joined as f64 / new as f64 },
        merged_customers: large(health.merged_away),
        quarantined: health
            .quarantined
            .iter()
            .map(|(namespace, values)| message::QuarantineCount {
                namespace: namespace.clone(),
                values: large(*values),
            })
            .collect(),
        quarantined_values: health
            .newest
            .iter()
            .map(|held| message::QuarantinedValue {
                handle: held.handle.to_string(),
                namespace: held.identifier.namespace.clone(),
                since: Some(timestamp(held.since)),
            })
            .collect(),
        largest_customers: health
            .largest
            .iter()
            .map(|(id, records)| message::LargeCustomer { customer_id: id.to_string(), records: large(*records) })
            .collect(),
        open_candidates: health
            .candidates
            .iter()
            .map(|(reason, count)| message::CandidateCount {
                reason: reason_message(*reason),
                candidates: large(*count),
            })
            .collect(),
        automatic_merging: health.settings.automatic_merging,
    }
}

/// Which value links again.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn release(message: &message::ReleaseQuarantinedValueRequest) -> Result<Release, Fault> {
    rapport_api::check(message).check()?;
    let handle = message.handle.parse().map_err(|_| Fault::invalid_field("handle", "uuid", "must be a UUID"))?;
    Ok(Release { handle, allowed: usize::try_from(message.records_per_value).unwrap_or(1) })
}

/// What a released value links.
#[must_use]
pub fn released(outcome: &Released) -> message::ReleaseQuarantinedValueResponse {
    message::ReleaseQuarantinedValueResponse { merged_customer_ids: texts(&outcome.merged) }
}

fn reason_message(reason: CandidateReason) -> i32 {
    let reason = match reason {
        CandidateReason::Limit => message::MatchReason::Limit,
        CandidateReason::Quarantine => message::MatchReason::Quarantine,
        CandidateReason::Automatic => message::MatchReason::AutomaticMergingOff,
        CandidateReason::Probability => message::MatchReason::Probability,
    };
    reason.into()
}

fn state_message(state: CandidateState) -> i32 {
    let state = match state {
        CandidateState::Open => message::MatchState::Open,
        CandidateState::Accepted => message::MatchState::Accepted,
        CandidateState::Rejected => message::MatchState::Rejected,
    };
    state.into()
}

/// Which candidates, and how many a page holds.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn candidates(
    message: &message::ListMatchCandidatesRequest,
    namespaces: &Namespaces,
) -> Result<(Listing, usize), Fault> {
    let mut out = rapport_api::check(message);
    let customer = named(message.customer.as_ref(), "customer", namespaces, &mut out);
    out.check()?;
    let state = CandidateState::ALL.into_iter().find(|it| state_message(*it) == message.state);
    let reason = CandidateReason::ALL.into_iter().find(|it| reason_message(*it) == message.reason);
    let filter = Filter { state, reason, min_probability: message.min_probability, subjects: Vec::new() };
    Ok((Listing { customer, filter }, page_size(message.page_size)?))
}

/// What page tokens of such a list are made for.
#[must_use]
pub fn candidates_query(message: &message::ListMatchCandidatesRequest) -> String {
    use prost::Message as _;

    let question = message::ListMatchCandidatesRequest { page_size: 0, page_token: String::new(), ..message.clone() };
    format!("ListMatchCandidates/{:?}", question.encode_to_vec())
}

/// A candidate.
#[must_use]
pub fn candidate(shown: &Shown) -> message::MatchCandidate {
    let held = &shown.candidate;
    message::MatchCandidate {
        candidate_id: held.id.to_string(),
        etag: etag(held.revision),
        subject_ids: held.subjects().iter().map(ToString::to_string).collect(),
        customer_ids: shown.customers.iter().flatten().map(ToString::to_string).collect(),
        reason: reason_message(held.reason),
        namespace: held.namespace.clone(),
        limit_namespace: held.limit.clone(),
        probability: held.probability,
        model_version: large(held.model_version),
        state: state_message(held.state),
        decided_by: held.decided_by.clone(),
        decision_reason: held.comment.expose().clone(),
        create_time: Some(timestamp(held.created_at)),
        update_time: Some(timestamp(held.updated_at)),
    }
}

/// Somebody's decision; `key` is the caller's, by which it is known who decided where the request does not say.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule.
pub fn decision(message: &message::ResolveMatchCandidateRequest, key: &str) -> Result<Decision, Fault> {
    rapport_api::check(message).check()?;
    let missing = || Fault::invalid_field("candidate_id", "uuid", "must be a UUID");
    let decided_by = if message.decided_by.is_empty() { format!("key:{key}") } else { message.decided_by.clone() };
    Ok(Decision {
        id: message.candidate_id.parse().map_err(|_| missing())?,
        accept: message.resolution() == message::MatchResolution::Accept,
        expected: revision(&message.etag),
        comment: message.reason.clone(),
        decided_by,
    })
}

/// What a decision did.
#[must_use]
pub fn decided(outcome: &Decided) -> message::ResolveMatchCandidateResponse {
    message::ResolveMatchCandidateResponse {
        match_candidate: Some(candidate(&outcome.shown)),
        merged_customer_ids: texts(&outcome.merged),
    }
}
