//! Personalisation's calls: parse, do, render.

mod action;
mod contact;
mod decision;
mod erasure;

use prost::Message;
use rapport_data::Answer;
use rapport_kernel::Fault;

pub use action::ActionRpc;
pub use contact::ContactRpc;
pub use decision::DecisionRpc;
pub use erasure::ErasureRpc;

/// The answer of now, or, to a request that was made before, that of then.
fn answered<T, M: Message + Default>(answer: Answer<T>, render: fn(&T) -> M) -> Result<M, Fault> {
    match answer {
        Answer::Fresh(value) => Ok(render(&value)),
        Answer::Replayed(bytes) => M::decode(bytes.as_slice()).map_err(Fault::internal),
    }
}
