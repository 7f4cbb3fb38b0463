//! The contract's messages ⇄ the domain's types. What comes out of here is valid: every broken rule of a request is
//! gathered, and one answer names them all.

pub mod erasure;
pub mod key;
pub mod operation;
pub mod respondent;
pub mod tenant;

use rapport_kernel::{Fault, Id, RequestId, Timestamp};

/// An id that the contract's rules found sound.
fn id<T>(text: &str) -> Result<Id<T>, Fault> {
    text.parse().map_err(Fault::internal)
}

fn request_id(text: &str) -> Result<Option<RequestId>, Fault> {
    if text.is_empty() { Ok(None) } else { id(text).map(Some) }
}

fn time(at: Timestamp) -> Option<prost_types::Timestamp> {
    Some(rapport_api::convert::timestamp(at))
}
