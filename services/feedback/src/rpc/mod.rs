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
