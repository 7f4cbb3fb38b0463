//! Surveys and responses, and what may happen to them: pure, no clock, no randomness, no I/O.

pub mod customer;
pub mod erased;
pub mod etag;
pub mod response;
pub mod sla;
pub mod survey;
pub mod ticket;

pub use customer::Customer;
pub use erased::Erased;
pub use response::{Correction, NewResponse, Party, Respondent, Response, ResponseId, Touch, Which};
pub use survey::{NewSurvey, Survey, SurveyId, SurveyKind, SurveyState};
