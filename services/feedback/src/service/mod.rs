//! What feedback does, a file for each noun.

pub mod erasure;
pub mod follow_ups;
pub mod forms;
pub mod improvements;
pub mod promises;
pub mod responses;
pub mod sla;
pub mod surveys;
pub mod tickets;

pub use erasure::Erasures;
pub use follow_ups::FollowUps;
pub use forms::Forms;
pub use improvements::Improvements;
pub use promises::Promises;
pub use responses::Responses;
pub use sla::ServiceLevels;
pub use surveys::Surveys;
pub use tickets::Tickets;

/// A page of a list, and where the next one starts (empty: nowhere).
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The token of the next page.
    pub next_page_token: String,
}
