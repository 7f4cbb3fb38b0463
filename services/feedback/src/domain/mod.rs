//! Surveys, responses, tickets, mentions, what is read in them, and what may happen to them: pure, no clock, no randomness,
//! no I/O.

pub mod answer;
pub mod asking;
pub mod customer;
pub mod drop_off;
pub mod erased;
pub mod etag;
pub mod facts;
pub mod follow_up;
pub mod improvement;
pub mod measure;
pub mod mention;
pub mod promise;
pub mod reading;
pub mod response;
pub mod search;
pub mod sla;
pub mod survey;
pub mod ticket;
pub mod topic;
pub mod trend;

pub use customer::Customer;
pub use erased::Erased;
pub use follow_up::{FollowUp, FollowUpId};
pub use improvement::{Improvement, ImprovementId};
pub use promise::{Promise, PromiseId};
pub use response::{Correction, NewResponse, Party, Respondent, Response, ResponseId, Tagging, Touch};
pub use survey::{Survey, SurveyId, SurveyKind, SurveyState, Versioned};
