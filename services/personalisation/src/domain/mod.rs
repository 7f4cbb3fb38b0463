//! What a decision is, without anything around it: no I/O, no clock, no randomness but the seed it is given.
//!
//! [`decide`] is a pure function. Whoever gives it the same policy, profile, ledger counts, question and draw gets the
//! same decision, to the byte; that is what makes a decision explainable and replayable.

mod action;
mod arbitration;
pub mod contact;
mod customer;
mod decision;
mod eligibility;
mod erased;
pub mod etag;
mod funnel;
mod policy;
pub mod profile;

pub use action::{Action, ActionId, ActionKind, Cap, Draft};
pub use customer::Customer;
pub use decision::{Ask, Chosen, Decision, DecisionId, Draw, LeftOut, decide};
pub use erased::Erased;
pub use funnel::{Counts, Funnel, Tier};
pub use policy::Policy;
pub use profile::{Consents, Datum, LastScore, Party, Profile, Scale, Standing};

/// The version of everything here that a decision's bytes depend on: the funnel, the arbitration, the generator and
/// the words. It is logged with every decision; a change of any of them raises it, so that a replay of an older
/// decision says so instead of pretending.
pub const ALGORITHM: i16 = 1;

#[cfg(test)]
mod tests;
