//! A follow-up as it is held; what becomes of it is [`super::change`].

use std::collections::BTreeMap;

use rapport_kernel::{CustomerId, Id, Private, SubjectId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::cause::{Cause, CauseKey, Place, is_timeless};
use super::rule::{RuleId, Step};
use super::words::{Cancellation, Kind, Outcome, Priority, Status};
use crate::domain::Party;
use crate::domain::response::kept;
use crate::domain::sla::CalendarId;

/// A follow-up's id.
pub type FollowUpId = Id<FollowUp>;

/// A score that a response gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scored {
    /// The response.
    pub response: Uuid,
    /// Whose it is.
    pub subject: SubjectId,
    /// The kind of survey.
    pub kind: String,
    /// The score.
    pub value: i32,
    /// The least of its scale.
    pub min: i32,
    /// The greatest of its scale.
    pub max: i32,
    /// Whether a low score is the good one.
    pub reversed: bool,
    /// When it was given.
    pub at: Timestamp,
}

/// A step of escalation, at its instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// When it is taken.
    pub at: Timestamp,
    /// What happens then.
    pub step: Step,
}

/// A follow-up.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct FollowUp {
    /// Its id.
    pub id: FollowUpId,
    /// The subject it hangs on.
    pub subject: SubjectId,
    /// Its customer when it was opened; none where nobody is known.
    pub customer: Option<CustomerId>,
    /// The rule that opened it; none: it was opened by hand.
    pub rule: Option<RuleId>,
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub status: Status,
    /// The one of the same rule that the same customer has had open for longer; it stands, and ends, with that one.
    #[serde(default)]
    pub joined: Option<FollowUpId>,
    /// How urgent it is.
    pub priority: Priority,
    /// Who has it; empty: nobody.
    pub owner: Private<String>,
    /// Which team has it; empty: none.
    pub team: String,
    /// What it is about.
    pub title: Private<String>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it is due.
    pub due_at: Timestamp,
    /// When it was due and not resolved.
    pub overdue_at: Option<Timestamp>,
    /// Within how many seconds of the calendar it was to be resolved at first.
    pub window: u64,
    /// By whose hours; none: around the clock.
    pub calendar: Option<CalendarId>,
    /// The chain of escalation.
    pub rungs: Vec<Rung>,
    /// How many of its steps were taken.
    pub taken: usize,
    /// How often it was escalated.
    pub escalations: u32,
    /// What it follows up, the earliest first.
    pub causes: Vec<Cause>,
    /// Where and about what, of one without causes.
    pub place: Place,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// What caused it; empty: not named.
    pub root_cause: String,
    /// What whoever ended it wrote.
    pub note: Private<String>,
    /// When it was resolved.
    pub resolved_at: Option<Timestamp>,
    /// Why it was cancelled.
    pub cancellation: Option<Cancellation>,
    /// When it was cancelled.
    pub cancelled_at: Option<Timestamp>,
    /// The first score after it was resolved.
    pub next_score: Option<Scored>,
    /// What the party was when it was opened.
    pub party: Party,
    /// The customer's traits that are metric dimensions, as they were when it was opened.
    pub dimensions: BTreeMap<String, String>,
    /// How many comments it has.
    pub comments: u32,
    /// How often it was opened again.
    pub reopens: u32,
    /// Grows with every change.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub changed_at: Timestamp,
}

impl std::fmt::Debug for FollowUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Its dimensions may be personal.
        f.debug_struct("FollowUp").field("id", &self.id).field("status", &self.status).finish_non_exhaustive()
    }
}

impl FollowUp {
    /// Whether an answer to an anonymous survey opened it: then its id holds no time, and it was opened in an hour.
    #[must_use]
    pub fn is_timeless(&self) -> bool {
        is_timeless(self.id.uuid())
    }

    /// When something reached it that is told now: where it is timeless, in which hour, though never before what was done
    /// to it last.
    #[must_use]
    pub fn reached_at(&self, now: Timestamp) -> Timestamp {
        if self.is_timeless() { kept(now, true).max(self.changed_at) } else { now }
    }
}

/// What happened to a follow-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// It was opened.
    Opened,
    /// A cause was added.
    CauseAdded,
    /// A cause was withdrawn.
    CauseWithdrawn,
    /// It was given to somebody else, or another due time or priority.
    Assigned,
    /// Somebody began to work on it.
    Started,
    /// Somebody commented.
    Commented,
    /// It was due, and not resolved.
    Overdue,
    /// It went up its chain.
    Escalated,
    /// It was resolved.
    Resolved,
    /// It was cancelled.
    Cancelled,
    /// It was opened again.
    Reopened,
    /// The next score came, went or was corrected.
    Scored,
    /// It was joined to another one, as their customers became one.
    Joined,
    /// It stands by itself again.
    Parted,
}

/// A line of its history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What happened.
    pub kind: EntryKind,
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub author: Private<String>,
    /// What was written.
    pub text: Private<String>,
    /// Who had it after that.
    pub owner: Private<String>,
    /// Which team had it after that.
    pub team: String,
    /// Of a cause: which.
    pub cause: Option<CauseKey>,
}

/// A changed follow-up, and what its history notes.
#[derive(Clone, Debug)]
pub struct Touched {
    /// As it is now.
    pub follow_up: FollowUp,
    /// What happened, in order.
    pub entries: Vec<Entry>,
}

/// What is known of one that is opened.
#[derive(Clone)]
pub struct Opening {
    /// Its id.
    pub id: FollowUpId,
    /// The subject it hangs on.
    pub subject: SubjectId,
    /// Its customer.
    pub customer: Option<CustomerId>,
    /// The rule that opens it.
    pub rule: Option<RuleId>,
    /// What it is.
    pub kind: Kind,
    /// How urgent it is.
    pub priority: Priority,
    /// Who gets it.
    pub owner: Private<String>,
    /// Which team gets it.
    pub team: String,
    /// What it is about.
    pub title: Private<String>,
    /// Within how many seconds it is to be resolved.
    pub window: u64,
    /// By whose hours.
    pub calendar: Option<CalendarId>,
    /// The chain of escalation.
    pub steps: Vec<Step>,
    /// What caused it.
    pub cause: Option<Cause>,
    /// Where and about what, of one without a cause.
    pub place: Place,
    /// What the party is.
    pub party: Party,
    /// The customer's traits that are metric dimensions.
    pub dimensions: BTreeMap<String, String>,
}

/// To whom it is given, and until when; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct Assigning {
    /// Who.
    pub owner: Option<Private<String>>,
    /// Which team.
    pub team: Option<String>,
    /// Until when.
    pub due_at: Option<Timestamp>,
    /// How urgent.
    pub priority: Option<Priority>,
}

/// How it ended.
#[derive(Clone, Debug)]
pub struct Resolving {
    /// How.
    pub outcome: Outcome,
    /// What caused it.
    pub root_cause: String,
    /// What there is to say.
    pub note: Private<String>,
}
