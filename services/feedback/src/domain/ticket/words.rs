//! The words of tickets, each with its name in columns and events.

use serde::{Deserialize, Serialize};

/// What a ticket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Somebody wants to know something.
    Question,
    /// Somebody is dissatisfied.
    Complaint,
    /// Somebody claims something.
    Claim,
    /// Somebody wants something done.
    Request,
}

impl Kind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Question => "question",
            Self::Complaint => "complaint",
            Self::Claim => "claim",
            Self::Request => "request",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        [Self::Question, Self::Complaint, Self::Claim, Self::Request].into_iter().find(|kind| kind.name() == name)
    }
}

/// How urgent a ticket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// It can wait.
    Low,
    /// As most.
    Normal,
    /// Before most.
    High,
    /// Now.
    Urgent,
}

impl Priority {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }

    /// The priority of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        [Self::Low, Self::Normal, Self::High, Self::Urgent].into_iter().find(|priority| priority.name() == name)
    }
}

/// Where a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Status {
    /// Nobody has looked at it.
    New,
    /// The company is to act.
    Open,
    /// The customer is to answer.
    Pending,
    /// A third party is to act.
    OnHold,
    /// The company holds it solved.
    Solved,
    /// Over.
    Closed,
}

impl Status {
    const ALL: [Self; 6] = [Self::New, Self::Open, Self::Pending, Self::OnHold, Self::Solved, Self::Closed];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Open => "open",
            Self::Pending => "pending",
            Self::OnHold => "on_hold",
            Self::Solved => "solved",
            Self::Closed => "closed",
        }
    }

    /// The status of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether the company has done its part.
    #[must_use]
    pub const fn is_solved(self) -> bool {
        matches!(self, Self::Solved | Self::Closed)
    }
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Author {
    /// The customer.
    Customer,
    /// A person of the company.
    Agent,
    /// A machine of the company.
    Automation,
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Direction {
    /// To the company.
    Inbound,
    /// To the customer.
    Outbound,
}

/// Whether one contact sufficed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fcr {
    /// It did.
    FirstContact,
    /// It did not.
    Not,
    /// Not to be told yet.
    Immature,
}

/// In which order tickets are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The last opened first.
    NewestFirst,
    /// The first opened first.
    OldestFirst,
    /// The last changed first.
    LastChangedFirst,
    /// The first changed first.
    FirstChangedFirst,
    /// What is due next first.
    DueFirst,
}

impl Order {
    /// All, with what calls them.
    pub const ALL: [(&'static str, Self); 5] = [
        ("create_time desc", Self::NewestFirst),
        ("create_time", Self::OldestFirst),
        ("change_time desc", Self::LastChangedFirst),
        ("change_time", Self::FirstChangedFirst),
        ("due_time", Self::DueFirst),
    ];
}
