//! Restraint: whether a customer may be contacted, by which rules it may not, and from when on it may again. Pure: the
//! same policy, profile, ledger and instant give the same answer.

mod calendar;
mod judge;
mod policy;
#[cfg(test)]
mod tests;

use rapport_kernel::{Id, Timestamp};

pub use calendar::{Calendar, Hours, zone};
pub use judge::{Judged, Subject, judge};
pub use policy::{ConsentRule, ContactCap, ContactPolicy, EmpathyRule, QuietRule, Signal, Window};

/// Marks the id of a contact.
pub enum ContactMarker {}
/// A contact's id; of a decision the decision's.
pub type ContactId = Id<ContactMarker>;

/// What a contact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactKind {
    /// A message.
    Message,
    /// An invitation to a survey.
    Survey,
    /// What was decided to be shown.
    Decision,
}

impl ContactKind {
    /// The name in columns.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Survey => "survey",
            Self::Decision => "decision",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        [Self::Message, Self::Survey, Self::Decision].into_iter().find(|kind| kind.name() == name)
    }
}

/// What somebody wants to contact a customer with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What it is.
    pub kind: ContactKind,
    /// On which channel.
    pub channel: String,
    /// What for.
    pub purpose: String,
    /// About what; empty: nothing.
    pub topic: String,
    /// Whether a complaint is open, as the caller knows it; `None`: as the profile says.
    pub open_complaint: Option<bool>,
}

/// What a customer was contacted with, as far as rules count it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// What it was.
    pub kind: ContactKind,
    /// On which channel.
    pub channel: String,
    /// What for; empty of a decision.
    pub purpose: String,
    /// About what; empty: nothing.
    pub topic: String,
    /// When.
    pub at: Timestamp,
    /// When it stops to count, where it is only reserved.
    pub until: Option<Timestamp>,
}

/// Why a contact may not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Consent was refused or is not given.
    NoConsent,
    /// The customer objected to marketing.
    Restricted,
    /// A complaint is open.
    OpenComplaint,
    /// The customer is flagged.
    Flag,
    /// The last score was low.
    LowScore,
    /// A cap is reached.
    Cap,
    /// The customer is left alone at this hour.
    QuietHours,
}

/// A rule that forbids a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What sort of rule.
    pub reason: Reason,
    /// Which one.
    pub rule: String,
    /// Until when; `None`: nobody can tell.
    pub until: Option<Timestamp>,
}
