//! What is followed up: a response, ticket, mention or promise, as an event told of it.

use std::collections::BTreeMap;

use rapport_kernel::{SubjectId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::state::Scored;
use crate::domain::Party;

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CauseType {
    /// A survey response.
    Response,
    /// A ticket.
    Ticket,
    /// A mention.
    Mention,
    /// A promise.
    Promise,
}

impl CauseType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Response, Self::Ticket, Self::Mention, Self::Promise];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::Ticket => "ticket",
            Self::Mention => "mention",
            Self::Promise => "promise",
        }
    }
}

/// Which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CauseKey {
    /// What it is.
    pub kind: CauseType,
    /// Its id within its kind.
    pub id: Uuid,
}

impl CauseKey {
    /// Whether it is an answer to an anonymous survey: such a one's id holds no time, and what it brings about tells none.
    #[must_use]
    pub fn is_timeless(&self) -> bool {
        self.kind == CauseType::Response && is_timeless(self.id)
    }
}

/// Whether an id holds no time.
#[must_use]
pub fn is_timeless(id: Uuid) -> bool {
    id.get_version_num() == 4
}

/// Where and about what it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The channel.
    pub channel: String,
    /// The touchpoint.
    pub touchpoint: String,
    /// The journey stage.
    pub stage: String,
    /// The product.
    pub product: String,
}

/// What a response says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseSays {
    /// The survey.
    pub survey: String,
    /// The kind of the survey.
    pub kind: String,
    /// Its score, with what it is worth.
    pub score: Option<Scored>,
    /// Each figure, by its question.
    pub answers: BTreeMap<String, i64>,
    /// The first figure, by what it measures.
    pub measures: BTreeMap<String, i64>,
}

/// How far a ticket has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Where it stands.
    pub status: String,
    /// How urgent it is.
    pub priority: String,
    /// Whether it missed a target.
    pub breached: bool,
    /// How often it was opened again.
    pub reopens: i64,
    /// How often it changed hands.
    pub transfers: i64,
    /// How often the customer came about it.
    pub contacts: i64,
}

/// What a ticket says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketSays {
    /// What it is.
    pub kind: String,
    /// Its topic.
    pub topic: String,
    /// How far it has come.
    pub progress: Progress,
}

/// What a mention says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MentionSays {
    /// What it is.
    pub kind: String,
    /// Where it was said.
    pub place: String,
    /// The rating.
    pub rating: Option<f64>,
    /// The rating from 0, the least of its scale, to 1.
    pub share: Option<f64>,
}

/// What was read in the words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words {
    /// The language.
    pub language: String,
    /// How they feel.
    pub sentiment: Option<f64>,
    /// How much effort they tell of.
    pub effort: Option<f64>,
    /// The emotions.
    pub emotions: BTreeMap<String, f64>,
    /// The topics.
    pub topics: BTreeMap<String, f64>,
    /// The competitors.
    pub competitors: Vec<String>,
}

/// What a cause of each kind says.
#[derive(Clone, Debug, PartialEq)]
pub enum Says {
    /// A response.
    Response(ResponseSays),
    /// A ticket.
    Ticket(TicketSays),
    /// A mention.
    Mention(MentionSays),
    /// A promise stands so.
    Promise(String),
}

/// All that is told of a cause that is there.
#[derive(Clone, PartialEq)]
pub struct Content {
    /// Where and about what.
    pub place: Place,
    /// The campaign.
    pub campaign: String,
    /// The agent.
    pub agent: String,
    /// The team.
    pub team: String,
    /// The language.
    pub language: String,
    /// What the party was.
    pub party: Party,
    /// Whether nobody can be tied to it.
    pub anonymous: bool,
    /// The customer's traits that are metric dimensions.
    pub dimensions: BTreeMap<String, String>,
    /// What it says by its kind.
    pub says: Says,
    /// What was read in its words; none: there are none.
    pub words: Option<Words>,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // An agent is a person, and so may a dimension be.
        f.debug_struct("Content").field("place", &self.place).finish_non_exhaustive()
    }
}

/// What an event told of a cause.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Which.
    pub key: CauseKey,
    /// Whose.
    pub subject: SubjectId,
    /// As of which revision.
    pub revision: u64,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// What it is; none: it is gone, or counts for nothing.
    pub content: Option<Content>,
}

impl Content {
    /// The same, as far as a ticket goes its way, as it was.
    #[must_use]
    pub fn at(&self, progress: Option<&Progress>) -> Self {
        let mut content = self.clone();
        if let (Says::Ticket(ticket), Some(progress)) = (&mut content.says, progress) {
            ticket.progress = progress.clone();
        }
        content
    }

    /// How far a ticket has come.
    #[must_use]
    pub const fn progress(&self) -> Option<&Progress> {
        match &self.says {
            Says::Ticket(ticket) => Some(&ticket.progress),
            Says::Response(_) | Says::Mention(_) | Says::Promise(_) => None,
        }
    }
}

/// A cause of a follow-up, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// Which.
    pub key: CauseKey,
    /// Whose.
    pub subject: SubjectId,
    /// When it happened.
    pub at: Timestamp,
    /// The score it gave.
    pub score: Option<Scored>,
    /// How its words feel.
    pub sentiment: Option<f64>,
    /// Where and about what.
    pub place: Place,
}

impl Cause {
    /// What is kept of what was told; none of what is gone.
    #[must_use]
    pub fn of(told: &Told) -> Option<Self> {
        let content = told.content.as_ref()?;
        let score = match &content.says {
            Says::Response(response) => response.score.clone(),
            Says::Ticket(_) | Says::Mention(_) | Says::Promise(_) => None,
        };
        let sentiment = content.words.as_ref().and_then(|words| words.sentiment);
        let place = content.place.clone();
        Some(Self { key: told.key, subject: told.subject, at: told.occurred_at, score, sentiment, place })
    }
}
