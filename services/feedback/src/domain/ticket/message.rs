//! Messages of tickets: what was written, and what a ticket's story needs of it.

use rapport_kernel::{Id, Private, Timestamp};
use serde::{Deserialize, Serialize};

use super::held::TicketId;
use super::told::Stamp;
use super::words::{Author, Direction};
use crate::domain::reading::Reading;

/// A message's id.
pub type MessageId = Id<Message>;

/// A message as it is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// The ticket.
    pub ticket: TicketId,
    /// Its id in the source.
    pub external_id: Private<String>,
    /// What the ticket's story needs of it.
    pub said: Said,
    /// What was written.
    pub text: Private<String>,
    /// The language; empty where it is not said.
    pub language: String,
    /// What is attached.
    pub attachments: Vec<Attachment>,
    /// What was read in it; none where it is not the customer's, or has no words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
}

/// Something attached, by reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Where it is.
    pub url: Private<String>,
    /// Its name.
    pub name: Private<String>,
    /// Its media type.
    pub media_type: String,
    /// How many bytes it has.
    pub size: i64,
}

/// What a ticket's story needs of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// By which it outranks other tellings of the same message.
    pub stamp: Stamp,
    /// A hash of all that was said: by which one of two tellings of one stamp holds.
    pub digest: u64,
    /// When it was written.
    pub at: Timestamp,
    /// Who wrote it.
    pub author: Author,
    /// Which way it went.
    pub direction: Direction,
    /// Whether only the company sees it.
    pub internal: bool,
    /// Which agent wrote it.
    pub agent: Private<String>,
    /// The channel it came by; empty: the ticket's.
    pub channel: String,
    /// What was read in it, without places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Box<Reading>>,
}

impl Said {
    /// Whether another telling of the same message is the one that holds. Of two that say the same, the one that came
    /// first, where it says when.
    #[must_use]
    pub fn yields_to(&self, other: &Self) -> bool {
        match (self.stamp, self.digest).cmp(&(other.stamp, other.digest)) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => other.at < self.at,
            std::cmp::Ordering::Greater => false,
        }
    }

    /// Whether the customer said it to the company.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.author == Author::Customer && self.direction == Direction::Inbound && !self.internal
    }

    /// Whether the company said it to the customer.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        self.author != Author::Customer && self.direction == Direction::Outbound && !self.internal
    }
}
