//! What feedback does, a file for each noun.

pub mod asking;
mod attend;
pub mod erasure;
pub mod follow_ups;
pub mod forms;
pub mod improvements;
pub mod mentions;
pub mod moves;
pub mod promises;
pub mod reading;
pub mod rereading;
pub mod responses;
pub mod sla;
pub mod surveys;
pub mod tickets;
pub mod topics;

pub use asking::Asking;
pub use erasure::Erasures;
pub use follow_ups::FollowUps;
pub use forms::Forms;
pub use improvements::Improvements;
pub use mentions::Mentions;
pub use moves::Moves;
pub use promises::Promises;
pub use reading::Readers;
pub use rereading::Rereading;
pub use responses::Responses;
pub use sla::ServiceLevels;
pub use surveys::Surveys;
pub use tickets::Tickets;
pub use topics::Topics;

/// A page of a list, and where the next one starts (empty: nowhere).
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The token of the next page.
    pub next_page_token: String,
}
