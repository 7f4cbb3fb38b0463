//! The gateway's tables. Nothing outside sees a row.

pub mod api_key;
pub mod audit;
pub mod erasure;
pub mod tenant;
