//! Tenants, keys, erasures and what respondents fill in: pure, no clock, no randomness, no I/O.

pub mod audit;
pub mod customer;
pub mod erasure;
pub mod fields;
pub mod key;
pub mod questionnaire;
pub mod tenant;
pub mod times;

pub use audit::{Action, AuditEntry};
pub use customer::Customer;
pub use erasure::{Erasure, ErasureId, Receipt, SERVICES};
pub use key::{ApiKey, ApiKeyId, KeyHash, Secret, Seed};
pub use tenant::Tenant;
