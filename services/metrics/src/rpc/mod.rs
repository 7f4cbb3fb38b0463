//! The calls that metrics answers: parse, do, render.

mod erasure;
mod metrics;

pub(crate) use erasure::Erasure;
pub(crate) use metrics::Metrics;
