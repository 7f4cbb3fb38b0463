//! Metrics through its consumer and its API, on both engines: laws over random histories, and the contract's edges.

mod answers;
mod brute;
mod feedback;
mod history;
mod house;
mod laws;
mod refusals;
