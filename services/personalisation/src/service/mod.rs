//! What personalisation does, a file for each noun.

pub mod actions;
mod commits;
pub mod contacts;
pub mod decisions;
pub mod erasure;
mod ledgers;
pub mod policies;
pub mod retention;
mod turns;

pub use actions::Actions;
pub use contacts::Contacts;
pub use decisions::{Decisions, Made, Replayed};
pub use erasure::Erasures;
pub use policies::Policies;

/// A page of a list, and where the next one starts (empty: nowhere).
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The token of the next page.
    pub next_page_token: String,
}
