//! Feedback's calls: parse, do, render.

mod erasure;
mod expectation;
mod follow_up;
mod improvement;
pub mod jobs;
mod mention;
mod respondent;
mod response;
mod sla;
mod survey;
mod text;
mod ticket;

use prost::Message;
use rapport_data::Answer;
use rapport_kernel::Fault;

pub use erasure::ErasureRpc;
pub use expectation::ExpectationRpc;
pub use follow_up::FollowUpRpc;
pub use improvement::ImprovementRpc;
pub use mention::MentionRpc;
pub use respondent::RespondentRpc;
pub use response::ResponseRpc;
pub use sla::SlaRpc;
pub use survey::SurveyRpc;
pub use text::TextRpc;
pub use ticket::TicketRpc;

/// The answer of now, or, to a request that was made before, that of then.
fn answered<T, M: Message + Default>(answer: Answer<T>, render: fn(&T) -> M) -> Result<M, Fault> {
    match answer {
        Answer::Fresh(value) => Ok(render(&value)),
        Answer::Replayed(bytes) => M::decode(bytes.as_slice()).map_err(Fault::internal),
    }
}
