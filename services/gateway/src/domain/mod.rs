//! Tenants, keys and erasures: pure, no clock, no randomness, no I/O.

pub mod audit;
pub mod customer;
pub mod erasure;
pub mod key;
pub mod tenant;

pub use audit::{Action, AuditEntry};
pub use customer::Customer;
pub use erasure::{Erasure, ErasureId, Receipt, SERVICES};
pub use key::{ApiKey, ApiKeyId, KeyHash, Secret, Seed};
pub use tenant::Tenant;
