//! An invitation of one customer to one survey, and what becomes of it.

use std::fmt;
use std::time::Duration;

use rapport_kernel::{Fault, Id, Reason, SubjectId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Asking;
use crate::domain::{Respondent, ResponseId, SurveyId, SurveyKind, Touch, etag};

/// Marks the id of an invitation.
pub enum InvitationMarker {}
/// An invitation's id.
pub type InvitationId = Id<InvitationMarker>;

/// Where an invitation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Made.
    Invited,
    /// Delivered.
    Delivered,
    /// Answered in part.
    Started,
    /// Answered in full, as often as it can be.
    Completed,
    /// Not answered in time.
    Expired,
    /// Withdrawn.
    Cancelled,
    /// Not delivered.
    Failed,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Invited, Self::Delivered, Self::Started, Self::Completed, Self::Expired, Self::Cancelled, Self::Failed];

    /// The name in columns and events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Delivered => "delivered",
            Self::Started => "started",
            Self::Completed => "completed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// The status of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether it can still be answered.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Invited | Self::Delivered | Self::Started)
    }

    /// Whether the customer was asked: what failed or was withdrawn did not happen.
    #[must_use]
    pub const fn counts(self) -> bool {
        !matches!(self, Self::Cancelled | Self::Failed)
    }
}

/// What an invitation is about, and where. Empty where unknown.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spot {
    /// The touchpoint.
    pub touchpoint: String,
    /// The journey stage.
    pub stage: String,
    /// The product.
    pub product: String,
    /// The campaign or wave.
    pub campaign: String,
    /// The agent.
    pub agent: String,
    /// The team.
    pub team: String,
    /// The ticket.
    pub ticket: Option<Uuid>,
    /// The interaction.
    pub interaction: Option<Uuid>,
}

impl fmt::Debug for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An agent is a person.
        f.debug_struct("Spot").field("stage", &self.stage).field("campaign", &self.campaign).finish_non_exhaustive()
    }
}

/// An invitation.
#[derive(Clone, Debug, PartialEq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// The survey.
    pub survey: SurveyId,
    /// What it measures.
    pub kind: SurveyKind,
    /// Whether nobody can be tied to an answer.
    pub anonymous: bool,
    /// Who was invited.
    pub respondent: Respondent,
    /// Where it stands.
    pub status: Status,
    /// By which channel.
    pub channel: String,
    /// What for.
    pub purpose: String,
    /// On which topic.
    pub topic: String,
    /// About what.
    pub spot: Spot,
    /// What tells one occasion to be asked from another.
    pub cause: String,
    /// The language it is asked in; empty: the survey's.
    pub language: String,
    /// Its place in the contact ledger.
    pub contact: Option<Uuid>,
    /// Whether the ledger was told that it was made.
    pub is_confirmed: bool,
    /// When.
    pub invited_at: Timestamp,
    /// Until when it can be answered.
    pub expires_at: Timestamp,
    /// When it was delivered.
    pub delivered_at: Option<Timestamp>,
    /// When it was first answered.
    pub started_at: Option<Timestamp>,
    /// When it was last answered in full.
    pub completed_at: Option<Timestamp>,
    /// How often it was answered in full.
    pub uses: u32,
    /// How often it can be.
    pub max_uses: u32,
    /// How many reminders became due.
    pub reminders: u32,
    /// When the next one does.
    pub remind_at: Option<Timestamp>,
    /// When the reminders do, after the invitation.
    pub remind_after: Vec<Duration>,
    /// The last answer.
    pub response: Option<ResponseId>,
    /// Grows with every change.
    pub revision: u64,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What an answer did.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// The answer.
    pub response: ResponseId,
    /// Whether it is complete.
    pub complete: bool,
}

/// When the reminder after so many becomes due.
#[must_use]
pub fn remind_at(invited_at: Timestamp, expires_at: Timestamp, after: &[Duration], done: u32) -> Option<Timestamp> {
    let next = invited_at.plus(*after.get(done as usize)?);
    (next < expires_at).then_some(next)
}

impl Invitation {
    /// Lets it be answered.
    ///
    /// # Errors
    /// FAILED_PRECONDITION (INVALID_STATE) with what became of it.
    pub fn admit(&self, now: Timestamp) -> Result<(), Fault> {
        let (kind, text) = match self.status {
            Status::Cancelled | Status::Failed => ("INVITATION_CANCELLED", "the invitation was withdrawn"),
            Status::Completed => ("INVITATION_USED", "the invitation was answered already"),
            Status::Expired => ("INVITATION_EXPIRED", "the invitation can no longer be answered"),
            _ if now >= self.expires_at => ("INVITATION_EXPIRED", "the invitation can no longer be answered"),
            Status::Invited | Status::Delivered | Status::Started => return Ok(()),
        };
        Err(Fault::new(Reason::InvalidState, text).precondition(kind, self.id.to_string()))
    }

    /// Notes an answer by it. One to an anonymous survey is never noted, neither now nor later, neither by itself nor among
    /// others': it stands as if nobody had answered by it, until it expires.
    #[must_use]
    pub fn answered(mut self, answer: Answered, now: Timestamp) -> Self {
        self.response = Some(answer.response);
        self.started_at = self.started_at.or(Some(now));
        if answer.complete {
            self.uses += 1;
            self.status = if self.uses >= self.max_uses { Status::Completed } else { Status::Started };
            // Who has answered is not reminded.
            self.remind_at = None;
            self.completed_at = Some(now);
        } else {
            self.status = Status::Started;
        }
        self.changed(now)
    }

    /// Notes that it was delivered, or could not be.
    ///
    /// # Errors
    /// ABORTED for a stale etag; FAILED_PRECONDITION where it can no longer be.
    pub fn delivery(mut self, given: &str, failed: bool, at: Timestamp, now: Timestamp) -> Result<Self, Fault> {
        etag::check(self.revision, given)?;
        match self.status {
            Status::Invited if failed => {
                self.status = Status::Failed;
                self.remind_at = None;
            }
            Status::Delivered if failed => return Err(self.wrong("it was delivered")),
            Status::Invited => {
                self.status = Status::Delivered;
                self.delivered_at = Some(at);
            }
            Status::Delivered => return Ok(self),
            // It was answered before it was told that it was delivered.
            Status::Started | Status::Completed if !failed => self.delivered_at = self.delivered_at.or(Some(at)),
            Status::Failed if failed => return Ok(self),
            Status::Started | Status::Completed | Status::Expired | Status::Cancelled | Status::Failed => {
                return Err(self.wrong("it is closed"));
            }
        }
        Ok(self.changed(now))
    }

    /// Withdraws it.
    ///
    /// # Errors
    /// ABORTED for a stale etag; FAILED_PRECONDITION where it is closed.
    pub fn cancel(mut self, given: &str, now: Timestamp) -> Result<Self, Fault> {
        etag::check(self.revision, given)?;
        match self.status {
            Status::Cancelled => return Ok(self),
            status if !status.is_open() => return Err(self.wrong("it is closed")),
            _ => {}
        }
        self.status = Status::Cancelled;
        self.remind_at = None;
        Ok(self.changed(now))
    }

    /// Lets a token be given for it.
    ///
    /// # Errors
    /// FAILED_PRECONDITION where it is closed.
    pub fn issue(&self, now: Timestamp) -> Result<(), Fault> {
        if self.status.is_open() && now < self.expires_at { Ok(()) } else { Err(self.wrong("it is closed")) }
    }

    /// Closes it where its time is over.
    #[must_use]
    pub fn expire(mut self, now: Timestamp) -> Self {
        if !self.status.is_open() || now < self.expires_at {
            return self;
        }
        // One that was answered, though not as often as it could be, was answered.
        self.status = if self.uses > 0 { Status::Completed } else { Status::Expired };
        self.remind_at = None;
        self.changed(now)
    }

    /// Notes a reminder that became due: made, or put off to an instant (`None`: for good).
    #[must_use]
    pub fn remind(mut self, made: bool, put_off: Option<Timestamp>, now: Timestamp) -> Self {
        if made {
            self.reminders += 1;
        }
        let next = remind_at(self.invited_at, self.expires_at, &self.remind_after, self.reminders);
        self.remind_at = if made {
            // One that was put off does not bring the next one at once.
            next.map(|next| next.max(now))
        } else {
            put_off.filter(|at| *at < self.expires_at && *at > now)
        };
        self.changed(now)
    }

    /// When it is to be looked at though nobody says anything.
    #[must_use]
    pub fn wakes(&self) -> Option<Timestamp> {
        let confirm = (self.contact.is_some() && !self.is_confirmed && self.status.counts()).then_some(self.updated_at);
        let release = (self.contact.is_some() && !self.status.counts()).then_some(self.updated_at);
        let open = self.status.is_open().then_some(self.remind_at.unwrap_or(self.expires_at).min(self.expires_at));
        [confirm, release, open].into_iter().flatten().min()
    }

    /// Whose it is.
    #[must_use]
    pub const fn subject(&self) -> SubjectId {
        self.respondent.subject
    }

    /// What an answer by it is about, over what the answer itself says. To an anonymous survey it tells that only where
    /// it is `one_of` many that were made alike: a campaign of one would else sign its answer.
    #[must_use]
    pub fn touch(&self, told: Touch, one_of: bool) -> Touch {
        if self.anonymous && !one_of {
            return Touch { ticket: None, interaction: None, invitation: None, ..told };
        }
        let or = |ours: &str, told: String| if ours.is_empty() { told } else { ours.to_owned() };
        let spot = &self.spot;
        let known = !self.anonymous;
        Touch {
            channel: or(&self.channel, told.channel),
            touchpoint: or(&spot.touchpoint, told.touchpoint),
            stage: or(&spot.stage, told.stage),
            product: or(&spot.product, told.product),
            campaign: or(&spot.campaign, told.campaign),
            agent: or(&spot.agent, told.agent),
            team: or(&spot.team, told.team),
            ticket: spot.ticket.or(told.ticket).filter(|_| known),
            interaction: spot.interaction.or(told.interaction).filter(|_| known),
            invitation: known.then_some(self.id.uuid()),
            language: if told.language.is_empty() { self.language.clone() } else { told.language },
        }
    }

    /// How long it can be answered by a survey's rules.
    #[must_use]
    pub fn ends(asking: &Asking, now: Timestamp) -> Timestamp {
        now.plus(asking.life())
    }

    fn wrong(&self, text: &str) -> Fault {
        let text = format!("the invitation's state does not allow it: {text}");
        Fault::new(Reason::InvalidState, text).precondition("INVITATION_STATE", self.id.to_string())
    }

    pub(crate) fn changed(mut self, now: Timestamp) -> Self {
        self.updated_at = now;
        self.revision += 1;
        self
    }
}
