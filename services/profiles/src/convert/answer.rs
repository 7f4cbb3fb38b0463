//! What the calls answer.

use std::sync::Arc;

use prost::Message as _;
use rapport_api::convert::timestamp;
use rapport_api::profiles::v1 as message;
use rapport_kernel::{CustomerId, Reason};

use super::profile::{profile, record, trait_value};
use super::standing::processing_message;
use super::value::state_message;
use crate::domain::assertion::Assertion;
use crate::domain::declared::Declared;
use crate::domain::linking::Cause;
use crate::domain::preview::{ConsentChange, SegmentChange, TraitConflict};
use crate::domain::profile::Profile;
use crate::domain::standing::Processing;
use crate::events;
use crate::service::identify::{Effect, Identified, Ignored};
use crate::service::lineage::Lineage;
use crate::service::merge::{Merged, Preview};
use crate::service::say::Said;
use crate::service::split::Separated;
use crate::store::link::Link;

/// How many bytes of profiles one answer holds: what follows is left out, and says so.
const MOST_BYTES: usize = 2 * 1024 * 1024;

pub(super) fn texts(ids: &[CustomerId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// What Identify did.
#[must_use]
pub fn identified(outcome: &Identified) -> message::IdentifyResponse {
    let effect = match outcome.effect {
        Effect::Created => message::IdentifyOutcome::Created,
        Effect::Updated => message::IdentifyOutcome::Updated,
        Effect::Merged => message::IdentifyOutcome::Merged,
        Effect::Conflict => message::IdentifyOutcome::Conflict,
    };
    message::IdentifyResponse {
        profile: Some(profile(&outcome.profile)),
        outcome: effect.into(),
        merged_customer_ids: texts(&outcome.merged),
        subject_id: outcome.subject.to_string(),
        ignored_identifiers: outcome.ignored.iter().map(ignored).collect(),
    }
}

fn ignored(ignored: &Ignored) -> message::IgnoredIdentifier {
    let reason = if ignored.blocked { message::IgnoredReason::Blocked } else { message::IgnoredReason::Quarantined };
    message::IgnoredIdentifier {
        namespace: ignored.identifier.namespace.clone(),
        value: ignored.identifier.value.expose().clone(),
        reason: reason.into(),
    }
}

/// The profiles that were asked for.
#[must_use]
pub fn batch(found: &[Option<Arc<Profile>>]) -> message::BatchGetProfilesResponse {
    let mut bytes = 0_usize;
    let mut result = |found: &Option<Arc<Profile>>| {
        let without =
            |reason: Reason| message::BatchGetProfilesResult { profile: None, reason: reason.name().to_owned() };
        let Some(found) = found else { return without(Reason::ResourceNotFound) };
        if bytes >= MOST_BYTES {
            return without(Reason::MessageTooLarge);
        }
        let profile = profile(found);
        bytes += profile.encoded_len();
        message::BatchGetProfilesResult { profile: Some(profile), reason: String::new() }
    };
    message::BatchGetProfilesResponse { results: found.iter().map(&mut result).collect() }
}

/// What a merge would do.
#[must_use]
pub fn preview(preview: &Preview) -> message::PreviewMergeResponse {
    let conflict = |conflict: &TraitConflict| message::TraitConflict {
        r#trait: conflict.name.clone(),
        values: conflict
            .values
            .iter()
            .map(|(customer, held)| message::CustomerTrait {
                customer_id: customer.to_string(),
                value: Some(trait_value(held)),
            })
            .collect(),
        winner: conflict.winner.as_ref().map(trait_value),
    };
    let change = |change: &ConsentChange| message::ConsentChange {
        customer_id: change.customer.to_string(),
        purpose: change.purpose.clone(),
        channel: change.channel.clone(),
        before: state_message(change.before),
        after: state_message(change.after),
    };
    let restriction = |(customer, kind): &(CustomerId, Processing)| message::RestrictionChange {
        customer_id: customer.to_string(),
        processing: processing_message(*kind).into(),
    };
    message::PreviewMergeResponse {
        profile: Some(profile(&preview.profile)),
        merged_customer_ids: texts(&preview.merged),
        trait_conflicts: preview.trait_conflicts.iter().map(conflict).collect(),
        consent_changes: preview.consent_changes.iter().map(change).collect(),
        restriction_changes: preview.restriction_changes.iter().map(restriction).collect(),
        segment_changes: preview.segment_changes.iter().map(segment_change).collect(),
    }
}

fn segment_change(change: &SegmentChange) -> message::MergeSegmentChange {
    message::MergeSegmentChange {
        customer_id: change.customer.to_string(),
        segment_id: change.segment.to_string(),
        name: change.name.clone(),
        entered: change.entered,
    }
}

/// What a merge did.
#[must_use]
pub fn merged(outcome: &Merged) -> message::MergeProfilesResponse {
    let merged_customer_ids = texts(&outcome.merged);
    message::MergeProfilesResponse { profile: Some(profile(&outcome.profile)), merged_customer_ids }
}

/// What a split left.
#[must_use]
pub fn separated(outcome: &Separated) -> message::SplitProfileResponse {
    message::SplitProfileResponse {
        remaining: Some(profile(&outcome.remaining)),
        separated: outcome.separated.iter().map(|separated| profile(separated)).collect(),
    }
}

/// The profile after something was said of it.
#[must_use]
pub fn said(outcome: &Said) -> message::Profile {
    profile(&outcome.profile)
}

/// How a customer came to be.
#[must_use]
pub fn lineage(lineage: &Lineage) -> message::Lineage {
    let assertion = |assertion: &Assertion| message::Assertion {
        same: assertion.same,
        subject_ids: assertion.left.iter().map(ToString::to_string).collect(),
        other_subject_ids: assertion.right.iter().map(ToString::to_string).collect(),
        reason: assertion.reason.clone(),
        create_time: Some(timestamp(assertion.created_at)),
    };
    message::Lineage {
        customer_id: lineage.profile.customer.to_string(),
        records: lineage.profile.records.iter().map(record).collect(),
        links: lineage.links.iter().map(link).collect(),
        merged_customer_ids: texts(&lineage.merged),
        assertions: lineage.assertions.iter().map(assertion).collect(),
    }
}

fn link(link: &Link) -> message::LineageLink {
    let (cause, namespace) = match &link.cause {
        Cause::Origin => (message::LinkCause::Origin, ""),
        Cause::Identifier(namespace) => (message::LinkCause::Identifier, namespace.as_str()),
        Cause::Merge => (message::LinkCause::Merge, ""),
        Cause::Split => (message::LinkCause::Split, ""),
        Cause::Match => (message::LinkCause::Match, ""),
    };
    message::LineageLink {
        subject_id: link.subject.to_string(),
        customer_id: link.customer.to_string(),
        start_time: Some(timestamp(link.started_at)),
        end_time: link.ended_at.map(timestamp),
        cause: cause.into(),
        namespace: namespace.to_owned(),
    }
}

/// A customer's context, the subject that facts attach to, and the dimensions they get.
#[must_use]
pub fn context(
    subject: rapport_kernel::SubjectId,
    profile: &Profile,
    declared: &Declared,
) -> message::GetContextResponse {
    message::GetContextResponse {
        context: Some(events::context(profile)),
        subject_id: subject.to_string(),
        dimensions: declared.dimensions(profile),
    }
}

/// A customer's ids alone.
#[must_use]
pub fn context_ids(subject: rapport_kernel::SubjectId, profile: &Profile) -> message::GetContextResponse {
    message::GetContextResponse {
        context: Some(events::context_ids(profile)),
        subject_id: subject.to_string(),
        ..message::GetContextResponse::default()
    }
}
