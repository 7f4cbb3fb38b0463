//! The use cases: facts in, figures out, subjects forgotten.

pub mod apply;
pub mod erase;
pub mod query;
