//! The calls, a file per proto service: parse, do, render.

pub mod accounts;
mod bulk;
pub mod catalogue;
pub mod context;
pub mod erasure;
pub mod identity;
pub mod interactions;
pub mod jobs;
pub mod personas;
pub mod profile;
pub mod segments;
pub mod settings;
pub mod traits;

use prost::Message;
use rapport_data::Receipt;

use crate::convert::request_id;

/// The receipt under which a call is done once. `encode` renders its outcome and encodes that.
fn receipt<M: Message, T>(method: &'static str, request: &str, message: &M, encode: fn(&T) -> Vec<u8>) -> Receipt<T> {
    Receipt::new(method, request_id(request), &message.encode_to_vec(), encode)
}
