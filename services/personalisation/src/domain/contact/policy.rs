//! A tenant's rules of restraint.

use std::time::Duration;

use chrono_tz::Tz;
use rapport_kernel::Timestamp;
use serde::{Deserialize, Serialize};

use super::ContactKind;
use super::calendar::{Calendar, Hours, zone};

/// The channels that disturb, where a policy names none.
const DISTURBING: [&str; 8] = ["email", "sms", "phone", "push", "whatsapp", "telegram", "viber", "messenger"];

/// The rules. Kept as JSON: what is there is there for good, what is new has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContactPolicy {
    /// How often.
    pub caps: Vec<ContactCap>,
    /// With whose consent.
    pub consents: Vec<ConsentRule>,
    /// At which hours not.
    pub quiet: QuietRule,
    /// In which situations not.
    pub empathy: Vec<EmpathyRule>,
    /// Grows with every change; 0: none was made.
    #[serde(skip)]
    pub revision: u64,
    /// When it was last changed.
    #[serde(skip)]
    pub updated_at: Option<Timestamp>,
}

/// How often a customer may be contacted. What is empty lets all count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContactCap {
    /// Its name.
    pub name: String,
    /// At most so many times,
    pub times: u32,
    /// within this.
    pub window: Window,
    /// On these channels.
    pub channels: Vec<String>,
    /// For these purposes.
    pub purposes: Vec<String>,
    /// On these topics.
    pub topics: Vec<String>,
    /// Of these kinds; none: messages and surveys.
    pub kinds: Vec<ContactKind>,
}

/// Within what a cap counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// Any stretch of this length.
    Rolling(Duration),
    /// A stretch of the calendar.
    Calendar(Calendar),
}

/// Whether a purpose needs consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentRule {
    /// The purpose.
    pub purpose: String,
    /// Whether it must have been given; else it must not have been refused.
    pub must_be_given: bool,
}

/// When customers are left alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietRule {
    /// The hours of those who said none.
    pub hours: Option<Hours>,
    /// The zone of those whose zone is not known; empty: UTC.
    pub zone: String,
    /// The channels that disturb; none: the usual ones.
    pub channels: Vec<String>,
    /// What may disturb at any hour.
    pub exempt_purposes: Vec<String>,
}

/// In which situation customers are left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmpathyRule {
    /// The situation.
    pub signal: Signal,
    /// For which purposes; none: for all.
    pub purposes: Vec<String>,
}

/// A situation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// A complaint is open.
    OpenComplaint,
    /// The last score was low.
    LowScore,
    /// The customer has this flag.
    Flag(String),
}

impl Default for ContactPolicy {
    /// The usual rules, of a tenant that made none.
    fn default() -> Self {
        let purposes = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let asking = purposes(&["marketing", "surveys"]);
        let flag = |name: &str| EmpathyRule { signal: Signal::Flag(name.to_owned()), purposes: asking.clone() };
        Self {
            caps: Vec::new(),
            consents: vec![ConsentRule { purpose: "marketing".to_owned(), must_be_given: true }],
            quiet: QuietRule::default(),
            empathy: vec![
                EmpathyRule { signal: Signal::OpenComplaint, purposes: asking.clone() },
                flag("vulnerable"),
                flag("bereaved"),
                EmpathyRule { signal: Signal::LowScore, purposes: purposes(&["marketing"]) },
            ],
            revision: 0,
            updated_at: None,
        }
    }
}

impl ContactPolicy {
    /// How far back the caps count at most.
    #[must_use]
    pub fn longest_window(&self) -> Duration {
        self.caps.iter().map(|cap| cap.window.longest()).max().unwrap_or_default()
    }

    /// The zone of those whose zone is not known.
    #[must_use]
    pub fn zone(&self) -> Tz {
        zone(&self.quiet.zone).unwrap_or(Tz::UTC)
    }
}

impl Window {
    /// The longest it can be.
    #[must_use]
    pub const fn longest(self) -> Duration {
        match self {
            Self::Rolling(length) => length,
            Self::Calendar(calendar) => calendar.longest(),
        }
    }
}

impl ContactCap {
    /// Whether a contact counts.
    #[must_use]
    pub fn counts(&self, kind: ContactKind, channel: &str, purpose: &str, topic: &str) -> bool {
        let of_kind = if self.kinds.is_empty() { kind != ContactKind::Decision } else { self.kinds.contains(&kind) };
        of_kind && named(&self.channels, channel) && named(&self.purposes, purpose) && named(&self.topics, topic)
    }
}

impl QuietRule {
    /// Whether a contact keeps quiet hours.
    #[must_use]
    pub fn concerns(&self, channel: &str, purpose: &str) -> bool {
        let disturbs = if self.channels.is_empty() {
            DISTURBING.contains(&channel)
        } else {
            self.channels.iter().any(|one| one == channel)
        };
        disturbs && !self.exempt_purposes.iter().any(|one| one == purpose)
    }
}

impl EmpathyRule {
    /// Whether it is about a purpose.
    #[must_use]
    pub fn concerns(&self, purpose: &str) -> bool {
        named(&self.purposes, purpose)
    }
}

fn named(names: &[String], name: &str) -> bool {
    names.is_empty() || names.iter().any(|one| one == name)
}
