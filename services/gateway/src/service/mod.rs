//! What the gateway does of its own, a file for each noun.

pub mod erasures;
pub mod keys;
pub mod tenants;

pub use erasures::Erasures;
pub use keys::{ApiKeys, NewKey};
pub use tenants::{Made, NewTenant, Tenants};

/// A page of a list, and where the next one starts (empty: nowhere).
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The token of the next page.
    pub next_page_token: String,
}
