//! Between the contract and the domain. Each function starts with the contract's own rules and adds what only we know;
//! one answer names every broken rule, and past it an invalid value cannot exist.

pub mod account;
pub mod answer;
pub mod catalogue;
pub mod computed;
pub mod erasure;
pub mod identify;
pub mod identity;
pub mod interaction;
pub mod mask;
pub mod matching;
pub mod persona;
pub mod potential;
pub mod profile;
pub mod request;
pub mod search;
pub mod segments;
pub mod settings;
pub mod standing;
pub mod traits;
pub mod value;

use std::time::Duration;

use rapport_api::common::v1::{CustomerRef, customer_ref::Ref};
use rapport_api::convert::instant;
use rapport_kernel::{OperationId, RequestId, Timestamp, Violations};
use rapport_operations::Name;

use crate::domain::namespace::Namespaces;
use crate::domain::value::{Identifier, Named};

/// How far ahead of our clock a source's may be.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// The name of an operation of this service.
fn operation(id: OperationId) -> String {
    Name { service: "profiles", id }.to_string()
}

/// An identifier in its normal form.
pub fn identifier(
    message: &rapport_api::common::v1::Identifier,
    at: &str,
    namespaces: &Namespaces,
    out: &mut Violations,
) -> Option<Identifier> {
    match namespaces.normalise(&message.namespace, &message.value) {
        Ok(identifier) => Some(identifier),
        Err(refusal) => {
            add(out, &format!("{at}.{}", refusal.field), refusal.rule, refusal.text);
            None
        }
    }
}

/// How a call names a customer.
pub fn named(message: Option<&CustomerRef>, at: &str, namespaces: &Namespaces, out: &mut Violations) -> Option<Named> {
    match message?.r#ref.as_ref()? {
        Ref::CustomerId(id) => id.parse().ok().map(Named::Id),
        Ref::Identifier(message) => {
            identifier(message, &format!("{at}.identifier"), namespaces, out).map(Named::Identifier)
        }
    }
}

/// An instant at which a source knew something: at most five minutes ahead of now.
pub fn observed(
    message: Option<&prost_types::Timestamp>,
    at: &str,
    now: Timestamp,
    out: &mut Violations,
) -> Option<Timestamp> {
    let observed = instant(message?).ok()?;
    if observed > now.plus(AHEAD) {
        add(out, at, "timestamp.lt_now", "must be at most five minutes ahead of now");
        return None;
    }
    Some(observed)
}

/// Notes a broken rule, unless the contract's own rules have found the field wrong already.
pub fn add(out: &mut Violations, field: &str, rule: &'static str, text: impl Into<String>) {
    if !out.as_slice().iter().any(|known| known.field == field) {
        out.add(field, rule, text);
    }
}

/// The id a caller gave a request; the contract's rules have seen to its form.
#[must_use]
pub fn request_id(text: &str) -> Option<RequestId> {
    text.parse().ok()
}

/// The revision that an etag names; one that names none is never the newest.
#[must_use]
pub fn revision(etag: &str) -> Option<u64> {
    (!etag.is_empty()).then(|| etag.parse().unwrap_or(0))
}
