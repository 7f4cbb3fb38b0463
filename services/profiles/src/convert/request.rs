//! What the other calls ask.

use rapport_api::convert::instant;
use rapport_api::profiles::v1::{
    BatchGetProfilesRequest, GetContextRequest, GetLineageRequest, GetProfileRequest, MergeProfilesRequest,
    PreviewMergeRequest, SetConsentRequest, SplitProfileRequest,
};
use rapport_kernel::{Fault, Private, Timestamp, Violations};

use super::mask::{Mask, ProfileFields};
use super::value::consent;
use super::{named, revision};
use crate::domain::claims::Statement;
use crate::domain::namespace::Namespaces;
use crate::domain::value::{Named, SourceRecord};
use crate::service::merge::Merge;
use crate::service::say::Saying;
use crate::service::split::Split;

/// That the contract's rules let a message without a customer through, which they do not.
pub(super) fn unnamed() -> Fault {
    Fault::invalid_field("customer", "required", "must name a customer")
}

fn several(
    messages: &[rapport_api::common::v1::CustomerRef],
    field: &str,
    namespaces: &Namespaces,
    out: &mut Violations,
) -> Vec<Named> {
    let of = |(at, message)| named(Some(message), &format!("{field}[{at}]"), namespaces, out);
    messages.iter().enumerate().filter_map(of).collect()
}

/// Which profile, as of when, at which revision, and which of its fields.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule; as for all that follow.
pub fn get(
    message: &GetProfileRequest,
    namespaces: &Namespaces,
    fields: &ProfileFields,
) -> Result<(Named, Option<Timestamp>, u64, Mask), Fault> {
    let mut out = rapport_api::check(message);
    let customer = named(message.customer.as_ref(), "customer", namespaces, &mut out);
    if message.as_of.is_some() && message.min_revision > 0 {
        out.add(
            "min_revision",
            "min_revision.now",
            "must be 0 where as_of is set: what was known then does not change",
        );
    }
    let mask = fields.mask(message.read_mask.as_ref(), &mut out);
    out.check()?;
    let as_of = message.as_of.as_ref().and_then(|at| instant(at).ok());
    Ok((customer.ok_or_else(unnamed)?, as_of, message.min_revision, mask))
}

/// Whose context, at which revision.
pub fn context(message: &GetContextRequest, namespaces: &Namespaces) -> Result<(Named, u64), Fault> {
    let mut out = rapport_api::check(message);
    let customer = named(message.customer.as_ref(), "customer", namespaces, &mut out);
    out.check()?;
    Ok((customer.ok_or_else(unnamed)?, message.min_revision))
}

/// Which profiles.
pub fn batch(message: &BatchGetProfilesRequest, namespaces: &Namespaces) -> Result<Vec<Named>, Fault> {
    let mut out = rapport_api::check(message);
    let customers = several(&message.customers, "customers", namespaces, &mut out);
    out.check()?;
    Ok(customers)
}

/// Which merge to look at: the target and the sources.
pub fn preview(message: &PreviewMergeRequest, namespaces: &Namespaces) -> Result<(Named, Vec<Named>), Fault> {
    let mut out = rapport_api::check(message);
    let target = named(message.target.as_ref(), "target", namespaces, &mut out);
    let sources = several(&message.sources, "sources", namespaces, &mut out);
    out.check()?;
    Ok((target.ok_or_else(unnamed)?, sources))
}

/// Which customers are one.
pub fn merge(message: &MergeProfilesRequest, namespaces: &Namespaces) -> Result<Merge, Fault> {
    let mut out = rapport_api::check(message);
    let target = named(message.target.as_ref(), "target", namespaces, &mut out);
    let sources = several(&message.sources, "sources", namespaces, &mut out);
    out.check()?;
    let (reason, expected) = (message.reason.clone(), revision(&message.etag));
    Ok(Merge { target: target.ok_or_else(unnamed)?, sources, reason, expected })
}

/// Which records leave.
pub fn split(message: &SplitProfileRequest, namespaces: &Namespaces) -> Result<Split, Fault> {
    let mut out = rapport_api::check(message);
    let customer = named(message.customer.as_ref(), "customer", namespaces, &mut out);
    out.check()?;
    let record = |record: &rapport_api::profiles::v1::SourceRecord| SourceRecord {
        source: record.source.clone(),
        external_id: Private::new(record.external_id.clone()),
    };
    let records = message.source_records.iter().map(record).collect();
    let (reason, expected) = (message.reason.clone(), revision(&message.etag));
    Ok(Split { customer: customer.ok_or_else(unnamed)?, records, reason, expected })
}

/// Whose lineage.
pub fn lineage(message: &GetLineageRequest, namespaces: &Namespaces) -> Result<Named, Fault> {
    let mut out = rapport_api::check(message);
    let customer = named(message.customer.as_ref(), "customer", namespaces, &mut out);
    out.check()?;
    customer.ok_or_else(unnamed)
}

/// Which consent.
pub fn set_consent(message: &SetConsentRequest, now: Timestamp, namespaces: &Namespaces) -> Result<Saying, Fault> {
    let mut out = rapport_api::check(message);
    let customer = named(message.customer.as_ref(), "customer", namespaces, &mut out);
    let stated = message.consent.as_ref();
    let consent = stated.and_then(|stated| consent(stated, &message.source, (now, now), "consent", &mut out));
    out.check()?;
    let missing = || Fault::invalid_field("consent", "required", "must be set");
    let consent = consent.ok_or_else(missing)?;
    let observed_at = consent.observed_at;
    let statement = Statement { consents: [consent].into(), ..Statement::default() };
    Ok(Saying { customer: customer.ok_or_else(unnamed)?, statement, observed_at })
}
