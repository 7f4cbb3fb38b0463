//! The contract's messages ⇄ the domain's types. What comes out of here is valid: every broken rule of a request is
//! gathered, and one answer names them all.

pub mod answer;
pub mod asking;
pub mod customer;
pub mod erasure;
pub mod expectation;
pub mod follow_up;
pub mod improvement;
pub mod invitation;
pub(crate) mod mask;
pub mod mention;
pub mod question;
pub mod reading;
pub mod respondent;
pub mod response;
pub mod search;
pub mod sla;
pub mod submission;
pub mod survey;
pub mod text;
pub mod ticket;
pub mod topic;

use rapport_kernel::{Fault, Id, OperationId, RequestId, Timestamp, Violations};
use rapport_operations::Name;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// An id that the contract's rules found sound.
fn id<T>(text: &str) -> Result<Id<T>, Fault> {
    text.parse().map_err(Fault::internal)
}

/// A caller's id for a mutation; none where it gave none.
fn request_id(text: &str) -> Result<Option<RequestId>, Fault> {
    if text.is_empty() { Ok(None) } else { id(text).map(Some) }
}

/// An id that may be absent.
fn optional(text: &str) -> Result<Option<Uuid>, Fault> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(Fault::internal) }
}

fn time(at: Timestamp) -> Option<prost_types::Timestamp> {
    Some(rapport_api::convert::timestamp(at))
}

/// Notes a broken rule, unless the contract's own rules have found the field wrong already.
fn note(out: &mut Violations, field: &str, rule: &'static str, text: impl Into<String>) {
    if !out.as_slice().iter().any(|known| known.field == field) {
        out.add(field, rule, text);
    }
}

/// The name of an operation of this service.
fn operation(id: OperationId) -> String {
    Name { service: "feedback", id }.to_string()
}

/// Tells contents apart.
fn digest(bytes: &[u8]) -> u64 {
    let hash = Sha256::digest(bytes);
    u64::from_be_bytes(hash[..8].try_into().expect("a hash has eight bytes and more"))
}
