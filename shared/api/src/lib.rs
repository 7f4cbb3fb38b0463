//! The contract in Rust: messages, clients and servers generated from `proto/`, the checks of its rules, its access
//! policy and its descriptor set. Nothing here knows what the calls do.
//!
//! The generated code names [`codec`], which is why that lives here and not with the rest of the transport.

pub mod codec;
pub mod convert;
pub mod policy;
pub mod validate;

pub use validate::{Validate, check};

/// The compiled contract with comments and imports, for reflection and tests.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor_set.bin"));

/// What a message of a request may measure at most, encoded. A message of empty sub-messages grows thirtyfold in
/// memory, so the limit is far below tonic's 4 MiB; bulk goes by stream.
pub const MAX_REQUEST_BYTES: usize = 256 * 1024;

/// What a message of an answer may measure at most, encoded: a page of 2 MiB and one item more.
pub const MAX_RESPONSE_BYTES: usize = 3 * 1024 * 1024;

#[expect(clippy::allow_attributes, reason = "tonic writes allow attributes")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/modules.rs"));
}
pub use generated::*;

/// Google's types that the contract embeds.
pub mod google {
    /// `google.rpc`: the status that an operation ended with.
    pub mod rpc {
        tonic::include_proto!("google.rpc");
    }
    /// `google.longrunning`: how a client follows long work.
    #[expect(clippy::allow_attributes, reason = "tonic writes allow attributes")]
    pub mod longrunning {
        tonic::include_proto!("google.longrunning");
    }
    /// `google.type`.
    pub mod r#type {
        tonic::include_proto!("google.r#type");
    }
}
