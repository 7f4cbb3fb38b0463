//! Follow-ups: rules that open them, what causes them, and what becomes of them.

pub mod cause;
mod change;
pub mod facts;
pub mod rule;
mod state;
#[cfg(test)]
mod tests;
mod words;

pub use cause::{Cause, CauseKey, CauseType, Content, Progress, Told};
pub use change::joined;
pub use rule::{Assignment, Rule, RuleId, Rules, Step};
pub use state::{Assigning, Entry, EntryKind, FollowUp, FollowUpId, Opening, Resolving, Scored, Touched};
pub use words::{Cancellation, Help, Kind, Order, Outcome, Priority, Status};
